# Everything here sets up what it needs from nothing but Python ≥ 3.11 and the package registries.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LABEL_STUDIO := .cache/label-studio/venv
FIFTYONE := .cache/fiftyone/venv
DOCCANO := .cache/doccano/venv
AXE := .cache/axe-core-4.14.1/axe.min.js
AXE_SHA256 := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps
export OMP_NUM_THREADS ?= 1
# Tests start hundreds of processes, and each would compile nextlabel anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help house setup label-studio doccano fiftyone browser postgres demo test test-all test-versions check docs release format bench bench-guard bench-published bench-savings bench-kinds bench-scale bench-honesty bench-quality bench-stopping bench-pages faults lock clean

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## The project's own environment, from requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements.lock
	$(BIN)/python $(PIP_INSTALL) --editable .
	@touch $@

label-studio: $(LABEL_STUDIO)/.installed ## A Label Studio of its own, for the demo and the tests

$(LABEL_STUDIO)/.installed: demo/label-studio.lock
	@echo "Installing Label Studio into $(LABEL_STUDIO): about two minutes, once."
	@test -x $(LABEL_STUDIO)/bin/python || $(PYTHON) -m venv $(LABEL_STUDIO)
	$(LABEL_STUDIO)/bin/python $(PIP_INSTALL) --require-hashes -r demo/label-studio.lock
	@touch $@

doccano: $(DOCCANO)/.installed ## A doccano of its own, for the tests

$(DOCCANO)/.installed: tests/contract/doccano/doccano.lock
	@echo "Installing doccano into $(DOCCANO): about two minutes, once."
	@test -x $(DOCCANO)/bin/python || $(PYTHON) -m venv $(DOCCANO)
	$(DOCCANO)/bin/python $(PIP_INSTALL) --require-hashes -r tests/contract/doccano/doccano.lock
	@touch $@

fiftyone: $(FIFTYONE)/.installed ## A FiftyOne of its own, with its MongoDB, for the tests

$(FIFTYONE)/.installed: tests/contract/fiftyone/fiftyone.lock
	@echo "Installing FiftyOne into $(FIFTYONE): about two minutes and 1.1 GB, once."
	@test -x $(FIFTYONE)/bin/python || $(PYTHON) -m venv $(FIFTYONE)
	$(FIFTYONE)/bin/python $(PIP_INSTALL) --require-hashes -r tests/contract/fiftyone/fiftyone.lock
	@touch $@

# The versions that nextlabel is tried with: the demo's, and older ones, each with a lock of its own.
NEWEST := $(shell sed 's/.*==//' demo/label-studio.in)
OLDER := $(sort $(basename $(notdir $(wildcard tests/contract/label-studio/*.lock))))
VERSIONS ?= $(OLDER) $(NEWEST)

.cache/label-studio/%/venv/.installed: tests/contract/label-studio/%.lock
	@echo "Installing Label Studio $*: about a minute, once."
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --require-hashes -r $<
	@touch $@

browser: $(AXE) ## Debian's Chromium and axe-core, for the tests in a browser; as root, or where it is installed already
	@command -v chromium >/dev/null || { apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null; } || \
	    { test -z "$(CI)" && echo "No Chromium: install it, or the tests in the editor are skipped."; }

$(AXE): # the tests' alone (MPL-2.0): npm's package, unpacked where its hash is right
	@mkdir -p $(@D)
	@cd $(@D) && npm pack --silent axe-core@4.14.1 >/dev/null && tar -xzf axe-core-4.14.1.tgz package/axe.min.js && \
	    echo "$(AXE_SHA256)  package/axe.min.js" | sha256sum --check --quiet && mv package/axe.min.js . && rm -r package *.tgz || \
	    { test -z "$(CI)" && echo "No axe-core: install npm, or the tests with it are skipped."; }

demo: setup label-studio ## The whole loop on 2,000 real e-mails; ANNOTATIONS=60 stops after 60
	@$(BIN)/python -m demo $(if $(ANNOTATIONS),--annotations $(ANNOTATIONS))

postgres: ## Debian's PostgreSQL, for the tests of the label store on it; as root, or where it is installed already
	@test -n "$(NEXTLABEL_TEST_POSTGRES_URL)" || command -v initdb >/dev/null || \
	    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql >/dev/null; } || \
	    { test -z "$(CI)" && echo "No PostgreSQL: install it, or the tests on it are skipped."; }

IN_LANES = NEXTLABEL_TEST_DATABASE=$(DATABASE) $(BIN)/python -m pytest -n 3 --dist loadscope $(PYTEST_ARGS)
EVERYTHING := -m '' --hypothesis-profile everything

test: setup label-studio doccano fiftyone browser postgres ## What CI runs, with servers that it starts itself; DATABASE=postgresql for the label store there
	$(IN_LANES)

test-all: setup label-studio doccano fiftyone browser postgres ## Everything, with every database on PostgreSQL too, and each Label Studio: before an issue is resolved
	$(IN_LANES) $(EVERYTHING)
	NEXTLABEL_TEST_DATABASE=postgresql NEXTLABEL_TEST_LABEL_STUDIO=postgresql \
	    $(BIN)/python -m pytest tests/contract/test_label_studio.py tests/e2e $(PYTEST_ARGS) $(EVERYTHING)
	$(MAKE) --no-print-directory test-versions

test-versions: setup ## The connector contract on each Label Studio that nextlabel is tried with; VERSIONS=1.15.0 for some
	$(MAKE) --keep-going --no-print-directory $(VERSIONS:%=contract-%)

CONTRACT = NEXTLABEL_LABEL_STUDIO_VENV=$(<D) $(BIN)/python -m pytest -q tests/contract/test_label_studio.py $(PYTEST_ARGS)

contract-$(NEWEST): $(LABEL_STUDIO)/.installed
	$(CONTRACT)

contract-%: .cache/label-studio/%/venv/.installed
	$(CONTRACT)

check: setup ## Format, lint, types, the floors of the house, and the links of the documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/make/reference.py --check
	$(BIN)/python -m properdocs build

docs: setup ## The documentation for /docs of a clone, and the pages that are made from the code
	$(BIN)/python docs/make/reference.py
	$(BIN)/python docs/make/pictures.py
	$(BIN)/python -m properdocs build --site-dir backend/nextlabel/web/documentation_site

release: setup ## Wheel, source and image of the tagged version, in dist/; publishes nothing. DRAFT=1 without the tag
	@$(BIN)/python .ci/release.py $(if $(DRAFT),--draft)

house: setup ## The rooms of the house: files, lines, names, functions, imports
	@$(BIN)/python -m benchmarks.house $(BENCH_ARGS)

format: setup ## Put the format right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup label-studio ## Speed: webhooks, predictions, reorder; figures only
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-guard: setup ## Whether the default order or the speed has become worse: ten minutes, before an issue is resolved
	@$(BIN)/python -m benchmarks.guard $(BENCH_ARGS)

bench-published: setup ## Published active-learning figures beside ours; hours, resumable, data fetched at run time
	@$(BIN)/python -m benchmarks.published $(BENCH_ARGS)

bench-savings: setup ## Labels that the default needs beside random order's; hours, resumable, data fetched at run time
	@$(BIN)/python -m benchmarks.savings $(BENCH_ARGS)

bench-kinds: setup ## How well each kind of target is learned, what the order is worth, opening files; an hour, data fetched then
	@$(BIN)/python -m benchmarks.kinds $(BENCH_ARGS)
	@$(BIN)/python -m benchmarks.weighing
	@$(BIN)/python -m benchmarks.worth
	@$(BIN)/python -m benchmarks.opening
	@$(BIN)/python -m benchmarks.image_embeddings

bench-honesty: setup ## Whether the figures shown hold and a worse model is kept out; hours, resumable; QUICK=1 a quarter of an hour
	@$(BIN)/python -m benchmarks.honesty $(BENCH_ARGS)

bench-quality: setup ## Whether wrong labels are found, and what reviews are worth; an hour, resumable, data fetched then; QUICK=1 a quarter of one
	@$(BIN)/python -m benchmarks.quality $(BENCH_ARGS)

bench-stopping: setup ## When labeling may stop, what the next labels bring, how many were saved; hours, resumable; QUICK=1 twenty minutes
	@$(BIN)/python -m benchmarks.stopping $(BENCH_ARGS)

bench-scale: setup ## Rounds on 10,000 and 100,000 tasks; SIZES=10000,1000000 for others
	@$(BIN)/python -m benchmarks.scale $(SIZES)

bench-pages: setup browser ## What the pages weigh, how soon they are there, what they cost beside labeling; five minutes, QUICK=1 two
	@$(BIN)/python -m benchmarks.pages

RESOLVE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

lock: ## Resolve again (needs uv)
	$(RESOLVE) pyproject.toml --group dev --all-extras -o requirements.lock
	$(RESOLVE) pyproject.toml --group hosting --extra postgres --extra images --extra audio --extra pdf --constraint requirements.lock -o docker/requirements.lock
	$(RESOLVE) pyproject.toml --group hosting $(addprefix --extra ,postgres media quality embeddings parquet onnx activeml plot) --constraint requirements.lock -o docker/all.lock
	printf 'hatchling>=1.27\nproperdocs>=1.6.7,<2\n' | $(RESOLVE) - -o docker/build.lock
	$(RESOLVE) demo/label-studio.in -o demo/label-studio.lock
	$(RESOLVE) --no-emit-package fiftyone-db tests/contract/fiftyone/fiftyone.in -o tests/contract/fiftyone/fiftyone.lock
	$(RESOLVE) tests/contract/doccano/doccano.in -o tests/contract/doccano/doccano.lock
	for version in $(OLDER); do printf 'label-studio==%s\nsetuptools<80\n' $$version | \
	    $(RESOLVE) - -o tests/contract/label-studio/$$version.lock || exit; done

faults: setup label-studio ## All that can fail made to fail, labels and queue checked; FAULTS=redis,tool-down for some
	@$(BIN)/python -m benchmarks.faults $(FAULTS)

clean: ## Remove environments and caches
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
