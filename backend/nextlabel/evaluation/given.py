"""What several people gave of one target of the same tasks, as figures of agreement read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextlabel.evaluation.reliability import Ratings, Scale
from nextlabel.labeling import Annotation, TaskId

FEWEST_SHARED = 20
"""From how many tasks that others labeled too an agreement with them is reported."""
_MOST_PLACES = 20  # different whole numbers that are places in an order, such as stars; more are numbers

Values = Mapping[TaskId, Mapping[str, object]]
"""By task what each person gave: a name, a set of names, or a number."""
Latest = Mapping[TaskId, Mapping[str, Annotation]]
"""By task each person's latest annotation."""


@dataclass(frozen=True, slots=True)
class Given:
    """Labels of one target: ``ratings`` in rows, and which ``tasks`` and ``accounts`` its numbers stand for.

    Names that nobody put in an order, and sets of names, are "nominal"; names in an order and a few whole numbers, such
    as stars, "ordinal"; other numbers "interval".
    """

    ratings: Ratings
    scale: Scale
    tasks: Sequence[TaskId]
    accounts: Sequence[str]

    @property
    def shared(self) -> int:
        """How many tasks several people labeled."""
        return int((np.bincount(self.ratings.tasks) > 1).sum())

    def shared_by_two(self) -> Any:
        """How many tasks each two people share, where that is enough: a sparse matrix of people by people."""
        labels = np.ones(len(self.ratings.people), dtype=np.int32)
        labeled = csr_array((labels, (self.ratings.people, self.ratings.tasks)))
        both = (labeled @ labeled.T).tocoo()
        enough = (both.data >= FEWEST_SHARED) & (both.row != both.col)
        return csr_array((both.data[enough], (both.row[enough], both.col[enough])), shape=both.shape)

    def is_known(self) -> NDArray[np.bool_]:
        """Whose quality can be estimated: who shares enough tasks with two others who share enough with each other."""
        share = self.shared_by_two().astype(np.bool_).astype(np.int64)
        return np.asarray((share @ share).multiply(share).sum(axis=1)).reshape(-1) > 0


def latest_of(annotated: Iterable[tuple[TaskId, Iterable[Annotation]]]) -> dict[TaskId, dict[str, Annotation]]:
    """The latest of each account, of annotations oldest first; those without an account are nobody's."""
    return {task: {one.by: one for one in some if one.by is not None} for task, some in annotated}


def by_target(latest: Latest) -> dict[str, dict[TaskId, dict[str, object]]]:
    """What each person gave of each task. Spans and orders of items are left out: hardly any two are quite the same."""
    found: dict[str, dict[TaskId, dict[str, object]]] = defaultdict(lambda: defaultdict(dict))
    left_out = set[str]()
    for task, given in latest.items():
        for account, annotation in given.items():
            for target, label in annotation.labels.items():
                if (value := comparable(label)) is None:
                    left_out.add(target)  # with what says that there are no spans, which is comparable
                else:
                    found[target][task][account] = value
    return {target: values for target, values in found.items() if target not in left_out}


def comparable(label: object) -> object:
    """A label such that two that are the same are equal; None where hardly any two are."""
    if isinstance(label, list | tuple):
        return frozenset(label) if all(isinstance(one, str) for one in label) else None
    return float(label) if isinstance(label, int | float) else label


def given_of(values: Values, ordered: Sequence[str] = ()) -> Given | None:
    """As rows; names that are ``ordered`` are, from the lowest to the highest, and others then count for nothing. None
    where nothing is left."""
    rows = [
        (task, account, value)
        for task, some in values.items()
        for account, value in some.items()
        if not ordered or value in ordered
    ]
    if not rows:
        return None
    tasks = dict.fromkeys(task for task, _, _ in rows)
    accounts = sorted({who for _, who, _ in rows}, key=lambda who: (len(who), who))
    task_at = {task: n for n, task in enumerate(tasks)}
    person_at = {account: n for n, account in enumerate(accounts)}
    numbers, scale = _as_numbers([value for _, _, value in rows], ordered)
    of_tasks, people = (
        np.array([task_at[task] for task, _, _ in rows]),
        np.array([person_at[who] for _, who, _ in rows]),
    )
    return Given(Ratings(of_tasks, people, np.array(numbers, dtype=np.float64)), scale, list(tasks), accounts)


def _as_numbers(values: Sequence[object], ordered: Sequence[str]) -> tuple[Sequence[float], Scale]:
    if ordered:
        return [float(ordered.index(str(value))) for value in values], "ordinal"
    numbers = [value for value in values if isinstance(value, float)]
    if len(numbers) == len(values):
        places = all(value.is_integer() for value in numbers) and len(set(numbers)) <= _MOST_PLACES
        return numbers, "ordinal" if places else "interval"
    at = {value: float(n) for n, value in enumerate(dict.fromkeys(values))}
    return [at[value] for value in values], "nominal"
