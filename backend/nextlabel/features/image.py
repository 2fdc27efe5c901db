"""Pictures → numbers without a trained network: where edges run which way, and where it is light or coloured.

Accuracy of the project's own model with 50 / 100 / 500 random labels (five seeds, standard errors .001 to .023):

================================  ==================  ==================  ==================
columns                           digits              mnist_5k            fashion-mnist
================================  ==================  ==================  ==================
grey pixels, 28 × 28              .848 / .900 / .954  .670 / .765 / .867  .649 / .713 / .788
gradients, 7 × 7 cells            .873 / .930 / .979  .786 / .870 / .946  .644 / .736 / .809
… roots taken                     .902 / .941 / .983  .805 / .883 / .952  .667 / .755 / .827
… and a histogram of brightness   .883 / .939 / .979  .783 / .875 / .950  .650 / .744 / .822
… and a 4 × 4 layout (ours)       .909 / .944 / .985  .808 / .886 / .953  .676 / .764 / .828
================================  ==================  ==================  ==================

All three sets are grey: what the colours in the layout are worth on photos was not measured. `visual_words` has the
figures of what its columns add.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.features.visual_words import SIDE, VisualWords, gradients

if TYPE_CHECKING:
    from PIL.Image import Image

    from nextlabel.labeling.ranking import Floats

SIGNATURE = "image-1"
"""Changes whenever the same picture would give other features."""

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")  # every decoder is a way in for a hostile file: no others
_MOST_PIXELS = 64_000_000  # as the file's head says, before any is decoded
SMALL, CELL, DIRECTIONS = 28, 4, 9
_DRAFT = 4 * SMALL
LAYOUT = 4  # × 4 fields of which the mean colour counts
LAYOUT_WEIGHT = 0.3
WORDS_WEIGHT = np.float32(0.4)  # so that they vary as much as all other numbers together
WIDTH = (SMALL // CELL) ** 2 * DIRECTIONS + 3 * LAYOUT**2
_ORIENTATION = 0x0112  # in EXIF: how a camera was held, which every browser heeds
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_LYING = range(5, 9)


def row_of(content: bytes, words: VisualWords | None = None) -> Floats | None:
    """What `describe` makes of the picture, and beside it how well each word is met anywhere in it; None for what is no
    picture."""
    if words is None:
        pixels = decode(content)
        return None if pixels is None else describe(pixels)
    pixels = decode(content, SIDE, SIDE)
    if pixels is None:
        return None
    cell = SIDE // SMALL
    small = pixels.reshape(SMALL, cell, SMALL, cell, 3).mean(axis=(1, 3))
    return np.concatenate([describe(small), WORDS_WEIGHT * words.found_in(pixels)])


def decode(content: bytes, width: int = SMALL, height: int = SMALL) -> Floats | None:
    """The first frame as it is shown, stretched to height × width × 3 in [0, 1]; None for what is no picture or too
    large."""
    from PIL import Image  # noqa: PLC0415 - an extra

    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            turned = image.getexif().get(_ORIENTATION, 1)
            size = (height, width) if turned in _LYING else (width, height)
            # JPEG only: decoded at an eighth of its size, far quicker
            image.draft("RGB", (max(2 * size[0], _DRAFT), max(2 * size[1], _DRAFT)))
            small = _eight_bits(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
            if small.mode == "RGBA":
                small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
            if turned in _TURNS:
                small = small.transpose(Image.Transpose[_TURNS[turned]])
            return np.asarray(small, dtype=np.float32) / 255
    except Exception:  # decoders of broken files raise what they like; one picture never breaks a batch
        return None


def _eight_bits(image: Image) -> Image:
    """Red, green and blue, with transparency where there is any; greater depths are stretched to their range."""
    from PIL import Image as Images  # noqa: PLC0415

    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float32)
        low, high = float(values.min()), float(values.max())
        image = Images.fromarray(((values - low) * (255 / (high - low or 1))).astype(np.uint8))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def describe(pixels: Floats) -> Floats:
    """`WIDTH` numbers: a histogram of gradient directions in each cell, roots taken (Dalal & Triggs, 2005; the root as
    in RootSIFT, Arandjelović & Zisserman, 2012), then the mean colours of a coarse grid."""
    edges = gradients(pixels.mean(axis=2), CELL, DIRECTIONS).ravel()
    edges = np.sqrt(edges / (edges.sum() + 1e-3))
    step = SMALL // LAYOUT
    layout = pixels.reshape(LAYOUT, step, LAYOUT, step, 3).mean(axis=(1, 3))
    return np.concatenate([edges, LAYOUT_WEIGHT * layout.ravel()]).astype(np.float32)


def require_pillow() -> None:
    """Raises `ConfigurationError` saying what to install."""
    try:
        import PIL.Image  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError('Pictures need Pillow: pip install "nextlabel[images]".') from error
    PIL.Image.init()  # finds the decoders once, not in eight threads at a time
