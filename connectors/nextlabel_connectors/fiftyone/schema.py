"""What a dataset asks people to label: one field of labels, read as a target of nextlabel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextlabel.errors import SchemaError
from nextlabel.labeling import Guess, Input, LabelSchema, Target, TargetKind

TAGS = "tags"
"""The target of a dataset without a field of labels: people put a class among the tags of a sample."""
_READ = {"StringField", "IntField", "FloatField"}
_OWN = {"id", "filepath", "created_at", "last_modified_at"}  # FiftyOne's own, on every sample


@dataclass(frozen=True, slots=True)
class _Form:
    """How labels of one type of FiftyOne stand in a field: the target's kind, and the paths below the field to what is
    there once it is labeled, and to its labels; ``document`` is the type of predictions."""

    kind: TargetKind
    document: str
    labeled: str
    value: str


_FORMS: Mapping[str, _Form] = {
    "Classification": _Form("choice", "Classification", ".label", ".label"),
    "Classifications": _Form("choices", "Classifications", "", ".classifications"),
    # Where things are in a picture is not learned, only which there are.
    "Detections": _Form("choices", "Classifications", "", ".detections"),
    "Polylines": _Form("choices", "Classifications", "", ".polylines"),
    "Keypoints": _Form("choices", "Classifications", "", ".keypoints"),
    "Regression": _Form("number", "Regression", ".value", ".value"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A project's schema, and where its labels are: ``labeled`` is there once a sample is labeled, ``value`` is the
    label; both are empty where tags are all there is. ``tags`` are the tags that count as a label."""

    schema: LabelSchema
    document: str
    labeled: str
    value: str
    tags: tuple[str, ...]

    @property
    def target(self) -> Target:
        return self.schema.targets[0]

    @property
    def fields(self) -> list[str]:
        """What of a sample becomes the task's data."""
        return [one.field for one in self.target.inputs]

    def as_asked(self) -> dict[str, object]:
        """As `helper` reads it."""
        return {"document": self.document, "labeled": self.labeled, "tags": list(self.tags)}

    def label_of(self, value: object, tags: Sequence[str]) -> object:
        """The label of a sample; None where it is open. What stands in the field counts before tags."""
        return value if value is not None else next((tag for tag in self.tags if tag in tags), None)

    def complaint(self, tags: Sequence[str]) -> str:
        """What is wrong with a sample that has the tags of two classes."""
        found = [tag for tag in self.tags if tag in tags]
        return f"Its tags are of {len(found)} classes ({', '.join(found[:5])}): leave one." if len(found) > 1 else ""

    def shown(self, guesses: Sequence[Guess]) -> dict[str, object] | None:
        """A prediction as `helper` writes it; None where the model has nothing to say."""
        guess = next((one for one in guesses if one.target == self.target.name), None)
        match guess:
            case Guess(label=str(label)):
                return {"label": label, "confidence": guess.confidence}
            case Guess(label=float() | int() as value):
                return {"value": value, "confidence": guess.confidence}
            case Guess(label=tuple(labels)):
                sure = guess.parts or (guess.confidence,) * len(labels)
                return {"labels": [[str(label), one] for label, one in zip(labels, sure, strict=True)]}
            case _:
                return None


def label_field(facts: Mapping[str, Any]) -> str:
    """The field that people fill: the one that the project names, else the only one that can be; `TAGS` where there is
    none. Raises `SchemaError` where it has to be named."""
    fields = facts["fields"]
    able = [name for name, one in fields.items() if one["document"] in _FORMS and not one["ours"]]
    wanted = facts["field"]
    if wanted is not None and wanted not in (*able, TAGS):
        raise SchemaError(
            f"'{wanted}' is no field of labels in the dataset '{facts['name']}': it has {', '.join(able) or 'none'}. "
            f"Learned are {', '.join(_FORMS)}."
        )
    if wanted is None and len(able) > 1:
        choices = " or ".join(f"'{facts['name']}/{name}'" for name in able[:5])
        raise SchemaError(
            f"Dataset '{facts['name']}' has {len(able)} fields of labels: connect the one that people fill, {choices}."
        )
    return str(wanted or (able[0] if able else TAGS))


def classes_path(facts: Mapping[str, Any], field: str) -> str | None:
    """Where the classes are to be read from the labels, because the dataset does not list them; None where it does."""
    form = _FORMS.get(facts["fields"][field]["document"]) if field != TAGS else None
    if form is None or form.kind == "number" or _listed(facts, field):
        return None
    return f"{field}{form.value}" if form.kind == "choice" else f"{field}{form.value}.label"


def plan_of(facts: Mapping[str, Any], field: str, seen: Sequence[str] = ()) -> Plan:
    """From what `helper.describe` says, and the labels that were ``seen``. Raises `SchemaError` with the remedy."""
    if facts["media"] == "group":
        raise SchemaError(f"Dataset '{facts['name']}' is grouped, which is not supported: connect one of a slice.")
    form = _Form("choice", "Classification", "", "") if field == TAGS else _FORMS[facts["fields"][field]["document"]]
    classes = () if form.kind == "number" else tuple(_listed(facts, field) or sorted(seen))
    if form.kind != "number" and len(classes) < 2:
        raise SchemaError(
            f"nextlabel does not know the classes of '{field}': set dataset.classes = {{'{field}': [...]}} or "
            "dataset.default_classes, two of them at least."
        )
    inputs = _inputs(facts, field)
    target = Target(field, form.kind, inputs, classes)
    left_out = {
        name: "It is not the field that people fill."
        for name, one in facts["fields"].items()
        if one["document"] in _FORMS and name != field and not one["ours"]
    }
    source = json.dumps({"field": field, "type": form.document, "classes": classes})
    return Plan(
        LabelSchema((target,), left_out, source=source, shown=inputs),
        form.document,
        f"{field}{form.labeled}" if field != TAGS else "",
        f"{field}{form.value}" if field != TAGS else "",
        classes if form.kind == "choice" else (),
    )


def _listed(facts: Mapping[str, Any], field: str) -> Sequence[str]:
    """The classes that the dataset lists for a field, or those of its annotation schema in the App, or for all."""
    listed = facts["classes"].get(field), facts["annotation_classes"].get(field), facts["default_classes"]
    return next((list(map(str, one)) for one in listed if one), [])


def _inputs(facts: Mapping[str, Any], field: str) -> tuple[Input, ...]:
    picture = (Input("filepath", "image"),) if facts["media"] == "image" else ()
    texts = tuple(
        Input(name)
        for name, one in facts["fields"].items()
        if one["type"] in _READ and name not in (*_OWN, field) and not one["ours"]
    )
    if not picture + texts:
        raise SchemaError(
            f"Samples of the dataset '{facts['name']}' have nothing that nextlabel can read: no picture, and no field "
            "with a text or a number."
        )
    return picture + texts
