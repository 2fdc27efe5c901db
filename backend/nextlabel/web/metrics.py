"""/metrics for Prometheus: one collector that reads SQL and Redis at each scrape, in whatever process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import TypeVar

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from nextlabel.evaluation import accuracy
from nextlabel.service.figures import Figures, InstallationFigures, JobFigures
from nextlabel.service.tokens import Tokens
from nextlabel.storage.figures import NO_FIGURES, ProjectFigures, RoundFigures, VersionFigures
from nextlabel.web.tokens import require_token

_LONGEST_LABEL = 200

Name = TypeVar("Name", bound=str)
OfProject = Callable[[ProjectFigures], float | None]


def routes(figures: Figures, tokens: Tokens, *, is_open: bool) -> Blueprint:
    """The route; a token is needed unless it ``is_open``."""
    blueprint, registry = Blueprint("metrics", __name__), CollectorRegistry()
    registry.register(_Collector(figures))

    @blueprint.get("/metrics")
    def metrics() -> Response:
        if not is_open:
            require_token(tokens, "metrics")
        # The one format that every Prometheus reads; our names need nothing of the later ones.
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return blueprint


class _Collector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: what is not described is not read when it is registered, but when it is scraped."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self._figures.read()
        yield _one("build_info", "The release of nextlabel.", 1, version=version("nextlabel"))
        yield _one("database_up", "Whether the database can be used.", found.projects is not None)
        yield _one("redis_up", "Whether Redis answers.", found.jobs is not None)
        yield _one("disk_alarm", "Whether something cannot be kept, such as on a full disk.", bool(found.alarm))
        if found.jobs is not None:
            yield from _of_jobs(found, found.jobs)
        if found.projects is not None:
            yield from _of_projects(found)


def _of_jobs(found: InstallationFigures, jobs: JobFigures) -> Iterator[GaugeMetricFamily]:
    yield _one("workers", "Workers that are alive; one that was killed counts for up to 30 s more.", jobs.workers)
    by_queue = jobs.jobs.items()
    yield _family("queued_jobs", "Jobs that wait for a worker.", "queue", {name: one.queued for name, one in by_queue})
    yield _family(
        "failed_jobs", "Jobs that failed within a day.", "queue", {name: one.failed for name, one in by_queue}
    )
    names = [one.project for one in found.connections]
    waiting = {name: jobs.waiting_seconds.get(name, 0.0) for name in names}
    yield _family(
        "oldest_unprocessed_event_age_seconds",
        "Since when the oldest label event waits for a round to end; 0 where none does.",
        "project",
        waiting,
    )
    fails = {name: jobs.circuits.get(name) for name in names}
    failures = {name: one.failures if one else 0 for name, one in fails.items()}
    yield _family("tool_failures", "Failures in a row of the project's labeling tool.", "project", failures)
    is_open = {name: bool(one and one.is_open) for name, one in fails.items()}
    yield _family("tool_circuit_open", "Whether the labeling tool is left alone for failing.", "project", is_open)


_OF_PROJECT: tuple[tuple[str, str, OfProject], ...] = (
    ("tasks", "Tasks of the project.", lambda one: one.counts.tasks),
    ("open_tasks", "Tasks that may still be served.", lambda one: one.counts.open),
    ("labeled_tasks", "Tasks with a label in force.", lambda one: one.counts.labeled),
    ("audit_tasks", "Tasks reserved at random to measure the accuracy.", lambda one: one.counts.audit_tasks),
    ("audit_labels", "Audit tasks with a label.", lambda one: one.counts.audit_labels),
    ("window_left_tasks", "Open tasks of the order that stands in the tool.", lambda one: one.counts.window_left),
    ("order_served", "Whether the tool served the order when that was last read back.", lambda one: one.is_followed),
    ("last_pull_timestamp_seconds", "When labels were last read from the tool.", lambda one: _seconds(one.pulled_at)),
)
_OF_VERSION: tuple[tuple[str, str, Callable[[VersionFigures], float]], ...] = (
    ("version_labels", "Labels that the version in service learned from.", lambda one: one.labels),
    (
        "version_created_timestamp_seconds",
        "When the version in service was made.",
        lambda one: one.created_at.timestamp(),
    ),
)
_OF_ROUND: tuple[tuple[str, str, Callable[[RoundFigures], float]], ...] = (
    ("last_round_timestamp_seconds", "When the last round ended.", lambda one: one.at.timestamp()),
    ("last_round_duration_seconds", "How long the last round took.", lambda one: one.seconds),
    ("last_round_failed", "Whether the last round failed.", lambda one: one.failed),
)
_ACCURACY = (
    ("accuracy_ratio", "Share of all tasks that the version in service is right about, by audit tasks.", "value"),
    ("accuracy_low_ratio", "The lower end of its 95 % interval.", "low"),
    ("accuracy_high_ratio", "The upper end of its 95 % interval.", "high"),
    ("accuracy_labels", "Audit labels that the accuracy is measured on.", "n"),
)


def _of_projects(found: InstallationFigures) -> Iterator[GaugeMetricFamily]:
    stored = {one.project: (found.projects or {}).get(one.project, NO_FIGURES) for one in found.connections}
    info = _new("project_info", "A project that is connected.", "project", "name", "connector", "state")
    for known in found.connections:
        info.add_metric(_cut(known.project, known.name, known.tool.kind, known.state), 1)
    yield info
    for name, help_, read in _OF_PROJECT:
        values = {project: read(figures) for project, figures in stored.items()}
        yield _family(name, help_, "project", values)
    serving = {project: figures.serving for project, figures in stored.items() if figures.serving}
    last = {project: figures.last_round for project, figures in stored.items() if figures.last_round}
    for name, help_, of_version in _OF_VERSION:
        yield _family(name, help_, "project", {project: of_version(one) for project, one in serving.items()})
    for name, help_, of_round in _OF_ROUND:
        yield _family(name, help_, "project", {project: of_round(one) for project, one in last.items()})
    served = _new("version_info", "The version in service.", "project", "version")
    for project, one in serving.items():
        served.add_metric(_cut(project, one.version), 1)
    yield served
    measured = {
        (project, target): interval
        for project, one in serving.items()
        for target, interval in accuracy.of_version(one.metrics).items()
    }
    for name, help_, part in _ACCURACY:
        family = _new(name, help_, "project", "target")
        for labels, interval in measured.items():
            family.add_metric(_cut(*labels), getattr(interval, part))
        yield family


def _new(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"nextlabel_{name}", help_, labels=labels)


def _one(name: str, help_: str, value: float, **labels: str) -> GaugeMetricFamily:
    family = _new(name, help_, *labels)
    family.add_metric(_cut(*labels.values()), value)
    return family


def _family(name: str, help_: str, label: str, values: Mapping[Name, float | None]) -> GaugeMetricFamily:
    """What has no value is left out."""
    family = _new(name, help_, label)
    for name_of, value in values.items():
        if value is not None:
            family.add_metric(_cut(name_of), value)
    return family


def _cut(*labels: str) -> list[str]:
    """With the bound on what a labeling config may name; half a surrogate pair has no bytes to be sent as."""
    return [label[:_LONGEST_LABEL].encode("utf-8", "replace").decode() for label in labels]


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
