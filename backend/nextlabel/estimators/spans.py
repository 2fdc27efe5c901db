"""Labeled pieces of a text: a conditional random field over its words (Lafferty, McCallum & Pereira, 2001).

Each word has one tag: it begins a span of some label, goes on with one, or is outside of all (BIO).
"""

from __future__ import annotations

import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, cast

import numpy as np
import pycrfsuite
from numpy.typing import NDArray

from nextlabel.estimators.folds import draws_of, splits_of
from nextlabel.features.layouts import text_for_spans
from nextlabel.features.tokens import Place, token_features, tokenize
from nextlabel.labeling import Input, Span, Target, Task
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import SpanPredictions

_MAX_CHARACTERS = 100_000
_MAX_WORDS = 400  # tagged together; a longer text is cut, at the end of a line where there is one
# Where each task offers labels of its own: every one takes time for every word. 200 texts of 30 words are fitted in
# 0.3 s with 10 labels, in 0.9 s with 30, in 5 s with 100.
_MOST_LABELS = 50
_FOLDS = 5
_OUTSIDE = "O"
_DOUBT = 0.25
"""What the probability of "outside" counts when tags are compared. With few labels a tagger is sure of too few spans:
this finds .34 of those in tweets instead of .25 at 200 labels, .51 instead of .43 at 1,000 (F1 .40 against .35, .55
against .53; ten types: .24 against .19, .42 against .40)."""
_SURELY_OUTSIDE = 1 / (1 + _DOUBT)  # from here on no other tag can win
# L2 alone is as good from 200 labels on, within .015, but not at 50 (F1 .20 against .25; ten types: .08 against .09).
# More rounds take longer and find no more.
_TRAINING = {"c1": 0.05, "c2": 0.01, "max_iterations": 60}
_HEADER_BYTES = 48


class NothingMarked(ValueError):
    """No word of any text is in a span."""


class NoSpans:
    """What is believed before any span is labeled: that there is none. It tells nothing about which task to ask for."""

    kind = "no-spans/1"
    informative: bool = False

    def predict(self, tasks: Sequence[Task], features: object = None) -> SpanPredictions:
        return SpanPredictions([()] * len(tasks), [()] * len(tasks), np.full(len(tasks), 0.5))

    def state(self) -> dict[str, object]:
        return {"kind": self.kind}

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> NoSpans:
        return cls()


class SpanTagger:
    """Spans of a text with their chances. Make one with `fit_spans`. Threads may share it."""

    kind = "spans/1"
    informative: bool = True

    def __init__(
        self,
        *,
        shown: Input,
        labels: Sequence[str],
        model: NDArray[np.uint8],
        fixed: Sequence[str] = (),
        options: str = "",
    ) -> None:
        """``labels`` are those that are found; with ``options`` only where they are ``fixed``, or the task offers them
        in that field."""
        self._shown = shown
        self._labels = tuple(labels)
        self._offering = Target("", "spans", (), tuple(fixed), options=options)
        self._model = model.tobytes()  # CRFsuite reads from here as long as it tags: it takes no copy
        if len(self._model) < _HEADER_BYTES or int.from_bytes(self._model[4:8], "little") != len(self._model):
            raise ValueError("The tagger's model is not whole.")  # CRFsuite would read beyond its end
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open_inmemory(self._model)
        known = set(self._tagger.labels())
        self._tags = [(column, tag) for column, tag in enumerate(_tags(len(self._labels))) if tag in known]
        self._lock = Lock()  # a tagger remembers which words it was given last

    def predict(self, tasks: Sequence[Task], features: object = None) -> SpanPredictions:
        """Spans in the order of the text. ``features`` are not read.

        A text's uncertainty is that of its words together (`_uncertainty`), 0 where there is no word. A task without a
        text has no spans and the uncertainty 0: a label of it would teach nothing.
        """
        return _together(self.plain_answers(tasks))

    def start(self) -> None:
        """As `SlowModel.start`."""

    def plain_answers(self, tasks: Sequence[Task]) -> list[_Prediction]:
        """As `SlowModel.plain_answers`."""
        return [self._read_spans(_read(task, self._shown), task) for task in tasks]

    def from_plain_answers(self, predicted: Sequence[object]) -> SpanPredictions:
        """As `SlowModel.from_plain_answers`."""
        return _together([_prediction_of(one) for one in predicted])

    def _read_spans(self, words: _Words | None, task: Task) -> _Prediction:
        """Where options are the task's and it has none, as where it has no text: there is nothing to mark it with."""
        offered = self._offering.offered(task) if self._offering.options else self._labels
        if words is None or not offered:
            return _NO_TEXT
        p: Floats = np.zeros((len(words.places), 1 + 2 * len(self._labels)))
        for start, piece in zip(words.starts, words.pieces, strict=True):
            self._fill_marginals(piece, p[start : start + len(piece)])
        if self._offering.options:
            p = _among(p, [label in offered for label in self._labels])
        return _prediction(words.places, p, self._labels)

    def _fill_marginals(self, piece: pycrfsuite.ItemSequence, p: Floats) -> None:
        """T × tags: each word's probabilities. Where it is surely outside, and no span can end, the others stay 0."""
        marginal, tags = self._tagger.marginal, self._tags
        if not tags:
            return  # nothing was learned: all features were dropped
        was_surely_outside = False
        with self._lock:
            self._tagger.set(piece)
            for t, row in enumerate(p):
                outside = marginal(_OUTSIDE, t) if tags[0][0] == 0 else 0.0
                surely_outside = outside >= _SURELY_OUTSIDE
                if surely_outside and was_surely_outside:
                    row[0] = outside
                else:
                    for column, tag in tags:
                        row[column] = marginal(tag, t)
                was_surely_outside = surely_outside

    def state(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "shown": asdict(self._shown),
            "labels": list(self._labels),
            "model": np.frombuffer(self._model, dtype=np.uint8),
            **({"fixed": list(of.labels), "options": of.options} if (of := self._offering).options else {}),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> SpanTagger:
        known: dict[str, Any] = {name: value for name, value in state.items() if name != "kind"}
        shown = Input(known.pop("field")) if "field" in known else Input(**known.pop("shown"))  # "field" until 0.2.0
        return cls(shown=shown, **known)


def fit_spans(
    target: Target,
    tasks: Sequence[Task],
    labels: Sequence[tuple[Span, ...]],
    *,
    seed: int = 0,
    judged: bool = True,
) -> tuple[SpanTagger, SpanPredictions | None]:
    """Fit on n labeled tasks; those without any span teach as well.

    Returns the tagger, and what taggers that had not seen the task predict for it (None: fewer than ten tasks, fewer
    than two of them with a span, or not ``judged``, which takes a sixth of the time). ``seed`` draws the folds.

    Raises `NothingMarked` where no span is labeled yet: then `NoSpans` is all there is to say.
    """
    shown, known = target.inputs[0], _known(target, labels)
    texts = [_read(task, shown) for task in tasks]
    tagged = [
        (words, encode(words.places, spans, known) if words else []) for words, spans in zip(texts, labels, strict=True)
    ]
    has_span = np.array([any(tag != _OUTSIDE for tag in tags) for _, tags in tagged], dtype=bool)
    if not has_span.any():
        raise NothingMarked("no span is labeled yet")

    def fit(rows: Sequence[int]) -> SpanTagger:
        model = _train([tagged[row] for row in rows])
        return SpanTagger(shown=shown, labels=known, model=model, fixed=target.labels, options=target.options)

    model = fit(range(len(tasks)))
    if not judged or len(tasks) < 2 * _FOLDS or has_span.sum() < 2:
        return model, None
    held_out: list[_Prediction] = [_NO_TEXT] * len(tasks)
    for train, rest in splits_of(draws_of(tasks, seed), _FOLDS, has_span.astype(np.intp)):
        unseeing = fit(train.tolist())
        for row in rest.tolist():
            held_out[row] = unseeing._read_spans(texts[row], tasks[row])
    return model, _together(held_out)


def _known(target: Target, marked: Sequence[tuple[Span, ...]]) -> tuple[str, ...]:
    """The labels that are learned: the target's own, where each task offers more those that were given most often."""
    if not target.options:
        return target.labels
    counts = Counter(span.label for spans in marked for span in spans)
    return tuple(label for label, _ in counts.most_common(_MOST_LABELS))


def _among(p: Floats, offered: Sequence[bool]) -> Floats:
    """T × tags: each word's probabilities where nobody can mark it with other labels: then it stays outside."""
    among: Floats = p * np.concatenate([[1.0], np.repeat(offered, 2)])
    among[:, 0] += (p - among).sum(axis=1)
    return among


def encode(places: Sequence[Place], spans: Sequence[Span], labels: Sequence[str]) -> list[str]:
    """The tag of each word. Spans of other labels are left out, and those without a word.

    A span that cuts a word has the whole word, as there is no tag for a part of one. Of spans that overlap the longest
    stays (the first of equals): a word has one tag, and the longest alone tells of every word that some span has it.
    """
    number = {label: n for n, label in enumerate(labels)}
    starts, ends = [start for start, _ in places], [end for _, end in places]
    tags = [_OUTSIDE] * len(places)
    for span in sorted(spans, key=lambda span: (span.start - span.end, span)):
        first, beyond = bisect_right(ends, span.start), bisect_left(starts, span.end)
        if first < beyond and span.label in number and all(tag == _OUTSIDE for tag in tags[first:beyond]):
            n = number[span.label]
            tags[first:beyond] = [f"B{n}", *[f"I{n}"] * (beyond - first - 1)]
    return tags


def decode(places: Sequence[Place], tags: Sequence[str], labels: Sequence[str]) -> tuple[Span, ...]:
    """The spans that words' tags stand for, in order; a span that goes on without having begun begins there."""
    columns = {tag: column for column, tag in enumerate(_tags(len(labels)))}
    runs = _runs([columns[tag] for tag in tags])
    return tuple(Span(places[run.first][0], places[run.last][1], labels[run.label]) for run in runs)


class _Words(NamedTuple):
    """A text's words, and their features in the pieces that are tagged together: which word each starts with."""

    places: list[Place]
    starts: list[int]
    pieces: list[pycrfsuite.ItemSequence]


class _Prediction(NamedTuple):
    spans: tuple[Span, ...]
    chances: tuple[float, ...]
    uncertainty: float


def _prediction_of(predicted: object) -> _Prediction:
    """Also of what came as JSON, which knows lists only."""
    spans, chances, uncertainty = cast("_Prediction", predicted)
    return _Prediction(tuple(Span(*span) for span in spans), tuple(chances), uncertainty)


class _Run(NamedTuple):
    """Words ``first`` to ``last`` (inclusive) and the number of their label."""

    first: int
    last: int
    label: int


_NO_TEXT = _Prediction((), (), 0.0)


def _tags(labels: int) -> list[str]:
    """Tags by column. They hold numbers, as a label may be any text at all."""
    return [_OUTSIDE, *(f"{kind}{n}" for n in range(labels) for kind in "BI")]


def _read(task: Task, shown: Input) -> _Words | None:
    text = text_for_spans(task.data, shown)
    if text is None:
        return None
    text = text[:_MAX_CHARACTERS]
    places = tokenize(text)
    starts = _cuts(text, places)
    features = token_features(text, places)
    pieces = [pycrfsuite.ItemSequence(features[start:end]) for start, end in pairwise([*starts, len(places)])]
    return _Words(places, starts, pieces)


def _cuts(text: str, places: Sequence[Place]) -> list[int]:
    """With which words the pieces of a text start: none has more than `_MAX_WORDS`, and most begin a line."""
    if not places:
        return []
    starts = [0]
    while len(places) - starts[-1] > _MAX_WORDS:
        furthest = starts[-1] + _MAX_WORDS
        line_starts = (
            n
            for n in range(furthest, furthest - _MAX_WORDS // 2, -1)
            if "\n" in (gap := text[places[n - 1][1] : places[n][0]]) or "\r" in gap
        )
        starts.append(next(line_starts, furthest))
    return starts


def _runs(columns: Sequence[int]) -> list[_Run]:
    runs: list[_Run] = []
    for n, column in enumerate(columns):
        if column == 0:
            continue
        label, goes_on = divmod(column - 1, 2)
        if goes_on and runs and runs[-1].last == n - 1 and runs[-1].label == label:
            runs[-1] = runs[-1]._replace(last=n)
        else:
            runs.append(_Run(n, n, label))
    return runs


def _prediction(places: Sequence[Place], p: Floats, labels: Sequence[str]) -> _Prediction:
    if not places:
        return _Prediction((), (), 0.0)
    weighed = p.copy()
    weighed[:, 0] *= _DOUBT
    columns = weighed.argmax(axis=1)
    runs = _runs(columns.tolist())
    return _Prediction(
        tuple(Span(places[run.first][0], places[run.last][1], labels[run.label]) for run in runs),
        tuple(_chance(p, columns, run) for run in runs),
        _uncertainty(p),
    )


def _uncertainty(p: Floats) -> float:
    """1 − the geometric mean of the words' likeliest tags: normalised log-probability (Shen et al., 2018).

    200 tweets asked for by it are worth .443 F1, at random .397 (10 splits; ten types: .296, .238, 7 splits). That of
    the three or the eighth of the words that are least sure is worth the same, within .01.
    """
    return float(np.clip(-np.expm1(np.log(np.clip(p.max(axis=1), np.finfo(p.dtype).tiny, 1)).mean()), 0, 1))


def _chance(p: Floats, columns: NDArray[np.integer], run: _Run) -> float:
    """How likely a span is right: that each of its words has its tag and the next one does not go on with it.

    The product as if words were independent. On tweets its mean is within .02 of the share of spans that are right,
    with 100, 200 and 1,000 labels, one type of span and ten; the minimum promises .07 to .09 too much.
    """
    words = np.arange(run.first, run.last + 1)
    ends = 1 - p[run.last + 1, 2 + 2 * run.label] if run.last + 1 < len(p) else 1.0
    return float(np.clip(p[words, columns[words]].prod() * ends, 0, 1))


def _together(target_predictions: Sequence[_Prediction]) -> SpanPredictions:
    return SpanPredictions(
        [one.spans for one in target_predictions],
        [one.chances for one in target_predictions],
        np.array([one.uncertainty for one in target_predictions], dtype=np.float64),
    )


class _Trainer(pycrfsuite.BaseTrainer):  # type: ignore[misc]
    def message(self, message: str) -> None:
        """Called several times a round. CRFsuite holds Python's lock all the while: here others get their turn."""
        time.sleep(0)


def _train(tagged: Sequence[tuple[_Words | None, list[str]]]) -> NDArray[np.uint8]:
    """The bytes of CRFsuite's model."""
    trainer = _Trainer(verbose=False, params=_TRAINING)
    for words, tags in tagged:
        if words is not None:
            for start, piece in zip(words.starts, words.pieces, strict=True):
                trainer.append(piece, tags[start : start + len(piece)])
    with tempfile.TemporaryDirectory(prefix="nextlabel-") as folder:
        path = Path(folder, "model")
        trainer.train(str(path))
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)
