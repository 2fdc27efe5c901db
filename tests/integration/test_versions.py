"""`nextlabel models`: a person decides which version serves, model and order at once, until they lift it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from nextlabel.cli import EXIT_CONFIGURATION, cli
from nextlabel.errors import SettingsError
from nextlabel.labeling import LabelSchema, ModelVersion, Target
from nextlabel.settings import Settings

if TYPE_CHECKING:
    from integration.conftest import Team


@pytest.fixture
def taught(team: Team) -> Team:
    """Three versions: one that knows nothing, and two that learned."""
    team.import_mails(80)
    team.run()
    for _ in range(2):
        team.work(10)
        team.run()
    assert team.serving.version == "nextlabel-3"
    return team


def learn_more(team: Team) -> ModelVersion:
    team.work(5)
    trained = team.run().trained
    assert trained is not None
    return trained


@pytest.mark.every_database
def test_what_a_person_chose_serves_with_its_order_whatever_is_learned_until_they_lift_it(taught: Team) -> None:
    printed = taught.parts.versions.promote(taught.project, "nextlabel-2")
    assert printed.startswith("nextlabel-2 serves until")
    assert taught.serving.version == "nextlabel-2"
    assert taught.in_force() == taught.serving.announced_version
    newest = learn_more(taught)
    assert (taught.serving.version, taught.in_force()) == ("nextlabel-2", taught.serving.announced_version)
    held_back = taught.parts.versions.one(taught.project, newest)
    assert (held_back.state, "a person chose nextlabel-2" in held_back.reason) == ("held_back", True)
    taught.parts.versions.release(taught.project)
    assert (taught.serving.version, taught.serving.chosen) == (newest, False)
    assert taught.in_force() == taught.serving.announced_version
    assert learn_more(taught) == taught.serving.version


def test_rolling_back_puts_the_version_before_in_service(taught: Team) -> None:
    taught.parts.versions.rollback(taught.project)
    assert (taught.serving.version, taught.serving.chosen) == ("nextlabel-2", True)
    taught.parts.versions.rollback(taught.project)
    assert taught.serving.version == "nextlabel-3", "it served before"


def test_a_version_that_the_tool_did_not_hear_of_answers_at_once_and_its_order_follows(taught: Team) -> None:
    """As with a Label Studio that is slow: what was switched is not reported as a failure."""
    order_before = taught.in_force()
    taught.tool.take_down()
    printed = taught.parts.versions.rollback(taught.project)
    assert printed.startswith("nextlabel-2 serves until you choose another or `nextlabel models release`; it answers")
    assert "may still serve the order of before: The in-memory tool is down" in printed
    assert (taught.serving.version, taught.serving.chosen) == ("nextlabel-2", True)
    taught.tool.bring_up()
    assert taught.in_force() == order_before
    assert taught.parts.job_queue.dispatch_due() == 1, "a worker is asked for the order"
    taught.run()
    assert taught.in_force() == taught.serving.announced_version != order_before


def test_what_cannot_serve_is_refused_and_nothing_changes(taught: Team) -> None:
    before = taught.serving
    with pytest.raises(SettingsError, match="has no version 'nextlabel-9': it has nextlabel-3, nextlabel-2"):
        taught.parts.versions.promote(taught.project, "nextlabel-9")
    with taught.tool.opened(taught.at_tool) as it:
        target = it.schema.targets[0]
        it.schema = LabelSchema((Target("other", "choice", target.inputs, ("ham", "spam")),))
    taught.label(taught.take(), "ham")
    taught.run()
    with pytest.raises(SettingsError, match="made for another labeling config"):
        taught.parts.versions.promote(taught.project, before.version)


def test_what_a_person_chose_gives_way_once_something_else_is_asked_than_it_can_answer(taught: Team) -> None:
    taught.parts.versions.promote(taught.project, "nextlabel-2")
    with taught.tool.opened(taught.at_tool) as it:
        it.schema = LabelSchema((replace(it.schema.targets[0], name="other"),))
    taught.import_mails(20)
    fence = taught.parts.fences.next(taught.project)
    assert taught.parts.loop.reorder(taught.project, fence).receipt is None, "it cannot put these in order"
    printed = taught.parts.versions.promote(taught.project, "nextlabel-2")  # the new config is read only then
    assert printed.startswith("nextlabel-untrained-4 serves; ")
    assert "the first model of this labeling config; nextlabel-2, chosen by a person, does not fit it" in printed
    assert (taught.serving.version, taught.serving.chosen) == ("nextlabel-untrained-4", False)
    assert set(taught.queue()) == {task.id for task in taught.parts.store.open(taught.project)}
    taught.parts.versions.promote(taught.project, "nextlabel-untrained-4")
    assert taught.serving.chosen


def test_what_a_person_chose_gives_way_where_its_model_is_lost(taught: Team) -> None:
    """Else each round learned another version, and none that could answer served."""
    taught.parts.versions.promote(taught.project, "nextlabel-2")
    for artifact in taught.parts.settings.home.rglob("nextlabel-2-*.skops"):
        artifact.unlink()
    done = taught.run()
    assert done.promotion is not None
    assert "is lost, damaged or of another release; nextlabel-2 was chosen by a person" in done.promotion.reason
    assert (taught.serving.version, taught.serving.chosen) == (done.trained, False)
    assert taught.run().trained is None


def test_where_the_model_in_service_is_lost_what_fails_a_check_serves_and_is_warned_of(taught: Team) -> None:
    for task in taught.learned:
        taught.label(task, "ham")
    turned_down = taught.run()
    assert turned_down.promotion is not None
    assert "had when the model in service was trained are gone" in turned_down.promotion.reason
    for artifact in taught.parts.settings.home.rglob(f"{taught.serving.version}-*.skops"):
        artifact.unlink()
    done = taught.run()
    assert taught.serving.version == done.trained
    assert [one.name for one in done.checks if one.stops and not one.passed] == ["vanished"]
    assert taught.run().trained is None, "each round learned another version"


def test_versions_that_were_held_back_and_passed_over_do_not_come_back(taught: Team) -> None:
    taught.parts.versions.promote(taught.project, "nextlabel-2")
    passed_over, released = learn_more(taught), learn_more(taught)
    taught.parts.versions.release(taught.project)
    assert taught.serving.version == released
    newest = learn_more(taught)
    assert taught.serving.version == newest
    taught.parts.versions.rollback(taught.project)
    taught.parts.versions.ask_release(taught.project, "ann")
    assert (taught.serving.version, taught.serving.chosen) == (released, False)
    assert taught.parts.versions.one(taught.project, passed_over).state == "held_back"


def test_what_checks_turned_down_meanwhile_does_not_serve_once_the_choice_is_lifted(taught: Team) -> None:
    taught.parts.versions.promote(taught.project, "nextlabel-3")
    for task in taught.learned:
        taught.label(task, "ham")
    done = taught.run()
    assert done.trained is not None
    assert taught.parts.versions.one(taught.project, done.trained).state == "turned_down"
    taught.parts.versions.release(taught.project)
    assert (taught.serving.version, taught.serving.chosen) == ("nextlabel-3", False)


def test_a_project_that_is_left_alone_is_not_put_in_another_order(taught: Team) -> None:
    taught.parts.pausing.pause(taught.project)
    before = taught.serving, taught.in_force()
    for decide in (
        lambda: taught.parts.versions.promote(taught.project, "nextlabel-2"),
        lambda: taught.parts.versions.rollback(taught.project),
        lambda: taught.parts.versions.ask_rollback(taught.project, "ann"),
    ):
        with pytest.raises(SettingsError, match="is paused: nothing was done: `nextlabel resume"):
            decide()
    assert (taught.serving, taught.in_force()) == before


def test_releasing_what_nobody_chose_changes_nothing(taught: Team) -> None:
    before = taught.serving
    assert "no version was chosen" in taught.parts.versions.release(taught.project)
    assert taught.serving == before


def test_the_command_lists_versions_and_has_one_of_them_serve(taught: Team, settings: Settings) -> None:
    ours = {"NEXTLABEL_HOME": str(settings.home), "NEXTLABEL_DATABASE_URL": settings.database_url}
    env = dict.fromkeys(os.environ) | ours | {"REDIS_URL": settings.redis_url, "COLUMNS": "200"}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["models", arguments[0], "--project", taught.project, *arguments[1:]], env=env)

    assert run("promote", "nextlabel-2").exit_code == 0
    assert "in service, chosen by a person" in run("list").stdout
    listed = json.loads(run("list", "--json").stdout)
    assert [(one["version"], one["state"]) for one in listed][:2] == [
        ("nextlabel-3", "retired"),
        ("nextlabel-2", "in_service"),
    ]
    assert json.loads(run("show", "nextlabel-2", "--json").stdout)["labels"] == 10
    assert "nextlabel-2" in run("show", "nextlabel-2").stdout
    assert run("release").exit_code == 0
    refused = run("promote", "nextlabel-\x1b[31m9")
    assert refused.exit_code == EXIT_CONFIGURATION
    assert "\x1b" not in refused.output
