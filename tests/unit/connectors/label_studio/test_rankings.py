"""Orders of a <List>'s items, as Label Studio's editor 1.23 writes and shows them."""

from __future__ import annotations

from typing import Any

import pytest

from nextlabel.labeling import Guess, Label, Placed, Prediction, QueueVersion, Task, TaskId
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from written import write_result

DATA = {"question": "why?", "items": [{"id": "a", "title": "A"}, {"id": 2, "body": "B"}, {"id": "c", "html": "C"}]}
PICK = '<Bucket name="best"/><Bucket name="worst"/>'
GROUP = '<Bucket name="best"/><Bucket name="rest" default="true"/>'


def config(buckets: str = "", shown: str = '<List name="list" value="$items"/>') -> LabelConfig:
    return parse_label_config(
        f'<View><Text name="q" value="$question"/>{shown}<Ranker name="order" toName="list">{buckets}</Ranker></View>'
    )


def read(buckets: str, ranker: object, data: dict[str, Any] = DATA) -> Label | None:
    (target,) = config(buckets).schema.targets
    item = {"from_name": "order", "to_name": "list", "type": "ranker", "value": {"ranker": ranker}}
    return target.read(read_labels([item], config(buckets), data).get("order"))


def written(buckets: str, label: Label, data: dict[str, Any] = DATA) -> list[object]:
    prediction = Prediction(TaskId("1"), QueueVersion("1"), (Guess("order", label, 0.9),), 0.1, 0.1)
    return [item["value"] for item in write_result(prediction, config(buckets), data)]


def placed(**items: str) -> tuple[Placed, ...]:
    return tuple(Placed(bucket.strip("_"), item) for bucket, some in items.items() for item in some)


@pytest.mark.parametrize(
    ("buckets", "labels", "ranker", "label"),
    [
        ("", (), {"order": ["c", "a", "2"]}, placed(_="ca2")),
        (PICK, ("", "best", "worst"), {"_": ["2"], "best": ["c", "a"], "worst": []}, placed(_="2", best="ca")),
        (GROUP, ("best", "rest"), {"best": [], "rest": ["a", "2", "c"]}, placed(rest="a2c")),
    ],
    ids=["without buckets", "with buckets", "with a default bucket"],
)
def test_what_the_editor_writes_is_read_and_written_the_same(
    buckets: str, labels: tuple[str, ...], ranker: dict[str, list[str]], label: Label
) -> None:
    (target,) = config(buckets).schema.targets
    assert (target.kind, target.labels, target.options, target.pre_annotated) == ("ranking", labels, "items", True)
    assert [one.field for one in target.inputs] == ["items", "question"]
    assert read(buckets, ranker) == label
    assert written(buckets, label) == [{"ranker": ranker}]


def test_what_stands_nowhere_was_left_in_the_list() -> None:
    assert read(PICK, {"best": ["c"]}) == placed(_="2a", best="c")
    assert read("", {"order": ["c"]}) == placed(_="c")


@pytest.mark.parametrize(
    "ranker",
    [None, [], ["a"], {"order": "a"}, {"order": [1]}, {"order": ["a", "a"]}, {"gone": ["a"]}, {"order": []}, {}],
)
def test_half_an_order_or_none_is_no_label(ranker: object) -> None:
    assert read("", ranker) is None


@pytest.mark.parametrize(
    "items",
    [
        [{"id": "a"}, {"id": 2}],
        [{"id": "a"}, {"id": 2}, {"id": "c"}, {"id": "d"}],
        [{"id": "a"}, {"id": 2}, {"id": "c"}, {"title": "without an id"}],
        [],
        None,
    ],
)
def test_an_order_that_does_not_name_just_the_items_of_the_task_is_not_written(items: object) -> None:
    """The editor hides what it leaves out, and breaks at what is not there."""
    assert written("", placed(_="a2c"), {"items": items}) == []


def test_of_two_items_with_one_id_the_later_is_shown_as_in_the_editor() -> None:
    (target,) = config().schema.targets
    data = {"items": [{"id": "a", "title": "first"}, {"id": "b"}, {"id": "a", "title": "second"}]}
    assert target.offered(Task(TaskId("1"), data)) == {"a": "second", "b": ""}
    assert written("", placed(_="ba"), data) == [{"ranker": {"order": ["b", "a"]}}]


@pytest.mark.parametrize(
    ("buckets", "shown", "reason"),
    [
        ("<Bucket/>", "", "need names"),
        ('<Bucket name="a"/><Bucket name="a"/>', "", "need names that differ"),
        ('<Bucket name="_"/>', "", 'called "_"'),
        ("", '<Text name="list" value="$items"/>', "orders only a <List>"),
        ("", '<List name="list" value="$items and $more"/>', "exactly one field"),
    ],
)
def test_an_order_that_is_not_learned_is_named_with_the_reason(buckets: str, shown: str, reason: str) -> None:
    schema = config(buckets, shown or '<List name="list" value="$items"/>').schema
    assert reason in schema.held["order"]
    assert [target.pre_annotated for target in schema.targets] == [False]
