"""What a project of doccano asks of its annotators, and how its labels are read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from nextlabel.errors import SchemaError, ToolUnavailable
from nextlabel.labeling import Input, Label, LabelSchema, Prediction, Target, Task, TaskId
from nextlabel_connectors.doccano.client import DoccanoClient, Row, as_list, as_row

TEXT = "text"
"""The field in which doccano keeps what is to be labeled."""
_KINDS = {"DocumentClassification": ("category", "categories"), "SequenceLabeling": ("span", "spans")}
_LEAST_PROB = 1e-6

Content = tuple[int, int, int]
"""What a label says: its type, and of a span from which character to which (otherwise 0 and 0)."""


@dataclass(frozen=True, slots=True)
class Given:
    """A label on a task. It is a pre-annotation where our account gave it with a probability, as only programs do."""

    id: int
    content: Content
    updated_at: str
    is_guess: bool


@dataclass(frozen=True, slots=True)
class DoccanoProject:
    """A project as it is set up now; ``types`` are its labels' texts by doccano's numbers, oldest first."""

    kind: str
    single: bool
    shared: bool
    types: Mapping[int, str]
    us: int
    our_name: str
    source: str

    @classmethod
    def read(cls, client: DoccanoClient) -> DoccanoProject:
        """Raises `SchemaError` for a project of another type."""
        settings = as_row(client.get(""))
        kind = str(settings.get("project_type"))
        if kind not in _KINDS:
            raise SchemaError(
                f"Project {client.project} is of doccano's type {kind}: nextlabel learns DocumentClassification and "
                "SequenceLabeling."
            )
        rows = [as_row(row) for row in as_list(client.get(f"{_KINDS[kind][0]}-types"))]
        types = {_number(row, "id"): str(row.get("text")) for row in rows}
        single = kind == "DocumentClassification" and settings.get("single_class_classification") is True
        shared = settings.get("collaborative_annotation") is True
        me = as_row(client.get("/me"))
        source = orjson.dumps([kind, single, list(types.values())]).decode()
        return cls(kind, single, shared, types, _number(me, "id"), str(me.get("username")), source)

    @property
    def target(self) -> Target:
        kind = "spans" if self.is_spans else "choice" if self.single else "choices"
        return Target(self.name, kind, (Input(TEXT),), tuple(self.types.values()))  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        return _KINDS[self.kind][0]

    @property
    def is_spans(self) -> bool:
        return self.name == "span"

    @property
    def page(self) -> str:
        """What the page on which annotators label is called in its address."""
        return "sequence-labeling" if self.is_spans else "text-classification"

    @property
    def schema(self) -> LabelSchema:
        if not self.types:
            reason = "it has no labels yet. Add them under Labels in doccano."
            return LabelSchema((), {self.name: reason}, self.source, (Input(TEXT),))
        return LabelSchema((self.target,), {}, self.source, (Input(TEXT),))

    def check_shared(self) -> None:
        """Raises `SchemaError` where doccano shows each account its own labels only."""
        if not self.shared:
            raise SchemaError(NOT_SHARED)

    def path(self, task: str, label: int | None = None) -> str:
        return f"examples/{task}/{_KINDS[self.kind][1]}" + ("" if label is None else f"/{label}")

    def labels_on(self, client: DoccanoClient, task: str) -> tuple[Given, ...]:
        """Everything that anybody has given to the task, people and we."""
        rows = (as_row(row) for row in as_list(client.get(self.path(task))))
        return tuple(sorted(map(self._given, rows), key=lambda one: one.id))

    def _given(self, row: Row) -> Given:
        content = (_number(row, "label"), row.get("start_offset", 0), row.get("end_offset", 0))
        prob, by = row.get("prob"), row.get("user")
        is_guess = by == self.us and isinstance(prob, int | float) and prob > 0
        return Given(_number(row, "id"), content, in_utc(row.get("updated_at")), is_guess)  # type: ignore[arg-type]

    def label_of(self, given: Sequence[Given]) -> object:
        """The label of the target, as `Target.read` takes it; of several single choices the latest. None for none."""
        known = [one for one in given if one.content[0] in self.types]
        if self.is_spans:
            return sorted((start, end, self.types[kind]) for kind, start, end in {one.content for one in known})
        texts = {one.content[0]: self.types[one.content[0]] for one in sorted(known, key=lambda one: one.updated_at)}
        return (list(texts.values())[-1] if texts else None) if self.single else list(texts.values())

    def wanted(self, prediction: Prediction) -> dict[Content, float]:
        """What a pre-annotation says, each with its probability."""
        numbers = {text: number for number, text in self.types.items()}
        guess = next((one for one in prediction.guesses if one.target == self.name), None)
        if guess is None:
            return {}
        contents = [one for one in (_content(part, numbers) for part in _parts(guess.label)) if one is not None]
        probs = guess.parts if len(guess.parts) == len(contents) else (guess.confidence,) * len(contents)
        return {one: min(1.0, max(_LEAST_PROB, prob)) for one, prob in zip(contents, probs, strict=True)}

    def body(self, content: Content, prob: float) -> dict[str, object]:
        spans = {"start_offset": content[1], "end_offset": content[2]} if self.is_spans else {}
        return {"label": content[0], "prob": prob, **spans}


NOT_SHARED = (
    "doccano shows each account its own labels only, so that nextlabel cannot read those of the annotators. Switch on "
    "'Share annotations across all users' in the project's settings."
)


def task_in(row: Row) -> Task | str:
    """The task of a row, or why it cannot be read."""
    meta, text = row.get("meta"), row.get(TEXT)
    if not isinstance(text, str):
        return "It has no text."
    if not isinstance(meta, dict):
        return "Its metadata is no JSON object: mend it on the page of the dataset."
    return Task(TaskId(str(row["id"])), {**meta, TEXT: text})


def in_utc(time: object) -> str:
    """All with microseconds, so that text order is time order."""
    try:
        return datetime.fromisoformat(str(time)).astimezone(UTC).isoformat(timespec="microseconds")
    except ValueError as error:
        raise ToolUnavailable(f"doccano gave a time that is none ({time!r:.40}): is it version 1.8?") from error


def _parts(label: Label) -> Sequence[object]:
    return label if isinstance(label, tuple) else (label,)


def _content(part: object, numbers: Mapping[str, int]) -> Content | None:
    match part:
        case str() if part in numbers:
            return numbers[part], 0, 0
        case (int(start), int(end), str(text)) if text in numbers:
            return numbers[text], start, end
        case _:
            return None


def _number(row: Row, key: str) -> int:
    value = row.get(key)
    if not isinstance(value, int):
        raise ToolUnavailable(f"doccano gave no number for {key!r}: is it version 1.8?")
    return value
