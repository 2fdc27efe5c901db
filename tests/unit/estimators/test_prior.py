"""What is said before anything was learned."""

from __future__ import annotations

import pytest
from scipy.sparse import csr_matrix

from nextlabel.estimators.fitting import fit
from nextlabel.estimators.prior import Prior
from nextlabel.features.spaces import AsItIs
from nextlabel.labeling import Input, Label, Target, Task, TaskId

CLASSES = ("ham", "spam", "phishing")


def tasks(n: int) -> list[Task]:
    return [Task(TaskId(str(number)), {}) for number in range(n)]


def test_the_prior_is_uniform_without_labels_and_leans_to_the_common_class_with_them() -> None:
    uniform, leaning = Prior(CLASSES), Prior(CLASSES, [4, 2, 0])
    assert uniform.predict(tasks(1)).probabilities.tolist() == [pytest.approx([1 / 3, 1 / 3, 1 / 3])]
    assert leaning.predict(tasks(1)).probabilities.tolist() == [pytest.approx([5 / 9, 3 / 9, 1 / 9])]
    assert uniform.predict(tasks(4), csr_matrix((4, 9))).probabilities.shape == (4, 3)


@pytest.mark.parametrize("labels", [[], ["ham"], ["ham"] * 20])
def test_until_two_classes_have_a_label_the_prior_serves_and_says_that_it_knows_nothing(labels: list[Label]) -> None:
    target = Target("kind", "choice", (Input("text"),), CLASSES)
    model = fit(target, tasks(len(labels)), csr_matrix((len(labels), 9)), labels, AsItIs(9), seed=0).model
    assert isinstance(model, Prior)
    assert not model.informative
    p = model.predict(tasks(2)).probabilities
    assert p.tolist() == [pytest.approx([(len(labels) + 1) / (len(labels) + 3)] + [1 / (len(labels) + 3)] * 2)] * 2


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (Target("stars", "number", (Input("text"),)), 3.0),
        (Target("topics", "choices", (Input("text"),), CLASSES), ("ham", "spam")),
        (Target("names", "spans", (Input("text"),), CLASSES), ()),
    ],
    ids=["number", "choices", "spans"],
)
@pytest.mark.parametrize("n", [0, 1, 20])
def test_while_all_labels_are_the_same_nothing_is_known_of_any_kind_of_target(
    target: Target, label: Label, n: int
) -> None:
    fitted = fit(target, tasks(n), csr_matrix((n, 9)), [label] * n, AsItIs(9), seed=0)
    assert not fitted.model.informative
    assert fitted.out_of_fold is None
    predicted = fitted.model.predict(tasks(3), csr_matrix((3, 9)))
    assert len(predicted) == 3
    assert len(set(predicted.uncertainty.tolist())) == 1


def test_no_tasks_get_no_predictions() -> None:
    assert Prior(CLASSES).predict([]).probabilities.shape == (0, 3)
