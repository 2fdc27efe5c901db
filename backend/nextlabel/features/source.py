"""What encoders need beside the tasks themselves: what was computed before, and files behind addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextlabel.features.text import count_features
from nextlabel.features.work import EmbedProgress, nobody
from nextlabel.labeling.ranking import Floats


class Vectors(Protocol):
    """Dense vectors kept by content."""

    def get(
        self,
        signature: str,
        keys: Sequence[bytes],
        width: int,
        compute: Callable[[Sequence[int]], Floats],
        text: Callable[[int], str] | None = None,
        progress: EmbedProgress = nobody,
    ) -> Floats:
        """n × ``width``; ``compute`` is given the places whose key is not known, each key once, and returns their
        rows. ``signature`` changes whenever the same content would give other vectors; a row that holds NaN is
        returned, but not kept.

        With ``text``, which gives that of each place, whoever has the model that ``signature`` stands for may compute
        rows as well.
        """


class Texts(Protocol):
    """Texts kept by their hash."""

    def get(self, signature: str, key: bytes) -> str | None: ...

    def keep(self, signature: str, key: bytes, text: str) -> None:
        """``signature`` changes whenever the same file would give another text."""


NamedArrays = Mapping[str, NDArray[np.generic]]


class Arrays(Protocol):
    """Arrays kept by name: the last that were kept. What is gone is made again, which takes longer."""

    def get(self, name: str) -> NamedArrays | None: ...

    def keep(self, name: str, arrays: NamedArrays) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """For one project. ``file`` reads what stands at an address that a task names; it raises `FileUnavailable`.

    ``progress`` is called with how many texts have been embedded, where that takes a while. ``fits`` are the last fits,
    from which the next begin.
    """

    count: Callable[[Sequence[str]], csr_matrix] = count_features
    vectors: Vectors | None = None
    file: Callable[[str], bytes] | None = None
    progress: EmbedProgress = nobody
    texts: Texts | None = None
    fits: Arrays | None = None
