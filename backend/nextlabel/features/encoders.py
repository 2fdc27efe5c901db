"""From the fields of a task that a target is about to numbers: one encoder for each kind of field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from scipy.sparse import csr_matrix, hstack

from nextlabel.features.embedding import EmbeddingEncoder
from nextlabel.features.image import ImageEncoder
from nextlabel.features.metadata import record_of, telling
from nextlabel.features.source import Source
from nextlabel.features.spaces import AsItIs, Space, TfIdf, restore_space
from nextlabel.features.tabular import TabularEncoder, holds_numbers
from nextlabel.features.text import read_text
from nextlabel.labeling import Input, Target, Task
from nextlabel.ranking import Features

_ALONE = "side"


class Encoder(Protocol):
    """Tasks → features, always the same columns. A field that is missing or odd never breaks a batch."""

    @property
    def kind(self) -> str: ...

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        """n × d, row by row those of the tasks."""

    def space(self, pool: Features) -> Space:
        """How a linear model should weigh them, given those of all tasks of the project."""

    def state(self) -> dict[str, object]: ...


class TextEncoder:
    """Words and character n-grams of the text fields, counted."""

    kind = "text"

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = tuple(fields)

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        return source.count([read_text(task.data, self._fields) for task in tasks])

    def space(self, pool: Features) -> Space:
        return TfIdf.of(csr_matrix(pool))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "fields": list(self._fields)}


class ComparedEncoder:
    """Two things side by side: what the first has more of than the second, each weighed as if it stood alone.

    A linear model of the difference is that of Bradley & Terry (1952): each thing has a worth, the greater one wins.
    ``side`` encodes either of them, as the only field of a task of its own: they could not be subtracted otherwise.
    """

    kind = "compared"

    def __init__(self, fields: Sequence[str], side: Encoder, space: Space) -> None:
        self._fields, self._side, self._space = tuple(fields), side, space

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        first, second = (self._space.weigh(self._side.encode(_alone(tasks, field), source)) for field in self._fields)
        return cast(Features, first - second)

    def space(self, pool: Features) -> Space:
        return AsItIs(pool.shape[1])

    def state(self) -> dict[str, object]:
        parts = {"side": self._side.state(), "space": self._space.state()}
        return {"kind": self.kind, "fields": list(self._fields), **parts}


def _alone(tasks: Sequence[Task], field: str) -> list[Task]:
    """Tasks that hold nothing but one field, under a name that does not tell which."""
    return [Task(task.id, {_ALONE: task.data.get(field)}) for task in tasks]


class MetadataEncoder:
    """Everything that tasks say but what stands in some ``hidden`` fields: cells and texts, as far as they tell.

    ``parts`` encode the records of tasks (`record_of`), each with its weighing; side by side they are one long again.
    """

    kind = "metadata"

    def __init__(self, hidden: Sequence[str], parts: Sequence[tuple[Encoder, Space]]) -> None:
        self._hidden, self._parts = tuple(hidden), tuple(parts)

    @classmethod
    def of(cls, hidden: Sequence[str], tasks: Sequence[Task], source: Source, embeddings: str) -> MetadataEncoder:
        records = _records(tasks, hidden)
        named, worded = telling([record.data for record in records])
        parts: list[Encoder] = []
        if named:
            parts.append(TabularEncoder.of([Input(name) for name in named], records))
        if worded:
            parts.append(_of_texts(worded, records, source, embeddings))
        return cls(hidden, [(part, part.space(part.encode(records, source))) for part in parts])

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        """n × d, weighed; one column of zeros where no field tells anything."""
        records = _records(tasks, self._hidden)
        weighed = [space.weigh(part.encode(records, source)) for part, space in self._parts]
        if len(weighed) < 2:
            return weighed[0] if weighed else np.zeros((len(tasks), 1), dtype=np.float32)
        share = np.float32(len(weighed) ** -0.5)
        return csr_matrix(hstack([csr_matrix(one) * share for one in weighed], format="csr"))

    def space(self, pool: Features) -> Space:
        return AsItIs(pool.shape[1])

    def state(self) -> dict[str, object]:
        parts = [{"encoder": part.state(), "space": space.state()} for part, space in self._parts]
        return {"kind": self.kind, "hidden": list(self._hidden), "parts": parts}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> MetadataEncoder:
        parts = cast("list[dict[str, dict[str, object]]]", state["parts"])
        restored = [(restore_encoder(part["encoder"]), restore_space(part["space"])) for part in parts]
        return cls(cast("list[str]", state["hidden"]), restored)


def _records(tasks: Sequence[Task], hidden: Sequence[str]) -> list[Task]:
    return [Task(task.id, record_of(task.data, hidden)) for task in tasks]


def encoder_for(target: Target, tasks: Sequence[Task], source: Source, *, embeddings: str = "") -> Encoder:
    """The encoder that suits what these tasks hold: all that are known, labeled or not.

    ``embeddings`` is a folder with a model for texts (`EmbeddingEncoder`); without one words are counted. Raises
    `ConfigurationError` where there is no such model.
    """
    if not target.compared:
        return encoder_of(target.inputs, tasks, source, embeddings)
    fields = [one.field for one in target.inputs]
    everything = [side for field in fields for side in _alone(tasks, field)]
    kinds = {one.kind for one in target.inputs}
    side = encoder_of([Input(_ALONE, kinds.pop() if len(kinds) == 1 else "text")], everything, source, embeddings)
    return ComparedEncoder(fields, side, side.space(side.encode(everything, source)))


def encoder_of(inputs: Sequence[Input], tasks: Sequence[Task], source: Source, embeddings: str = "") -> Encoder:
    """The encoder that suits what these inputs hold; see `encoder_for`."""
    fields = [one.field for one in inputs]
    if pictures := [one.field for one in inputs if one.kind == "image"]:
        return ImageEncoder(pictures)
    if recordings := [one.field for one in inputs if one.kind == "metadata"]:
        return MetadataEncoder.of(recordings, tasks, source, embeddings)
    if any(one.kind == "table" for one in inputs) or holds_numbers(inputs, tasks):
        return TabularEncoder.of(inputs, tasks)
    return _of_texts(fields, tasks, source, embeddings)


def _of_texts(fields: Sequence[str], tasks: Sequence[Task], source: Source, embeddings: str) -> Encoder:
    if embeddings:
        texts = [read_text(task.data, fields) for task in tasks]
        return EmbeddingEncoder.of(fields, Path(embeddings).expanduser(), texts, source)
    return TextEncoder(fields)


def restore_encoder(state: Mapping[str, object]) -> Encoder:
    """The inverse of `Encoder.state`. Raises KeyError for a kind that this version does not have."""
    match state["kind"]:
        case TextEncoder.kind:
            return TextEncoder(cast("list[str]", state["fields"]))
        case ImageEncoder.kind:
            return ImageEncoder.from_state(state)
        case EmbeddingEncoder.kind:
            return EmbeddingEncoder.from_state(state)
        case TabularEncoder.kind:
            return TabularEncoder.from_state(state)
        case MetadataEncoder.kind:
            return MetadataEncoder.from_state(state)
        case ComparedEncoder.kind:
            side, space = (cast("Mapping[str, object]", state[part]) for part in ("side", "space"))
            return ComparedEncoder(cast("list[str]", state["fields"]), restore_encoder(side), restore_space(space))
        case other:
            raise KeyError(other)
