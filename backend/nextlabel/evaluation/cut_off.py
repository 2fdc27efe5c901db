"""From which doubt on a label of one of several classes is suspected: by cleanlab where it is installed."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from nextlabel.labeling.ranking import Floats

Bools = NDArray[np.bool_]

_ROUNDING, _LIKELIER = 1e-6, 0.5


@cache
def has_cleanlab() -> bool:
    """Whether the extra ``quality`` is installed."""
    return find_spec("cleanlab") is not None


def preload() -> None:
    """Load cleanlab, which takes two seconds, before anyone waits for it."""
    if has_cleanlab():
        import cleanlab.filter  # noqa: F401, PLC0415


def suspected(given: NDArray[np.intp], probabilities: Floats) -> Bools:
    """Which of n labels are suspected, from n × k probabilities by models that had not seen them.

    With cleanlab they are those that its `find_label_issues` gives as it stands. Without it, and where it fails, they
    are `confident`'s, and those beside which another class is likelier by more than half: with a tenth of the labels
    flipped at random, on digits .91 of these are wrong and .82 of the wrong ones are found (`confident` alone: .92 and
    .71), of clean labels 1.7 % are suspected.
    """
    if has_cleanlab():
        from cleanlab.filter import find_label_issues  # noqa: PLC0415 - takes two seconds

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return np.asarray(find_label_issues(given, probabilities, n_jobs=1), dtype=np.bool_)
            except ValueError:
                pass
    return plain(given, probabilities)


def plain(given: NDArray[np.intp], probabilities: Floats) -> Bools:
    """As without cleanlab."""
    rows, others = np.arange(len(given)), probabilities.copy()
    others[rows, given] = 0.0
    likelier = others.max(axis=1) - probabilities[rows, given]
    return np.asarray(confident(given, probabilities) | (likelier > _LIKELIER))


def confident(given: NDArray[np.intp], probabilities: Floats) -> Bools:
    """The labels beside the diagonal of the confident joint (Northcutt, Jiang & Chuang, 2021): another class has the
    chance that its own labels have on the average, and none that has is likelier."""
    n, k = probabilities.shape
    own = probabilities[np.arange(n), given]
    labels = np.bincount(given, minlength=k)
    mean = np.bincount(given, weights=own, minlength=k) / np.maximum(labels, 1)
    sure = (probabilities >= mean - _ROUNDING) & (labels > 0)
    likeliest = np.where(sure, probabilities, -1.0).argmax(axis=1)
    return np.asarray(sure.any(axis=1) & (likeliest != given))
