"""Migrations on real data: whatever an earlier version kept is there after an update, and the loop goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, Select, Table, select

import nextlabel.storage.database
from nextlabel import wiring
from nextlabel.labeling import ModelVersion, ProjectId
from nextlabel.settings import Settings
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import connections, metadata, models, tools
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryTool

if TYPE_CHECKING:
    from integration.conftest import Team

pytestmark = pytest.mark.every_database

MIGRATIONS = Path(nextlabel.storage.database.__file__).parent / "migrations"


@contextmanager
def at_revision(url: str, revision: str) -> Iterator[Connection]:
    """A database as that revision leaves it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    database = Database(url)
    with database.write() as sql:
        config.attributes["connection"] = sql
        command.upgrade(config, revision)
        yield sql
    database.dispose()


def copy(rows_of: Database, sql: Connection) -> set[str]:
    """Everything that the older tables have a place for; returns the names of the tables that got something."""
    older = MetaData()
    older.reflect(sql)
    filled = set()
    with rows_of.read() as source:
        for name, table in older.tables.items():
            if name not in metadata.tables:
                continue
            columns = [column.name for column in table.columns if (name, column.name) != ("rounds", "id")]
            known = metadata.tables[name]
            found = source.execute(_as_then(known, columns).order_by(*known.primary_key)).all()
            rows = [dict(zip(columns, row, strict=True)) for row in found]
            if rows:
                sql.execute(table.insert(), rows)
                filled.add(name)
    return filled


def _as_then(known: Table, columns: Sequence[str]) -> Select[Any]:
    """Until 0.3 the way to the tool stood with each of its projects."""
    way = {
        "connector": tools.c.kind,
        "url": tools.c.url,
        "token": tools.c.token,
        "door_url": connections.c.callback_url,
    }
    if known is not connections:
        return select(*(known.c[column] for column in columns))
    chosen = [way[column] if column in way else known.c[column] for column in columns]
    return select(*chosen).join(tools, tools.c.name == connections.c.tool)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """All tools had the installation's credentials."""
    return replace(settings, connector="memory")


@pytest.fixture
def team(tool: MemoryTool, parts: Parts) -> Team:
    """As until 0.3, when a project was known by its id in the tool."""
    from integration.conftest import Team

    at_tool = tool.create_project(["ham", "spam"])
    team = Team(tool, parts, at_tool, ProjectId(at_tool))
    team.choose()
    return team


def served(parts: Parts) -> list[str]:
    """The versions that were ever in service, in the order in which they were."""
    with parts.database.read() as sql:
        found = select(models.c.version).where(models.c.promotion > 0).order_by(models.c.promotion)
        return list(sql.execute(found).scalars())


def kept(parts: Parts, team: Team) -> dict[str, Any]:
    """What the code sees in a database."""
    history = parts.models.history(team.project, with_labels=True)
    return {
        "connection": parts.connections.get(team.project),
        "credentials": parts.connections.credentials(),
        "cursor": parts.store.cursor(team.project),
        "tasks": sorted(parts.store.task_ids(team.project)),
        "open": parts.store.open(team.project),
        "labeled": parts.store.labeled(team.project),
        "models": history,
        "loaded": [parts.models.is_intact(team.project, record.version) for record in history],
        "served": served(parts),
        "queues": [replace(order, own_name=True) for order in parts.orders.announced(team.project)],
        "rounds": parts.rounds.last(team.project, 100),
    }


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0007"])
def test_all_that_an_earlier_version_kept_is_there_and_the_loop_goes_on(
    revision: str, team: Team, new_database_url: str
) -> None:
    team.import_mails(30)
    team.run()
    team.work(12)
    team.tool.skip(team.at_tool, team.take(), "ann")
    team.parts.rounds.add(team.project, 1.5, "it went well", failed=False)
    team.run()
    team.parts.connections.credentials()
    before, next_fence = kept(team.parts, team), team.parts.fences.next(team.project)
    with at_revision(new_database_url, revision) as sql:
        since = {"unreadable", "findings", "tools", "uncertainties", "reserves", "audit_tasks", "audit_answers"}
        since |= {"stop_sets", "checkpoints", "audits_alone", "actions", "suspects", "tabs", "tokens", "notes"}
        since |= {"counted", "order_facts", "agreements", "reviews", "queue_checks"}
        assert copy(team.parts.database, sql) >= set(metadata.tables) - since
    settings = replace(team.parts.settings, database_url=new_database_url)
    parts = wiring.build(settings, settings.redis_url or "")
    parts.database.migrate()
    assert kept(parts, team) == before
    assert parts.fences.next(team.project) == next_fence + 1
    goes_on = replace(team, parts=parts)
    # A team may have predictions under the names of releases before 0.1.1: the order is written anew under its own.
    is_old = revision < "0005"
    assert [order.own_name for order in parts.orders.announced(team.project)] == [not is_old] * len(before["queues"])
    upgraded = goes_on.run()
    written = upgraded.receipt and upgraded.receipt.version
    assert (upgraded.trained, written) == (None, "nextlabel-2.2" if is_old else None)
    task = goes_on.work(1)[0]
    assert goes_on.run().trained == "nextlabel-3"
    assert set(goes_on.learned) == {task, *team.learned}
    assert parts.rounds.last(team.project, 1)[0].summary == "it went well"
    parts.rounds.add(team.project, 1.0, "it goes on", failed=False)
    assert parts.rounds.last(team.project, 1)[0].summary == "it goes on"
    parts.database.dispose()


def test_of_a_rollback_by_an_earlier_version_it_is_known_which_model_serves_and_which_did_before(
    team: Team, new_database_url: str
) -> None:
    team.import_mails(30)
    for _ in range(3):
        team.run()
        team.work(6)
    models_of = team.parts.models
    models_of.promote(team.project, ModelVersion("nextlabel-2"), fence=team.parts.fences.next(team.project))
    with at_revision(new_database_url, "0003") as sql:
        copy(team.parts.database, sql)
    settings = replace(team.parts.settings, database_url=new_database_url)
    parts = wiring.build(settings, settings.redis_url or "")
    parts.database.migrate()
    assert served(parts) == ["nextlabel-untrained-1", "nextlabel-3", "nextlabel-2"]
    parts.database.dispose()
