"""Which guesses annotators see, through the whole loop: with their tasks, and where the tool asks for predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integration.test_loop import STARS, all_of, open_tasks
from nextlabel.labeling import Guess, Task, TaskId
from nextlabel.options import ProjectOptions
from nextlabel.ports.requests import PredictRequest
from nextlabel.service import answering as serving

if TYPE_CHECKING:
    from integration.conftest import Team

DEFAULT = ProjectOptions().show_predictions


@pytest.fixture(autouse=True)
def _every_version_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick machine asks again within the half second that a web process need not notice a version in."""
    monkeypatch.setattr(serving, "_NOTICE_WITHIN_SECONDS", 1e-9)


def shown(team: Team) -> dict[TaskId, tuple[Guess, ...]]:
    """What annotators see with each open task of the order, first to last."""
    with team.tool.opened(team.at_tool) as it:
        order = {task: it.order[task] for task in it.queue() if task in it.order}
    assert order
    assert all(prediction is not None for prediction in order.values()), "a task has lost its place"
    return {task: prediction.guesses for task, prediction in order.items() if prediction}


def guessed(team: Team) -> int:
    """With how many tasks a guess is shown."""
    return sum(map(bool, shown(team).values()))


def asked(team: Team, tasks: list[Task], **more: object) -> list[tuple[Guess, ...]]:
    """What is shown of tasks for which the tool asks."""
    with team.tool.opened(team.at_tool) as it:
        request = PredictRequest(team.at_tool, tuple(tasks), it.schema, **more)  # type: ignore[arg-type]
    _, predictions = team.parts.service.predict(("memory",), request)
    return [prediction.guesses for prediction in predictions if prediction]


def test_by_default_few_labels_show_nothing_and_more_show_what_is_likely_right_in_an_order_that_is_the_same(
    team: Team,
) -> None:
    team.choose(show_predictions=DEFAULT)
    team.import_mails(150)
    team.run()
    team.work(3)
    team.run()
    assert (guessed(team), asked(team, open_tasks(team)[:5])) == (0, [()] * 5)
    team.work(37)
    team.run()
    likely = {task: guesses for task, guesses in shown(team).items() if guesses}
    assert 0 < len(likely) < len(shown(team)), "those that the model is not sure of have a place and no guess"
    assert all(guess.confidence >= 0.8 for guesses in likely.values() for guess in guesses)
    assert sum(guess.label == team.truth[task] for task, (guess,) in likely.items()) >= 0.8 * len(likely)
    order = tuple(shown(team))
    team.choose(show_predictions="always")
    team.run()
    assert tuple(shown(team)) == order
    assert guessed(team) == len(order)


@pytest.mark.every_database
def test_a_change_of_what_is_shown_makes_a_new_order_and_one_of_nothing_makes_none(team: Team) -> None:
    team.import_mails(60)
    team.run()
    team.work(20)
    team.run()
    orders = []
    for option in ("always", "20", "1", "never", "21", "90%", "always"):
        team.choose(show_predictions=option)
        receipt = team.run().receipt
        orders.append((option, receipt is not None, guessed(team)))
        assert team.run().receipt is None
        assert team.in_force() == team.serving.announced_version
    assert orders == [
        ("always", False, 40),
        ("20", False, 40),
        ("1", False, 40),
        ("never", True, 0),
        ("21", False, 0),
        ("90%", False, 0),
        ("always", True, 40),
    ]


def test_from_so_many_labels_on_guesses_are_shown_by_themselves(team: Team) -> None:
    team.choose(show_predictions="12")
    team.import_mails(60)
    team.run()
    seen = []
    for labels in (4, 7, 1):
        team.work(labels)
        team.run()
        seen.append((len(team.learned), guessed(team), len(shown(team)), any(asked(team, open_tasks(team)))))
    assert seen == [(4, 0, 56, False), (11, 0, 49, False), (12, 48, 48, True)]


def test_before_anything_is_learned_no_option_makes_another_order(team: Team) -> None:
    team.import_mails(10)
    team.run()
    for option in ("never", DEFAULT, "5", "always"):
        team.choose(show_predictions=option)
        assert team.run().receipt is None


def test_each_target_is_shown_once_its_own_labels_allow(team: Team) -> None:
    team.choose(show_predictions="20")
    team.ask_also(STARS)
    team.import_mails(60)
    team.run()
    team.work(10)  # nobody gives any stars yet
    for _ in range(12):
        task = team.take()
        team.tool.submit(team.at_tool, task, {name: all_of(team, task)[name] for name in ("label", "stars")}, "ann")
    team.run()
    assert {tuple(guess.target for guess in guesses) for guesses in shown(team).values()} == {("label",)}
    assert {tuple(guess.target for guess in it) for it in asked(team, open_tasks(team))} == {("label",)}
    team.choose(show_predictions="12")
    team.run()
    assert {tuple(guess.target for guess in guesses) for guesses in shown(team).values()} == {("label", "stars")}


def test_who_asks_while_drawing_and_the_uncertainty_of_tasks_are_answered_even_where_nothing_is_ever_shown(
    team: Team,
) -> None:
    team.choose(show_predictions="never")
    team.import_mails(40)
    team.run()
    team.work(10)
    team.run()
    tasks = open_tasks(team)[:4]
    assert asked(team, tasks) == [()] * 4
    assert all(asked(team, tasks, context={"result": []}))
    _, measured = team.parts.service.uncertainty(("memory",), team.project, tasks)
    assert all(one.targets["label"].label in ("ham", "spam") for one in measured)
