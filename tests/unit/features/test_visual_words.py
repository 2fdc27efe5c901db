"""What there is in a picture is known wherever it stands."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from nextlabel.features.visual_words import SIDE, VisualWords, gradients
from nextlabel.labeling.ranking import Floats

THINGS = ("ring", "cross", "corner")


def picture(thing: str, across: int, down: int) -> Floats:
    """One thing of 20 × 20 pixels on an empty picture."""
    canvas = Image.new("RGB", (SIDE, SIDE))
    pen, box = ImageDraw.Draw(canvas), (across, down, across + 19, down + 19)
    left, top, right, bottom = box
    if thing == "ring":
        pen.ellipse(box, outline="white", width=3)
    elif thing == "cross":
        pen.line(box, fill="white", width=3)
        pen.line((right, top, left, bottom), fill="white", width=3)
    else:
        pen.line([(left, top), (left, bottom), (right, bottom)], fill="white", width=3)
    return np.asarray(canvas, dtype=np.float32) / 255


def of_all() -> VisualWords:
    places = np.random.default_rng(1).integers(8, SIDE - 28, size=(30, 2)).tolist()
    return VisualWords.of([picture(thing, *place) for thing in THINGS for place in places])


WORDS = of_all()
CELLS = st.integers(5, SIDE // 4 - 10)  # no nearer to the rim than a piece is wide


@given(st.sampled_from(THINGS), CELLS, CELLS, CELLS, CELLS)
def test_a_thing_that_stands_elsewhere_is_described_the_same(thing: str, x: int, y: int, u: int, v: int) -> None:
    here, there = (WORDS.found_in(picture(thing, 4 * a, 4 * b)) for a, b in ((x, y), (u, v)))
    np.testing.assert_allclose(here, there, atol=1e-5)


def test_each_thing_is_nearer_to_itself_elsewhere_than_to_any_other_thing() -> None:
    places = np.random.default_rng(2).integers(8, SIDE - 28, size=(20, 2)).tolist()
    rows = np.stack([WORDS.found_in(picture(thing, *place)) for thing in THINGS for place in places])
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    of = np.repeat(np.arange(len(THINGS)), len(places))
    assert (of[apart.argmin(axis=1)] == of).all()


def test_pictures_without_any_edge_teach_no_words_and_have_none() -> None:
    blank = np.ones((SIDE, SIDE, 3), dtype=np.float32)
    assert len(VisualWords.of([blank, blank]).words) == len(VisualWords.of([]).words) == 0
    assert VisualWords.of([blank]).found_in(picture("ring", 8, 8)).shape == (0,)
    assert (WORDS.found_in(blank) == 0).all()


@given(st.integers(0, 2**32 - 1))
def test_gradients_are_the_same_from_dark_to_light_as_from_light_to_dark(seed: int) -> None:
    grey = np.random.default_rng(seed).random((28, 28))
    np.testing.assert_allclose(gradients(grey, 4, 9), gradients(1 - grey, 4, 9), atol=1e-9)
