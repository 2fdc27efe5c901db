"""The forecast of the next labels' gain, on learning curves that are known."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.evaluation.forecast import AHEAD, FEWEST, Forecast, forecast
from nextlabel.labeling.ranking import Floats

LABELS = [round(30 * 1.08**n) for n in range(34)]  # up to 380


def error(labels: Floats | float, at_30: float, power: float) -> Floats:
    return np.asarray(at_30 * (np.asarray(labels) / 30) ** -power)


def versions(at_30: float, power: float, audits: int, seed: int) -> Floats:
    """How right each version is about each audit task: the harder the task, the later, with some that come and go."""
    rng = np.random.default_rng(seed)
    hardness, noise = rng.random(audits), rng.normal(0, 0.01, (len(LABELS), audits))
    return np.asarray(hardness + noise > error(np.array(LABELS), at_30, power)[:, None], dtype=np.float64)


def found(at_30: float, power: float, audits: int, seed: int) -> Forecast:
    then, now = error(LABELS[-1] / 1.5, at_30, power), error(LABELS[-1], at_30, power)
    ahead = forecast(LABELS, versions(at_30, power, audits, seed), float(then - now) + 0.005)
    assert ahead is not None
    return ahead


@pytest.mark.parametrize(("at_30", "power"), [(0.4, 0.3), (0.4, 0.7), (0.2, 0.5)])
def test_the_gain_is_inside_the_interval_at_least_as_often_as_it_says(at_30: float, power: float) -> None:
    truth = error(LABELS[-1], at_30, power) - error(LABELS[-1] + AHEAD, at_30, power)
    drawn = [found(at_30, power, 60, seed) for seed in range(60)]
    assert np.mean([one.low <= truth <= one.high for one in drawn]) >= 0.75
    assert np.mean([one.value for one in drawn]) == pytest.approx(float(truth), abs=0.5 * float(truth))


def test_a_curve_that_is_flat_or_near_its_end_differs_from_one_that_still_falls() -> None:
    assert found(0.6, 0.4, 200, 1).value > 0.01
    assert found(0.02, 0.5, 200, 1).high < 0.005


def test_with_few_audit_labels_nothing_is_forecast() -> None:
    assert forecast(LABELS, versions(0.4, 0.5, FEWEST - 1, 0), 0.02) is None
    unknown = versions(0.4, 0.5, 100, 0)
    unknown[-1, : 100 - FEWEST + 1] = np.nan
    assert forecast(LABELS, unknown, 0.02) is None
    assert forecast(LABELS[-1:], versions(0.4, 0.5, 100, 0)[-1:], 1.0) is not None, "one version is enough"
