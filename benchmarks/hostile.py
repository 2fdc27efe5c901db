"""Bodies as strangers send them: real ones with something in them changed, without end and always the same."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import orjson

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="kind" toName="text"><Choice value="spam"/>'
    '<Choice value="ham"/></Choices><Rating name="stars" toName="text"/><Labels name="what" toName="text">'
    '<Label value="prize"/></Labels></View>'
)
_TASK = {
    "id": 7,
    "data": {"text": "win a cash prize", "more": [1, {"a": None}]},
    "annotations": [],
    "is_labeled": False,
}
_OPTIONS = {"strategy": "explore:margin?share=0.2", "window": 50, "show_predictions": "80%", "parameters": {"a": 1}}
BODIES: dict[str, dict[str, Any]] = {
    "/setup": {"project": "1.1795329581", "schema": CONFIG, "hostname": "", "extra_params": _OPTIONS},
    "/predict": {
        "tasks": [_TASK, _TASK],
        "project": "1.1795329581",
        "label_config": CONFIG,
        "params": {"context": {"result": [{"from_name": "kind", "value": {"choices": ["spam"]}}]}},
    },
    "/webhook": {"action": "PROJECT_UPDATED", "project": {"id": 1, "label_config": CONFIG, "model_version": "x"}},
    "/job_status": {"job": "learn-0123456789abcdef"},
    "/api/projects/1/uncertainty": {"tasks": [_TASK, _TASK]},
}
_VALUES: list[Any] = [
    *(None, True, 0, -1, 2**63, 1e308, "", " ", "a|b", "../../etc", "x" * 5_000, "\x00\x1b[2J\u202e", "🐈", "1.1"),
    *([], {}, [[]], [None] * 50, {"": {}}, {"id": 7}, {"text": ["a", 1, {}]}, "[/nope]", "$text", "{{x}}", "nan"),
    *("modal:os.system", "explore:function:os.system", "margin?x=1", "committee?members=99999999", "%s%n", "<View/>"),
    *("<!DOCTYPE a>", "<View>" * 200, '<Text name="t" value="$a $b"/>', CONFIG.replace("spam", "\x85")),
]
_DEEP = b'{"a":' * 600 + b"1" + b"}" * 600


def bodies(number: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """So many bodies, each with the route that it is for."""
    chance = random.Random(seed)
    for _ in range(number):
        path = chance.choice(list(BODIES))
        body = copy.deepcopy(BODIES[path])
        for _ in range(chance.randint(1, 3)):
            _change(body, chance)
        yield path, _spoiled(orjson.dumps(body), chance)


def _change(body: Any, chance: random.Random) -> None:
    """Put something else in the place of a value, however deep it lies."""
    while True:
        keys: list[Any] = list(body) if isinstance(body, dict) else list(range(len(body)))
        if not keys:
            return
        key = chance.choice(keys)
        inner = body[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.3:
            body[key] = _text(inner, chance) if isinstance(inner, str) and chance.random() < 0.5 else _value(chance)
            return
        body = inner


def _value(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_VALUES))


def _text(text: str, chance: random.Random) -> str:
    """A text with a piece of it left out, doubled, or in the place of another."""
    start, end = sorted(chance.randint(0, len(text)) for _ in range(2))
    piece = chance.choice(["", text[start:end] * 2, '"', "<", "&", "?", ":", str(chance.choice(_VALUES))[:50]])
    return text[:start] + piece + text[end:]


def _spoiled(body: bytes, chance: random.Random) -> bytes:
    """Now and then what is no JSON, or nests without end."""
    kind, place = chance.randint(0, 9), chance.randint(0, len(body))
    if kind == 0:
        return body[:place] + bytes(chance.randint(0, 255) for _ in range(3)) + body[place:]
    if kind == 1:
        return body[:place]
    return body.replace(b"null", _DEEP, 1) if kind == 2 else body
