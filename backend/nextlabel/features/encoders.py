"""From the fields of a task that a target is about to numbers: one encoder for each kind of field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol, cast

import numpy as np
from scipy.sparse import csr_matrix, hstack

from nextlabel.errors import ConfigurationError
from nextlabel.features.embedding import EmbeddingEncoder, signature
from nextlabel.features.image_embedding import ImageEmbeddingEncoder, image_signature
from nextlabel.features.media import pdf
from nextlabel.features.media.documents import of_documents
from nextlabel.features.media.encoder import MEDIA, MediaEncoder
from nextlabel.features.metadata import holding, holds_cells, holds_lists, record_of, shown_record, telling
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.features.spaces import AsItIs, Space, TfIdf, restore_space
from nextlabel.features.tabular import TabularEncoder, is_number
from nextlabel.features.text import read_text
from nextlabel.labeling import RECORDINGS, Input, InputKind, Target, Task, read_field
from nextlabel.labeling.ranking import Features, Floats

_ALONE = "side"
# What numbers and names weigh beside texts. A number that means nothing, such as a ticket's, so costs .019 accuracy on
# e-mails at 100 labels (at the same weight .04 and more), and one that tells everything is learned all the same.
_BESIDE_TEXTS = np.float32(0.3)
MOST_FILES = 16
"""Of a list in a task that are opened."""
_LISTS = 2_000  # described together: what their files are before they are pooled is kept in memory


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
        return self.encode_texts([read_text(task.data, self._fields) for task in tasks], source)

    def encode_texts(self, texts: Sequence[str], source: Source) -> Features:
        return source.count(texts)

    def space(self, pool: Features) -> Space:
        return TfIdf.of(csr_matrix(pool))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "fields": list(self._fields)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> TextEncoder:
        return cls(cast("list[str]", state["fields"]))


class DocumentEncoder:
    """The texts of PDF files, by ``inner``."""

    kind = "pdf"

    def __init__(self, fields: Sequence[str], inner: TextEncoder | EmbeddingEncoder) -> None:
        self._fields, self._inner = tuple(fields), inner

    @classmethod
    def of(
        cls, fields: Sequence[str], tasks: Sequence[Task], source: Source, embeddings: Embeddings
    ) -> DocumentEncoder:
        if (folder := embeddings.of_texts()) is None:
            return cls(fields, TextEncoder(fields))
        made = partial(EmbeddingEncoder.of, fields, folder, source=source)
        return cls(fields, of_documents(tasks, fields, source, made))

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        return of_documents(tasks, self._fields, source, partial(self._inner.encode_texts, source=source))

    def space(self, pool: Features) -> Space:
        return self._inner.space(pool)

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "fields": list(self._fields), "inner": self._inner.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> DocumentEncoder:
        inner = restore_encoder(cast("Mapping[str, object]", state["inner"]))
        return cls(cast("list[str]", state["fields"]), cast("TextEncoder | EmbeddingEncoder", inner))


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

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> ComparedEncoder:
        side, space = (cast("Mapping[str, object]", state[part]) for part in ("side", "space"))
        return cls(cast("list[str]", state["fields"]), restore_encoder(side), restore_space(space))


class ListEncoder:
    """All files of the list in each field: the mean of what ``inner`` makes of each by itself. A file of which it makes
    nothing does not count.

    Of more than `MOST_FILES` so many are read, evenly from the first to the last. ``inner`` knows each file as the only
    field of a task of its own, so that all fields have one encoder.

    Lists of digits, 200 labels: is one of five a 7, .87; what are most of five, .84; is one of twelve a 7, .76. With
    the greatest of each column beside the mean .85, .83 and .76, and of the first digit alone .53, .54 and .52.
    """

    kind = "list"

    def __init__(self, fields: Sequence[str], inner: Encoder) -> None:
        self._fields, self._inner = tuple(fields), inner

    @classmethod
    def of(cls, fields: Sequence[str], tasks: Sequence[Task], made: Callable[[list[Task]], Encoder]) -> ListEncoder:
        """``made`` gives the encoder for these files."""
        return cls(fields, made([one for field in fields for files in _files_of(tasks, field) for one in files]))

    def encode(self, tasks: Sequence[Task], source: Source) -> Floats:
        """n × (the inner encoder's width × fields); zeros where a task has no file that can be read."""
        return np.hstack([self._of_field(field, tasks, source) for field in self._fields])

    def _of_field(self, field: str, tasks: Sequence[Task], source: Source) -> Floats:
        lists = _files_of(tasks, field)
        parts = [self._means(lists[start : start + _LISTS], source) for start in range(0, len(lists), _LISTS)]
        return np.concatenate(parts or [self._means([], source)])

    def _means(self, lists: Sequence[Sequence[Task]], source: Source) -> Floats:
        rows = np.asarray(self._inner.encode([one for files in lists for one in files], source))
        owner = np.repeat(np.arange(len(lists)), [len(files) for files in lists])
        readable = rows.any(axis=1)
        rows, owner = rows[readable], owner[readable]
        means = np.zeros((len(lists), rows.shape[1]), dtype=np.float32)
        if len(rows):
            owners, starts, counts = np.unique(owner, return_index=True, return_counts=True)
            means[owners] = np.add.reduceat(rows, starts) / counts[:, None]
        return means

    def space(self, pool: Features) -> Space:
        return self._inner.space(pool)

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "fields": list(self._fields), "inner": self._inner.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> ListEncoder:
        return cls(cast("list[str]", state["fields"]), restore_encoder(cast("Mapping[str, object]", state["inner"])))


def _files_of(tasks: Sequence[Task], field: str) -> list[list[Task]]:
    """Of each task its files, each as a task of its own."""
    return [[Task(task.id, {_ALONE: one}) for one in _some(read_field(task.data, field))] for task in tasks]


def _some(files: object) -> list[object]:
    """Files that stand for all of a list; one that stands there by itself is a list of one."""
    if not isinstance(files, list):
        return [files]
    return [files[n] for n in np.linspace(0, len(files) - 1, min(len(files), MOST_FILES)).round().astype(int)]


def _alone(tasks: Sequence[Task], field: str) -> list[Task]:
    """Tasks that hold nothing but one field, under a name that does not tell which."""
    return [Task(task.id, {_ALONE: read_field(task.data, field)}) for task in tasks]


class RecordEncoder:
    """Several fields, each read as what it holds: numbers and names as cells, texts as texts.

    ``fields`` are those that are read; with ``hidden`` all others are, as far as they tell anything (`telling`).
    ``parts`` encode the records of tasks, each with its weighing; ``both`` are cells that may hold a text instead of a
    number.
    """

    kind = "record"

    def __init__(
        self,
        fields: Sequence[str],
        parts: Sequence[tuple[Encoder, Space]],
        *,
        hidden: bool = False,
        both: Collection[str] = (),
    ) -> None:
        self._fields, self._parts, self._hidden, self._both = tuple(fields), tuple(parts), hidden, frozenset(both)

    @classmethod
    def of(
        cls,
        fields: Sequence[str],
        tasks: Sequence[Task],
        source: Source,
        embeddings: Embeddings,
        *,
        hidden: bool = False,
    ) -> RecordEncoder:
        records = _records(tasks, fields, hidden=hidden)
        data = [record.data for record in records]
        named, worded = telling(data) if hidden else holding(data)
        both = set(named) & set(worded)
        parts: list[tuple[Encoder, Space]] = []
        if named:
            cells = TabularEncoder.of([Input(name) for name in named], records)
            parts.append((cells, cells.space(cells.encode(records, source))))
        if worded:
            stated = _without_numbers(records, both)
            texts = _of_texts(worded, stated, source, embeddings)
            parts.append((texts, texts.space(texts.encode(stated, source))))
        return cls(fields, parts, hidden=hidden, both=both)

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        """n × d, weighed; one column of zeros where no field tells anything."""
        records = _records(tasks, self._fields, hidden=self._hidden)
        stated = _without_numbers(records, self._both)
        weighed = [
            space.weigh(part.encode(records if isinstance(part, TabularEncoder) else stated, source))
            for part, space in self._parts
        ]
        if len(weighed) == 2:
            weighed[0] = weighed[0] * _BESIDE_TEXTS
        return _beside(weighed, len(tasks))

    @property
    def tells(self) -> bool:
        """Whether any field tells a task from another."""
        return bool(self._parts)

    def space(self, pool: Features) -> Space:
        return AsItIs(pool.shape[1])

    def state(self) -> dict[str, object]:
        how = {"fields": list(self._fields), "hidden": self._hidden, "both": sorted(self._both)}
        return {"kind": self.kind, **how, "parts": _states(self._parts)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> RecordEncoder:
        fields, both = (cast("list[str]", state[name]) for name in ("fields", "both"))
        return cls(fields, _restored(state), hidden=bool(state["hidden"]), both=both)


class SideBySide:
    """What several encoders make of the same tasks, each weighed as if it stood alone.

    Where one has nothing of a task, as of a file that cannot be had, it adds nothing to it.
    """

    kind = "side-by-side"

    def __init__(self, parts: Sequence[tuple[Encoder, Space]]) -> None:
        self._parts = tuple(parts)

    @classmethod
    def of(cls, encoders: Sequence[Encoder], tasks: Sequence[Task], source: Source) -> SideBySide:
        """Of those that tell any of these tasks from another."""
        encoded = [(one, one.encode(tasks, source)) for one in encoders]
        return cls([(one, one.space(features)) for one, features in encoded if _tells(features)])

    def encode(self, tasks: Sequence[Task], source: Source) -> Features:
        """n × d, weighed; one column of zeros where no part tells anything."""
        return _beside([_weighed(one.encode(tasks, source), space) for one, space in self._parts], len(tasks))

    def space(self, pool: Features) -> Space:
        return AsItIs(pool.shape[1])

    def state(self) -> dict[str, object]:
        return {"kind": self.kind, "parts": _states(self._parts)}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> SideBySide:
        return cls(_restored(state))


def _tells(features: Features) -> bool:
    if isinstance(features, np.ndarray):
        return bool((features != features[:1]).any())
    return bool(features.count_nonzero())


def _weighed(features: Features, space: Space) -> Features:
    weighed = space.weigh(features)
    if isinstance(features, np.ndarray) and isinstance(weighed, np.ndarray):
        return np.where(features.any(axis=1, keepdims=True), weighed, np.float32(0))
    return weighed


def _beside(parts: Sequence[Features], n: int) -> Features:
    """The columns of all of them; one of zeros where there are none."""
    if len(parts) < 2:
        return parts[0] if parts else np.zeros((n, 1), dtype=np.float32)
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.hstack([np.asarray(part) for part in parts])
    return csr_matrix(hstack([csr_matrix(part) for part in parts], format="csr"))


def _states(parts: Sequence[tuple[Encoder, Space]]) -> list[dict[str, object]]:
    return [{"encoder": part.state(), "space": space.state()} for part, space in parts]


def _restored(state: Mapping[str, object]) -> list[tuple[Encoder, Space]]:
    parts = cast("list[dict[str, dict[str, object]]]", state["parts"])
    return [(restore_encoder(part["encoder"]), restore_space(part["space"])) for part in parts]


def _records(tasks: Sequence[Task], fields: Sequence[str], *, hidden: bool) -> list[Task]:
    of = record_of if hidden else shown_record
    return [Task(task.id, of(task.data, fields)) for task in tasks]


def _without_numbers(records: Sequence[Task], fields: Collection[str]) -> Sequence[Task]:
    """The same but for numbers in these fields."""
    if not fields:
        return records
    return [
        Task(one.id, {name: value for name, value in one.data.items() if name not in fields or not is_number(value)})
        for one in records
    ]


def encoder_for(
    target: Target, tasks: Sequence[Task], source: Source, *, embeddings: Embeddings = NO_EMBEDDINGS
) -> Encoder:
    """The encoder that suits what these tasks hold: all that are known, labeled or not.

    ``embeddings`` are ready-made models; without one for texts words are counted, without one for pictures edges.
    Raises `ConfigurationError` where there is no such model.
    """
    if not target.compared:
        return encoder_of(target.inputs, tasks, source, embeddings)
    fields = [one.field for one in target.inputs]
    everything = [side for field in fields for side in _alone(tasks, field)]
    kinds = {(one.kind, one.layout) for one in target.inputs}
    kind, layout = kinds.pop() if len(kinds) == 1 else ("text", "")
    side = encoder_of([Input(_ALONE, kind, layout=layout)], everything, source, embeddings)
    return ComparedEncoder(fields, side, side.space(side.encode(everything, source)))


def models_for(inputs: Sequence[Input], embeddings: Embeddings) -> list[str]:
    """The signatures of the ready-made models that may read these inputs; none of one that is not on this machine."""
    pictures = [one.kind == "image" for one in inputs]
    known = [
        (image_signature, embeddings.of_images, any(pictures)),
        (signature, embeddings.of_texts, not all(pictures)),
    ]
    found = []
    for signature_of, folder_of, wanted in known:
        with suppress(ConfigurationError):
            if wanted and (folder := folder_of()):
                found.append(signature_of(folder))
    return found


def encoder_of(
    inputs: Sequence[Input], tasks: Sequence[Task], source: Source, embeddings: Embeddings = NO_EMBEDDINGS
) -> Encoder:
    """The encoder that suits what these inputs hold; see `encoder_for`."""
    by_kind: dict[tuple[InputKind, bool], list[str]] = {}
    for one in inputs:
        by_kind.setdefault((one.kind, one.layout == "list"), []).append(one.field)
    opened = [
        _opened(kind, fields, tasks, source, embeddings, lists=lists)
        for (kind, lists), fields in by_kind.items()
        if kind in MEDIA
    ]
    if documents := by_kind.get(("pdf", False)):
        opened.append(DocumentEncoder.of(documents, tasks, source, embeddings))
    if any(one.kind in RECORDINGS for one in inputs):
        apart = [one.field for one in inputs if one.kind in RECORDINGS or one.kind in MEDIA]
        record = RecordEncoder.of(apart, tasks, source, embeddings, hidden=True)
        if len(opened) == 1 and isinstance(opened[0], DocumentEncoder) and not record.tells:
            return opened[0]  # which is learned as texts are, and need not be encoded to be weighed
        return SideBySide.of([*opened, record], tasks, source) if opened else record
    if opened:
        others = [one for one in inputs if one.kind not in MEDIA]
        beside = [encoder_of(others, tasks, source, embeddings)] if others else []
        return SideBySide.of([*opened, *beside], tasks, source) if beside else opened[0]
    return _of_fields(inputs, tasks, source, embeddings)


def _opened(
    kind: InputKind,
    fields: Sequence[str],
    tasks: Sequence[Task],
    source: Source,
    embeddings: Embeddings,
    *,
    lists: bool = False,
) -> Encoder:
    """Of files that stand elsewhere."""
    if lists:
        return ListEncoder.of(fields, tasks, lambda files: _opened(kind, [_ALONE], files, source, embeddings))
    folder = embeddings.of_images() if kind == "image" else None
    return ImageEmbeddingEncoder.of(fields, folder) if folder else MediaEncoder.of(fields, MEDIA[kind], tasks, source)


def why_unread(kind: InputKind) -> str:
    """Why a recording of this kind is not opened in this installation, as a sentence; empty where it is."""
    if kind == "metadata":
        return "nextlabel does not read what stands there."
    try:
        (pdf.require if kind == DocumentEncoder.kind else MEDIA[kind].require)()
    except ConfigurationError as error:
        return str(error)
    return ""


def _of_fields(inputs: Sequence[Input], tasks: Sequence[Task], source: Source, embeddings: Embeddings) -> Encoder:
    """Of what stands in the task itself."""
    fields = [one.field for one in inputs]
    if not any(one.kind == "table" or holds_cells(one.field, tasks) for one in inputs):
        return _of_texts(fields, tasks, source, embeddings)
    _, worded = holding([shown_record(task.data, fields) for task in tasks])
    if worded or holds_lists(fields, tasks):
        return RecordEncoder.of(fields, tasks, source, embeddings)
    return TabularEncoder.of(inputs, tasks)


def _of_texts(fields: Sequence[str], tasks: Sequence[Task], source: Source, embeddings: Embeddings) -> Encoder:
    folder = embeddings.of_texts()
    if folder is None:
        return TextEncoder(fields)
    return EmbeddingEncoder.of(fields, folder, [read_text(task.data, fields) for task in tasks], source)


def restore_encoder(state: Mapping[str, object]) -> Encoder:
    """The inverse of `Encoder.state`. Raises KeyError for a kind that this version does not have."""
    return _RESTORED[cast(str, state["kind"])](state)


_RESTORED: Mapping[str, Callable[[Mapping[str, object]], Encoder]] = {
    **dict.fromkeys(MEDIA, MediaEncoder.from_state),
    ImageEmbeddingEncoder.kind: ImageEmbeddingEncoder.from_state,
    TextEncoder.kind: TextEncoder.from_state,
    EmbeddingEncoder.kind: EmbeddingEncoder.from_state,
    TabularEncoder.kind: TabularEncoder.from_state,
    RecordEncoder.kind: RecordEncoder.from_state,
    DocumentEncoder.kind: DocumentEncoder.from_state,
    ListEncoder.kind: ListEncoder.from_state,
    SideBySide.kind: SideBySide.from_state,
    ComparedEncoder.kind: ComparedEncoder.from_state,
}
