"""The real label-studio-sdk beside nextlabel: the one that Label Studio itself came with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nextlabel_connectors.label_studio.testing.server import VENV_VARIABLE

MODELS = Path(__file__).parent / "integration" / "models"
LIKE_2_X = MODELS / "like_2_x"
# A checkout of label-studio-ml's repository, with what it needs beside nextlabel, to try the real one.
CHECKOUT_VARIABLE = "NEXTLABEL_TEST_LABEL_STUDIO_ML"


def search_path(folder: Path, *first: Path) -> str:
    """A PYTHONPATH with which ``import label_studio_sdk`` works in nextlabel's own environment: the packages of Label
    Studio's are looked through last, so that what both have is nextlabel's. ``folder`` is for a file that says so."""
    venv = Path(os.environ.get(VENV_VARIABLE) or ".cache/label-studio/venv").absolute()
    found = [path.parent for path in venv.glob("lib/python*/site-packages/label_studio_sdk")]
    if not found:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"There is no label-studio-sdk in {venv}: run `make label-studio`.")
        pytest.skip(f"There is no label-studio-sdk in {venv}: run `make label-studio`.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(found[0])!r})\n")
    return os.pathsep.join(filter(None, [*map(str, first), str(folder), os.environ.get("PYTHONPATH")]))
