"""The order by predictions that a team's own model, unknown to nextlabel, has left on the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nextlabel.errors import SettingsError
from nextlabel.labeling import QueueVersion, TaskId
from nextlabel.ports.tool import Scores
from nextlabel.service.connecting import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from integration.conftest import Team

YOLO = QueueVersion("yolo-3")


def detect(team: Team, regions: Mapping[TaskId, Sequence[float]]) -> None:
    team.tool.import_scores(team.at_tool, YOLO, [Scores(task, None, tuple(some)) for task, some in regions.items()])


@pytest.mark.every_database
def test_tasks_come_as_the_scores_say_and_newer_ones_change_the_order_at_the_next_turn(team: Team) -> None:
    team.choose(uncertainty_from=YOLO)
    tasks = team.import_mails(40)
    sure = dict(zip(tasks, np.random.default_rng(1).permutation(40) / 40, strict=True))
    detect(team, {task: [0.9, one] for task, one in sure.items()})
    done = team.run()
    assert team.queue() == tuple(sorted(tasks, key=sure.__getitem__))
    assert "ordered by 'yolo-3', which has scored 40 of 40 open tasks" in done.sentence()
    assert team.run().receipt is None
    labeled = team.work(10)  # our own model learns, and is not asked
    team.run()
    assert team.queue() == tuple(task for task in sorted(tasks, key=sure.__getitem__) if task not in labeled)
    detect(team, {task: [0.9, 1 - one] for task, one in sure.items()})
    team.run()
    assert team.queue()[0] == max((task for task in tasks if task not in labeled), key=sure.__getitem__)
    assert team.tool.predictions_held(team.at_tool)[YOLO] == 40


def test_how_regions_become_an_uncertainty_is_chosen_as_for_hosted_models(team: Team) -> None:
    team.choose(uncertainty_from=YOLO, region_scores="min")
    one_doubtful, all_middling, no_box = team.import_mails(3)
    detect(team, {one_doubtful: [0.9, 0.1], all_middling: [0.4, 0.4], no_box: []})
    team.run()
    assert team.queue() == (one_doubtful, no_box, all_middling)  # the median of two lies between them
    team.choose(uncertainty_from=YOLO, region_scores="max")
    team.run()
    assert team.queue() == (all_middling, no_box, one_doubtful)


def test_without_such_predictions_our_own_model_orders_and_a_person_is_told_until_they_are_there(team: Team) -> None:
    tasks = team.import_mails(40)
    detect(team, {tasks[0]: [0.5]})
    team.choose()
    team.run()
    team.work(20)
    team.run()
    ours = team.queue()
    own = str(team.in_force())
    team.tool.import_scores(team.at_tool, QueueVersion(own), [Scores(ours[-1], 0.0)])
    for version in ("nobody", own):
        team.choose(uncertainty_from=version)
        done = team.run()
        assert [one.level for one in done.findings()["scores"]] == ["warning"]
        assert team.queue() == ours
    team.choose(uncertainty_from=YOLO)
    detect(team, {task: [0.5] for task in tasks})
    assert not team.run().findings()["scores"]


def test_what_was_kept_goes_with_the_option_and_with_the_task(team: Team) -> None:
    store = team.parts.store
    team.choose(uncertainty_from=YOLO)
    first, *others = team.import_mails(5)
    detect(team, {task: [0.25] for task in (first, *others)})
    team.run()
    assert store.uncertainties(team.project) == dict.fromkeys((first, *others), 0.75)
    team.tool.delete_task(team.at_tool, first)
    team.run()
    assert first not in store.uncertainties(team.project)
    team.choose()
    team.run()
    assert (store.uncertainties(team.project), store.scores_mark(team.project)) == ({}, "")


class Quiet:
    """A report that nobody reads."""

    problems = 0

    def add(self, found: object) -> None: ...

    line = add


def connect(team: Team, **options: object) -> None:
    wanted = Wanted("memory", team.tool.access, team.at_tool, "memory:nextlabel")
    team.parts.connecting.connect(wanted, options, report=Quiet(), progress=lambda step, n: None)


def test_connect_refuses_a_version_that_no_task_has_with_those_there_are_and_one_of_our_own(team: Team) -> None:
    tasks = team.import_mails(5)
    team.run()
    own = str(team.in_force())
    with pytest.raises(SettingsError, match=r"'yolo-4'.*There are none but nextlabel's own"):
        connect(team, uncertainty_from="yolo-4")
    detect(team, {tasks[0]: [0.5]})
    with pytest.raises(SettingsError, match=r"version 'yolo-4'\. Name one of 'yolo-3'\.$"):
        connect(team, uncertainty_from="yolo-4")
    with pytest.raises(SettingsError, match="order of nextlabel's own"):
        connect(team, uncertainty_from=own)
    assert team.parts.connections.get(team.project).options.uncertainty_from == ""
    connect(team, uncertainty_from="yolo-3")
    assert team.parts.connections.get(team.project).options.uncertainty_from == "yolo-3"


def test_a_strategy_that_needs_more_than_uncertainty_is_refused(team: Team) -> None:
    detect(team, {team.import_mails(5)[0]: [0.5]})
    with pytest.raises(SettingsError, match="'committee' needs"):
        connect(team, uncertainty_from="yolo-3", strategy="committee")
