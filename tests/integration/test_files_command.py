"""`nextlabel files` and `nextlabel next`: the shortest way to an order, with no server at all."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nextlabel.cli import cli
from nextlabel.testing.waiting import CEILING_SECONDS

MAILS = [{"id": f"m{n}", "text": f"{'win a prize' if n % 2 else 'see you at four'}, number {n}"} for n in range(120)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTLABEL_HOME", str(tmp_path / "home"))
    for name in ("REDIS_URL", "NEXTLABEL_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mails.jsonl").write_text("".join(json.dumps(mail) + "\n" for mail in MAILS))
    return tmp_path


def run(*arguments: str, fails: bool = False) -> str:
    result = CliRunner().invoke(cli, [*arguments])
    assert result.exit_code == int(fails), result.output
    return result.stdout


def rows(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


def label(folder: Path, order: list[dict[str, Any]]) -> None:
    with (folder / "mails.labels.jsonl").open("a") as file:
        for row in order:
            file.write(json.dumps({"id": row["id"], "label": "spam" if "prize" in row["text"] else "ham"}) + "\n")


def test_a_file_is_put_in_order_in_an_empty_home_and_what_is_labeled_is_learned(folder: Path) -> None:
    printed = run("files", "mails.jsonl")
    assert str(folder / "mails.labels.jsonl") in printed
    first = rows(run("next", "--project", "files:mails"))
    assert sorted(row["id"] for row in first) == sorted(mail["id"] for mail in MAILS)
    label(folder, first[:40])
    run("files", "mails.jsonl")
    second = rows(run("next", "--project", "mails"))
    assert {row["id"] for row in second} == {row["id"] for row in first[40:]}
    shown = [row for row in second if row["nextlabel"].get("prediction")]  # audit tasks and some others show none
    guessed = [row["nextlabel"]["prediction"]["label"]["label"] for row in shown]
    assert guessed == ["spam" if "prize" in row["text"] else "ham" for row in shown]
    assert len(guessed) > 40


def test_who_follows_gets_each_task_once_and_the_new_order_when_there_is_one(folder: Path) -> None:
    run("files", "mails.jsonl")
    with followed(folder) as lines:
        first = [json.loads(lines.get(timeout=CEILING_SECONDS)) for _ in MAILS]
        with (folder / "mails.jsonl").open("a") as file:
            file.write(json.dumps({"id": "late", "text": "one more"}) + "\n")
        label(folder, first[:10])
        run("files", "mails.jsonl")
        assert json.loads(lines.get(timeout=CEILING_SECONDS))["id"] == "late"
    assert len({row["id"] for row in first}) == len(MAILS)


def test_a_file_that_cannot_be_read_ends_with_what_to_do(folder: Path) -> None:
    (folder / "mails.next.jsonl").write_text("mine\n")
    assert "was not written by nextlabel" in " ".join(run("files", "mails.jsonl", fails=True).split())
    assert (folder / "mails.next.jsonl").read_text() == "mine\n"


class followed:  # noqa: N801 - reads like a function
    """`nextlabel next --follow`, line by line, ended at the end."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "nextlabel", "next", "--project", "mails", "--follow"]
        environ = os.environ | {"PYTHONUNBUFFERED": ""}
        self._process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environ)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> queue.Queue[str]:
        self._reader.start()
        return self._lines

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(CEILING_SECONDS)
        self._reader.join(CEILING_SECONDS)

    def _read(self) -> None:
        out: Iterator[str] = iter(self._process.stdout or ())
        for line in out:
            self._lines.put(line)
