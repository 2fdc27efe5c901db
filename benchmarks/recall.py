"""Whether the bound for the recall of a class holds on real data, for ``benchmarks.stopping``.

The service's own learning asks thirty at a time in its default order, audit tasks among the ranked ones at their rate,
up to 600 labels. After each round the recall of each class by the audit tasks there are is held against that on rows
that were held out. What is found is kept in ``.cache/stopping``.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.audit_cost import asked, split_of
from benchmarks.stopping_runs import KEPT, Watched
from nextlabel.evaluation.recall import Recall
from nextlabel.evaluation.reserve import Reserve, least_of
from nextlabel.labeling import TaskId
from nextlabel.options import ProjectOptions
from nextlabel.simulate.learning import Problem, Rows

SETS = ("spam", "keel:spambase", "keel:phoneme", "keel:segment", "digits")
HEADING = ("set", "seeds", "checks", "lower bound holds", "upper bound holds", "reached .8, by the bound", "and truly")
_BATCH, _FROM, _UNTIL, _MOST_SHARE = 30, 90, 600, 0.6
_FEWEST_TESTED = 50  # held-out rows of a class, without which its recall is not known well
_WANTED = ProjectOptions().recall_target

Seen = tuple[int, int, float]
"""How many audit tasks of a class are found, of how many, and the recall on held-out rows."""


def kept_in(name: str, seed: int) -> Path:
    """The file of a run."""
    return KEPT / f"recall-{name.replace(':', '-')}-{seed}.json"


def checks(name: str, seed: int) -> list[Seen]:
    """From the file that keeps them, where there is one."""
    path = kept_in(name, seed)
    if not path.exists():
        with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="nextlabel-recall-") as cache:
            warnings.simplefilter("ignore")  # collinear columns, few labels
            found = list(_run(name, seed, Path(cache)))
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_text(json.dumps(found), encoding="utf-8")
        unfinished.replace(path)
    return [(found, labels, truth) for found, labels, truth in json.loads(path.read_text(encoding="utf-8"))]


def _run(name: str, seed: int, cache: Path) -> Iterator[Seen]:
    split = split_of(name, seed)
    learning = Watched(Problem(split.train, cache), split, seed)
    everyone = [TaskId(str(row)) for row in range(learning.rows)]
    reserve = Reserve(f"{name} {seed}", ProjectOptions().audit_share, least_of(learning.rows)).sample(everyone)
    audits, labeled = np.array([int(one) for one in reserve]), np.empty(0, dtype=np.int64)
    while len(labeled) < min(_UNTIL, learning.rows * _MOST_SHARE):
        if len(labeled) >= _FROM and len(np.unique(learning.codes[labeled])) > 1:
            _, unseen = learning.check(labeled)
            yield from _seen(learning, unseen.argmax(axis=1), audits[np.isin(audits, labeled)])
        else:
            learning.learn(labeled)
        labeled = np.concatenate([labeled, asked(learning, labeled, reserve, seed, _BATCH)])


def _seen(learning: Watched, predicted: Rows, audits: Rows) -> Iterator[Seen]:
    """Of each class that is among the audit labels and often enough among the held-out rows."""
    tested, truth = learning.tested()
    for code in range(int(learning.codes.max()) + 1):
        of_class, mine = truth == code, audits[learning.codes[audits] == code]
        if of_class.sum() >= _FEWEST_TESTED and len(mine):
            yield int((predicted[mine] == code).sum()), len(mine), float((tested[of_class] == code).mean())


def row(name: str, runs: Sequence[Sequence[Seen]]) -> str:
    """A line of the table."""
    seen = [(Recall("", "", _WANTED, found, labels, 0), truth) for run in runs for found, labels, truth in run]
    reached = [truth >= _WANTED for one, truth in seen if one.holds]
    cells = [
        name.removeprefix("keel:"),
        str(len(runs)),
        str(len(seen)),
        f"{np.mean([one.low <= truth for one, truth in seen]):.1%}",
        f"{np.mean([one.high >= truth for one, truth in seen]):.1%}",
        str(len(reached)),
        f"{np.mean(reached):.1%}" if reached else "–",
    ]
    return f"| {' | '.join(cells)} |"


def holds(runs: Sequence[Sequence[Seen]]) -> float:
    """How often the lower bound holds."""
    seen = [(Recall("", "", _WANTED, found, labels, 0), truth) for run in runs for found, labels, truth in run]
    return float(np.mean([one.low <= truth for one, truth in seen])) if seen else float("nan")
