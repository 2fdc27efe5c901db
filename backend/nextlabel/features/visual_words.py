"""What there is in a picture wherever it stands, without a network: how well each *visual word* is met somewhere.

Words are pieces of the project's own pictures, as k-means sums them up (Csurka et al., 2004; Coates & Ng, 2011). A grid
over the whole picture knows a thing only in the cells where it was seen; the best match anywhere does not care.

Beside the columns of `describe`, at 50 / 100 / 500 labels (200 / 1,000 on canvases; November 2026):

=================================================  ===========  ==================  ==================
accuracy; on canvases macro-F1 of what is there    canvases     mnist_5k            fashion-mnist
=================================================  ===========  ==================  ==================
without words                                      .390 / .464  .784 / .881 / .955  .704 / .753 / .834
200 random filters alone                           .442 / .514
200 words of 28 × 28 pixels                        .489 / .607  .827 / .910 / .966  .704 / .772 / .839
300 words of 20 × 20 pixels, every other place     .559 / .653  .804 / .899 / .962  .708 / .776 / .838
… every place (ours)                               .625 / .718  .824 / .904 / .966  .706 / .769 / .847
=================================================  ===========  ==================  ==================

Canvases are 1,600 pictures of 112 × 112 with 1 to 4 digits of mnist_5k anywhere in them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nextlabel.labeling.ranking import Floats

SIDE = 112
"""Pictures are described at this many by this many pixels."""

CELL, DIRECTIONS, PIECE = 4, 9, 5  # a piece is 5 × 5 cells
WIDTH = DIRECTIONS * PIECE**2
MOST = 300
"""Words that are learned, of `WIDTH` numbers each."""

SIGNATURE = "visual-words-1"
"""Changes whenever the same pictures would teach other words."""
_PIECES = 8  # of each picture that words are learned from
FAINT, FAINTEST = 0.1, 1e-3  # of the strongest piece of its picture: what is fainter is not blown up to full strength


class VisualWords:
    """k words, each the gradients of a piece of a picture, of length 1: k × `WIDTH`."""

    def __init__(self, words: Floats) -> None:
        self.words = words

    @classmethod
    def of(cls, pictures: Sequence[Floats]) -> VisualWords:
        """Learned from some pictures, `SIDE` × `SIDE` × 3 in [0, 1]; the same for the same ones in the same order.

        No more words than there are pieces that show anything; none where no picture does.
        """
        from sklearn.cluster import MiniBatchKMeans  # noqa: PLC0415 - slow to load: see preload

        drawn = np.random.default_rng(0)
        pieces = [_drawn(_pieces(one), drawn) for one in pictures]
        known = np.concatenate(pieces) if pieces else np.empty((0, WIDTH), dtype=np.float32)
        if not len(known):
            return cls(known)
        means = MiniBatchKMeans(min(MOST, len(known)), random_state=0, n_init=1, batch_size=2048).fit(known)
        return cls(_of_length_one(means.cluster_centers_.astype(np.float32)))

    def found_in(self, picture: Floats) -> Floats:
        """k cosines in [0, 1]: how well each word is met where it is met best."""
        pieces = _pieces(picture)
        length = np.linalg.norm(pieces, axis=1)
        pieces /= np.maximum(length, max(FAINTEST, FAINT * float(length.max())))[:, None]
        return np.asarray((pieces @ self.words.T).max(axis=0))


def gradients(grey: Floats, cell: int, directions: int) -> Floats:
    """(side ÷ cell) × (side ÷ cell) × directions: how strong the edges of each cell are in each direction.

    A picture from light to dark has the same as one from dark to light.
    """
    side = len(grey) // cell
    padded = np.pad(grey, 1, mode="edge")
    across, down = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
    strength = np.hypot(across, down)
    turn = np.arctan2(down, across) % np.pi / np.pi * directions
    lower = np.floor(turn)
    share = turn - lower
    cells = np.arange(len(grey)) // cell
    place = (cells[:, None] * side + cells) * directions
    edges = np.zeros(side * side * directions)
    for direction, weight in ((lower, 1 - share), (lower + 1, share)):
        at = (place + direction.astype(int) % directions).ravel()
        edges += np.bincount(at, (strength * weight).ravel(), len(edges))
    return edges.reshape(side, side, directions)


def _pieces(picture: Floats) -> Floats:
    """Every piece of a picture, a row each: the roots of its gradients."""
    grid = np.sqrt(gradients(picture.mean(axis=2), CELL, DIRECTIONS)).astype(np.float32)
    pieces = sliding_window_view(grid, (PIECE, PIECE), axis=(0, 1))
    return np.ascontiguousarray(pieces).reshape(-1, WIDTH)


def _drawn(pieces: Floats, random: np.random.Generator) -> Floats:
    """Some of those that show anything, of length 1."""
    length = np.linalg.norm(pieces, axis=1)
    strong = np.flatnonzero(length > max(FAINTEST, 3 * FAINT * float(length.max())))
    return _of_length_one(pieces[random.choice(strong, min(_PIECES, len(strong)), replace=False)])


def _of_length_one(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), FAINTEST))
