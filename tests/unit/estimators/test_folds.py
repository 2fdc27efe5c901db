"""Which labels are held out together: the same ones from round to round, and of each class as many in each fold."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.estimators.folds import draws_of, splits_of
from nextlabel.labeling import Task, TaskId


def tasks(n: int) -> list[Task]:
    return [Task(TaskId(f"t{row}"), {}) for row in range(n)]


@pytest.mark.parametrize("n", [6, 49, 500])
def test_every_row_is_held_out_once_by_a_model_that_sees_all_others(n: int) -> None:
    splits = splits_of(draws_of(tasks(n)), 5, np.arange(n) % 3)
    assert sorted(np.concatenate([rest for _, rest in splits]).tolist()) == list(range(n))
    assert all(sorted([*train.tolist(), *rest.tolist()]) == list(range(n)) for train, rest in splits)


def test_a_label_of_a_class_with_many_stays_in_its_fold_when_others_come() -> None:
    before, after = (splits_of(draws_of(tasks(n)), 5) for n in (200, 300))
    assert [set(rest.tolist()) for _, rest in before] == [set(rest[rest < 200].tolist()) for _, rest in after]


def test_few_labels_of_a_class_are_in_as_many_folds_as_there_can_be() -> None:
    classes = np.repeat([0, 1, 2], [40, 5, 3])
    held_out = [classes[rest] for _, rest in splits_of(draws_of(tasks(48)), 5, classes)]
    assert [(one == 0).sum() for one in held_out] == [8] * 5
    assert [(one == 1).sum() for one in held_out] == [1] * 5
    assert sorted((one == 2).sum() for one in held_out) == [0, 0, 1, 1, 1]
