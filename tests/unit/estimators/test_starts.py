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
from nextlabel.labeling import Input, LabelSchema, ModelVersion, Target, Task, TaskId
from nextlabel.labeling.ranking import Floats
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.learning.workbench import Champion
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


def out_of_fold(n: int, features: Floats, labels: list[str], fits: ArrayFiles, first: int = 0) -> ChoicePredictions:
    return beginning_at_the_last(n, features, labels, fits, first)[0]


def beginning_at_the_last(
    n: int, features: Floats, labels: list[str], fits: ArrayFiles, first: int = 0
) -> tuple[ChoicePredictions, bool]:
    """What is predicted out of fold, and whether the models of the folds are the last ones."""
    space = Centred.of(features)
    last = LastFit(TASKS[first:n], fits, "label")
    own = features[first:n], labels[first:n]
    _, predicted = fit_choice(*own, classes=CLASSES, space=space, last=last, draws=DRAWS[first:n])
    assert predicted is not None
    return predicted, last.folds_kept


def test_a_fit_that_begins_at_the_last_one_ends_where_it_would_end_anyway(tmp_path: Path) -> None:
    for name, columns in COLUMNS.items():
        features, labels = data(columns)
        out_of_fold(1170, features, labels, ArrayFiles(tmp_path / name))
        warm = out_of_fold(1300, features, labels, ArrayFiles(tmp_path / name))
        cold = out_of_fold(1300, features, labels, ArrayFiles(tmp_path / f"{name}, none"))
        assert warm.losses(labels).mean() < 1.02 * cold.losses(labels).mean(), name
        assert (warm.probabilities.argmax(1) == cold.probabilities.argmax(1)).mean() > 0.93, name


def test_models_of_folds_are_left_as_they_are_until_a_tenth_of_the_labels_is_new_to_them(tmp_path: Path) -> None:
    for name, columns in COLUMNS.items():
        features, labels = data(columns)
        fits = ArrayFiles(tmp_path / name)
        before, kept = beginning_at_the_last(1100, features, labels, fits)
        assert not kept
        with_few, kept = beginning_at_the_last(1200, features, labels, fits)
        assert kept, name
        assert np.array_equal(with_few.probabilities[:1100].argmax(1), before.probabilities.argmax(1)), name
        fitted = out_of_fold(1200, features, labels, ArrayFiles(tmp_path / f"{name}, none"))
        assert with_few.losses(labels[:1200]).mean() < 1.05 * fitted.losses(labels[:1200]).mean(), name
        assert not beginning_at_the_last(1300, features, labels, fits)[1], name  # 200 since they were fitted
        assert beginning_at_the_last(1300, features, labels, fits)[1], name


def test_models_of_folds_are_fitted_where_many_labels_changed_one_is_gone_or_a_class_is_new(tmp_path: Path) -> None:
    features, labels = data(1500)
    others = ["a", *("b" if label == "a" else label for label in labels[1:])]
    changed = [*others[:800], *labels[800:]]
    for name, first, second, start in (
        ("changed", labels, changed, 0),
        ("gone", labels, labels, 1),
        ("new", ["b", *others[1:]], others, 0),
    ):
        fits = ArrayFiles(tmp_path / name)
        beginning_at_the_last(1250, features, first, fits)
        assert not beginning_at_the_last(1250, features, second, fits, start)[1], name


def test_what_is_predicted_of_a_task_does_not_hang_on_a_label_that_it_had_before(tmp_path: Path) -> None:
    features, labels = data(1500)
    before = {}
    for label in CLASSES[:2]:
        fits = ArrayFiles(tmp_path / label)
        out_of_fold(1250, features, [label, *labels[1:]], fits)
        before[label] = LastFit(TASKS, fits, "label").folds.start
        assert before[label] is not None
    fold = int(DRAWS[0] % np.uint64(5))
    found = [one.of(fold, np.array(TASKS), np.arange(3)) for one in before.values() if one]
    first, second = (one[0] for one in found if one)
    assert np.array_equal(first, second)
    assert np.abs(first[0]).max() < 1e-9 < np.abs(first).max()


def test_a_fit_of_which_the_file_is_damaged_begins_at_nothing(tmp_path: Path) -> None:
    features, labels = data(40)
    fits = ArrayFiles(tmp_path)
    sound = out_of_fold(1250, features, labels, fits)
    for file in tmp_path.iterdir():
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


WORDS = {"a": "goal match", "b": "vote law", "c": "cell gene"}
SCHEMA = LabelSchema((Target("label", "choice", (Input("text"),), CLASSES),))


def learned(
    drawn: list[int], labels: list[int], champion: Champion | None, anchor: Champion | None, fits: Path
) -> Champion:
    """The next version after as many labels, on the texts of the classes drawn; a tenth are audit labels."""
    tasks = [Task(TaskId(str(n)), {"text": f"{WORDS[CLASSES[k]]} {n % 37}"}) for n, k in enumerate(drawn)]
    n, audits = len(labels), frozenset(task.id for task in tasks[::10])
    labeled = Labeled(tuple(tasks[:n]), tuple({"label": CLASSES[k]} for k in labels), (None,) * n)
    source = replace(Source(), fits=ArrayFiles(fits))
    bench = TargetsWorkbench(SCHEMA, labeled, tasks[n:], source, seed=0, audits=audits)
    found = bench.learn(champion, lambda: None, anchor)
    metrics = {"anchors": float(found.promotion.anchors)}
    return Champion(ModelVersion(str(n)), found.model, bench.labels, same_kind=True, metrics=metrics)


def test_no_later_version_is_held_to_one_whose_newest_labels_no_fold_has_seen(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 3, 1300).tolist()
    anchors, champion = [], None
    for n in (1100, 1150, 1300):
        champion = learned(drawn, drawn[:n], champion, None, tmp_path)
        anchors.append(champion.metrics["anchors"])
    assert anchors == [0, 0, 1]  # the first was held to nothing, the second had no new folds


def test_labels_that_contradict_the_anchor_are_judged_at_once_however_few_they_are(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 3, 1150).tolist()
    for wrong, written in ((0, 1), (1, 2)):  # files: of the model of all labels, and of its folds
        fits = tmp_path / str(wrong)
        first = learned(drawn, drawn[:1100], None, None, fits)
        before = {file.read_bytes() for file in fits.iterdir()}
        learned(drawn, [*drawn[:1100], *((k + wrong) % 3 for k in drawn[1100:])], first, first, fits)
        assert len({file.read_bytes() for file in fits.iterdir()} - before) == written, wrong
