"""Why a task stands where it does, in words: the figures in them are those that the order was made by."""

from __future__ import annotations

import numpy as np
import pytest

from nextlabel.cli.escaping import printable
from nextlabel.labeling import label_in_words, quoted
from nextlabel.measures.likeliest import expected, in_doubt
from nextlabel.measures.target_predictions import ChoicePredictions, ChoicesPredictions, SpanPredictions
from nextlabel.ports.state import OrderFacts, TaskFacts
from nextlabel.service.why_here import of_order, of_task
from nextlabel.web.pages.histogram import HEIGHT, WIDTH, histogram


def facts(**given: object) -> OrderFacts:
    usual = {"how": "strategy", "strategy": "margin", "informative": True, "asked": 9, "histogram": [9]}
    return OrderFacts(**usual | given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (TaskFacts(0.48, "kind", (("spam", 0.52), ("ham", 0.4))), "unsure between 'spam' (52%) and 'ham' (40%)"),
        (TaskFacts(0.1, "kind", (("spam", 0.9), ("ham", 0.1))), "rather 'spam' (90%)"),
        (TaskFacts(0.9, "tags", (("urgent", 0.6),)), "unsure whether 'urgent' (60%)"),
        (TaskFacts(0.2, "tags", (("urgent", 0.9),)), "nearest to doubt whether 'urgent' (90%)"),
        (TaskFacts(0.43, "spans"), "unsure of it (43%)"),
        (
            TaskFacts(0.1, "kind", (("spam", 0.9), ("ham", 0.1)), 0.08, unlike=True),
            "rather 'spam' (90%); like nothing labeled: the nearest is 8% alike",
        ),
        (
            TaskFacts(0.01, "kind", (("spam", 0.99), ("ham", 0.01)), 0.4, explores=True),
            "chosen to explore, whatever the model expects: rather 'spam' (99%)",
        ),
        (TaskFacts(0.43, "spans", (), 0.08), "unsure of it (43%)"),
        (None, ""),
    ],
)
def test_a_task_is_explained_by_what_the_model_hesitates_between_and_by_how_new_it_is(
    task: TaskFacts | None, words: str
) -> None:
    assert of_task(facts(), task) == words


def test_an_order_that_no_doubt_of_the_model_made_says_so() -> None:
    task = TaskFacts(0.4, "kind", (("spam", 0.6), ("ham", 0.4)), 0.3)
    assert of_task(facts(how="outside"), task) == "the other model is unsure of it (40%)"
    assert of_task(facts(strategy="random"), task) == of_order(facts(strategy="random")) == "drawn at random"
    assert of_task(facts(how="cold"), task).startswith("like nothing labeled: the nearest is 30% alike; unsure between")
    assert of_task(facts(how="cold", informative=False), TaskFacts(1.0)) == "like nothing labeled yet"
    assert of_order(facts(how="cold")) == "while labels are few, what stands for the others comes first"
    assert of_order(facts(strategy="kcenter")) == "what stands for tasks like none that is labeled comes first"
    assert of_order(facts(strategy="a team's own")) == "as 'a team's own' chose"


def test_what_is_hesitated_between_are_the_two_likeliest_classes_or_the_label_nearest_to_a_half() -> None:
    p = np.array([[0.2, 0.5, 0.3], [0.9, 0.04, 0.06]])
    classes = ChoicePredictions(["a", "b", "c"], p)
    assert in_doubt(classes) == [(("b", 0.5), ("c", 0.3)), (("a", 0.9), ("c", 0.06))]
    assert in_doubt(ChoicesPredictions(["a", "b", "c"], p)) == [(("b", 0.5),), (("a", 0.9),)]
    assert in_doubt(SpanPredictions([()], [()], np.array([0.4]))) == [()]
    assert expected(classes, 2) == {"a": 1.1, "b": 0.54}
    assert expected(SpanPredictions([()], [()], np.array([0.4])), 2) == {}


def test_a_bar_is_as_high_as_its_tasks_are_many_and_the_description_says_where_most_are() -> None:
    parts = [{"low": n / 4, "high": (n + 1) / 4, "tasks": tasks} for n, tasks in enumerate((8, 0, 4, 1))]
    chart = histogram(parts)
    assert chart is not None
    first, nothing, third, _ = chart.bars
    assert (first.height, nothing.height) == (2 * third.height, 0)
    assert all(0 <= one.x <= one.x + one.width <= WIDTH and 0 <= one.y + one.height <= HEIGHT for one in chart.bars)
    assert chart.desc == (
        "13 open tasks by how unsure the model is of them, from 0 to 1. Most are at 0.00 to 0.25: 8 tasks. "
        "5 tasks from 0.5 on."
    )
    assert histogram([]) is None


def test_names_written_from_right_to_left_leave_the_figures_beside_them_where_they_are() -> None:
    arabic, hebrew = "\u0625\u064a\u062c\u0627\u0628\u064a", "\u05e8\u05e2 (\u05de\u05d0\u05d3)"
    sentence = of_task(facts(), TaskFacts(0.48, "kind", ((arabic, 0.52), (hebrew, 0.4))))
    assert sentence == f"unsure between '\u2068{arabic}\u2069' (52%) and '\u2068{hebrew}\u2069' (40%)"
    assert printable(sentence) == sentence, "a terminal gets them too"
    long = of_task(facts(), TaskFacts(0.48, "tags", ((hebrew * 20, 0.52),)))
    assert (long.count("\u2068"), long.count("\u2069")) == (1, 1)
    cells = [label_in_words(one) for one in (arabic, [hebrew, "plain"], [arabic * 20, hebrew], [[1, 2, hebrew]])]
    assert all(one.count("\u2068") == one.count("\u2069") > 0 for one in cells), cells
    assert cells[1].endswith("\u2069, plain")


def test_a_name_turns_nothing_beside_it_whatever_is_in_it() -> None:
    assert quoted("spam\u202e\u2066gpj") == "'spamgpj'"
    assert quoted("\u05d0\u2069\u202e(1)") == "'\u2068\u05d0(1)\u2069'"
    assert printable("a\u2069b\u2068c\u202ed\u2069\u2068e") == r"a\u2069b\u2068c\u202ed\u2069\u2068e"
    assert printable("\u2068left\nopen\u2069") == "\\u2068left\nopen\\u2069"
