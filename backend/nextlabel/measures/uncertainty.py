"""How unsure a model is: measures on class probabilities, vectorised, each in [0, 1], higher is less sure.

Every function takes n × k probabilities whose rows sum to 1 and returns n numbers. With one class there is
nothing to be unsure of: all measures are 0. (Settles, 2009, *Active Learning Literature Survey*, §3.1.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def least_confidence(probabilities: Floats) -> Floats:
    """1 − the largest probability, scaled so that the uniform distribution gives 1 (Lewis & Gale, 1994)."""
    p = checked(probabilities)
    k = p.shape[1]
    if k < 2:
        return np.zeros(len(p), dtype=p.dtype)
    return np.asarray(np.clip((1 - p.max(axis=1)) * (k / (k - 1)), 0, 1))


def margin(probabilities: Floats) -> Floats:
    """1 − the gap between the two largest probabilities (Scheffer, Decomain & Wrobel, 2001)."""
    p = checked(probabilities)
    k = p.shape[1]
    if k < 2:
        return np.zeros(len(p), dtype=p.dtype)
    if k == 2:  # the common case, and several times cheaper than a partition
        return np.asarray(np.clip(1 - np.abs(p[:, 0] - p[:, 1]), 0, 1))
    gaps = np.empty(len(p), dtype=p.dtype)
    for start in range(0, len(p), 4096):  # class by class over what fits the cache: several times a partition's speed
        columns = np.ascontiguousarray(p[start : start + 4096].T)
        first, second = np.maximum(columns[0], columns[1]), np.minimum(columns[0], columns[1])
        for column in columns[2:]:
            np.maximum(second, np.minimum(first, column), out=second)
            np.maximum(first, column, out=first)
        gaps[start : start + 4096] = first - second
    return np.asarray(np.clip(1 - gaps, 0, 1))


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy over its maximum, log k (Shannon, 1948)."""
    p = checked(probabilities)
    k = p.shape[1]
    if k < 2:
        return np.zeros(len(p), dtype=p.dtype)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(np.clip(-(p * logs).sum(axis=1) / float(np.log(k)), 0, 1))


def ratio(probabilities: Floats) -> Floats:
    """The second largest probability over the largest, 1 for a tie."""
    p = checked(probabilities)
    k = p.shape[1]
    if k < 2:
        return np.zeros(len(p), dtype=p.dtype)
    two = np.partition(p, k - 2, axis=1)[:, k - 2 :]
    return np.asarray(np.clip(np.divide(two[:, 0], two[:, 1], out=np.zeros_like(two[:, 0]), where=two[:, 1] > 0), 0, 1))


def checked(probabilities: Floats) -> Floats:
    """The same numbers as a floating matrix. Raises ValueError naming what is wrong with them."""
    p = np.asarray(probabilities)
    if p.ndim != 2 or p.shape[1] == 0:
        raise ValueError(f"probabilities must be n × k with k ≥ 1, not of shape {p.shape}")
    if not np.issubdtype(p.dtype, np.floating):
        p = p.astype(np.float64)
    if not np.isfinite(p).all():
        raise ValueError("probabilities hold NaN or infinite values")
    return p
