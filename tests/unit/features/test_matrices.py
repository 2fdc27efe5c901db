"""Rows of features that share what they are made of, whatever scipy would copy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nextlabel.features.matrices import rows_of, stacked
from nextlabel.labeling.ranking import Features

DENSE = np.random.default_rng(0).poisson(0.2, size=(40, 30)).astype(np.float32)
SPARSE = csr_matrix(DENSE)


def numbers(features: Features) -> np.ndarray:
    return np.asarray(features if isinstance(features, np.ndarray) else features.data)


@pytest.mark.parametrize("features", [SPARSE, DENSE], ids=["sparse", "dense"])
@pytest.mark.parametrize("rows", [range(3, 8), range(40), [5], [7, 6, 5], [3, 4, 6], [3, 3, 5], []])
def test_rows_are_those_asked_for_and_shared_where_they_follow_one_another(
    features: Features, rows: range | list[int]
) -> None:
    found = rows_of(features, np.array(rows, dtype=np.intp))
    np.testing.assert_array_equal(found if isinstance(found, np.ndarray) else found.toarray(), DENSE[list(rows)])
    shared = bool(rows) and list(rows) == list(range(rows[0], rows[0] + len(rows)))
    assert np.shares_memory(numbers(found), numbers(features)) == shared


def test_matrices_are_stacked_as_scipy_does() -> None:
    parts = [SPARSE[:3], SPARSE[3:3], SPARSE[3:]]
    np.testing.assert_array_equal(stacked(parts).toarray(), DENSE)
