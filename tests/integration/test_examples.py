"""The examples in the documentation run, and show what they say."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from everything import representing

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_examples() -> None:
    assert set(EXAMPLES) >= {"customers", "digits_forest", "iris_committee", "twenty_queries"}


@pytest.mark.parametrize("name", representing(EXAMPLES, {"customers", "digits_forest", "twenty_queries"}))
def test_each_example_runs_as_a_script(name: str) -> None:
    done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_twenty_queries_by_least_confidence_give_the_published_figures() -> None:
    accuracy = example("twenty_queries").main()
    assert len(accuracy) == 21
    assert accuracy[0] == pytest.approx(0.88, abs=1e-9)
    assert accuracy[-1] == pytest.approx(0.91, abs=1e-9)


def test_the_committee_on_iris_learns_from_its_questions() -> None:
    curves = np.array([example("iris_committee").main(seed) for seed in range(2)])
    assert curves[:, 0].mean() == pytest.approx(0.96, abs=0.01)
    assert curves[:, -1].mean() >= curves[:, 0].mean()


def test_the_customers_are_told_apart_better_with_labels() -> None:
    curves = np.array([example("customers").main(seed) for seed in range(3)])
    assert curves[:, -1].mean() > curves[:, 0].mean() + 0.03


def test_margin_beats_random_order_on_digits() -> None:
    results = example("digits_forest").main()
    assert results.summary("margin").end.value > results.summary("random").end.value
