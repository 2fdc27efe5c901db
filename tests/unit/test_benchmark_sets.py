"""Data that benchmarks make: what would spoil a figure without anybody noticing."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from benchmarks import audit_cost
from benchmarks import onnx_files as onnx
from benchmarks.opening import KINDS, hostile_host, huge_picture, pdf_of
from benchmarks.worth import covered, found
from benchmarks.worth_sets import RARE_SOUNDS, page_of_words, sounds
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nextlabel.features.image_embedding import load_image_model
from nextlabel.features.layouts import text_for_spans
from nextlabel.features.media import pdf
from nextlabel.labeling import Input, TaskId
from nextlabel.simulate import LabeledData
from nextlabel.simulate.learning import MatrixLearning, Problem, Split
from nextlabel.simulate.runs import Curve


def test_rare_sounds_are_rare_and_are_tested_on() -> None:
    data = sounds()
    assert data.test is not None
    for part in (data, data.test):
        for name in RARE_SOUNDS:
            assert 0.01 < np.mean([name in labels for labels in part.labels]) < 0.03  # type: ignore[operator]


@given(st.lists(st.text("ab&<>\"';é🐈", min_size=1), min_size=1, max_size=8), st.integers(0, 9))
def test_a_page_shows_the_very_characters_of_its_text(words: list[str], seed: int) -> None:
    text = " ".join(words)
    page = page_of_words(text, np.random.default_rng(seed))
    assert text_for_spans({"page": page}, Input("page", "text", layout="page")) == text


def test_rare_ones_are_found_among_what_was_labeled() -> None:
    curve = Curve("random", 0, (2,), (0.0,), rows=(0, 3))
    assert found(curve, [("8",), (), ("9", "1"), ("9",)], ("8", "9")) == pytest.approx(2 / 3)


def test_topics_are_covered_by_the_first_rows_alone() -> None:
    topics = [*"a" * 15, *"b" * 10, "c"]
    curve = covered("random", 0, range(26), topics)
    assert curve.labels == (10, 20)
    assert curve.scores == pytest.approx((1 / 3, 2 / 3))


def test_a_network_is_given_another_beginning_and_end(tmp_path: Path) -> None:
    inner = onnx.model(
        [onnx.node("Relu", "x", into="map"), onnx.node("Neg", "map", into="end")],
        [onnx.tensor("unused", np.zeros(200_000, dtype=np.float32))],  # so that lengths take several bytes
        onnx.value("x", onnx.FLOAT, "batch", 2, 2, 3),
        onnx.value("end", onnx.FLOAT, "batch", 2, 2, 3),
    )
    turned = onnx.node("Transpose", "pixels", into="x", attributes=[onnx.numbers_of("perm", (0, 2, 3, 1))])
    changed = onnx.with_other_ends(
        inner,
        before=[turned],
        tensors=[],
        given=onnx.value("pixels", onnx.FLOAT, "batch", 3, 2, 2),
        output=onnx.value("map", onnx.FLOAT, "batch", "rows", "columns", "colours"),
    )
    (tmp_path / "model.onnx").write_bytes(changed)
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false}')
    pixels = np.array([[0, 0], [255, 255]], dtype=np.uint8)
    picture = BytesIO()
    Image.fromarray(pixels).save(picture, "PNG")
    row = load_image_model(tmp_path).row(picture.getvalue())
    assert row is not None
    np.testing.assert_allclose(row, [0, 1], atol=1e-6)  # the mean of each line of pixels, at length one


def test_bombs_are_whole_files_that_are_refused_for_their_size() -> None:
    with pytest.warns(Image.DecompressionBombWarning), Image.open(BytesIO(huge_picture())) as image:
        assert image.size == (13_000, 13_000)
        image.verify()
    assert pdf.describe(pdf_of([zlib.compress(b"BT /F 12 Tf 50 700 Td (word) Tj ET")], packed=True)) == "word"


def test_the_host_sends_what_it_is_asked_for() -> None:
    import httpx

    series = next(one for one in KINDS if one.kind == "series")
    with hostile_host(series) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/bomb").content == series.bomb()
        broken = client.get("/broken").content
        assert broken.startswith(series.begin)
        assert len(broken) == len(series.begin) + 100_000
        with client.stream("GET", "/large") as response:
            assert len(next(response.iter_bytes(100))) == 100


def test_with_audits_one_task_in_five_is_of_the_reserve_and_strategies_choose_none_of_it(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 2, 300)
    data = LabeledData("numbers", tuple(map(str, truth)), numbers=draw.normal(size=(300, 3)) + truth[:, None])
    learning = MatrixLearning(Problem(data, tmp_path), Split(data.target, data, data), "accuracy", 0)
    reserve = [TaskId(str(row)) for row in range(0, 300, 5)]
    for apart in (reserve, []):
        labeled = np.empty(0, dtype=np.int64)
        while len(labeled) < 40:
            learning.learn(labeled)
            labeled = np.concatenate([labeled, audit_cost.asked(learning, labeled, apart, 3, 5)])
        assert len(set(labeled.tolist())) == 40
        if apart:
            assert [str(row) for row in labeled if row % 5 == 0] == reserve[:8]
