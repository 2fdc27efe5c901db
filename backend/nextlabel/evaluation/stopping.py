"""When to stop labeling: four criteria from what versions predict of the same tasks, and the advice that follows.

S1, *stabilising predictions* (Bloodgood & Vijay-Shanker, 2009), by label ratio: a version and the one at two thirds of
its labels predict the same. Versions that follow one another always do where a few labels make a new one, so that these
are not compared. S2, the *forecast* gain of the next labels (`nextlabel.evaluation.forecast`). S3, the *expected error*
by the version's own chances hardly falls, by less than a point. S4, the *accuracy* on audit tasks has reached what was
wanted. S5, only where a project names a class: its *recall* has (`nextlabel.evaluation.recall`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from math import ceil, log

import numpy as np

from nextlabel.evaluation.forecast import AHEAD, Forecast
from nextlabel.evaluation.intervals import Interval
from nextlabel.labeling import TaskId, counted, quoted

MOST_TASKS = 2_000
"""Of the stop set."""
FEWEST_AUDITS, FEWEST_OF_CLASS = 30, 5
"""Labels, before which there is no advice."""
RATIO = 1.5
"""How many times the labels of the version that another is compared to, about."""
_CLOSEST = 1.25  # times its labels at least: versions closer than that always predict the same
_FIRST, _APART, _FAR = 20, 1.05, 1.1  # times the labels of the check before: at least; so far that one counts as two
_ALIKE, _FALL, _TIMES = 0.98, 0.01, 2
_STEP = 1.1  # times the labels, over which S3 counts what the expected error falls by
_MOST_NAMED = 5
RECALL = "recall"
"""The name of S5."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is kept of a version that was checked: by target how far it predicts the same as the version at two thirds
    of its ``labels``, what share of its predictions ``changed`` since, and its expected ``error``.

    ``since`` are the labels of the version it was compared to; None where there was none.
    """

    labels: int
    since: int | None = None
    alike: Mapping[str, float] = field(default_factory=dict)
    changed: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Criterion:
    """``holds`` is None where it cannot be told, or is not asked for; ``figure`` is what it goes by."""

    name: str
    holds: bool | None
    figure: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a project wants: the points of accuracy that 100 labels must be worth, the accuracy, at most so many labels;
    0 where it does not matter."""

    worth: float = 0.5
    accuracy: float = 0.0
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Advice:
    """``stop`` is None where there is none yet; ``sentence`` says why, for a person."""

    stop: bool | None
    sentence: str
    criteria: Sequence[Criterion]
    spent: bool = False


def stop_set(tasks: Iterable[TaskId], most: int = MOST_TASKS) -> tuple[TaskId, ...]:
    """The tasks whose predictions are compared: by a hash of their ids, so that they are like the others."""
    return tuple(nsmallest(most, tasks, key=_place))


def is_due(labels: int, before: int | None) -> bool:
    """Whether a version of so many labels is to be checked, where the last one that was had ``before``."""
    if labels < _FIRST:
        return False
    return before is None or labels >= ceil(before * _APART) or labels * RATIO <= before


def compared_to(labels: int, before: Sequence[int]) -> int | None:
    """The place of the version that one of so many ``labels`` is compared to: of those with four fifths of the labels
    at most the one that is nearest to two thirds, by ratio; None where all have more than two thirds.

    The nearest one, not the next below: where rounds are large that one is so far away that predictions differ more,
    and labeling would go on for longer than with small rounds.
    """
    if not any(others * RATIO <= labels for others in before):
        return None
    fewer = (place for place, others in enumerate(before) if others * _CLOSEST <= labels)
    return min(fewer, key=lambda place: (abs(log(before[place] * RATIO / labels)), -place))


def is_of_use(labels: int, newest: int) -> bool:
    """Whether predictions of a version of so many labels may yet be compared to, where the newest has ``newest``; of
    those with fewer labels only the one with the most is."""
    return labels * RATIO > newest


def advice(
    history: Sequence[Checked],
    *,
    wanted: Wanted,
    labels: int,
    audits: int,
    rare: Mapping[str, Mapping[str, int]],
    accuracy: Mapping[str, Interval],
    forecasts: Mapping[str, Forecast],
    recall: Criterion | None = None,
    several: bool = False,
    why_none: str = "",
) -> Advice:
    """From the versions that were checked, oldest first. ``labels`` are all that people gave; ``rare`` are by target
    the classes with fewer than 5 labels and how many they have; ``accuracy`` is that of the version in service, by
    target; ``recall`` is S5, where it is asked for. Of ``several`` targets each is named; ``why_none`` is why there can
    be no advice, "" where there can."""
    learned = list(history[-1].error) if history else []
    criteria = (
        stabilising(history, several=several),
        _gain(forecasts, wanted.worth, learned, several=several),
        expected_error(history, several=several),
        _reached(accuracy, wanted.accuracy, learned, several=several),
        *([] if recall is None else [recall]),
    )
    spent = bool(wanted.budget) and labels >= wanted.budget
    stop, sentence = (None, why_none) if why_none else _verdict(criteria, audits, named(rare, several=several))
    if spent:
        sentence = f"The budget of {counted(wanted.budget, 'label')} is spent ({labels}). {sentence}"
    elif wanted.budget:
        left = wanted.budget - labels
        sentence = f"{sentence} {counted(left, 'label')} of the budget {'is' if left == 1 else 'are'} left."
    return Advice(stop, sentence, criteria, spent)


def _verdict(criteria: tuple[Criterion, ...], audits: int, rare: str) -> tuple[bool | None, str]:
    lacking = [*_few_audits(audits), *([f"fewer than {FEWEST_OF_CLASS} labels of {rare}"] if rare else [])]
    if lacking:
        return None, f"No advice yet: {'; '.join(lacking)}."
    stable, *others = criteria
    agreeing = [one for one in others if one.holds]
    if stable.holds and agreeing:
        against = "".join(f"; but {one.sentence}" for one in others if _speaks_against(one))
        return True, f"Stop: {stable.sentence}, and {', and '.join(one.sentence for one in agreeing)}{against}."
    if stable.holds:
        known = [one.sentence for one in others if _speaks_against(one)]
        return False, f"Go on: {stable.sentence}, but {'; '.join(known) or 'nothing else is known yet'}."
    return False, f"Go on: {stable.sentence}."


def _speaks_against(one: Criterion) -> bool:
    """A recall that is wanted does so too while it is not known."""
    return one.holds is False or (one.name == RECALL and one.holds is None)


def _few_audits(audits: int) -> Iterable[str]:
    if audits < FEWEST_AUDITS:
        yield f"{audits} of {FEWEST_AUDITS} audit tasks are labeled"


def named(rare: Mapping[str, Mapping[str, int]], *, several: bool) -> str:
    """Some classes with how many labels they have, fewest first; with its target where there are ``several``, for two
    targets may well have a class of the same name."""
    ordered = sorted(((n, target, name) for target, counts in rare.items() for name, n in counts.items()), key=_labels)
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    first = (f"{quoted(name)}{f' of {target}' if several else ''} ({n})" for n, target, name in ordered[:_MOST_NAMED])
    return ", ".join(first) + more


def _labels(one: tuple[int, str, str]) -> int:
    return one[0]


def rare_classes(counts: Mapping[str, int], separator: str = "") -> dict[str, int]:
    """Those with fewer than 5 labels. With a ``separator`` classes are ways to options within others: one that holds
    others and that nobody has chosen is their heading, and no class."""
    headings = {name.rpartition(separator)[0] for name in counts} if separator else set()
    return {name: n for name, n in counts.items() if n < FEWEST_OF_CLASS and (n or name not in headings)}


def stabilising(history: Sequence[Checked], *, several: bool = False) -> Criterion:
    """S1, of the target whose predictions change most. A check that is far from the one before counts as two: else
    rounds of many labels would have to go on for longer than others. The first that compares anything never does."""
    compared_before = len(history) > 1 and bool(history[-2].alike)
    is_far = compared_before and history[-1].labels >= _FAR * history[-2].labels
    times = 1 if is_far else _TIMES
    found = [min(one.alike.values()) for one in history[-times:] if one.alike]
    if not history or not history[-1].alike:
        return Criterion("predictions", None, None, "predictions cannot be compared yet")
    last, now = history[-1], found[-1]
    of = f" of {min(last.alike, key=lambda name: last.alike[name])}" if several else ""
    if len(found) == times and min(found) >= _ALIKE:
        sentence = f"predictions are stable (κ {now:.3f}{of} with the version at {last.since} labels)"
        return Criterion("predictions", True, now, sentence)
    once = f", {_ALIKE} once so far" if now >= _ALIKE else f", not yet {_ALIKE}"
    sentence = f"predictions still change (κ {now:.3f}{of} between {last.since} and {last.labels} labels{once})"
    return Criterion("predictions", False, now, sentence)


def expected_error(history: Sequence[Checked], *, several: bool = False) -> Criterion:
    """S3, of the target where it falls most."""
    falls = [_fall(history[: len(history) - n]) for n in range(_TIMES)]
    now, target = falls[0]
    if now is None or falls[-1][0] is None:
        return Criterion("expected error", None, now, "the expected error is not known for long enough")
    holds = all(one is not None and one < _FALL for one, _ in falls)
    words, of = "hardly falls" if holds else "still falls", f", {target}" if several else ""
    sentence = f"the expected error {words} ({max(now, 0) * 100:.1f} points by 10 % more labels{of})"
    return Criterion("expected error", holds, now, sentence)


def _fall(history: Sequence[Checked]) -> tuple[float | None, str]:
    """By how much the expected error falls with 10 % more labels, and of which target, that where it falls most: by the
    slope of a straight line through the logarithms since two thirds of the labels, for single figures vary by more."""
    if not history:
        return None, ""
    newest = history[-1]
    recent = [one for one in history if one.labels * RATIO >= newest.labels and one.labels <= newest.labels]
    slopes = {
        name: _slope([(one.labels, one.error[name]) for one in recent if name in one.error]) for name in newest.error
    }
    falls = {name: newest.error[name] * (1 - _STEP**slope) for name, slope in slopes.items() if slope is not None}
    if not falls:
        return None, ""
    most = max(falls, key=lambda name: falls[name])
    return falls[most], most


def _slope(points: Sequence[tuple[int, float]]) -> float | None:
    if len({labels for labels, _ in points}) < 2:
        return None
    x, y = np.log([labels for labels, _ in points]), np.log([max(error, 1e-6) for _, error in points])
    return float(np.polyfit(x, y, 1)[0])


def _gain(forecasts: Mapping[str, Forecast], worth: float, learned: Sequence[str], *, several: bool) -> Criterion:
    """S2, of the target that gains most; ``worth`` in points for 100 labels. It does not hold while the gain of one of
    those that are ``learned`` is not known."""
    if not forecasts:
        return Criterion("forecast gain", None, None, "no gain can be forecast yet")
    target, best = max(forecasts.items(), key=lambda one: one[1].high)
    holds, points = (
        best.high * 100 < worth,
        f"{best.value * 100:+.1f} points ({best.low * 100:+.1f} to {best.high * 100:+.1f})",
    )
    words = f"less than {worth:g}" if holds else f"perhaps more than {worth:g}"
    if holds and (unknown := [name for name in learned if name not in forecasts]):
        return Criterion("forecast gain", None, best.high, f"no gain of {unknown[0]} can be forecast yet")
    bring = f"bring {target}" if several else "bring"
    return Criterion("forecast gain", holds, best.high, f"the next {AHEAD} labels {bring} {points}, {words}")


def _reached(accuracy: Mapping[str, Interval], target: float, learned: Sequence[str], *, several: bool) -> Criterion:
    """S4, of the target that is known to be worst. It does not hold while one of those that are ``learned`` is not
    measured."""
    if not target:
        return Criterion("accuracy", None, None, "no accuracy is wanted")
    if not accuracy:
        return Criterion("accuracy", None, None, "the accuracy is not measured yet")
    name, worst = min(accuracy.items(), key=lambda one: one[1].low)
    holds = worst.low >= target
    words = f"has reached {target:.1%}" if holds else f"may be below {target:.1%}"
    if holds and (unknown := [one for one in learned if one not in accuracy]):
        return Criterion("accuracy", None, worst.low, f"the accuracy of {unknown[0]} is not measured yet")
    of = f" of {name}" if several else ""
    return Criterion("accuracy", holds, worst.low, f"the accuracy{of} {words} ({worst.low:.1%} to {worst.high:.1%})")


def _place(task: TaskId) -> bytes:
    return hashlib.blake2b(task.encode("utf-8", "surrogatepass"), digest_size=8, person=b"stop set").digest()
