"""What tasks and annotations are known by, in at most 64 characters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

from nextlabel.labeling import TaskId

_LONGEST = 64


def short_id(id: object) -> TaskId:  # noqa: A002 - of a task
    """An id as text, or a digest of one that is too long. Raises `ValueError` for what is neither text nor a number."""
    if type(id) is str and 0 < len(id) <= _LONGEST and id.isprintable():  # nearly all, and there may be a million
        return TaskId(id)
    if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
        raise ValueError("its 'id' is neither text nor a whole number, so give it one or leave it out")
    text = str(id)
    return TaskId(text if len(text) <= _LONGEST and text.isprintable() else _digest(text.encode("utf-8", "replace")))


def content_id(data: Mapping[str, object]) -> TaskId:
    """A digest of what a task holds: the same wherever it stands, in whatever order its fields do."""
    return TaskId(_digest(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
