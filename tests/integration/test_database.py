"""The database: brought up to date by whoever comes first, and never the place where a secret leaks."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from nextlabel.errors import SettingsError, StorageBusy, StorageError
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Credentials
from nextlabel.ports.tool import ToolAccess
from nextlabel.settings import Settings
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import installation, metadata
from nextlabel.testing import connection_to
from nextlabel.testing.waiting import CEILING_SECONDS

pytestmark = pytest.mark.every_database

MIGRATE = """import sys
from nextlabel.storage.database import Database
sys.stdin.readline()
Database(sys.argv[1]).migrate()"""
CREDENTIALS = """import sys
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.database import Database
from nextlabel.settings import Settings
database = Database(sys.argv[1])
sys.stdin.readline()
found = SqlConnections(database, Settings.from_env({})).credentials_of("label_studio")
print(found.user, found.password, found.webhook_secret)
"""


def tables(database: Database) -> set[str]:
    with database.read() as sql:
        return set(inspect(sql).get_table_names())


def together(program: str, url: str, processes: int = 2) -> list[str]:
    """What each of several processes prints that do the same at the same moment."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [(process.communicate(timeout=CEILING_SECONDS), process.returncode) for process in started]
    assert [(errors, code) for (_, errors), code in ended] == [("", 0)] * processes
    return [out.strip() for (out, _), _ in ended]


# --- the schema --------------------------------------------------------------------------------------------


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.read() as sql:
        context = MigrationContext.configure(sql, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_is_the_same_as_once(new_database_url: str) -> None:
    database = Database(new_database_url)
    database.migrate()
    with database.write() as sql:
        sql.execute(installation.insert().values(name="kept", value="yes"))
    Database(new_database_url).migrate()
    with database.read() as sql:
        assert sql.execute(select(installation.c.value)).scalars().all() == ["yes"]
    database.dispose()


def test_processes_that_start_together_migrate_once(new_database_url: str) -> None:
    together(MIGRATE, new_database_url)
    database = Database(new_database_url)
    assert tables(database) == {*metadata.tables, "alembic_version"}
    database.dispose()


# --- transactions ------------------------------------------------------------------------------------------


def test_what_fails_half_way_is_undone(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as sql:
        sql.execute(installation.insert().values(name="a", value="1"))
        raise RuntimeError
    with database.read() as sql:
        assert sql.execute(select(installation)).all() == []


def test_a_reader_is_not_held_up_by_a_writer_and_sees_nothing_half_done(database: Database) -> None:
    with database.write() as writer:
        writer.execute(installation.insert().values(name="a", value="1"))
        with database.read() as reader:
            assert reader.execute(select(installation)).all() == []
    with database.read() as reader:
        assert len(reader.execute(select(installation)).all()) == 1


def test_writers_that_look_before_they_write_wait_for_each_other(database: Database) -> None:
    def look_and_write(name: str) -> None:
        with database.write() as sql:
            sql.execute(select(installation)).all()
            time.sleep(0.05)
            sql.execute(installation.insert().values(name=name, value=""))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(look_and_write, "abc"))
    with database.read() as sql:
        assert sorted(sql.execute(select(installation.c.name)).scalars()) == ["a", "b", "c"]


# --- what a person sees ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://user:hush@host/db",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://user:hush@host:port/db",
        f"sqlite:///{__file__}/nextlabel.db",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_what_can(url: str) -> None:
    with pytest.raises(SettingsError, match="NEXTLABEL_DATABASE_URL") as refused:
        Database(url)
    assert "hush" not in str(refused.value)


def test_a_database_that_cannot_be_opened_is_named_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "nextlabel.db").mkdir()
    with pytest.raises(SettingsError, match=r"nextlabel\.db cannot be opened"):
        Database(f"sqlite:///{tmp_path / 'nextlabel.db'}").migrate()
    with pytest.raises(SettingsError, match="cannot be opened") as refused:
        Database("postgresql://nextlabel:hush@127.0.0.1:1/nextlabel").migrate()
    assert "hush" not in str(refused.value)


def test_a_database_that_is_locked_is_read_where_it_is_up_to_date_and_else_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextlabel.storage.database._BUSY_SECONDS", 0.1)
    url = f"sqlite:///{tmp_path / 'nextlabel.db'}"
    Database(url).migrate()
    with Database(url).write() as sql:
        Database(url).migrate()
        sql.execute(text("DROP TABLE alembic_version"))
    with Database(url).write(), pytest.raises(StorageBusy, match="locked"):
        Database(url).migrate()


def test_an_option_of_its_address_that_postgresql_does_not_know_is_named() -> None:
    with pytest.raises(SettingsError, match=r"cannot be opened.*sslmod") as refused:
        Database("postgresql://nextlabel:hush@127.0.0.1:1/nextlabel?sslmod=off").migrate()
    assert "hush" not in str(refused.value)


def test_a_database_of_a_later_release_is_refused_and_left_as_it_is(database: Database) -> None:
    with database.write() as sql:
        sql.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"later release of nextlabel.*9999"):
        database.migrate()
    with database.read() as sql:
        assert sql.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["9999"]


def test_a_database_that_was_damaged_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "nextlabel.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    with path.open("r+b") as file:
        file.write(b"no database any more" * 10)
    with pytest.raises(StorageError, match=r"damaged.*restore a copy"), database.read() as sql:
        sql.execute(select(installation)).all()


def test_a_database_that_was_replaced_while_it_was_open_is_the_one_that_is_read_and_written(tmp_path: Path) -> None:
    path, backup = tmp_path / "nextlabel.db", tmp_path / "backup.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("VACUUM INTO ?", (str(backup),))
    with database.write() as sql:
        sql.execute(installation.insert().values(name="after the backup", value=""))
    for name in (path, *tmp_path.glob("nextlabel.db-*")):
        name.unlink()
    backup.rename(path)
    with database.write() as sql:
        assert sql.execute(select(installation)).all() == []
        sql.execute(installation.insert().values(name="after the restore", value=""))
    with closing(sqlite3.connect(path)) as sql:
        assert sql.execute("SELECT name FROM installation").fetchall() == [("after the restore",)]


def test_what_the_log_took_of_the_disk_for_a_large_change_is_given_back_while_connections_stay_open(
    tmp_path: Path,
) -> None:
    database, log = Database(f"sqlite:///{tmp_path / 'nextlabel.db'}"), tmp_path / "nextlabel.db-wal"
    database.migrate()
    with database.write() as sql:
        large = text("INSERT INTO installation VALUES (:name, CAST(randomblob(1000000) AS TEXT))")
        sql.execute(large, [{"name": str(n)} for n in range(40)])
    assert log.stat().st_size > 40_000_000
    for n in range(2):
        with database.write() as sql:
            sql.execute(installation.insert().values(name=f"small {n}", value=""))
    assert log.stat().st_size <= 16_000_000


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed as Linux does")
def test_a_connection_that_is_kept_open_is_not_inherited_by_a_child(tmp_path: Path) -> None:
    path = tmp_path / "nextlabel.db"

    def is_open() -> bool:
        return any(one.is_symlink() and one.readlink() == path for one in Path("/proc/self/fd").iterdir())

    database = Database(f"sqlite:///{path}")
    database.migrate()
    assert is_open(), "kept"
    if (child := os.fork()) == 0:
        os._exit(is_open())
    assert os.waitpid(child, 0)[1] == 0


# --- connections and credentials ---------------------------------------------------------------------------


def test_processes_that_start_together_agree_on_the_credentials(database_url: str) -> None:
    printed = together(CREDENTIALS, database_url)
    assert len(set(printed)) == 1
    user, password, secret = printed[0].split()
    assert user == "nextlabel"
    assert min(len(password), len(secret)) > 30
    assert password != secret


def test_the_credentials_of_whoever_was_first_are_everyones(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (SqlConnections(database, Settings.from_env({})) for _ in range(2))
    overtaken: list[Credentials] = []
    token_urlsafe = secrets.token_urlsafe

    def while_another_is_first(size: int) -> str:
        monkeypatch.undo()
        overtaken.append(first.credentials_of("label_studio"))
        return token_urlsafe(size)

    monkeypatch.setattr(secrets, "token_urlsafe", while_another_is_first)
    assert [second.credentials_of("label_studio")] == overtaken
    assert first.credentials_of("label_studio") == second.credentials_of("label_studio")


def test_credentials_from_the_settings_win_and_those_made_before_are_kept(database: Database) -> None:
    made = SqlConnections(database, Settings.from_env({})).credentials_of("label_studio")
    set_by_hand = Settings.from_env({"NEXTLABEL_USER": "someone", "NEXTLABEL_WEBHOOK_SECRET": "chosen"})
    assert SqlConnections(database, set_by_hand).credentials_of("label_studio") == Credentials(
        "someone", made.password, "chosen"
    )
    assert SqlConnections(database, Settings.from_env({})).credentials_of("label_studio") == made


def test_a_secret_is_not_in_the_message_of_a_database_that_fails(database: Database) -> None:
    """SQLAlchemy's errors show the values that were written, unless told not to; they end up in logs."""

    connections = SqlConnections(database, Settings.from_env({}))
    with database.write() as sql:
        sql.execute(text("DROP TABLE connections"))
        sql.execute(text("CREATE TABLE connections (project VARCHAR(64))"))
    with pytest.raises(SQLAlchemyError) as failed:
        connections.save(connection_to(ProjectId("1"), "memory", ToolAccess("http://tool", "hush-token")))
    assert "hush-token" not in str(failed.value)
