"""The order of a project that asks several things, by how much each of them counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from integration.test_loop import STARS, open_tasks, say_everything, target_predictions
from integration.test_scores_of_others import connect
from nextlabel.errors import SettingsError
from nextlabel.ports.requests import SetupRequest

if TYPE_CHECKING:
    from integration.conftest import Team


@pytest.fixture
def asking(team: Team) -> Team:
    """A team that says two things of each mail, and has said them of 40."""
    team.ask_also(STARS)
    team.import_mails(90)
    team.run()
    say_everything(team, 40)
    return team


def test_another_weight_makes_another_order_at_the_next_turn_without_a_new_label(asking: Team) -> None:
    asking.run()
    tasks = open_tasks(asking)
    label, stars = (target_predictions(asking, tasks, name).uncertainty for name in ("label", "stars"))
    for weights, expected in (
        ({"stars": 0}, label),
        ({"label": 0}, stars),
        ({"label": 3}, (3 * label + stars) / 4),
        ({}, (label + stars) / 2),
    ):
        asking.choose(weights=weights)
        before = asking.in_force()
        asking.run()
        assert asking.in_force() != before
        by_task = dict(zip([task.id for task in tasks], expected.tolist(), strict=True))
        np.testing.assert_allclose([by_task[task] for task in asking.queue()], sorted(expected, reverse=True))
        assert asking.run().receipt is None


def test_while_nothing_is_known_of_what_counts_tasks_come_as_they_do_before_the_first_label(team: Team) -> None:
    team.choose(weights={"label": 0}, strategy="margin")
    team.ask_also(STARS)
    team.import_mails(60)
    team.run()
    team.work(20)  # nobody gives any stars
    done = team.run()
    assert done.fallback == ""
    unsure = target_predictions(team, open_tasks(team)).uncertainty
    by_task = dict(zip([task.id for task in open_tasks(team)], unsure.tolist(), strict=True))
    served = [by_task[task] for task in team.queue()]
    assert served != sorted(served, reverse=True)


def test_weights_that_do_not_suit_are_refused_by_connect_and_in_extra_params_and_nothing_is_kept(asking: Team) -> None:
    with pytest.raises(SettingsError, match="'mood', by which no task is ordered"):
        connect(asking, weights={"mood": 1})
    with asking.tool.opened(asking.at_tool) as it:
        request = SetupRequest(asking.at_tool, it.schema, {"weights": {"label": 0, "stars": 0}})
    with pytest.raises(SettingsError, match="no control to order tasks by"):
        asking.parts.service.setup(("memory",), request)
    assert asking.parts.connections.get(asking.project).options.weights == {}
    asking.parts.service.setup(("memory",), replace(request, options={"weights": {"stars": 0.5}}))
    assert asking.parts.connections.get(asking.project).options.weights == {"stars": 0.5}
