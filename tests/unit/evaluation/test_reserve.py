"""Audit tasks are a random sample that stays, stand evenly among the ranked ones, and cannot be told from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from nextlabel.evaluation.reserve import Reserve, audit_rate, interleave
from nextlabel.labeling import TaskId

RESERVE = Reserve("pepper")
IDS = st.sets(st.text(min_size=1, max_size=6).map(TaskId), max_size=150)


def tasks(count: int, first: int = 0) -> list[TaskId]:
    return [TaskId(str(n)) for n in range(first, first + count)]


@given(ids=IDS, seed=st.integers(0, 99), least=st.integers(0, 40))
def test_the_sample_does_not_depend_on_the_order_in_which_tasks_are_named(
    ids: set[TaskId], seed: int, least: int
) -> None:
    reserve, named = Reserve("pepper", least=least), sorted(ids)
    shuffled = [named[n] for n in np.random.default_rng(seed).permutation(len(named))]
    assert reserve.sample(shuffled) == reserve.sample(named + named)
    assert len(reserve.sample(named)) >= min(least, len(named))


@given(before=IDS, later=IDS, least=st.integers(0, 40), share=st.floats(0, 1))
def test_no_task_becomes_an_audit_task_because_others_come(
    before: set[TaskId], later: set[TaskId], least: int, share: float
) -> None:
    reserve = Reserve("pepper", share, least)
    first, now = reserve.sample(before), reserve.sample(before | later)
    assert set(now) & before <= set(first)


@given(
    changes=st.lists(st.tuples(IDS, st.sampled_from(["come", "go"])), max_size=6),
    least=st.integers(0, 40),
    share=st.floats(0, 0.5),
)
def test_no_task_becomes_an_audit_task_whatever_comes_and_goes(
    changes: list[tuple[set[TaskId], str]], least: int, share: float
) -> None:
    reserve, there, last = Reserve("pepper", share, least), {TaskId("first")}, ""
    ranked = set[TaskId]()
    for some, what in changes:
        there = there | some if what == "come" else there - some
        sample = reserve.sample(there, last)
        last = reserve.end(sample, last)
        assert not ranked.intersection(sample), "a strategy may have chosen among what is left of these"
        assert reserve.until(last, there) == sample
        ranked |= there.difference(sample)


def test_a_project_that_lost_most_of_its_tasks_and_grows_again_reserves_its_share() -> None:
    last = RESERVE.end(RESERVE.sample(tasks(400)))
    left = RESERVE.sample(tasks(30), last)
    assert RESERVE.end(left, last) == last
    assert RESERVE.end((), last) == last
    assert set(RESERVE.sample(tasks(5_000), last)) == set(RESERVE.sample(tasks(5_000)))


def test_a_large_project_reserves_a_tenth_for_good_and_a_small_one_sixty() -> None:
    tenth = RESERVE.sample(tasks(20_000))
    assert len(tenth) == pytest.approx(2000, abs=4 * (20_000 * 0.1 * 0.9) ** 0.5)
    assert [task for task in RESERVE.sample(tasks(40_000)) if int(task) < 20_000] == list(tenth)
    assert len(RESERVE.sample(tasks(200))) == 60
    assert len(RESERVE.sample(tasks(20))) == 20


def test_a_project_that_grows_past_its_least_has_a_sample_in_which_no_part_weighs_more() -> None:
    """Of the sixty of the first hundred tasks only those stay in the sample that a tenth of all would have."""
    first = [len([task for task in Reserve(f"salt {n}").sample(tasks(2000)) if int(task) < 100]) for n in range(200)]
    assert np.mean(first) == pytest.approx(10, abs=4 * 3 / 200**0.5)


def test_another_salt_reserves_others_and_no_share_none() -> None:
    ours, theirs = (set(Reserve(salt).sample(tasks(5000))) for salt in ("pepper", "salt"))
    assert len(ours & theirs) == pytest.approx(50, abs=30)
    assert Reserve("pepper", 0).sample(tasks(100)) == ()


@pytest.mark.parametrize(("salt", "share", "least"), [("", 0.1, 60), ("pepper", 1.1, 60), ("pepper", 0.1, -1)])
def test_a_reserve_that_cannot_be_meant_is_refused(salt: str, share: float, least: int) -> None:
    with pytest.raises(ValueError, match=r"salt is empty|share is"):
        Reserve(salt, share, least)


def test_audits_come_less_often_the_more_there_are() -> None:
    assert [audit_rate(n) for n in (0, 49, 50, 199, 200, 10_000)] == [0.2, 0.2, 0.1, 0.1, 0.05, 0.05]


@given(
    ranked=st.integers(0, 300),
    audits=st.integers(0, 80),
    size=st.integers(0, 250),
    labels=st.sampled_from([0, 60, 500]),
    version=st.text(max_size=5),
)
def test_a_window_holds_the_first_of_both_each_task_once(
    ranked: int, audits: int, size: int, labels: int, version: str
) -> None:
    ours, theirs = tasks(ranked), tasks(audits, 10_000)
    window = interleave(ours, theirs, size=size, audit_labels=labels, salt="pepper", version=version)
    served = [task for task in window.tasks if task in window.audits]
    others = [task for task in window.tasks if task not in window.audits]
    assert sorted(served) == theirs[: len(served)]
    assert others == ours[: len(others)]
    assert len(window.tasks) == min(size, ranked + audits)
    assert window.audits <= window.blank <= set(window.tasks)


@given(labels=st.sampled_from([0, 60, 500]), version=st.text(max_size=5))
def test_each_block_of_places_has_one_audit_and_one_blank_ranked_task(labels: int, version: str) -> None:
    window = interleave(tasks(500), tasks(200, 10_000), size=200, audit_labels=labels, salt="pepper", version=version)
    block = round(1 / audit_rate(labels))
    for start in range(0, 200, block):
        places = window.tasks[start : start + block]
        assert sum(task in window.audits for task in places) == 1
        assert sum(task in window.blank for task in places) == 2


def test_which_blank_task_is_the_audit_is_a_coin_and_its_place_is_any() -> None:
    places, first = [], 0
    for version in range(100):
        window = interleave(
            tasks(100), tasks(40, 10_000), size=100, audit_labels=0, salt="pepper", version=f"nextlabel-{version}"
        )
        for start in range(0, 100, 5):
            blank = [n for n in range(start, start + 5) if window.tasks[n] in window.blank]
            first += window.tasks[blank[0]] in window.audits
            places += [n - start for n in blank if window.tasks[n] in window.audits]
    assert binomtest(first, 2000).pvalue > 1e-4
    assert chisquare(np.bincount(places, minlength=5)).pvalue > 1e-4


def test_audits_that_are_labeled_while_an_order_is_made_leave_no_gap_at_its_top() -> None:
    """Ten tasks are labeled in each order, and of those of the order before the new one does not know."""
    waiting, ranked, late, audits = tasks(100, 10_000), tasks(1000), set[TaskId](), 0
    for version in range(40):
        window = interleave(ranked, waiting, size=100, audit_labels=0, salt="pepper", version=str(version))
        now = [task for task in window.tasks if task not in late][:10]
        audits += len(window.audits.intersection(now))
        waiting = [task for task in waiting if task not in late]
        ranked = [task for task in ranked if task not in late][::-1]  # each model has an order of its own
        late = set(now)
    assert audits == pytest.approx(0.2 * 400, abs=20)


def test_audits_fill_the_window_when_nothing_else_is_open_and_a_spent_reserve_leaves_all_to_the_ranked() -> None:
    window = interleave(tasks(3), tasks(50, 10_000), size=40, audit_labels=500, salt="pepper", version="1")
    assert len(window.audits) == 37
    spent = interleave(tasks(100), [], size=40, audit_labels=0, salt="pepper", version="1")
    assert (spent.tasks, spent.blank) == (tuple(tasks(40)), frozenset())


def test_a_reserved_task_that_is_also_ranked_is_served_once_as_an_audit() -> None:
    window = interleave(tasks(20), tasks(2), size=20, audit_labels=0, salt="pepper", version="1")
    assert sorted(window.tasks) == sorted(tasks(20))
    assert window.audits == set(tasks(2))
