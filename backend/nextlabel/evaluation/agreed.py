"""The label in force of a task that several people labeled: what most of them say.

Of one person the latest label counts. Where nobody but one person labeled a task, or somebody marked a label as the
truth, it is as `labels_in_force` has it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median

from nextlabel.evaluation.consensus import one_coin
from nextlabel.evaluation.given import Values, comparable, given_of
from nextlabel.labeling import Annotation, TaskId, labels_in_force

_MOST = 0.9  # of the numbers; more than one slip in ten is none

Weights = Mapping[str, float]
"""By account, what their label counts where as many people say one thing as another."""
_Labels = dict[str, object]


def agreed_labels(annotated: Mapping[TaskId, Sequence[Annotation]]) -> dict[TaskId, _Labels]:
    """By task the label in force for each target.

    A choice is what most people say. Of as many for one as for another those count who are right more often
    (`one_coin`), as far as that is known, and else the latest. Each of several labels is there where most people
    give it. A number is their mean, to which one that lies far from what the others say counts as nearer (`_mean`); of
    spans and orders of items the latest counts.
    """
    found, split = dict[TaskId, _Labels](), dict[TaskId, dict[str, _Labels]]()
    for task, given in annotated.items():
        found[task] = labels_in_force(tuple(given))
        if len(given) > 1 and len(by_person := _by_person(given)) > 1:
            split[task] = by_person
    by_target = _by_target(split, annotated)
    for target, values in by_target.items():
        weights = _weights(values) if any(map(_is_tied, values.values())) else {}
        far = _far(values)
        for task, some in values.items():
            found[task][target] = _together(some, found[task][target], weights, far)
    return found


def _by_person(given: Sequence[Annotation]) -> dict[str, _Labels]:
    """What each says, whoever spoke last at the end; whose account is not known count as one person."""
    order = sorted((one for one in given if not one.skipped), key=lambda a: (a.updated_at, len(a.id), a.id))
    own = defaultdict[str, list[Annotation]](list)
    for one in order:
        own[one.by or ""] = [*own.pop(one.by or "", []), one]
    return {who: labels_in_force(tuple(some)) for who, some in own.items()}


def _by_target(
    split: Mapping[TaskId, Mapping[str, _Labels]], annotated: Mapping[TaskId, Sequence[Annotation]]
) -> dict[str, dict[TaskId, dict[str, object]]]:
    """By target what several people say of a task, unless somebody marked the truth."""
    found: dict[str, dict[TaskId, dict[str, object]]] = defaultdict(dict)
    for task, by_person in split.items():
        marked = {name for one in annotated[task] if one.ground_truth and not one.skipped for name in one.labels}
        for target in dict.fromkeys(name for labels in by_person.values() for name in labels if name not in marked):
            some = {who: labels[target] for who, labels in by_person.items() if target in labels}
            if len(some) > 1:
                found[target][task] = some
    return found


def _is_tied(some: Mapping[str, object]) -> bool:
    votes = Counter(value for value in some.values() if isinstance(value, str)).most_common(2)
    return len(votes) > 1 and votes[0][1] == votes[1][1]


def _weights(values: Values) -> Weights:
    """Of those whose quality is known."""
    names = {task: {who: one for who, one in some.items() if isinstance(one, str)} for task, some in values.items()}
    given = given_of(names)
    if given is None or not (known := given.is_known()).any():
        return {}
    weights = one_coin(given.ratings).weights
    return {who: float(weights[n]) for n, who in enumerate(given.accounts) if known[n]}


def _together(some: Mapping[str, object], latest: object, weights: Weights, far: float) -> object:
    values = list(some.values())
    if all(isinstance(value, str) for value in values):
        return _name(some, weights)
    numbers = _numbers(values)
    if len(numbers) == len(values):
        return _mean(numbers, far)
    sets = [one for one in map(comparable, values) if isinstance(one, frozenset)]
    return list(_several(values, sets, latest)) if len(sets) == len(values) else latest


def _numbers(values: Sequence[object]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


def _far(values: Values) -> float:
    """The greatest distance from the median of its task at which a number counts: twice the distance that nine of ten
    numbers keep, of all tasks together. One task alone has too few for that."""
    by_task = (_numbers(list(some.values())) for some in values.values())
    distances = sorted(
        abs(number - middle)
        for numbers in by_task
        if len(numbers) > 1
        for middle in [median(numbers)]
        for number in numbers
    )
    return 2 * distances[int(_MOST * (len(distances) - 1))] if distances else 0.0


def _mean(numbers: Sequence[float], far: float) -> float:
    """Their mean, where each counts as no farther from their median than that (winsorized: Tukey, 1962): a slip of the
    keyboard must hardly move it."""
    middle = median(numbers)
    return fmean(min(max(number, middle - far), middle + far) for number in numbers)


def _name(some: Mapping[str, object], weights: Weights) -> object:
    """The latest of those that most people say, and of those that better people do."""
    votes, known = Counter(some.values()), all(who in weights for who in some)
    worth = {
        name: round(sum(weights[who] for who, one in some.items() if one == name), 9) if known else 0.0
        for name in votes
    }
    best = max((votes[name], worth[name]) for name in votes)
    return next(name for name in reversed(list(some.values())) if (votes[name], worth[name]) == best)


def _several(values: Sequence[object], sets: Sequence[frozenset[str]], latest: object) -> Iterator[str]:
    """Those that more than half of the people give; of half of them, where the latest label has it."""
    in_order = dict.fromkeys(name for value in values if isinstance(value, list | tuple) for name in value)
    for name in in_order:
        times = 2 * sum(name in one for one in sets)
        if times > len(sets) or (times == len(sets) and isinstance(latest, list | tuple) and name in latest):
            yield name
