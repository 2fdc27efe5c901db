"""What of old versions and orders is let go, so that an installation that runs for months does not fill its disk."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

import fsspec
from sqlalchemy import ColumnElement, Connection, Table, Text, cast, delete, insert, select

from nextlabel.labeling import ProjectId
from nextlabel.storage.database import Database
from nextlabel.storage.database.tables import counters, models, queues

_LOT = 100  # versions in one transaction: others wait for it
_ROLLBACK = 2  # announced orders whose models stay: the one in force, and the one that a rollback switches to
_ORPHAN_SECONDS = 24 * 3600  # a file is older than its row, but not by as long as that
_MOST_ORPHANS = 1000
_OURS = re.compile(r"(?P<version>(nextlabel-)?(untrained-)?\d+)-[0-9a-f]{12}(-trusting)?\.(skops|tar|npz)")


@dataclass(frozen=True, slots=True)
class LetGo:
    """How many versions, or files that were nobody's, are gone now; ``stuck`` says what cannot be deleted, and why."""

    number: int = 0
    stuck: str = ""


class Retention:
    """Keeps the newest ``keep`` versions and orders of each project whole. Of older versions the figures stay, of older
    orders the names.

    Never let go are the version in service, the one in service before it, those of the two newest orders, and the
    anchor that new ones are held to. A row says first that it was let go, then its files are deleted: when a worker is
    killed between, they are nobody's, and deleted later.
    """

    def __init__(self, database: Database, models_url: str, keep: int) -> None:
        self._database = database
        self._url = models_url.rstrip("/")
        self._keep = keep

    def let_go(self, project: ProjectId) -> LetGo:
        """A lot of what is not kept any more; to be called until its number is 0. Safe in several workers at once."""
        versions, files = self.mark(project)
        return LetGo(versions, _delete_all(files))

    def mark(self, project: ProjectId) -> tuple[int, Sequence[str]]:
        """The first half of `let_go`: how many versions are noted as gone, and the files that are nobody's now."""
        with self._database.write() as sql:
            # Whoever promotes a version or announces an order takes this row too: what is decided here is still right
            # when it is committed. (On SQLite writers wait for one another anyway.)
            sql.execute(select(counters.c.fence).where(counters.c.project == project).with_for_update())
            self._empty_windows(sql, project)
            return self._empty_versions(sql, project)

    def files(self, project: ProjectId) -> Sequence[str]:
        """All files of a project's models that some row refers to."""
        of = models.c
        with self._database.read() as sql:
            rows = sql.execute(select(of.artifact, of.files, of.out_of_fold).where(of.project == project)).all()
        return sorted({file for row in rows for file in (row.artifact, row.files, row.out_of_fold) if file})

    def delete(self, files: Iterable[str]) -> LetGo:
        """Delete files that no row refers to any more."""
        return LetGo(0, _delete_all(files))

    def sweep(self, project: ProjectId) -> LetGo:
        """Delete model files that no row refers to, once they are a day old; younger ones may be about to get a row."""
        found, stuck = _names_in(f"{self._url}/{project}")  # before the rows: a file that comes later is not in it
        orphans = [f"{self._url}/{project}/{name}" for name in self._without_row(project, found)]
        old = [file for file in orphans if _age(file) > _ORPHAN_SECONDS][:_MOST_ORPHANS]
        return LetGo(len(old), _delete_all(old) or stuck)

    def _empty_versions(self, sql: Connection, project: ProjectId) -> tuple[int, Sequence[str]]:
        mine, of = models.c.project == project, models.c
        old = select(of.version, of.artifact, of.files, of.out_of_fold).where(mine, of.artifact != "")
        old = old.where(of.version.not_in(self._kept(sql, project))).order_by(of.number).limit(_LOT)
        rows = sql.execute(old).all()
        these = mine & of.version.in_([row.version for row in rows])
        _empty(sql, models, these, artifact="", sha256="", files="", out_of_fold="", trained_on={})
        archives = {row.files for row in rows if row.files}
        shared = set(sql.execute(select(of.files).where(mine, of.files.in_(archives))).scalars())
        predictions = [row.out_of_fold for row in rows if row.out_of_fold]
        return len(rows), [*(row.artifact for row in rows), *predictions, *sorted(archives - shared)]

    def _kept(self, sql: Connection, project: ProjectId) -> set[str]:
        of = models.c
        whole = select(of.version).where(of.project == project, of.artifact != "")
        announced = select(queues.c.model).where(queues.c.project == project, queues.c.announced)
        reasons = [
            whole.order_by(of.number.desc()).limit(self._keep),
            whole.where((of.state == "in_service") | of.anchor),
            # Before the one in service, which may be an older one than that.
            whole.where(of.state != "in_service", of.promotion > 0).order_by(of.promotion.desc()).limit(1),
            announced.order_by(queues.c.number.desc()).limit(_ROLLBACK),
        ]
        return {version for reason in reasons for version in sql.execute(reason).scalars()}

    def _empty_windows(self, sql: Connection, project: ProjectId) -> None:
        mine, of = queues.c.project == project, queues.c
        newest = select(of.number).where(mine, of.announced).order_by(of.number.desc())
        oldest_kept = sql.execute(newest.offset(self._keep - 1).limit(1)).scalar()
        if oldest_kept is not None:
            # An order whose name a team may use too is known by its window, as long as the tool may hold any of it.
            settled = of.own_name | of.removed
            these = mine & (of.number < oldest_kept) & settled & (cast(of.window, Text) != "[]")
            _empty(sql, queues, these, window=[])

    def _without_row(self, project: ProjectId, found: Iterable[str]) -> list[str]:
        """Those of some files that look like ours and are no version's."""
        of = models.c
        whole = select(of.version, of.artifact, of.files, of.out_of_fold)
        with self._database.read() as sql:
            rows = sql.execute(whole.where(of.project == project, of.artifact != "")).all()
        kept = {PurePosixPath(file).name for row in rows for file in (row.artifact, row.files, row.out_of_fold) if file}
        unknown = {row.version for row in rows if row.files is None}  # whose archive bears its name
        ours = [(name, match["version"]) for name in found if (match := _OURS.fullmatch(name))]
        return [name for name, version in ours if name not in kept and version not in unknown]


def _empty(sql: Connection, table: Table, these: ColumnElement[bool], **emptied: object) -> None:
    """Change some rows by writing them anew: SQLite has no other use for the room of a row that merely shrinks."""
    rows = (
        sql.execute(select(*(column for column in table.c if column.name not in emptied)).where(these)).mappings().all()
    )
    if rows:
        sql.execute(delete(table).where(these))
        sql.execute(insert(table), [{**row, **emptied} for row in rows])


def _names_in(folder: str) -> tuple[list[str], str]:
    """The names of the files there, and a sentence where that cannot be told."""
    try:
        fs, path = fsspec.core.url_to_fs(folder)
        fs.invalidate_cache()
        return [PurePosixPath(file).name for file in fs.ls(path, detail=False)], ""
    except FileNotFoundError:
        return [], ""
    except Exception as error:  # each store fails in its own way
        return [], f"{folder} cannot be listed ({type(error).__name__}: {error})"


def _age(file: str) -> float:
    """In seconds; 0 where the store does not tell."""
    try:
        fs, path = fsspec.core.url_to_fs(file)
        changed: datetime = fs.modified(path)
        return time.time() - (changed if changed.tzinfo else changed.replace(tzinfo=UTC)).timestamp()
    except Exception:
        return 0.0


def _delete_all(files: Iterable[str]) -> str:
    """Whatever can be deleted of some files; a sentence about what cannot. What is gone already is as it should be."""
    stuck, why = 0, ""
    for file in files:
        try:
            fs, path = fsspec.core.url_to_fs(file)
            fs.rm_file(path)
        except FileNotFoundError:
            continue
        except Exception as error:
            stuck, why = stuck + 1, why or f"{file} ({type(error).__name__}: {error})"
    return f"{stuck} files of models cannot be deleted, among them {why}" if stuck else ""
