"""How well spans were found: whole spans, over all texts together."""

from __future__ import annotations

import pytest

from nextlabel.labeling import Span
from nextlabel.measures.span_f1 import span_f1

ROME, ROMEO = Span(0, 4, "place"), Span(0, 5, "place")


def test_spans_are_counted_over_all_texts_together() -> None:
    truth = [(ROME, Span(9, 12, "person")), (Span(3, 6, "person"),), ()]
    predicted = [(ROME,), (), (Span(1, 2, "place"),)]
    assert span_f1(truth, predicted) == pytest.approx((1 / 2, 1 / 3, 2 / 5))


@pytest.mark.parametrize("near", [ROMEO, ROME._replace(label="person")])
def test_a_span_of_other_extent_or_label_is_wrong(near: Span) -> None:
    assert span_f1([(ROME,)], [(near,)]) == (0.0, 0.0, 0.0)


def test_the_same_span_said_twice_counts_once() -> None:
    assert span_f1([(ROME,)], [(ROME, ROME)]) == (1.0, 1.0, 1.0)


def test_to_find_nothing_where_nothing_is_is_right() -> None:
    assert span_f1([(), ()], [(), ()]) == (1.0, 1.0, 1.0)
    assert span_f1([], []) == (1.0, 1.0, 1.0)
    assert span_f1([(ROME,)], [()]) == (0.0, 0.0, 0.0)
    assert span_f1([()], [(ROME,)]) == (0.0, 0.0, 0.0)


def test_texts_must_be_as_many_on_both_sides() -> None:
    with pytest.raises(ValueError, match="zip"):
        span_f1([(), ()], [()])
