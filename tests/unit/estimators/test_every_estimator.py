"""What holds for the estimator of every kind of target, on words and on numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import skops.io

from nextlabel.estimators.by_kind import Fitted
from nextlabel.estimators.fitting import fit
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.estimators.restoring import restore
from nextlabel.estimators.spans import NoSpans
from nextlabel.evaluation.metrics import metrics_of
from nextlabel.features.encoders import Encoder, encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Input, InputKind, Label, Placed, Scale, Span, Target, Task, TaskId
from nextlabel.measures.target_predictions import ChoicesPredictions, NumberPredictions, TargetPredictions

WINTER, KITCHEN = ["snow", "ski", "slope", "lift", "ice", "glove"], ["flour", "oven", "bread", "butter", "salt", "pan"]
SOURCE = Source()


@dataclass(frozen=True)
class Case:
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
    options = [{"value": "never"}, {"value": "cold", "alias": "winter"}, {"value": "kitchen"}]
    shared = {"options": options}
    return [
        Task(
            TaskId(str(n)),
            {"text": words(n), "record": record(n), "audio": f"/data/{n}.mp3", "items": items(n), **shared},
        )
        for n in numbers
    ]


COLDEST = ("snow slope", "ice glove", "salt butter", "oven bread")


def items(n: int) -> list[dict[str, object]]:
    """Four of them under the same ids in every task, whatever they hold."""
    rng = np.random.default_rng(n)
    shuffled, noise = rng.permutation(COLDEST).tolist(), rng.choice(["and", "or", "with"], 4).tolist()
    return [{"id": name, "title": f"{more} {text}"} for name, text, more in zip("abcd", shuffled, noise, strict=True)]


def coldest_first(n: int) -> list[str]:
    place = {str(item["id"]): COLDEST.index(str(item["title"]).split(" ", 1)[1]) for item in items(n)}
    return sorted(place, key=place.__getitem__)


def ordered(n: int) -> tuple[Placed, ...]:
    return tuple(Placed("", item) for item in coldest_first(n))


def sorted_out(n: int) -> tuple[Placed, ...]:
    cold, warm = coldest_first(n)[:2], coldest_first(n)[2:]
    return (*(Placed("", item) for item in sorted(warm)), *(Placed("cold", item) for item in cold))


def season(n: int) -> str:
    return "winter" if is_winter(n) else "kitchen"


def stars(n: int) -> float:
    return 4.0 if is_winter(n) else 2.0


def first_word(n: int) -> tuple[Span, ...]:
    start = words(n).index(": ") + 2
    return (Span(start, words(n).index(" ", start), season(n)),)


def lessons(field: str, kind: InputKind) -> list[Case]:
    about, two = (Input(field, kind),), ("winter", "kitchen")
    return [
        Case(Target("choice", "choice", about, two), season, "accuracy"),
        Case(Target("choices", "choices", about, (*two, "any", "never")), lambda n: (season(n), "any"), "micro_f1"),
        Case(Target("number", "number", about, scale=Scale(1, 5, 1)), lambda n: 2.0 + 2 * is_winter(n), "correlation"),
    ]


LESSONS = [
    *lessons("text", "text"),
    *lessons("record", "table"),
    *lessons("audio", "metadata"),
    Case(Target("offered choice", "choice", (Input("text"),), options="options"), season, "accuracy"),
    Case(
        Target("offered choices", "choices", (Input("text"),), ("any",), options="options"),
        lambda n: ("any", season(n)),
        "micro_f1",
    ),
    Case(Target("spans", "spans", (Input("text"),), ("winter", "kitchen")), first_word, "f1"),
    Case(Target("ranking", "ranking", (Input("text"),), options="items"), ordered, "kendall_tau"),
    Case(Target("buckets", "ranking", (Input("text"),), ("", "cold"), options="items"), sorted_out, "bucket_agreement"),
]
ALSO = {"choice of table", "choices of table", "choice of metadata", "number of metadata"}
"""An estimator knows numbers only, whatever they encode: each is tried on texts, and each other input with one."""


def called(case: Case) -> str:
    return f"{case.target.name} of {case.target.inputs[0].kind}"


every = pytest.mark.parametrize(
    "case",
    [pytest.param(it, id=called(it), marks=pytest.mark.everything if called(it) in ALSO else ()) for it in LESSONS],
)


def taught(case: Case, labels: int, seed: int = 0) -> tuple[Encoder, Fitted]:
    known = tasks(range(labels))
    encoder = encoder_for(case.target, tasks(range(120)), SOURCE)
    features = encoder.encode(known, SOURCE)
    space = encoder.space(encoder.encode(tasks(range(120)), SOURCE))
    return encoder, fit(case.target, known, features, [case.label(n) for n in range(labels)], space, seed)


def said_by(model: ProjectModel, asked: Sequence[Task]) -> TargetPredictions:
    (target_predictions,) = model.predict(asked, SOURCE).values()
    return target_predictions


def model_of(case: Case, labels: int, seed: int = 0) -> ProjectModel:
    encoder, fitted = taught(case, labels, seed)
    return ProjectModel({case.target.name: Learned(encoder, fitted.model)})


def same(one: TargetPredictions, other: TargetPredictions) -> bool:
    return one.guesses("t") == other.guesses("t") and np.array_equal(one.uncertainty, other.uncertainty)


@every
def test_it_learns_what_the_labels_have_in_common(case: Case) -> None:
    unseen = range(60, 120)
    answered = said_by(model_of(case, 60), tasks(unseen))
    assert metrics_of(answered, [case.label(n) for n in unseen])[case.figure] > 0.85


@every
def test_what_it_says_is_judged_by_rows_that_it_had_not_seen(case: Case) -> None:
    _, fitted = taught(case, 60)
    assert fitted.out_of_fold is not None
    assert metrics_of(fitted.out_of_fold, [case.label(n) for n in range(60)])[case.figure] > 0.7


@every
def test_labels_drawn_by_lot_cannot_be_told_by_who_has_not_seen_them(case: Case) -> None:
    lot = np.random.default_rng(4).permutation(80).tolist()
    drawn = Case(case.target, lambda n: _anywhere(case, n, lot[n]), case.figure)
    _, fitted = taught(drawn, 80)
    assert fitted.out_of_fold is not None
    truth = [drawn.label(n) for n in range(80)]
    figures = metrics_of(fitted.out_of_fold, truth)
    by_lot = {"accuracy": 0.68, "micro_f1": 0.85, "correlation": 0.4, "f1": 0.6, "kendall_tau": 0.3}
    by_lot["bucket_agreement"] = 0.65
    assert figures[case.figure] < by_lot[case.figure]
    assert fitted.out_of_fold.losses(truth).mean() < 1, "it does not pretend to be sure either"


def _anywhere(case: Case, n: int, other: int) -> Label:
    """What another task is labeled with; of spans the extent is that of this task's own words."""
    label = case.label(other)
    if case.target.kind != "spans":
        return label
    return tuple(Span(span.start, span.end, season(other)) for span in first_word(n))


@every
def test_it_is_the_same_after_a_restart(case: Case) -> None:
    model = model_of(case, 40)
    again = restore(skops.io.loads(skops.io.dumps(model.state()), trusted=[]))
    assert same(said_by(again, tasks(range(60, 80))), said_by(model, tasks(range(60, 80))))


@every
def test_the_same_labels_and_seed_give_the_same_model(case: Case) -> None:
    first, second = (said_by(model_of(case, 40, seed=3), tasks(range(60, 80))) for _ in range(2))
    assert same(first, second)


@every
def test_tasks_that_lack_their_field_or_hold_something_odd_break_nothing(case: Case) -> None:
    field = case.target.inputs[0].field
    odd: list[object] = [None, "", 4, float("nan"), [], {}, {"degrees": None}, {"degrees": "12"}, ["x"], "\ud800 \x00"]
    offered = {name: tasks([0])[0].data[name] for name in ("options", "items")}
    data: list[dict[str, object]] = [offered, *({field: one, **offered} for one in odd)]
    asked = [Task(TaskId(str(n)), one) for n, one in enumerate(data)]
    answered = said_by(model_of(case, 40), [*asked, *tasks([70])])
    assert len(answered) == len(odd) + 2
    for figure in (answered.confidence, answered.uncertainty):
        assert ((figure >= 0) & (figure <= 1)).all()
    assert all(case.target.read(guess.label) is not None for guess in answered.guesses("t"))


@every
def test_a_task_is_told_the_same_whatever_is_asked_with_it(case: Case) -> None:
    model, asked = model_of(case, 40), tasks(range(60, 90))
    together = said_by(model, asked)
    alone = [said_by(model, [one]) for one in asked]
    assert [one.guesses("t")[0].label for one in alone] == [guess.label for guess in together.guesses("t")]
    np.testing.assert_allclose([one.uncertainty[0] for one in alone], together.uncertainty, atol=1e-5)


@every
@pytest.mark.parametrize("labels", [2, 40])
def test_labels_of_tasks_that_hold_nothing_at_all_break_no_training(case: Case, labels: int) -> None:
    field = case.target.inputs[0].field
    empty = [Task(TaskId(str(n)), {field: ""}) for n in range(labels)]
    encoder = encoder_for(case.target, empty, SOURCE)
    features = encoder.encode(empty, SOURCE)
    given = [case.label(n) for n in range(labels)]  # task 0 is of the one season, task 1 of the other
    fitted = fit(case.target, empty, features, given, encoder.space(features), 0)
    nothing = case.target.inputs[0].kind == "metadata" or case.target.kind in ("spans", "ranking")
    assert fitted.model.informative == (not nothing)
    asked = tasks([70]) if case.target.options else [*empty[:1], *tasks([70])]
    again = restore(ProjectModel({"t": Learned(encoder, fitted.model)}).state())
    answered = said_by(again, asked)
    assert ((answered.uncertainty >= 0) & (answered.uncertainty <= 1)).all()
    if fitted.model.informative:
        assert all(case.target.read(guess.label) is not None for guess in answered.guesses("t"))


@every
def test_no_tasks_have_no_predictions(case: Case) -> None:
    answered = said_by(model_of(case, 40), [])
    assert len(answered) == len(answered.guesses("t")) == len(answered.uncertainty) == len(answered.probabilities) == 0


@every
def test_until_labels_differ_it_says_that_it_knows_nothing(case: Case) -> None:
    nothing: Label = () if case.target.kind in ("choices", "spans") else case.label(0)
    encoder, _ = taught(case, 40)
    known = tasks([0, 1, 2])
    space = encoder.space(encoder.encode(known, SOURCE))
    fitted = fit(case.target, known, encoder.encode(known, SOURCE), [nothing] * 3, space, 0)
    assert isinstance(fitted.model, Prior | NoSpans)
    assert not fitted.model.informative


def numbers(n: int, seed: int) -> tuple[list[Task], list[float]]:
    """A number that follows from a field, but for a spread of 1."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-3, 3, n)
    known = [Task(TaskId(str(row)), {"record": {"x": float(x)}}) for row, x in enumerate(values)]
    return known, [float(3 * x + rng.normal()) for x in values]


def predicted(asked: Sequence[Task]) -> NumberPredictions:
    target = Target("number", "number", (Input("record", "table"),), scale=Scale())
    known, truth = numbers(100, seed=1)
    encoder = encoder_for(target, known, SOURCE)
    features = encoder.encode(known, SOURCE)
    answered = fit(target, known, features, truth, encoder.space(features), 0).model.predict(
        asked, encoder.encode(asked, SOURCE)
    )
    assert isinstance(answered, NumberPredictions)
    return answered


def test_two_thirds_of_all_numbers_lie_within_the_spread_of_their_prediction() -> None:
    asked, truth = numbers(400, seed=2)
    answered = predicted(asked)
    assert 0.6 < np.mean(np.abs(answered.mean - truth) < answered.spread) < 0.76
    assert answered.spread.mean() == pytest.approx(1, abs=0.25)


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
    answered = fitted.model.predict(known, features)
    assert isinstance(answered, ChoicesPredictions)
    assert answered.chances.mean(axis=0) == pytest.approx(
        [np.mean([label in one for one in given]) for label in target.labels], abs=0.08
    )
