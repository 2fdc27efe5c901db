"""Videos → numbers: what some of their frames show, described as pictures are, and how that differs over time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.features import image

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

    from nextlabel.labeling.ranking import Floats

SIGNATURE = f"video-1-{image.SIGNATURE}"
"""Changes whenever the same video would give other features."""

FRAMES = 12  # that are described, from the first to the last
MOST_DECODED = 400  # frames, to come to these: between two a video tells only what has changed
_SECONDS = 20.0  # then what was decoded so far must do
_MOST_PIXELS = 10_000_000  # of a frame: a decoder holds some twenty of them
_SIDE = 256  # of a frame that is handed on
# A playlist would have the library read other files and addresses: these hold all that they show.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flv,asf"
_CODECS = frozenset(
    ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "theora", "h263")
)
WIDTH = 2 * image.WIDTH + 2


def require() -> None:
    """Raises `ConfigurationError` saying what to install."""
    try:
        import av  # noqa: F401, PLC0415

        image.require_pillow()
    except (ImportError, ConfigurationError) as error:
        raise ConfigurationError('Videos need av and Pillow: pip install "nextlabel[video]".') from error


def describe(content: bytes) -> Floats | None:
    """`WIDTH` numbers; None for what is no video, or larger than what is decoded.

    The features of frames as pictures: their mean and their spread; then how much one differs from the next, and the
    logarithm of the seconds.
    """
    import av  # noqa: PLC0415 - an extra

    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
    rows: list[Floats] = []
    seconds = 0.0
    with (
        suppress(Exception),  # decoders of broken files raise what they like; what came before counts
        av.open(BytesIO(content), "r", options=options, metadata_errors="ignore") as container,
    ):
        seconds = max(container.duration or 0, 0) / av.time_base
        rows.extend(row for frame in _frames(container) if (row := image.row_of(_picture(frame))) is not None)
    if not rows:
        return None
    shown = np.stack(rows)
    moved = np.abs(np.diff(shown, axis=0)).sum(axis=1).mean() if len(shown) > 1 else 0.0
    return np.concatenate([shown.mean(axis=0), shown.std(axis=0), [moved, np.log1p(seconds)]]).astype(np.float32)


def _frames(container: InputContainer) -> Iterator[VideoFrame]:
    """Up to `FRAMES`, evenly over the video; where its head does not tell its length, fewer and fewer."""
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec.name not in _CODECS or not 0 < codec.width * codec.height <= _MOST_PIXELS:
        return
    codec.thread_count = 1
    codec.options = {"max_pixels": str(_MOST_PIXELS)}  # it may say otherwise later on
    start, length = stream.start_time or 0, stream.duration or 0
    moments = [start + length * n // FRAMES for n in range(FRAMES)] if length > 0 else []
    until, decoded = monotonic() + _SECONDS, 0
    for moment in moments or [start]:
        if moment > start:
            container.seek(moment, stream=stream)
        for frame in container.decode(stream):
            decoded += 1
            late = decoded >= MOST_DECODED or monotonic() > until
            if late or (frame.pts or 0) >= moment if moments else decoded & (decoded - 1) == 0:
                yield frame
                if moments and not late:
                    break
            if late:
                return


def _picture(frame: VideoFrame) -> bytes:
    """As a file, so that a frame is read just as a picture is."""
    from PIL import Image  # noqa: PLC0415

    scale = _SIDE / max(frame.width, frame.height, _SIDE)
    small = frame.reformat(max(1, round(frame.width * scale)), max(1, round(frame.height * scale)), "rgb24")
    written = BytesIO()
    Image.fromarray(small.to_ndarray()).save(written, "BMP")
    return written.getvalue()
