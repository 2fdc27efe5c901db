"""Which guesses of a version people see, and how that is told."""

from __future__ import annotations

from math import inf

import pytest

from nextlabel.evaluation.showing import showing
from nextlabel.options import ProjectOptions, ShowFrom

ALWAYS, NEVER, FROM_50, LIKELY = (
    ProjectOptions(show_predictions=it).show_from for it in ("always", "never", "50", "80%")
)


def metrics(labels: int, *, judged: bool = True) -> dict[str, float]:
    return {"labels": float(labels)} | ({"accuracy": 0.9} if judged else {})


@pytest.mark.parametrize(
    ("wanted", "labels", "least"),
    [
        (ALWAYS, 1, 0),
        (NEVER, 5000, inf),
        (FROM_50, 49, inf),
        (FROM_50, 50, 0),
        (LIKELY, 29, inf),
        (LIKELY, 30, 0.8),
    ],
)
def test_guesses_are_shown_from_so_many_labels_of_their_target_on(wanted: ShowFrom, labels: int, least: float) -> None:
    assert showing(wanted, metrics(labels)).least("kind") == least


def test_a_chance_that_was_never_checked_on_unseen_labels_counts_for_nothing() -> None:
    assert showing(LIKELY, metrics(200, judged=False)).least("kind") == inf
    assert showing(LIKELY, metrics(200, judged=False)).sentence.startswith("withheld until chances can be checked")
    assert "(3 so far)" in showing(LIKELY, metrics(3, judged=False)).sentence
    assert showing(FROM_50, metrics(200, judged=False)).least("kind") == 0


def test_each_target_counts_its_own_labels() -> None:
    figures = {"kind.labels": 60.0, "kind.accuracy": 0.5, "stars.labels": 40.0, "stars.correlation": 0.1}
    found = showing(FROM_50, figures)
    assert [found.least(target) for target in ("kind", "stars", "not learned yet")] == [0, inf, inf]
    assert found.shown == {"kind": True, "stars": False}
    assert found.sentence == "kind: shown; stars: withheld until 50 labels are learned (40 so far), then shown"


def test_a_model_of_the_teams_own_is_shown_by_its_scores_once_it_has_learned_or_at_once_where_it_does_not_learn() -> (
    None
):
    learns, does_not = {"labels": 29.0, "new_labels": 500.0}, dict[str, float]()
    assert showing(LIKELY, learns, own=True).least("boxes") == inf
    assert showing(LIKELY, learns | {"labels": 30.0}, own=True).least("boxes") == 0.8
    assert [showing(it, does_not, own=True).least("boxes") for it in (ALWAYS, NEVER, FROM_50, LIKELY)] == [
        *(0, inf, 0, 0.8)
    ]


def test_a_version_of_an_earlier_release_that_counted_no_labels_has_those_that_it_was_trained_on() -> None:
    assert showing(ShowFrom(5), {}, labels=5).least("kind") == 0
    assert showing(LIKELY, {}, labels=500).least("kind") == inf


def test_orders_are_told_apart_by_what_they_show_and_by_nothing_else() -> None:
    names = [showing(it, metrics(40)).name for it in (ALWAYS, ShowFrom(40), FROM_50, NEVER, LIKELY)]
    assert names[0] == names[1] == ""
    assert names[2] == names[3] != names[4] != ""
    assert showing(NEVER, {}).name == "", "nothing is learned, nothing could be shown"


@pytest.mark.parametrize(
    ("wanted", "labels", "sentence"),
    [
        (ALWAYS, 3, "shown"),
        (NEVER, 3, "never shown"),
        (FROM_50, 3, "withheld until 50 labels are learned (3 so far), then shown"),
        (
            LIKELY,
            3,
            "withheld until 30 labels are learned (3 so far), then shown where they are right with a chance of 80%",
        ),
        (LIKELY, 30, "shown where they are right with a chance of 80%"),
    ],
)
def test_a_person_reads_whether_guesses_are_shown_and_from_when_on(
    wanted: ShowFrom, labels: int, sentence: str
) -> None:
    assert showing(wanted, metrics(labels)).sentence == sentence
