"""`nextlabel annotators`: who labeled what, and how far people agree on the tasks that several of them labeled."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from integration.conftest import WORDS
from nextlabel.cli import EXIT_CONFIGURATION, cli
from nextlabel.settings import Settings

if TYPE_CHECKING:
    from integration.conftest import Team


@pytest.fixture
def shared(team: Team) -> Team:
    """Ann and Cleo label 60 tasks rightly; Ben labels 40 of them, every fourth wrongly."""
    team.import_mails(80)
    team.run()
    wrong = dict(zip(WORDS, reversed(WORDS), strict=True))
    for n, task in enumerate(list(team.truth)[:60]):
        truth = team.truth[task]
        for who, label in (("ann", truth), ("cleo", truth), ("ben", wrong[truth] if n % 4 == 0 else truth)):
            if who != "ben" or n < 40:
                team.tool.submit(team.at_tool, task, label, who, seconds=30.0 if who == "ben" else 5.0)
    team.run()
    return team


def command(team: Team, settings: Settings, *arguments: str) -> Result:
    environment = {**os.environ, "NEXTLABEL_HOME": str(settings.home), "NEXTLABEL_DATABASE_URL": settings.database_url}
    return CliRunner().invoke(cli, ["annotators", "--project", team.project, *arguments], env=environment)


@pytest.mark.every_database
def test_who_labels_otherwise_than_the_others_is_told_with_how_sure_that_is(shared: Team, settings: Settings) -> None:
    found: dict[str, Any] = json.loads(command(shared, settings, "--json").output)
    people = {one["account"]: one for one in found["people"]}
    assert list(people) == ["ann", "ben", "cleo"]
    assert {name: (one["tasks"], one["seconds"]) for name, one in people.items()} == {
        "ann": (60, 5.0),
        "ben": (40, 30.0),
        "cleo": (60, 5.0),
    }
    agreement = {name: one["agreement"]["label"] for name, one in people.items()}
    alike = {name: one["value"] for name, one in agreement.items()}
    assert alike == {"ann": pytest.approx(55 / 60), "ben": 0.75, "cleo": pytest.approx(55 / 60)}, "a tie of two is half"
    assert all(one["low"] < one["value"] < one["high"] for one in agreement.values())
    (target,) = found["agreement"]
    assert target["shared"] == 60
    assert target["alpha"]["low"] < target["alpha"]["value"] < target["alpha"]["high"] < 1


def test_too_few_shared_tasks_say_nothing_about_anybody(team: Team, settings: Settings) -> None:
    team.import_mails(40)
    team.run()
    for task in list(team.truth)[:19]:
        for who in ("ann", "ben"):
            team.tool.submit(team.at_tool, task, team.truth[task], who)
    team.run()
    found = json.loads(command(team, settings, "--json").output)
    assert (found["agreement"], found["too_few"]) == ([], {"label": 19})
    assert [one["agreement"] for one in found["people"]] == [{}, {}]
    assert "from 20 on. Have some tasks labeled twice." in command(team, settings).output


def test_a_project_may_want_nothing_said_about_its_people(shared: Team, settings: Settings) -> None:
    assert "75.0%" in command(shared, settings).output
    shared.choose(annotators="off")
    refused = command(shared, settings)
    assert (refused.exit_code, "annotators=off" in refused.output) == (EXIT_CONFIGURATION, True)
    assert "75.0%" not in refused.output
