"""Pictures: whatever stands behind an address, a batch gets its rows; what looks alike has like features."""

from __future__ import annotations

import builtins
import struct
import sys
import zlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Event, Lock, Semaphore
from time import sleep

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nextlabel.errors import ConfigurationError, FileUnavailable
from nextlabel.estimators.fitting import fit
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.features import image
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import MOST_FILES, ListEncoder, encoder_for, restore_encoder
from nextlabel.features.image import WIDTH, decode
from nextlabel.features.media import reading
from nextlabel.features.media.encoder import PICTURES, MediaEncoder
from nextlabel.features.model_folders import Embeddings
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats

TARGET = Target("pet", "choice", (Input("photo", "image"),), ("cat", "dog"))


def picture(shape: str = "circle", size: int = 100, mode: str = "RGB") -> Image.Image:
    """A dark shape on light ground, to the left."""
    drawn = Image.new("RGB", (size, size), "lightyellow")
    draw = ImageDraw.Draw(drawn)
    box = (size * 0.1, size * 0.2, size * 0.5, size * 0.6)
    draw.ellipse(box, "navy") if shape == "circle" else draw.rectangle(box, "navy")
    return drawn.convert(mode)


def file(one: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    written = BytesIO()
    one.save(written, kind, **how)
    return written.getvalue()


def data_uri(content: bytes) -> str:
    return f"data:image/png;base64,{b64encode(content).decode()}"


def tasks(*addresses: object) -> list[Task]:
    return [Task(TaskId(str(n)), {"photo": address}) for n, address in enumerate(addresses)]


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


class Files:
    """What stands at addresses, and which were asked for."""

    def __init__(self, **files: bytes) -> None:
        self.files, self.asked = files, list[str]()

    def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        if address not in self.files:
            raise FileUnavailable(address)
        return self.files[address]


PAGES = Target("pet", "choice", (Input("photo", "image", layout="list"),), ("cat", "dog"))


def drawn_files(n: int) -> Files:
    return Files(**{f"f{m}": file(picture("square" if m % 2 else "circle", 40 + m)) for m in range(n)})


def test_of_a_list_of_pictures_each_counts_wherever_it_stands() -> None:
    """Of the two kinds of task only one has a square among the others."""
    chance, some = np.random.default_rng(0), drawn_files(40)
    circles, squares = ([f"f{m}" for m in range(start, 40, 2)] for start in (0, 1))
    lists = [[*chance.choice(circles, 4), *chance.choice(squares, n % 2)] for n in range(60)]
    many = tasks(*([str(one) for one in chance.permutation(some_of)] for some_of in lists))
    encoder = encoder_for(PAGES, many, Source(file=some))
    features = encoder.encode(many, Source(file=some))
    labels = [("cat", "dog")[n % 2] for n in range(60)]
    model = fit(PAGES, many[:40], features[:40], labels[:40], encoder.space(features), 0).model
    assert metrics_of(model.predict(many[40:], features[40:]), labels[40:])["accuracy"] >= 0.9
    again = restore_encoder(encoder.state())
    assert np.array_equal(np.asarray(again.encode(many[:5], Source(file=some))), np.asarray(features)[:5])


def test_a_list_is_the_mean_of_its_pictures_that_can_be_read(tmp_path: Path) -> None:
    some = drawn_files(3)
    here = Source(vectors=VectorCache(tmp_path), file=some)
    alone = np.asarray(encoder_for(TARGET, tasks("f0", "f1"), here).encode(tasks("f0", "f1"), here))
    lists = tasks(["f0", "gone", "f1"], "f0", ["f1", "f1"], [], None, ["gone"], {"f": "f1"}, [["f1"], 5])
    encoder = encoder_for(PAGES, lists, here)
    both, first, second, *nothing, last = np.asarray(encoder.encode(lists, here))
    assert np.allclose(both, alone.mean(axis=0))
    assert [np.allclose(one, alone[n]) for n, one in enumerate((first, second))] == [True, True]
    assert not np.any(nothing)
    assert np.allclose(last, alone[1])
    assert np.asarray(encoder.encode([], here)).shape == (0, alone.shape[1])
    assert sorted(one for one in some.asked if one != "gone") == ["f0", "f1"], "each is opened once"


def test_of_a_long_list_so_many_pictures_are_opened_from_the_first_to_the_last() -> None:
    some = drawn_files(100)
    (book,) = tasks([f"f{m}" for m in range(100)])
    ListEncoder(["photo"], MediaEncoder(["side"], PICTURES)).encode([book], Source(file=some))
    assert len(some.asked) == MOST_FILES
    assert {"f0", "f99"} <= set(some.asked)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_looks_the_same_in_every_format(kind: str) -> None:
    (plain, other, square) = MediaEncoder(["photo"], PICTURES).encode(
        tasks(*(data_uri(one) for one in (file(picture()), file(picture(), kind), file(picture("square"))))), Source()
    )
    assert alike(plain, other) > 0.98 > alike(plain, square)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "1"])
def test_a_picture_of_any_depth_is_read(mode: str) -> None:
    grey = picture(mode="L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 200) if mode == "I;16" else grey.convert(mode)
    content = file(deep, "TIFF")
    assert alike(image.describe(_decoded(content)), image.describe(_decoded(file(grey)))) > 0.9


def _decoded(content: bytes) -> np.ndarray:
    pixels = decode(content)
    assert pixels is not None
    return np.asarray(pixels)


def test_transparent_parts_are_white_and_a_turned_photo_stands_upright() -> None:
    ghost = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
    assert _decoded(file(ghost)).min() == 1.0
    turned = Image.Exif()
    turned[0x0112] = 6  # "rotate by 90° to show it"
    lying = file(picture().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned, quality=95)
    np.testing.assert_allclose(_decoded(lying), _decoded(file(picture(), "JPEG", quality=95)), atol=0.15)


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is that large and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    parts = [struct.pack(">I", len(c)) + name + c + struct.pack(">I", zlib.crc32(name + c)) for name, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


BROKEN: dict[str, object] = {
    "missing": None,
    "a number": 7,
    "an empty list": [],
    "nowhere": "/data/nowhere.png",
    "not base64": "data:image/png;base64,%%%",
    "no data": "data:",
    "text": data_uri(b"<svg/>"),
    "cut short": data_uri(file(picture())[:200]),
    "a bomb": data_uri(png_of(60_000, 60_000)),
    "a smaller bomb": data_uri(png_of(9_000, 9_000)),
    "another format": data_uri(file(picture(), "ICO")),
    "a program": data_uri(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_picture_that_cannot_be_read_is_a_row_of_zeros_and_breaks_no_batch(what: str) -> None:
    good = data_uri(file(picture()))
    rows = MediaEncoder(["photo"], PICTURES).encode(tasks(good, BROKEN[what], good), Source(file=Files()))
    assert rows.shape == (3, WIDTH)
    assert not rows[1].any()
    assert rows[0].any()
    assert (rows[0] == rows[2]).all()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged metadata
def test_bytes_of_any_kind_are_a_picture_or_none() -> None:
    random = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        for _ in range(30):
            content = bytearray(file(picture(size=20), kind))
            for place in random.integers(0, len(content), 8):
                content[place] = random.integers(256)
            pixels = decode(bytes(content))
            assert pixels is None or np.isfinite(image.describe(pixels)).all()


def test_a_picture_is_fetched_once_but_one_that_failed_again_the_next_time(tmp_path: Path) -> None:
    files = Files(a=file(picture()))
    source = Source(vectors=VectorCache(tmp_path), file=files)
    first = MediaEncoder(["photo"], PICTURES).encode(tasks("a", "b", "a"), source)
    assert sorted(files.asked) == ["a", "b"]
    files.files["b"] = file(picture("square"))
    second = MediaEncoder(["photo"], PICTURES).encode(tasks("a", "b", "a"), source)
    assert sorted(files.asked) == ["a", "b", "b"]
    assert (first[0] == second[0]).all()
    assert not first[1].any()
    assert second[1].any()


def test_all_batches_of_a_process_together_decode_two_pictures_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, let, lock, at_once = Semaphore(0), Event(), Lock(), list[int]()
    now = 0

    def decoding(content: bytes) -> None:
        nonlocal now
        with lock:
            now += 1
            at_once.append(now)
        begun.release()
        let.wait()
        with lock:
            now -= 1

    monkeypatch.setattr(image, "decode", decoding)
    files = Files(a=file(picture()))
    encoder = MediaEncoder(["photo"], PICTURES)
    with ThreadPoolExecutor(4) as batches:
        done = [batches.submit(encoder.encode, tasks("a", "a"), Source(file=files)) for _ in range(4)]
        for _ in range(2):
            begun.acquire()
        while len(files.asked) < 8:  # all the others have theirs and want to
            sleep(0.01)
        let.set()
        [one.result() for one in done]
    assert (len(at_once), max(at_once)) == (8, 2)


def test_a_host_that_only_times_out_is_not_asked_for_every_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SLOW_SECONDS", 0.0)
    files = Files()
    rows = MediaEncoder(["photo"], PICTURES).encode(tasks(*map(str, range(500))), Source(file=files))
    assert len(files.asked) < 50
    assert not rows.any()


def test_pictures_are_chosen_for_a_target_and_come_back_from_their_state() -> None:
    shown = tasks(data_uri(file(picture())), [data_uri(file(picture("square"))), "/second.png"])
    encoder = encoder_for(TARGET, shown, Source(), embeddings=Embeddings("/nowhere"))
    rows = encoder.encode(shown, Source())
    np.testing.assert_array_equal(restore_encoder(encoder.state()).encode(shown, Source()), rows)
    assert rows.shape[1] == WIDTH
    assert encoder.space(rows).weigh(rows).shape == (2, encoder.space(rows).columns)
    assert encoder.encode([], Source()).shape == (0, WIDTH)


def somewhere(shape: str, seed: int) -> bytes:
    """A small shape anywhere on an empty picture."""
    drawn, (x, y) = Image.new("L", (112, 112)), np.random.default_rng(seed).integers(0, 92, 2).tolist()
    pen, (left, top, right, bottom) = ImageDraw.Draw(drawn), (x, y, x + 19, y + 19)
    if shape == "ring":
        pen.ellipse((left, top, right, bottom), outline=255, width=3)
    else:
        pen.line((left, top, right, bottom), fill=255, width=3)
        pen.line((left, bottom, right, top), fill=255, width=3)
    return file(drawn)


def test_what_a_picture_holds_is_learned_wherever_it_stands(tmp_path: Path) -> None:
    shapes = [("ring", "cross")[n % 2] for n in range(200)]
    shown = tasks(*(data_uri(somewhere(shape, seed)) for seed, shape in enumerate(shapes)))
    target, source = Target("shape", "choice", (Input("photo", "image"),), ("cross", "ring")), Source()
    encoder = encoder_for(target, shown, source)
    rows = encoder.encode(shown, source)
    model = fit(target, shown[:40], rows[:40], shapes[:40], encoder.space(rows), 0).model
    assert metrics_of(model.predict(shown[40:], rows[40:]), shapes[40:])["accuracy"] > 0.9


def test_words_are_kept_until_there_are_twice_as_many_pictures(tmp_path: Path) -> None:
    files = Files(**{f"p{n}": somewhere(("ring", "cross")[n % 2], n) for n in range(40)})
    source = Source(vectors=VectorCache(tmp_path), file=files)

    def encoded(n: int) -> tuple[MediaEncoder, Floats]:
        shown = tasks(*(f"p{place}" for place in range(n)))
        encoder = encoder_for(TARGET, shown, source)
        assert isinstance(encoder, MediaEncoder)
        return encoder, encoder.encode(shown[:20], source)

    (before, rows), asked = encoded(22), len(files.asked)
    assert rows.shape[1] > WIDTH
    np.testing.assert_array_equal(encoded(22)[1], rows)
    assert len(files.asked) == asked
    np.testing.assert_array_equal(encoded(30)[1], rows)
    np.testing.assert_array_equal(restore_encoder(before.state()).encode(tasks("p0"), source)[0], rows[0])
    assert len(files.asked) == asked
    assert encoded(40)[1].tobytes() != rows.tobytes()


def test_without_enough_pictures_to_be_had_there_are_no_words_yet(tmp_path: Path) -> None:
    files, shown = Files(), tasks(*(f"p{n}" for n in range(30)))
    source = Source(vectors=VectorCache(tmp_path), file=files)
    assert encoder_for(TARGET, shown, source).encode(shown, source).shape == (30, WIDTH)
    files.files |= {f"p{n}": somewhere("ring", n) for n in range(30)}
    assert encoder_for(TARGET, shown, source).encode(shown, source).shape[1] > WIDTH


def test_without_pillow_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *how: object) -> object:
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"nextlabel\[images\]"):
        MediaEncoder(["photo"], PICTURES).encode(tasks("a"), Source())
