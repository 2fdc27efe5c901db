"""The read model of an installation: all that is shown of it, whoever shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url

from nextlabel.errors import JobQueueUnavailable, NotConnected
from nextlabel.evaluation import accuracy, agreement, beside
from nextlabel.evaluation.showing import showing
from nextlabel.jobs.alarms import Alarms
from nextlabel.jobs.circuits import ToolCircuits
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.labeling import ProjectId
from nextlabel.ports.state import AuditProgress, Connection, ModelRecord, OrderFacts
from nextlabel.ports.tool import Finding, TaskList
from nextlabel.service.addresses import list_of, page_of
from nextlabel.service.following import by_order, not_from_order, verified
from nextlabel.service.health import DEFAULT_ADDRESS, Running, backend, redis_and_workers
from nextlabel.service.stopping import StoppingAdvice
from nextlabel.service.why_here import AUDIT, of_order, of_task
from nextlabel.settings import Settings
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.agreements import StoredAgreements
from nextlabel.storage.checkpoints import StoredCheckpoints
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.counts import Counts, StoredCounts
from nextlabel.storage.findings import StandingFindings
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.marks import ProjectMarks
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.orders import StoredOrders
from nextlabel.storage.reserves import StoredReserves
from nextlabel.storage.round_log import RoundLog
from nextlabel.storage.suspects import Counted, StoredSuspects

_MOST_NAMED = 5
_ROUNDS = 10
_FAILURES, _ACTIONS = 50, 200
_FEWEST_ASKED = 10
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
    counts: StoredCounts
    agreements: StoredAgreements
    job_queue: RqJobQueue

    def projects(self, only: str | None = None) -> Iterator[dict[str, Any]]:
        """Every project that is connected, or only one. Raises `NotConnected` where there is none of that name."""
        chosen = self._chosen(only)
        waiting = self._waiting()
        redis_answers = waiting is not None
        for connection in chosen:
            fails = None
            if redis_answers:  # asked once in vain is enough, for there may be many projects
                try:
                    fails = self._failing(connection)
                except JobQueueUnavailable:
                    redis_answers = False
            since = (waiting or {}).get(connection.project)
            yield self._project(connection, fails) | {"waiting_since": since and _as_time(since)}

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
        """The rounds that failed, of all projects, by the class of the error, project and message; the latest first."""
        return [
            {
                "kind": one.kind,
                "project": one.project,
                "message": one.message,
                "times": one.times,
                "last": one.last.isoformat(),
            }
            for one in self.rounds.failures(_FAILURES)
        ]

    def failed_jobs(self) -> list[dict[str, Any]]:
        """The background jobs of the last day that failed, by the class of the error and its message, frequent ones
        first; empty without Redis."""
        with suppress(JobQueueUnavailable):
            return [_failed_job(message, times) for message, times in self.job_queue.failures().items()]
        return []

    def last_actions(self) -> list[dict[str, str]]:
        """Who did what, newest first."""
        found = self.actions.last(_ACTIONS)
        return [{"at": one.at.isoformat(), "who": one.who, "what": one.what, "about": one.about} for one in found]

    def queue(self, project: ProjectId) -> dict[str, Any]:
        """The tasks that annotators get next by the order in force, and what was expected of the open ones when it was
        made. ``audit`` and ``why`` of a task are not for those who annotate: a task that is known to measure is labeled
        with more care, and whoever sees a guess agrees with it. Raises `NotConnected`."""
        connection = self.connections.get(project)
        queues = self.orders.announced(project, newest=1)
        window = queues[0].window if queues else ()
        found = self.store.next_open(project, window, _NEXT_TASKS)
        audits = self.reserves.tasks(project, [task.id for task in found])
        places = {task: n for n, task in enumerate(window, start=1)}
        facts = self.orders.facts(project, queues[0].version) if queues else None
        tasks = [
            {
                "task": one.id,
                "place": places[one.id],
                "text": _text_of(one.data),
                "url": page_of(connection, one.id),
                "audit": one.id in audits,
                "why": AUDIT if one.id in audits else of_task(facts, facts.tasks.get(one.id)) if facts else "",
            }
            for one in found
        ]
        return {
            "queue": queues[0].version if queues else None,
            "model": queues[0].model if queues else None,
            "strategy": queues[0].strategy if queues else None,
            "window": len(window),
            "left": self.store.count_open(project, window),
            "how": of_order(facts),
            "asked": facts.asked if facts else 0,
            "uncertainty": _bins(facts.histogram) if facts and facts.informative and not _too_few(facts) else [],
            "classes": _classes(facts) if facts else {},
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
        counts, given = self.counts.of(project), store.from_order(project)
        return {
            "project": project,
            "name": connection.name,
            "title": connection.title,
            "connector": connection.tool.kind,
            "state": connection.state,
            "url": connection.tool.access.url,
            "tool_fails": fails,
            "findings": self.findings_of(connection),
            "options": options.in_force,
            "tasks": counts.tasks,
            "open": counts.open,
            "labeled": counts.labeled,
            "pulled_at": pulled_at and pulled_at.isoformat(),
            "pulled_seconds_ago": pulled_at and round((datetime.now(UTC) - pulled_at).total_seconds()),
            "all_read_at": all_read and all_read.isoformat(),
            "unreadable": [{"name": one.name, "reason": one.reason} for one in store.unreadable(project)],
            "learner": (serving and serving.learner) or "built-in",
            "model": serving and serving.version,
            "labels": serving.labels if serving else 0,
            "agreement_on_tasks_asked": agreement.named(serving.metrics) if serving else {},
            **self._accuracy(connection, serving, counts),
            "suspects": asdict(Counted() if options.suspects == "off" else self.suspects.counted(project)),
            **StoppingAdvice(store, self.checkpoints).of(connection, serving, counts.labeled, counts.audit_labels),
            "agreement": dict(self.agreements.of(project)) if options.annotators != "off" else {},
            "speed": self._speed(project),
            "lists": _lists(connection, counts) | {"not_from_order": not_from_order(connection, given)},
            "pre_annotations": pre_annotations(connection, serving),
            "queue": queues[0].version if queues else None,
            "queue_verified": verified(queues, self.orders.check(project)),
            "from_order": by_order(queues, given),
            "window_left": counts.window_left,
            "versions": [_version(record) for record in history],
            "rounds": self._rounds(project),
        }

    def _waiting(self) -> Mapping[ProjectId, float] | None:
        """By project since when the oldest label event waits for a round to end; None without Redis."""
        with suppress(JobQueueUnavailable):
            return self.job_queue.waiting_since()
        return None

    def _speed(self, project: ProjectId) -> dict[str, Any]:
        """How quickly labels come, and how long they wait for the order that they make."""
        now, waits = datetime.now(UTC), self.rounds.waits(project)
        seconds = self.store.median_seconds(project)
        return {
            "last_hour": self.store.labels_since(project, now - timedelta(hours=1)),
            "last_day": self.store.labels_since(project, now - timedelta(days=1)),
            "median_seconds": None if seconds is None else round(seconds, 1),
            "rounds": len(waits),
            "failed_of_a_day": self.rounds.failed_since(project, now - timedelta(days=1)),
            "label_to_queue": {str(share): round(_quantile(waits, share), 1) for share in (50, 95)} if waits else None,
        }

    def _accuracy(self, connection: Connection, serving: ModelRecord | None, counts: Counts) -> dict[str, Any]:
        """By target the accuracy of the version in service with what is told beside it, and of the answers so far; all
        on audit tasks."""
        project, draw = connection.project, self.reserves.draw(connection.project)
        answers: dict[str, list[tuple[float, bool]]] = {}
        for one in self.reserves.answers(project):
            answers.setdefault(one.target, []).append((one.correctness, one.whole))
        so_far = {target: accuracy.of_answers(given) for target, given in answers.items()}
        measured = accuracy.of_version(serving.metrics) if serving else {}
        audits = accuracy.Audits(
            counts.audit_tasks,
            counts.audit_labels,
            counts.audit_skipped,
            draw.labeled_before if draw else 0,
            connection.options.audit_share,
            draw.share if draw else None,
            counts.tasks,
        )
        progress = AuditProgress(audits.tasks, audits.labeled, audits.skipped)
        targets = agreement.targets_of(agreement.named(serving.metrics if serving else {}))
        notes = list(audits.notes(measured, in_folds=not (serving and serving.learner), targets=targets))
        return {
            "accuracy": {name: asdict(one) for name, one in measured.items()},
            **beside.values_of(serving.metrics if serving else {}),
            "accuracy_of_answers": {name: asdict(one) for name, one in so_far.items() if one is not None},
            "audits": asdict(progress) | {"labeled_before": audits.labeled_before, "notes": notes},
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


def _as_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _failed_job(line: str, times: int) -> dict[str, Any]:
    """Of the last line of a traceback: ``package.Error: message``."""
    named, _, message = line.partition(": ")
    kind = named.rpartition(".")[2] if named.replace(".", "").replace("_", "").isalnum() and message else ""
    return {"kind": kind, "message": message if kind else line, "times": times}


def _bins(histogram: Sequence[int]) -> list[dict[str, Any]]:
    """Equal parts of [0, 1], and how many tasks are as unsure as that."""
    n = len(histogram)
    return [{"low": k / n, "high": (k + 1) / n, "tasks": tasks} for k, tasks in enumerate(histogram)]


def _classes(facts: OrderFacts) -> dict[str, list[dict[str, Any]]]:
    """By target how many tasks have each label, and how many of the open ones are expected to be of that class."""
    expected = {} if _too_few(facts) else facts.expected
    targets = dict.fromkeys((*facts.labeled, *expected))
    return {name: _balance(facts.labeled.get(name, {}), expected.get(name, {})) for name in targets}


def _too_few(facts: OrderFacts) -> bool:
    """Whether so few tasks were open that what is expected of all of them is a prediction of each."""
    return facts.asked < _FEWEST_ASKED


def _balance(labeled: Mapping[str, float], expected: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        {"label": name, "labeled": int(labeled.get(name, 0)), "expected": expected.get(name)}
        for name in dict.fromkeys((*labeled, *expected))
    ]


def _quantile(ordered: Sequence[float], percent: int) -> float:
    """The least of these that so many per cent do not exceed."""
    return ordered[min(len(ordered) - 1, ceil(len(ordered) * percent / 100) - 1)]


def _lists(connection: Connection, counts: Counts) -> dict[str, str | None]:
    """Where people open these tasks in the tool."""
    labeled, not_labeled = (
        TaskList(f"nextlabel: {'' if one else 'not '}labeled", labeled=one) for one in (True, False)
    )
    return {
        "labeled": list_of(connection, labeled) if counts.labeled else None,
        "not_labeled": list_of(connection, not_labeled) if counts.open else None,
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
