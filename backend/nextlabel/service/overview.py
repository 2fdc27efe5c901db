"""The read model of an installation: all that is shown of it, whoever shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url

from nextlabel.errors import JobQueueUnavailable, NotConnected
from nextlabel.evaluation import accuracy, agreement, beside
from nextlabel.evaluation.showing import showing
from nextlabel.jobs.alarms import Alarms
from nextlabel.jobs.circuits import ToolCircuits
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import Connection, ModelRecord
from nextlabel.ports.tool import Finding
from nextlabel.service.addresses import page_of
from nextlabel.service.health import DEFAULT_ADDRESS, Running, backend, redis_and_workers
from nextlabel.service.stopping import StoppingAdvice
from nextlabel.settings import Settings
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.checkpoints import StoredCheckpoints
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.marks import ProjectMarks
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.reserves import StoredReserves
from nextlabel.storage.round_log import RoundLog
from nextlabel.storage.suspects import StoredSuspects

_MOST_NAMED = 5
_ROUNDS = 10
_FAILURES, _ACTIONS = 50, 200
_NEXT_TASKS, _LONGEST_TEXT, _LONGEST_READ = 50, 160, 2_000  # of the queue; characters of a task


@dataclass(frozen=True, slots=True)
class Overview:
    """What runs, what is in service, how far it agrees with people, what happened lately: plain values throughout."""

    settings: Settings
    connections: SqlConnections
    store: SqlLabelStore
    models: StoredModels
    orders: StoredOrders
    reserves: StoredReserves
    checkpoints: StoredCheckpoints
    findings: StandingFindings
    rounds: RoundLog
    circuits: ToolCircuits
    alarms: Alarms
    suspects: StoredSuspects
    actions: StoredActions
    marks: ProjectMarks

    def projects(self, only: str | None = None) -> Iterator[dict[str, Any]]:
        """Every project that is connected, or only one. Raises `NotConnected` where there is none of that name."""
        chosen = self._chosen(only)
        redis_answers = True
        for connection in chosen:
            fails = None
            if redis_answers:  # asked once in vain is enough, for there may be many projects
                try:
                    fails = self._failing(connection)
                except JobQueueUnavailable:
                    redis_answers = False
            yield self._project(connection, fails)

    def project(self, name: str) -> dict[str, Any]:
        """One project that is connected. Raises `NotConnected`."""
        return next(self.projects(name))

    def mark(self, project: str | None = None) -> str:
        """Stays the same while nothing new is to be read of a project, or of any; far cheaper than reading it."""
        return self.marks.of(None if project is None else ProjectId(project))

    def place(self) -> dict[str, Any]:
        """Where the state is that is shown: nothing is more puzzling than the right figures of another installation."""
        url = make_url(self.settings.database_url)
        in_home = url.get_backend_name() == "sqlite" and str(url.database).startswith(str(self.settings.home))
        elsewhere = f"{url.get_backend_name()} database {url.database}{f' on {url.host}' if url.host else ''}"
        return {"home": str(self.settings.home), "database": None if in_home else elsewhere}

    def alarm(self) -> str:
        """What keeps anything from being kept; "" where nothing does."""
        return self.alarms.check()

    def running(self) -> list[Running]:
        """Each part of the installation; the backend wherever it was started or tools find it, or at the same port
        here."""
        found = [self.connections.address(), *(one.callback_url for one in self.connections.all())]
        addresses = [one for one in found if one] or [self.settings.backend_url or DEFAULT_ADDRESS]
        return [*redis_and_workers(self.settings), backend([*addresses, *map(_on_this_machine, addresses)])]

    def seen_from_backend(self) -> list[Running]:
        """`running`, where it is the backend that asks: nobody need ask whether it answers."""
        alarm, address = self.alarm(), self.connections.address() or DEFAULT_ADDRESS
        here = Running("backend", not alarm, alarm or f"The backend answers at {address}")
        return [*redis_and_workers(self.settings), here]

    def failures(self) -> list[dict[str, Any]]:
        """The rounds that failed, of all projects, by project and message; the latest first."""
        return [
            {"project": one.project, "message": one.message, "times": one.times, "last": one.last.isoformat()}
            for one in self.rounds.failures(_FAILURES)
        ]

    def last_actions(self) -> list[dict[str, str]]:
        """Who did what, newest first."""
        found = self.actions.last(_ACTIONS)
        return [{"at": one.at.isoformat(), "who": one.who, "what": one.what, "about": one.about} for one in found]

    def queue(self, project: ProjectId) -> dict[str, Any]:
        """The tasks that annotators get next by the order in force. ``audit`` is not for those who annotate: a task
        that is known to measure is labeled with more care. Raises `NotConnected`."""
        connection = self.connections.get(project)
        queues = self.orders.announced(project, newest=1)
        window = queues[0].window if queues else ()
        found = self.store.next_open(project, window, _NEXT_TASKS)
        audits = self.reserves.tasks(project, [task.id for task in found])
        places = {task: n for n, task in enumerate(window, start=1)}
        tasks = [
            {
                "task": one.id,
                "place": places[one.id],
                "text": _text_of(one.data),
                "url": page_of(connection, one.id),
                "audit": one.id in audits,
            }
            for one in found
        ]
        return {
            "queue": queues[0].version if queues else None,
            "model": queues[0].model if queues else None,
            "strategy": queues[0].strategy if queues else None,
            "window": len(window),
            "left": self.store.count_open(project, window),
            "tasks": tasks,
        }

    def _chosen(self, only: str | None) -> Sequence[Connection]:
        connections = self.connections.all()
        found = [connection for connection in connections if only in (None, connection.project, connection.name)]
        if only is not None and not found:
            known = ", ".join(connection.project for connection in connections[:_MOST_NAMED]) or "none"
            more = " and others" if len(connections) > _MOST_NAMED else ""
            raise NotConnected(
                f"Project {only} is not connected; connected are: {known}{more}. To connect it, run `nextlabel connect "
                f"--url … --token … --project {only}`."
            )
        return found

    def _failing(self, connection: Connection) -> dict[str, Any] | None:
        """How its tool fails. Raises `JobQueueUnavailable`."""
        circuit = self.circuits.state(connection)
        if circuit is None:
            return None
        return {
            "failures": circuit.failures,
            "since": circuit.since.isoformat(),
            "reason": circuit.reason,
            "left_alone_seconds": round(circuit.wait, 1),
        }

    def _project(self, connection: Connection, fails: dict[str, Any] | None) -> dict[str, Any]:
        project, options, store = connection.project, connection.options, self.store
        history, queues = self.models.history(project), self.orders.announced(project, newest=1)
        serving = next((record for record in history if record.state == "in_service"), None)
        all_read = store.full_pull_at(project)
        pulled_at = store.pulled_at(project) or all_read
        return {
            "project": project,
            "name": connection.name,
            "connector": connection.tool.kind,
            "state": connection.state,
            "url": connection.tool.access.url,
            "tool_fails": fails,
            "findings": self.findings_of(connection),
            "options": options.in_force,
            "tasks": len(store.task_ids(project)),
            "open": store.count_open(project),
            "labeled": store.count_labeled(project),
            "pulled_at": pulled_at and pulled_at.isoformat(),
            "pulled_seconds_ago": pulled_at and round((datetime.now(UTC) - pulled_at).total_seconds()),
            "all_read_at": all_read and all_read.isoformat(),
            "unreadable": [{"name": one.name, "reason": one.reason} for one in store.unreadable(project)],
            "learner": (serving and serving.learner) or "built-in",
            "model": serving and serving.version,
            "labels": serving.labels if serving else 0,
            "agreement_on_tasks_asked": agreement.named(serving.metrics) if serving else {},
            **self._accuracy(project, serving),
            "suspects": asdict(self.suspects.counted(project)),
            **StoppingAdvice(store, self.checkpoints, self.reserves).of(connection, serving),
            "pre_annotations": pre_annotations(connection, serving),
            "queue": queues[0].version if queues else None,
            "window_left": store.count_open(project, queues[0].window) if queues else 0,
            "versions": [_version(record) for record in history],
            "rounds": self._rounds(project),
        }

    def _accuracy(self, project: ProjectId, serving: ModelRecord | None) -> dict[str, Any]:
        """By target the accuracy of the version in service with what is told beside it, and of the answers so far; all
        on audit tasks."""
        progress, draw = self.reserves.progress(project), self.reserves.draw(project)
        answers: dict[tuple[str, bool], list[float]] = {}
        for one in self.reserves.answers(project):
            answers.setdefault((one.target, one.whole), []).append(one.correctness)
        so_far = {target: accuracy.of_answers(seen, whole=whole) for (target, whole), seen in answers.items()}
        return {
            "accuracy": {name: asdict(one) for name, one in accuracy.of_version(serving.metrics).items()}
            if serving
            else {},
            **beside.values_of(serving.metrics if serving else {}),
            "accuracy_of_answers": {name: asdict(one) for name, one in so_far.items() if one is not None},
            "audits": asdict(progress) | {"labeled_before": draw.labeled_before if draw else 0},
        }

    def findings_of(self, connection: Connection) -> list[dict[str, str]]:
        """What a person should know of a project."""
        complaint = connection.options.complaint
        found = [*([Finding("warning", complaint)] if complaint else []), *self.findings.of(connection.project)]
        # Two may look into the same, and find it.
        return [{"level": one.level, "message": one.message} for one in dict.fromkeys(found)]

    def _rounds(self, project: ProjectId) -> list[dict[str, Any]]:
        """But for what stands among the findings."""
        drift = " ".join(one.message for one in self.findings.of(project, "drift"))
        return [
            {"at": one.at.isoformat(), "seconds": round(one.seconds, 3), "summary": one.summary, "failed": one.failed}
            for one in self.rounds.last(project, _ROUNDS)
            if one.summary != drift
        ]


def _version(record: ModelRecord) -> dict[str, Any]:
    return {
        "version": record.version,
        "state": record.state,
        "labels": record.labels,
        "reason": record.reason,
        "created_at": record.created_at and record.created_at.isoformat(),
        "chosen": record.chosen,
        "anchor": record.anchor,
        "accuracy": {name: asdict(one) for name, one in accuracy.of_version(record.metrics).items()},
        "agreement_on_tasks_asked": agreement.named(record.metrics),
    }


def _text_of(data: Mapping[str, object]) -> str:
    """The longest of a task's texts, shortened; where it has none, its first fields."""
    texts = (" ".join(one[:_LONGEST_READ].split()) for one in data.values() if isinstance(one, str))
    fields = (f"{name} {str(held)[:_LONGEST_TEXT]}" for name, held in islice(data.items(), _MOST_NAMED))
    found = max(texts, key=len, default="") or ", ".join(fields)
    return found if len(found) <= _LONGEST_TEXT else f"{found[:_LONGEST_TEXT]}…"


def pre_annotations(connection: Connection, serving: ModelRecord | None) -> dict[str, Any]:
    """Whether guesses about each target are shown, and which or from when on, in words."""
    options = connection.options
    found = serving.showing(options) if serving else showing(options.show_from, {})
    when = f"{found.sentence} (show_predictions={options.show_predictions})"
    return {"shown": dict(found.shown), "when": when}


def _on_this_machine(address: str) -> str:
    """A tool in a container may know this machine by a name that the machine itself does not know."""
    try:
        return f"http://127.0.0.1:{urlsplit(address).port or 80}"
    except ValueError:
        return address
