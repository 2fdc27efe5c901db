"""What models return that JSON does not know, made plain."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any


def plain(value: Any) -> Any:
    """One step nearer to JSON, for `json.dumps`. Raises TypeError for what has no way there."""
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
    return kept


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
