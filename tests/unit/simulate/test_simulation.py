"""The loop with known labels: what a budget buys, the same every time, and nothing done twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from nextlabel.errors import ConfigurationError, SettingsError
from nextlabel.labeling.ranking import CandidatePool, Floats, Ranking
from nextlabel.simulate import LabeledData, Results, ScikitLearner, simulate
from nextlabel.simulate.runs import Curve
from nextlabel.strategies.uncertainty import Margin, best_first


def blobs(n: int = 120, classes: int = 3) -> LabeledData:
    rng = np.random.default_rng(7)
    truth = np.arange(n) % classes
    return LabeledData(
        "blobs",
        tuple(f"class {label}" for label in truth),
        numbers=rng.normal(size=(n, 4)) + 1.5 * np.eye(4)[truth],
    )


def mails(n: int = 60) -> LabeledData:
    rng = np.random.default_rng(3)
    words = {
        "ham": ["meeting", "lunch", "report", "agenda", "hello"],
        "spam": ["prize", "cash", "winner", "click", "money"],
    }
    labels = tuple(("ham", "spam")[i % 2] for i in range(n))
    return LabeledData("mails", labels, texts=tuple(" ".join(rng.choice(words[label], 4)) for label in labels))


def run(
    data: LabeledData,
    strategies: Sequence[object] = ("margin", "random"),
    *,
    seeds: int = 2,
    resume: Path | None = None,
    estimator: BaseEstimator | None = None,
    budget: int | None = 30,
    cold_start: str = "diverse",
    batch: int = 10,
) -> Results:
    return simulate(
        data,
        strategies,  # type: ignore[arg-type]
        seeds=seeds,
        resume=resume,
        estimator=estimator if estimator is not None or data.texts is not None else GaussianNB(),
        budget=budget,
        cold_start=cold_start,  # type: ignore[arg-type]
        batch=batch,
        workers=1,
        progress=False,
    )


def curves(results: Results) -> dict[tuple[str, int], tuple[tuple[int, ...], tuple[float, ...]]]:
    return {(curve.strategy, curve.seed): (curve.labels, curve.scores) for curve in results.curves}


class LastFirst:
    """A strategy that a user wrote."""

    name = "last first"

    def utilities(self, probabilities: Floats) -> Floats:
        return np.zeros(len(probabilities))

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        return best_first(pool, np.arange(len(pool), dtype=float), size, self.name)


class Stubborn(LastFirst):
    """Always wants the same task, as often as it is asked for one."""

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        return Ranking(super().rank(pool, 1).tasks * size, self.name)


class Watching(LastFirst):
    """Keeps what it was given."""

    def __init__(self) -> None:
        self.seen: list[CandidatePool] = []

    def rank(self, pool: CandidatePool, size: int) -> Ranking:
        self.seen.append(pool)
        return super().rank(pool, size)


@pytest.mark.parametrize("data", [blobs(), mails()], ids=["numbers", "texts"])
def test_the_same_seeds_give_the_same_curves(data: LabeledData) -> None:
    assert curves(run(data, seeds=1, budget=20)) == curves(run(data, seeds=1, budget=20))


def test_processes_give_the_same_curves_as_one() -> None:
    alone = run(blobs())
    together = simulate(
        blobs(), ("margin", "random"), seeds=2, estimator=GaussianNB(), budget=30, workers=2, progress=False
    )
    assert curves(together) == curves(alone)
    assert together.full == alone.full


def test_labels_grow_by_the_batch_to_the_budget() -> None:
    results = run(blobs(), budget=34)
    assert {curve.labels for curve in results.curves} == {(10, 20, 30, 34)}
    assert all(0 <= score <= 1 for curve in results.curves for score in curve.scores)


def test_a_budget_larger_than_the_pool_ends_with_the_pool() -> None:
    results = run(blobs(60), budget=10_000)
    assert {curve.labels[-1] for curve in results.curves} == {42}
    assert {curve.scores[-1] for curve in results.of("margin")} <= set(results.full.values())


def test_without_a_budget_a_small_set_is_labeled_whole() -> None:
    assert {curve.labels[-1] for curve in run(blobs(60), budget=None).curves} == {42}


@pytest.mark.parametrize("cold_start", ["diverse", "random", "stratified"])
def test_every_strategy_gets_the_same_first_labels(cold_start: str) -> None:
    one, other = Watching(), Watching()
    results = simulate(
        blobs(),
        {"one": one, "other": other, "margin": "margin"},
        seeds=1,
        estimator=GaussianNB(),
        budget=20,
        cold_start=cold_start,  # type: ignore[arg-type]
        workers=1,
        progress=False,
    )
    np.testing.assert_array_equal(one.seen[0].labeled_features, other.seen[0].labeled_features)
    assert len({curve.scores[0] for curve in results.curves}) == 1


def test_a_stratified_start_holds_every_class() -> None:
    watching = Watching()
    run(blobs(classes=4), [watching], cold_start="stratified", batch=4, budget=8, seeds=1)
    assert set(np.asarray(watching.seen[0].labels).tolist()) == {0, 1, 2, 3}


def test_a_strategy_is_shown_the_open_rows_the_labels_and_a_learner() -> None:
    watching = Watching()
    run(blobs(), [watching], seeds=1)
    pool = watching.seen[1]
    assert (len(pool), len(np.asarray(pool.labels))) == (84 - 20, 20)
    assert pool.learner is not None
    assert pool.labels is not None
    assert pool.labeled_features is not None
    predict = pool.learner.fit(pool.labeled_features, pool.labels)
    assert pool.features is not None
    np.testing.assert_allclose(predict(pool.features), pool.probabilities)


def test_a_strategy_object_from_python_is_run_under_its_name() -> None:
    results = run(blobs(), [LastFirst(), Margin()])
    assert results.strategies == ("last first", "margin")


def test_two_strategies_of_one_name_need_names_of_their_own() -> None:
    with pytest.raises(ConfigurationError, match="Two strategies are named 'last first'"):
        run(blobs(), [LastFirst(), LastFirst()])


def test_a_strategy_that_repeats_itself_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'last first' gave 1 distinct tasks of 10"):
        run(blobs(), [Stubborn()])


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"no strategy 'margn': known are .*margin"):
        run(blobs(), ["margn"])


def test_what_is_no_strategy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no rank"):
        run(blobs(), [object()])


def test_resumed_gives_what_uninterrupted_gives(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    run(blobs(), ["margin"], seeds=1, resume=file)
    before = file.read_bytes()
    resumed = run(blobs(), seeds=2, resume=file)
    assert curves(resumed) == curves(run(blobs(), seeds=2))
    assert file.read_bytes().startswith(before)
    assert len(file.read_text().splitlines()) == 1 + 2 * 2 + 2


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    watching = Watching()
    run(blobs(), [watching], resume=tmp_path / "runs.jsonl")
    asked = len(watching.seen)
    run(blobs(), [watching], resume=tmp_path / "runs.jsonl")
    assert len(watching.seen) == asked


def test_a_line_cut_off_by_a_crash_is_done_again(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    whole = run(blobs(), resume=file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) - 25])
    assert curves(run(blobs(), resume=file)) == curves(whole)
    assert [json.loads(line) for line in file.read_text().splitlines()]
    assert len(file.read_text().splitlines()) == len(content.splitlines())


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    run(blobs(), resume=file)
    with pytest.raises(ConfigurationError, match="budget was 30 and is now 40"):
        run(blobs(), budget=40, resume=file)
    with pytest.raises(ConfigurationError, match="data was"):
        run(blobs(90), resume=file)
    with pytest.raises(ConfigurationError, match="estimator was"):
        run(blobs(), estimator=SVC(), resume=file)


@pytest.mark.parametrize("content", ["my thesis\nin two lines\n", "my thesis", '{"a": 1}\n', "[1]\n"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"thesis\.txt"):
        run(blobs(), resume=file)
    assert file.read_text() == content


def test_a_test_set_that_belongs_to_the_data_is_used() -> None:
    data = LabeledData("split", blobs(40).labels, numbers=blobs(40).numbers, test=blobs(60))
    results = run(data, budget=10_000)
    assert {curve.labels[-1] for curve in results.curves} == {40}
    assert set(results.full.values()) == {results.of("margin")[0].scores[-1]}


def test_a_decision_function_is_enough() -> None:
    results = run(blobs(), estimator=SVC(gamma="auto"), budget=60)
    assert results.summary("margin").end.value > 0.5


def test_an_estimator_that_cannot_take_texts_says_so_also_from_a_process() -> None:
    with pytest.raises(ConfigurationError, match=r"GaussianNB\(\) cannot be fitted on 10 labels"):
        simulate(mails(), seeds=2, estimator=GaussianNB(), budget=30, workers=2, progress=False)


def test_what_is_no_classifier_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no classifier"):
        ScikitLearner(KMeans(), 2)


def test_a_learner_that_saw_one_class_says_its_share() -> None:
    predict = ScikitLearner(GaussianNB(), 3).fit(np.zeros((4, 2)), np.array([1, 1, 1, 1]))
    np.testing.assert_allclose(predict(np.zeros((2, 2))), [[1 / 7, 5 / 7, 1 / 7]] * 2)


@pytest.mark.parametrize(
    ("change", "stated"),
    [({"budget": 0}, "budget is 0"), ({"batch": 0}, "batch is 0"), ({"seeds": 0}, "seeds must be")],
)
def test_bad_numbers_are_refused_by_name(change: dict[str, int], stated: str) -> None:
    with pytest.raises(ConfigurationError, match=stated):
        run(blobs(), **change)  # type: ignore[arg-type]


def test_one_class_is_nothing_to_learn() -> None:
    with pytest.raises(ConfigurationError, match="every row has the label 'a'"):
        run(LabeledData("dull", ("a",) * 30, numbers=np.zeros((30, 2))))


def test_nan_is_refused_by_its_place() -> None:
    numbers = np.zeros((30, 2))
    numbers[4, 1] = np.nan
    with pytest.raises(ConfigurationError, match="row 5, feature 2 is NaN"):
        LabeledData("holes", ("a", "b") * 15, numbers=numbers)


def test_a_notebook_gives_rows_and_labels() -> None:
    texts, labels = mails().texts, mails().labels
    results = simulate((list(texts or ()), labels), ("random",), seeds=1, budget=20, workers=1, progress=False)
    assert results.of("random")[0].labels == (10, 20)


def test_the_table_names_every_strategy_and_the_json_holds_every_curve() -> None:
    results = run(blobs())
    console = Console(width=200, file=StringIO())
    console.print(results.table())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "margin" in text
    assert "random" in text
    read = json.loads(results.to_json())
    assert len(read["curves"]) == 4
    assert [one["strategy"] for one in read["summaries"]] == ["margin", "random"]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_plot_is_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"curves{suffix}"
    run(blobs(), seeds=1).plot(path)
    assert path.stat().st_size > 1000


def test_a_plot_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.png, \.svg, \.pdf"):
        Results("x", "accuracy", ("a",), (Curve("a", 0, (1,), (0.5,)),), {0: 1.0}, {}).plot(tmp_path / "curves.txt")
