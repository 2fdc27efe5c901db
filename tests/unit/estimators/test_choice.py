"""Models of one choice: probabilities that are probabilities, calibrated, and the same after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nextlabel.errors import ArtifactError
from nextlabel.estimators import choice, linear
from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.fitting import fit
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.estimators.restoring import restore
from nextlabel.features.encoders import TextEncoder
from nextlabel.features.source import Source
from nextlabel.features.spaces import TfIdf
from nextlabel.features.text import count_features
from nextlabel.labeling import Input, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.measures.target_predictions import ChoicePredictions

TARGET = Target("kind", "choice", (Input("text"),), ("ham", "spam", "phishing"))
WORDS = {
    "ham": "meeting lunch report thanks project agenda friday team",
    "spam": "prize cash win free offer click now winner",
    "phishing": "password account verify bank login urgent suspended link",
}


def mails(n: int, classes: tuple[str, ...] = TARGET.labels, *, noise: float = 0.0) -> tuple[list[str], list[str]]:
    """n texts and labels; a share ``noise`` of the labels is drawn at random."""
    rng = np.random.default_rng(1)
    labels = [classes[i % len(classes)] for i in range(n)]
    texts = [" ".join(rng.choice(WORDS[label].split(), 4)) for label in labels]
    return texts, [str(rng.choice(classes)) if rng.random() < noise else label for label in labels]


def fitted(n: int, classes: tuple[str, ...] = TARGET.labels, *, noise: float = 0.0) -> Fitted:
    texts, labels = mails(n, classes, noise=noise)
    return fitted_on(TARGET, count_features(texts), labels)


def fitted_on(target: Target, counts: csr_matrix, labels: Sequence[str]) -> Fitted:
    return fit(target, [], counts, labels, TfIdf.of(counts), seed=0)


def model_of(result: Fitted, target: Target = TARGET) -> ProjectModel:
    return ProjectModel({target.name: Learned(TextEncoder(["text"]), result.model)})


def probabilities(result: Fitted, asked: Sequence[Task]) -> Floats:
    return model_of(result).targets[TARGET.name].predict(asked, Source()).probabilities


def in_sample(result: Fitted, counts: csr_matrix) -> Floats:
    return result.model.predict([], counts).probabilities


def held_out(result: Fitted) -> ChoicePredictions:
    assert isinstance(result.out_of_fold, ChoicePredictions)
    return result.out_of_fold


def tasks(*texts: str) -> list[Task]:
    return [Task(TaskId(str(n)), {"text": text}) for n, text in enumerate(texts)]


ANY_TASKS = [
    *tasks("win a cash prize", "see you at the meeting", "", "words never seen before"),
    Task(TaskId("no text"), {}),
    Task(TaskId("not a text"), {"text": {"nested": 1}}),
]


@pytest.mark.parametrize("labels", [0, 1, 2, 5, 12, 60])
def test_probabilities_of_any_task_are_positive_and_sum_to_one(labels: int) -> None:
    p = probabilities(fitted(labels), ANY_TASKS)
    assert p.shape == (len(ANY_TASKS), 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert (p > 0).all()


@pytest.mark.parametrize("labels", [0, 12])
def test_no_tasks_get_no_predictions(labels: int) -> None:
    assert probabilities(fitted(labels), []).shape == (0, 3)


def test_a_model_learns_what_the_words_mean() -> None:
    asked = tasks("free cash prize", "agenda for the friday meeting", "verify your bank password")
    predicted = model_of(fitted(60)).predict(asked, Source())[TARGET.name]
    assert [guess.label for guess in predicted.guesses(TARGET.name)] == ["spam", "ham", "phishing"]


def test_a_class_without_a_label_is_given_a_little_and_less_as_labels_come_in() -> None:
    few, many = (probabilities(fitted(n, ("ham", "spam")), ANY_TASKS)[:, 2] for n in (12, 60))
    np.testing.assert_allclose(few, 1 / (12 + 3), rtol=1e-5)
    np.testing.assert_allclose(many, 1 / (60 + 3), rtol=1e-5)


@pytest.mark.parametrize("labels", [0, 1, 12, 60])
def test_a_restored_model_gives_identical_probabilities(labels: int) -> None:
    model = model_of(fitted(labels))
    again = restore(model.state())
    predicted, said_again = (one.predict(ANY_TASKS, Source())[TARGET.name] for one in (model, again))
    np.testing.assert_array_equal(said_again.probabilities, predicted.probabilities)
    assert said_again.guesses("kind") == predicted.guesses("kind")
    assert again.informative == model.informative


def test_a_model_of_a_kind_from_the_future_is_refused_with_the_remedy() -> None:
    with pytest.raises(ArtifactError, match=r"another release.*'project/99'"):
        restore({"kind": "project/99"})
    state = model_of(fitted(12)).state()
    state["targets"]["kind"]["estimator"]["kind"] = "choice/99"  # type: ignore[index]
    with pytest.raises(ArtifactError, match=r"another release.*'choice/99'"):
        restore(state)


def test_the_same_labels_and_seed_give_the_same_model() -> None:
    first, second = (probabilities(fitted(60, noise=0.3), ANY_TASKS) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_probabilities_are_calibrated_neither_more_nor_less_sure_would_be_nearer_the_truth() -> None:
    """With many wrong labels a model that is sure of itself pays for it in log loss; so does one that never is."""
    _, labels = mails(120, ("ham", "spam"), noise=0.6)
    out_of_fold = held_out(fitted(120, ("ham", "spam"), noise=0.6)).probabilities
    p, truth = out_of_fold[:, :2], [TARGET.labels.index(label) for label in labels]
    losses = {
        sharpness: ChoicePredictions(TARGET.labels, p**sharpness / (p**sharpness).sum(axis=1, keepdims=True))
        .losses(labels)
        .mean()
        for sharpness in (0.25, 0.5, 0.8, 1, 1.25, 2, 4)
    }
    assert min(losses, key=losses.__getitem__) == 1
    accuracy = (out_of_fold.argmax(axis=1) == truth).mean()
    assert out_of_fold.max(axis=1).mean() == pytest.approx(accuracy, abs=0.1)


def test_out_of_fold_rows_come_from_models_that_had_not_seen_them() -> None:
    """Labels drawn by a coin cannot be told without having been seen: in-sample they can, out of fold they cannot."""
    rng = np.random.default_rng(3)
    counts = count_features([f"mail {n} {rng.integers(10**9)}" for n in range(80)])
    labels = [str(label) for label in rng.choice(["ham", "spam"], 80)]
    result = fitted_on(TARGET, counts, labels)
    truth = np.array([TARGET.labels.index(label) for label in labels])
    assert (held_out(result).probabilities.argmax(axis=1) == truth).mean() < 0.7
    assert (in_sample(result, counts).argmax(axis=1) == truth).mean() > 0.95


@pytest.mark.parametrize("products", [4000, 0])
def test_tasks_without_a_label_are_predicted_by_the_same_models_that_had_not_seen_all_labels(
    monkeypatch: pytest.MonkeyPatch, products: int
) -> None:
    monkeypatch.setattr(choice, "_MAX_PRODUCTS", products)
    texts, labels = mails(60, noise=0.3)
    counts = count_features(texts)
    others = count_features([text for text in texts for _ in range(5)])  # each once by each of the five models
    result = fit(TARGET, [], counts, labels, TfIdf.of(counts), seed=0, others=others)
    assert isinstance(result.others, ChoicePredictions)
    of_models = result.others.probabilities.reshape(60, 5, -1)
    off = np.abs(of_models - held_out(result).probabilities[:, None]).max(axis=2)
    assert off.min(axis=1) == pytest.approx(0, abs=1e-5)
    assert (off.max(axis=1) > 1e-3).mean() > 0.9, "the other four had seen it"
    alone = fitted_on(TARGET, counts, labels)
    assert np.array_equal(held_out(alone).probabilities, held_out(result).probabilities)


def test_as_many_classes_as_labels_are_learned_and_not_judged() -> None:
    target = replace(TARGET, labels=tuple("abcdefghijklm"))
    counts = count_features([f"mail about {label * 3} and {label * 4}" for label in target.labels])
    result = fitted_on(target, counts, target.labels)
    assert result.out_of_fold is None
    assert [target.labels[i] for i in in_sample(result, counts).argmax(axis=1)] == list(target.labels)


@pytest.mark.parametrize("double", [60, 0])
@pytest.mark.parametrize("classes", [("ham", "spam"), TARGET.labels])
def test_labels_are_fitted_by_their_products_to_the_same_model_as_by_their_columns(
    classes: tuple[str, ...], double: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_DOUBLE", double)
    by_products = fitted(60, classes, noise=0.3)
    monkeypatch.setattr(choice, "_MAX_PRODUCTS", 0)
    by_columns = fitted(60, classes, noise=0.3)
    p, q = (probabilities(one, ANY_TASKS) for one in (by_products, by_columns))
    np.testing.assert_allclose(p, q, atol=5e-3)
    p, q = (held_out(one).probabilities for one in (by_products, by_columns))
    np.testing.assert_allclose(p, q, atol=2e-2)


def test_many_tasks_are_scored_block_by_block_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(60, TARGET.labels)
    at_once = probabilities(model, ANY_TASKS)
    monkeypatch.setattr(linear, "_BLOCK", 2)
    assert len(ANY_TASKS) > 2
    np.testing.assert_allclose(probabilities(model, ANY_TASKS), at_once, rtol=1e-6)


def test_more_labels_than_products_are_held_of_are_judged_by_models_that_have_learned_something() -> None:
    draw, half = np.random.default_rng(0), 10_000
    words = ["".join(chr(97 + letter) for letter in draw.integers(0, 26, 6)) for _ in range(2 * half)]
    y = draw.integers(0, 2, choice._MAX_PRODUCTS + 100)
    leans = np.where(draw.random((len(y), 20)) < 0.6, y[:, None], 1 - y[:, None])  # of each word, to which class
    texts = [" ".join(words[n] for n in row) for row in draw.integers(0, half, leans.shape) + leans * half]
    result = fitted_on(TARGET, count_features(texts), [TARGET.labels[n] for n in y])
    assert held_out(result).losses([TARGET.labels[n] for n in y]).mean() < 0.67 < np.log(2)


def test_a_class_with_a_single_label_does_not_keep_the_others_from_being_judged() -> None:
    texts, labels = mails(40, ("ham", "spam"))
    counts = count_features([*texts, "verify your bank"])
    p = held_out(fitted_on(TARGET, counts, [*labels, "phishing"])).probabilities
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    truth = [TARGET.labels.index(label) for label in labels]
    assert (p[:40].argmax(axis=1) == truth).mean() > 0.9
    assert 0 < p[40, 2] < 0.05  # the models that judge it had never seen its class


@pytest.mark.parametrize("labels", [["ham", "spam"], ["ham"] * 11 + ["spam"], ["ham"] * 4 + ["spam"] * 4])
def test_with_too_few_labels_there_is_nothing_to_judge_by(labels: list[str]) -> None:
    counts = count_features([f"mail {n}" for n in range(len(labels))])
    assert fitted_on(TARGET, counts, labels).out_of_fold is None


def test_long_pages_that_are_nearly_the_same_can_be_learned_from() -> None:
    rng = np.random.default_rng(0)
    page = " ".join(f"word{n}" for n in range(2000))
    counts = count_features([f"{page} {' '.join(f'x{n}' for n in rng.integers(0, 30, 5))}" for _ in range(150)])
    predicted = fitted_on(TARGET, counts, [TARGET.labels[n % 2] for n in range(150)]).model.predict([], counts)
    assert np.isfinite(predicted.probabilities).all()
