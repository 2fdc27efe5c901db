"""Embeddings from a folder: tiny models made here, by hand, so that every number is known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nextlabel.errors import ArtifactError, ConfigurationError
from nextlabel.features.embedding import EmbeddingEncoder, load_model, signature
from nextlabel.features.encoders import Encoder, encoder_for, restore_encoder
from nextlabel.features.model_folders import Embeddings
from nextlabel.features.source import Source
from nextlabel.features.text import COLUMNS
from nextlabel.features.work import EmbedProgress, nobody
from nextlabel.labeling import Input, Target, Task, TaskId
from tiny_models import TABLE, pictures, sentences, shared_rows, static, write_safetensors

TARGET = Target("mood", "choice", (Input("text"),), ("pos", "neg"))
TEXTS = ("good film", "bad film", "the film", "good good", "")


def unit(*vector: float) -> list[float]:
    return [number / float(np.linalg.norm(vector)) for number in vector]


EXPECTED = np.array([unit(1, 1, 0), unit(-1, 1, 0), unit(0, 1, 0), unit(1, 0, 0), [0.0, 0.0, 0.0]])


def encoded(encoder: Encoder, known: Sequence[Task], source: Source) -> np.ndarray:
    return csr_matrix(encoder.encode(known, source)).toarray()


def tasks(texts: Sequence[str], field: str = "text") -> list[Task]:
    return [Task(TaskId(str(n)), {field: text}) for n, text in enumerate(texts)]


@pytest.mark.parametrize("model", [static, shared_rows, sentences])
def test_a_text_is_the_mean_of_its_tokens_at_length_one(tmp_path: Path, model: Callable[[Path], Path]) -> None:
    known = 4 if model is sentences else 5  # a real sentence encoder always has a token: [CLS]
    embedded = load_model(model(tmp_path)).embed(TEXTS[:known])
    np.testing.assert_allclose(embedded, EXPECTED[:known], atol=1e-6)
    assert embedded.dtype == np.float32


def test_a_sentence_encoder_reads_so_many_tokens_and_a_table_reads_all(tmp_path: Path) -> None:
    long = " ".join(["good"] * 256 + ["bad"] * 256)
    (tmp_path / "one").mkdir()
    np.testing.assert_allclose(load_model(sentences(tmp_path)).embed([long]), [[1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(load_model(static(tmp_path / "one")).embed([long]), [[0, 0, 0]], atol=1e-6)


class Counting:
    """Vectors by content, in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, bytes], np.ndarray] = {}

    def get(
        self,
        signature: str,
        keys: Sequence[bytes],
        width: int,
        compute: Callable[[Sequence[int]], np.ndarray],
        text: Callable[[int], str] | None = None,
        received: EmbedProgress = nobody,
    ) -> np.ndarray:
        new = list({key: place for place, key in enumerate(keys) if (signature, key) not in self.kept}.values())
        if new:
            self.kept |= {(signature, keys[place]): row for place, row in zip(new, compute(new), strict=True)}
        return np.array([self.kept[signature, key] for key in keys]).reshape(-1, width)


def test_markup_is_not_embedded(tmp_path: Path) -> None:
    encoder = EmbeddingEncoder.of(["text"], static(tmp_path), [], Source(), words=False)
    page = f"<p>{TEXTS[0]}<script>{TEXTS[1]}</script></p>"
    for source in (Source(), Source(vectors=Counting())):
        rows = np.asarray(encoder.encode(tasks([page, TEXTS[0], TEXTS[1]]), source))
        assert (rows[0] == rows[1]).all()
        assert (rows[0] != rows[2]).any()


def test_words_stand_beside_the_vectors_and_both_come_back_from_their_state(tmp_path: Path) -> None:
    vectors, known = Counting(), tasks(TEXTS)
    source = Source(vectors=vectors)
    encoder = encoder_for(TARGET, known, source, embeddings=Embeddings(str(static(tmp_path))))
    assert isinstance(encoder, EmbeddingEncoder)
    rows = encoded(encoder, known, source)
    assert rows.shape == (5, COLUMNS + 3)
    assert len(vectors.kept) == 5
    np.testing.assert_allclose((rows[:4, :COLUMNS] ** 2).sum(axis=1), 0.49, rtol=1e-5)
    np.testing.assert_allclose(encoded(restore_encoder(encoder.state()), known, Source()), rows, atol=1e-6)
    assert encoder.space(rows).columns == COLUMNS + 3


def test_vectors_alone_are_dense_and_left_to_the_space_to_weigh(tmp_path: Path) -> None:
    encoder = EmbeddingEncoder.of(["text"], static(tmp_path), TEXTS, Source(), words=False)
    np.testing.assert_allclose(encoded(encoder, tasks(TEXTS), Source()), EXPECTED, atol=1e-6)
    again = EmbeddingEncoder.from_state(encoder.state())
    np.testing.assert_allclose(encoded(again, tasks(TEXTS), Source()), EXPECTED, atol=1e-6)


def test_two_texts_that_are_compared_weigh_the_same_on_either_side(tmp_path: Path) -> None:
    target = Target("better", "choice", (Input("left"), Input("right")), ("left", "right"), compared=True)
    pairs = [("good film", "bad film"), ("the film", "good good"), ("bad", "the"), ("film", "good film")]
    known = [Task(TaskId(str(n)), {"left": left, "right": right}) for n, (left, right) in enumerate(pairs)]
    turned = [Task(TaskId(str(n)), {"left": right, "right": left}) for n, (left, right) in enumerate(pairs)]
    encoder = encoder_for(target, known, Source(), embeddings=Embeddings(str(static(tmp_path))))
    rows = encoded(encoder, known, Source())
    np.testing.assert_allclose(encoded(encoder, turned, Source()), -rows, atol=1e-6)
    assert abs(rows).max() > 0.1


def test_numbers_stay_numbers_where_embeddings_are_on(tmp_path: Path) -> None:
    records = tasks(["1.5", "2", "7"])
    encoder = encoder_for(TARGET, records, Source(), embeddings=Embeddings(str(static(tmp_path))))
    assert encoder.encode(records, Source()).shape == (3, 1)


def test_a_model_whose_embeddings_were_changed_or_are_gone_is_not_used(tmp_path: Path) -> None:
    state = EmbeddingEncoder.of(["text"], static(tmp_path), TEXTS, Source()).state()
    before = signature(tmp_path)
    write_safetensors(tmp_path / "model.safetensors", embeddings=TABLE * 2)
    assert signature(tmp_path) != before
    with pytest.raises(ArtifactError, match="not the one trained with"):
        restore_encoder(state)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ArtifactError, match="not on this machine"):
        restore_encoder(state)


@pytest.mark.parametrize(
    "broken",
    [
        "no folder",
        "no tokenizer",
        "no model",
        "bad tokenizer",
        "bad onnx",
        "of pictures",
        "bad table",
        "network",
        "huge",
    ],
)
def test_a_folder_that_holds_no_model_is_said_in_a_sentence(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "here"
    if broken != "no folder":
        folder.mkdir()
        static(folder)
    model = folder / "model.safetensors"
    match broken:
        case "no tokenizer":
            (folder / "tokenizer.json").unlink()
        case "no model":
            model.unlink()
        case "bad tokenizer":
            (folder / "tokenizer.json").write_text("{}")
        case "bad onnx":
            (folder / "model.onnx").write_bytes(b"no protocol buffer")
        case "of pictures":
            pictures(folder)
        case "network":
            write_safetensors(model, embeddings=TABLE, layer=TABLE)
        case "bad table":
            model.write_bytes(model.read_bytes()[:-4])
        case "huge":
            model.write_bytes(b"\xff" * 16)
    with pytest.raises(ConfigurationError, match=r"(There is no|cannot be read|no encoder of texts|2 tables)"):
        load_model(folder)


@pytest.mark.parametrize("missing", ["tokenizers", "onnxruntime"])
def test_without_the_extra_a_sentence_says_what_to_install(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=r"nextlabel\[embeddings\]"):
        load_model(sentences(tmp_path))
