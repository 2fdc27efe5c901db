"""What models that had not seen a label predicted for its task, kept for every label of a target."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from nextlabel.labeling import TaskId
from nextlabel.measures.target_predictions import TargetPredictions


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Of n labeled tasks what models predicted that were fitted without them; row by row the same task."""

    tasks: Sequence[TaskId]
    predicted: TargetPredictions

    def at_most(self, n: int) -> OutOfFold:
        """Those of ``n`` tasks, where there are more: the same tasks again whenever labels are added, for they are
        drawn by the hash of their ids."""
        if len(self.tasks) <= n:
            return self
        drawn = sorted(range(len(self.tasks)), key=lambda row: _hash(self.tasks[row]))[:n]
        rows = sorted(drawn)
        return OutOfFold([self.tasks[row] for row in rows], self.predicted.of(rows))


def _hash(task: TaskId) -> bytes:
    return hashlib.blake2b(task.encode("utf-8", "surrogatepass"), digest_size=8).digest()
