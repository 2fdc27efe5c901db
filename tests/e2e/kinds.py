"""Every kind of label: a labeling config, tasks, and what Label Studio's own editor submits for each."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.running import label_of_number, sentence

Result = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Kind:
    """``data`` are the fields of the n-th task, ``answer`` is what a careful annotator submits for it; ``printed`` is
    what matters of a result."""

    config: str
    data: Callable[[int], Mapping[str, object]]
    answer: Callable[[int], Result]
    printed: Callable[[Sequence[Mapping[str, Any]]], object]


def winter(n: int) -> bool:
    return label_of_number(n) == "winter"


def text(n: int) -> dict[str, object]:
    return {"text": sentence(n)}


def item(name: str, type_: str, value: dict[str, object], to: str = "text") -> dict[str, object]:
    return {"id": f"{name}0000000"[:10], "from_name": name, "to_name": to, "type": type_, "value": value}


def _values(key: str) -> Callable[[Sequence[Mapping[str, Any]]], object]:
    return lambda result: [one["value"][key] for one in result if key in one["value"]]


def _choice(n: int, name: str = "label", to: str = "text") -> dict[str, object]:
    return item(name, "choices", {"choices": [label_of_number(n)]}, to)


def _first_noun(n: int) -> dict[str, object]:
    """The word after the colon, marked as a thing of its kind."""
    start, end = _noun(n)
    value = {"start": start, "end": end, "text": sentence(n)[start:end], "labels": [label_of_number(n)]}
    return item("thing", "labels", value)


def _noun(n: int) -> tuple[int, int]:
    start = sentence(n).index(": ") + 2
    return start, sentence(n).index(" ", start)


def _page(n: int) -> dict[str, object]:
    """The word after the colon is bold."""
    words, (start, end) = sentence(n), _noun(n)
    body = f"<p>{words[:start]}<b>{words[start:end]}</b>{words[end:]}<br>Bye &amp; so on</p>"
    return {"html": f"<!-- {n} --><h1>Hello 😀</h1>\n<table><tr><td>a</td><td>table</td></tr></table>{body}"}


def _noun_on_page(n: int) -> Result:
    (start, end), before = _noun(n), len("Hello 😀\natable")
    path = "/p[1]/b[1]/text()[1]"
    where = {"start": path, "startOffset": 0, "end": path, "endOffset": end - start}
    counted = {"globalOffsets": {"start": before + start, "end": before + end}, "text": sentence(n)[start:end]}
    return [item("thing", "hypertextlabels", {**where, **counted, "hypertextlabels": [label_of_number(n)]}, "page")]


def _talk(n: int) -> dict[str, object]:
    return {"talk": [{"who": "Ann", "what": "What is it? 😀"}, {"who": "Bob", "what": f"😀 {sentence(n)}"}]}


def _noun_in_turn(n: int) -> Result:
    start, end = _noun(n)
    before = 3  # UTF-16 code units of the emoji and the space
    where = {"start": "1", "end": "1", "startOffset": before + start, "endOffset": before + end}
    value = {**where, "text": sentence(n)[start:end], "paragraphlabels": [label_of_number(n)]}
    return [item("thing", "paragraphlabels", value, "talk")]


def picture(n: int) -> str:
    """A small PNG: white on the left for winter, on the right for the kitchen, with some noise."""
    from PIL import Image

    image = Image.new("L", (24, 24), 20 + n % 7)
    left = 2 if winter(n) else 13
    for x in range(left, left + 8):
        for y in range(3 + n % 4, 18):
            image.putpixel((x, y), 230 - (x * y + n) % 40)
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()


def _record(n: int) -> dict[str, object]:
    degrees = -5 + n % 7 if winter(n) else 20 + n % 9
    return {"degrees": degrees, "place": ("hut", "slope")[n % 2] if winter(n) else ("oven", "hut")[n % 2]}


def _options(n: int) -> list[dict[str, object]]:
    """The true label among others, which differ from task to task."""
    others = [f"room {n % 3}", f"season {n}"]
    return [{"value": one} for one in sorted([label_of_number(n), *others], key=lambda one: (one[-1], n % 2))]


def _things(n: int) -> list[dict[str, object]]:
    """Labels of a task: the true one, and one that other tasks do not have."""
    return [{"value": f"thing {n}"}, {"value": label_of_number(n)}]


def _places(n: int) -> list[dict[str, object]]:
    """Where it may be: the true place among others, which differ from task to task."""
    true: dict[str, object] = {
        "value": "out" if winter(n) else "in",
        "children": [{"value": label_of_number(n)}, {"value": "other"}],
    }
    other: dict[str, object] = {"value": f"place {n % 4}", "children": [{"value": f"room {n % 3}"}]}
    return [true, other] if n % 2 else [other, true]


def _place(n: int) -> list[list[str]]:
    return [["out", "winter"] if winter(n) else ["in", "kitchen"]]


def _answers(n: int) -> dict[str, object]:
    """A sentence about winter and one about the kitchen; the ids say nothing of which is which."""
    both = sorted([n, _opposite(n)], key=lambda m: (m * 31) % 7)
    return {"answers": [{"id": f"{n}.{place}", "body": sentence(m)} for place, m in enumerate(both)]}


def _winter_first(n: int) -> list[str]:
    both = sorted([n, _opposite(n)], key=lambda m: (m * 31) % 7)
    return [f"{n}.{both.index(m)}" for m in sorted(both, key=lambda m: not winter(m))]


_TEXT = '<Text name="text" value="$text"/>'
_TWO = '<Choice value="winter"/><Choice value="kitchen"/>'

KINDS: Mapping[str, Kind] = {
    "single choice": Kind(
        f'<View>{_TEXT}<Choices name="label" toName="text" choice="single">{_TWO}</Choices></View>',
        text,
        lambda n: [_choice(n)],
        _values("choices"),
    ),
    "multiple choice": Kind(
        f'<View>{_TEXT}<Choices name="label" toName="text" choice="multiple">{_TWO}<Choice value="any"/></Choices>'
        "</View>",
        text,
        lambda n: [item("label", "choices", {"choices": [label_of_number(n), "any"]})],
        _values("choices"),
    ),
    "taxonomy": Kind(
        f'<View>{_TEXT}<Taxonomy name="label" toName="text"><Choice value="out"><Choice value="winter"/></Choice>'
        '<Choice value="in"><Choice value="kitchen"/><Choice value="bath"/></Choice></Taxonomy></View>',
        text,
        lambda n: [item("label", "taxonomy", {"taxonomy": [["out", "winter"] if winter(n) else ["in", "kitchen"]]})],
        _values("taxonomy"),
    ),
    "rating": Kind(
        f'<View>{_TEXT}<Rating name="stars" toName="text" maxRating="4"/></View>',
        text,
        lambda n: [item("stars", "rating", {"rating": 1 if winter(n) else 4})],
        lambda result: [one["value"]["rating"] > 2 for one in result],
    ),
    "number": Kind(
        f'<View>{_TEXT}<Number name="degrees" toName="text" min="-20" max="200" step="10"/></View>',
        text,
        lambda n: [item("degrees", "number", {"number": -10 if winter(n) else 180})],
        lambda result: [one["value"]["number"] > 80 for one in result],
    ),
    "spans": Kind(
        f'<View><Labels name="thing" toName="text">{_TWO.replace("Choice", "Label")}</Labels>{_TEXT}</View>',
        text,
        lambda n: [_first_noun(n)],
        lambda result: sorted((one["value"]["start"], one["value"]["end"], *one["value"]["labels"]) for one in result),
    ),
    "spans of a page": Kind(
        f'<View><HyperTextLabels name="thing" toName="page">{_TWO.replace("Choice", "Label")}</HyperTextLabels>'
        '<HyperText name="page" value="$html"/></View>',
        _page,
        _noun_on_page,
        lambda result: [
            (*(one["value"]["globalOffsets"][end] for end in ("start", "end")), *one["value"]["hypertextlabels"])
            for one in result
        ],
    ),
    "spans of turns": Kind(
        f'<View><ParagraphLabels name="thing" toName="talk">{_TWO.replace("Choice", "Label")}</ParagraphLabels>'
        '<Paragraphs name="talk" value="$talk" nameKey="who" textKey="what" layout="dialogue"/></View>',
        _talk,
        _noun_in_turn,
        lambda result: [
            [one["value"][key] for key in ("start", "end", "startOffset", "endOffset", "paragraphlabels")]
            for one in result
        ],
    ),
    "pairwise": Kind(
        '<View><Text name="a" value="$a"/><Text name="b" value="$b"/><Pairwise name="better" toName="a,b"/></View>',
        lambda n: {"a": sentence(n), "b": sentence(_opposite(n))},
        lambda n: [item("better", "pairwise", {"selected": "left" if winter(n) else "right"}, "better")],
        _values("selected"),
    ),
    "image choice": Kind(
        f'<View><Image name="image" value="$image"/><Choices name="label" toName="image">{_TWO}</Choices></View>',
        lambda n: {"image": picture(n)},
        lambda n: [_choice(n, to="image")],
        _values("choices"),
    ),
    "images of a list": Kind(
        f'<View><Image name="pages" valueList="$pages"/><Choices name="label" toName="pages">{_TWO}</Choices></View>',
        lambda n: {"pages": [picture(m) for m in (n, _alike(n), n)][: 2 + n % 2]},
        lambda n: [_choice(n, to="pages")],
        _values("choices"),
    ),
    "table": Kind(
        f'<View><Table name="record" value="$record"/><Choices name="label" toName="record">{_TWO}</Choices></View>',
        lambda n: {"record": _record(n)},
        lambda n: [_choice(n, to="record")],
        _values("choices"),
    ),
    "date": Kind(
        f'<View>{_TEXT}<DateTime name="when" toName="text" only="date" format="%d.%m.%Y"/></View>',
        text,
        lambda n: [item("when", "datetime", {"datetime": f"{1 + n % 28:02}.{'01' if winter(n) else '07'}.2024"})],
        lambda result: [4 <= int(one["value"]["datetime"][3:5]) < 10 for one in result],
    ),
    "options of each task": Kind(
        f'<View>{_TEXT}<Choices name="label" toName="text" value="$options"/></View>',
        lambda n: {**text(n), "options": _options(n)},
        lambda n: [_choice(n)],
        _values("choices"),
    ),
    "several options of each task": Kind(
        f'<View>{_TEXT}<Choices name="label" toName="text" value="$options" choice="multiple"/></View>',
        lambda n: {**text(n), "options": _options(n)},
        lambda n: [item("label", "choices", {"choices": sorted([label_of_number(n), f"room {n % 3}"])})],
        lambda result: [sorted(one["value"]["choices"]) for one in result],
    ),
    "spans with labels of each task": Kind(
        f'<View><Labels name="thing" toName="text" value="$things"/>{_TEXT}</View>',
        lambda n: {**text(n), "things": _things(n)},
        lambda n: [_first_noun(n)],
        lambda result: sorted((one["value"]["start"], one["value"]["end"], *one["value"]["labels"]) for one in result),
    ),
    "taxonomy of each task": Kind(
        f'<View>{_TEXT}<Taxonomy name="label" toName="text" value="$places"/></View>',
        lambda n: {**text(n), "places": _places(n)},
        lambda n: [item("label", "taxonomy", {"taxonomy": _place(n)})],
        _values("taxonomy"),
    ),
    "order of items": Kind(
        '<View><List name="answers" value="$answers"/><Ranker name="order" toName="answers"/></View>',
        _answers,
        lambda n: [item("order", "ranker", {"ranker": {"order": _winter_first(n)}}, "answers")],
        _values("ranker"),
    ),
    "buckets of items": Kind(
        '<View><List name="answers" value="$answers"/><Ranker name="order" toName="answers"><Bucket name="winter"/>'
        "</Ranker></View>",
        _answers,
        lambda n: [
            item("order", "ranker", {"ranker": {"_": _winter_first(n)[1:], "winter": _winter_first(n)[:1]}}, "answers")
        ],
        _values("ranker"),
    ),
    "audio by metadata": Kind(
        f'<View><Audio name="audio" value="$audio"/><Choices name="label" toName="audio">{_TWO}</Choices></View>',
        lambda n: {"audio": f"https://recordings.example.org/{n}.mp3", **_record(n)},
        lambda n: [_choice(n, to="audio")],
        _values("choices"),
    ),
    "two controls": Kind(
        f'<View>{_TEXT}<Choices name="label" toName="text">{_TWO}</Choices>'
        '<Rating name="stars" toName="text" maxRating="5"/></View>',
        text,
        lambda n: [_choice(n), item("stars", "rating", {"rating": 2 if winter(n) else 5})],
        lambda result: (_values("choices")(result), [one["value"]["rating"] > 3 for one in result[1:]]),
    ),
}


def _box(n: int) -> Result:
    """The white patch of the picture, drawn as a box."""
    left, size = (2, 24) if winter(n) else (13, 24)
    place = {"x": 100 * left / size, "y": 100 * 3 / size, "width": 100 * 8 / size, "height": 50}
    value = {**place, "rotation": 0, "rectanglelabels": [label_of_number(n)]}
    drawn = {"original_width": size, "original_height": size, "image_rotation": 0}
    return [{**item("thing", "rectanglelabels", value, "image"), **drawn}]


REGIONS = Kind(
    f'<View><Image name="image" value="$image"/><RectangleLabels name="thing" toName="image">'
    f"{_TWO.replace('Choice', 'Label')}</RectangleLabels></View>",
    lambda n: {"image": picture(n)},
    _box,
    lambda result: [one["value"]["rectanglelabels"] for one in result],
)
"""Only a model of the team's own can show some; nextlabel learns which labels an answer holds."""


def _heard(n: int) -> Result:
    """A second of a recording, marked."""
    labels = {"start": 0.5, "end": 1.5, "channel": 0, "labels": [label_of_number(n)]}
    return [{**item("thing", "labels", labels, "audio"), "original_length": 3.0}]


def _written(n: int) -> Result:
    text = "It is cold." if winter(n) else "Put it on the stove for an hour, and stir it from time to time. " * 3
    return [item("says", "textarea", {"text": [text]})]


HELD: Mapping[str, Kind] = {
    "boxes": REGIONS,
    "regions of audio": Kind(
        f'<View><Audio name="audio" value="$audio"/><Labels name="thing" toName="audio">'
        f"{_TWO.replace('Choice', 'Label')}</Labels></View>",
        KINDS["audio by metadata"].data,
        _heard,
        _values("labels"),
    ),
    "nested choices": Kind(
        f'<View>{_TEXT}<Choices name="label" toName="text" value="$places" choice="multiple" allowNested="true"/>'
        "</View>",
        KINDS["taxonomy of each task"].data,
        lambda n: [item("label", "choices", {"choices": _place(n)})],
        _values("choices"),
    ),
    "free text": Kind(f'<View>{_TEXT}<TextArea name="says" toName="text"/></View>', text, _written, _values("text")),
}
"""Learned by what their answers hold: nothing of it is shown."""


def _opposite(n: int) -> int:
    """The next sentence of the other kind."""
    return next(m for m in range(n + 1, n + 50) if winter(m) != winter(n))


def _alike(n: int) -> int:
    """The next of the same kind."""
    return next(m for m in range(n + 1, n + 50) if winter(m) == winter(n))
