"""Targets as plain values, for the model's process and for what is stored of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nextlabel.labeling import Input, Scale, Target


def plain_target(target: Target) -> dict[str, object]:
    """What JSON holds of it."""
    return asdict(target)


def read_target(plain: Mapping[str, Any]) -> Target:
    """The inverse of `plain_target`. Raises KeyError or TypeError for what is none."""
    return Target(
        name=plain["name"],
        kind=plain["kind"],
        inputs=tuple(Input(**one) for one in plain["inputs"]),
        labels=tuple(plain["labels"]),
        scale=None if plain["scale"] is None else Scale(**plain["scale"]),
        compared=plain["compared"],
        pre_annotated=plain.get("pre_annotated", True),
        options=plain.get("options", ""),
        separator=plain.get("separator", ""),
    )
