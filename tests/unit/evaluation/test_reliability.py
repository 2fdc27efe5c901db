"""How far people agree, held to published examples and to what must hold of any labels."""

from __future__ import annotations

from typing import Literal

import krippendorff as oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from nextlabel.evaluation.reliability import Ratings, Scale, cohen, gwet, krippendorff, krippendorff_interval

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": four people, twelve tasks, some without a label.
PUBLISHED = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def ratings(*people: str) -> Ratings:
    """A row of digits for each person; a dot where there is no label."""
    rows = [
        (task, who, float(value))
        for who, line in enumerate(people)
        for task, value in enumerate(line.replace(" ", ""))
        if value != "."
    ]
    tasks, who, values = zip(*rows, strict=True)
    return Ratings(np.array(tasks), np.array(who), np.array(values))


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_the_published_example(scale: Scale, alpha: float) -> None:
    assert krippendorff(ratings(*PUBLISHED), scale) == pytest.approx(alpha, abs=5e-4)


def test_alpha_is_that_of_the_worked_example_to_six_decimals() -> None:
    """Its coincidences: 7, 10, 8, 4 and 3 of a value with itself, of 9, 13, 10, 5 and 3 of 40 values."""
    alike, by_chance = 7 + 10 + 8 + 4 + 3, 9 * 8 + 13 * 12 + 10 * 9 + 5 * 4 + 3 * 2
    worked = ((40 - 1) * alike - by_chance) / (40 * (40 - 1) - by_chance)
    assert krippendorff(ratings(*PUBLISHED)) == pytest.approx(worked, abs=1e-6)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_another_library_on_random_tables(scale: Scale) -> None:
    """A hundred, of 2 to 6 people and 2 to 5 values, up to two thirds of them missing."""
    draw = np.random.default_rng(0)
    for _ in range(100):
        people, tasks, values = draw.integers(2, 7), draw.integers(5, 40), draw.integers(2, 6)
        truth = draw.integers(0, values, tasks)
        table = np.where(draw.random((people, tasks)) < 0.6, truth, draw.integers(0, values, (people, tasks)))
        table = np.where(draw.random((people, tasks)) < draw.uniform(0, 0.66), np.nan, table)
        who, task = np.nonzero(~np.isnan(table))
        ours = krippendorff(Ratings(task, who, table[who, task]), scale)
        if np.isfinite(ours):
            assert ours == pytest.approx(oracle.alpha(reliability_data=table, level_of_measurement=scale), abs=1e-6)


@pytest.mark.parametrize(("scale", "weights"), [("nominal", None), ("ordinal", "quadratic")])
def test_kappa_of_two_people_is_that_of_another_library(scale: Scale, weights: Literal["quadratic"] | None) -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        one = np.concatenate([np.arange(4), draw.integers(0, 4, 30)])
        other = np.where(draw.random(34) < 0.6, one, draw.integers(0, 4, 34))
        expected = cohen_kappa_score(one, other, weights=weights)
        assert cohen(one.astype(float), other.astype(float), scale) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(cohen(np.ones(30), np.ones(30)))


def test_ac1_is_that_of_the_published_example() -> None:
    assert gwet(ratings(*PUBLISHED)) == pytest.approx(0.77544, abs=5e-6)


some_labels = st.lists(st.text("123.", min_size=8, max_size=8), min_size=2, max_size=5)


def pairwise_alpha(people: list[str], scale: Scale) -> float:
    """By its definition, pair by pair."""
    columns = [[float(one) for one in column if one != "."] for column in zip(*people, strict=True)]
    columns = [column for column in columns if len(column) > 1]
    everything = [one for column in columns for one in column]
    n = len(everything)

    def apart(one: float, other: float) -> float:
        if scale == "nominal":
            return float(one != other)
        if scale == "interval":
            return (one - other) ** 2
        low, high = min(one, other), max(one, other)
        between = sum(low <= value <= high for value in everything)
        return (between - (everything.count(one) + everything.count(other)) / 2) ** 2 if one != other else 0.0

    observed = (
        sum(apart(a, b) / (len(column) - 1) for column in columns for a in column for b in column) / n if n else 0
    )
    expected = sum(apart(a, b) for a in everything for b in everything) / (n * (n - 1)) if n else 0
    return 1 - observed / expected if expected else float("nan")


@given(some_labels, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_is_what_its_definition_says_pair_by_pair(people: list[str], scale: Scale) -> None:
    if any(line.strip(".") for line in people):
        found = krippendorff(ratings(*people), scale)
        assert found == pytest.approx(pairwise_alpha(people, scale), abs=1e-6, nan_ok=True)


@given(st.integers(0, 100))
def test_of_two_people_without_gaps_ac1_and_kappa_agree_where_classes_are_even(seed: int) -> None:
    """With both classes given half of the time by each, chance is the same for both."""
    first = np.array([0, 1] * 20)
    second = np.random.default_rng(seed).permutation(first)
    both = Ratings(np.tile(np.arange(40), 2), np.repeat([0, 1], 40), np.concatenate([first, second]).astype(float))
    assert gwet(both) == pytest.approx(cohen_kappa_score(first, second))


def test_the_interval_of_alpha_holds_the_truth_as_often_as_it_says() -> None:
    """Three people who are right in four of five of 50 tasks; the truth is taken from very many tasks."""
    draw = np.random.default_rng(0)

    def labeled(n: int) -> Ratings:
        true = draw.integers(0, 3, n)
        given = [np.where(draw.random(n) < 0.8, true, draw.integers(0, 3, n)) for _ in range(3)]
        return Ratings(np.tile(np.arange(n), 3), np.repeat(np.arange(3), n), np.concatenate(given).astype(float))

    truth = krippendorff(labeled(200_000))
    found = [krippendorff_interval(labeled(50)) for _ in range(200)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.92
    assert np.mean([one.high - one.low for one in found]) < 0.35
