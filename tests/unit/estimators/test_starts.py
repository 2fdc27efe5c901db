from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nextlabel.estimators.choice import fit_choice
from nextlabel.estimators.folds import draws_of
from nextlabel.estimators.starts import LastFit
from nextlabel.features.arrays import ArrayFiles
from nextlabel.features.source import Source
from nextlabel.features.spaces import Centred
from nextlabel.labeling import Input, LabelSchema, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.ports.state import Labeled

CLASSES = ("a", "b", "c")
TASKS = [str(n) for n in range(1300)]
DRAWS = draws_of([Task(TaskId(task), {}) for task in TASKS])
COLUMNS = {"rows that are fewer than their columns": 1500, "columns that are fewer than the rows": 40}


def data(columns: int) -> tuple[Floats, list[str]]:
    drawn = np.random.default_rng(0)
    y = drawn.integers(0, 3, len(TASKS))
    features = drawn.normal(size=(len(TASKS), columns))
    features[np.arange(len(TASKS)), y] += 2.0
    return features, [CLASSES[n] for n in y]


def out_of_fold(n: int, features: Floats, labels: list[str], fits: ArrayFiles) -> ChoicePredictions:
    space = Centred.of(features)
    last = LastFit(TASKS[:n], fits, "label")
    own = features[:n], labels[:n]
    _, predicted = fit_choice(*own, classes=CLASSES, space=space, last=last, draws=DRAWS[:n])
    assert predicted is not None
    return predicted


def test_a_fit_that_begins_at_the_last_one_ends_where_it_would_end_anyway(tmp_path: Path) -> None:
    for name, columns in COLUMNS.items():
        features, labels = data(columns)
        out_of_fold(1250, features, labels, ArrayFiles(tmp_path / name))
        warm = out_of_fold(1300, features, labels, ArrayFiles(tmp_path / name))
        cold = out_of_fold(1300, features, labels, ArrayFiles(tmp_path / f"{name}, none"))
        assert warm.losses(labels).mean() < 1.01 * cold.losses(labels).mean(), name
        assert (warm.probabilities.argmax(1) == cold.probabilities.argmax(1)).mean() > 0.95, name


def test_what_is_predicted_of_a_task_does_not_hang_on_a_label_that_it_had_before(tmp_path: Path) -> None:
    features, labels = data(1500)
    before = {}
    for label in CLASSES[:2]:
        fits = ArrayFiles(tmp_path / label)
        out_of_fold(1250, features, [label, *labels[1:]], fits)
        before[label] = LastFit(TASKS, fits, "label").start
        assert before[label] is not None
    fold = int(DRAWS[0] % np.uint64(5)) + 1
    found = [one.of(fold, np.array(TASKS), np.arange(3)) for one in before.values() if one]
    first, second = (one[0] for one in found if one)
    assert np.array_equal(first, second)
    assert np.abs(first[0]).max() < 1e-9 < np.abs(first).max()


def test_a_fit_of_which_the_file_is_damaged_begins_at_nothing(tmp_path: Path) -> None:
    features, labels = data(40)
    fits = ArrayFiles(tmp_path)
    sound = out_of_fold(1250, features, labels, fits)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert np.array_equal(out_of_fold(1250, features, labels, fits).probabilities, sound.probabilities)


def test_with_another_seed_of_the_project_whose_folds_are_others_fits_begin_at_nothing(tmp_path: Path) -> None:
    words = {"a": "goal match", "b": "vote law", "c": "cell gene"}
    drawn = np.random.default_rng(0).integers(0, 3, 1200).tolist()
    of_others = drawn[:200] + drawn[1000:] + drawn[200:1000]  # words that often do not go with the label
    tasks = [Task(TaskId(str(n)), {"text": f"{words[CLASSES[k]]} {n % 37}"}) for n, k in enumerate(of_others)]
    target = Target("label", "choice", (Input("text"),), CLASSES)
    given = [{"label": CLASSES[k]} for k in drawn]

    def predicted(n: int, seed: int, fits: Path) -> Floats:
        labeled = Labeled(tuple(tasks[:n]), tuple(given[:n]), (None,) * n)
        source = replace(Source(), fits=ArrayFiles(fits))
        bench = TargetsWorkbench(LabelSchema((target,)), labeled, tasks[n:], source, seed=seed)
        found = bench.learn(None, lambda: None).out_of_fold["label"].predicted
        assert isinstance(found, ChoicePredictions)
        return found.probabilities

    used = tmp_path / "used"
    predicted(1100, 0, used)
    assert np.array_equal(predicted(1200, 1, used), predicted(1200, 1, tmp_path / "none"))
    assert not np.array_equal(predicted(1200, 0, used), predicted(1200, 0, tmp_path / "none either"))  # that one begins
