"""How tasks of plain files, of Prodigy and of UBIAI look: by what they are known, and what a row of the order holds.

Prodigy and UBIAI are known from their public documentation only; nothing here was ever run in either tool:
prodi.gy/docs/api-interfaces, github.com/explosion/prodigy-recipes, and UBIAI's own reader of its export in
github.com/walidamamou/relation_extraction_transformer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nextlabel.labeling import Guess, Input, InputKind, Prediction, Span, TaskId
from nextlabel_connectors.files.ids import content_id, short_id
from nextlabel_connectors.files.rows import Data

ProfileName = Literal["plain", "prodigy", "ubiai"]

_MEDIA = ("text", "html", "image", "audio", "video")
_OF_PRODIGY = ("options", "spans", "answer", "_task_hash", "_input_hash")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_OURS = frozenset({"id", "label", "labels", "nextlabel"})
_MOST_INPUTS = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A task's place in an order. ``rank`` is from 1, and None for what follows the ranked tasks."""

    version: str
    rank: int | None = None
    utility: float | None = None
    prediction: Prediction | None = None

    def data(self) -> Data:
        found: Data = {"version": self.version, "rank": self.rank}
        if self.rank is not None:
            found["utility"] = self.utility
        if self.prediction is not None:
            found["uncertainty"] = self.prediction.uncertainty
            found["prediction"] = {one.target: _shown(one) for one in self.prediction.guesses}
        return found


def _shown(guess: Guess) -> Data:
    return {"label": guess.label, "confidence": round(guess.confidence, 4)}


class Plain:
    """Tasks with fields of any name: known by ``id``, or by a digest of all fields."""

    name: ProfileName = "plain"
    target = "label"

    def id_of(self, data: Data) -> TaskId:
        return short_id(data["id"]) if data.get("id") is not None else content_id(self._content(data))

    def _content(self, data: Data) -> Data:
        return {name: value for name, value in data.items() if name != "nextlabel"}

    def hints(self, rows: Sequence[Data]) -> Iterator[tuple[str, str, Sequence[str]]]:
        """What tasks themselves say of labels: a target's name, its kind, some of its labels."""
        yield from ()

    def inputs(self, rows: Sequence[Data], targets: Sequence[str]) -> tuple[Input, ...]:
        """Every field that mostly holds text or the name of a picture, but for ids, labels and numbers."""
        names = dict.fromkeys(name for row in rows for name in row if name not in _OURS and name not in targets)
        kinds = ((name, _kind([row[name] for row in rows if row.get(name) not in (None, "")])) for name in names)
        return tuple(Input(name, kind) for name, kind in kinds if kind)[:_MOST_INPUTS]

    def row(self, task: TaskId, data: Data, place: Place) -> Data:
        row = {"id": task, **data, "nextlabel": place.data()}
        return row if row["id"] is not None else row | {"id": task}


class Prodigy(Plain):
    """Tasks that Prodigy loads: ``text``, ``html`` or ``image`` with ``meta``, ``options``, ``spans`` or ``label``."""

    name: ProfileName = "prodigy"
    target = "answer"

    def _content(self, data: Data) -> Data:
        """The question: what is shown, and the label of which it is asked whether it is right."""
        names = _MEDIA if "options" in data or isinstance(data.get("spans"), list) else (*_MEDIA, "label")
        found = {name: data[name] for name in names if name in data}
        return found or {name: value for name, value in data.items() if name not in ("meta", *_OF_PRODIGY)}

    def hints(self, rows: Sequence[Data]) -> Iterator[tuple[str, str, Sequence[str]]]:
        options = [option for row in rows for option in _dicts(row.get("options"))]
        spans = [span for row in rows for span in _dicts(row.get("spans"))]
        if options:
            yield "accept", "choice", [str(option["id"]) for option in options if "id" in option]
        elif spans:
            yield "spans", "spans", [str(span["label"]) for span in spans if "label" in span]
        elif any("label" in row for row in rows):
            yield "answer", "choice", ["accept", "reject"]

    def inputs(self, rows: Sequence[Data], targets: Sequence[str]) -> tuple[Input, ...]:
        having = [name for name in ("text", "html") if any(row.get(name) for row in rows)][:1]
        found = [Input(name) for name in having]
        found += [Input("image", "image")] if any(row.get("image") for row in rows) else []
        asked = {str(row["label"]) for row in rows if "label" in row}
        return (*found, *([Input("label")] if len(asked) > 1 and "answer" in targets else []))

    def row(self, task: TaskId, data: Data, place: Place) -> Data:
        """The task with ``meta.score`` and ``meta.nextlabel``; what the model says is chosen already, where nothing is.

        Prodigy makes hashes of its own: none are made here.
        """
        guess = place.prediction.guesses[0] if place.prediction and place.prediction.guesses else None
        given = data.get("meta")
        meta: Data = dict(given) if isinstance(given, dict) else {}
        if guess is not None:
            right = guess.confidence if guess.label != "reject" else 1 - guess.confidence
            meta["score"] = round(right, 4)
        row = {**data, "meta": meta | {"nextlabel": {"id": task, **place.data()}}}
        match guess:
            case Guess("accept", str(label)) if "options" in data:
                row.setdefault("accept", [label])
            case Guess("accept", tuple(labels)) if "options" in data:
                row.setdefault("accept", list(labels))
            case Guess("spans", tuple(spans)) if not data.get("spans"):
                row["spans"] = [span._asdict() for span in spans if isinstance(span, Span)]
        return row


class Ubiai(Plain):
    """Documents as UBIAI exports them: ``documentName``, ``document``, ``tokens`` (entities), ``relations``."""

    name: ProfileName = "ubiai"
    target = "entities"

    def _content(self, data: Data) -> Data:
        return {"document": data.get("document")}

    def id_of(self, data: Data) -> TaskId:
        named = data.get("id", data.get("documentName"))
        return short_id(named) if named else content_id(self._content(data))

    def hints(self, rows: Sequence[Data]) -> Iterator[tuple[str, str, Sequence[str]]]:
        tokens = [token for row in rows for token in _dicts(row.get("tokens"))]
        yield "entities", "spans", [str(token["entityLabel"]) for token in tokens if "entityLabel" in token]

    def inputs(self, rows: Sequence[Data], targets: Sequence[str]) -> tuple[Input, ...]:
        return (Input("document"),)


def document_of(data: Mapping[str, object], prediction: Mapping[str, Data]) -> Data:
    """A row of the order as a document for UBIAI: documented fields only, with what the model says as ``tokens``."""
    text = str(data.get("document", ""))
    found: Data = {"documentName": data["documentName"]} if "documentName" in data else {}
    spans = prediction.get("entities", {}).get("label", ())
    tokens = [
        {"text": text[start:end], "start": start, "end": end, "entityLabel": label} for start, end, label in spans
    ]
    return {**found, "document": text, "tokens": data.get("tokens") or tokens, "relations": data.get("relations", [])}


PROFILES: Mapping[str, Plain] = {one.name: one for one in (Plain(), Prodigy(), Ubiai())}


def profile_of(rows: Sequence[Data], first_label: Data | None) -> Plain:
    """The profile that tasks, or the first label, look like."""
    first = rows[0] if rows else {}
    label = first_label or {}
    if isinstance(first.get("document"), str) and "text" not in first:
        return PROFILES["ubiai"]
    shown = any(name in first for name in _MEDIA)
    if shown and (any(name in first for name in _OF_PRODIGY) or ("answer" in label and "id" not in label)):
        return PROFILES["prodigy"]
    return PROFILES["plain"]


def _kind(values: Sequence[object]) -> InputKind | None:
    """What most of a field's values are; None for what nothing can be read from."""
    texts = [value for value in values if isinstance(value, str) and not _is_number(value)]
    if not texts or 2 * len(texts) < len(values):
        return None
    return "image" if all(value.lower().endswith(_PICTURES) for value in texts) else "text"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _dicts(found: object) -> list[Data]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
