"""Notes to people by a webhook that takes Slack's messages: when to look at a project, without looking all the time.

Workers only note what happened. A process of its own sends, so that no label waits for a webhook.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import redis

from nextlabel.errors import NextlabelError
from nextlabel.evaluation.people import Drift
from nextlabel.jobs.alarms import Alarms
from nextlabel.jobs.circuits import ToolCircuits
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId, isolated
from nextlabel.loop.turn import Round
from nextlabel.ports.state import Connection
from nextlabel.service.annotators import Annotators
from nextlabel.service.overview import Overview
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.notes import Note, StoredNotes

log = logging.getLogger("nextlabel.service.notes")

Kind = Literal["stop", "turned down", "rollback", "drift", "tool", "disk"]

_EVERY_SECONDS, _MOST = 5.0, 20  # how often it is looked whether something is to be sent, and how much at a time
_TIMEOUT, _MOST_SECONDS = httpx.Timeout(5.0), 20.0  # until a part of the answer is there, and all of it
_TRIES, _FIRST_SECONDS, _LONGEST_SECONDS = 6, 30.0, 3600.0
_PEOPLE_SECONDS = 3600  # between two readings of who labels how: all annotations are read for it
_QUIET: dict[Kind, timedelta] = {"tool": timedelta(hours=1), "disk": timedelta(hours=1)}
_A_DAY = timedelta(days=1)
_FAILED = "could not be sent"
_DISK_AGAIN_SECONDS = 60  # until it is tried again to tell of a full disk
_DISK_KEY = "nextlabel:noted:disk"
_NOTHING = "\u200b"  # a space of no width
_EVERYBODY = re.compile(r"@(channel|all|here|everyone)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes each event of a project once, and sends what was noted. Without a ``url`` nothing is done at all.

    No method that workers call raises: a round is worth more than a note about it.
    """

    url: str | None
    store: StoredNotes
    connections: SqlConnections
    overview: Overview
    annotators: Annotators
    circuits: ToolCircuits
    alarms: Alarms
    job_queue: RqJobQueue
    redis: redis.Redis

    # --- what workers note ---------------------------------------------------------------------------------------

    def after_round(self, done: Round) -> None:
        """A turn of the loop that succeeded, so that its tool answers."""
        if not self.url:
            return
        with _harmless():
            project = done.project
            self._over("", "tool", key=_of_tool(self.connections.get(project)))
            if done.promotion is None or done.trained is None:
                return
            if done.promotion.promoted:
                self._over(project, "turned down")
            elif not done.held_back:
                self._note(project, "turned down", f"{done.trained} was turned down: {done.promotion.reason}")
            if done.promotion.to_anchor:
                sentence = f"an earlier version serves again: {done.promotion.reason}"
                self._note(project, "rollback", sentence, key=done.trained)
            self._whether_to_stop(project)

    def tool_fails(self, project: ProjectId, reason: str) -> None:
        """A turn failed because of its tool. It is noted once the tool is left alone for a while, for all projects."""
        if not self.url:
            return
        with _harmless():
            connection = self.connections.get(project)
            circuit = self.circuits.state(connection)
            if circuit is not None and circuit.is_open:
                sentence = f"{connection.tool.name} does not answer, {circuit.failures} times in a row: {reason}"
                self._note("", "tool", sentence, key=_of_tool(connection))

    def rolled_back(self, project: ProjectId, sentence: str) -> None:
        """A person had the version before serve."""
        if self.url:
            with _harmless():
                self._note(project, "rollback", sentence, key=_digest(datetime.now(UTC).isoformat()))

    def look_at_people(self, project: ProjectId) -> None:
        """Whose labels became worse, at most once an hour: not for who waits for a label to be learned."""
        if not self.url:
            return
        with _harmless():
            if self.connections.get(project).options.annotators == "off":
                return
            if self.job_queue.is_first_in(_PEOPLE_SECONDS, "people", project):
                self._drifts(project)

    def _drifts(self, project: ProjectId) -> None:
        people = self.annotators.report(project, names=False).people
        found: dict[str, tuple[str, str, Drift]] = {}
        for one in people:
            for target, standing in one.targets.items():
                if standing.drift is not None and standing.drift.since is not None:
                    found[_digest(f"{target}\n{one.account}")] = one.account, target, standing.drift
        for key, (account, target, drift) in found.items():
            since = (drift.since or "")[:16].replace("T", " ")
            shares = f"{drift.after:.0%} of them are what the others say, {drift.before:.0%} were before"
            who = f"`nextlabel annotators --project {project}` shows who"
            sentence = f"the labels of {account} for '{target}' became worse at {since}: {shares}; {who}"
            self._note(project, "drift", sentence, key=key)
        self.store.over(project, "drift", datetime.now(UTC) - _A_DAY, still=found)

    def _whether_to_stop(self, project: ProjectId) -> None:
        """Once for each labeling config: advice that comes and goes is told once."""
        serving = self.overview.models.in_service(project)
        stopping = self.overview.project(project)["stopping"]
        if serving is not None and stopping["stop"]:
            self._note(project, "stop", stopping["sentence"], key=serving.schema_digest)

    def _note(self, project: str, kind: Kind, sentence: str, key: str = "") -> None:
        self.store.add(Note(project, kind, key[:64], sentence), datetime.now(UTC))

    def _over(self, project: str, kind: Kind, key: str = "") -> None:
        """An event is over; what of its kind comes within a while is the same event."""
        self.store.over_of(Note(project, kind, key, ""), datetime.now(UTC) - _QUIET.get(kind, _A_DAY))

    # --- what the sender does ------------------------------------------------------------------------------------

    def keep_sending(self) -> None:
        """Until the process is ended."""
        while True:
            with _harmless():
                self.send_waiting()
            time.sleep(_EVERY_SECONDS)

    def try_now(self) -> str:
        """Send a note that says only that it can be; returns why it was not taken, "" where it was."""
        return self._post(Note("", "stop", "", "notes to people arrive here.")) if self.url else "no address is set"

    def send_waiting(self) -> int:
        """Send what is to be sent now; returns how much was. Raises `StorageError`."""
        if not self.url:
            return 0
        self._about_the_disk()
        return sum(self._send(note) for note in self.store.waiting(datetime.now(UTC), _MOST))

    def _send(self, note: Note) -> bool:
        wait = min(_LONGEST_SECONDS, _FIRST_SECONDS * 4**note.tries)
        if not self.store.claim(note, datetime.now(UTC) + timedelta(seconds=wait)):
            return False
        failure = self._post(note)
        if not failure or note.tries + 1 >= _TRIES:
            self.store.end(note)
        if failure:
            again = "it is given up" if note.tries + 1 >= _TRIES else f"tried again in {wait:.0f} s"
            log.warning(
                "a note to people (%s) %s (%s), %s: check NEXTLABEL_NOTES_URL.", note.kind, _FAILED, failure, again
            )
        return not failure

    def _about_the_disk(self) -> None:
        """Where nothing can be written, not even the note can be: Redis remembers that it was sent."""
        sentence = self.alarms.check()
        try:
            if not sentence:
                if self.redis.exists(_DISK_KEY):
                    self.redis.expire(_DISK_KEY, int(_QUIET["disk"].total_seconds()), lt=True)
                return
            if self.redis.set(_DISK_KEY, "1", nx=True, ex=int(_A_DAY.total_seconds())):
                failure = self._post(Note("", "disk", "", sentence))
                if failure:
                    self.redis.expire(_DISK_KEY, _DISK_AGAIN_SECONDS)
                    log.warning("a note to people (disk) %s (%s): check NEXTLABEL_NOTES_URL.", _FAILED, failure)
        except redis.RedisError as error:
            log.warning(
                "a note that the disk is full cannot be sent while Redis does not answer (%s); it is tried again.",
                type(error).__name__,
            )

    def _post(self, note: Note) -> str:
        """Why it was not taken, without the address, which is a secret; "" where it was."""
        assert self.url  # noqa: S101 - asked by all callers
        try:
            with (
                httpx.Client(timeout=_TIMEOUT) as http,
                _closed_after(http, _MOST_SECONDS),
                http.stream("POST", self.url, json={"text": self._text(note)}) as answer,
            ):
                return "" if answer.is_success else f"the answer was {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RuntimeError, OSError) as error:
            return type(error).__name__

    def _text(self, note: Note) -> str:
        """As Slack reads it: nothing in it is a link or a mention but our own address."""
        about, address = "", ""
        with suppress(NextlabelError):
            address = self.connections.address()
            if note.project:
                known = self.connections.get(ProjectId(note.project))
                about = f"project {note.project} ({isolated(known.title or known.name)}): "
        page = f"\n{address}/projects/{note.project}" if address and note.project else ""
        return f"{_escaped(f'nextlabel: {about}{note.sentence}')}{_escaped(page)}"


@contextmanager
def _harmless() -> Iterator[None]:
    """Whatever happens to a note, everything else goes on."""
    try:
        yield
    except NextlabelError as error:
        log.warning("a note to people waits, or is not made: %s", error)
    except Exception:
        log.exception("a note to people could not be made")


@contextmanager
def _closed_after(http: httpx.Client, seconds: float) -> Iterator[None]:
    """A server that sends a little now and then would keep the sender, and with it all other notes, for ever."""
    timer = threading.Timer(seconds, http.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _escaped(text: str) -> str:
    """Plain text for Slack, and for Mattermost, which reads Markdown and the names of groups too."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("](", f"]{_NOTHING}(")
    return _EVERYBODY.sub(rf"@{_NOTHING}\1", shown)


def _of_tool(connection: Connection) -> str:
    return _digest(connection.tool.name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
