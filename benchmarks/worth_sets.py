"""Labeled sets of what Label Studio's projects hold beside plain texts: the same every time, made or fetched here.

Pictures and sounds are made, and stand in their tasks as files; the others are in packages of the registry, and are
fetched at the first run. Licences: `_AEON`, `_CHATS`, `benchmarks.kinds`, `nextlabel.simulate.fetching`.
"""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from math import log2
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.kinds import entities, png_of
from nextlabel.labeling import Input, Label, Span, TargetKind
from nextlabel.simulate import LabeledData, load
from nextlabel.simulate.fetching import Package, fetch

_TESTED = 1_000
_AEON = Package("aeon==1.6.0", ("aeon/datasets/data/",), "BSD-3-Clause; the sets are free for research")
_CHATS = Package("chitchat-dataset==0.9.0", ("chitchat_dataset/",), "MIT")
Sound = NDArray[np.float64]


def _records(
    name: str, input_: Input, values: Sequence[object], labels: Sequence[Label], kind: TargetKind, licence: str = ""
) -> LabeledData:
    """Tasks of one field."""
    records = tuple({input_.field: value} for value in values)
    return LabeledData(name, tuple(labels), records=records, read=(input_,), kind=kind, licence=licence)


def _held_out(data: LabeledData, tested: int = _TESTED) -> LabeledData:
    """The last rows are tested on."""
    rows = np.arange(len(data))
    return replace(data.part(rows[:-tested]), test=data.part(rows[-tested:]))


# --- pictures --------------------------------------------------------------------------------------------------------


def canvases() -> LabeledData:
    """3,000 pictures of 112 × 112 pixels with one to four digits anywhere in them; 8 and 9 are on 2 % each."""
    digits = load("mnist_5k")
    assert digits.numbers is not None  # noqa: S101 - a set of numbers
    shapes, of = digits.numbers.reshape(-1, 28, 28).astype(np.uint8), np.array(digits.labels)
    draw = np.random.default_rng(0)
    rows, rare = 3_000, {digit: set(draw.choice(3_000, 60, replace=False).tolist()) for digit in ("8", "9")}
    pictures, labels = [], []
    for row in range(rows):
        held = draw.choice(list("01234567"), draw.integers(1, 5)).tolist()
        for digit, places in rare.items():
            if row in places:
                held[draw.integers(len(held))] = digit
        pictures.append(png_of(_canvas([shapes[draw.choice(np.flatnonzero(of == one))] for one in held], draw)))
        labels.append(tuple(sorted(set(held))))
    return _held_out(_records("canvases", Input("image", "image"), pictures, labels, "choices"))


def _canvas(shapes: Sequence[NDArray[np.uint8]], draw: np.random.Generator) -> NDArray[np.uint8]:
    """Each shape somewhere in a cell of its own."""
    canvas = np.zeros((112, 112), dtype=np.uint8)
    for shape, cell in zip(shapes, draw.permutation(9), strict=False):
        down, across = 37 * np.array(divmod(int(cell), 3)) + draw.integers(9, size=2)
        canvas[down : down + 28, across : across + 28] = shape
    return canvas


# --- sounds ----------------------------------------------------------------------------------------------------------

RATE = 8_000
_SECONDS = 1.5


def sounds() -> LabeledData:
    """2,500 recordings of 1.5 s with one to three events anywhere in them, each of another pitch, length and loudness,
    over noise; *ring* and *knock* are on 2 % each. The label is which events occur."""
    draw, rows = np.random.default_rng(0), 2_500
    common = [name for name in _EVENTS if name not in RARE_SOUNDS]
    held = [draw.choice(common, draw.integers(1, 4)).tolist() for _ in range(rows)]
    for rare in RARE_SOUNDS:
        for row in draw.choice(rows, rows // 50, replace=False).tolist():
            held[row][draw.integers(len(held[row]))] = rare
    recordings = [wav_of(_recording(events, draw)) for events in held]
    labels = [tuple(sorted(set(events))) for events in held]
    return _held_out(_records("sounds", Input("sound", "audio"), recordings, labels, "choices"))


RARE_SOUNDS = ("ring", "knock")


def _recording(events: Sequence[str], draw: np.random.Generator) -> Sound:
    size = round(_SECONDS * RATE)
    loudness, colour = draw.uniform(0.005, 0.05), draw.uniform(0, 0.9)
    noise = draw.normal(0, 1, size)
    mixed = loudness * (noise - colour * np.roll(noise, 1))
    for event in events:
        length = round(draw.uniform(0.2, 0.6) * RATE)
        start = draw.integers(size - length)
        sound = _EVENTS[event](np.arange(length) / RATE, draw) * np.hanning(length)
        mixed[start : start + length] += draw.uniform(0.08, 0.3) * sound
    return mixed.clip(-1, 1)


def _glide(time: Sound, start: float, end: float) -> Sound:
    """A tone that goes evenly from one pitch to another."""
    return np.asarray(np.sin(2 * np.pi * (start * time + (end - start) * time**2 / (2 * time[-1]))))


def _rise(time: Sound, draw: np.random.Generator) -> Sound:
    low = draw.uniform(300, 1_200)
    return _glide(time, low, low * draw.uniform(1.8, 2.6))


def _beep(time: Sound, draw: np.random.Generator) -> Sound:
    pitch = draw.uniform(400, 2_400)
    return _glide(time, pitch, pitch)


def _hiss(time: Sound, draw: np.random.Generator) -> Sound:
    noise = draw.normal(0, 0.5, len(time))
    return np.asarray(noise - np.roll(noise, 1))


def _hum(time: Sound, draw: np.random.Generator) -> Sound:
    pitch = draw.uniform(80, 200)
    return np.asarray(sum(np.sin(2 * np.pi * n * pitch * time) / n for n in range(1, 6)) / 2)


def _trill(time: Sound, draw: np.random.Generator) -> Sound:
    pitch, speed = draw.uniform(500, 2_000), draw.uniform(15, 30)
    return np.asarray(np.sin(2 * np.pi * pitch * time + 12 * np.sin(2 * np.pi * speed * time)))


def _ring(time: Sound, draw: np.random.Generator) -> Sound:
    low, high = draw.uniform(800, 1_200), draw.uniform(1_500, 2_200)
    return np.asarray(np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)) / 2 * (np.sin(90 * time) > 0)


def _knock(time: Sound, draw: np.random.Generator) -> Sound:
    """Blows, a tenth of a second apart, each dying away."""
    return np.asarray(draw.normal(0, 1, len(time)) * np.exp(-120 * (time % draw.uniform(0.09, 0.13))))


_EVENTS: Mapping[str, Callable[[Sound, np.random.Generator], Sound]] = {
    "beep": _beep,
    "rise": _rise,
    "fall": lambda time, draw: _rise(time, draw)[::-1],
    "hiss": _hiss,
    "hum": _hum,
    "trill": _trill,
    "ring": _ring,
    "knock": _knock,
}


def wav_of(samples: Sound) -> str:
    """A recording of 16 bits as the address of itself."""
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(packed.getvalue()).decode()


# --- time series -----------------------------------------------------------------------------------------------------


def series(name: str) -> LabeledData:
    """A set of the UCR/UEA archive that aeon ships, its two parts together; the label is the class of the series."""
    rows = [row for part in ("TRAIN", "TEST") for row in _series_of(name, part)]
    channels, labels = zip(*rows, strict=True)
    return _records(name, Input("series", "series"), channels, labels, "choice", _AEON.licence)


def _series_of(name: str, part: str) -> Iterator[tuple[dict[str, list[float]], str]]:
    """Channels by name, and the class. A line of the file is channels with colons between them, and the class."""
    text = fetch(_AEON, f"aeon/datasets/data/{name}/{name}_{part}.ts").read_text(encoding="utf-8")
    for line in re.split("(?i)@data", text)[1].split():
        *channels, label = line.split(":")
        yield {f"c{n}": [float(one) for one in values.split(",")] for n, values in enumerate(channels)}, label


# --- dialogues -------------------------------------------------------------------------------------------------------

_FEWEST_MESSAGES, _QUESTIONS = 6, 12


def dialogues() -> LabeledData:
    """Chats of two strangers with at least six messages, by role; the label is which of twelve questions they were
    given to talk about, which stands nowhere in the task."""
    chats = json.loads(fetch(_CHATS, "chitchat_dataset/dataset.json").read_text(encoding="utf-8")).values()
    asked = Counter(chat["prompt"] for chat in chats if chat.get("prompt"))
    common = {question for question, _ in asked.most_common(_QUESTIONS)}
    values, labels = [], []
    for chat in chats:
        messages = [message for turn in chat["messages"] for message in turn]
        if chat.get("prompt") in common and len(messages) >= _FEWEST_MESSAGES:
            values.append(_turns(messages))
            labels.append(chat["prompt"])
    return _records("dialogues", Input("chat", "dialogue"), values, labels, "choice", _CHATS.licence)


def _turns(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """As `<Paragraphs>` has them."""
    first = messages[0]["sender"]
    return [{"author": "A" if one["sender"] == first else "B", "text": one["text"]} for one in messages]


# --- pages -----------------------------------------------------------------------------------------------------------


def tweets() -> LabeledData:
    """600 tweets and a thousand to be tested on, of which people marked ten kinds of names."""
    texts, labels = _marked()
    return _held_out(_records("entities, plain", Input("text"), texts, labels, "spans"))


def pages() -> LabeledData:
    """The same tweets as pages: in HTML, a word here and there in bold, in italics or a link.

    Spans are counted in what a reader sees, so they are the same characters.
    """
    texts, labels = _marked()
    draw = np.random.default_rng(0)
    shown = Input("page", "text", layout="page")
    written = [page_of_words(text, draw) for text in texts]
    return _held_out(_records("entities, hypertext", shown, written, labels, "spans"))


def _marked() -> tuple[list[str], list[tuple[Span, ...]]]:
    known, rows = entities(), 600 + _TESTED
    return [str(task.data["text"]) for task in known.tasks[:rows]], cast("list[tuple[Span, ...]]", known.labels[:rows])


_AROUND = ("{}", "{}", "{}", "<b>{}</b>", '<a href="#">{}</a>', "<i><span class='x'>{}</span></i>")


def page_of_words(text: str, draw: np.random.Generator) -> str:
    """A page that shows this text."""
    words = (_AROUND[draw.integers(len(_AROUND))].format(escape(word)) for word in text.split(" "))
    return f"<html><body><div>{' '.join(words)}</div></body></html>"


# --- free text -------------------------------------------------------------------------------------------------------


_FEW = 100


def answers() -> LabeledData:
    """2,500 news of which somebody writes down the key words; the label is how long that is, as nextlabel learns it.

    The answer to a text is each word of six letters or more that stands in it at least twice. No figure here is about
    how well the length is learned, so few are tested on.
    """
    news = _news()
    lengths = tuple(map(_length, news.texts or ()))
    return _held_out(replace(news, name="free texts", kind="number", labels=lengths), _FEW)


def topics() -> Sequence[object]:
    """What the answers of `answers` are about, row by row: 48 topics, of which two are two thirds."""
    return _news().labels[:-_FEW]


def _news() -> LabeledData:
    news = load("reuters-r52")
    return replace(news, test=None).part(np.random.default_rng(0).permutation(len(news))[: 2_500 + _FEW])


def _length(text: str) -> float:
    """Of the answer, in doublings."""
    often = (word for word, times in Counter(text.split()).items() if times > 1 and len(word) >= 6)
    return log2(1 + len(" ".join(often)))
