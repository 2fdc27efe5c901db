"""Which examples of a stream to ask about, for recipes of Prodigy: scores and examples in, examples worth asking out.

    from nextlabel.sorters import prefer_uncertain

    stream = prefer_uncertain(model(stream))  # model(stream) yields (score, example)

They follow what Prodigy's makers say in public of the sorters of the same names, and share no code with them; they were
never run in Prodigy:

- Both take a stream that may never end: an example is given or passed over at once, none is put aside for later
  (https://support.prodi.gy/t/prodigy-active-learning-prefer-uncertain-mechanism/657).
- ``algorithm="ema"``, the default, keeps an exponential moving average of the uncertainties and of their variance, and
  gives what is a standard deviation or more above the average; so it does not matter on which scale a model is sure.
  ``algorithm="probability"`` trusts the scores: an example is given with its uncertainty as the probability, clipped so
  that some come whatever the scores are
  (https://support.prodi.gy/t/prefer-uncertain-how-does-it-use-the-stream-to-pick-examples-to-score/131).
- Uncertainty is the distance from 0.5; a ``bias`` moves that point, to prefer higher scores or lower ones (same place).

Nothing public says how fast the average moves, nor what happens when nothing is far enough above it. That is our own:
the average is a plain one over the first 50 examples and then forgets 2 % with each; and what is asked of an example
becomes less with each that is passed over, so that a stream never runs dry.

This module needs nothing but Python, so that it loads at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from math import isnan, sqrt
from typing import Literal, TypeVar

Example = TypeVar("Example")
Algorithm = Literal["ema", "probability"]

_FORGOTTEN = 0.02  # of the average, with each example
_PATIENCE = 10  # examples passed over, after which an average one is enough
_LEAST, _MOST = 0.05, 0.95  # probabilities


def prefer_uncertain(
    stream: Iterable[tuple[float, Example]],
    bias: float = 0.0,
    algorithm: Algorithm = "ema",
    *,
    seed: int | None = None,
) -> Iterator[Example]:
    """Examples whose score, in [0, 1], is close to 0.5 (or to 0.5 + ``bias``), in the order of the stream.

    A score that is no number counts as 0.5: the model knows nothing of that example. ``seed`` is for "probability".
    """
    if not -0.5 <= bias <= 0.5:
        raise ValueError(f"bias must be from -0.5 to 0.5, not {bias}: it is added to the score of 0.5.")
    middle = 0.5 + bias
    return _chosen(stream, lambda score: 1 - 2 * abs(score - middle), algorithm, seed)


def prefer_high_scores(
    stream: Iterable[tuple[float, Example]],
    algorithm: Algorithm = "ema",
    *,
    seed: int | None = None,
) -> Iterator[Example]:
    """Examples with a high score, in the order of the stream. The score may be any measure of your own."""
    return _chosen(stream, lambda score: score, algorithm, seed)


def _chosen(
    stream: Iterable[tuple[float, Example]],
    worth: Callable[[float], float],
    algorithm: Algorithm,
    seed: int | None,
) -> Iterator[Example]:
    if algorithm not in ("ema", "probability"):
        raise ValueError(f"algorithm must be 'ema' or 'probability', not {algorithm!r}.")
    is_worth = _Average() if algorithm == "ema" else _Chance(random.Random(seed))  # noqa: S311 - no secret
    return (example for score, example in stream if is_worth(max(0.0, worth(0.5 if isnan(score) else score))))


class _Average:
    """Whether a value is well above the moving average of those before it."""

    def __init__(self) -> None:
        self._seen, self._passed_over = 0, 0
        self._mean, self._variance = 0.0, 0.0

    def __call__(self, value: float) -> bool:
        self._add(value)
        needed = self._mean + sqrt(self._variance) * (1 - self._passed_over / _PATIENCE)
        taken = value >= needed or self._passed_over >= 2 * _PATIENCE
        self._passed_over = 0 if taken else self._passed_over + 1
        return taken

    def _add(self, value: float) -> None:
        self._seen += 1
        share = max(1 / self._seen, _FORGOTTEN)
        away = value - self._mean
        self._mean += share * away
        self._variance = (1 - share) * (self._variance + share * away * away)


class _Chance:
    """Takes a value as the probability of being chosen."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def __call__(self, value: float) -> bool:
        return self._chance.random() < min(max(value, _LEAST), _MOST)
