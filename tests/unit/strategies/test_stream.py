"""Task by task: what is above the moving average is wanted, and the stream never starves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.strategies.stream import PreferUncertain, prefer_uncertain


def test_the_uncertain_are_preferred() -> None:
    utilities = np.random.default_rng(0).random(2000)
    wanted = np.array(list(prefer_uncertain(utilities, float)))
    assert 0.4 < len(wanted) / len(utilities) < 0.6
    assert wanted.mean() > 0.7


def test_who_is_choosier_gets_fewer_and_better_ones() -> None:
    utilities = np.random.default_rng(0).random(2000)
    easy, choosy = (
        list(prefer_uncertain(utilities, float, PreferUncertain(eagerness=eagerness))) for eagerness in (0.0, 1.0)
    )
    assert len(choosy) < len(easy) / 2
    assert np.mean(choosy) > np.mean(easy)


def test_the_bar_follows_a_model_that_grows_surer() -> None:
    prefer, rng = PreferUncertain(), np.random.default_rng(0)
    for utility in 0.8 + 0.1 * rng.random(200):
        prefer.wants(float(utility))
    later = [prefer.wants(float(utility)) for utility in 0.2 + 0.1 * rng.random(400)]
    assert not any(later[:10])
    assert 0.3 < np.mean(later[200:]) < 0.7


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(0, 5))
def test_no_run_of_refusals_is_longer_than_the_patience(utilities: list[float], patience: int) -> None:
    prefer, refused = PreferUncertain(eagerness=3, patience=patience), 0
    for utility in utilities:
        refused = 0 if prefer.wants(utility) else refused + 1
        assert refused <= patience


@given(st.floats(0, 1), st.integers(1, 50))
def test_a_stream_of_equals_is_wanted_entirely(utility: float, n: int) -> None:
    prefer = PreferUncertain(eagerness=2)
    assert all(prefer.wants(utility) for _ in range(n))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(0.01, 1))
def test_the_moments_are_those_of_exponential_weights(utilities: list[float], smoothing: float) -> None:
    prefer = PreferUncertain(smoothing=smoothing, eagerness=1)
    for utility in utilities:
        prefer.wants(utility)
    n = len(utilities)
    weights = np.array([(1 - smoothing) ** (n - 1)] + [smoothing * (1 - smoothing) ** (n - 1 - i) for i in range(1, n)])
    mean = float(weights @ utilities)
    deviation = float(np.sqrt(weights @ (np.array(utilities) - mean) ** 2))
    assert prefer.bar == pytest.approx(mean + deviation, abs=1e-6)


def test_nan_and_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="finite number, not nan"):
        PreferUncertain().wants(float("nan"))
    with pytest.raises(SettingsError, match="smoothing"):
        PreferUncertain(smoothing=0)
