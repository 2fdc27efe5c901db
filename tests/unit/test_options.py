"""Per-project settings: what may be typed, and how the rest is refused."""

from __future__ import annotations

from math import inf

import pytest

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
