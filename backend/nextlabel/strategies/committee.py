"""Ask where the members of a committee disagree (Seung, Opper & Sompolinsky, 1992)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import SettingsError
from nextlabel.labeling.ranking import CandidatePool, Features, Floats, Group, Needs, Ranking
from nextlabel.measures import disagreement
from nextlabel.measures.uncertainty import checked
from nextlabel.strategies.answers import Answers, answers_of
from nextlabel.strategies.base import PoolStrategy, missing, need_features, need_labels
from nextlabel.strategies.uncertainty import best_first

Member = Callable[[Features], Floats]
"""From features to n × k probabilities, or what else a `Learner` says."""

MEASURES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "vote_entropy": disagreement.vote_entropy,
        "consensus_entropy": disagreement.consensus_entropy,
        "soft_vote_entropy": disagreement.consensus_entropy,
        "max_disagreement": disagreement.max_disagreement,
        "kl_divergence": disagreement.kl_divergence,
        "variation_ratio": disagreement.variation_ratio,
    }
)
_CELLS = 4_000_000  # members' probabilities held at a time


class Committee(PoolStrategy):
    """Fits several models and asks for tasks on which they disagree: committee:MEASURE.

    Of several labels at once each counts by itself; of numbers it is how far the members' values are apart (Burbidge,
    Rowland & King, 2007), whatever the measure. Each member is fitted by the pool's learner with a seed of its own and,
    with ``bootstrap``, on labels drawn with replacement within each class, so that no class seen disappears (Abe &
    Mamitsuka, 1998).
    """

    group = Group.LEARNING
    needs = frozenset({Needs.FEATURES, Needs.LEARNER})

    def __init__(self, measure: str = "vote_entropy", *, members: int = 8, bootstrap: bool = True) -> None:
        if members < 2:
            raise SettingsError(f"The strategy 'committee': members is {members}, a committee has 2 at least.")
        self._measure, self._members, self._bootstrap = _measure(measure), members, bootstrap
        self.name = f"committee:{measure}"

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the pool has no features, learner or labels."""
        need_features(pool, self.name)
        answers = answers_of(pool, self.name)
        members = fitted_members(pool, answers, self._members, self.name, bootstrap=self._bootstrap)
        return _by_disagreement(pool, members, partial(answers.disagreement, measure=self._measure), size, self.name)


class CommitteeOf(PoolStrategy):
    """By the disagreement of members that are fitted already, of any kind: for use from Python.

    A member is a function from features to n × k probabilities, or a fitted classifier with ``predict_proba``;
    classifiers that know different classes are brought together by their ``classes_``. ::

        CommitteeOf([forest, regression, neighbours], "max_disagreement").rank(pool, 10)
    """

    needs = frozenset({Needs.FEATURES})

    def __init__(self, members: Sequence[Any], measure: str = "vote_entropy") -> None:
        if not members:
            raise SettingsError("A committee needs members: give it at least one.")
        self._members, self._measure = _aligned(members), _measure(measure)
        self.name = f"committee:{measure}"

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        """Raises `SettingsError` where the pool has no features."""
        return _by_disagreement(pool, self._members, self._measure, size, self.name)


def fitted_members(
    pool: CandidatePool, answers: Answers, members: int, strategy: str, *, bootstrap: bool = True
) -> list[Member]:
    """That many models fitted on what is labeled. Raises `SettingsError` where nothing is."""
    features, codes = need_labels(pool, strategy)
    fitted = []
    for seed in np.random.SeedSequence(pool.seed).generate_state(members):
        rows = stratified_bootstrap(codes, int(seed)) if bootstrap else np.arange(len(codes))
        fitted.append(answers.learner.fit(features[rows], answers.labels[rows], seed=int(seed)))
    return fitted


def stratified_bootstrap(labels: NDArray[np.integer], seed: int) -> NDArray[np.integer]:
    """Rows drawn with replacement within each class: as many of each as there are."""
    rng = np.random.default_rng(seed)
    by_class = np.argsort(labels, kind="stable")
    _, starts, sizes = np.unique(labels[by_class], return_index=True, return_counts=True)
    places = np.repeat(starts, sizes) + np.floor(rng.random(len(labels)) * np.repeat(sizes, sizes)).astype(np.int64)
    return np.asarray(by_class[places])


def member_probabilities(members: Iterable[Member], features: Features) -> Floats:
    """m × n × k."""
    return np.stack([np.asarray(member(features)) for member in members])


def _by_disagreement(
    pool: CandidatePool, members: Sequence[Member], measure: Callable[[Floats], Floats], size: int, name: str
) -> Ranking:
    features = need_features(pool, name)
    if min(size, len(pool)) < 1:
        return Ranking((), name)
    rows = max(1, _CELLS // (len(members) * checked(pool.probabilities).shape[1]))
    parts = (features[start : start + rows] for start in range(0, len(pool), rows))
    return best_first(
        pool, np.concatenate([measure(member_probabilities(members, part)) for part in parts]), size, name
    )


def _measure(name: str) -> Callable[[Floats], Floats]:
    if name not in MEASURES:
        raise SettingsError(f"A committee has no measure '{name}': it has {', '.join(MEASURES)}.")
    return MEASURES[name]


def _aligned(members: Sequence[Any]) -> list[Member]:
    """Functions that all answer for the same classes, in the same order."""
    known = [np.asarray(member.classes_) for member in members if hasattr(member, "classes_")]
    classes = np.unique(np.concatenate(known)) if known else None
    return [_member(member, classes) for member in members]


def _member(member: Any, classes: NDArray[Any] | None) -> Member:
    predict: Member | None = getattr(member, "predict_proba", member if callable(member) else None)
    if predict is None:
        raise missing("committee", "members that give probabilities", "give classifiers with predict_proba")
    if classes is None or not hasattr(member, "classes_"):
        return predict
    columns = np.searchsorted(classes, np.asarray(member.classes_))

    def spread(features: Features) -> Floats:
        p = np.asarray(predict(features))
        out = np.zeros((len(p), len(classes)), dtype=p.dtype)
        out[:, columns] = p
        return out

    return spread
