"""Sorters for recipes of Prodigy: they choose from a stream as it comes."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, islice, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.sorters import prefer_high_scores, prefer_uncertain

Sorter = Callable[[Iterable[tuple[float, Any]]], Iterator[Any]]
SORTERS: dict[str, Sorter] = {
    "uncertain, ema": prefer_uncertain,
    "uncertain, probability": lambda stream: prefer_uncertain(stream, algorithm="probability", seed=1),
    "high, ema": prefer_high_scores,
    "high, probability": lambda stream: prefer_high_scores(stream, algorithm="probability", seed=1),
}
every_sorter = pytest.mark.parametrize("sorter", SORTERS.values(), ids=SORTERS.keys())
scores = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0, float("nan")]))


@every_sorter
@given(given=st.lists(scores))
def test_examples_come_at_most_once_and_in_the_order_of_the_stream(sorter: Sorter, given: list[float]) -> None:
    chosen = list(sorter(zip(given, count(), strict=False)))
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(len(given)))


@every_sorter
@given(given=st.lists(scores, min_size=1), wanted=st.integers(1, 20))
def test_of_a_stream_without_end_just_as_much_is_read_as_is_asked_for(
    sorter: Sorter, given: list[float], wanted: int
) -> None:
    """Whatever the scores are: nothing is held back, nothing is read ahead, and the stream never runs dry."""
    read: list[int] = []

    def stream() -> Iterator[tuple[float, int]]:
        for number, score in enumerate(chain.from_iterable(repeat(given))):
            read.append(number)
            yield score, number

    chosen = sorter(stream())
    assert read == []
    for _ in range(wanted):
        assert next(chosen) == read[-1]


@pytest.mark.parametrize("algorithm", ["ema", "probability"])
def test_uncertain_examples_are_preferred(algorithm: Any) -> None:
    taken = [abs(score - 0.5) for score, _ in islice(prefer_uncertain(_random(1.0), 0.0, algorithm, seed=2), 2_000)]
    assert sum(one < 0.25 for one in taken) > 2 * sum(one >= 0.25 for one in taken)


def test_a_model_that_is_sure_of_everything_on_another_scale_makes_no_difference_to_the_average() -> None:
    wide = [number for _, number in islice(prefer_uncertain(_random(1.0)), 2_000)]
    narrow = [number for _, number in islice(prefer_uncertain(_random(1e-3)), 2_000)]
    assert wide == narrow


def test_a_bias_moves_what_is_preferred_towards_higher_or_lower_scores() -> None:
    lower, middle, higher = (
        _mean(score for score, _ in islice(prefer_uncertain(_random(1.0), bias), 2_000)) for bias in (-0.3, 0, 0.3)
    )
    assert lower + 0.1 < middle < higher - 0.1


@pytest.mark.parametrize("algorithm", ["ema", "probability"])
def test_high_scores_are_preferred(algorithm: Any) -> None:
    assert _mean(score for score, _ in islice(prefer_high_scores(_random(1.0), algorithm, seed=3), 2_000)) > 0.6


@pytest.mark.parametrize("wrong", [{"bias": 0.6}, {"algorithm": "best"}])
def test_what_cannot_be_meant_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        prefer_uncertain([], **wrong)


def test_a_recipe_that_imports_a_sorter_loads_nothing_else_of_nextlabel() -> None:
    program = (
        "import sys, nextlabel.sorters; print(*sorted(set(sys.modules) & {'numpy', 'click', 'orjson', 'sqlalchemy'}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "\n"


def _random(scale: float) -> Iterator[tuple[float, tuple[float, int]]]:
    """Scores around 0.5, each with itself as the example."""
    chance = random.Random(7)
    return (
        (score, (score, number)) for number in count() if (score := 0.5 + scale * (chance.random() - 0.5)) is not None
    )


def _mean(numbers: Iterable[float]) -> float:
    known = list(numbers)
    return sum(known) / len(known)
