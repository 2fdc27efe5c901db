"""What strategies share: asking for what they need of the pool, and saying it clearly when it is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Chances, Features, Floats, Learner, Needs, Numbers
from nextlabel.measures import uncertainty

_LOOKED_AT = 10_000_000  # numbers looked at at once


class PoolStrategy:
    """A strategy that judges tasks against the whole pool, so that a single task has no utility of its own.

    For tasks outside a ranking, of which only the probabilities are known, it answers with the margin.
    """

    def utilities(self, probabilities: Floats) -> Floats:
        """n utilities in [0, 1] by the margin (Scheffer, Decomain & Wrobel, 2001)."""
        return uncertainty.margin(probabilities)


def part_of(pool: CandidatePool, rows: NDArray[np.integer]) -> CandidatePool:
    """Some of the pool's tasks, as a pool of their own; what is labeled stays as it is."""
    chances, numbers = pool.chances, pool.numbers
    return replace(
        pool,
        tasks=[pool.tasks[n] for n in rows],
        probabilities=pool.probabilities[rows],
        features=None if pool.features is None else pool.features[rows],
        costs=None if pool.costs is None else pool.costs[rows],
        chances=chances and replace(chances, chances=chances.chances[rows]),
        numbers=numbers and replace(numbers, mean=numbers.mean[rows], spread=numbers.spread[rows]),
    )


def missing(strategy: str, what: str | Needs, remedy: str = "choose 'margin', which does without") -> SettingsError:
    """The error to raise: it names the strategy, what the pool lacks and what to do."""
    named = what.value if isinstance(what, Needs) else what
    return SettingsError(f"The strategy '{strategy}' needs {named}, which this pool does not have: {remedy}.")


def need_features(pool: CandidatePool, strategy: str) -> Features:
    """n × d finite features of the open tasks. Raises `SettingsError` without them, ValueError for NaN."""
    if pool.features is None:
        raise missing(strategy, "features")
    return finite(pool.features, "features")


def need_learner(pool: CandidatePool, strategy: str) -> Learner:
    """What fits further models. Raises `SettingsError` without one."""
    if pool.learner is None:
        raise missing(strategy, "a learner that fits further models")
    return pool.learner


def need_chances(pool: CandidatePool, strategy: str) -> Chances:
    """What is predicted of several labels at once. Raises `SettingsError` where the target is nothing of that kind."""
    if pool.chances is None:
        raise missing(strategy, Needs.LABEL_CHANCES)
    return pool.chances


def need_numbers(pool: CandidatePool, strategy: str) -> Numbers:
    """What is predicted of a number. Raises `SettingsError` where the target is none."""
    if pool.numbers is None:
        raise missing(strategy, Needs.NUMBERS)
    return pool.numbers


def need_labels(pool: CandidatePool, strategy: str) -> tuple[Features, NDArray[np.integer]]:
    """What is labeled already: the features of at least one task, and their labels."""
    if pool.labeled_features is None or pool.labels is None or not len(pool.labels):
        raise missing(strategy, "labeled tasks with features")
    return finite(pool.labeled_features, "labeled_features"), np.asarray(pool.labels)


def finite(values: Features, what: str) -> Features:
    """The same numbers. Raises ValueError, by name, where some are NaN or infinite."""
    numbers = (values.data if isinstance(values, csr_matrix) else np.asarray(values)).reshape(-1)
    if not all(np.isfinite(numbers[start : start + _LOOKED_AT]).all() for start in range(0, len(numbers), _LOOKED_AT)):
        raise ValueError(f"{what} hold NaN or infinite values")
    return values
