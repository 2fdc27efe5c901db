"""What holds for the estimator of every kind of target, on words and on numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import skops.io

from nextlabel.estimators.fitting import Fitted, fit
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.estimators.restoring import restore
from nextlabel.estimators.spans import NoSpans
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.features.encoders import Encoder, encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Input, InputKind, Label, Scale, Span, Target, Task, TaskId
from nextlabel.measures.opinions import ChoicesOpinions, NumberOpinions, Opinions

WINTER, KITCHEN = ["snow", "ski", "slope", "lift", "ice", "glove"], ["flour", "oven", "bread", "butter", "salt", "pan"]
SOURCE = Source()


@dataclass(frozen=True)
class Lesson:
    """Labels that follow from what the tasks hold; ``figure`` is 1 where all are found."""

    target: Target
    label: Callable[[int], Label]
    figure: str


def is_winter(n: int) -> bool:
    return (n * 7919) % 5 < 2


def words(n: int) -> str:
    rng = np.random.default_rng(n)
    return f"note {n}: " + " and ".join(rng.choice(WINTER if is_winter(n) else KITCHEN, 3))


def record(n: int) -> dict[str, object]:
    rng = np.random.default_rng(n)
    return {"degrees": float(rng.normal(-4 if is_winter(n) else 21, 3)), "place": "hut" if is_winter(n) else "house"}


def tasks(numbers: Sequence[int]) -> list[Task]:
    return [Task(TaskId(str(n)), {"text": words(n), "record": record(n), "audio": f"/data/{n}.mp3"}) for n in numbers]


def season(n: int) -> str:
    return "winter" if is_winter(n) else "kitchen"


def stars(n: int) -> float:
    return 4.0 if is_winter(n) else 2.0


def first_word(n: int) -> tuple[Span, ...]:
    start = words(n).index(": ") + 2
    return (Span(start, words(n).index(" ", start), season(n)),)


def lessons(field: str, kind: InputKind) -> list[Lesson]:
    about, two = (Input(field, kind),), ("winter", "kitchen")
    return [
        Lesson(Target("choice", "choice", about, two), season, "accuracy"),
        Lesson(Target("choices", "choices", about, (*two, "any", "never")), lambda n: (season(n), "any"), "micro_f1"),
        Lesson(
            Target("number", "number", about, scale=Scale(1, 5, 1)), lambda n: 2.0 + 2 * is_winter(n), "correlation"
        ),
    ]


LESSONS = [
    *lessons("text", "text"),
    *lessons("record", "table"),
    *lessons("audio", "metadata"),
    Lesson(Target("spans", "spans", (Input("text"),), ("winter", "kitchen")), first_word, "f1"),
]
ALSO = {"choice of table", "choices of table", "choice of metadata", "number of metadata"}
"""An estimator knows numbers only, whatever they encode: each is tried on texts, and each other input with one."""


def called(lesson: Lesson) -> str:
    return f"{lesson.target.name} of {lesson.target.inputs[0].kind}"


every = pytest.mark.parametrize(
    "lesson",
    [pytest.param(it, id=called(it), marks=pytest.mark.everything if called(it) in ALSO else ()) for it in LESSONS],
)


def taught(lesson: Lesson, labels: int, seed: int = 0) -> tuple[Encoder, Fitted]:
    known = tasks(range(labels))
    encoder = encoder_for(lesson.target, tasks(range(120)), SOURCE)
    features = encoder.encode(known, SOURCE)
    space = encoder.space(encoder.encode(tasks(range(120)), SOURCE))
    return encoder, fit(lesson.target, known, features, [lesson.label(n) for n in range(labels)], space, seed)


def said_by(model: ProjectModel, asked: Sequence[Task]) -> Opinions:
    (opinions,) = model.predict(asked, SOURCE).values()
    return opinions


def model_of(lesson: Lesson, labels: int, seed: int = 0) -> ProjectModel:
    encoder, fitted = taught(lesson, labels, seed)
    return ProjectModel({lesson.target.name: Learned(encoder, fitted.model)})


def same(one: Opinions, other: Opinions) -> bool:
    return one.guesses("t") == other.guesses("t") and np.array_equal(one.uncertainty, other.uncertainty)


@every
def test_it_learns_what_the_labels_have_in_common(lesson: Lesson) -> None:
    unseen = range(60, 120)
    said = said_by(model_of(lesson, 60), tasks(unseen))
    assert metrics_of(said, [lesson.label(n) for n in unseen])[lesson.figure] > 0.85


@every
def test_what_it_says_is_judged_by_rows_that_it_had_not_seen(lesson: Lesson) -> None:
    _, fitted = taught(lesson, 60)
    assert fitted.out_of_fold is not None
    assert metrics_of(fitted.out_of_fold, [lesson.label(n) for n in range(60)])[lesson.figure] > 0.7


@every
def test_labels_drawn_by_lot_cannot_be_told_by_who_has_not_seen_them(lesson: Lesson) -> None:
    lot = np.random.default_rng(4).permutation(80).tolist()
    drawn = Lesson(lesson.target, lambda n: _anywhere(lesson, n, lot[n]), lesson.figure)
    _, fitted = taught(drawn, 80)
    assert fitted.out_of_fold is not None
    truth = [drawn.label(n) for n in range(80)]
    figures = metrics_of(fitted.out_of_fold, truth)
    by_lot = {"accuracy": 0.68, "micro_f1": 0.85, "correlation": 0.4, "f1": 0.6}
    assert figures[lesson.figure] < by_lot[lesson.figure]
    assert fitted.out_of_fold.losses(truth).mean() < 1, "it does not pretend to be sure either"


def _anywhere(lesson: Lesson, n: int, other: int) -> Label:
    """What another task is labeled with; of spans the extent is that of this task's own words."""
    label = lesson.label(other)
    if lesson.target.kind != "spans":
        return label
    return tuple(Span(span.start, span.end, season(other)) for span in first_word(n))


@every
def test_it_is_the_same_after_a_restart(lesson: Lesson) -> None:
    model = model_of(lesson, 40)
    again = restore(skops.io.loads(skops.io.dumps(model.state()), trusted=[]))
    assert same(said_by(again, tasks(range(60, 80))), said_by(model, tasks(range(60, 80))))


@every
def test_the_same_labels_and_seed_give_the_same_model(lesson: Lesson) -> None:
    first, second = (said_by(model_of(lesson, 40, seed=3), tasks(range(60, 80))) for _ in range(2))
    assert same(first, second)


@every
def test_tasks_that_lack_their_field_or_hold_something_odd_break_nothing(lesson: Lesson) -> None:
    field = lesson.target.inputs[0].field
    odd: list[object] = [None, "", 4, float("nan"), [], {}, {"degrees": None}, {"degrees": "12"}, ["x"], "\ud800 \x00"]
    asked = [Task(TaskId("none"), {}), *(Task(TaskId(str(n)), {field: value}) for n, value in enumerate(odd))]
    said = said_by(model_of(lesson, 40), [*asked, *tasks([70])])
    assert len(said) == len(odd) + 2
    for figure in (said.confidence, said.uncertainty):
        assert ((figure >= 0) & (figure <= 1)).all()
    assert all(lesson.target.read(guess.label) is not None for guess in said.guesses("t"))


@every
def test_a_task_is_told_the_same_whatever_is_asked_with_it(lesson: Lesson) -> None:
    model, asked = model_of(lesson, 40), tasks(range(60, 90))
    together = said_by(model, asked)
    alone = [said_by(model, [one]) for one in asked]
    assert [one.guesses("t")[0].label for one in alone] == [guess.label for guess in together.guesses("t")]
    np.testing.assert_allclose([one.uncertainty[0] for one in alone], together.uncertainty, atol=1e-5)


@every
@pytest.mark.parametrize("labels", [2, 40])
def test_labels_of_tasks_that_hold_nothing_at_all_break_no_training(lesson: Lesson, labels: int) -> None:
    field = lesson.target.inputs[0].field
    empty = [Task(TaskId(str(n)), {field: ""}) for n in range(labels)]
    encoder = encoder_for(lesson.target, empty, SOURCE)
    features = encoder.encode(empty, SOURCE)
    given = [lesson.label(n) for n in range(labels)]  # task 0 is of the one season, task 1 of the other
    fitted = fit(lesson.target, empty, features, given, encoder.space(features), 0)
    assert fitted.model.informative == (lesson.target.inputs[0].kind != "metadata" and lesson.target.kind != "spans")
    asked = [*empty[:1], *tasks([70])]
    again = restore(ProjectModel({"t": Learned(encoder, fitted.model)}).state())
    said = said_by(again, asked)
    assert ((said.uncertainty >= 0) & (said.uncertainty <= 1)).all()
    if fitted.model.informative:
        assert all(lesson.target.read(guess.label) is not None for guess in said.guesses("t"))


@every
def test_no_tasks_have_no_opinions(lesson: Lesson) -> None:
    said = said_by(model_of(lesson, 40), [])
    assert len(said) == len(said.guesses("t")) == len(said.uncertainty) == len(said.probabilities) == 0


@every
def test_until_labels_differ_it_says_that_it_knows_nothing(lesson: Lesson) -> None:
    nothing: Label = () if lesson.target.kind in ("choices", "spans") else lesson.label(0)
    encoder, _ = taught(lesson, 40)
    known = tasks([0, 1, 2])
    space = encoder.space(encoder.encode(known, SOURCE))
    fitted = fit(lesson.target, known, encoder.encode(known, SOURCE), [nothing] * 3, space, 0)
    assert isinstance(fitted.model, Prior | NoSpans)
    assert not fitted.model.informative


def numbers(n: int, seed: int) -> tuple[list[Task], list[float]]:
    """A number that follows from a field, but for a spread of 1."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-3, 3, n)
    known = [Task(TaskId(str(row)), {"record": {"x": float(x)}}) for row, x in enumerate(values)]
    return known, [float(3 * x + rng.normal()) for x in values]


def predicted(asked: Sequence[Task]) -> NumberOpinions:
    target = Target("number", "number", (Input("record", "table"),), scale=Scale())
    known, truth = numbers(100, seed=1)
    encoder = encoder_for(target, known, SOURCE)
    features = encoder.encode(known, SOURCE)
    said = fit(target, known, features, truth, encoder.space(features), 0).model.predict(
        asked, encoder.encode(asked, SOURCE)
    )
    assert isinstance(said, NumberOpinions)
    return said


def test_two_thirds_of_all_numbers_lie_within_the_spread_of_their_prediction() -> None:
    asked, truth = numbers(400, seed=2)
    said = predicted(asked)
    assert 0.6 < np.mean(np.abs(said.mean - truth) < said.spread) < 0.76
    assert said.spread.mean() == pytest.approx(1, abs=0.25)


def test_a_number_is_less_certain_where_no_label_is_near() -> None:
    known, text = Target("n", "number", (Input("text"),), scale=Scale()), tasks(range(40))
    encoder = encoder_for(known, text, SOURCE)
    features = encoder.encode(text, SOURCE)
    model = fit(known, text, features, [float(is_winter(n)) for n in range(40)], encoder.space(features), 0).model
    strange = [Task(TaskId("a"), {"text": words(50)}), Task(TaskId("b"), {"text": "quantum chromodynamics lecture"})]
    usual, unusual = model.predict(strange, encoder.encode(strange, SOURCE)).uncertainty
    assert unusual > usual


def test_the_mean_chance_of_a_label_is_the_share_of_tasks_that_have_it() -> None:
    target = Target("choices", "choices", (Input("record", "table"),), ("often", "seldom"))
    rng = np.random.default_rng(5)
    given = [
        tuple(label for label, share in (("often", 0.7), ("seldom", 0.1)) if rng.random() < share) for _ in range(150)
    ]
    known = tasks(range(150))
    encoder = encoder_for(target, known, SOURCE)
    features = encoder.encode(known, SOURCE)
    fitted = fit(target, known, features, given, encoder.space(features), 0)
    said = fitted.model.predict(known, features)
    assert isinstance(said, ChoicesOpinions)
    assert said.chances.mean(axis=0) == pytest.approx(
        [np.mean([label in one for one in given]) for label in target.labels], abs=0.08
    )
