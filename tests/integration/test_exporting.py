"""`nextlabel export`: what a version says of every task, and the model itself, are the same elsewhere as here."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from click.testing import Result
from pyarrow import parquet

from integration import commands
from integration.conftest import Team
from integration.test_loop import STARS, TOPICS, say_everything, target_predictions
from nextlabel import wiring
from nextlabel.cli import EXIT_CONFIGURATION
from nextlabel.labeling import Task
from nextlabel.service import export_files
from nextlabel.settings import Settings
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.memory import MemoryTool

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings) -> Run:
    return commands.on(settings)


@pytest.fixture
def labeled(team: Team) -> Team:
    """40 of 200 mails labeled, and learned."""
    team.import_mails(200)
    team.run()
    team.work(40)
    team.run()
    return team


def all_tasks(team: Team) -> list[Task]:
    with team.tool.opened(team.at_tool) as it:
        return [row.task for row in it.rows.values()]


def test_every_task_is_exported_with_what_the_version_in_service_says_of_it(labeled: Team, run: Run) -> None:
    result = run("export", "predictions", "--project", labeled.project, "--with-data")
    assert result.exit_code == 0, result.stderr
    rows = {row["task"]: row for row in map(json.loads, result.stdout.splitlines())}
    tasks = all_tasks(labeled)
    expected = target_predictions(labeled, tasks).guesses("label")
    assert {name: row["predictions"]["label"] for name, row in rows.items()} == {
        task.id: {"label": one.label, "confidence": pytest.approx(one.confidence)}
        for task, one in zip(tasks, expected, strict=True)
    }
    assert {name for name, row in rows.items() if row["labeled"]} == set(labeled.learned)
    assert {name: row["data"] for name, row in rows.items()} == {task.id: task.data for task in tasks}


def test_csv_and_parquet_hold_the_same_rows_of_every_kind_of_target(team: Team, run: Run, tmp_path: Path) -> None:
    mails = team.import_mails(60)
    team.ask_also(TOPICS, STARS)
    team.run()
    say_everything(team, 40)
    team.run()
    columnar, name = tmp_path / "found.parquet", ["--project", team.project]
    assert run("export", "predictions", *name, "--format", "parquet", "-o", str(columnar)).exit_code == 0
    text = run("export", "predictions", *name, "--format", "csv").stdout
    of_csv, of_parquet = list(csv.DictReader(StringIO(text))), parquet.read_table(columnar).to_pylist()
    assert len(of_parquet) == len(mails)
    assert [row["task"] for row in of_parquet] == [row["task"] for row in of_csv]
    for one, other in zip(of_parquet, of_csv, strict=True):
        assert one["label.label"] == other["label.label"]
        assert one["topics.label"] == json.loads(other["topics.label"])
        assert one["stars.label"] == float(other["stars.label"])
        assert one["label.confidence"] == float(other["label.confidence"])


def test_no_label_is_a_formula_and_half_a_surrogate_pair_stops_no_export(team: Team, run: Run, tmp_path: Path) -> None:
    words = {"ham": "=HYPERLINK(A1)\ud83d", "spam": "-1"}
    team.ask(*words.values())
    mails = team.import_mails(60)
    team.tool.add_tasks(team.at_tool, ["half a smile \ud83d", "@SUM(1)"])
    team.run()
    for task in mails[:40]:
        team.label(task, words[team.truth[task]])
    team.run()
    (name, path), found = ("--project", team.project), {}
    for format_ in ("csv", "jsonl", "parquet"):
        file = tmp_path / f"found.{format_}"
        done = run("export", "predictions", name, path, "--with-data", "--format", format_, "-o", str(file))
        assert done.exit_code == 0, done.stderr
        found[format_] = file
    rows = list(csv.DictReader(StringIO(found["csv"].read_text(encoding="utf-8"))))
    escaped = words["ham"].encode("utf-8", "backslashreplace").decode()
    assert {row["label.label"] for row in rows} == {f"'{escaped}", "-1"}
    assert {json.loads(row["data"])["text"] for row in rows} >= {"half a smile \ud83d", "@SUM(1)"}
    lines = [json.loads(line) for line in found["jsonl"].read_text(encoding="utf-8").splitlines()]
    assert {row["predictions"]["label"]["label"] for row in lines} == set(words.values())
    assert "half a smile \ud83d" in {row["data"]["text"] for row in lines}
    assert {row["label.label"] for row in parquet.read_table(found["parquet"]).to_pylist()} == {escaped, "-1"}


def test_a_pipe_is_written_to_and_stays_a_pipe_and_a_link_leads_to_the_file(
    labeled: Team, run: Run, tmp_path: Path
) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link.jsonl", tmp_path / "file.jsonl"
    os.mkfifo(pipe)
    file.touch()
    link.symlink_to(file)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        for output in (pipe, link):
            done = run("export", "predictions", "--project", labeled.project, "-o", str(output))
            assert done.exit_code == 0, done.stderr
        assert reader.communicate(timeout=CEILING_SECONDS)[0] == file.read_bytes() != b""
    assert (pipe.is_fifo(), link.is_symlink()) == (True, True)


def test_an_earlier_version_says_what_it_said_then(labeled: Team, run: Run) -> None:
    first, before = labeled.serving.version, target_predictions(labeled, all_tasks(labeled)).probabilities
    labeled.work(60)
    labeled.run()
    assert labeled.serving.version != first
    lines = run("export", "predictions", "--project", labeled.project, "--version", first).stdout.splitlines()
    given = {row["task"]: row["predictions"]["label"]["confidence"] for row in map(json.loads, lines)}
    found = [given[task.id] for task in all_tasks(labeled)]
    assert found == pytest.approx(before.max(axis=1).tolist())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--version", "nextlabel-99"], "it has nextlabel-2"),
        (["--format", "parquet"], "name a file with --output"),
        (["--format", "label-studio"], "no labeling config of Label Studio's"),
        (["-o", "/nowhere/at/all.csv"], "no folder /nowhere/at"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_what_to_do(
    labeled: Team, run: Run, arguments: list[str], words: str
) -> None:
    result = run("export", "predictions", "--project", labeled.project, *arguments)
    assert (result.exit_code, result.stdout) == (EXIT_CONFIGURATION, "")
    assert words in result.stderr.replace("\n", " ")


def test_a_file_of_before_stays_whole_until_the_new_one_is(
    labeled: Team, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.csv"
    path.write_text("the one before", encoding="utf-8")

    def fails(*_: object) -> str:
        raise OSError("no room left")

    monkeypatch.setattr(export_files, "_csv_cell", fails)
    arguments = ["export", "predictions", "--project", labeled.project, "--format", "csv", "-o", str(path)]
    assert run(*arguments).exit_code == 1
    assert path.read_text(encoding="utf-8") == "the one before"
    assert list(tmp_path.glob("found*")) == [path]


def test_ten_times_the_tasks_take_no_more_memory(labeled: Team, tmp_path: Path) -> None:
    def peak() -> int:
        pool = labeled.parts.exporting.pool(labeled.project)
        tracemalloc.start()
        with (tmp_path / "out").open("wb") as file:
            assert sum(export_files.write(pool, file, "jsonl", data=True)) == pool.tasks
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    labeled.import_mails(1_000)
    labeled.run()
    few = peak()
    labeled.import_mails(8_000)
    labeled.run()
    assert peak() < few + 2_000_000  # the tasks alone are more


@pytest.mark.everything
def test_a_teams_own_model_predicts_the_whole_pool_and_is_exported_by_its_own_code(
    tool: MemoryTool, settings: Settings
) -> None:
    own = replace(settings, models=f"letters={Path(__file__).parent / 'models' / 'estimators.py'}:letters")
    parts = wiring.build(own, own.redis_url or "")
    team = Team(tool, parts, tool.create_project(["ham", "spam"]))
    team.choose(model="letters")
    team.import_mails(60)
    team.run()
    team.work(30)
    team.run()
    run = commands.on(settings)
    lines = run("export", "predictions", "--project", team.project, NEXTLABEL_MODEL=own.models).stdout.splitlines()
    given = {row["task"]: row["predictions"]["label"]["label"] for row in map(json.loads, lines)}
    right = [given[task] == label for task, label in team.truth.items()]
    assert (len(right), sum(right) > 45) == (60, True)
    refused = run("export", "model", "--project", team.project, NEXTLABEL_MODEL=own.models)
    assert refused.exit_code == EXIT_CONFIGURATION
    assert "was learned by a model of your own (letters" in refused.stderr
    parts.redis.close()
    parts.database.dispose()
