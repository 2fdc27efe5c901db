"""What the documentation names is there: commands, options, targets, variables; made pages are up to date."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from nextlabel import options, settings
from nextlabel.cli import cli
from nextlabel.labeling import AnnotationId, TaskId, ToolProjectId
from nextlabel.labeling.ranking import CandidatePool, complaint_of
from nextlabel.ports.tool import Connector, ToolAccess
from nextlabel.strategies import finding
from nextlabel.testing import Annotator, Served, ToolHarness
from nextlabel.testing.contract import CoreContract

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docker" / "README.md", *sorted(DOCS.rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BEGINS = re.compile(r"^(?:\$ )?(?:exec \S+ )?nextlabel(?= )")
ELSEWHERE = re.compile(r"NEXTLABEL_TEST_\w+")
"""Variables of the tests, which no installation has."""


def page_module(name: str) -> ModuleType:
    """A script of ``docs/make``."""
    return _module(DOCS / "make" / f"{name}.py")


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


REFERENCE = page_module("reference")


# --- what a page tells people to type ----------------------------------------------------------------------


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """What stands between fences, of some languages ("" for none)."""
    fence = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    for language, text in fence.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield text


def spans(page: Path) -> Iterator[str]:
    """What stands between backticks in a sentence."""
    outside = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(one.split()) for one in re.findall(r"`([^`]+)`", outside))


def typed(page: Path) -> Iterator[list[str]]:
    """Each `nextlabel` command that the page has, word by word."""
    for text in (*blocks(page, "sh", "", "bash"), *spans(page)):
        joined = text.replace("\\\n", " ")
        for line in re.split(r"\n|&&|;|\|(?= )", joined):
            command = re.sub(r"^.*?\b(?:exec|entrypoint \w+) nextlabel-\w+ ", "", line.strip())
            command = re.sub(r"^(?:export )?(?:[A-Z_]+=\S+ )+", "", command)
            if not BEGINS.match(command):
                continue
            try:
                yield shlex.split(command, comments=True)
            except ValueError:  # a sentence with an apostrophe
                yield command.split("#")[0].split()


def complaint(words: Sequence[str]) -> str:
    """What of a command line is not there; "" where all is."""
    command: click.Command = cli
    rest = list(words[1:])
    if rest[:2] == ["is", "ready"] or rest[:2] == ["is", "ready:"]:  # what `nextlabel up` says
        return ""
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        names = re.split(r"\||, ", rest[0].rstrip(",.:")) if rest[0].isascii() else []
        found = [command.get_command(click.Context(command), one) for one in names]
        if not found or found[0] is None or None in found:
            return "" if rest[0] in ("…", "COMMAND") else f"no command {rest[0]!r} in {' '.join(words)!r}"
        command, rest = found[0], rest[1:]
        if len(names) > 1:
            return ""
    known = {
        name for one in command.params if isinstance(one, click.Option) for name in (*one.opts, *one.secondary_opts)
    }
    known |= {"--help", "-h"}
    for word in rest:
        option = re.split(r"[=,.:\]]", word.strip("[]"))[0]
        if option.startswith("--") and option not in known:
            return f"no option {option!r} in {' '.join(words)!r}"
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_option_that_a_page_names_is_there(name: str) -> None:
    found = [one for words in typed(ROOT / name) if (one := complaint(words))]
    assert not found, found


def test_the_check_of_commands_can_fail() -> None:
    """The last two are right: an option of a group's command, several commands in one cell of a table."""
    assert complaint(["nextlabel", "relabel", "--project", "1"]).startswith("no command 'relabel'")
    assert complaint(["nextlabel", "connect", "--projects", "1"]).startswith("no option '--projects'")
    assert not complaint(["nextlabel", "credentials", "--renew", "admin"])
    assert not complaint(["nextlabel", "models", "list|show|promote|rollback|release"])
    assert sum(1 for page in PAGES for _ in typed(page)) > 100


def test_every_file_service_and_profile_of_compose_that_a_page_names_is_there() -> None:
    composed = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
    services = set(re.findall(r"^  ([a-z-]+):$", composed, re.MULTILINE))
    lines = [line for page in PAGES for text in blocks(page, "sh", "") for line in text.splitlines()]
    checked = 0
    for line in (one for one in lines if re.search(r"\bcompose\b", one) and not one.lstrip().startswith("#")):
        for file in re.findall(r"-f (\S+)", line):
            assert (ROOT / file).is_file(), line
        for profile in re.findall(r"--profile (\S+)", line):
            assert f'profiles: ["{profile}"]' in composed, line
        for service in re.findall(r"\b(?:exec|--entrypoint \w+) ([a-z-]+)", line):
            assert service in services, line
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("name", NAMES)
def test_every_target_of_make_that_a_page_names_is_there(name: str) -> None:
    made = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    page = ROOT / name
    lines = [line.split("#")[0] for text in (*blocks(page, "sh", ""), *spans(page)) for line in text.splitlines()]
    asked = {
        word for line in lines for words in re.findall(r"(?:^|\s)make ([a-z][a-z -]*)", line) for word in words.split()
    }
    assert asked <= made, asked - made


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_that_a_page_names_is_there(name: str) -> None:
    known = {*settings.MEANINGS, *(f"{one}_FILE" for one in settings.MEANINGS)}
    composed = "".join(one.read_text(encoding="utf-8") for one in (ROOT / "docker").glob("*") if one.is_file())
    named = set(re.findall(r"\bNEXTLABEL_[A-Z_]+[A-Z]\b", (ROOT / name).read_text(encoding="utf-8")))
    missing = {one for one in named - known if not ELSEWHERE.fullmatch(one) and not re.search(rf"\b{one}\b", composed)}
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_python_on_a_page_can_be_read_and_imports_what_there_is(name: str) -> None:
    for text in blocks(ROOT / name, "python"):
        for one in ast.walk(ast.parse(text)):
            if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("nextlabel"):
                module = import_module(one.module or "")
                assert all(hasattr(module, each.name) for each in one.names), ast.unparse(one)


@pytest.mark.parametrize("name", NAMES)
def test_what_belongs_to_an_item_of_a_list_is_indented_so_that_the_site_shows_it(name: str) -> None:
    """Markdown as the repository's site reads it takes two or three spaces, the documentation's own takes four."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    outside, found = True, []
    for number, (before, line) in enumerate(pairwise(lines), start=2):
        if line.lstrip().startswith("```"):
            found += [number] if outside and line.startswith(" ") else []
            outside = not outside
        elif outside and not before and re.match(r" {1,3}\S", line):
            found.append(number)
    assert not found, f"lines {found}"


# --- pages and pictures that are made from the code --------------------------------------------------------


def test_the_reference_is_what_the_code_says() -> None:
    for name, text in REFERENCE.pages().items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, f"{name}: run `make docs`"


def test_every_variable_that_is_read_and_every_option_has_its_meaning() -> None:
    assert set(REFERENCE.variables()) == set(settings.MEANINGS), "settings.MEANINGS has a line for each variable"
    assert {one.name for one in fields(options.ProjectOptions)} - {"set_aside"} == set(options.MEANINGS)


def test_every_picture_is_what_its_script_draws() -> None:
    pictures = page_module("pictures").PICTURES
    for draw in pictures:
        drawn = str(draw())
        assert (DOCS / "concepts" / f"{draw.__name__}.svg").read_text(encoding="utf-8") == drawn, "run `make docs`"
        assert "<title>" in drawn
        assert "style=" not in drawn
    assert len(pictures) == 7


def test_every_page_stands_in_the_list_of_pages() -> None:
    listed = set(re.findall(r": ([\w/.-]+\.md)$", (ROOT / "properdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    elsewhere = {"index.md", "changelog.md", "contributing.md", "containers.md"}
    assert listed - elsewhere == {str(page.relative_to(DOCS)) for page in PAGES if DOCS in page.parents}


# --- how to extend -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["strategy", "model"])
def test_what_a_page_shows_of_an_example_stands_in_it(page: str) -> None:
    example = (DOCS / "examples" / f"own_{page}.py").read_text(encoding="utf-8")
    shown = next(blocks(DOCS / "extend" / f"{page}.md", "python"))
    there = {line.strip() for line in example.splitlines()}
    missing = [line for line in map(str.strip, shown.splitlines()) if line and line not in there]
    assert not missing


def test_the_strategy_of_the_example_is_found_as_a_file_and_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_folders", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "short_first_example.py").write_text(
        (DOCS / "examples" / "own_strategy.py").read_text(encoding="utf-8")
    )
    finding.use_folder(tmp_path)
    assert "short_first_example" in finding.names()
    strategy: Any = finding.make("short_first_example?share=0.9")
    assert strategy.share == 0.9
    example: Any = _module(DOCS / "examples" / "own_strategy.py")
    assert example.main() == ("short and unsure", "long and unsure", "short and sure")
    pool = pool_of_texts()
    assert complaint_of(strategy.rank(pool, 3), pool, 3) == ""


def pool_of_texts() -> CandidatePool:
    import numpy as np

    from nextlabel.features.text import count_features

    texts = ["win a prize", "see you at four in the room beside the stairs", "free", "the report is ready"]
    chances = np.full((4, 2), 0.5, dtype=np.float32)
    return CandidatePool([TaskId(text) for text in texts], chances, features=count_features(texts))


class SqliteHarness:
    """The people of the example's tool: they write to its tables, as the tool's own pages would."""

    def __init__(self, example: Any, path: Path) -> None:
        self.example, self.path = example, path
        self._held: dict[tuple[ToolProjectId, str], TaskId] = {}
        self._number = 0
        with closing(sqlite3.connect(path)) as tool, tool:
            tool.executescript(example.TABLES)

    def _run(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=10)) as tool, tool:
            return tool.execute(sql, values).fetchall()

    def _touch(self, task: TaskId) -> None:
        self._run("UPDATE tasks SET changed = (SELECT max(changed) + 1 FROM tasks) WHERE id = ?", int(task))

    def create_project(self, labels: Sequence[str], field: str) -> ToolProjectId:
        self._number += 1
        project = ToolProjectId(f"p{self._number}")
        listed = "[" + ", ".join(f'"{label}"' for label in labels) + "]"
        self._run("INSERT INTO projects VALUES (?, ?, ?, NULL)", project, field, listed)
        return project

    def add_tasks(self, project: ToolProjectId, texts: Sequence[str]) -> Sequence[TaskId]:
        with closing(sqlite3.connect(self.path)) as tool, tool:
            start = tool.execute("SELECT coalesce(max(changed), 0) + 1 FROM tasks").fetchone()[0]
            rows = [(project, text, start + number) for number, text in enumerate(texts)]
            tool.executemany("INSERT INTO tasks (project, text, changed) VALUES (?, ?, ?)", rows)
            made = tool.execute("SELECT id FROM tasks WHERE project = ? ORDER BY id", [project]).fetchall()
        return [TaskId(str(key)) for (key,) in made[-len(texts) :]]

    def delete_task(self, project: ToolProjectId, task: TaskId) -> None:
        self._run("DELETE FROM tasks WHERE id = ?", int(task))

    def next_task(self, project: ToolProjectId, by: Annotator) -> Served | None:
        taken = {task for (where, who), task in self._held.items() if where == project and who != by}
        queue = [TaskId(str(key)) for (key,) in self._run(self.example.QUEUE, project, -1)]
        free = next((task for task in queue if task not in taken), None)
        if free is None:
            return None
        self._held[project, by] = free
        return Served(free, ())

    def submit(self, project: ToolProjectId, task: TaskId, label: str, by: Annotator) -> AnnotationId:
        self._held.pop((project, by), None)
        self._label(task, by, label)
        return AnnotationId(f"{task}:{by}")

    def change(self, project: ToolProjectId, annotation: AnnotationId, label: str) -> None:
        task, _, by = annotation.partition(":")
        self._label(TaskId(task), by, label)

    def _label(self, task: TaskId, by: str, label: str) -> None:
        self._touch(task)
        at = self._run("SELECT changed FROM tasks WHERE id = ?", int(task))[0][0]
        self._run("REPLACE INTO annotations VALUES (?, ?, ?, ?)", int(task), by, label, f"2026-11-30T00:00:00.{at:09}")

    def withdraw(self, project: ToolProjectId, annotation: AnnotationId) -> None:
        task, _, by = annotation.partition(":")
        self._run("DELETE FROM annotations WHERE task = ? AND by = ?", int(task), by)
        self._touch(TaskId(task))

    def let_a_day_pass(self, project: ToolProjectId) -> None:
        """The tool counts changes, not seconds."""

    def choose_another_order(self, project: ToolProjectId) -> None:
        self._run("UPDATE projects SET serves = NULL WHERE name = ?", project)

    def delete_project(self, project: ToolProjectId) -> None:
        self._run("DELETE FROM projects WHERE name = ?", project)

    def connector(self, project: ToolProjectId) -> Connector:
        made: Connector = self.example.CONNECTOR.open(ToolAccess(str(self.path)), project)
        return made

    def stranger(self, project: ToolProjectId) -> Connector:
        return self.connector(project)

    def unknown_project(self) -> ToolProjectId:
        return ToolProjectId("p999999")

    def take_down(self) -> None:
        self.path.rename(self.path.with_suffix(".away"))

    def bring_up(self) -> None:
        self.path.with_suffix(".away").rename(self.path)


class TestTheConnectorOfTheExample(CoreContract):
    """As docs/extend/connector.md tells people to hold theirs to the contract."""

    crowd_size = 1_500

    @pytest.fixture(scope="class")
    @classmethod
    def harness(cls) -> Iterator[ToolHarness]:
        with tempfile.TemporaryDirectory() as folder:
            yield SqliteHarness(_module(DOCS / "examples" / "own_connector.py"), Path(folder) / "tool.db")
