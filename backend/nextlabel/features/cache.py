"""Counted features of a project's tasks, kept on disk by content, so that no text is counted twice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from nextlabel.features.text import COLUMNS, SIGNATURE, content_hash, count_features, no_rows

_MAX_SEGMENTS = 12


class TextFeatureCache:
    """Features of texts, looked up by content hash.

    What is new is appended as one segment file, written whole or not at all, so any number of processes may
    use one folder: at worst a text is counted twice. The folder may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SIGNATURE

    def features(self, texts: Sequence[str]) -> csr_matrix:
        """n × `COLUMNS` counts, row by row those of the texts."""
        keys = np.array([content_hash(text) for text in texts], dtype="S16").view("V16")
        known_keys, known = self._read()
        rows = {key.tobytes(): row for row, key in enumerate(known_keys)}
        missing = list({key.tobytes(): i for i, key in enumerate(keys) if key.tobytes() not in rows}.values())
        if missing:
            fresh = count_features([texts[i] for i in missing])
            self._append(keys[missing], fresh)
            rows |= {keys[i].tobytes(): known.shape[0] + n for n, i in enumerate(missing)}
            known = vstack([known, fresh], format="csr")
        return known[[rows[key.tobytes()] for key in keys]]

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz")) if self._folder.is_dir() else []

    def _read(self) -> tuple[NDArray[np.void], csr_matrix]:
        segments = self._segments()
        keys: list[NDArray[np.void]] = [np.empty(0, dtype="V16")]
        parts = [no_rows()]
        for path in segments:
            segment = _load(path)
            if segment is not None:
                keys.append(segment[0])
                parts.append(segment[1])
        merged = np.concatenate(keys), vstack(parts, format="csr")
        if len(segments) > _MAX_SEGMENTS:
            self._append(*merged)
            for path in segments:
                path.unlink(missing_ok=True)
        return merged

    def _append(self, keys: NDArray[np.void], counts: csr_matrix) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".tmp", dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, keys=keys, data=counts.data, indices=counts.indices, indptr=counts.indptr)
        Path(name).rename(Path(name).with_suffix(".npz"))


def _load(path: Path) -> tuple[NDArray[np.void], csr_matrix] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            shape = (len(file["keys"]), COLUMNS)
            return file["keys"], csr_matrix((file["data"], file["indices"], file["indptr"]), shape=shape)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # merged away by another process, or damaged: the texts are simply counted again
