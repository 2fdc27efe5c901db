"""Which label counts, and when two schemas are the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nextlabel.labeling import Annotation, AnnotationId, LabelSchema, Target, label_in_force

MORNING, NOON = "2025-01-01T09:00:00.000000Z", "2025-01-01T12:00:00.000000Z"
TARGET = Target("kind", "choice", ("text",), ("ham", "spam"))


def said(number: int, label: str | None, at: str = NOON, *, skipped: bool = False) -> Annotation:
    return Annotation(AnnotationId(str(number)), {"kind": label} if label else {}, at, skipped)


def test_the_last_label_wins_whatever_order_they_are_told_in() -> None:
    early, late = said(2, "ham", MORNING), said(1, "spam", NOON)
    assert {label_in_force(them, "kind") for them in ((early, late), (late, early))} == {"spam"}


def test_a_tie_in_time_goes_to_the_higher_id_by_number() -> None:
    assert label_in_force((said(10, "spam"), said(9, "ham")), "kind") == "spam"


def test_a_skipped_annotation_says_nothing_even_where_it_holds_a_label() -> None:
    assert label_in_force((said(1, "ham", MORNING), said(2, "spam", skipped=True)), "kind") == "ham"
    assert label_in_force((said(2, "spam", skipped=True),), "kind") is None


def test_an_annotation_that_says_nothing_of_the_target_leaves_the_earlier_label_in_force() -> None:
    assert label_in_force((said(1, "ham", MORNING), said(2, None)), "kind") == "ham"
    assert label_in_force((said(1, "ham"),), "another target") is None
    assert label_in_force((), "kind") is None


some_annotations = st.lists(
    st.builds(said, st.integers(1, 30), st.sampled_from(["ham", "spam", None]), st.sampled_from([MORNING, NOON])),
    max_size=6,
    unique_by=lambda it: it.id,
)


@given(them=some_annotations, data=st.data())
def test_the_label_in_force_does_not_depend_on_the_order_of_telling(
    them: list[Annotation], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(them))
    assert label_in_force(tuple(shuffled), "kind") == label_in_force(tuple(them), "kind")


def test_a_schemas_digest_changes_with_each_part_of_a_target() -> None:
    targets = (
        TARGET,
        replace(TARGET, name="class"),
        replace(TARGET, inputs=("text", "subject")),
        replace(TARGET, labels=("ham", "spam", "phishing")),
        replace(TARGET, labels=("spam", "ham")),
    )
    assert len({LabelSchema((target,)).digest for target in targets}) == len(targets)


def test_a_schemas_digest_does_not_change_with_what_is_left_out() -> None:
    assert LabelSchema((TARGET,), {"boxes": "not supported yet"}).digest == LabelSchema((TARGET,)).digest
