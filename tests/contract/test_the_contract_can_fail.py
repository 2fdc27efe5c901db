"""Every promise of the contract, broken on purpose by a connector that is right otherwise: its test must fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from contract.test_memory import MemoryHarness
from nextlabel.errors import NextlabelError, SchemaError, ToolRejected, ToolUnavailable
from nextlabel.labeling import Annotation, LabelSchema, QueueVersion, TaskId
from nextlabel.labeling.ranking import Ranking
from nextlabel.ports.tool import ChangePage, Finding, OwnTab, Pruned, QueueReceipt
from nextlabel.testing import contract
from nextlabel.testing.scene import Crowd, set_scene
from nextlabel_connectors.memory import MemoryConnector, MemoryTool
from nextlabel_connectors.memory.dialect import JsonDialect

CONTRACTS = [getattr(contract, name) for name in contract.__all__]
PROMISES = {
    name: owner
    for owner in CONTRACTS
    for name, _ in inspect.getmembers(owner, inspect.isfunction)
    if name.startswith("test_") and name in vars(owner)
}
CROWD = 60  # with pages of 20
Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Broken:
    """What is broken: a method of this class, wrapped."""

    method: str
    wrap: Wrap
    owner: type = MemoryConnector


def answers(value: Callable[[Any], Any], method: str, owner: type = MemoryConnector) -> Broken:
    """A method whose answer is another."""
    return Broken(method, lambda whole: lambda *a, **k: value(whole(*a, **k)), owner)


def pages(change: Callable[[ChangePage], ChangePage]) -> Broken:
    def wrap(whole: Callable[..., Iterator[ChangePage]]) -> Callable[..., Iterator[ChangePage]]:
        def changed(*a: Any, **k: Any) -> Iterator[ChangePage]:
            for page in whole(*a, **k):
                yield change(page)

        return changed

    return Broken("changed_tasks", wrap)


def annotated(change: Callable[[tuple[Annotation, ...]], tuple[Annotation, ...]]) -> Broken:
    return pages(
        lambda page: replace(page, tasks=tuple(replace(one, annotations=change(one.annotations)) for one in page.tasks))
    )


def placed(change: Callable[[Ranking], Ranking]) -> Broken:
    """Another order is written than the one that was given."""
    return Broken(
        "place", lambda whole: lambda self, version, window, *a, **k: whole(self, version, change(window), *a, **k)
    )


def receipt(**changes: Any) -> Broken:
    return answers(lambda it: replace(it, **changes), "place")


def however_few_stand(whole: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, standing=1: whole(self)


def does_nothing(method: str, owner: type = MemoryConnector, value: Any = None) -> Broken:
    return Broken(method, lambda whole: lambda *a, **k: value, owner)


def raises(method: str, error: Exception, owner: type = MemoryConnector) -> Broken:
    def fail(*a: Any, **k: Any) -> Any:
        raise error

    return Broken(method, lambda whole: fail, owner)


def reversed_order(window: Ranking) -> Ranking:
    return replace(window, tasks=window.tasks[::-1])


def adding_tasks(whole: Callable[..., OwnTab]) -> Callable[..., OwnTab]:
    """Whatever a tab is given, it shows one task more."""

    def show_tab(self: MemoryConnector, tab: OwnTab, title: str, tasks: Sequence[TaskId]) -> OwnTab:
        with self._opened() as it:
            return whole(self, tab, title, [*tasks, next(task for task in it.rows if task not in tasks)])

    return show_tab


def by_its_title(whole: Callable[..., bool]) -> Callable[..., bool]:
    """A tab is taken for ours that begins with our name."""

    def remove_tab(self: MemoryConnector, tab: OwnTab) -> bool:
        with self._opened() as it:
            ours = [name for name, (title, _) in it.tabs.items() if title.startswith("nextlabel")]
            return any(it.tabs.pop(name) for name in ours)

    return remove_tab


def switching_first(whole: Callable[..., QueueReceipt]) -> Callable[..., QueueReceipt]:
    """What may not be switched to any more is switched to all the same."""

    def place(self: MemoryConnector, *a: Any, may_switch: Callable[[], None] = lambda: None, **k: Any) -> QueueReceipt:
        try:
            may_switch()
        finally:
            written = whole(self, *a, **k)
        return written

    return place


def without_vanished(whole: Callable[..., QueueReceipt]) -> Callable[..., QueueReceipt]:
    def place(*a: Any, **k: Any) -> QueueReceipt:
        made = whole(*a, **k)
        if made.vanished:
            raise ToolRejected("a task is not there")
        return made

    return place


def always_from_the_start(whole: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, since, **k: whole(self, None, **k)


def only_in_lots(whole: Callable[..., Pruned]) -> Callable[..., Pruned]:
    return lambda self, old, at_most, **k: whole(self, old, 10_000, **k)


def everybodys(whole: Callable[..., Pruned]) -> Callable[..., Pruned]:
    def prune(self: MemoryConnector, *a: Any, **k: Any) -> Pruned:
        with self._opened() as it:
            it.others.clear()
        return whole(self, *a, **k)

    return prune


def the_order_in_force_too(whole: Callable[..., Pruned]) -> Callable[..., Pruned]:
    def prune(self: MemoryConnector, old: Any, at_most: int, **k: Any) -> Pruned:
        with self._opened() as it:
            it.in_force = None
        return whole(self, old, at_most, **k)

    return prune


def all_orders(whole: Callable[..., Pruned]) -> Callable[..., Pruned]:
    def prune(self: MemoryConnector, old: Any, at_most: int, **k: Any) -> Pruned:
        with self._opened() as it:
            for order in it.orders.values():
                order.clear()
        return whole(self, old, at_most, **k)

    return prune


def the_head_is_taken(whole: Callable[..., Any]) -> Callable[..., Any]:
    def head(self: MemoryConnector, n: int) -> Any:
        found = whole(self, n)
        with self._opened() as it:
            it.held |= {f"nextlabel {place}": task for place, task in enumerate(found)}
        return found

    return head


def forgets_itself(whole: Callable[..., Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
    """Connecting writes again what stands already."""

    def connect(self: MemoryConnector, callback: Any) -> Iterator[Finding]:
        with self._opened() as it:
            it.callback = None if it.callback and it.callback.url == callback.url else it.callback
        yield from whole(self, callback)

    return connect


def keeps_what_fails(whole: Callable[..., Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
    def connect(self: MemoryConnector, callback: Any) -> Iterator[Finding]:
        with self._opened() as it:
            it.callback = callback
        yield from whole(self, callback)

    return connect


def undoes_more(whole: Callable[..., Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
    def disconnect(self: MemoryConnector, *a: Any, **k: Any) -> Iterator[Finding]:
        with self._opened() as it:
            it.in_force = QueueVersion("another")
            it.orders[it.in_force] = {}
        yield from whole(self, *a, **k)

    return disconnect


BROKEN: Mapping[str, Broken] = {
    # core
    "test_the_schema_names_the_labels_and_the_text": answers(
        lambda it: LabelSchema(tuple(replace(one, labels=("ham",)) for one in it.targets)), "label_schema"
    ),
    "test_a_new_task_is_open_and_carries_its_text": pages(
        lambda page: replace(page, tasks=tuple(replace(one, closed=True) for one in page.tasks))
    ),
    "test_the_last_label_wins": annotated(lambda some: tuple(replace(one, updated_at="2025") for one in some[::-1])),
    "test_a_withdrawn_label_is_gone_and_its_task_is_open_again": does_nothing("withdraw", MemoryTool),
    "test_a_labeled_task_is_closed_and_nobody_gets_it_again": pages(
        lambda page: replace(page, tasks=tuple(replace(one, closed=False) for one in page.tasks))
    ),
    "test_a_label_made_after_the_cursor_comes_with_the_next_pull": annotated(lambda some: ()),
    "test_deleted_tasks_are_found_to_have_vanished": does_nothing("vanished_tasks", value=()),
    "test_a_deleted_task_is_found_even_where_a_new_one_took_its_place": does_nothing("vanished_tasks", value=()),
    "test_a_full_pull_tells_every_task_exactly_once": pages(lambda page: replace(page, tasks=page.tasks[1:])),
    "test_only_what_changed_since_the_cursor_is_told": Broken("changed_tasks", always_from_the_start),
    "test_nothing_is_missed_when_tasks_change_between_pages": pages(
        lambda page: replace(page, tasks=tuple(one for one in page.tasks if not one.closed))
    ),
    "test_vanished_tasks_are_found_among_many": does_nothing("vanished_tasks", value=()),
    "test_the_ranked_order_is_served_and_the_unranked_follow": placed(reversed_order),
    "test_the_receipt_says_what_was_written_and_what_is_served_first": receipt(written=3),
    "test_a_reorder_made_twice_is_the_same_as_once": receipt(written=8),
    "test_a_new_version_replaces_the_old_order": placed(reversed_order),
    "test_an_order_that_may_not_be_switched_to_any_more_leaves_the_one_in_force": Broken("place", switching_first),
    "test_a_task_that_vanished_is_passed_over": Broken("place", without_vanished),
    "test_a_task_labeled_meanwhile_is_passed_over": answers(lambda it: it[1:], "head_of_queue"),
    "test_a_task_deleted_after_the_reorder_is_passed_over": answers(lambda it: it[1:], "head_of_queue"),
    "test_a_window_of_nothing_but_vanished_tasks_is_survived": Broken("place", without_vanished),
    "test_the_queue_in_force_is_told_and_a_change_by_hand_is_noticed": does_nothing(
        "queue_in_force", value=QueueVersion("nextlabel-1")
    ),
    "test_an_order_of_which_too_few_tasks_are_left_is_not_in_force": Broken("queue_in_force", however_few_stand),
    "test_an_unknown_project_is_rejected": raises("label_schema", ToolUnavailable("busy")),
    "test_a_project_that_somebody_deletes_is_gone": raises("label_schema", ToolRejected("no")),
    "test_a_tool_that_is_down_is_unavailable_until_it_is_up": raises("queue_in_force", ToolRejected("no")),
    # habits of a tool
    "test_a_skipped_task_has_no_label_and_stays_open_to_others": annotated(
        lambda some: tuple(replace(one, skipped=False) for one in some)
    ),
    "test_a_task_that_cannot_be_read_is_told_by_name_and_keeps_no_other_from_being_read": pages(
        lambda page: replace(page, unreadable=())
    ),
    "test_annotations_come_whole_where_that_is_asked_for_even_those_that_were_told_before": annotated(
        lambda some: tuple(replace(one, whole=None) for one in some)
    ),
    "test_two_annotators_never_hold_the_same_task_and_both_work_from_the_top": placed(reversed_order),
    "test_looking_at_the_head_takes_no_task_from_anyone": Broken("head_of_queue", the_head_is_taken),
    "test_the_prediction_is_shown_with_its_task": Broken(
        "place", lambda whole: lambda self, version, window, shown, **k: whole(self, version, window, (), **k)
    ),
    "test_a_task_of_which_nothing_can_be_said_keeps_its_rank": placed(reversed_order),
    "test_with_a_bad_token_everything_is_rejected_even_of_a_project_that_is_gone": does_nothing(
        "queue_in_force", value=None
    ),
    # old orders
    "test_places_in_the_order_that_somebody_deleted_are_missed": Broken("queue_in_force", however_few_stand),
    "test_pruning_removes_old_orders_in_small_lots": Broken("prune", only_in_lots),
    "test_pruning_removes_no_order_that_it_is_not_given": Broken("prune", all_orders),
    "test_pruning_never_removes_the_order_in_force": Broken("prune", the_order_in_force_too),
    "test_predictions_of_others_stay_whatever_their_version_is_called": Broken("prune", everybodys),
    "test_no_order_is_written_under_a_version_that_holds_other_predictions": Broken(
        "place", lambda whole: lambda self, version, *a, **k: _taking_over(self, version, whole, *a, **k)
    ),
    "test_where_others_share_the_name_of_an_order_only_its_own_places_are_removed": Broken("prune", everybodys),
    # the title
    "test_the_title_is_what_people_call_the_project_now": answers(str.title, "title"),
    # tabs
    "test_a_tab_holds_exactly_the_tasks_that_it_was_given_last": Broken("show_tab", adding_tasks),
    "test_a_tab_that_was_made_before_its_name_could_be_noted_is_known_by_its_mark": Broken("show_tab", adding_tasks),
    "test_removing_a_tab_leaves_those_of_people_whatever_they_are_called": Broken("remove_tab", by_its_title),
    "test_a_tab_that_somebody_removed_is_made_again": Broken("show_tab", adding_tasks),
    # reviews
    "test_a_labeled_task_is_served_once_more_in_its_place_to_somebody_else": does_nothing("ask_again"),
    "test_what_was_asked_again_is_settled_as_it_was": does_nothing("settle"),
    # scores of others
    "test_the_newest_scores_of_one_version_are_told_and_its_mark_changes_with_them": answers(
        lambda mark: mark and "any", "scores_mark"
    ),
    # calls us
    "test_a_label_its_change_and_its_withdrawal_each_arrive_as_an_event_of_their_project": does_nothing(
        "read_event", JsonDialect
    ),
    "test_new_tasks_arrive_as_an_event_of_their_project": does_nothing("read_event", JsonDialect),
    "test_every_event_carries_the_secret": does_nothing("is_genuine", JsonDialect, value=True),
    "test_connecting_twice_changes_nothing_more": Broken("connect", forgets_itself),
    "test_what_somebody_undoes_is_found_until_it_is_connected_again": does_nothing("drift", value=[]),
    "test_an_address_at_which_the_tool_finds_nobody_is_a_problem_and_nothing_is_changed": Broken(
        "connect", keeps_what_fails
    ),
    "test_another_address_takes_the_place_of_the_earlier_one": does_nothing("connect", value=()),
    "test_disconnecting_leaves_a_project_as_it_was_and_it_can_be_connected_again": Broken("disconnect", undoes_more),
    "test_a_setting_that_is_not_to_be_put_back_stays_as_somebody_chose_it": Broken("disconnect", undoes_more),
    "test_a_project_shows_by_whom_it_was_connected": does_nothing("is_connected", value=True),
    "test_a_malformed_event_is_a_payload_error": raises("read_event", SchemaError("no"), JsonDialect),
    "test_connecting_says_what_is_wrong": does_nothing("connect", value=()),
}


def _taking_over(
    connector: MemoryConnector, version: QueueVersion, whole: Callable[..., Any], *a: Any, **k: Any
) -> Any:
    """Predictions of others give way to an order of their name."""
    with connector._opened() as it:
        it.others.pop(version, None)
    return whole(connector, version, *a, **k)


def test_every_promise_is_broken_once() -> None:
    assert set(BROKEN) == set(PROMISES)


@pytest.mark.parametrize("promise", PROMISES)
def test_a_connector_that_breaks_a_promise_fails_it(promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, test = BROKEN[promise], getattr(PROMISES[promise](), promise)
    monkeypatch.setattr(broken.owner, broken.method, broken.wrap(getattr(broken.owner, broken.method)))
    wanted = inspect.signature(test).parameters
    given: dict[str, Any] = {}
    with pytest.raises((AssertionError, NextlabelError, pytest.fail.Exception)):
        harness = MemoryHarness(page_size=20)
        if "scene" in wanted:
            given["scene"] = set_scene(harness, 8)
        if "crowd" in wanted:
            scene = set_scene(harness, CROWD)
            given["crowd"] = Crowd(scene, tuple(scene.tasks), tuple(scene.pull()))
        if "at_rest" in wanted:
            given["at_rest"] = False
        test(**given)
