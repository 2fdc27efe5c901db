"""Sounds, videos, series, documents: what is inside is learned, and whatever stands at an address breaks nothing."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from nextlabel.errors import FileUnavailable
from nextlabel.estimators.fitting import fit
from nextlabel.features import text as texts
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import encoder_for, restore_encoder, why_unread
from nextlabel.features.media import audio, pdf, video
from nextlabel.features.media import encoder as encoder_module
from nextlabel.features.media import series as series_module
from nextlabel.features.media.apart import apart
from nextlabel.features.media.documents import TextFiles, of_documents
from nextlabel.features.source import Source
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import Input, InputKind, Target, Task, TaskId
from nextlabel.labeling.ranking import Features, Floats

TASKS, LABELED = 50, 20


def is_odd(n: int) -> bool:
    """Which of the two classes a task is of, in no order that its number tells."""
    return bool(n * 7919 % 31 % 2)


def sound(n: int) -> bytes:
    """Half a second of a WAV file: a low or a high tone in noise, as loud as it comes."""
    import soundfile

    random = np.random.default_rng(n)
    pitch = random.uniform(300, 500) * (1.6 if is_odd(n) else 1)
    tone = np.sin(2 * np.pi * pitch * np.arange(8_000) / 16_000) * random.uniform(0.05, 0.5)
    return written(lambda file: soundfile.write(file, tone + random.normal(0, 0.02, 8_000), 16_000, format="WAV"))


def film(n: int) -> bytes:
    """An MP4 file in which a bright patch goes across or down."""
    import av

    random = np.random.default_rng(n)
    start, speed = random.integers(0, 10, 2), random.integers(2, 4)

    def write(file: BytesIO) -> None:
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for moment in range(16):
                pixels = random.integers(0, 60, (64, 64, 3), dtype=np.uint8)
                top, left = start + np.array([0, speed * moment] if is_odd(n) else [speed * moment, 0])
                pixels[top : top + 12, left : left + 12] = 250
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())

    return written(write)


def series(n: int) -> bytes:
    """A CSV file: times that jump, a channel of noise, and one that swings quickly or slowly."""
    random = np.random.default_rng(n)
    times = np.cumsum(random.uniform(0.5, 1.5, 120))
    swing = np.sin(times / (2 if is_odd(n) else 3) + random.uniform(0, 6)) + random.normal(0, 0.3, 120)
    swing[random.random(120) < 0.1] = np.nan
    noise = random.normal(size=120)
    rows = [",".join("" if np.isnan(cell) else f"{cell:.3f}" for cell in row) for row in np.c_[times, noise, swing]]
    return "\n".join(["time,noise,pulse", *rows]).encode()


def document(n: int) -> bytes:
    """A PDF file of two pages, the second of which says what it is about."""
    words = ("invoice total amount due payment", "diagnosis patient fever treatment dose")[is_odd(n)].split()
    picked = np.random.default_rng(n).permutation(words)[:3]
    return pdf_of(f"page one of file {n}", " ".join(picked))


def pdf_of(*pages: str) -> bytes:
    """As simple a PDF file as there is."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    bodies = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    font = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for n, text in enumerate(pages):
        drawn = f"BT /F 12 Tf 50 700 Td ({text}) Tj ET"
        bodies.append(f"<< /Type /Page /Parent 2 0 R /Resources {font} /Contents {4 + 2 * n} 0 R >>")
        bodies.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    content, places = b"%PDF-1.4\n", []
    for n, body in enumerate(bodies):
        places.append(len(content))
        content += f"{n + 1} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(bodies) + 1
    end = f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF"
    return content + f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode()


def written(write: Callable[[BytesIO], object]) -> bytes:
    file = BytesIO()
    write(file)
    return file.getvalue()


@dataclass(frozen=True)
class Kind:
    """A kind of file, and the library that opens it."""

    input: InputKind
    file: Callable[[int], bytes]
    library: str = ""


KINDS = {
    "sound": Kind("audio", sound, "soundfile"),
    "video": Kind("video", film, "av"),
    "series": Kind("series", series),
    "document": Kind("pdf", document, "pypdf"),
}
every = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
films_left_out = pytest.mark.parametrize(
    "kind",
    [pytest.param(one, id=name, marks=[pytest.mark.everything] * (name == "video")) for name, one in KINDS.items()],
)
"""Of every kind where films, which take longest to decode, differ from the others in nothing but the decoder."""
with_a_library = pytest.mark.parametrize(
    "kind", [pytest.param(one, id=name) for name, one in KINDS.items() if one.library]
)


class Files:
    """What stands at addresses, and which were asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files, self.asked = dict(files), list[str]()

    def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        if address not in self.files:
            raise FileUnavailable(address)
        return self.files[address]


def target(kind: Kind) -> Target:
    return Target("which", "choice", (Input("file", kind.input),), ("even", "odd"))


def of_files(n: int, **more: object) -> Task:
    return Task(TaskId(str(n)), {"file": f"/data/{n}", **more})


def source(files: Files, folder: Path) -> Source:
    return Source(vectors=VectorCache(folder), file=files, texts=TextFiles(folder))


def accuracy(kind: Kind, tasks: list[Task], here: Source) -> float:
    """Of tasks that have no label, learned from the first ones."""
    encoder = encoder_for(target(kind), tasks, here)
    features = encoder.encode(tasks, here)
    labels = [("even", "odd")[is_odd(n)] for n in range(len(tasks))]
    fitted = fit(target(kind), tasks[:LABELED], features[:LABELED], labels[:LABELED], encoder.space(features), 0)
    again = restore_encoder(encoder.state()).encode(tasks[LABELED:], here)
    guesses = fitted.model.predict(tasks[LABELED:], again).guesses("which")
    return float(np.mean([guess.label == label for guess, label in zip(guesses, labels[LABELED:], strict=True)]))


@every
def test_what_only_the_files_tell_is_learned_and_each_is_opened_once(kind: Kind, tmp_path: Path) -> None:
    files = Files({f"/data/{n}": kind.file(n) for n in range(TASKS)})
    tasks = [of_files(n) for n in range(TASKS)]
    assert accuracy(kind, tasks, source(files, tmp_path)) >= 0.85
    assert sorted(files.asked) == sorted(files.files)
    assert accuracy(kind, tasks, source(files, tmp_path)) >= 0.85
    assert len(files.asked) == TASKS


@films_left_out
def test_of_two_files_it_is_learned_which_is_better(kind: Kind, tmp_path: Path) -> None:
    here = source(Files({f"/data/{n}": kind.file(n) for n in range(TASKS)}), tmp_path)
    evens, odds = ([n for n in range(TASKS) if is_odd(n) == odd] for odd in (False, True))
    pairs = [(even, odd) if at % 3 else (odd, even) for at, (even, odd) in enumerate(zip(evens, odds, strict=False))]
    labels = ["right" if is_odd(second) else "left" for _, second in pairs]
    tasks = [Task(TaskId(str(n)), {"a": f"/data/{a}", "b": f"/data/{b}"}) for n, (a, b) in enumerate(pairs)]
    inputs = (Input("a", kind.input), Input("b", kind.input))
    better = Target("better", "choice", inputs, ("left", "right"), compared=True)
    encoder = encoder_for(better, tasks, here)
    features = encoder.encode(tasks, here)
    n = len(tasks) * 2 // 3
    fitted = fit(better, tasks[:n], features[:n], labels[:n], encoder.space(features), 0)
    again = restore_encoder(encoder.state()).encode(tasks[n:], here)
    guesses = fitted.model.predict(tasks[n:], again).guesses("better")
    assert np.mean([guess.label == label for guess, label in zip(guesses, labels[n:], strict=True)]) >= 0.85


@films_left_out
def test_a_file_that_cannot_be_had_is_tried_again_and_counts_from_then_on(kind: Kind, tmp_path: Path) -> None:
    files = Files({f"/data/{n}": kind.file(n) for n in range(4)})
    late = files.files.pop("/data/3")
    tasks = [of_files(n) for n in range(4)]
    encoder = encoder_for(target(kind), tasks, source(files, tmp_path))
    (*others, missing) = dense(encoder.encode(tasks, source(files, tmp_path)))
    assert not missing.any()
    assert all(one.any() for one in others)
    files.asked.clear()
    files.files["/data/3"] = late
    assert dense(encoder.encode(tasks, source(files, tmp_path)))[3].any()
    assert files.asked == ["/data/3"]


@films_left_out
def test_what_else_tasks_say_is_learned_beside_files_that_say_nothing(kind: Kind, tmp_path: Path) -> None:
    """As well as it was when files were not opened."""
    files = Files({f"/data/{n}": kind.file(n * 31) for n in range(TASKS)})  # all of one class
    tasks = [of_files(n, speaker=("ann", "ben")[is_odd(n)], seconds=n % 9) for n in range(TASKS)]
    assert accuracy(kind, tasks, source(files, tmp_path)) >= 0.9


@with_a_library
def test_without_the_library_other_fields_are_learned_and_a_warning_names_what_to_install(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = Files({f"/data/{n}": b"" for n in range(TASKS)})
    tasks = [of_files(n, speaker=("ann", "ben")[is_odd(n)]) for n in range(TASKS)]
    without(kind.library, monkeypatch)
    encoder_module._warn.cache_clear()
    assert f"nextlabel[{kind.input}]" in why_unread(kind.input)
    assert accuracy(kind, tasks, source(files, tmp_path)) == 1.0
    assert not files.asked
    assert [record.getMessage().count(f'"nextlabel[{kind.input}]"') for record in caplog.records] == [1]


@with_a_library
def test_a_model_that_learned_from_files_answers_where_the_library_is_gone(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files({f"/data/{n}": kind.file(n) for n in range(2)})
    tasks = [of_files(n) for n in range(2)]
    encoder = encoder_for(target(kind), tasks, source(files, tmp_path))
    assert dense(encoder.encode(tasks, source(files, tmp_path))).any()
    without(kind.library, monkeypatch)
    assert not dense(restore_encoder(encoder.state()).encode(tasks, source(files, tmp_path / "other"))).any()


def without(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def importing(name: str, *how: object) -> object:
        if name.split(".", maxsplit=1)[0] == library:
            raise ImportError(name)
        return real(name, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", importing)


def dense(features: Features) -> Floats:
    return np.asarray(features if isinstance(features, np.ndarray) else features.toarray())


class NoTexts:
    """Must not be asked."""

    def get(self, signature: str, key: bytes) -> str | None:
        raise AssertionError(signature)

    def keep(self, signature: str, key: bytes, text: str) -> None:
        raise AssertionError(signature)


def test_documents_that_are_known_are_neither_read_nor_counted_again_and_lost_ones_are_opened(tmp_path: Path) -> None:
    files = Files({f"/data/{n}": document(n) for n in range(4)})
    pairs = [Task(TaskId(str(n)), {"a": f"/data/{n}", "b": f"/data/{n ^ 1}"}) for n in range(4)]
    for tasks, fields in ([of_files(n) for n in range(4)], ("file",)), (pairs, ("a", "b")):
        shutil.rmtree(tmp_path)
        both = Target("which", "choice", tuple(Input(one, "pdf") for one in fields), ("even", "odd"))
        here = replace(source(files, tmp_path), count=TextFeatureCache(tmp_path).features)
        encoder = encoder_for(both, tasks, here)
        rows = dense(encoder.encode(tasks, here))
        assert len(np.unique(rows, axis=0)) == 4
        known = Source(TextFeatureCache(tmp_path).features, VectorCache(tmp_path), None, texts=NoTexts())
        assert (dense(encoder.encode(tasks, known)) == rows).all()

        for folder in (texts.SIGNATURE, pdf.SIGNATURE):  # counts and texts, not what is known of addresses
            shutil.rmtree(tmp_path / folder)
        assert not dense(encoder.encode(tasks, replace(here, file=None))).any()
        assert (dense(encoder.encode(tasks, here)) == rows).all()
        files.asked.clear()
        assert (dense(encoder.encode(tasks, here)) == rows).all()
        assert not files.asked


def test_pictures_and_texts_shown_together_both_count(tmp_path: Path) -> None:
    both = Target("which", "choice", (Input("file", "image"), Input("caption")), ("even", "odd"))
    files = Files({f"/data/{n}": picture(n % 2) for n in range(4)})
    tasks = [of_files(n, caption=("a cat", "a dog")[n // 2]) for n in range(4)]
    encoder = encoder_for(both, tasks, source(files, tmp_path))
    rows = dense(restore_encoder(encoder.state()).encode(tasks, source(files, tmp_path)))
    assert len(np.unique(rows.round(5), axis=0)) == 4
    files.files.clear()
    assert dense(encoder.encode([of_files(9, caption="a cat")], source(files, tmp_path))).any()


def picture(shade: int) -> bytes:
    from PIL import Image

    drawn = Image.new("L", (32, 32), 80)
    drawn.paste(200, (4, 4, 8, 28) if shade else (4, 4, 28, 8))
    return written(lambda file: drawn.save(file, "PNG"))


# --- hostile files ---------------------------------------------------------------------------------------------------


def wav_that_claims(seconds: int, rate: int = 48_000, channels: int = 2, samples: bytes = b"\0" * 400) -> bytes:
    head = struct.pack("<HHIIHH", 1, channels, rate, min(rate * channels * 2, 2**32 - 1), channels * 2, 16)
    size = min(seconds * rate * channels * 2, 2**32 - 1)
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + b"data"
        + struct.pack("<I", size)
        + samples
    )


def pdf_bomb() -> bytes:
    """A page whose text takes 200 MB once it is unpacked."""
    packer = zlib.compressobj(9)
    packed = packer.compress(b"BT (a) Tj ET\n") + b"".join(packer.compress(b" " * 10**6) for _ in range(200))
    return pdf_of_stream(packed + packer.flush())


def pdf_of_stream(packed: bytes) -> bytes:
    """`pdf_of` with a packed stream in place of the text; its table of places no longer holds, as in many files."""
    head, _, rest = pdf_of("x").partition(b"<< /Length ")
    end = rest.index(b"endstream")
    return head + f"<< /Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode() + packed + b"\n" + rest[end:]


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "zeros": bytes(10_000),
    "noise": np.random.default_rng(0).bytes(100_000),
    "a page": b"<html><title>Log in</title></html>",
    "a sound cut short": sound(0)[:40],
    "a video cut short": film(0)[:300],
    "a document cut short": document(0)[:60],
    "a sound without a rate": wav_that_claims(1, rate=0),
    "a sound of very many channels": wav_that_claims(1, channels=1024),
    "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "a list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "lists in lists": b"[" * 1_000_000,
    "a line without end": b"1," * 5_000_000,
    "names and no numbers": b"a,b\nx,y\n",
}


@every
def test_what_cannot_be_read_is_nothing_and_breaks_no_batch(kind: Kind, tmp_path: Path) -> None:
    contents = {"good": kind.file(0), **BROKEN, "other": kind.file(1)}
    files = Files({f"/data/{n}": content for n, content in enumerate(contents.values())})
    tasks = [of_files(n) for n in range(len(contents))]
    encoder = encoder_for(target(kind), tasks, source(files, tmp_path))
    rows = dense(encoder.encode(tasks, source(files, tmp_path)))
    assert [name for name, row in zip(contents, rows, strict=True) if row.any()] == ["good", "other"]


@every
def test_bytes_of_any_kind_are_described_by_plain_numbers_or_not_at_all(kind: Kind) -> None:
    describe = import_module(f"nextlabel.features.media.{kind.input}").describe
    random, whole = np.random.default_rng(0), kind.file(0)
    for _ in range(20):
        content = bytearray(whole)
        for place in random.integers(0, len(content), 8):
            content[place] = random.integers(256)
        row = describe(bytes(content))
        assert row is None or isinstance(row, str) or np.isfinite(row).all()


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_of_a_sound_without_end_only_the_beginning_is_decoded(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import soundfile

    monkeypatch.setattr(audio, "MOST_SECONDS", 2.0)
    monkeypatch.setattr(audio, "MOST_SAMPLES", 500_000)
    decoded: list[int] = []
    read = soundfile.SoundFile.read

    def counting(self: object, frames: int, **how: object) -> object:
        block = read(self, frames, **how)
        decoded.append(block.size)
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    hour = written(lambda file: soundfile.write(file, np.zeros((3_000_000, channels), "i2"), 48_000, format="FLAC"))
    assert audio.describe(hour) is not None
    assert sum(decoded) <= min(96_000 * channels, 500_000)
    assert max(decoded) <= audio._BLOCK
    decoded.clear()
    assert audio.describe(wav_that_claims(10**9, channels=channels)) is not None
    assert sum(decoded) <= 400


def test_of_a_video_only_so_many_frames_are_decoded_and_none_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    from av import VideoFrame

    frames: list[int] = []
    picture_of = video._picture

    def counting(frame: VideoFrame) -> bytes:
        frames.append(frame.pts or 0)
        return picture_of(frame)

    monkeypatch.setattr(video, "_picture", counting)
    assert video.describe(film(0)) is not None
    assert len(frames) == video.FRAMES
    assert frames[0] < frames[-1]
    monkeypatch.setattr(video, "MOST_DECODED", 5)
    frames.clear()
    assert video.describe(film(0)) is not None
    assert len(frames) <= 5
    monkeypatch.setattr(video, "_MOST_PIXELS", 64 * 64 - 1)
    assert video.describe(film(0)) is None


def test_a_list_of_videos_opens_no_file_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to itself the library does: a stranger would learn from its features what files there are."""
    import av

    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").write_bytes(film(0))
    named = b"ffconcat version 1.0\nfile film.mp4\n"
    with av.open(BytesIO(named), "r") as container:
        assert next(container.decode(video=0)).width == 64
    assert video.describe(named) is None


def test_of_a_series_only_so_many_rows_and_columns_are_read() -> None:
    wide = b"\n".join(b",".join(b"%d" % (n * m % 7) for m in range(900)) for n in range(50))
    assert len(series_module._columns(wide)) == series_module.MOST_COLUMNS
    long = b"pulse\n" + b"1\n2\n" * 400_000
    assert [len(one) for one in series_module._columns(long).values()] == [series_module.MOST_ROWS]
    assert series_module.describe(json.dumps([1.5] * 3_000_000).encode()) is None  # more than JSON may have


def test_of_a_document_only_so_many_pages_and_characters_are_read() -> None:
    text = pdf.describe(pdf_of(*["word " * 10] * (pdf.MOST_PAGES + 5)))
    assert text is not None
    assert text.count("\n") == pdf.MOST_PAGES - 1
    long = pdf.describe(pdf_of(*["word " * 5_000] * 10))
    assert long is not None
    assert len(long.replace("\n", "")) == pdf.MOST_CHARACTERS


def test_a_document_that_unpacks_into_far_more_is_nothing_and_takes_nothing_with_it(tmp_path: Path) -> None:
    files = Files({"/data/0": document(0), "/data/1": pdf_bomb(), "/data/2": document(1)})
    tasks = [of_files(n) for n in range(3)]
    encoder = encoder_for(target(KINDS["document"]), tasks, source(files, tmp_path))
    rows = dense(encoder.encode(tasks, source(files, tmp_path)))
    assert [bool(row.any()) for row in rows] == [True, False, True]


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A medium of which some files hang, crash or swell whatever opens them."""
    (tmp_path / "odd.py").write_text(
        "import os, signal\n"
        "def describe(content):\n"
        "    if content == b'hangs':\n"
        "        signal.alarm(1)\n"
        "        while True: pass\n"
        "    if content == b'crashes':\n"
        "        os.abort()\n"
        "    if content == b'swells':\n"
        "        bytearray(10**10)\n"
        "    if content == b'raises':\n"
        "        raise ValueError\n"
        "    return content.decode() + ' ' + str(sorted(name for name in os.environ if 'SECRET' in name))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("NEXTLABEL_WEBHOOK_SECRET", "s3cret")


@pytest.mark.usefixtures("odd")
def test_a_decoder_that_hangs_or_crashes_is_ended_and_the_next_file_is_read() -> None:
    with apart("odd") as describe:
        found = [describe(one) for one in (b"one", b"hangs", b"crashes", b"swells", b"raises", b"two")]
    assert found == [b"one []", b"", b"", b"", None, b"two []"]


@pytest.mark.usefixtures("odd")
def test_a_file_that_ended_its_decoder_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "__name__", "odd")
    files = Files({"/data/0": b"crashes", "/data/1": b"raises", "/data/2": b"a text"})
    tasks = [of_files(n) for n in range(3)]
    for asked in (["/data/0", "/data/1", "/data/2"], ["/data/1"]):
        files.asked.clear()
        texts = of_documents(tasks, ["file"], source(files, tmp_path), list)
        assert texts == ["", "", "a text []"]
        assert sorted(files.asked) == asked
