"""What is to be labeled: as a schema file says it, or as the tasks and the labels so far show it.

Without a schema file every field that mostly holds text is an input, and what was labeled so far says the rest: texts
are a choice of one, lists of texts a choice of several, numbers a number, ``[start, end, label]`` a span; the labels
are those that were given, in the order in which they came.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import orjson

from nextlabel.errors import SchemaError
from nextlabel.labeling import KINDS, Input, InputKind, LabelSchema, Scale, Target, TargetKind
from nextlabel_connectors.files.entries import BrokenEntry, Entry
from nextlabel_connectors.files.profiles import PROFILES, Plain
from nextlabel_connectors.files.rows import Data

_LARGEST, _MOST_LABELS, _MOST_TARGETS = 1_000_000, 1_000, 50
_KINDS = tuple(name for name, kind in KINDS.items() if not kind.of_items)  # nothing in a file says what is ordered


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """What a schema file says, where there is one."""

    profile: Plain | None = None
    targets: tuple[Target, ...] = ()
    source: str = field(default="", repr=False)


def read_schema_file(paths: Sequence[Path]) -> SchemaFile:
    """The first of the files that there is. Raises `SchemaError`, which says what is wrong with it."""
    for path in paths:
        try:
            with path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
        except FileNotFoundError:
            continue
        try:
            return _schema(_loaded(raw, path), raw.decode())
        except (ValueError, TypeError, KeyError) as error:
            raise SchemaError(f"{path.name} cannot be used: {_reason(error)}. docs/files.md has an example.") from error
    return SchemaFile()


def _loaded(raw: bytes, path: Path) -> Data:
    if len(raw) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST:,} bytes")
    found = tomllib.loads(raw.decode()) if path.suffix == ".toml" else orjson.loads(raw)
    if not isinstance(found, dict):
        raise TypeError("it is no object")
    return found


def _schema(found: Data, source: str) -> SchemaFile:
    name, targets = found.get("profile"), found.get("targets", [])
    if name is not None and name not in PROFILES:
        raise ValueError(f"'profile' must be one of {', '.join(PROFILES)}")
    if not isinstance(targets, list) or len(targets) > _MOST_TARGETS:
        raise TypeError(f"'targets' must be a list of at most {_MOST_TARGETS}")
    return SchemaFile(PROFILES[name] if name else None, tuple(map(_target, targets)), source)


def _target(found: Any) -> Target:
    if not isinstance(found, dict):
        raise TypeError("a target is an object with 'name', 'kind', 'labels' and 'inputs'")
    kind, labels = found.get("kind", "choice"), found.get("labels", [])
    if kind not in _KINDS:
        raise ValueError(f"'kind' must be one of {', '.join(_KINDS)}")
    if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        raise TypeError("'labels' must be a list of texts")
    if not labels and kind != "number":
        raise ValueError(f"target '{found['name']}' needs 'labels'")
    if not found.get("inputs"):
        raise ValueError(f"target '{found['name']}' needs 'inputs', the names of fields")
    scale = Scale(*(_number(found, name) for name in ("low", "high", "step"))) if kind == "number" else None
    return Target(str(found["name"]), kind, tuple(map(_input, found["inputs"])), tuple(dict.fromkeys(labels)), scale)


def _input(found: object) -> Input:
    match found:
        case str(name):
            return Input(name)
        case {"field": str(name), "kind": kind} if kind in get_args(InputKind):
            return Input(name, kind)
        case _:
            raise ValueError(
                f"an input is a field's name, or its 'field' and 'kind' ({', '.join(get_args(InputKind))})"
            )


def _number(found: Data, name: str) -> float | None:
    value = found.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"'{name}' must be a number")
    return value


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")


@dataclass(slots=True)
class _Seen:
    """What the labels of one target look like."""

    kind: TargetKind | None = None
    labels: dict[str, None] = field(default_factory=dict)
    several: bool = False

    def add(self, label: object) -> None:
        match label:
            case bool():
                self._are("choice", ["true" if label else "false"])
            case int() | float():
                self._are("number", [])
            case str():
                self._are("choice", [label])
            case [*parts] if all(isinstance(one, str) for one in parts):
                self._are("choices", parts)
                self.several = self.several or len(parts) > 1
            case [*parts]:
                self._are("spans", [name for name in map(_label_of_span, parts) if name])

    def _are(self, kind: TargetKind, labels: Iterable[Any]) -> None:
        self.kind = kind if self.kind in (None, kind) else _both(self.kind, kind)
        self.labels.update(dict.fromkeys(labels))


def _both(one: TargetKind | None, other: TargetKind) -> TargetKind:
    """A list of no texts may as well be one of no spans; of anything else mixed a choice is made."""
    if {one, other} == {"choices", "spans"}:
        return "spans"
    return "choices" if "choices" in (one, other) else "choice"


def _label_of_span(span: object) -> str:
    match span:
        case [int(), int(), str(label)] | {"start": int(), "end": int(), "label": str(label)}:
            return label
        case _:
            return ""


def inferred(profile: Plain, rows: Sequence[Data], found: Iterable[Entry | BrokenEntry]) -> LabelSchema:
    """The schema that tasks and labels show. Raises `SchemaError` where labels are too many to be labels."""
    seen: dict[str, _Seen] = {}
    hinted = {name: (kind, labels) for name, kind, labels in profile.hints(rows)}
    for name, (_, labels) in hinted.items():
        seen[name] = _Seen(labels=dict.fromkeys(labels))
    for entry in found:
        if isinstance(entry, Entry):
            for name, label in entry.labels.items():
                if name in seen or len(seen) < _MOST_TARGETS:
                    seen.setdefault(name, _Seen()).add(label)
    if not seen:
        seen[profile.target] = _Seen()
    inputs = profile.inputs(rows, tuple(seen))
    targets = tuple(_inferred(name, one, inputs, hinted.get(name, ("choice", ()))[0]) for name, one in seen.items())
    return LabelSchema(targets, shown=inputs)


def _inferred(name: str, seen: _Seen, inputs: tuple[Input, ...], hint: Any) -> Target:
    kind: TargetKind = seen.kind or hint
    if kind == "choices" and name == "accept" and not seen.several:  # Prodigy writes one choice as a list, too
        kind = "choice"
    if len(seen.labels) > _MOST_LABELS:
        raise SchemaError(
            f"Target '{name}' has more than {_MOST_LABELS:,} different labels: name those that count in a schema file."
        )
    return Target(name, kind, inputs, () if kind == "number" else tuple(seen.labels))


def kinds(schema: LabelSchema) -> Mapping[str, str]:
    return {target.name: target.kind for target in schema.targets}
