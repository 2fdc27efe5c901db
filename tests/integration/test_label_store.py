"""Labels in SQL: whatever the tool tells, in whatever order, the labels in force are the ones it told last."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from nextlabel.labeling import Annotation, AnnotationId, Cursor, ProjectId, Task, TaskId
from nextlabel.ports.state import Labeled
from nextlabel.ports.tool import ChangePage, TaskSeen, Unreadable
from nextlabel.storage.database import Database
from nextlabel.storage.label_store import SqlLabelStore

pytestmark = pytest.mark.every_database

ONE = ProjectId("1")


@pytest.fixture
def store(database: Database) -> SqlLabelStore:
    return SqlLabelStore(database)


def seen(task: int, *labels: str | None, closed: bool | None = None, text: str = "") -> TaskSeen:
    """A task with an annotation for each label; None is one that was skipped."""
    annotations = tuple(
        Annotation(AnnotationId(f"{task}{n}"), {"kind": label} if label else {}, f"2025-01-{n + 1:02d}", label is None)
        for n, label in enumerate(labels)
    )
    is_closed = any(labels) if closed is None else closed
    return TaskSeen(Task(TaskId(str(task)), {"text": text or f"mail {task}"}), annotations, is_closed)


def about(task: int, *printed: dict[str, object]) -> TaskSeen:
    """A task with an annotation for each of these labels of several targets."""
    annotations = (Annotation(AnnotationId(f"{task}{n}"), it, f"2025-01-{n + 1:02d}") for n, it in enumerate(printed))
    return TaskSeen(Task(TaskId(str(task)), {"text": f"mail {task}"}), tuple(annotations), closed=True)


def page(*tasks: TaskSeen, cursor: str = "c") -> ChangePage:
    return ChangePage(tasks, Cursor(cursor))


def in_force(labeled: Labeled) -> dict[str, tuple[object, object]]:
    """Of the only target that anything is said of."""
    assert all(list(labels) == ["kind"] for labels in labeled.labels)
    pairs = zip(labeled.tasks, labeled.labels, strict=True)
    return {task.id: (task.data["text"], labels["kind"]) for task, labels in pairs}


def test_how_long_a_label_took_is_the_mean_of_those_that_were_not_skipped(store: SqlLabelStore) -> None:
    times: list[float | None] = [4.0, None, 10.0]
    printed = about(1, {"kind": "a"}, {"kind": "b"}, {"kind": "c"})
    received = tuple(replace(one, seconds=took) for one, took in zip(printed.annotations, times, strict=True))
    skipped = replace(received[2], id=AnnotationId("9"), skipped=True, labels={}, seconds=900.0)
    store.apply(ONE, page(replace(printed, annotations=(*received, skipped)), about(2, {"kind": "a"})))
    assert store.labeled(ONE).seconds == (7.0, None)


# --- any sequence of pages ---------------------------------------------------------------------------------


@dataclass
class ReferenceStore:
    """The promise in its simplest form: a dict of what was told last."""

    received: dict[str, TaskSeen] = field(default_factory=dict)
    cursor: str | None = None

    def apply(self, page: ChangePage) -> None:
        self.received.update((one.task.id, one) for one in page.tasks)
        self.cursor = page.cursor

    def labels(self) -> dict[str, tuple[object, object]]:
        """The last annotation that was not skipped counts."""
        found = {}
        for task, one in self.received.items():
            labels = [it.labels["kind"] for it in one.annotations if not it.skipped]
            if labels:
                found[task] = (one.task.data["text"], labels[-1])
        return found

    def open(self) -> set[str]:
        """What nobody has labeled or skipped, as long as the tool does not say that it is closed."""
        return {task for task, one in self.received.items() if not (one.closed or one.annotations)}


tasks_seen = st.builds(
    lambda task, labels, closed, text: seen(task, *labels, closed=closed, text=text),
    st.integers(1, 12),
    st.lists(st.sampled_from(["ham", "spam", None]), max_size=3),
    st.booleans(),
    st.text("aé👍", min_size=1, max_size=3),
)
pages = st.builds(
    lambda tasks, cursor: page(*tasks, cursor=cursor), st.lists(tasks_seen, max_size=6), st.text("0123", min_size=1)
)
steps = st.lists(st.tuples(pages, st.integers(1, 2)) | st.lists(st.integers(1, 12), max_size=4), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_store_is_what_the_tool_told_last(
    store: SqlLabelStore, steps: list[tuple[ChangePage, int] | list[int]]
) -> None:
    """Pages may come twice, hold a task twice, and be mixed with deletions."""
    project, reference = ProjectId(uuid4().hex), ReferenceStore()
    for step in steps:
        if isinstance(step, tuple):
            for _ in range(step[1]):
                store.apply(project, step[0])
            reference.apply(step[0])
        else:
            store.forget_tasks(project, [TaskId(str(task)) for task in step])
            for task in step:
                reference.received.pop(str(task), None)
    assert in_force(store.labeled(project)) == reference.labels()
    assert sorted(store.task_ids(project)) == sorted(reference.received)
    assert {task.id for task in store.open(project)} == reference.open()
    assert store.cursor(project) == reference.cursor


# --- one sentence each -------------------------------------------------------------------------------------


def test_a_withdrawn_label_is_gone(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, "spam"), seen(2, "ham")))
    store.apply(ONE, page(seen(1)))
    assert in_force(store.labeled(ONE)) == {"2": ("mail 2", "ham")}
    assert [task.id for task in store.open(ONE)] == ["1"]


def test_a_skipped_task_has_no_label_and_is_not_asked_for_until_the_skip_is_withdrawn(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, None, closed=False), seen(2)))
    assert len(store.labeled(ONE)) == 0
    assert [task.id for task in store.open(ONE)] == ["2"]
    store.apply(ONE, page(seen(1)))
    assert [task.id for task in store.open(ONE)] == ["1", "2"]


def test_a_task_that_has_a_label_is_out_of_the_order_though_the_tool_wants_more_of_them(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, "spam", closed=False), seen(2)))
    assert in_force(store.labeled(ONE)) == {"1": ("mail 1", "spam")}
    assert ([task.id for task in store.open(ONE)], store.count_open(ONE)) == (["2"], 1)


def test_what_one_person_skipped_is_open_while_somebody_else_is_at_work_who_has_not(store: SqlLabelStore) -> None:
    def by(task: int, *people: tuple[str, str | None], at: str = "2025-01-02T09:00:00+00:00") -> TaskSeen:
        told = seen(task, *(label for _, label in people))
        stated = zip(told.annotations, people, strict=True)
        annotations = tuple(replace(one, by=who, updated_at=at) for one, (who, _) in stated)
        return replace(told, annotations=annotations)

    def still_open() -> list[TaskId]:
        found = [task.id for task in store.open(ONE)]
        skipped = {TaskId("1"), TaskId("2"), TaskId("9")}
        assert (store.count_open(ONE), store.count_open(ONE, skipped)) == (len(found), len(skipped.intersection(found)))
        return found

    store.apply(ONE, page(by(1, ("ann", None)), by(2, ("ann", None)), by(3, ("ann", "spam"))))
    assert still_open() == []
    store.apply(ONE, page(by(4, ("ben", "ham"), at="2025-01-02T10:00:00+00:00")))
    assert still_open() == ["1", "2"]
    store.apply(ONE, page(by(2, ("ann", None), ("ben", None))))
    assert still_open() == ["1"]
    store.apply(ONE, page(by(5, ("ann", "ham"), at="2025-01-03T10:00:01+00:00")))  # a day without a word of ben's
    assert still_open() == []


def test_what_a_person_marked_as_the_truth_counts_until_the_mark_is_gone(store: SqlLabelStore) -> None:
    task = seen(1, "spam", "ham")
    marked = (replace(task.annotations[0], ground_truth=True), task.annotations[1])
    store.apply(ONE, page(replace(task, annotations=marked)))
    assert in_force(store.labeled(ONE)) == {"1": ("mail 1", "spam")}
    store.apply(ONE, page(task))
    assert in_force(store.labeled(ONE)) == {"1": ("mail 1", "ham")}


def test_each_target_has_labels_of_its_own(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, "spam"), about(2, {"tone": ["rude", "curt"]}, {"tone": ["curt"], "stars": 2.5}, {})))
    labeled = store.labeled(ONE)
    assert [task.id for task in labeled.tasks] == ["1", "2"]
    assert labeled.labels == ({"kind": "spam"}, {"tone": ["curt"], "stars": 2.5})


def test_what_one_annotation_says_of_one_target_and_another_of_another_counts_for_both(store: SqlLabelStore) -> None:
    store.apply(ONE, page(about(1, {"kind": "spam", "stars": 1}, {"stars": 5}, {"tone": []})))
    assert store.labeled(ONE).labels == ({"kind": "spam", "stars": 5, "tone": []},)


def test_tasks_come_in_the_order_of_their_numbers(store: SqlLabelStore) -> None:
    store.apply(ONE, page(*(seen(task) for task in (10, 9, 100, 1)), *(seen(task, "ham") for task in (30, 4, 200))))
    assert [task.id for task in store.open(ONE)] == ["1", "9", "10", "100"]
    assert [task.id for task in store.labeled(ONE).tasks] == ["4", "30", "200"]


def test_tasks_are_counted_and_looked_up_without_being_read(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1), seen(2, "ham"), seen(3, None), *(seen(task) for task in range(10, 1210))))
    asked = [TaskId(str(task)) for task in range(1300)]
    received = {"1", "2", "3", *map(str, range(10, 1210))}
    assert store.known(ONE, asked) == received
    assert (len(store.task_ids(ONE)), set(store.task_ids(ONE))) == (1203, received)
    assert [task in store.task_ids(ONE) for task in ("3", "4")] == [True, False]
    assert (store.count_open(ONE), store.count_open(ONE, asked[:10]), store.count_open(ONE, [])) == (1201, 1, 0)
    assert (len(store.task_ids(ProjectId("2"))), store.known(ProjectId("2"), asked)) == (0, set())


def test_projects_do_not_mix(store: SqlLabelStore) -> None:
    other = ProjectId("2")
    store.apply(ONE, page(seen(1, "spam"), cursor="one"))
    store.apply(other, page(seen(1, "ham"), seen(2), cursor="two"))
    store.forget_tasks(ONE, [TaskId("1")])
    assert in_force(store.labeled(other)) == {"1": ("mail 1", "ham")}
    assert (store.cursor(ONE), store.cursor(other), store.cursor(ProjectId("3"))) == ("one", "two", None)


def test_what_cannot_be_read_is_kept_by_name_until_it_can_or_has_vanished(store: SqlLabelStore) -> None:
    damaged = Unreadable(TaskId("2"), "It is damaged.")
    half = Unreadable(TaskId("3"), "Half a label\0.", AnnotationId("31"))
    store.apply(ONE, page(seen(1, "ham"), seen(2, "ham"), seen(3, "ham")))
    for _ in range(2):
        store.apply(ONE, ChangePage((seen(3, "spam"),), Cursor("c"), (half, damaged)))
    assert [(one.name, one.reason) for one in store.unreadable(ONE)] == [
        ("task 2", "It is damaged."),
        ("annotation 31 of task 3", "Half a label."),
    ]
    assert in_force(store.labeled(ONE)) == {"1": ("mail 1", "ham"), "3": ("mail 3", "spam")}
    store.apply(ONE, page(seen(3, "spam")))
    assert store.unreadable(ONE) == [damaged]
    store.forget_tasks(ONE, [TaskId("2")])
    assert store.unreadable(ONE) == []


def test_a_page_that_fails_leaves_the_labels_and_the_cursor_as_they_were(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, "ham"), cursor="before"))
    unstorable = TaskSeen(Task(TaskId("3"), {"text": object()}), (), closed=False)
    with pytest.raises((SQLAlchemyError, TypeError)):
        store.apply(ONE, page(seen(1, "spam"), seen(2, "spam"), unstorable, cursor="after"))
    assert in_force(store.labeled(ONE)) == {"1": ("mail 1", "ham")}
    assert store.cursor(ONE) == "before"


def test_a_page_whose_cursor_cannot_be_kept_changes_no_label(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, "ham")))
    with pytest.raises(SQLAlchemyError):
        store.apply(ONE, ChangePage((seen(1, "spam"),), object()))  # type: ignore[arg-type]
    assert in_force(store.labeled(ONE)) == {"1": ("mail 1", "ham")}


def test_an_annotation_that_moved_to_another_task_counts_there_only(store: SqlLabelStore) -> None:
    store.apply(ONE, page(seen(1, "spam")))
    store.apply(ONE, page(TaskSeen(Task(TaskId("2"), {"text": "mail 2"}), seen(1, "spam").annotations, closed=True)))
    assert in_force(store.labeled(ONE)) == {"2": ("mail 2", "spam")}


def test_a_large_page_is_stored_and_forgotten_like_a_small_one(store: SqlLabelStore) -> None:
    many = [seen(task, "ham") for task in range(1, 2500)]
    store.apply(ONE, page(*many))
    store.apply(ONE, page(*many))
    assert len(store.labeled(ONE)) == 2499
    store.forget_tasks(ONE, store.task_ids(ONE))
    assert len(store.labeled(ONE)) == 0


def test_what_json_has_no_word_for_breaks_no_page(store: SqlLabelStore) -> None:
    """Label Studio passes it on; SQLite keeps it, and PostgreSQL takes none of it."""
    odd = {"n": [float("nan"), {"deep": float("inf")}], "text": "half a pair \ud83d", "zero": "\0"}
    store.apply(ONE, page(TaskSeen(Task(TaskId("1"), odd), (), closed=False), seen(2, "ham")))
    (kept,) = store.open(ONE)
    assert (kept.data["text"], kept.data["zero"]) == (odd["text"], odd["zero"])
    assert in_force(store.labeled(ONE)) == {"2": ("mail 2", "ham")}


def test_task_data_comes_back_as_the_tool_told_it(store: SqlLabelStore) -> None:
    data = {"text": "naïve 👍 \u0001", "n": 1.5, "list": [1, {"deep": None}], "": True}
    store.apply(ONE, page(TaskSeen(Task(TaskId("1"), data), (), closed=False)))
    assert store.open(ONE)[0].data == data
