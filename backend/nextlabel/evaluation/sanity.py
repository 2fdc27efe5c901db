"""Checks of a new version before it serves, each with its figure, as suites of deepchecks have them.

A check that `stops` turns the version down; others only say what a person should look into.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.evaluation.accuracy import of_version
from nextlabel.labeling import Label, TargetKind
from nextlabel.labeling.kinds import KINDS
from nextlabel.labeling.ranking import Features, Floats

_PREFIX = "check_"
_FEW, _BINS, _ALIKE = 5, 5, 0.99


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a check says where its figure is above the limit."""

    limit: float
    stops: bool
    words: str


_KINDS = {
    "vanished": _Kind(0, True, "{:.0f} labels that 5 tasks or more had when the model in service was trained are gone"),
    "fell": _Kind(0, True, "the accuracy is lower by {:.1%} or more than that of the model in service, as it was then"),
    "alike": _Kind(1, False, "all open tasks look the same to it, though they differ"),
    "constant": _Kind(0, True, "all open tasks look the same to it, which they did not to the model in service"),
    "miscalibrated": _Kind(0.2, False, "how sure it is differs by {:.0%} on average from how often it is right"),
    "duplicates": _Kind(
        0.3, False, "{:.0%} of the audit tasks are copies of other labeled tasks: its accuracy misleads"
    ),
    "drift": _Kind(0.3, False, "it gives other labels to {:.0%} of the open tasks than the model in service"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one target of a version."""

    target: str
    name: str
    figure: float

    @property
    def limit(self) -> float:
        return _KINDS[self.name].limit

    @property
    def stops(self) -> bool:
        """Whether the version does not serve where it fails."""
        return _KINDS[self.name].stops

    @property
    def passed(self) -> bool:
        return self.figure <= self.limit

    @property
    def sentence(self) -> str:
        """For a person, where it did not pass."""
        return f"{self.target}: {_KINDS[self.name].words.format(self.figure)}"


def figures_of(checks: Sequence[Check]) -> dict[str, float]:
    """As they are kept with a version."""
    return {f"{one.target}.{_PREFIX}{one.name}": one.figure for one in checks}


def of_figures(metrics: Mapping[str, float]) -> Iterator[Check]:
    """The checks that were kept with a version."""
    for key, figure in metrics.items():
        target, _, last = key.rpartition(".")
        if last.removeprefix(_PREFIX) in _KINDS and last.startswith(_PREFIX):
            yield Check(target, last.removeprefix(_PREFIX), figure)


def vanished(target: str, kind: TargetKind, before: Sequence[Label], now: Sequence[Label]) -> Check:
    """How many labels that at least 5 tasks had are given to none any more."""
    names = KINDS[kind].names
    if names is None:
        return Check(target, "vanished", 0)
    then = Counter(name for label in before for name in names(label))
    left = {name for label in now for name in names(label)}
    return Check(target, "vanished", sum(n >= _FEW and name not in left for name, n in then.items()))


def fell(target: str, now: Mapping[str, float], before: Mapping[str, float], *, same: int) -> Check:
    """By how much the upper end of the accuracy lies below the lower end of what it was, by the figures of both.

    ``same`` is how many audit labels are as they were then. What was measured by others may have been wrong: a figure
    of labels that people have corrected would turn down each version after it.
    """
    new, old = of_version(now).get(target), of_version(before).get(target)
    if new is None or old is None:
        return Check(target, "fell", 0.0)
    others = max(0.0, 1 - same / old.n)
    return Check(target, "fell", max(0.0, old.low - others - new.high))


def constant(target: str, now: Check, before: Mapping[str, float]) -> Check:
    """1 where open tasks are `alike` ``now`` and were not when the other version was checked, by its figures."""
    were_alike = before.get(f"{target}.{_PREFIX}alike", 1.0)  # nothing is known of versions that were not checked
    return Check(target, "constant", max(0.0, now.figure - were_alike))


def alike(target: str, features: Features, *, differ: bool) -> Check:
    """1 where the n rows of some open tasks that ``differ`` are all the same, as those of files that cannot be had."""
    changes = features[1:] - features[:-1]
    varies = changes.any() if isinstance(changes, np.ndarray) else changes.count_nonzero() > 0
    return Check(target, "alike", float(differ and features.shape[0] > 1 and not varies))


def miscalibrated(target: str, confidence: Floats, correctness: Floats) -> Check:
    """The expected calibration error in bins of equal size (Naeini et al., 2015), from n confidences out of fold."""
    order = np.argsort(confidence, kind="stable")
    bins = [rows for rows in np.array_split(order, _BINS) if len(rows)]
    off = [abs(confidence[rows].mean() - correctness[rows].mean()) * len(rows) for rows in bins]
    return Check(target, "miscalibrated", float(sum(off) / max(len(order), 1)))


def duplicates(target: str, audits: Features, others: Features) -> Check:
    """The share of n audit tasks to which one of m others is all but equal."""
    from sklearn.metrics.pairwise import cosine_similarity  # noqa: PLC0415 - slow to load: see preload

    if not audits.shape[0] or not others.shape[0]:
        return Check(target, "duplicates", 0.0)
    return Check(target, "duplicates", float((cosine_similarity(audits, others).max(axis=1) > _ALIKE).mean()))


def drift(target: str, one: Sequence[Label], other: Sequence[Label]) -> Check:
    """The share of n tasks about which two versions guess differently."""
    differ = [first != second for first, second in zip(one, other, strict=True)]
    return Check(target, "drift", float(np.mean(differ)) if differ else 0.0)
