"""Which tasks are reserved for audits, and where they stand among the ranked ones.

A project gets a random salt when it is first read, which nobody else may know. Tasks of `Reserve.sample` are kept from
query strategies, and `interleave` puts those that have no label yet between the ranked ones; all ``blank`` tasks are
sent with an empty prediction (`nextlabel.loop.auditing`). A label of a task of the sample is an audit label, unless it
was there before the project was read. How right the version in service had been about it joins the values of
`always_valid.mean_of_answers`; how right a version is about all of them, out of fold, goes to `intervals.mean_interval`
(`accuracy`); and the losses of two versions on those that neither has seen go to `paired.judge` (`promotion`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from math import ceil

import numpy as np
from numpy.typing import NDArray

from nextlabel.labeling import TaskId

_MOST_BITS = 53  # of a hash, so that it is a float in [0, 1) exactly
_LEAST, _SMALL = 60, 5  # audit tasks, where these are no more than one in five of the first tasks


@dataclass(frozen=True, slots=True)
class Reserve:
    """Reserves a ``share`` of a project's tasks by a hash of their ids under a secret ``salt``, at least ``least``.

    A ``share`` of 0 reserves none. Raises `ValueError` for an empty salt, a share outside [0, 1] and a negative least.
    """

    salt: str
    share: float = 0.10
    least: int = 60

    def __post_init__(self) -> None:
        if not self.salt:
            raise ValueError("The salt is empty: give each project random characters of its own.")
        if not 0 <= self.share <= 1 or self.least < 0:
            raise ValueError(f"share is {self.share} and least {self.least}: the share is in [0, 1], least 0 or more.")

    def sample(self, tasks: Iterable[TaskId], last: str = "") -> tuple[TaskId, ...]:
        """The audit tasks among all of a project's tasks, in the order in which they are served: a random sample.

        They are the tasks whose hash is in the lowest ``share``, or the lowest ``least`` where those are fewer, up to
        ``last``, where an earlier sample ended (`end`). So neither new tasks nor the removal of others brings an older
        one in: no task which a strategy ranked becomes an audit task. New ones only push tasks out that were there to
        make up ``least``; of those that are removed none is replaced.
        """
        if not self.share:
            return ()
        place, known = _places(_key(self.salt), "reserve"), set(tasks)
        placed = [(place(task), task) for task in known]
        chosen = [one for one in placed if one[0] < self.share]
        if len(chosen) < self.least:
            most = max(place(last), self.share) if last else 1.0
            chosen = [one for one in nsmallest(self.least, placed) if one[0] <= most]
        return tuple(task for _, task in sorted(chosen))

    def end(self, sample: Sequence[TaskId], last: str = "") -> str:
        """Where a sample ends, to be passed on as ``last``: at its last task, or where an earlier one ended while too
        few are left of it. That need not be a task that is still there."""
        ends = [*sample[-1:], *([TaskId(last)] if last and len(sample) < self.least else [])]
        return max(ends, key=_places(_key(self.salt), "reserve"), default=last)

    def until(self, last: str, tasks: Iterable[TaskId]) -> tuple[TaskId, ...]:
        """Those of some tasks that are in the sample which ends with ``last``, in its order; none where that is ""."""
        if not last:
            return ()
        place = _places(_key(self.salt), "reserve")
        end = place(last)
        return tuple(task for at, task in sorted((place(task), task) for task in set(tasks)) if at <= end)


def least_of(tasks: int) -> int:
    """How many audit tasks a project has at least that begins with so many tasks."""
    return min(_LEAST, tasks // _SMALL)


def audit_rate(audit_labels: int) -> float:
    """The share of the window's places that audit tasks get, by how many audit labels there are."""
    return 0.20 if audit_labels < 50 else 0.10 if audit_labels < 200 else 0.05


@dataclass(frozen=True, slots=True)
class Window:
    """Tasks in the order in which they are served, which of them are ``audits``, and which show no prediction.

    ``blank`` are all audits and about as many ranked tasks, which nobody can tell from them.
    """

    tasks: tuple[TaskId, ...]
    audits: frozenset[TaskId]
    blank: frozenset[TaskId]


def interleave(
    ranked: Sequence[TaskId], audits: Sequence[TaskId], *, size: int, audit_labels: int, salt: str, version: str
) -> Window:
    """The first ``size`` places: the first ``audits`` at the rate for so many ``audit_labels``, the others ranked.

    Where each of these audits stands is random: those that are labeled while an order is being made would else be the
    ones at its top, and fewer would be served than the rate says. In each block of places (5, 10 or 20) two random ones
    are blank, and a coin decides which of them is the audit: so audits are spread evenly, and a blank task is one of
    them with chance ½ wherever it stands. Where one of both runs out, the other fills the places. A task in both is an
    audit. The same arguments give the same window; each ``version`` of the order has places of its own.
    """
    reserved = set(audits)
    others = [task for task in ranked if task not in reserved]
    size = min(size, len(others) + len(reserved))
    places = _blank_places(size, audit_labels, _integer(_key(salt), "places", version))
    served = _is_audit(places[: len(audits), 0], size, len(others))
    tasks = np.empty(size, dtype=object)
    shuffled = np.random.default_rng(_integer(_key(salt), "order", version)).permutation(served.sum())
    tasks[served] = [audits[n] for n in shuffled.tolist()]
    tasks[~served] = others[: (~served).sum()]
    partners = places[: len(audits), 1]
    blank = [*tasks[served], *tasks[partners[partners < size]]]
    return Window(tuple(tasks), frozenset(tasks[served]), frozenset(blank))


def _blank_places(size: int, audit_labels: int, seed: int) -> NDArray[np.intp]:
    """blocks × 2 different places, in each block one for an audit and one for a ranked task; the last may be ≥ size."""
    block = round(1 / audit_rate(audit_labels))
    count = ceil(size / block)
    shuffled = np.random.default_rng(seed).random((count, block)).argsort(axis=1)
    return shuffled[:, :2] + block * np.arange(count)[:, None]


def _is_audit(places: NDArray[np.intp], size: int, ranked: int) -> NDArray[np.bool_]:
    """Whether each place is an audit's: those drawn, and all behind the last ranked task."""
    is_audit = np.zeros(size, dtype=np.bool_)
    is_audit[places[places < size]] = True
    return is_audit | (np.cumsum(~is_audit) > ranked)


def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode("utf-8", "surrogatepass")).digest()


def _places(key: bytes, purpose: str) -> Callable[[str], float]:
    """From a name to a number in [0, 1) that only who knows the key can foretell."""
    keyed, scale = _keyed(key, purpose), 2.0**-_MOST_BITS

    def place(name: str) -> float:
        found = keyed.copy()
        found.update(name.encode("utf-8", "surrogatepass"))
        return (int.from_bytes(found.digest()) >> (64 - _MOST_BITS)) * scale

    return place


def _integer(key: bytes, purpose: str, name: str) -> int:
    found = _keyed(key, purpose)
    found.update(name.encode("utf-8", "surrogatepass"))
    return int.from_bytes(found.digest())


def _keyed(key: bytes, purpose: str) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=8, key=key, person=purpose.encode())
