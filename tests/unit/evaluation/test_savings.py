"""Labels saved are shown when the interval is narrow, and then hold the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from nextlabel.evaluation.savings import Ahead, Alone, Gain, Rows, Saved, alone, gain, saved
from nextlabel.labeling import Label
from nextlabel.labeling.ranking import Floats

LABELS = [round(20 * 1.06**n) for n in range(60)]  # up to 620
SPREAD = 0.006  # of accuracies, by the labels that models of audits alone were fitted on


def right(share: Floats | float, hardness: Floats, rng: np.random.Generator) -> Floats:
    """Whether a model of that accuracy is right about each task."""
    noisy = norm.ppf(hardness) + rng.normal(0, 0.4, len(hardness))
    return np.asarray(noisy < norm.ppf(share) * np.sqrt(1.16), dtype=np.float64)


def accuracy(labels: float, power: float) -> float:
    return float(1 - 0.6 * (labels / 20) ** -power)


def curves(
    audits: int, seed: int, steep: float = 0.7, flat: float = 0.5, spread: float = SPREAD
) -> tuple[list[Ahead], int]:
    """How far versions are ahead of models of audit labels alone, and of how many labels these are."""
    rng, m = np.random.default_rng(seed), round(0.9 * audits)
    of_audits, of_others = rng.random(audits), rng.random(1000)
    drawn = accuracy(m, flat) + rng.normal(0, spread)
    by_audits = right(drawn, of_audits, rng), right(drawn, of_others, rng)
    latest = right(accuracy(LABELS[-1], steep), of_audits, rng), right(accuracy(LABELS[-1], steep), of_others, rng)
    ahead = []
    for n in LABELS:
        mine = right(accuracy(n, steep), of_audits, rng), right(accuracy(n, steep), of_others, rng)
        same = [
            (one == most).astype(float) - (by == most) for one, by, most in zip(mine, by_audits, latest, strict=True)
        ]
        ahead.append(Ahead(mine[0] - by_audits[0], *same))
    return ahead, m


def claimed(
    audits: int, seed: int, steep: float = 0.7, flat: float = 0.5, spread: float = SPREAD
) -> tuple[Saved, float]:
    """And how many chosen labels are truly worth as much as the random ones."""
    ahead, m = curves(audits, seed, steep, flat, spread)
    worth = 20 * (0.6 / (1 - accuracy(m, flat))) ** (1 / steep)
    return saved(LABELS, ahead, m, spread**2, LABELS[-1]), worth


def gained(audits: int, seed: int, steep: float = 0.7, spread: float = SPREAD) -> tuple[Gain, float]:
    """And by how much as many chosen labels are truly better."""
    ahead, m = curves(audits, seed, steep, 0.5, spread)
    found = gain(LABELS, ahead, m, spread**2, LABELS[-1])
    assert found is not None
    return found, accuracy(m, steep) - accuracy(m, 0.5)


def test_what_is_claimed_holds_and_is_shown_once_there_are_enough_audits() -> None:
    found = [claimed(200, seed) for seed in range(60)]
    shown = [(one, worth) for one, worth in found if one.is_shown]
    assert len(shown) >= 30
    assert np.mean([one.low <= worth <= (one.high or 0) for one, worth in shown]) >= 0.93
    some = shown[0][0]
    assert some.in_words(some.audits).startswith(f"{some.random - (some.chosen or 0)} labels saved (")


def test_before_that_it_is_too_early_and_it_says_how_many_more_audits_it_takes() -> None:
    early = [claimed(35, seed, spread=0.15)[0] for seed in range(10)]
    assert not any(one.is_shown for one in early)
    assert all(one.needed > 35 for one in early)
    assert all("too early to tell: it takes about" in one.in_words(one.audits) for one in early)
    assert "too early" in saved(LABELS, [None] * len(LABELS), 27, 0.001, 620).in_words(0)


@pytest.mark.parametrize("steep", [0.7, 0.5, 0.4])  # better than random order, as good, worse
def test_the_gain_over_random_order_is_that_of_as_many_labels_and_holds_the_truth(steep: float) -> None:
    found = [gained(200, seed, steep) for seed in range(60)]
    assert {one.labels for one, _ in found} == {180}
    assert np.mean([one.low <= truth <= one.high for one, truth in found]) >= 0.93
    shown = [(one, truth) for one, truth in found if one.is_shown]
    assert len(shown) >= 30
    assert abs(np.mean([one.value - truth for one, truth in shown])) < 0.02
    assert f"{100 * shown[0][0].value:+.1f} points of accuracy" in shown[0][0].in_words(400)
    assert "180 chosen labels against as many random ones" in shown[0][0].in_words(400)
    assert f"what {LABELS[-1]} random labels are worth is not known" in shown[0][0].in_words(400)


def test_no_gain_is_told_too_early_or_where_no_version_had_as_few_labels() -> None:
    early = [gained(35, seed, spread=0.15)[0] for seed in range(10)]
    assert not any(one.is_shown for one in early)
    assert all(one.needed > 35 for one in early)
    assert all("too early to tell: it takes about" in one.in_words(one.audits) for one in early)
    ahead, m = curves(200, 0)
    late = next(n for n, labels in enumerate(LABELS) if labels > m)
    assert gain(LABELS[late:], ahead[late:], m, SPREAD**2, LABELS[-1]) is None
    assert gain(LABELS, [None] * len(LABELS), m, SPREAD**2, LABELS[-1]) is None


def test_every_audit_task_is_asked_of_a_model_that_has_not_seen_it() -> None:
    asked: list[int] = []

    def predict(train: Rows, held: Rows, others: Rows) -> tuple[Sequence[Label], Sequence[Label]]:
        assert not set(train.tolist()) & set(held.tolist())
        asked.extend(held.tolist())
        share = 0.5 + 0.001 * len(train)
        return ["a"] * len(held), ["a" if n % 100 < 100 * share else "b" for n in others.tolist()]

    def same(one: Sequence[Label], other: Sequence[Label]) -> Floats:
        return np.array([a == b for a, b in zip(one, other, strict=True)], dtype=np.float64)

    found = alone(predict, same, ["a"] * 400, 100, 0)
    assert isinstance(found, Alone)
    assert sorted(asked) == list(range(100))
    assert (found.labels, len(found.audits), len(found.others)) == (90, 100, 400)
    assert 0 < found.variance < 0.001


def test_how_many_more_audits_it_takes_is_counted_from_those_that_are_labeled_by_now() -> None:
    one = replace(claimed(35, 0, spread=0.15)[0], audits=60, needed=110)
    assert one.in_words(60).endswith("about 50 more audit labels")
    assert one.in_words(73).endswith("about 37 more audit labels")
    assert "more" not in one.in_words(110)
    soon = replace(one, needed=62)  # models are fitted again once there are a quarter more
    assert soon.in_words(70).endswith("about 5 more audit labels")
