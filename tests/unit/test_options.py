"""Per-project settings: what may be typed, and how the rest is refused."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.errors import SettingsError
from nextlabel.options import FROM_LABELS, ProjectOptions, ShowFrom


def test_numbers_may_come_as_text_as_they_do_from_a_command_line() -> None:
    typed = {"strategy": " entropy ", "window": "50", "quiet_seconds": "0.5", "max_wait_seconds": "3", "seed": "7"}
    assert ProjectOptions().updated(typed) == ProjectOptions("entropy", 50, 0.5, 3.0, 7)


def test_what_is_not_named_stays_as_it_was() -> None:
    assert ProjectOptions(window=50, seed=7).updated({"window": 60}) == ProjectOptions(window=60, seed=7)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"'strategie'.*known are .*strategy.*window"):
        ProjectOptions().updated({"strategie": "margin"})


BAD = [
    ("options", {"window": 7}),
    ("window", 99_999),
    ("window", None),
    ("window", [1]),
    ("seed", 10**400),
    ("seed", float("nan")),
    ("strategy", ""),
    ("parameters", "many"),
    ("strategy", "m" * 301),
    ("parameters", {"key": "x" * 100_000}),
    ("region_scores", "mood"),
    ("an option of tomorrow", None),
]


@given(st.lists(st.sampled_from(BAD)).map(dict), st.integers(1, 10_000))
def test_whatever_is_stored_what_can_be_used_of_it_is_used_and_the_rest_is_kept(
    bad: dict[str, object], number: int
) -> None:
    stored = {"quiet_seconds": 5.0, "cold_start": number, **bad}
    options = ProjectOptions.stored(stored)
    assert (options.quiet_seconds, options.cold_start, options.window) == (5, number, 200)
    assert options.row == ProjectOptions().row | stored
    assert ProjectOptions.stored(options.row) == options
    assert all(f"'{name}'" in options.complaint for name in list(bad)[:5])
    assert bool(options.complaint) == bool(bad)


@pytest.mark.parametrize("stored", [None, [], "margin", 7])
def test_where_no_options_are_stored_the_defaults_are_used_and_what_stands_there_is_kept(stored: object) -> None:
    options = ProjectOptions.stored(stored)
    assert options.in_force == ProjectOptions().in_force
    assert options.row["options"] == stored


def test_what_was_set_aside_goes_when_it_is_set_anew_or_taken_away() -> None:
    options = ProjectOptions.stored({"window": 99_999, "tomorrow": 1})
    assert options.updated({"seed": 3}).set_aside == {"window": 99_999, "tomorrow": 1}
    assert options.updated({"window": 50, "tomorrow": ""}) == ProjectOptions(window=50)
    with pytest.raises(SettingsError, match="'tomorrow'"):
        options.updated({"tomorrow": 2})


def test_what_a_stranger_typed_is_shown_in_part_and_parameters_not_at_all() -> None:
    for changes in ({"window": "9" * 10_000}, {"w" * 10_000: 1}, {"region_scores": "s" * 10_000}):
        with pytest.raises(SettingsError) as refused:
            ProjectOptions().updated(changes)
        assert len(str(refused.value)) < 400
    with pytest.raises(SettingsError, match="'parameters'") as refused:
        ProjectOptions().updated({"parameters": "hush"})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategy", ""),
        ("strategy", 7),
        ("strategy", None),
        ("window", 0),
        ("window", 10_001),
        ("window", 1.5),
        ("window", True),
        ("window", "many"),
        ("window", "nan"),
        ("window", "1e999"),
        ("window", []),
        ("quiet_seconds", -0.1),
        ("quiet_seconds", 3601),
        ("quiet_seconds", "nan"),
        ("max_wait_seconds", "inf"),
        ("max_wait_seconds", 86_401),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", {}),
    ],
)
def test_a_bad_value_is_refused_by_the_options_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"'{name}'"):
        ProjectOptions().updated({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("window", 1), ("window", 10_000), ("quiet_seconds", 0), ("max_wait_seconds", 0), ("seed", 2**32 - 1)],
)
def test_the_bounds_themselves_are_good(name: str, value: int) -> None:
    assert getattr(ProjectOptions().updated({name: value}), name) == value


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("always", ShowFrom(0, 0)),
        (" Never ", ShowFrom(inf, inf)),
        ("1", ShowFrom(1, 0)),
        (50, ShowFrom(50, 0)),
        ("80%", ShowFrom(FROM_LABELS, 0.8)),
        ("72.5 %", ShowFrom(FROM_LABELS, 0.725)),
        ("0.8", ShowFrom(FROM_LABELS, 0.8)),
        (0.8, ShowFrom(FROM_LABELS, 0.8)),
        (".8", ShowFrom(FROM_LABELS, 0.8)),
        ("100%", ShowFrom(FROM_LABELS, 1)),
    ],
)
def test_predictions_are_shown_always_never_from_so_many_labels_or_from_so_likely_on(
    typed: object, meant: ShowFrom
) -> None:
    assert ProjectOptions().updated({"show_predictions": typed}).show_from == meant


@pytest.mark.parametrize(
    "typed",
    [
        *("", "sometimes", "0", "-5", "0%", "101%", "1.0", "1.5", "0.0", "50 labels", "nan", "9" * 99),
        *(0, -1, 1.0, True, None, [], {"from": 50}),
    ],
)
def test_what_says_not_which_predictions_are_shown_is_refused_with_what_to_write(typed: object) -> None:
    with pytest.raises(SettingsError, match=r"'show_predictions' is .*write always, never, .*50.*80%") as refusal:
        ProjectOptions().updated({"show_predictions": typed})
    assert len(str(refusal.value)) < 300


def test_labels_in_order_are_texts_of_which_each_comes_once() -> None:
    grades = ProjectOptions().updated({"ordered": '{"grade": ["poor", "fair", "good"]}'}).ordered
    assert grades == {"grade": ["poor", "fair", "good"]}
    for wrong in ({"grade": "poor"}, {"grade": ["poor"]}, {"grade": ["poor", "poor"]}, {"grade": [1, 2]}):
        with pytest.raises(SettingsError, match="from the lowest to the highest"):
            ProjectOptions().updated({"ordered": wrong})
