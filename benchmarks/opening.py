"""``python -m benchmarks.opening``: what it costs to open files, at first and once they are known, and hostile ones.

Files are made here, twenty of each kind that come again and again under other addresses. Each figure is taken in a
process of its own; its memory is the most that it ever held, and that of the decoder it started, which counts from
what the process held then. What is hostile comes
from a web server on this machine, through the same code as from any host that an installation allows.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import struct
import tempfile
import time
import wave
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console
from scipy.sparse import csr_matrix

from benchmarks.figures import stopwatch
from benchmarks.page import write_table
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import encoder_for
from nextlabel.features.media.documents import TextFiles
from nextlabel.features.source import Source
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import Input, InputKind, Target, Task, TaskId, ToolProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.files import fetch_file

_DIFFERENT = 20
_FIELD = "file"


class Cost(NamedTuple):
    """Seconds of the first pass by the clock, processor seconds of the first and the second one, megabytes of this
    process and of its decoder, and whether anything was seen in any of the files."""

    clock: float
    first: float
    second: float
    memory: float
    decoder: float
    seen: bool


@dataclass(frozen=True, slots=True)
class Files:
    """A kind of file: what one is in words, how many are opened, and how to make the n-th; a bomb is small and unpacks
    into much, ``begin`` is how files of the kind begin."""

    kind: InputKind
    words: str
    number: int
    make: Callable[[int], bytes]
    begin: bytes
    bomb: Callable[[], bytes]


# --- files -----------------------------------------------------------------------------------------------------------


def picture(n: int) -> bytes:
    """A JPEG of 1,024 × 768, as rich in detail as a photo."""
    draw = np.random.default_rng(n)
    coarse = Image.fromarray(draw.integers(0, 255, (48, 64, 3), dtype=np.uint8)).resize((1_024, 768))
    pixels = np.asarray(coarse, dtype=np.int16) + draw.integers(-12, 12, (768, 1_024, 1))
    return _written(lambda file: Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG"))


def huge_picture() -> bytes:
    """A PNG of 13,000 × 13,000 black pixels: Pillow itself refuses from 13,378 on."""
    packed = _packed(b"", bytes(1 + 13_000 // 8), 13_000)
    head = struct.pack(">IIBBBBB", 13_000, 13_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def recording(n: int) -> bytes:
    """A minute of WAV, 16,000 samples a second."""
    draw = np.random.default_rng(n)
    samples = np.cumsum(draw.normal(0, 300, 60 * 16_000)) % 20_000 - 10_000

    def write(file: io.BytesIO) -> None:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 16_000, 0, "NONE", ""))
            sound.writeframes(samples.astype("<i2").tobytes())

    return _written(write)


def long_silence() -> bytes:
    """An hour and a half of silence in eight channels, 700 MB, which FLAC packs into next to nothing."""
    from soundfile import SoundFile  # noqa: PLC0415 - an extra

    def write(file: io.BytesIO) -> None:
        with SoundFile(file, "w", 8_000, 8, format="FLAC", subtype="PCM_16") as sound:
            for _ in range(90):
                sound.write(np.zeros((60 * 8_000, 8), dtype=np.int16))

    return _written(write)


def film(n: int) -> bytes:
    """Ten seconds of MP4, 640 × 360, 25 frames a second."""
    return _film(n, 640, 360, 250)


def _film(n: int, width: int, height: int, frames: int) -> bytes:
    import av  # noqa: PLC0415 - an extra

    draw = np.random.default_rng(n)
    pixels = np.asarray(Image.fromarray(draw.integers(0, 255, (9, 16, 3), dtype=np.uint8)).resize((width, height)))

    def write(file: io.BytesIO) -> None:
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for moment in range(frames):
                frame = av.VideoFrame.from_ndarray(np.roll(pixels, 4 * moment, axis=1).copy(), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    return _written(write)


def measurements(n: int) -> bytes:
    """A CSV file of 2,000 rows: times and three channels."""
    rows = np.random.default_rng(n).normal(size=(2_000, 3)).cumsum(axis=0)
    lines = (f"{at}," + ",".join(f"{cell:.3f}" for cell in row) for at, row in enumerate(rows))
    return "\n".join(["time,a,b,c", *lines]).encode()


def document(n: int) -> bytes:
    """A PDF file of two pages of 2,500 characters."""
    draw = np.random.default_rng(n)
    return pdf_of([" ".join(f"{word:x}" for word in draw.integers(0, 16**6, 380)).encode() for _ in range(2)])


def packed_document() -> bytes:
    """A PDF file of which a page unpacks into 300 MB of words."""
    return pdf_of([_packed(_BEGUN, _WORDS, 300)], packed=True)


_BEGUN, _WORDS, _LARGE = b"BT /F 12 Tf 50 700 Td ", b"(word) Tj " * 100_000, 1_000_000_000


def _packed(begin: bytes, line: bytes, times: int) -> bytes:
    """The line that often, packed without ever standing in memory as a whole."""
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(begin), *(packer.compress(line) for _ in range(times)), packer.flush()])


def pdf_of(pages: Sequence[bytes], *, packed: bool = False) -> bytes:
    """As simple a PDF file as there is; ``packed`` pages are drawn by what they unpack into."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    bodies = [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()]
    font = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for n, text in enumerate(pages):
        drawn = text if packed else b"BT /F 12 Tf 50 700 Td (" + text + b") Tj ET"
        how = f"<< /Length {len(drawn)}{' /Filter /FlateDecode' if packed else ''} >>".encode()
        page = f"<< /Type /Page /Parent 2 0 R /Resources {font} /Contents {4 + 2 * n} 0 R >>"
        bodies += [page.encode(), how + b"\nstream\n" + drawn + b"\nendstream"]
    content, places = b"%PDF-1.4\n", []
    for n, body in enumerate(bodies):
        places.append(len(content))
        content += b"%d 0 obj\n" % (n + 1) + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(bodies) + 1
    end = f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF"
    return content + f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode()


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


KINDS = (
    Files("image", "pictures, JPEG of 1,024 × 768", 1_000, picture, b"\x89PNG\r\n\x1a\n", huge_picture),
    Files("audio", "minutes of sound, WAV of 16 kHz", 200, recording, b"fLaC", long_silence),
    Files(
        "video", "videos, ten seconds of 640 × 360", 100, film, b"\0\0\0\x20ftypisom", lambda: _film(0, 4_096, 2_560, 1)
    ),
    Files("series", "series, CSV of 2,000 × 4", 1_000, measurements, b"time,a\n", lambda: b"[" * 7_900_000),
    Files("pdf", "PDF files of two pages", 1_000, document, b"%PDF-1.7\n", packed_document),
)


# --- what it costs ---------------------------------------------------------------------------------------------------


def cost(place: int, file: Callable[[str], bytes] | None = None, addresses: Sequence[str] = ()) -> Cost:
    """Of the kind at this place in `KINDS`: of files that are made, or of those that ``file`` gives."""
    one = KINDS[place]
    if file is None:
        some = [one.make(n) for n in range(_DIFFERENT)]
        addresses = [str(n) for n in range(one.number)]

        def file(address: str) -> bytes:
            return some[int(address) % _DIFFERENT]

    tasks = [Task(TaskId(str(n)), {_FIELD: address}) for n, address in enumerate(addresses)]
    target = Target("what", "choice", (Input(_FIELD, one.kind),), ("a", "b"))
    with tempfile.TemporaryDirectory() as folder:
        (clock, first, _), (_, second, seen) = (_passed(target, tasks, Path(folder), file) for _ in range(2))
    decoder = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Cost(clock, first, second, _most_held(), decoder, seen)


def _most_held() -> float:
    """Megabytes that this process held at most; `getrusage` would count what its parent held when it began, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def _passed(
    target: Target, tasks: Sequence[Task], cache: Path, file: Callable[[str], bytes]
) -> tuple[float, float, bool]:
    """Seconds by the clock and of the processor, and whether anything was seen; the features are let go."""
    source = Source(TextFeatureCache(cache).features, VectorCache(cache), file, texts=TextFiles(cache))
    before = _processor_seconds()
    with stopwatch() as seconds:
        features = encoder_for(target, tasks, source).encode(tasks, source)
    took, processor = seconds(), _processor_seconds() - before
    return took, processor, bool(csr_matrix(features).count_nonzero())


def _processor_seconds() -> float:
    """Of this process, and of the decoders that have ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def cost_of_address(place: int, address: str, host: str) -> Cost:
    """Of a single file that stands on a web server, which is allowed."""
    client = LabelStudioClient(ToolAccess("http://127.0.0.1:9", "token"))
    return cost(place, lambda one: fetch_file(client, ToolProjectId("1"), one, [host]), [address])


def apart(call: Callable[..., Cost], *given: Any) -> Cost:
    """In a process of its own, which has held nothing before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(call, *given).result()


HEADING = ("", "a minute of one processor", "second pass", "memory, MB", "of the decoder, MB")


def opened(place: int) -> str:
    """A row: how many a minute at first, how many times as many once they are known, and memory."""
    one, found = KINDS[place], apart(cost, place)
    cells = [
        f"{one.number:,} {one.words}",
        f"{60 * one.number / found.first:,.0f}",
        f"{found.first / found.second:,.0f}×",
    ]
    alone = "–" if one.kind in ("image", "series") else f"{found.decoder:.0f}"
    return f"| {' | '.join([*cells, f'{found.memory:.0f}', alone])} |"


# --- hostile files ---------------------------------------------------------------------------------------------------

_PIECE = bytes(1_000_000)
HOSTILE = ("bomb", "broken", "endless", "drip", "large")
HOSTILE_HEADING = (
    "",
    "small, unpacks into much",
    "broken head",
    "a stream without end",
    "a byte a second",
    "1 GB of nothing",
)


@contextmanager
def hostile_host(one: Files) -> Iterator[int]:
    """The port of a web server with ``/WHAT`` for each of `HOSTILE`, of one kind of file."""
    bomb = one.bomb()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # whoever had enough has gone
                for piece in _pieces(self.path[1:], one.begin, bomb):
                    self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _pieces(what: str, begin: bytes, bomb: bytes) -> Iterator[bytes]:
    """Of a file in which what the head promises never comes, or too much of it."""
    if what == "bomb":
        yield bomb
        return
    yield begin
    if what == "broken":
        yield np.random.default_rng(0).bytes(100_000)
    elif what == "drip":
        for _ in range(600):
            time.sleep(1)
            yield b"a"
    else:
        with tempfile.TemporaryFile() as sparse:
            sparse.truncate(_LARGE)
            while what == "endless" or (piece := sparse.read(len(_PIECE))):
                yield _PIECE if what == "endless" else piece


def refused(place: int) -> str:
    """A row: for each hostile file the seconds until a round goes on, and the memory that it took."""
    one = KINDS[place]
    with hostile_host(one) as port:
        host = f"127.0.0.1:{port}"
        found = [_outcome(apart(cost_of_address, place, f"http://{host}/{what}", host)) for what in HOSTILE]
    return f"| {' | '.join([one.kind, *found])} |"


def _outcome(found: Cost) -> str:
    decoder = f" + {found.decoder:.0f}" if found.decoder else ""
    return f"{'read in part' if found.seen else 'refused'}, {found.clock:.1f} s, {found.memory:.0f}{decoder} MB"


def main() -> None:
    """Measure, and write both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.opening", description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"any of {', '.join(one.kind for one in KINDS)} [all]")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that measure, as workers have it
    os.nice(5)
    console = Console(stderr=True, highlight=False)
    rows: list[str] = []
    refusals: list[str] = []
    places = [place for place, one in enumerate(KINDS) if one.kind in given.kinds or not given.kinds]
    for place in places:
        rows.append(opened(place))
        refusals.append(refused(place))
        console.print(rows[-1], refusals[-1], sep="\n", soft_wrap=True)
    if not given.kinds:
        write_table("opening", HEADING, rows)
        write_table("hostile", HOSTILE_HEADING, refusals)


if __name__ == "__main__":
    main()
