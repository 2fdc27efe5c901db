"""Sounds → numbers: how loud each band of pitches is over time, as people hear them (the mel scale)."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from nextlabel.errors import ConfigurationError

if TYPE_CHECKING:
    from soundfile import SoundFile

    from nextlabel.labeling.ranking import Floats

SIGNATURE = "audio-1"
"""Changes whenever the same recording would give other features."""

MOST_SECONDS = 600.0  # of a recording, its first
MOST_SAMPLES = 60_000_000  # of all channels together: ten minutes in stereo as a CD has it
_CHANNELS = 64
_RATES = (1_000, 400_000)  # samples a second
_BLOCK = 2**18  # samples decoded at once
_WINDOW = 0.032  # seconds, half of them apart
_BANDS, _LOWEST, _HIGHEST = 40, 50.0, 8_000.0  # of the bands, in Hz
_SILENCE = 1e-6  # of the power of a sine as loud as can be
_QUANTILES = (0.1, 0.5, 0.9)
_MEASURES = 4 + len(_QUANTILES)
WIDTH = _BANDS * _MEASURES + _MEASURES + 1


def require() -> None:
    """Raises `ConfigurationError` saying what to install."""
    try:
        import soundfile  # noqa: F401, PLC0415
    except (ImportError, OSError) as error:  # it needs a C library, which its wheels hold
        raise ConfigurationError('Recordings need soundfile: pip install "nextlabel[audio]".') from error


def describe(content: bytes) -> Floats | None:
    """`WIDTH` numbers; None for what is no recording.

    Of each band, against how loud the recording is as a whole, and of that loudness itself: mean, spread, how much it
    changes from one moment to the next, what its second half has more than its first, and three quantiles. At the end
    the logarithm of the seconds that were read.
    """
    from soundfile import LibsndfileError, SoundFile  # noqa: PLC0415 - an extra

    try:
        with SoundFile(BytesIO(content)) as file:
            if not (1 <= file.channels <= _CHANNELS and _RATES[0] <= file.samplerate <= _RATES[1]):
                return None
            return _measured(_bands(file), file.samplerate)
    except (LibsndfileError, RuntimeError, ValueError):
        return None


def _bands(file: SoundFile) -> Floats:
    """Moments × bands: the power of each, block by block, so that no more is ever in memory."""
    window, step, weights = _mel(file.samplerate)
    left = int(min(MOST_SECONDS * file.samplerate, MOST_SAMPLES // file.channels))
    mixed = np.full(file.channels, 1 / file.channels, dtype=np.float32)
    rest = np.zeros(0, dtype=np.float32)
    powers: list[Floats] = [np.zeros((0, _BANDS), dtype=np.float32)]
    while left > 0:
        block = file.read(min(left, _BLOCK // file.channels), dtype="float32", always_2d=True)
        if not len(block):
            break
        left -= len(block)
        samples = np.concatenate([rest, np.nan_to_num(block @ mixed, posinf=0, neginf=0).clip(-8, 8)])
        if len(powers) == 1:  # one that is shorter than a window is all there is
            samples = np.pad(samples, (0, max(0, len(window) - len(samples))))
        moments = _moments(samples, len(window), step)
        powers.append(np.asarray(_powers(moments * window) @ weights, dtype=np.float32))
        rest = samples[len(moments) * step :]
    return np.concatenate(powers)


def _moments(samples: Floats, size: int, step: int) -> Floats:
    if len(samples) < size:
        return np.zeros((0, size), dtype=np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, size)[::step]


def _powers(moments: Floats) -> Floats:
    spectra = np.fft.rfft(moments)
    return np.asarray(spectra.real**2 + spectra.imag**2, dtype=np.float32)


@lru_cache(maxsize=8)
def _mel(rate: int) -> tuple[Floats, int, Floats]:
    """The window, how many samples windows are apart, and how much each frequency counts in each band."""
    size = 2 ** max(5, round(float(np.log2(_WINDOW * rate))))
    window = np.hanning(size).astype(np.float32)
    edges = 700 * (np.expm1(np.linspace(np.log1p(_LOWEST / 700), np.log1p(_HIGHEST / 700), _BANDS + 2)))
    frequencies = np.arange(size // 2 + 1)[:, None] * (rate / size)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle)).clip(0)
    return window, size // 2, (weights / (window.sum() / 2) ** 2).astype(np.float32)


def _measured(powers: Floats, rate: int) -> Floats | None:
    if not len(powers):
        return None
    loudness = np.log(powers.sum(axis=1, keepdims=True) + _SILENCE)
    bands = np.log(powers + _SILENCE) - loudness.mean()
    over_time = np.hstack([bands, loudness])
    changes = np.abs(np.diff(over_time, axis=0)) if len(over_time) > 1 else np.zeros_like(over_time)
    half = len(over_time) // 2
    later = over_time[half:].mean(axis=0) - over_time[: max(half, 1)].mean(axis=0)
    measures = [over_time.mean(axis=0), over_time.std(axis=0), changes.mean(axis=0), later]
    measures += list(np.quantile(over_time, _QUANTILES, axis=0))
    seconds = len(powers) * _mel(rate)[1] / rate
    return np.append(np.concatenate(measures), np.log1p(seconds)).astype(np.float32)
