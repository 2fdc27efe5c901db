"""What strangers name is shown as what it is: it commands no terminal, and no line of a log is forged with it."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from nextlabel.cli import cli
from nextlabel.cli.escaping import LogFormatter, printable
from nextlabel.errors import HostedModelError
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.tool import Finding, ToolAccess
from nextlabel.settings import Settings
from nextlabel.testing import connection_to
from nextlabel.wiring import Parts

NAMES = ["q[/nope]x", "q[red]x", "q\\", "q[/", "q\x1b[2Jx", "q\x9b2Jx", "q\u202ex", "q\u2028x", "q\ud800x", "q\rx"]
HOME_PAGE = "http://label-studio:8080/[/nope]"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger as our commands set it up, and what it wrote."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogFormatter())
    logger = logging.Logger("nextlabel.test")
    logger.addHandler(handler)
    yield logger, written


@pytest.mark.parametrize("name", NAMES)
def test_status_shows_whatever_a_control_is_called(parts: Parts, settings: Settings, name: str) -> None:
    project, storable = ProjectId("1"), name.replace("\ud800", "\x00" if "sqlite" in settings.database_url else "")
    access = ToolAccess(HOME_PAGE, "token")
    parts.connections.save(connection_to(project, "label_studio", access, ProjectOptions(), "http://127.0.0.1:9"))
    parts.findings.replace(project, [Finding("warning", f"Control '{storable}' is left out.")])
    parts.rounds.add(project, 1.0, f"read {storable}", failed=True)
    ours = {"NEXTLABEL_HOME": str(settings.home), "NEXTLABEL_DATABASE_URL": settings.database_url}
    env = dict.fromkeys(os.environ) | ours | {"REDIS_URL": settings.redis_url, "COLUMNS": "200"}
    result = CliRunner().invoke(cli, ["status"], env=env)
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert result.stdout.count(printable(storable)) == 2
    assert f"Project 1 on {HOME_PAGE}" in result.stdout
    assert [c for c in result.stdout if c != "\n" and printable(c) != c] == []


def test_no_line_of_a_log_is_forged(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    forged = "12:00:00 ERROR   nextlabel: everything is lost"
    error = HostedModelError(f"it printed\n{forged}")
    logger.error("project %s: q\n%s", "1", forged + "\r\x85\x9b2J\u2028" + forged, exc_info=error)
    lines = written.getvalue().splitlines()
    assert len(written.getvalue().split("\n")) == len(lines) + 1, "there is no other end of a line in it"
    assert [line for line in lines if not line.startswith("  | ")] == lines[:1]
    assert "it printed" in written.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printable_can_be_written_anywhere_and_is_never_changed_twice(name: str) -> None:
    assert printable(name).encode()
    assert printable(printable(name)) == printable(name)
    assert printable("Käse, 猫\tand\nmore") == "Käse, 猫\tand\nmore"
