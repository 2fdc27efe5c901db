"""What tasks say beside a recording: which of their other fields tell something, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import issparse

from nextlabel.features.encoders import Encoder, encoder_for, restore_encoder
from nextlabel.features.metadata import record_of, telling
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats

TARGET = Target("noise", "choice", (Input("audio", "metadata"),), ("yes", "no"))
SOURCE = Source()
SENTENCES = ("we went up to the hut", "bread is in the oven", "no snow before noon", "butter the pan first")


def call(n: int) -> dict[str, object]:
    """A task as call centres import them."""
    return {
        "audio": f"https://example.org/calls/{n}.mp3",
        "seconds": 30 + n % 7,
        "speaker": ("ann", "ben", "eve")[n % 3],
        "transcript": f"{SENTENCES[n % 4]}, said number {n}",
        "meta": {"device": ("phone", "room")[n % 2], "call_id": f"c-{n:05}"},
    }


def tasks(*data: Mapping[str, object]) -> list[Task]:
    return [Task(TaskId(str(n)), one) for n, one in enumerate(data)]


CALLS = tasks(*map(call, range(40)))


def encoded(encoder: Encoder, asked: list[Task]) -> Floats:
    features = encoder.encode(asked, SOURCE)
    return np.asarray(features.toarray() if issparse(features) else features)


def test_numbers_categories_and_texts_count_and_addresses_and_ids_do_not() -> None:
    records = [record_of(task.data, ["audio"]) for task in CALLS]
    assert telling(records) == (["seconds", "speaker", "meta.device"], ["transcript"])


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (lambda n: 3.5 + n, "cells"),
        (lambda n: f" {n} ", "cells"),
        (lambda n: n % 2 == 0, "cells"),
        (lambda n: f"room {n % 5}", "cells"),
        (lambda n: f"sensor-{n // 3}", "cells"),
        (lambda n: ["loud"] if n % 2 else ["far", "loud"], "cells"),
        (lambda n: "n/a" if n % 2 else "w/o", "cells"),
        (lambda n: "always there" if n % 2 else None, "cells"),
        (lambda n: f"{SENTENCES[n % 4]} {n}", "texts"),
        (lambda n: [{"who": "ann", "said": f"hello {n}"}, {"who": "ben", "said": "hello"}], "texts"),
        (lambda n: "雪が降って" + chr(0x4E00 + n), "texts"),
        (lambda n: f"see https://example.org/{n} for more", "texts"),
        (lambda n: "the same everywhere", "nothing"),
        (lambda n: f"https://example.org/{n % 3}", "nothing"),
        (lambda n: f"s3://bucket/a folder/{n % 3}.wav", "nothing"),
        (lambda n: f"data:image/png;base64,{n % 3}", "nothing"),
        (lambda n: f"/data/upload/{n % 3}/cat.png", "nothing"),
        (lambda n: f"calls/{n % 3}.mp3", "nothing"),
        (lambda n: f"C:\\calls\\{n % 3}", "nothing"),
        (lambda n: f"call-{n:03}.mp3", "nothing"),
        (lambda n: f"2026-11-24T10:{n:02}:00Z", "nothing"),
        (lambda n: f"{n * 7919:032x}", "nothing"),
        (lambda n: [n, 1.5, None], "nothing"),
        (lambda n: {"deep": {"deeper": n}}, "nothing"),
        (lambda n: None, "nothing"),
    ],
)
def test_a_field_is_read_by_what_all_tasks_hold_in_it(value: Callable[[int], object], read: str) -> None:
    named, worded = telling([record_of({"audio": "a", "field": value(n)}, ["audio"]) for n in range(40)])
    assert {"cells": named, "texts": worded}.get(read, []) == ([] if read == "nothing" else ["field"])
    assert len(named) + len(worded) == (read != "nothing")


@pytest.mark.parametrize("name", ["id", "call_id", "callId", "meta.ID", "index"])
def test_numbers_of_which_each_task_has_its_own_say_nothing_where_they_are_called_ids(name: str) -> None:
    assert telling([{name: n, "humid": n} for n in range(40)]) == (["humid"], [])
    assert telling([{name: n % 4} for n in range(40)]) == ([name], [])


def test_each_half_of_what_is_told_changes_the_features_and_the_rest_does_not() -> None:
    encoder = encoder_for(TARGET, CALLS, SOURCE)
    before = call(3)
    asked = [before, before | {"seconds": 90}, before | {"speaker": "ben"}, before | {"transcript": "no snow"}]
    silent = [before | {"audio": "elsewhere"}, before | {"meta": {"device": "room", "call_id": "other"}, "new": 5}]
    first, *others = encoded(encoder, tasks(*asked, *silent))
    changed = [float(np.abs(one - first).max()) for one in others]
    assert min(changed[:3]) > 0.01
    assert max(changed[3:]) == 0


def test_rows_are_about_one_long_whatever_tasks_hold() -> None:
    for left_out in ([], ["transcript"], ["seconds", "speaker", "meta"]):
        known = tasks(*({name: value for name, value in call(n).items() if name not in left_out} for n in range(40)))
        lengths = np.linalg.norm(encoded(encoder_for(TARGET, known, SOURCE), known), axis=1)
        assert 0.5 < lengths.mean() < 2, left_out


def test_tasks_that_hold_nothing_but_the_recording_are_all_alike() -> None:
    bare = tasks(*({"audio": f"/data/{n}.mp3"} for n in range(5)))
    encoder = encoder_for(TARGET, bare, SOURCE)
    assert encoded(encoder, [*bare, *CALLS]).tolist() == [[0.0]] * 45
    assert encoder.space(encoder.encode(bare, SOURCE)).columns == 1


def test_it_is_stored_without_code() -> None:
    encoder = encoder_for(TARGET, CALLS, SOURCE)
    again = restore_encoder(skops.io.loads(skops.io.dumps(encoder.state()), trusted=[]))
    np.testing.assert_array_equal(encoded(again, CALLS), encoded(encoder, CALLS))


cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("a/b.wav")
fields = cells | st.lists(cells | st.dictionaries(st.text(max_size=2), cells, max_size=2), max_size=3)
data = st.dictionaries(st.sampled_from(["audio", "a", "a.b", "id"]), fields | st.dictionaries(st.just("b"), fields))


@given(known=st.lists(data, max_size=6), asked=st.lists(data, max_size=4))
def test_any_data_at_all_give_finite_rows_that_are_the_same_after_a_restart(
    known: list[dict[str, object]], asked: list[dict[str, object]]
) -> None:
    encoder = encoder_for(TARGET, tasks(*known), SOURCE)
    rows = encoded(encoder, tasks(*asked))
    assert rows.shape == (len(asked), encoder.space(encoder.encode(tasks(*known), SOURCE)).columns)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(encoded(restore_encoder(encoder.state()), tasks(*asked)), rows)
