"""Pictures as an ONNX network sees them: a tiny one with known weights, that plain features cannot stand in for."""

from __future__ import annotations

import json
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from nextlabel.errors import ArtifactError, ConfigurationError, FileUnavailable
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import Encoder, encoder_for, restore_encoder
from nextlabel.features.image_embedding import ImageEmbeddingEncoder, load_image_model
from nextlabel.features.model_folders import NO_EMBEDDINGS, Embeddings
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Target, Task, TaskId
from tiny_models import TABLE, pictures, sentences, write_safetensors, write_tokenizer

TARGET = Target("mixed", "choice", (Input("photo", "image"),), ("yes", "no"))


def png(pixels: np.ndarray) -> bytes:
    written = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(written, "PNG")
    return written.getvalue()


def tasks(*contents: bytes | str) -> list[Task]:
    shown = [one if isinstance(one, str) else f"data:image/png;base64,{b64encode(one).decode()}" for one in contents]
    return [Task(TaskId(str(n)), {"photo": address}) for n, address in enumerate(shown)]


def plain(red: int, green: int, blue: int) -> bytes:
    return png(np.full((8, 8, 3), (red, green, blue)))


def of_images(folder: Path) -> Embeddings:
    return Embeddings(images=str(folder))


@pytest.mark.parametrize("pooled", [False, True])
def test_a_picture_is_the_mean_over_its_places_at_length_one(tmp_path: Path, pooled: bool) -> None:
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"do_normalize": False, "size": {"shortest_edge": 8}})
    )
    model = load_image_model(pictures(tmp_path, pooled=pooled))
    row = model.row(plain(255, 51, 102))
    assert row is not None
    np.testing.assert_allclose(row, np.array([0.8, 0, 0.4]) / np.hypot(0.8, 0.4), atol=1e-6)
    assert row.dtype == np.float32
    assert model.width == 3


def test_colours_are_scaled_as_the_file_beside_the_model_says_else_as_imagenets(tmp_path: Path) -> None:
    grey, beside = plain(128, 128, 128), tmp_path / "preprocessor_config.json"
    model = load_image_model(pictures(tmp_path, side=8))
    (red, green, _) = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    before = model.row(grey)
    assert before is not None
    assert before[1] / before[2] == pytest.approx((green - red) / ((128 / 255 - 0.406) / 0.225), rel=1e-4)
    beside.write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.5]}))
    after = load_image_model(tmp_path).row(grey)
    assert after is not None
    assert after[0] == 0
    assert after[1] == pytest.approx(after[2], rel=1e-4)  # of green twice as much


def test_of_a_list_of_pictures_the_network_sees_each(tmp_path: Path) -> None:
    several = Target("mixed", "choice", (Input("photo", "image", layout="list"),), ("yes", "no"))
    seen = of_images(pictures(tmp_path, side=8))
    alone = tasks(plain(255, 51, 102), plain(0, 200, 30))
    together = [Task(TaskId("2"), {"photo": [*(one.data["photo"] for one in alone), "gone"]})]
    first, second = np.asarray(encoder_for(TARGET, alone, Source(), embeddings=seen).encode(alone, Source()))
    (both,) = np.asarray(encoder_for(several, together, Source(), embeddings=seen).encode(together, Source()))
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-6)


def mixed(rng: np.random.Generator, *, both: bool) -> bytes:
    """Noise, in which some places are half red and half green, or just as many are yellow: in mean they are alike."""
    pixels = rng.integers(90, 110, (56, 56, 1)).repeat(3, axis=2)
    for _ in range(12):
        x, y = rng.integers(0, 53, 2)
        pixels[y : y + 4, x : x + 4] = (120, 120, 60)
        if both:
            pixels[y : y + 4 : 2, x : x + 4] = (180, 60, 60)
            pixels[y + 1 : y + 4 : 2, x : x + 4] = (60, 180, 60)
    return png(pixels)


def accuracy(encoder: Encoder, known: list[Task], truth: np.ndarray) -> float:
    features = encoder.encode(known, Source())
    weighed = encoder.space(features).weigh(features)
    return float(cross_val_score(LogisticRegression(C=10), weighed, truth, cv=5).mean())


def test_a_network_tells_apart_what_plain_features_cannot(tmp_path: Path) -> None:
    rng, truth = np.random.default_rng(0), np.arange(80) % 2
    known = tasks(*(mixed(rng, both=bool(one)) for one in truth))
    seen = accuracy(
        encoder_for(TARGET, known, Source(), embeddings=of_images(pictures(tmp_path, side=56))), known, truth
    )
    assert seen > 0.95 > accuracy(encoder_for(TARGET, known, Source(), embeddings=NO_EMBEDDINGS), known, truth) + 0.1


def test_what_is_no_picture_is_zeros_and_tried_again_and_what_is_one_is_read_once(tmp_path: Path) -> None:
    files, asked = {"a": plain(200, 0, 0)}, list[str]()

    def file(address: str) -> bytes:
        asked.append(address)
        if address not in files:
            raise FileUnavailable(address)
        return files[address]

    source, shown = Source(vectors=VectorCache(tmp_path / "cache"), file=file), tasks("a", "b")
    encoder = encoder_for(TARGET, shown, source, embeddings=of_images(pictures(tmp_path, side=8)))
    assert np.asarray(encoder.encode(shown, source)).any(axis=1).tolist() == [True, False]
    files["b"] = plain(0, 0, 200)
    assert np.asarray(encoder.encode(shown, source)).any(axis=1).tolist() == [True, True]
    assert sorted(asked) == ["a", "b", "b"]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    other = encoder_for(TARGET, shown, source, embeddings=of_images(tmp_path))
    assert other.encode(shown, source)[0, 0] == 1  # by another preparation: not that of the cache
    assert len(asked) == 5


def test_it_comes_back_from_its_state_and_not_where_the_model_is_another_or_gone(tmp_path: Path) -> None:
    shown = tasks(plain(200, 10, 10), plain(10, 200, 90))
    encoder = encoder_for(TARGET, shown, Source(), embeddings=of_images(pictures(tmp_path, side=8)))
    assert isinstance(encoder, ImageEmbeddingEncoder)
    again = restore_encoder(encoder.state())
    np.testing.assert_array_equal(again.encode(shown, Source()), encoder.encode(shown, Source()))
    pictures(tmp_path, side=16)
    with pytest.raises(ArtifactError, match="not the one trained with"):
        restore_encoder(encoder.state())
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(ArtifactError, match="not on this machine"):
        restore_encoder(encoder.state())


@pytest.mark.parametrize("wrong", ["nothing", "sentences", "static", "broken", "huge", "settings", "colours"])
def test_what_is_no_encoder_of_pictures_is_said_in_a_sentence(tmp_path: Path, wrong: str) -> None:
    beside = tmp_path / "preprocessor_config.json"
    match wrong:
        case "sentences":
            sentences(tmp_path)
        case "static":
            write_tokenizer(tmp_path)
            write_safetensors(tmp_path / "model.safetensors", embeddings=TABLE)
        case "broken":
            (tmp_path / "model.onnx").write_bytes(b"no protocol buffer")
        case "huge":
            pictures(tmp_path, side=4096)
        case "settings":
            pictures(tmp_path)
            beside.write_text("[1, 2")
        case "colours":
            pictures(tmp_path)
            beside.write_text(json.dumps({"image_std": [1, 1, 0]}))
    with pytest.raises(ConfigurationError, match=r"(There is no|takes input_ids|cannot be read|at most 1024|must be)"):
        load_image_model(tmp_path)
