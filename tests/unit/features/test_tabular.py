"""Fields and tables of numbers and names: whatever a cell holds, every task has one row of sensible numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st

from nextlabel.features.encoders import restore_encoder
from nextlabel.features.source import Source
from nextlabel.features.tabular import TabularEncoder
from nextlabel.labeling import Input, Task, TaskId
from nextlabel.labeling.ranking import Floats

FIELDS = (Input("age"), Input("town"))
PEOPLE: list[dict[str, object]] = [
    {"age": 20, "town": "Rome"},
    {"age": 30, "town": "Oslo"},
    {"age": 40, "town": "Rome"},
]


def tasks(*data: Mapping[str, object]) -> list[Task]:
    return [Task(TaskId(str(n)), one) for n, one in enumerate(data)]


def encoded(encoder: TabularEncoder, *data: Mapping[str, object]) -> Floats:
    return encoder.encode(tasks(*data), Source())


PEOPLES_ENCODER = TabularEncoder.of(FIELDS, tasks(*PEOPLE))


def test_numbers_are_standardised_and_each_category_has_a_column() -> None:
    deviation = float(np.std([20, 30, 40]))
    expected = np.array([[-10 / deviation, 0, 1], [0, 1, 0], [10 / deviation, 0, 1]])
    np.testing.assert_allclose(encoded(PEOPLES_ENCODER, *PEOPLE), expected, rtol=1e-6)


def test_numbers_written_as_text_are_numbers() -> None:
    as_text = [one | {"age": f" {one['age']} "} for one in PEOPLE]
    np.testing.assert_array_equal(encoded(PEOPLES_ENCODER, *as_text), encoded(PEOPLES_ENCODER, *PEOPLE))
    from_text = TabularEncoder.of(FIELDS, tasks(*as_text))
    np.testing.assert_array_equal(encoded(from_text, *PEOPLE), encoded(PEOPLES_ENCODER, *PEOPLE))


@pytest.mark.parametrize("missing", [None, "", " ", float("nan"), "NaN", [], {}, float("inf"), "a lot", 10**400])
def test_a_number_that_is_missing_or_none_stands_at_the_mean(missing: object) -> None:
    assert encoded(PEOPLES_ENCODER, {"age": missing, "town": "Rome"}).tolist() == [[0, 0, 1]]


def test_a_field_that_is_often_empty_is_a_number_where_it_is_not() -> None:
    gaps = tasks(*({"age": age} for age in (1.0, 3.0, float("nan"), "", None, "nan")))
    np.testing.assert_allclose(encoded(TabularEncoder.of(FIELDS, gaps), {"age": 3}, {"age": ""}), [[1], [0]])


def test_an_unknown_category_and_an_unknown_field_say_nothing() -> None:
    assert encoded(PEOPLES_ENCODER, {"age": 30, "town": "Lima"}, {"age": 30, "pet": "cat"}).tolist() == [[0, 0, 0]] * 2


def test_numbers_among_names_are_names() -> None:
    rooms = tasks(*({"town": room} for room in ("12", "12b", "14", 12)))
    assert encoded(TabularEncoder.of(FIELDS, rooms), {"town": 12}, {"town": "12b"}).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_the_rarest_of_many_categories_have_no_column() -> None:
    common = [{"town": f"town {n % 20}"} for n in range(60)]
    encoder = TabularEncoder.of(FIELDS, tasks(*common, *({"town": f"hamlet {n}"} for n in range(200))))
    rows = encoded(encoder, *common)
    assert rows.shape[1] == 30
    assert (rows.sum(axis=1) == 1).all()


def test_one_slip_of_the_pen_drowns_nothing_else() -> None:
    rows = encoded(PEOPLES_ENCODER, {"age": 3_000_000, "town": "Rome"}, {"age": -1e300})
    assert np.abs(rows).max() == 5
    astronomic = tasks(*PEOPLE, {"age": 1.7e308, "town": "Oslo"}, {"age": 1.7e308})
    assert np.isfinite(encoded(TabularEncoder.of(FIELDS, astronomic), *PEOPLE)).all()


def test_the_cells_of_a_table_are_fields_and_what_is_nested_deeper_is_left_out() -> None:
    rooms = [{"room": {"area": area, "kind": kind, "beds": [1]}} for area, kind in ((10, "single"), (20, "double"))]
    encoder = TabularEncoder.of([Input("room", "table")], tasks(*rooms))
    assert encoded(encoder, *rooms).tolist() == [[-1, 0, 1], [1, 1, 0]]
    assert encoded(encoder, {"room": None}, {"room": "a text"}, {}).tolist() == [[0, 0, 0]] * 3


def test_a_table_in_the_way_of_a_field_of_the_same_name_is_another_field() -> None:
    both = tasks({"a": {"b": 1}, "a.b": 5}, {"a": {"b": 3}, "a.b": 5})
    assert np.isfinite(TabularEncoder.of([Input("a", "table"), Input("a.b")], both).encode(both, Source())).all()


def test_without_any_task_there_is_a_row_for_each_all_the_same() -> None:
    encoder = TabularEncoder.of(FIELDS, [])
    assert encoded(encoder, *PEOPLE).shape == (3, 1)
    assert encoded(PEOPLES_ENCODER).shape == (0, 3)
    space = encoder.space(encoded(encoder))
    assert space.weigh(encoded(encoder, *PEOPLE)).shape == (3, space.columns)


def test_a_field_that_never_changes_does_no_harm() -> None:
    same = TabularEncoder.of(FIELDS, tasks(*({"age": 0.1, "town": "Rome"} for _ in range(9))))
    assert np.isfinite(encoded(same, {"age": 0.1}, {"age": 7})).all()


cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.lists(st.integers(), max_size=2)
)
records = st.dictionaries(st.sampled_from(["age", "town"]), cells | st.dictionaries(st.text(max_size=2), cells))


@given(known=st.lists(records, max_size=8), asked=st.lists(records, max_size=4))
def test_any_data_at_all_give_finite_rows_that_are_the_same_after_a_restart(
    known: list[dict[str, object]], asked: list[dict[str, object]]
) -> None:
    encoder = TabularEncoder.of(FIELDS, tasks(*known))
    rows = encoded(encoder, *asked)
    assert np.isfinite(rows).all()
    assert np.abs(rows).max(initial=0) <= 5
    again = restore_encoder(encoder.state())
    np.testing.assert_array_equal(again.encode(tasks(*asked), Source()), rows)


def test_an_encoder_is_stored_without_code() -> None:
    again = restore_encoder(skops.io.loads(skops.io.dumps(PEOPLES_ENCODER.state()), trusted=[]))
    np.testing.assert_array_equal(again.encode(tasks(*PEOPLE), Source()), encoded(PEOPLES_ENCODER, *PEOPLE))
