"""A control named as confidence: how sure people are of an annotation weighs its labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from integration.conftest import WORDS
from integration.test_loop import STARS, TOPICS, open_tasks, target_predictions
from integration.test_scores_of_others import connect
from nextlabel.errors import SettingsError
from nextlabel.labeling import LabelSchema, Scale, TaskId
from nextlabel.learning.confidence import check_confidence, confidence_in
from nextlabel.ports.requests import SetupRequest
from nextlabel.ports.tool import Finding
from nextlabel.service.connecting import Wanted

if TYPE_CHECKING:
    from integration.conftest import Team

SURE = replace(STARS, name="sure")
_OTHER = dict(zip(WORDS, reversed(WORDS), strict=True))


@dataclass
class Noted:
    """A report of what was found."""

    problems: int = 0
    found: list[Finding] = field(default_factory=list)

    def add(self, found: Finding) -> None:
        self.found.append(found)

    line = add


def label_wrongly_where_unsure(team: Team, n: int) -> None:
    """Ann is not sure of a third of her labels, and these are wrong."""
    for number in range(n):
        task = team.take()
        sure = number % 3 != 0
        label = team.truth[task] if sure else _OTHER[team.truth[task]]
        team.tool.submit(team.at_tool, task, {"label": label, "sure": 5.0 if sure else 1.0}, "ann")


def losses(team: Team) -> float:
    """The mean log loss of the model in service on tasks that nobody labeled."""
    tasks = open_tasks(team)
    predicted = target_predictions(team, tasks)
    return float(np.mean(predicted.losses([team.truth[TaskId(task.id)] for task in tasks])))


def test_labels_that_people_are_sure_of_count_more_and_how_sure_they_are_is_not_learned(team: Team) -> None:
    team.ask_also(SURE)
    team.import_mails(200)
    team.run()
    label_wrongly_where_unsure(team, 90)
    team.run()
    alike = losses(team)
    assert "sure" in team.parts.models.load(team.project, team.serving.version).targets  # type: ignore[attr-defined]
    team.choose(confidence="sure")
    assert team.run().trained is not None, "the same labels, which weigh otherwise"
    assert losses(team) < 0.8 * alike
    assert set(team.parts.models.load(team.project, team.serving.version).targets) == {"label"}  # type: ignore[attr-defined]
    assert team.run().trained is None
    surer = next(task for task, label in team.learned.items() if label != team.truth[task])
    team.tool.submit(team.at_tool, surer, {"label": team.truth[surer], "sure": 5.0}, "ann")
    assert team.run().trained is not None


def test_connect_says_which_labels_are_not_weighed_and_refuses_what_is_no_confidence(team: Team) -> None:
    team.ask_also(SURE, TOPICS, replace(TOPICS, name="ends", kind="spans"))
    team.import_mails(5)
    with pytest.raises(SettingsError, match=r"'mood', which the labeling config does not have: name one of 'sure'\."):
        connect(team, confidence="mood")
    with pytest.raises(SettingsError, match="'topics', which has no lowest and highest value"):
        connect(team, confidence="topics")
    with pytest.raises(SettingsError, match="'weights' names the control 'sure'"):
        connect(team, confidence="sure", weights={"sure": 2})
    with team.tool.opened(team.at_tool) as it:
        request = SetupRequest(team.at_tool, it.schema, {"confidence": "mood"})
    with pytest.raises(SettingsError, match="'mood'"):
        team.parts.service.setup(("memory",), request)
    assert team.parts.connections.get(team.project).options.confidence == ""
    report = Noted()
    wanted = Wanted("memory", team.tool.access, team.at_tool, "memory:nextlabel")
    team.parts.connecting.connect(wanted, {"confidence": "sure"}, report=report, progress=lambda step, n: None)
    warnings = [one.message for one in report.found if one.level == "warning"]
    assert "'sure' does not weigh labels of 'ends': its model counts all of them alike." in warnings
    assert not [one for one in warnings if "'topics'" in one or "'label'" in one]


def test_an_ordered_choice_may_be_the_confidence(team: Team) -> None:
    team.ask_also(replace(TOPICS, name="sure", kind="choice", labels=("low", "high")))
    with pytest.raises(SettingsError, match="the option 'ordered' names"):
        connect(team, confidence="sure")
    connect(team, confidence="sure", ordered={"sure": ["low", "high"]})
    assert team.parts.connections.get(team.project).options.confidence == "sure"


def test_where_all_are_as_sure_the_model_is_the_one_without_and_what_is_no_statement_counts_as_none(team: Team) -> None:
    team.ask_also(SURE)
    team.import_mails(160)
    team.run()
    for _ in range(60):
        task = team.take()
        team.tool.submit(team.at_tool, task, {"label": team.truth[task], "sure": 2.0}, "ann")
    found = list[float]()
    for confidence in ("", "sure"):
        team.choose(confidence=confidence)
        assert team.run().trained is not None
        found.append(losses(team))
    assert found[0] == found[1]
    stated: tuple[object, ...] = (None, 0, 0.5, 6.0, -1, "5", True, [3.0], {"sure": 5.0})
    confidence_ = confidence_in(LabelSchema((SURE, TOPICS)), "sure", {})
    assert confidence_ is not None
    assert {confidence_.weight(one) for one in stated} == {1.0}


@pytest.mark.parametrize("scale", [Scale(1, 1, 1), Scale(5, 1), Scale(0, float("inf")), Scale(None, 5)])
def test_what_has_no_lowest_and_highest_value_weighs_nothing(scale: Scale) -> None:
    schema = LabelSchema((replace(SURE, scale=scale), TOPICS))
    with pytest.raises(SettingsError, match="no lowest and highest value"):
        check_confidence("sure", schema, {})


def test_a_control_that_is_gone_weighs_nothing_and_the_last_one_that_is_left_is_learned(team: Team) -> None:
    team.ask_also(SURE)
    team.import_mails(120)
    team.choose(confidence="sure")
    team.run()
    label_wrongly_where_unsure(team, 40)
    assert team.run().trained is not None
    with team.tool.opened(team.at_tool) as it:
        both = it.schema.targets
    for left in (both[:1], both[1:], both):
        with team.tool.opened(team.at_tool) as it:
            it.schema = LabelSchema(left)
        team.parts.turns.take(team.project)
        learned = team.parts.models.load(team.project, team.serving.version).targets  # type: ignore[attr-defined]
        assert (set(learned), team.queue() != ()) == ({"sure"} if left == both[1:] else {"label"}, True)


def test_a_run_of_one_label_is_one_however_sure_somebody_is(team: Team) -> None:
    team.ask_also(SURE)
    team.choose(confidence="sure")
    team.import_mails(12)
    team.run()
    for n, task in enumerate(list(team.truth)):
        given = {"label": "spam" if n < 9 else "ham", "sure": 1.0 + n % 5}
        team.tool.submit(team.at_tool, task, given, "ann")
    team.run()
    (ann,) = team.parts.annotators.report(team.project, names=True).people
    assert ann.longest_run == 9
