"""From the fields of a task that a target is about to numbers: one encoder for each kind of field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from scipy.sparse import csr_matrix

from nextlabel.features.embedding import EmbeddingEncoder
from nextlabel.features.image import ImageEncoder
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
    if any(one.kind == "table" for one in inputs) or holds_numbers(inputs, tasks):
        return TabularEncoder.of(inputs, tasks)
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
        case ComparedEncoder.kind:
            side, space = (cast("Mapping[str, object]", state[part]) for part in ("side", "space"))
            return ComparedEncoder(cast("list[str]", state["fields"]), restore_encoder(side), restore_space(space))
        case other:
            raise KeyError(other)
