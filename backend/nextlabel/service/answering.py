"""What the web asks: predictions by the model in service, settings sent by a tool, events that labels changed."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from nextlabel.errors import NotConnected, StorageBusy, StorageError
from nextlabel.estimators.project import Model, ProjectModel, SlowModel
from nextlabel.features.source import Source
from nextlabel.hosting.hosts import Hosts
from nextlabel.labeling import (
    Label,
    LabelSchema,
    ModelVersion,
    Prediction,
    ProjectId,
    QueueVersion,
    Task,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.predictions import overall_probabilities, overall_uncertainty, predictions_of, utilities_of
from nextlabel.measures import uncertainty
from nextlabel.measures.target_predictions import TargetPredictions
from nextlabel.options import ProjectOptions
from nextlabel.ports.jobs import JobQueue, JobStatus
from nextlabel.ports.requests import LabelEvent, PredictRequest, SetupRequest
from nextlabel.ports.state import (
    Connection,
    Connections,
    Credentials,
    ModelRecord,
    ModelRegistry,
    OrderRegistry,
    Reserves,
)
from nextlabel.ports.strategy import QueryStrategy
from nextlabel.ports.tool import ConnectorType
from nextlabel.service.model_cache import InService, ModelCache
from nextlabel.service.option_checks import CHECKED, check_options

log = logging.getLogger("nextlabel.service.answering")

_NOTICE_WITHIN_SECONDS = 0.5
_MOST_KNOWN = 1_000  # projects of which something is kept for that long
_UNTRAINED = QueueVersion("nextlabel-untrained")
_NO_SCHEMA = LabelSchema(())
_NO_PROJECT = ProjectId("")

Asked = TypeVar("Asked")
Known = TypeVar("Known")
Tools = tuple[str, ...]
"""Names of tools: those whose credentials a request carried."""


@dataclass(frozen=True, slots=True)
class TargetUncertainty:
    """How unsure the model in service is of one target of a task: in [0, 1], higher is less sure.

    ``label`` is what it would say, with its ``confidence``; None while it has not learned the target.
    """

    label: Label | None
    confidence: float
    uncertainty: float


@dataclass(frozen=True, slots=True)
class TaskUncertainty:
    """How unsure the model in service is of one task, by several measures in [0, 1]; higher is less sure.

    ``utility`` is the strategy's own. The measures are of all targets together where there are several.
    """

    utility: float
    least_confidence: float
    margin: float
    entropy: float
    targets: Mapping[str, TargetUncertainty]


class _Recently(Generic[Asked, Known]):
    """What is read of a project, kept for no longer than `_NOTICE_WITHIN_SECONDS`; of so many projects at most.

    What reading raises is not kept. Where a full disk does not let it be read, what was read last still holds.
    """

    def __init__(self, read: Callable[[Asked], Known]) -> None:
        self._read = read
        self._known: OrderedDict[Asked, tuple[Known, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, project: Asked) -> Known:
        known = self._known.get(project)
        if known is not None and time.monotonic() - known[1] < _NOTICE_WITHIN_SECONDS:
            return known[0]
        try:
            found = self._read(project)
        except StorageError as error:
            if known is None or isinstance(error, StorageBusy):
                raise
            found = known[0]
        except Exception:
            self.forget(project)
            raise
        with self._lock:
            self._known[project] = (found, time.monotonic())
            self._known.move_to_end(project)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    def forget(self, project: Asked) -> None:
        with self._lock:
            self._known.pop(project, None)


@dataclass(frozen=True, slots=True)
class Caller:
    """A tool that may ask: its name, how it words what it sends, and the credentials that it must show."""

    tool: str
    type: ConnectorType
    credentials: Credentials


class _NothingYet(Exception):
    """No version is in service."""


class Service:
    """Answers for one process. Safe for threads; notices within a second what other processes publish."""

    def __init__(
        self,
        *,
        connections: Connections,
        registry: ModelRegistry,
        orders: OrderRegistry,
        reserves: Reserves,
        job_queue: JobQueue,
        connector_type: Callable[[str], ConnectorType],
        default_kind: str,
        strategy: Callable[[str], QueryStrategy],
        source: Callable[[ProjectId], Source],
        hosts: Hosts,
        threads: int = 4,
        idle_seconds: float = 900.0,
        alarm: Callable[[], str] = lambda: "",
        tool_answered: Callable[[Connection], None] = lambda connection: None,
    ) -> None:
        """``alarm`` tells what keeps anything from being kept, "" where nothing does. ``tool_answered`` is called
        with the project of which a tool speaks to us: it is not down, or no longer. ``threads`` is how many may ask at
        a time, and ``idle_seconds`` for how long a model stays when nobody asks it (`ModelCache`)."""
        self._tool_answered = tool_answered
        self.alarm = alarm
        self._connections = connections
        self._registry, self._orders, self._reserves = registry, orders, reserves
        self._job_queue = job_queue
        self._strategy = strategy
        self._source = source
        self._hosts = hosts
        self._models = ModelCache(self._load, threads=threads, idle_seconds=idle_seconds)
        self._connection = _Recently(connections.get)  # raises `NotConnected`
        self._records = _Recently(self._read_record)
        self._draws = _Recently(reserves.draw)
        self._projects: _Recently[tuple[Tools, ToolProjectId], ProjectId] = _Recently(
            lambda asked: connections.find(*asked)
        )
        self._connector_type, self._default_kind = connector_type, default_kind

    def callers(self) -> Sequence[Caller]:
        """The tools that may ask, and how each words it."""
        kinds = {tool.name: tool.kind for tool in self._connections.tools()}
        return [
            Caller(name, self._connector_type(kinds.get(name, self._default_kind)), credentials)
            for name, credentials in self._connections.credentials().items()
        ]

    def setup(self, tools: Tools, request: SetupRequest) -> QueueVersion:
        """Take the project's options, where the tool sent any, and return the version in service. ``tools`` are those
        that the request may come from.

        Raises `SettingsError` naming an unknown option or bad value, and `SchemaError` where there is nothing to learn;
        then nothing is changed. A project that is not connected yet is welcome too: it gets the version that says so.
        """
        try:
            connection = self._connections.get(self._project(tools, request.project))
        except NotConnected:
            self._check(ProjectOptions().updated(request.options or {}), request.schema, chosen=CHECKED)
            return _UNTRAINED
        options = connection.options.updated(request.options or {})
        self._check(options, request.schema, chosen=CHECKED & set(request.options or ()))
        if options != connection.options:
            self._connections.save(replace(connection, options=options))
            self._connection.forget(connection.project)
        return self._announced(connection.project)

    def _check(self, options: ProjectOptions, schema: LabelSchema, *, chosen: Collection[str]) -> None:
        """Only what has just been ``chosen``. A strategy that no longer works there is told by `status`: the default
        order takes its place, and the tool need not do without predictions."""
        hosted = self._hosts.chosen(options.model)
        if not hosted:
            schema.check_learnable()
        check_options(options, schema, hosted, self._strategy, chosen=chosen)

    def predict(self, tools: Tools, request: PredictRequest) -> tuple[QueueVersion, list[Prediction | None]]:
        """One prediction per task of the request, None for a task that could not be read."""
        try:
            project = self._project(tools, request.project)
        except NotConnected:
            project = _NO_PROJECT
        serving = self.in_service(project, request.schema)
        readable = [task for task in request.tasks if task is not None]
        target_predictions = serving.model.predict(readable, self._source(project), request.context)
        blank = self._blank(project, request, readable)
        made = (
            one._replace(guesses=()) if one.task in blank else one
            for one in predictions_of(
                readable,
                target_predictions,
                self._utilities(project, target_predictions),
                version=serving.version,
                informative=serving.model.informative,
                least=self._least(project, request),
                unsure=overall_uncertainty(target_predictions, self._options_of(project).weights),
            )
        )
        return serving.version, [None if task is None else next(made) for task in request.tasks]

    def uncertainty(
        self, tools: Tools | None, project: ProjectId, tasks: Sequence[Task]
    ) -> tuple[QueueVersion, list[TaskUncertainty]]:
        """How unsure the model in service is of any tasks, in the project or not. Raises `NotConnected`, also for a
        project of another tool than ``tools``, where these are given."""
        of_tool = self._connections.get(project).tool.name
        if tools is not None and of_tool not in tools:
            raise NotConnected(f"Project {project} is not one of the tool whose credentials these are.")
        serving = self.in_service(project)
        target_predictions = serving.model.predict(tasks, self._source(project))
        p = overall_probabilities(target_predictions, self._options_of(project).weights)
        measures = (
            self._utilities(project, target_predictions),
            uncertainty.least_confidence(p),
            uncertainty.margin(p),
            uncertainty.entropy(p),
        )
        by_target = {
            target: _by_target(target, predicted, serving.model.informative)
            for target, predicted in target_predictions.items()
        }
        return serving.version, [
            TaskUncertainty(
                utility, sure, margin, entropy, {target: by_task[n] for target, by_task in by_target.items()}
            )
            for n, (utility, sure, margin, entropy) in enumerate(np.stack(measures, axis=1).tolist())
        ]

    def event(self, tools: Tools, event: LabelEvent) -> str | None:
        """Ask for a retraining where the event calls for one; returns the job's id.

        Nothing else happens here: the truth is pulled from the tool by a worker. The echo of our own write to
        the project's settings is recognised and asks for nothing, and so does a project that is paused; one that was
        gone is back. Raises `NotConnected`.
        """
        connection = self._connection(self._project(tools, event.project))
        project = connection.project
        options = connection.options
        self._tool_answered(connection)
        if event.kind == "labels":
            self._job_queue.note_work(project)
        if connection.state == "paused":
            return None
        if connection.state == "gone":
            self._connections.change_state(project, "active", among=("gone",))
        if event.kind == "train":
            self._registry.forget_failures(project)
        if event.kind == "project" and self._is_echo(project, event):
            return None
        at_once = event.kind == "train"
        return self._job_queue.request_retraining(
            project,
            quiet=0.0 if at_once else options.quiet_seconds,
            max_wait=0.0 if at_once else options.max_wait_seconds,
        )

    def _is_echo(self, project: ProjectId, event: LabelEvent) -> bool:
        record = self._registry.in_service(project)
        if record is None:  # `nextlabel connect` is at work: it sets the project up, and makes the first order itself
            return True
        return (
            record.schema_digest in event.schema_digests
            and event.queue_version is not None
            and self._orders.model_of(project, event.queue_version) == record.version
        )

    def job_status(self, job: str) -> JobStatus:
        return self._job_queue.status(job)

    def versions(self, tools: Tools) -> list[QueueVersion]:
        """The version in service of every project of these tools, each once."""
        mine = [connection.project for connection in self._connections.all() if connection.tool.name in tools]
        return sorted({self._announced(project) for project in mine})

    def _project(self, tools: Tools, at_tool: ToolProjectId) -> ProjectId:
        """Our own id of a project. Raises `NotConnected`."""
        return self._projects((tools, at_tool))

    def in_service(self, project: ProjectId, schema: LabelSchema = _NO_SCHEMA) -> InService:
        """The model in service; before there is one, one that knows nothing of the targets of ``schema``."""
        record = self._noticed(project)
        if record is None:
            return InService(_UNTRAINED, None, ProjectModel.untrained(schema))
        return self._models.get(project, record.version, record.announced_version)

    def _announced(self, project: ProjectId) -> QueueVersion:
        """That of the version in service, which need not be loaded for it."""
        record = self._noticed(project)
        return _UNTRAINED if record is None else record.announced_version

    def _noticed(self, project: ProjectId) -> ModelRecord | None:
        """The version in service; None before the first one, noticed at once."""
        with suppress(_NothingYet):
            return self._records(project)
        return None

    def _read_record(self, project: ProjectId) -> ModelRecord:
        record = self._registry.in_service(project)
        if record is None:
            raise _NothingYet
        return record

    def _load(self, project: ProjectId, version: ModelVersion) -> Model:
        """Ready to answer: a team's own model has been started."""
        model = self._registry.load(project, version)
        if isinstance(model, SlowModel):
            model.start()
        return model

    def _utilities(self, project: ProjectId, target_predictions: Mapping[str, TargetPredictions]) -> Floats:
        """By the project's strategy; by the margin where it fails, which the next turn of the loop tells `status`."""
        options = self._options_of(project)
        try:
            return utilities_of(self._strategy(options.strategy), target_predictions, options.weights)
        except (Exception, SystemExit) as error:
            log.info("project %s: utilities by the margin, for its strategy failed: %s", project, error)
            return utilities_of(None, target_predictions, options.weights)

    def _options_of(self, project: ProjectId) -> ProjectOptions:
        try:
            return self._connection(project).options
        except NotConnected:
            return ProjectOptions()

    def _blank(self, project: ProjectId, request: PredictRequest, tasks: Sequence[Task]) -> Collection[TaskId]:
        """Those tasks about which nothing is to be shown: audit tasks, and others that hide which these are. Who asks
        while drawing is answered."""
        draw = None if request.context is not None else self._draws(project)
        if draw is None or self._options_of(project).audit_share == 0:
            return ()
        return draw.blank | self._reserves.tasks(project, [task.id for task in tasks])

    def _least(self, project: ProjectId, request: PredictRequest) -> Callable[[str], float]:
        """How likely right a guess must be to be shown; who asks while drawing is answered whatever the chance."""
        record = None if request.context is not None else self._noticed(project)
        return (lambda target: 0.0) if record is None else record.showing(self._options_of(project)).least


def _by_target(target: str, predicted: TargetPredictions, known: bool) -> list[TargetUncertainty]:
    labels = [guess.label for guess in predicted.guesses(target)] if known else [None] * len(predicted)
    columns = (labels, predicted.confidence.tolist(), predicted.uncertainty.tolist())
    return [TargetUncertainty(*row) for row in zip(*columns, strict=True)]
