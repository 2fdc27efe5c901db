"""How much the members of a committee disagree: measures on their predictions, vectorised, higher is more.

Members' probabilities are m × n × k, rows summing to 1; each function returns n numbers. The measures on
probabilities are in [0, 1]: each is divided by the most that m members can reach on k classes, which does not
change the order. One member, or one class, cannot disagree. (Seung, Opper & Sompolinsky, 1992.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def vote_entropy(members: Floats) -> Floats:
    """Entropy of the members' votes over log min(m, k) (Engelson & Dagan, 1996)."""
    votes = _votes(checked(members))
    return _entropy(votes, min(members.shape[0], members.shape[2]))


def consensus_entropy(members: Floats) -> Floats:
    """Entropy of the members' mean probabilities over log k: the soft vote entropy.

    High where the members disagree and also where they are all unsure, so one member has it too.
    """
    p = checked(members)
    return _entropy(p.mean(axis=0), p.shape[2])


def max_disagreement(members: Floats) -> Floats:
    """The largest Kullback-Leibler divergence of a member from the mean of all, over log m."""
    p = checked(members)
    return _scaled(_divergences(p).max(axis=0), p.shape[0], p.shape[2])


def kl_divergence(members: Floats) -> Floats:
    """The mean Kullback-Leibler divergence of the members from their mean, over log min(m, k).

    (McCallum & Nigam, 1998.) The mutual information of label and member, as in BALD (Houlsby et al., 2011).
    """
    p = checked(members)
    return _scaled(_divergences(p).mean(axis=0), min(p.shape[0], p.shape[2]), p.shape[2])


def variation_ratio(members: Floats) -> Floats:
    """The share of members who did not vote for the favourite, over the most that share can be (Freeman, 1965)."""
    p = checked(members)
    m, _, k = p.shape
    most = 1 - -(-m // k) / m  # a favourite has at least ⌈m / k⌉ of m votes
    return np.asarray((1 - _votes(p).max(axis=1)) / (most or 1))


def standard_deviation(members: Floats) -> Floats:
    """For regression: the members' spread, in the target's own unit, from m × n predictions (Burbidge et al., 2007)."""
    values = np.asarray(members)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"members' predictions must be m × n with m ≥ 1, not of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("members' predictions hold NaN or infinite values")
    return np.asarray(values.std(axis=0))


def checked(members: Floats) -> Floats:
    """The same numbers as a floating array. Raises ValueError naming what is wrong with them."""
    p = np.asarray(members)
    if p.ndim != 3 or p.shape[0] == 0 or p.shape[2] == 0:
        raise ValueError(f"members' probabilities must be m × n × k with m, k ≥ 1, not of shape {p.shape}")
    if not np.issubdtype(p.dtype, np.floating):
        p = p.astype(np.float64)
    if not np.isfinite(p).all():
        raise ValueError("members' probabilities hold NaN or infinite values")
    return p


def _votes(p: Floats) -> Floats:
    """n × k: the share of members who vote for each class. A tie within a member goes to the first class."""
    m, n, k = p.shape
    cells = p.argmax(axis=2) + np.arange(n) * k
    return np.asarray(np.bincount(cells.ravel(), minlength=n * k).reshape(n, k) / m)


def _entropy(p: Floats, outcomes: int) -> Floats:
    if outcomes < 2:
        return np.zeros(len(p), dtype=p.dtype)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(np.clip(-(p * logs).sum(axis=1) / float(np.log(outcomes)), 0, 1))


def _divergences(p: Floats) -> Floats:
    """m × n: how far each member is from the mean of all, in nats; never more than log m."""
    mean = p.mean(axis=0)
    there = p > 0
    logs = np.log(p, out=np.zeros_like(p), where=there)
    logs -= np.log(mean, out=np.zeros_like(mean), where=mean > 0)
    return np.asarray((p * logs).sum(axis=2))


def _scaled(divergence: Floats, outcomes: int, classes: int) -> Floats:
    if outcomes < 2 or classes < 2:
        return np.zeros_like(divergence)
    return np.asarray(np.clip(divergence / float(np.log(outcomes)), 0, 1))
