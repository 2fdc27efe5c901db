"""What people are told, in SQL: each event once, whichever process finds it and however often."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nextlabel.storage.database import Database, in_utc
from nextlabel.storage.database.tables import notes

_LONGEST = 2_000  # characters of a sentence


@dataclass(frozen=True, slots=True)
class Note:
    """An event of a ``kind``; ``project`` is "" for what is of no single one. Sending it was tried ``tries`` times."""

    project: str
    kind: str
    key: str
    sentence: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A note as people ask for it: whether it still ``waits`` to be sent, and how often that was tried."""

    at: datetime
    project: str
    kind: str
    sentence: str
    tries: int
    waits: bool


class StoredNotes:
    """All events that were noted; those that are over may be noted again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, note: Note, at: datetime) -> bool:
        """Returns whether the event was not known yet."""
        sentence = note.sentence[:_LONGEST].encode("utf-8", "replace").decode()  # a name may hold half a surrogate pair
        values = {"sentence": sentence, "at": at, "tries": 0, "again_at": at}
        with self._database.read() as sql:
            known = sql.execute(select(notes.c.kind).where(_is(note))).first()
        if known:
            return False
        try:
            with self._database.write() as sql:
                sql.execute(insert(notes).values(project=note.project, kind=note.kind, key=note.key, **values))
        except IntegrityError:  # another process was first
            return False
        return True

    def over(self, project: str, kind: str, before: datetime, *, still: Collection[str] = ()) -> None:
        """Events of a kind are over, but for the keys of those that ``still`` stand; what was noted later stays known
        all the same, so that what comes and goes is not told each time."""
        of = notes.c
        gone = (of.project == project) & (of.kind == kind) & (of.at < before)
        with self._database.read() as sql:
            keys = [key for key in sql.execute(select(of.key).where(gone)).scalars() if key not in still]
        if keys:
            with self._database.write() as sql:
                for key in keys:
                    sql.execute(delete(notes).where(gone, of.key == key))

    def over_of(self, note: Note, before: datetime) -> None:
        """The same of a single event."""
        gone = _is(note) & (notes.c.at < before)
        with self._database.read() as sql:
            known = sql.execute(select(notes.c.kind).where(gone)).first()
        if known:
            with self._database.write() as sql:
                sql.execute(delete(notes).where(gone))

    def waiting(self, now: datetime, most: int) -> Sequence[Note]:
        """Some that are to be sent now, the oldest first."""
        of = notes.c
        due = select(notes).where(of.again_at.is_not(None), of.again_at <= now).order_by(of.at).limit(most)
        with self._database.read() as sql:
            return [Note(row.project, row.kind, row.key, row.sentence, row.tries) for row in sql.execute(due)]

    def last(self, n: int) -> Sequence[Told]:
        """The last n that were noted and are not over, newest first."""
        found = select(notes).order_by(notes.c.at.desc()).limit(n)
        with self._database.read() as sql:
            return [
                Told(in_utc(row.at), row.project, row.kind, row.sentence, row.tries, waits=row.again_at is not None)
                for row in sql.execute(found)
            ]

    def claim(self, note: Note, again_at: datetime) -> bool:
        """Count a try, and have nobody else try before that time; returns whether this process is the one to try."""
        mine = update(notes).where(_is(note), notes.c.tries == note.tries, notes.c.again_at.is_not(None))
        with self._database.write() as sql:
            return bool(sql.execute(mine.values(tries=note.tries + 1, again_at=again_at)).rowcount)

    def end(self, note: Note) -> None:
        """It was sent, or is given up."""
        with self._database.write() as sql:
            sql.execute(update(notes).where(_is(note)).values(again_at=None))


def _is(note: Note) -> ColumnElement[bool]:
    return (notes.c.project == note.project) & (notes.c.kind == note.kind) & (notes.c.key == note.key)
