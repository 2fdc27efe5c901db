"""`relabel=auto`: a new task, or one that is labeled already, whichever a label is worth more for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from integration.conftest import WORDS
from integration.test_loop import STARS
from integration.test_scores_of_others import connect
from nextlabel.errors import SettingsError, ToolRejected
from nextlabel.labeling import LabelSchema, TaskId
from nextlabel.loop.relabeling import EVERY, MOST_LABELS
from nextlabel_connectors.memory import MemoryConnectorType
from nextlabel_connectors.memory.connector import MemoryConnector

if TYPE_CHECKING:
    from integration.conftest import Team

_OTHER = dict(zip(WORDS, reversed(WORDS), strict=True))


def label_by_two(team: Team, *, wrong: int) -> list[TaskId]:
    """Ann and ben label 60 tasks each, one in so many of them wrongly, and never the same one; 120 are open. Returns
    those that are wrong."""
    tasks = team.import_mails(240)
    flipped = tasks[5:120:wrong] if wrong else ()
    for n, task in enumerate(tasks[:120]):
        label = team.truth[task]
        team.tool.submit(team.at_tool, task, _OTHER[label] if task in flipped else label, "ben" if n % 2 else "ann")
    team.parts.turns.take(team.project)
    return list(flipped)


@pytest.fixture
def two(team: Team) -> tuple[Team, list[TaskId]]:
    team.choose(relabel="auto", window=100)
    return team, label_by_two(team, wrong=9)


def by_whom(team: Team, task: TaskId) -> list[str]:
    with team.tool.opened(team.at_tool) as it:
        return list(it.rows[task].annotators.values())


def wanted(team: Team) -> Mapping[TaskId, int]:
    """How many labels the tool wants of each task that has some."""
    with team.tool.opened(team.at_tool) as it:
        return {task: row.wanted for task, row in it.rows.items() if row.annotations}


def coming(team: Team) -> list[TaskId]:
    """Labeled tasks in the queue, the first first."""
    return [task for task in team.queue() if by_whom(team, task)]


@pytest.mark.every_database
def test_labels_that_are_worth_another_come_to_somebody_else_one_in_ten_and_once_settled_no_more(
    two: tuple[Team, list[TaskId]],
) -> None:
    team, wrong = two
    again, queue = coming(team), team.queue()
    assert 4 <= len(set(again) & set(wrong)) <= len(again) <= 100 // (EVERY - 1)
    assert [queue.index(task) + 1 for task in again] == [EVERY * (n + 1) for n in range(len(again))]
    with team.tool.opened(team.at_tool) as it:
        shown = [it.order[task] for task in again]
    assert all(one is not None and one.guesses == () for one in shown), "whoever sees a guess agrees with it"
    for by in ("ann", "ben"):
        theirs = [task for task in coming(team) if by in by_whom(team, task)]
        assert theirs
        others = set(coming(team)).difference(theirs)
        while (taken := team.tool.take_next(team.at_tool, by)) and taken[0] not in others:
            team.tool.submit(team.at_tool, taken[0], team.truth[taken[0]], by)
        assert taken is not None
        (given,) = labels(team, taken[0])
        team.tool.submit(team.at_tool, taken[0], given, by)  # agrees, right or wrong
        team.parts.turns.take(team.project)
        for _ in range(2):
            team.work(1)
            team.parts.turns.take(team.project)
            assert taken[0] not in {*coming(team), *team.parts.reviews.waiting(team.project)}
        assert wanted(team)[taken[0]] == 1, "as it was"


def labels(team: Team, task: TaskId) -> list[str]:
    with team.tool.opened(team.at_tool) as it:
        return [str(one.labels["label"]) for one in it.rows[task].annotations.values()]


def test_a_third_person_decides_between_two_and_nobody_is_asked_after_that(team: Team) -> None:
    """Of what the model cannot tell either."""
    team.choose(relabel="auto", window=100)
    label_by_two(team, wrong=0)
    texts = [f"{ham} {spam}" for ham in WORDS["ham"] for spam in WORDS["spam"]]
    hard = team.tool.add_tasks(team.at_tool, texts[:24])
    for n, task in enumerate(hard):
        first, last = ("ham", "spam") if n % 2 else ("spam", "ham")
        team.tool.submit(team.at_tool, task, first, "ann")
        team.tool.submit(team.at_tool, task, last, "ben")
    for _ in range(2):  # by what models predicted that were fitted on them
        team.work(1)
        team.parts.turns.take(team.project)
    task, *_ = (one for one in coming(team) if one in hard)
    assert wanted(team)[task] == MOST_LABELS
    by_ann, by_ben = labels(team, task)
    assert team.learned[task] == by_ben, "the latest"
    team.tool.submit(team.at_tool, task, by_ann, "cat")
    for _ in range(2):
        team.parts.turns.take(team.project)
        assert (team.learned[task], task in coming(team), wanted(team)[task]) == (by_ann, False, 1)
        team.work(1)


def test_disconnecting_puts_back_what_the_tool_had_of_each_task(two: tuple[Team, list[TaskId]]) -> None:
    team, _ = two
    begun = set(team.parts.reviews.waiting(team.project))
    assert begun == {task for task, labels in wanted(team).items() if labels > 1}
    connection = team.parts.connections.get(team.project)
    done = list(team.parts.reviewing.withdraw(team.project, team.parts.open_connector(connection)))
    assert [one.message for one in done] == [f"{len(begun)} labels under review served no more."]
    assert (set(wanted(team).values()), coming(team)) == ({1}, [])


def test_the_option_off_ends_it_though_nobody_labels_and_a_task_that_somebody_skipped_stays_away(
    two: tuple[Team, list[TaskId]],
) -> None:
    team, _ = two
    skipped, *_ = coming(team)
    team.tool.skip(team.at_tool, skipped, "cat")
    team.parts.turns.take(team.project)
    assert skipped not in coming(team)
    team.work(1)
    team.parts.turns.take(team.project)
    assert (skipped in coming(team), bool(coming(team))) == (False, True)
    team.choose(relabel="off", window=100)
    team.parts.turns.take(team.project)
    assert (coming(team), team.parts.reviews.waiting(team.project)) == ([], [])


def test_audit_tasks_and_what_somebody_marked_as_the_truth_never_come_again(team: Team) -> None:
    """A second label of those audit tasks that the model gets wrong would make it look better than it is."""
    tasks = team.import_mails(240)
    team.choose(relabel="auto", audit_share=0.3, window=100)
    team.run()
    audits = team.parts.reserves.tasks(team.project)
    for n, task in enumerate(tasks[:140]):
        label = team.truth[task]
        wrong = n % 5 == 0 or task in audits  # each label of an audit task
        team.tool.submit(team.at_tool, task, _OTHER[label] if wrong and n % 2 else label, "ben" if n % 3 else "ann")
    team.parts.turns.take(team.project)
    assert len(coming(team)) >= 2
    assert not set(coming(team)) & audits


def test_a_task_whose_label_was_withdrawn_stands_in_the_order_once_and_one_that_was_deleted_nowhere(
    two: tuple[Team, list[TaskId]],
) -> None:
    team, _ = two
    withdrawn, deleted, *_ = coming(team)
    with team.tool.opened(team.at_tool) as it:
        (annotation,) = it.rows[withdrawn].annotations
    team.tool.withdraw(team.at_tool, annotation)
    team.tool.delete_task(team.at_tool, deleted)
    team.choose(relabel="auto", window=150)  # all open tasks have a place
    for _ in range(2):
        team.work(1)
        team.parts.turns.take(team.project)
        (order,) = team.parts.orders.announced(team.project, newest=1)
        assert [order.window.count(task) for task in (withdrawn, deleted)] == [1, 0]
        assert len(order.window) == len(set(order.window))
    assert not {withdrawn, deleted} & set(team.parts.reviews.waiting(team.project))


def test_where_the_tool_serves_begun_tasks_at_random_the_order_holds_none(
    two: tuple[Team, list[TaskId]], monkeypatch: pytest.MonkeyPatch
) -> None:
    team, _ = two
    assert coming(team)
    monkeypatch.setattr(MemoryConnector, "why_not_again", lambda self: "The project asks for 2 annotations per task.")
    team.work(1)
    team.parts.turns.take(team.project)
    (order,) = team.parts.orders.announced(team.project, newest=1)
    assert not [task for task in order.window if by_whom(team, task)]
    assert (team.parts.reviews.waiting(team.project), set(wanted(team).values())) == ([], {1})


def test_choosing_the_option_counts_at_once(two: tuple[Team, list[TaskId]]) -> None:
    """Nobody has to wait for the next label, neither to have labeled tasks come again nor to be rid of them."""
    team, _ = two
    for _ in range(2):
        connect(team, relabel="off")
        assert (coming(team), team.parts.reviews.waiting(team.project)) == ([], [])
        connect(team, relabel="auto")
        assert coming(team)
        assert sorted(coming(team)) == sorted(team.parts.reviews.waiting(team.project))


def test_a_large_window_has_no_more_of_them_than_a_round_can_ask_for(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextlabel.loop.relabeling.MOST", 2)
    team.choose(relabel="auto", window=100)
    label_by_two(team, wrong=9)
    assert len(coming(team)) == len(team.parts.reviews.waiting(team.project)) == 2


def test_a_task_that_the_tool_refuses_keeps_no_other_from_coming(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, refused = MemoryConnector.ask_again, list[TaskId]()

    def refusing(connector: MemoryConnector, task: TaskId, before: Mapping[str, object]) -> None:
        if task in (refused or [task]):
            refused[:] = [task]
            raise ToolRejected("It is locked.")
        ask(connector, task, before)

    monkeypatch.setattr(MemoryConnector, "ask_again", refusing)
    team.choose(relabel="auto", window=100)
    label_by_two(team, wrong=9)
    begun = set(team.parts.reviews.waiting(team.project))
    assert set(coming(team)) == begun.difference(refused) != set()


def test_with_one_annotator_none_comes(team: Team) -> None:
    tasks = team.import_mails(150)
    team.choose(relabel="auto")
    for n, task in enumerate(tasks[:100]):
        label = team.truth[task]
        team.tool.submit(team.at_tool, task, label if n % 10 else _OTHER[label], "ann")
    team.parts.turns.take(team.project)
    assert (coming(team), team.parts.reviews.waiting(team.project)) == ([], [])


def test_it_comes_beside_suspects_for_review_and_each_task_once(two: tuple[Team, list[TaskId]]) -> None:
    team, _ = two
    team.choose(relabel="auto", suspects="queue", window=100)
    for _ in range(2):
        team.work(1)
        team.parts.turns.take(team.project)
    queue, begun = team.queue(), team.parts.reviews.begun(team.project)
    assert {one.reason for one in begun.values()} == {"suspected", "worth"}
    assert len(queue) == len(set(queue))
    assert set(begun) == set(coming(team))


def test_it_is_refused_where_no_labeled_task_can_be_served_or_weighed(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    with team.tool.opened(team.at_tool) as it:
        choice = it.schema.targets[0]
        it.schema = LabelSchema((STARS,))
    with pytest.raises(SettingsError, match="weighs single choices, and no control is one: choose off"):
        connect(team, relabel="auto")
    with team.tool.opened(team.at_tool) as it:
        it.schema = LabelSchema((STARS, choice))
    with pytest.raises(SettingsError, match="'relabel' is 'yes': it must be auto or off"):
        connect(team, relabel="yes")
    connect(team, relabel="auto")

    class Without(MemoryConnector):
        ask_again = None  # type: ignore[assignment]

    monkeypatch.setattr(
        MemoryConnectorType, "open", lambda self, access, project: Without(team.tool, access.token, project)
    )
    with pytest.raises(SettingsError, match="'relabel' is auto, and memory serves nobody a labeled task once more"):
        connect(team, relabel="auto")
