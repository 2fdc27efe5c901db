"""A query strategy of your own. As `NEXTLABEL_HOME/strategies/short_first.py` it is the strategy `short_first`.

A strategy is a class with `rank(pool, size)`, which returns `size` tasks of the pool, best first. Its parameters are
the strategy's options: `--option 'strategy=short_first?share=0.3'`. What it needs of a project it may declare.
"""

from __future__ import annotations

import numpy as np

from nextlabel.labeling import TaskId
from nextlabel.labeling.ranking import CandidatePool, Needs, Ranking
from nextlabel.strategies.uncertainty import best_first


class ShortFirst:
    """Unsure tasks, and of two that are as unsure the one with fewer words."""

    needs = frozenset({Needs.FEATURES})

    def __init__(self, share: float = 0.5) -> None:
        self.share = share
        """How much shortness counts."""

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        ordered = np.sort(pool.probabilities, axis=1)
        unsure = 1 - (ordered[:, -1] - ordered[:, -2])
        words = np.asarray(pool.features.sum(axis=1)).ravel()
        short = 1 / (1 + np.maximum(words, 0))
        return best_first(pool, (1 - self.share) * unsure + self.share * short, size, "short_first")


def main() -> tuple[str, ...]:
    """Three open mails, the first and the last of which the model is unsure of."""
    pool = CandidatePool(
        tasks=[TaskId(name) for name in ("long and unsure", "short and sure", "short and unsure")],
        probabilities=np.array([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]),
        features=np.array([[9.0, 3.0], [1.0, 0.0], [1.0, 1.0]]),
    )
    return ShortFirst().rank(pool, 3).task_ids()


if __name__ == "__main__":
    print(*main(), sep="\n")
