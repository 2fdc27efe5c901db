"""What a project has learned, to be used elsewhere: predictions for all of its tasks, and the model itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from itertools import chain
from typing import Literal

import orjson

from nextlabel.errors import SettingsError
from nextlabel.estimators.as_onnx import OnnxInput, as_onnx
from nextlabel.estimators.project import ProjectModel, SlowModel
from nextlabel.evaluation import accuracy
from nextlabel.features.source import Source
from nextlabel.labeling import LabelSchema, Prediction, ProjectId, QueueVersion, Task
from nextlabel.learning.exported import dump_exported, fields_of
from nextlabel.learning.predictions import overall_uncertainty, predictions_of, utilities_of
from nextlabel.measures.offered_predictions import OneOfferedPredictions, SomeOfferedPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    TargetPredictions,
)
from nextlabel.ports.requests import MLBackend, PredictRequest
from nextlabel.ports.state import Connection, ModelRecord
from nextlabel.ports.tool import Connector, ConnectorType, MLBackendWords
from nextlabel.service.versions import Versions
from nextlabel.storage.connections import SqlConnections
from nextlabel.storage.database import in_utc
from nextlabel.storage.label_store import SqlLabelStore
from nextlabel.storage.model_store import StoredModels
from nextlabel.storage.reserves import StoredReserves

BATCH = 500
"""Tasks that are read, predicted and written at a time: more are never in memory."""

_ANY = OnnxInput("as tasks have it", '"…"')


ModelFormat = Literal["skops", "onnx"]

Cell = Literal["text", "number", "texts", "json"]
"""What stands for a label in a column: the label, a number, several labels, or anything else as JSON."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a version says of a task; whether a person has labeled it, and whether it is an audit task, of which nothing
    may be shown to those who annotate."""

    task: Task
    labeled: bool
    audit: bool
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Pool:
    """All tasks of a project as a version sees them: ``tasks`` of them, in ``pages`` that are predicted when they are
    asked for, each of `BATCH` tasks at most. ``targets`` are those that it says something of, with what holds a label
    of each; none of a version that knows nothing yet."""

    record: ModelRecord
    connection: Connection
    targets: Mapping[str, Cell]
    tasks: int
    pages: Iterator[Sequence[Predicted]]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as a file: what it reads by name, and by target why it was left out."""

    record: ModelRecord
    format: ModelFormat
    content: bytes
    inputs: Mapping[str, OnnxInput]
    left_out: Mapping[str, str]

    def how_to_use(self, path: str) -> str:
        """A Python program that reads the file and predicts, with what must be installed before."""
        given = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {one.example}" for name, one in self.inputs.items())
        if self.format == "skops":
            return (
                f"# Where nextlabel {metadata.version('nextlabel')} is installed, as here:\n"
                "from nextlabel.learning.exported import load_exported\n\n"
                f"model = load_exported({path!r})\n"
                f"print(model.predict([{{{given}}}]))\n"
            )
        return (
            "# pip install numpy onnxruntime\n"
            "import numpy as np\nimport onnxruntime\n\n"
            + "".join(f"# {json.dumps(name, ensure_ascii=False)}: {one.words}\n" for name, one in self.inputs.items())
            + f"session = onnxruntime.InferenceSession({path!r})\n"
            "names = [one.name for one in session.get_outputs()]\n"
            f"print(dict(zip(names, session.run(None, {{{given}}}))))\n"
        )


@dataclass(frozen=True, slots=True)
class Exporting:
    """Reads; nothing of the project or its tool is changed. All raise `NotConnected`."""

    connections: SqlConnections
    store: SqlLabelStore
    models: StoredModels
    reserves: StoredReserves
    versions: Versions
    source: Callable[[ProjectId], Source]
    connector_type: Callable[[str], ConnectorType]
    open_connector: Callable[[Connection], Connector]

    def record(self, project: ProjectId, version: str | None = None) -> ModelRecord:
        """The version of that name, or the one in service. Raises `SettingsError` where there is none."""
        if version is not None:
            return self.versions.one(project, version)
        self.connections.get(project)
        serving = self.models.in_service(project)
        if serving is None:
            raise SettingsError(
                f"Project {project} has no version in service yet: label some tasks, and see what "
                f"`nextlabel status --project {project}` says."
            )
        return serving

    def pool(self, project: ProjectId, version: str | None = None) -> Pool:
        """Every task that the project has, labeled ones too. The tool is not asked.

        Raises `ArtifactError` where the version was let go, is damaged or of another release.
        """
        record, connection = self.record(project, version), self.connections.get(project)
        model = self.models.load(project, record.version)
        if isinstance(model, SlowModel):
            model.start()
        source, weights, name = self.source(project), connection.options.weights, QueueVersion(record.version)
        targets = dict[str, Cell]()

        def predict(tasks: Sequence[Task]) -> Sequence[Prediction]:
            found = model.predict(tasks, source)
            if not targets and model.informative:
                targets.update({target: _cell(one) for target, one in found.items()})
            return predictions_of(
                tasks,
                found,
                utilities_of(None, found, weights),
                version=name,
                informative=model.informative,
                unsure=overall_uncertainty(found, weights),
            )

        def pages() -> Iterator[Sequence[Predicted]]:
            for page in self.store.pages(project, BATCH):
                tasks = [task for task, _ in page]
                audits = self.reserves.tasks(project, [task.id for task in tasks])
                yield [
                    Predicted(task, labeled, task.id in audits, one)
                    for (task, labeled), one in zip(page, predict(tasks), strict=True)
                ]

        rest = pages()
        first = next(rest, ())  # which tells the targets
        return Pool(record, connection, targets, self.store.count(project), chain([first], rest))

    def model(self, project: ProjectId, format: ModelFormat, version: str | None = None) -> ModelFile:  # noqa: A002
        """The model of a version as a file that stands by itself.

        Raises `ArtifactError` as `pool` does, and `ConfigurationError` for a team's own model, and where ONNX cannot
        hold what this one computes.
        """
        record, connection = self.record(project, version), self.connections.get(project)
        model = self.models.load(project, record.version)
        if not isinstance(model, ProjectModel):
            raise SettingsError(
                f"{record.version} was learned by a model of your own ({record.learner}): it is exported by your own "
                "code. What nextlabel learns itself can be exported."
            )
        about = _about(record, connection)
        if format == "skops":
            fields = fields_of(model.state())
            return ModelFile(record, format, dump_exported(model, about), dict.fromkeys(fields, _ANY), {})
        made = as_onnx(model.state(), {name: orjson.dumps(value).decode() for name, value in about.items()})
        return ModelFile(record, format, made.content, made.inputs, made.left_out)

    def in_words_of_the_tool(self, pool: Pool, *, blind: bool) -> Iterator[Sequence[Mapping[str, object]]]:
        """The pages as tasks with predictions, as the pool's own tool imports them. With ``blind`` the audit tasks that
        nobody has labeled yet show no guess: whoever sees one agrees with it, and measures nothing any more.

        Raises `SettingsError` for a tool that is not labeled in Label Studio's form, and `ToolError`.
        """
        connection = pool.connection
        backend, tool = self.connector_type(connection.tool.kind).ml_backend, self.open_connector(connection)
        if backend is None or not isinstance(tool, MLBackendWords):
            raise SettingsError(
                f"Project {connection.project} has no labeling config of Label Studio's, by which predictions could be "
                "written for it: export them as csv, jsonl or parquet."
            )
        schema, version = tool.label_schema(), QueueVersion(f"{pool.record.version}-export")
        return (_worded(backend, connection, schema, version, page, blind=blind) for page in pool.pages)


def _about(record: ModelRecord, connection: Connection) -> dict[str, object]:
    """What stands in the file, for whoever finds it."""
    return {
        "project": connection.name,
        "version": record.version,
        "labels": record.labels,
        "trained_at": record.created_at and in_utc(record.created_at).isoformat(),
        "accuracy": {name: asdict(one) for name, one in accuracy.of_version(record.metrics).items()},
        "made_by": f"nextlabel {metadata.version('nextlabel')}",
    }


def _cell(predicted: TargetPredictions) -> Cell:
    if isinstance(predicted, NumberPredictions):
        return "number"
    if isinstance(predicted, ChoicesPredictions | SomeOfferedPredictions):
        return "texts"
    return "text" if isinstance(predicted, ChoicePredictions | OneOfferedPredictions) else "json"


def _worded(
    backend: MLBackend,
    connection: Connection,
    schema: LabelSchema,
    version: QueueVersion,
    page: Sequence[Predicted],
    *,
    blind: bool,
) -> Sequence[Mapping[str, object]]:
    request = PredictRequest(connection.at_tool, tuple(one.task for one in page), schema)
    shown = [
        one.prediction._replace(guesses=()) if blind and one.audit and not one.labeled else one.prediction
        for one in page
    ]
    answers = backend.write_predictions(request, shown, version)
    return [
        {"id": one.task.id, "data": one.task.data, "predictions": [{"task": one.task.id, **_plain(answer)}]}
        for one, answer in zip(page, answers, strict=True)
    ]


def _plain(answer: Mapping[str, object]) -> dict[str, object]:
    """What an import takes of an answer."""
    return {name: answer[name] for name in ("model_version", "score", "result") if name in answer}
