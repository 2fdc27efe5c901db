"""How long query strategies take to order large pools, beside other libraries where those do the same.

Every measurement has a process of its own, so that its peak memory is its own; the peak holds the libraries and the
pool itself, too. A library that is not installed is left out:
modAL, scikit-activeml and small-text are in the development environment.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.figures import Figure, over_repeats, stopwatch
from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool
from nextlabel.measures import uncertainty
from nextlabel.strategies.adaptive import Adaptive
from nextlabel.strategies.badge import Badge
from nextlabel.strategies.coverage import Determinantal, FacilityLocation, KCenter, Typical
from nextlabel.strategies.density import InformationDensity
from nextlabel.strategies.hybrid import ClusterUncertain, Hybrid, Product
from nextlabel.strategies.ranked_batch import RankedBatch

_GROUP = "strategies"
_BATCH, _DIMENSIONS, _CLASSES, _LABELED = 200, 384, 10, 100
_PATIENCE = 60.0  # seconds that a measurement may take
_MEMORY = 8 << 30  # bytes of address space that it may take
_REPEATS = 3

Work = Callable[[], object]

OURS: dict[str, tuple[Callable[[], Any], float | None]] = {
    "adaptive": (Adaptive, 5.0),
    "kcenter": (KCenter, 5.0),
    "badge": (Badge, 5.0),
    "hybrid": (Hybrid, 5.0),
    "product": (Product, None),
    "cluster": (ClusterUncertain, None),
    "ranked_batch": (RankedBatch, None),
    "density": (InformationDensity, None),
    "facility": (FacilityLocation, None),
    "dpp": (Determinantal, None),
    "typical": (Typical, None),
}
"""Our strategies, and the seconds aimed at for 200 of 100,000."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another library's way to the same batch: the module it needs, which of ours it is beside, and the aim."""

    module: str
    ours: str
    prepare: Callable[[CandidatePool], Work]
    aim: float | None = None


def run() -> Iterator[Figure]:
    """Yields the margin of a million tasks, then each strategy at 10,000 and 100,000, each beside its peers.

    At 100,000 only those peers are asked that were quick enough at 10,000 to have a chance.
    """
    yield from _margins()
    for name, (_, aim) in OURS.items():
        peers = [title for title, peer in PEERS.items() if peer.ours == name and find_spec(peer.module)]
        for n in (10_000, 100_000):
            peers = yield from _strategy(name, n, aim if n == 100_000 else None, peers)


def _margins() -> Iterator[Figure]:
    measured = [_measured("margin", 1_000_000) for _ in range(_REPEATS)]
    took = [seconds for seconds, _ in measured]
    yield over_repeats(_GROUP, "margin of 1,000,000 × 10 probabilities", took, "s", aim=0.2)
    if find_spec("modAL"):
        theirs, _ = _measured("modal_margin", 1_000_000)
        yield Figure(_GROUP, "… share of modAL's time", min(took) / theirs, "", note=f"modAL: {theirs:.2f} s")


def _strategy(name: str, n: int, aim: float | None, peers: Sequence[str]) -> Generator[Figure, None, list[str]]:
    """Returns the peers that would bear ten times as many tasks."""
    measured = [_measured(name, n) for _ in range(_REPEATS)]
    took, peaks = zip(*measured, strict=True)
    yield over_repeats(_GROUP, f"{name}: {_BATCH} of {n:,} × {_DIMENSIONS}", took, "s", aim=aim)
    yield Figure(_GROUP, f"{name}: peak memory at {n:,}", max(peaks), "MB", aim=1024 if aim else None)
    quick = []
    for title in peers:
        theirs, peak = _measured(title, n)
        share, goal = float(np.median(took)) / theirs, PEERS[title].aim if n == 10_000 else None
        spent = f"{title}: {theirs:.1f} s, {peak:,.0f} MB" if peak else f"{title}: no answer in {theirs:.0f} s and 8 GB"
        yield Figure(_GROUP, f"… share of {title}'s time", share, "", aim=goal, note=spent)
        if peak and theirs < _PATIENCE / 8:
            quick.append(title)
    return quick


def _measured(what: str, n: int) -> tuple[float, float]:
    """Seconds and peak megabytes, in a process of its own; `_PATIENCE` and 0 where it takes too much of either."""
    command = [sys.executable, "-m", "benchmarks.strategy_speed", what, str(n)]
    try:
        received = subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return _PATIENCE, 0.0
    seconds, peak = json.loads(received.stdout.splitlines()[-1])
    return float(seconds), float(peak)


def _pool(n: int) -> CandidatePool:
    """n points of length 1 in 50 loose clusters, and probabilities of ten classes."""
    rng = np.random.default_rng(0)
    hearts = rng.standard_normal((50, _DIMENSIONS), dtype=np.float32)
    points = rng.standard_normal((n + _LABELED, _DIMENSIONS), dtype=np.float32)
    points *= 0.5
    for start in range(0, len(points), 8192):
        some = points[start : start + 8192]
        some += hearts[rng.integers(50, size=len(some))]
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    return CandidatePool(
        tasks=[TaskId(str(row)) for row in range(n)],
        probabilities=rng.dirichlet(np.ones(_CLASSES), n).astype(np.float32),
        features=points[_LABELED:],
        labeled_features=points[:_LABELED],
        labels=np.arange(_LABELED) % _CLASSES,
    )


def _modal_margin(n: int) -> Work:
    p, learner = _probabilities(n), SimpleNamespace(predict_proba=lambda p: p)
    measure = importlib.import_module("modAL.uncertainty").classifier_margin
    return lambda: measure(learner, p)


def _modal_ranked_batch(pool: CandidatePool) -> Work:
    learner = SimpleNamespace(on_transformed=False, X_training=pool.labeled_features)
    unsure = uncertainty.least_confidence(pool.probabilities)
    batch = importlib.import_module("modAL.batch")
    return lambda: batch.ranked_batch(learner, pool.features, unsure, _BATCH, "euclidean", None)


def _modal_density(pool: CandidatePool) -> Work:
    measure = importlib.import_module("modAL.density").information_density
    return lambda: measure(pool.features, "cosine")


def _skactiveml(strategy: str) -> Callable[[CandidatePool], Work]:
    def prepare(pool: CandidatePool) -> Work:
        asked = getattr(importlib.import_module("skactiveml.pool"), strategy)(random_state=0)
        points = np.vstack([pool.labeled_features, pool.features])  # type: ignore[list-item]
        labels = np.concatenate([np.asarray(pool.labels), np.full(len(pool), np.nan)])
        more = _classifier(strategy, points, labels)
        return lambda: asked.query(points, labels, batch_size=_BATCH, **more)

    return prepare


def _classifier(strategy: str, points: Any, labels: Any) -> dict[str, Any]:
    if strategy != "Badge":
        return {}
    from sklearn.naive_bayes import GaussianNB  # noqa: PLC0415 - only this one needs a model

    wrapper = importlib.import_module("skactiveml.classifier").SklearnClassifier
    fitted = wrapper(GaussianNB(), classes=list(range(_CLASSES))).fit(points[:_LABELED], labels[:_LABELED])
    return {"clf": fitted, "fit_clf": False}


def _small_text_coreset(pool: CandidatePool) -> Work:
    points = np.vstack([pool.labeled_features, pool.features])  # type: ignore[list-item]
    coresets = importlib.import_module("small_text.query_strategies.coresets")
    open_, known = np.arange(_LABELED, len(points)), np.arange(_LABELED)
    return lambda: coresets.greedy_coreset(points, open_, known, _BATCH, distance_metric="euclidean")


PEERS = {
    "scikit-activeml CoreSet": Peer("skactiveml", "kcenter", _skactiveml("CoreSet"), aim=0.2),
    "small-text greedy_coreset": Peer("small_text", "kcenter", _small_text_coreset),
    "scikit-activeml Badge": Peer("skactiveml", "badge", _skactiveml("Badge"), aim=0.2),
    "scikit-activeml TypiClust": Peer("skactiveml", "typical", _skactiveml("TypiClust"), aim=0.2),
    "modAL ranked_batch": Peer("modAL", "ranked_batch", _modal_ranked_batch),
    "modAL information_density": Peer("modAL", "density", _modal_density),
}


def _probabilities(n: int) -> Any:
    return np.random.default_rng(0).dirichlet(np.ones(_CLASSES), n)


def _work(what: str, n: int) -> Work:
    if what == "margin":
        p = _probabilities(n)
        return lambda: uncertainty.margin(p)
    if what == "modal_margin":
        return _modal_margin(n)
    pool = _pool(n)
    if what in PEERS:
        return PEERS[what].prepare(pool)
    strategy = OURS[what][0]()
    return lambda: strategy.rank(pool, _BATCH)


def _peak_mb() -> float:
    """This process's own peak; `getrusage` would tell the parent's where that is larger."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    work = _work(sys.argv[1], int(sys.argv[2]))
    with stopwatch() as taken:
        work()
    print(json.dumps([taken(), _peak_mb()]))
