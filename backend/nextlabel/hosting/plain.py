"""What models return that JSON does not know, made plain."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any


def plain(value: Any) -> Any:
    """One step nearer to JSON, for `json.dumps`. Raises TypeError for what has no way there."""
    if hasattr(value, "from_tag") and hasattr(value, "to_tag"):
        return _region(value)
    if hasattr(value, "result") and hasattr(value, "score"):
        return _prediction(value)
    if hasattr(value, "predictions"):  # a response; its own dump would give the scores that were never given
        return {"predictions": value.predictions, "model_version": getattr(value, "model_version", None)}
    for how in ("tolist", "model_dump", "dict"):  # NumPy and torch · pydantic 2 · pydantic 1
        method = getattr(value, how, None)
        if callable(method) and not isinstance(value, type):
            return method()
    return _of_python(value)


def _prediction(value: Any) -> dict[str, Any]:
    """A score that was never given is left out: in label-studio-sdk's objects it is 0.0, as if utterly unsure."""
    kept = dict(value.serialize() if hasattr(value, "serialize") else vars(value))
    if "score" not in getattr(value, "model_fields_set", ("score",)):
        kept.pop("score", None)
    if isinstance(kept.get("result"), list):
        kept["result"] = [*kept["result"], *(relation for one in kept["result"] for relation in _relations(one))]
    return kept


def _relations(region: Any) -> list[dict[str, Any]]:
    """Those that a region of label-studio-sdk's has; Label Studio keeps them beside it in the result."""
    return [
        {
            "type": "relation",
            "from_id": region.id,
            "to_id": one["region"].id,
            "direction": one.get("direction") or "right",
            **({"labels": one["labels"]} if one.get("labels") else {}),
        }
        for one in getattr(region, "relations", None) or ()
    ]


def _region(value: Any) -> dict[str, Any]:
    """A region as label-studio-sdk's tags make it, written as Label Studio reads it."""
    return {
        "id": value.id,
        "from_name": value.from_tag.name,
        "to_name": value.to_tag.name,
        "type": value.from_tag.tag.lower(),
        "value": value.value,
    }


def _of_python(value: Any) -> Any:
    match value:
        case date():
            return value.isoformat()
        case os.PathLike():
            return os.fspath(value)
        case Mapping():
            return dict(value)
        case Iterable() if not isinstance(value, bytes):
            return list(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
    raise TypeError(f"a {type(value).__module__}.{type(value).__name__}")
