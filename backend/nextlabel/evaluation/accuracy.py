"""The accuracy, measured on audit tasks alone, as it is kept with a version and as people read it.

An accuracy is the mean of how right each prediction is: 1 or 0 for a class, and in between for several labels, numbers
and spans (`TargetPredictions.correctness`). Audit tasks are drawn at random, so that it holds for all tasks. That of a
class gets surer by audit tasks without a label, from how sure of itself a model is there that has not seen them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nextlabel.evaluation import prediction_powered
from nextlabel.evaluation.always_valid import mean_of_answers
from nextlabel.evaluation.intervals import Interval, mean_interval
from nextlabel.labeling import counted
from nextlabel.labeling.ranking import Floats

FEWEST = 10
"""Audit labels of a target, before which there is no figure."""
POWERED_FROM = 50
"""Audit labels of a target, from which on audit tasks without a label count too."""
MOST_UNLABELED = 2_000
"""Of these that count."""
_METHOD = "out of fold on audit tasks{}; 95 % for this number of labels"
_BY_OTHERS = ", and by how sure it is of {:,} without a label (PPI++)"
PREFIX = "audit_"
"""Of the name of each figure that is measured on audit tasks."""
_FEW_TASKS = 300
_VALUE, _LOW, _HIGH, _LABELS = (PREFIX + name for name in ("accuracy", "low", "high", "labels"))
_UNLABELED = PREFIX + "unlabeled"


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure of itself a model is that has not seen the task: about n audit labels, and m audit tasks without one."""

    labeled: Floats
    unlabeled: Floats


@dataclass(frozen=True, slots=True)
class Audits:
    """The audit tasks of a project of ``pool`` tasks: how many there are, how many have a label, and how many have none
    because somebody skipped them.

    ``labeled_before`` is how many other tasks had a label before any was drawn. ``share`` is the share that is wanted
    now, ``drawn`` the one that was when the first were drawn, None before that.
    """

    tasks: int
    labeled: int
    skipped: int
    labeled_before: int
    share: float
    drawn: float | None
    pool: int

    def notes(
        self, measured: Mapping[str, Interval], *, in_folds: bool = True, targets: Collection[str] = ()
    ) -> Iterator[str]:
        """What a person should know of the accuracy of the version in service, by target what was ``measured``, first
        why it was not. A version that is not fitted in folds (``in_folds``) has none. ``targets`` are those that were
        learned, where there are several."""
        if not self.tasks:
            yield "its audit tasks are gone from the project" if measured else self._why_none
            return
        if not measured:
            yield self._why_not_measured(in_folds=in_folds)
        elif unmeasured := [target for target in targets if target not in measured]:
            yield f"{', '.join(unmeasured)}: not measured yet, fewer than {FEWEST} audit labels"
        if not self.share:
            yield "audits are stopped (audit_share=0): audit tasks come last, after all others"
        elif self.drawn is not None and self.share != self.drawn:
            drawn = f"{self.drawn:.3g} was drawn when the tasks were first read, and stays"
            yield f"audit_share={self.share:.3g} changes nothing: {drawn}"
        if self.skipped:
            of_what = self._with_skipped(measured, several=len(targets) > 1)
            yield f"{counted(self.skipped, 'audit task')} skipped, {of_what}"
        if self.labeled_before:
            yield f"of the tasks that were open when {self.labeled_before} others were labeled already"
        if self.labeled == self.tasks:
            every = "the only audit task is" if self.tasks == 1 else f"all {self.tasks} audit tasks are"
            yield f"{every} labeled: more come only with new tasks"
        if self.pool < _FEW_TASKS:
            yield f"with fewer than {_FEW_TASKS} tasks it stays vague"

    @property
    def _why_none(self) -> str:
        if not self.share:
            return "not measured: there are no audit tasks (audit_share=0)"
        if not self.pool:
            return "not measured: there are no tasks"
        if self.drawn is None:
            return "not measured yet: the next round draws the audit tasks"
        return "not measured: there are no audit tasks, for none of the open tasks was drawn; new tasks may be"

    def _why_not_measured(self, *, in_folds: bool) -> str:
        if not in_folds:
            return "the version in service is not measured: your own model is fitted once, only its answers are judged"
        if self.labeled < FEWEST:
            return f"not measured yet: {self.labeled} of {FEWEST} audit tasks labeled"
        takes = f"that takes {FEWEST} audit labels of one target that it learned from"
        return f"the version in service was not measured: {takes}; {self.labeled} audit tasks are labeled by now"

    def _with_skipped(self, measured: Mapping[str, Interval], *, several: bool) -> str:
        """The figure if all skipped ones were wrong, and if all were right."""
        if not measured:
            return "of which nothing is known"
        ranges = [
            f"{f'{target}: ' if several else ''}{one.value * one.n / (one.n + self.skipped):.1%} to "
            f"{(one.value * one.n + self.skipped) / (one.n + self.skipped):.1%}"
            for target, one in measured.items()
        ]
        return f"with which it would be {', '.join(ranges)}: all of them wrong, or all right"


def figures_of(target: str, correctness: Floats, *, pool: int, sure: Confidence | None = None) -> dict[str, float]:
    """The figures to keep with a version (`of_version` reads them), from how right it is about each of n audit labels,
    out of fold. ``pool`` is the number of tasks, ``sure`` how right the version takes itself to be."""
    known = np.isfinite(correctness)
    found = correctness[known]
    if len(found) < FEWEST:
        return {}
    interval, unlabeled = mean_interval(found, pool=max(pool, len(found))), 0
    if sure is not None and len(found) >= POWERED_FROM and len(sure.unlabeled):
        labeled, others = (np.clip(one, 0, 1) for one in (sure.labeled[known], sure.unlabeled))  # rounded, it may be 1+
        powered = prediction_powered.mean_interval(found, labeled, others, pool=max(pool, len(found)))
        if powered.high - powered.low < interval.high - interval.low:
            interval, unlabeled = powered, len(others)
    figures = {_VALUE: interval.value, _LOW: interval.low, _HIGH: interval.high}
    figures |= {_LABELS: float(interval.n), _UNLABELED: float(unlabeled)}
    return {f"{target}.{name}": figure for name, figure in figures.items()}


def of_version(metrics: Mapping[str, float]) -> dict[str, Interval]:
    """By target, the accuracy of a version where it was measured."""
    found: dict[str, Interval] = {}
    for name, value in metrics.items():
        target, _, last = name.rpartition(".")
        if last == _VALUE:
            low, high, labels = (metrics[f"{target}.{other}"] for other in (_LOW, _HIGH, _LABELS))
            unlabeled = round(metrics.get(f"{target}.{_UNLABELED}", 0))
            method = _METHOD.format(_BY_OTHERS.format(unlabeled) if unlabeled else "")
            found[target] = Interval(value, low, high, round(labels), method)
    return found


def of_answers(answers: Sequence[tuple[float, bool]]) -> Interval | None:
    """Of the answers that were given before each audit label came, in that order; None while there are too few.

    Of each, how right it was and whether it could only be 0 or 1, which not all are where a single choice has become
    one of several labels.
    """
    correctness, whole = [right for right, _ in answers], all(one for _, one in answers)
    return mean_of_answers(np.clip(correctness, 0, 1), whole=whole) if len(answers) >= FEWEST else None


def in_words(value: float, low: float, high: float) -> str:
    """An accuracy with its interval, for a person."""
    return f"{value:.1%} ({low:.1%} to {high:.1%})"


def others(metrics: Mapping[str, float]) -> dict[str, float]:
    """The figures that are taken from all labels."""
    last = {name: name.rpartition(".")[2] for name in metrics}
    return {name: figure for name, figure in metrics.items() if not last[name].startswith((PREFIX, "check_"))}
