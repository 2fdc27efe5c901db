"""The checks of a new version: each fails for what it is there for, and passes otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nextlabel.evaluation import sanity
from nextlabel.evaluation.accuracy import figures_of
from nextlabel.evaluation.promotion import Promotion, sanity_first
from nextlabel.evaluation.sanity import Check
from nextlabel.features.source import Source
from nextlabel.labeling import Input, LabelSchema, ModelVersion, Target, Task, TaskId
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Champion
from nextlabel.ports.state import Labeled

rng = np.random.default_rng(0)
ROWS = rng.random((60, 8))
HALF_SURE = np.full(100, 0.5)


def accuracy(share: float) -> dict[str, float]:
    return figures_of("q", (np.arange(100) < 100 * share).astype(float), pool=10_000)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (
            sanity.vanished("q", "choice", ["a"] * 5 + ["b"] * 4, ["a"]),
            sanity.vanished("q", "choice", ["a"] * 5 + ["b"] * 5, ["a"]),
        ),
        (
            sanity.vanished("q", "number", [1.0] * 5, [2.0]),
            sanity.vanished("q", "choices", [("a", "b")] * 5, [("a",), ()]),
        ),
        (
            sanity.fell("q", accuracy(0.85), accuracy(0.9), same=100),
            sanity.fell("q", accuracy(0.6), accuracy(0.9), same=100),
        ),
        (
            sanity.fell("q", accuracy(0.6), accuracy(0.9), same=80),
            sanity.fell("q", accuracy(0.6), accuracy(0.9), same=95),
        ),
        (
            sanity.constant("q", sanity.alike("q", np.ones((9, 3)), differ=True), {"q.check_alike": 1.0}),
            sanity.constant("q", sanity.alike("q", np.ones((9, 3)), differ=True), {"q.check_alike": 0.0}),
        ),
        (
            sanity.constant("q", sanity.alike("q", ROWS, differ=True), {"q.check_alike": 0.0}),
            sanity.constant("q", sanity.alike("q", csr_matrix((9, 3)), differ=True), {"q.check_alike": 0.0}),
        ),
        (
            sanity.constant("q", sanity.alike("q", np.ones((9, 3)), differ=False), {"q.check_alike": 0.0}),
            sanity.constant("q", sanity.alike("q", np.ones((9, 3)), differ=True), {"q.check_alike": 0.0}),
        ),
        (
            sanity.miscalibrated("q", HALF_SURE, (np.arange(100) % 2).astype(float)),
            sanity.miscalibrated("q", HALF_SURE, np.ones(100)),
        ),
        (sanity.duplicates("q", ROWS[:30], ROWS[30:]), sanity.duplicates("q", ROWS[:30], ROWS[10:])),
        (sanity.drift("q", ["a"] * 9 + ["b"], ["a"] * 10), sanity.drift("q", ["a"] * 10, ["b"] * 10)),
    ],
)
def test_a_check_fails_where_it_should_and_nowhere_else(good: Check, bad: Check) -> None:
    assert good.passed
    assert not bad.passed
    assert bad.sentence.startswith("q: ")
    kept = {"labels": 7.0} | sanity.figures_of([good, bad])
    assert [one.name for one in sanity.of_figures(kept)] == [bad.name]
    better = Promotion(True, "better")
    assert sanity_first([good], better) == better
    assert sanity_first([bad], better).promoted is not bad.stops


def test_a_version_that_changes_its_mind_is_worth_a_look_once_the_one_before_had_fifty_labels() -> None:
    tasks = [Task(TaskId(str(n)), {"text": f"{'good' if n % 2 else 'bad'} thing {n % 7}"}) for n in range(200)]
    schema = LabelSchema((Target("q", "choice", (Input("text"),), ("a", "b")),))

    def drift_after(labels: int) -> bool:
        """Whether that is looked into, where as many labels and twice as many contrary ones are learned next."""
        given = [{"q": "ab"[n % 2]} for n in range(labels)] + [{"q": "ba"[n % 2]} for n in range(labels, 3 * labels)]

        def bench(n: int) -> TargetsWorkbench:
            labeled = Labeled(tuple(tasks[:n]), tuple(given[:n]), (None,) * n)
            return TargetsWorkbench(schema, labeled, tasks[n:], Source(), seed=0)

        first = bench(labels)
        champion = Champion(ModelVersion("1"), first.learn(None, lambda: None).model, first.labels, True, {})
        return "q.check_drift" in bench(3 * labels).learn(champion, lambda: None).metrics

    assert (drift_after(49), drift_after(50)) == (False, True)
