"""`nextlabel export model`: by the instructions that it prints, the file answers elsewhere as the service does here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnxruntime
import pytest
from click.testing import Result
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes

from integration import commands
from integration.test_loop import target_predictions
from nextlabel.cli import EXIT_CONFIGURATION
from nextlabel.errors import ArtifactError
from nextlabel.labeling import Input, LabelSchema, Scale, Target, Task
from nextlabel.learning.exported import load_exported
from nextlabel.measures.target_predictions import ChoicePredictions, NumberPredictions
from nextlabel.settings import Settings

if TYPE_CHECKING:
    from integration.conftest import Team

Run = Callable[..., Result]
Row = Mapping[str, object]
Values = NDArray[Any]

CLOSE = 1e-4


@pytest.fixture
def run(settings: Settings) -> Run:
    return commands.on(settings)


def learn(team: Team, target: Target, rows: Sequence[Row], labels: Sequence[object], labeled: int) -> list[Task]:
    """Tasks of these rows, of which the first ones are labeled; returns all."""
    with team.tool.opened(team.at_tool) as it:
        it.schema = LabelSchema((target,), shown=target.inputs)
    tasks = team.tool.add_tasks(team.at_tool, rows)
    for task, label in list(zip(tasks, labels, strict=True))[:labeled]:
        team.tool.submit(team.at_tool, task, {target.name: label}, "ann")
    team.run()
    with team.tool.opened(team.at_tool) as it:
        return [row.task for row in it.rows.values()]


def exported(team: Team, run: Run, path: Path, kind: str) -> str:
    """Writes the file; returns the program that was printed with it."""
    result = run("export", "model", "--project", team.project, "--format", kind, "-o", str(path))
    assert result.exit_code == 0, result.stderr
    return result.stdout


def printed(program: str, folder: Path) -> str:
    """What a program prints, by a Python that has no installation of nextlabel to ask."""
    environ = {name: value for name, value in os.environ.items() if "NEXTLABEL" not in name}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(path: Path, given: Mapping[str, Values]) -> dict[str, Values]:
    session = onnxruntime.InferenceSession(path)
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(given)), strict=True))


def test_a_skops_file_predicts_the_same_by_the_program_that_is_printed(team: Team, run: Run, tmp_path: Path) -> None:
    team.import_mails(120)
    team.run()
    team.work(40)
    team.run()
    path = tmp_path / "mails.skops"
    program = exported(team, run, path, "skops")
    assert str(path) in program
    with team.tool.opened(team.at_tool) as it:
        tasks = [row.task for row in it.rows.values()]
    expected = target_predictions(team, tasks).guesses("label")
    mine = program.replace('[{"text": "…"}]', json.dumps([task.data for task in tasks])).replace(
        "print(model", "import json; print(json.dumps(model"
    )
    found = json.loads(printed(mine.rstrip() + ")", tmp_path))
    assert [one["label"]["label"] for one in found] == [one.label for one in expected]
    assert [one["label"]["confidence"] for one in found] == pytest.approx([one.confidence for one in expected])
    assert load_exported(path).about["version"] == team.serving.version


def test_a_table_of_numbers_and_names_is_answered_alike_by_onnx(team: Team, run: Run, tmp_path: Path) -> None:
    data: Any = load_breast_cancer(as_frame=True)
    names = list(map(str, data.feature_names))
    rows: list[dict[str, object]] = data.frame[data.feature_names].to_dict("records")
    for row in rows:
        row["size"] = "large" if cast(float, row["mean radius"]) > 14 else "small"
    del rows[3]["mean radius"], rows[4]["size"]
    rows[5] |= {"size": "never seen", "mean area": 1e200}
    labels = [str(data.target_names[n]) for n in data.target]
    target = Target("finding", "choice", tuple(map(Input, [*names, "size"])), ("malignant", "benign", "unknown"))
    tasks = learn(team, target, rows, labels, 80)
    path = tmp_path / "cells.onnx"
    program = exported(team, run, path, "onnx")
    given = {name: np.array([[row.get(name, np.nan)] for row in rows], dtype=np.float64) for name in names}
    found = answers(path, given | {"size": np.array([[row.get("size", "")] for row in rows], dtype=object)})
    expected = cast(ChoicePredictions, target_predictions(team, tasks, "finding"))
    assert np.abs(found["finding.probabilities"] - expected.probabilities).max() < CLOSE
    assert found["finding.label"].tolist() == [one.label for one in expected.guesses("finding")]
    assert "'finding.label'" in printed(program, tmp_path)


@pytest.mark.parametrize(
    "labeled", [60, pytest.param(400, marks=pytest.mark.everything)]
)  # fewer and more than columns
def test_a_number_and_how_far_it_may_be_off_are_answered_alike_by_onnx(
    team: Team, run: Run, tmp_path: Path, labeled: int
) -> None:
    data: Any = load_diabetes(as_frame=True, scaled=False)
    names = list(map(str, data.feature_names))
    rows: list[dict[str, object]] = data.frame[data.feature_names].to_dict("records")
    target = Target("progress", "number", tuple(map(Input, names)), scale=Scale(0, 400))
    tasks = learn(team, target, rows, list(map(float, data.target)), labeled)
    path = tmp_path / "patients.onnx"
    exported(team, run, path, "onnx")
    found = answers(path, {name: np.array([[row[name]] for row in rows], dtype=np.float64) for name in names})
    expected = cast(NumberPredictions, target_predictions(team, tasks, "progress"))
    np.testing.assert_allclose(found["progress.mean"], expected.mean, rtol=CLOSE)
    np.testing.assert_allclose(found["progress.spread"], expected.spread, rtol=CLOSE)


def test_what_reads_words_cannot_be_onnx_and_the_reason_is_named(team: Team, run: Run, tmp_path: Path) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    result = run("export", "model", "--project", team.project, "--format", "onnx", "-o", str(tmp_path / "mails.onnx"))
    assert result.exit_code == EXIT_CONFIGURATION
    assert "it reads words" in result.stderr
    assert "export it as skops" in result.stderr
    assert list(tmp_path.glob("mails*")) == []


def test_a_file_that_is_no_exported_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "odd.skops"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ArtifactError, match=r"odd\.skops cannot be read as an exported model"):
        load_exported(path)
