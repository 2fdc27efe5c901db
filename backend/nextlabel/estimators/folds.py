"""Which labels are held out together, by the hash of their tasks: a label is in the same fold from round to round."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextlabel.labeling import Task

Draws = NDArray[np.uint64]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]
"""The rows that a model is fitted on, and those that it has not seen."""
_LEARNED = 0.1  # of the labels of a class that models which have not seen them find likely
_MANY = 50  # labels, of which chance alone puts about as many into each fold


def draws_of(tasks: Sequence[Task], seed: int = 0) -> Draws:
    """A number for each task, from the hash of its id and the project's seed."""
    ids = (f"{seed}:{task.id}".encode("utf-8", "surrogatepass") for task in tasks)
    numbers = (int.from_bytes(hashlib.blake2b(one, digest_size=8).digest(), "big") for one in ids)
    return np.fromiter(numbers, dtype=np.uint64, count=len(tasks))


def splits_of(draws: Draws, folds: int, classes: NDArray[np.integer] | None = None) -> list[Split]:
    """Into so many folds, or fewer where some would be empty; each has about as many labels of each of the classes.

    Of a class with many labels each one's fold is fixed by its own draw. Few are dealt out by their order: one that is
    added may move others.
    """
    of = np.zeros(len(draws), dtype=np.intp) if classes is None else np.asarray(classes)
    fold = (draws % np.uint64(folds)).astype(np.intp)
    for number, one in enumerate(np.unique(of)):
        rows = np.flatnonzero(of == one)
        if len(rows) < _MANY:
            fold[rows[np.argsort(draws[rows], kind="stable")]] = (np.arange(len(rows)) + number) % folds
    held_out = [np.flatnonzero(fold == n) for n in range(folds)]
    return [(np.setdiff1d(np.arange(len(draws)), rows), rows) for rows in held_out if len(rows)]


def known_enough(trusted: NDArray[np.bool_], of: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which of n labels, of the classes ``of``, models are fitted on that are to see none in doubt: those that are
    ``trusted``, and all of a class of which hardly any are. It is not wrong, but not learned yet: without them no model
    would know the class at all, and all of its labels would be the most doubtful. Of a rare class into which others
    were flipped more than that are trusted. Where hardly any label of any class is, nothing is known."""
    not_learned = np.bincount(of, weights=trusted) < _LEARNED * np.bincount(of)
    return trusted if not_learned[of].all() else np.asarray(trusted | not_learned[of])
