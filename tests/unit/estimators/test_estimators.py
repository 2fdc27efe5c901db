"""Models of one choice on text: probabilities that are probabilities, calibrated, and the same after a restart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from nextlabel.errors import ArtifactError
from nextlabel.estimators import text_choice
from nextlabel.estimators.fitting import Fitted, fit
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.restoring import restore
from nextlabel.evaluation.promotion import log_losses
from nextlabel.features.text import count_features
from nextlabel.labeling import Target, Task, TaskId

TARGET = Target("kind", "choice", ("text",), ("ham", "spam", "phishing"))
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
    counts = count_features(texts)
    return fit(TARGET, counts, labels, counts, seed=0)


def tasks(*texts: str) -> list[Task]:
    return [Task(TaskId(str(n)), {"text": text}) for n, text in enumerate(texts)]


ANY_TASKS = [
    *tasks("win a cash prize", "see you at the meeting", "", "words never seen before"),
    Task(TaskId("no text"), {}),
    Task(TaskId("not a text"), {"text": {"nested": 1}}),
]


@pytest.mark.parametrize("labels", [0, 1, 2, 5, 12, 60])
def test_probabilities_of_any_task_are_positive_and_sum_to_one(labels: int) -> None:
    p = fitted(labels).model.predict_proba(ANY_TASKS)
    assert p.shape == (len(ANY_TASKS), 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert (p > 0).all()


@pytest.mark.parametrize("labels", [0, 12])
def test_no_tasks_get_no_predictions(labels: int) -> None:
    model = fitted(labels).model
    assert model.predict_proba([]).shape == (0, 3)
    assert model.predict_proba_features(count_features([])).shape == (0, 3)


def test_a_model_learns_what_the_words_mean() -> None:
    model = fitted(60).model
    p = model.predict_proba(tasks("free cash prize", "agenda for the friday meeting", "verify your bank password"))
    assert [model.classes_[column] for column in p.argmax(axis=1)] == ["spam", "ham", "phishing"]


def test_tasks_and_their_cached_features_get_the_same_probabilities() -> None:
    model, texts = fitted(60).model, ["free cash prize", "agenda for friday", ""]
    np.testing.assert_array_equal(
        model.predict_proba(tasks(*texts)), model.predict_proba_features(count_features(texts))
    )


def test_a_class_without_a_label_is_given_a_little_and_less_as_labels_come_in() -> None:
    few, many = (fitted(n, ("ham", "spam")).model.predict_proba(ANY_TASKS)[:, 2] for n in (12, 60))
    np.testing.assert_allclose(few, 1 / (12 + 3), rtol=1e-5)
    np.testing.assert_allclose(many, 1 / (60 + 3), rtol=1e-5)


@pytest.mark.parametrize("labels", [0, 1, 12, 60])
def test_a_restored_model_gives_identical_probabilities(labels: int) -> None:
    model = fitted(labels).model
    again = restore(model.state())
    np.testing.assert_array_equal(again.predict_proba(ANY_TASKS), model.predict_proba(ANY_TASKS))
    assert (again.classes_, again.informative) == (model.classes_, model.informative)


def test_a_model_of_a_kind_from_the_future_is_refused_with_the_remedy() -> None:
    with pytest.raises(ArtifactError, match=r"'text_choice/99'.*Upgrade"):
        restore({"kind": "text_choice/99"})


def test_the_same_labels_and_seed_give_the_same_model() -> None:
    first, second = (fitted(60, noise=0.3).model.predict_proba(ANY_TASKS) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_probabilities_are_calibrated_neither_more_nor_less_sure_would_be_nearer_the_truth() -> None:
    """With many wrong labels a model that is sure of itself pays for it in log loss; so does one that never is."""
    _, labels = mails(120, ("ham", "spam"), noise=0.6)
    out_of_fold = fitted(120, ("ham", "spam"), noise=0.6).out_of_fold
    assert out_of_fold is not None
    p, truth = out_of_fold[:, :2], [TARGET.labels.index(label) for label in labels]
    losses = {
        sharpness: log_losses(p**sharpness / (p**sharpness).sum(axis=1, keepdims=True), truth).mean()
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
    result = fit(TARGET, counts, labels, counts, seed=0)
    assert result.out_of_fold is not None
    truth = np.array([TARGET.labels.index(label) for label in labels])
    assert (result.out_of_fold.argmax(axis=1) == truth).mean() < 0.7
    assert (result.model.predict_proba_features(counts).argmax(axis=1) == truth).mean() > 0.95


def test_as_many_classes_as_labels_are_learned_and_not_judged() -> None:
    target = replace(TARGET, labels=tuple("abcdefghijklm"))
    counts = count_features([f"mail about {label * 3} and {label * 4}" for label in target.labels])
    result = fit(target, counts, target.labels, counts, seed=0)
    assert result.out_of_fold is None
    assert [target.labels[i] for i in result.model.predict_proba_features(counts).argmax(axis=1)] == list(target.labels)


@pytest.mark.parametrize("classes", [("ham", "spam"), TARGET.labels])
def test_few_labels_are_fitted_by_their_products_to_the_same_model_as_by_their_columns(
    classes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_products = fitted(60, classes, noise=0.3)
    monkeypatch.setattr(text_choice, "_MAX_PRODUCTS", 0)
    by_columns = fitted(60, classes, noise=0.3)
    p, q = (one.model.predict_proba(ANY_TASKS) for one in (by_products, by_columns))
    np.testing.assert_allclose(p, q, atol=5e-3)
    assert by_products.out_of_fold is not None
    assert by_columns.out_of_fold is not None
    np.testing.assert_allclose(by_products.out_of_fold, by_columns.out_of_fold, atol=2e-2)


def test_a_class_with_a_single_label_does_not_keep_the_others_from_being_judged() -> None:
    texts, labels = mails(40, ("ham", "spam"))
    counts = count_features([*texts, "verify your bank"])
    result = fit(TARGET, counts, [*labels, "phishing"], counts, seed=0)
    assert result.out_of_fold is not None
    np.testing.assert_allclose(result.out_of_fold.sum(axis=1), 1, atol=1e-6)
    truth = [TARGET.labels.index(label) for label in labels]
    assert (result.out_of_fold[:40].argmax(axis=1) == truth).mean() > 0.9
    assert 0 < result.out_of_fold[40, 2] < 0.05  # the models that judge it had never seen its class


@pytest.mark.parametrize("labels", [["ham", "spam"], ["ham"] * 11 + ["spam"], ["ham"] * 4 + ["spam"] * 4])
def test_with_too_few_labels_there_is_nothing_to_judge_by(labels: list[str]) -> None:
    counts = count_features([f"mail {n}" for n in range(len(labels))])
    assert fit(TARGET, counts, labels, counts, seed=0).out_of_fold is None


@pytest.mark.parametrize("labels", [[], ["ham"], ["ham"] * 20])
def test_until_two_classes_have_a_label_the_prior_serves_and_says_that_it_knows_nothing(labels: list[str]) -> None:
    counts = count_features([f"mail {n}" for n in range(len(labels))])
    model = fit(TARGET, counts, labels, vstack([counts, count_features(["more"])], format="csr"), seed=0).model
    assert isinstance(model, Prior)
    assert not model.informative


def test_the_prior_is_uniform_without_labels_and_leans_to_the_common_class_with_them() -> None:
    assert Prior(TARGET.labels).predict_proba(tasks("any")).tolist() == [pytest.approx([1 / 3, 1 / 3, 1 / 3])]
    assert Prior(TARGET.labels, [4, 2, 0]).predict_proba(tasks("any")).tolist() == [
        pytest.approx([5 / 9, 3 / 9, 1 / 9])
    ]
    assert Prior(TARGET.labels).predict_proba_features(csr_matrix((4, 9))).shape == (4, 3)
