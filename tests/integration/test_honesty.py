"""The accuracy that is shown holds because of how audit tasks are drawn and shown, and `make bench-honesty` measures it
as the service does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.honesty import SETS, Fitted, Version

from integration.conftest import WORDS
from integration.test_loop import target_predictions
from nextlabel.estimators.folds import draws_of
from nextlabel.evaluation import accuracy
from nextlabel.evaluation.intervals import Interval
from nextlabel.evaluation.reserve import Reserve
from nextlabel.labeling import LabelSchema, ModelVersion, Task, TaskId
from nextlabel.simulate import LabeledData, load
from nextlabel.simulate.learning import Problem, Rows, Split

if TYPE_CHECKING:
    from integration.conftest import Team

OTHER = {"ham": "spam", "spam": "ham"}
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.everything) for seed in range(1, 5))]


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Audit tasks are drawn by a secret of their own for each seed, the same in every run."""
    drawn = int(request.param)
    monkeypatch.setattr("nextlabel.storage.reserves.secrets", SimpleNamespace(token_hex=lambda size: f"salt {drawn}"))
    return drawn


def mails(n: int, seed: int, words_of_other: Sequence[int]) -> tuple[list[str], list[str]]:
    """n texts of four words, and their labels; how many words are of the other label goes round ``words_of_other``."""
    rng = np.random.default_rng(seed)
    labels = [str(label) for label in rng.choice(list(WORDS), n)]
    texts = []
    for row, label in enumerate(labels):
        odd = words_of_other[row % len(words_of_other)]
        texts.append(" ".join([*rng.choice(WORDS[label], 4 - odd), *rng.choice(WORDS[OTHER[label]], odd)]))
    return texts, labels


def import_mails(team: Team, n: int, seed: int, words_of_other: Sequence[int]) -> None:
    texts, labels = mails(n, seed, words_of_other)
    team.truth.update(zip(team.tool.add_tasks(team.at_tool, texts), labels, strict=True))


def truth(team: Team, words_of_other: Sequence[int]) -> float:
    """The accuracy of the version in service on many mails of the same kind, which no strategy has chosen from."""
    texts, labels = mails(8_000, 10_000, words_of_other)
    tasks = [Task(TaskId(str(n)), {"text": text}) for n, text in enumerate(texts)]
    return float(target_predictions(team, tasks).correctness(labels).mean())


def measured(team: Team) -> Interval:
    """The accuracy of the version in service."""
    return accuracy.of_version(team.serving.metrics)["label"]


# --- how audit tasks are drawn -----------------------------------------------------------------------------

CLEAR_OR_NOT = (0, 0, 0, 2)  # of every fourth mail nobody can know what it is


def test_an_accuracy_on_a_reserve_holds_and_one_on_what_the_strategy_left_over_reads_too_high(
    team: Team, seed: int
) -> None:
    after_reserve, after_rest = (_asked_by_margin(team, seed, first=first) for first in (True, False))
    found, true = after_reserve
    assert found.low <= true <= found.high
    found, true = after_rest
    assert found.low > true


def _asked_by_margin(team: Team, seed: int, *, first: bool) -> tuple[Interval, float]:
    """300 of 1,000 mails are asked by margin, then 150 audit tasks; these are drawn ``first``, or from the rest."""
    team.at_tool = team.tool.create_project(tuple(WORDS))
    team.project, team.truth = type(team.project)(f"our-{team.at_tool}"), {}
    team.choose(audit_share=0.25 if first else 0)
    import_mails(team, 1_000, seed, CLEAR_OR_NOT)
    team.run()
    reserved = team.parts.reserves.tasks(team.project)
    for _ in range(3):
        chosen = [task for task in team.queue() if task not in reserved][:100]
        for task in chosen:
            team.label(task, team.truth[task])
        team.run()
    team.choose(audit_share=0.25)
    team.run()
    for task in sorted(team.parts.reserves.tasks(team.project))[:150]:
        team.label(task, team.truth[task])
    team.run()
    return measured(team), truth(team, CLEAR_OR_NOT)


# --- how they are shown ------------------------------------------------------------------------------------

MISLEADING = (0, 0, 0, 4)  # every fourth mail is of the words of the other kind: no model is right about it
ACCEPTED = 0.3


def test_annotators_who_accept_wrong_guesses_make_it_read_too_high_unless_no_guess_is_shown(
    team: Team, seed: int
) -> None:
    team.choose(audit_share=0.4, window=1_000)
    import_mails(team, 1_000, seed, MISLEADING)
    team.run()
    reserved = team.parts.reserves.tasks(team.project)
    others = [task for task in team.queue() if task not in reserved]
    for task in others[:200]:
        team.label(task, team.truth[task])
    team.run()
    audits = sorted(reserved)[:300]
    guesses, rng = guesses_shown(team, audits), np.random.default_rng(seed)
    assert guesses == {}, "no guess comes with an audit task"
    unblinded = guesses_of(team, audits)
    blind = _labeled(team, audits, guesses, rng)
    assert blind.low <= truth(team, MISLEADING) <= blind.high
    seen = _labeled(team, audits, unblinded, rng)
    assert seen.low > truth(team, MISLEADING)


def guesses_shown(team: Team, tasks: Sequence[TaskId]) -> dict[TaskId, str]:
    """What the tool shows with these tasks, where it shows anything."""
    with team.tool.opened(team.at_tool) as it:
        found = {task: it.order.get(task) for task in tasks}
    return {task: str(one.guesses[0].label) for task, one in found.items() if one and one.guesses}


def guesses_of(team: Team, tasks: Sequence[TaskId]) -> dict[TaskId, str]:
    """What the version in service says of these tasks."""
    with team.tool.opened(team.at_tool) as it:
        known = [it.rows[task].task for task in tasks]
    guesses = target_predictions(team, known).guesses("label")
    return {task: str(one.label) for task, one in zip(tasks, guesses, strict=True)}


def _labeled(team: Team, tasks: Sequence[TaskId], guesses: dict[TaskId, str], rng: np.random.Generator) -> Interval:
    """The accuracy after an annotator has labeled these tasks, who accepts three of ten wrong guesses."""
    for task in tasks:
        guess = guesses.get(task, team.truth[task])
        accepts = rng.random() < ACCEPTED
        team.label(task, guess if accepts else team.truth[task])
    trained = team.run().trained
    assert trained is not None
    return accuracy.of_version(team.parts.versions.one(team.project, trained).metrics)["label"]


# --- what the benchmark measures ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Replayed:
    """What the fast path of the benchmark makes of the labels that a version was learned from, the first ``labeled`` of
    its rows; ``row`` is where each task is."""

    fast: Fitted
    row: dict[TaskId, int]
    labeled: Rows
    version: Version


def replayed(team: Team, data: LabeledData, tasks: Sequence[TaskId], cache: Path, seed: int) -> Replayed:
    """Of the labels as they are now, and of all tasks in the order in which the service reads them."""
    reserved, drawn = team.parts.reserves.tasks(team.project), team.parts.reserves.draw(team.project)
    assert drawn is not None
    known = [task.id for task in team.parts.store.labeled(team.project).tasks]
    still_open = [task.id for task in team.parts.store.open(team.project)]
    asked_of = [*known, *(task for task in still_open if task not in reserved)]
    sample = Reserve(drawn.salt, drawn.share, drawn.least).sample(tasks)
    waiting = [task for task in sample if task not in set(known)]
    place = {task: n for n, task in enumerate(tasks)}
    parts = [data.part(np.array([place[task] for task in some], dtype=np.int64)) for some in (asked_of, waiting)]
    fast = Fitted(Problem(data, cache), Split(data.target, *parts), seed)
    fast.draws = draws_of([Task(task, {}) for task in (*asked_of, *waiting)], seed)
    labeled = np.arange(len(known), dtype=np.int64)
    audits = np.array([n for n, task in enumerate(known) if task in reserved], dtype=np.int64)
    unlabeled = np.arange(len(asked_of), len(tasks), dtype=np.int64)[: accuracy.MOST_UNLABELED]
    row = {task: n for n, task in enumerate([*asked_of, *waiting])}
    return Replayed(fast, row, labeled, fast.in_service(labeled, audits, unlabeled))


WHOLE = [pytest.param(name, None, marks=pytest.mark.everything) for name in SETS]


@pytest.mark.parametrize(("name", "rows"), [("digits", 600), *WHOLE])
def test_the_loop_measures_what_the_fast_path_of_the_benchmark_does(
    team: Team, tmp_path: Path, seed: int, name: str, rows: int | None
) -> None:
    whole = load(name)
    data = whole.part(np.random.default_rng(seed).permutation(len(whole))[:rows])
    with team.tool.opened(team.at_tool) as it:
        it.schema = LabelSchema((data.target,))
    tasks = team.tool.add_tasks(team.at_tool, [task.data for task in data.tasks()])
    team.truth = dict(zip(tasks, map(str, data.labels), strict=True))
    team.choose(audit_share=0.5, strategy="adaptive", seed=seed)
    team.run()
    versions: dict[ModelVersion, Replayed] = {}
    for _ in range(4):
        team.work(75)
        trained = team.run().trained
        assert trained is not None
        versions[trained] = replayed(team, data, tasks, tmp_path, seed)
        found = accuracy.of_version(team.parts.versions.one(team.project, trained).metrics)["label"]
        ours = versions[trained].version.interval(powered=True)
        assert (found.n, found.method) == (ours.n, ours.method)
        assert (found.value, found.low, found.high) == pytest.approx((ours.value, ours.low, ours.high), abs=1e-5)
    assert "PPI++" in found.method
    answers = team.parts.reserves.answers(team.project)
    assert len(answers) >= 30
    right = {version: one.fast.predicted(one.labeled)[0] for version, one in versions.items()}
    expected = [right[one.version][versions[one.version].row[one.task]] for one in answers]
    assert [one.correctness for one in answers] == expected
