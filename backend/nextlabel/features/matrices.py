"""Rows of features without copies: matrices that share the arrays they are made of, mapped ones too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.labeling.ranking import Features


def matrix_of(
    numbers: NDArray[np.float32], columns: NDArray[np.int32], starts: NDArray[np.integer], width: int
) -> csr_matrix:
    """A sparse matrix of these very arrays; ``starts`` has one more than there are rows.

    scipy's constructor would copy what is but a part of a larger array, and so would slicing.
    """
    matrix = csr_matrix((numbers[:0], columns[:0], np.zeros_like(starts)), shape=(len(starts) - 1, width))
    matrix.data, matrix.indices, matrix.indptr = numbers, columns, starts  # type: ignore[assignment]
    return matrix


def rows_of(features: Features, rows: NDArray[np.integer]) -> Features:
    """Those rows; without a copy where they follow one another."""
    if not len(rows) or rows[-1] - rows[0] + 1 != len(rows) or (np.diff(rows) != 1).any():
        return features[rows]
    return block_of(features, int(rows[0]), int(rows[-1]) + 1)


def block_of(features: Features, first: int, end: int) -> Features:
    """The rows from the first up to the end, which is not among them; without a copy."""
    if isinstance(features, np.ndarray):
        return features[first:end]
    starts = features.indptr[first : end + 1]
    held = slice(starts[0], starts[-1])
    return matrix_of(features.data[held], features.indices[held], starts - starts[0], features.shape[1])


def stacked(parts: Sequence[csr_matrix]) -> csr_matrix:
    """One below the other; scipy's `vstack` takes several times as long for small ones."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([part.nnz for part in parts])
    kind = np.int32 if ends[-1] < 2**31 else np.int64
    starts = [np.zeros(1, dtype=kind)]
    starts += [part.indptr[1:] + kind(end - part.nnz) for part, end in zip(parts, ends, strict=True)]
    numbers, columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "indices"))
    return matrix_of(numbers, columns, np.concatenate(starts), parts[0].shape[1])
