"""`nextlabel annotators`: who labeled what, and how far people agree on the tasks that several of them labeled."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
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
    agreement = {name: one["targets"]["label"]["with_others"] for name, one in people.items()}
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
    assert {one["targets"]["label"]["with_others"] for one in found["people"]} == {None}
    assert "from 20 on. Have some tasks labeled twice." in command(team, settings).output


def test_without_names_nobody_is_named_and_everybody_keeps_one_pseudonym(shared: Team, settings: Settings) -> None:
    shown = command(shared, settings, "--json", "--without-names").output
    assert not any(f'"{name}"' in shown for name in ("ann", "ben", "cleo"))
    assert not any(name in command(shared, settings, "--without-names").output for name in ("ann ", "ben", "cleo"))
    people = {one["account"]: one for one in json.loads(shown)["people"]}
    assert sorted(one["tasks"] for one in people.values()) == [40, 60, 60]
    assert list(people) == sorted(people), "in the order of pseudonyms, not of accounts"
    (target,) = json.loads(shown)["agreement"]
    assert {pair[end] for pair in target["pairs"] for end in ("one", "other")} == set(people)
    assert command(shared, settings, "--json", "--without-names").output == shown


def test_each_two_people_have_a_kappa_from_twenty_tasks_of_both_on(shared: Team, settings: Settings) -> None:
    (target,) = json.loads(command(shared, settings, "--json").output)["agreement"]
    found = {(pair["one"], pair["other"]): (pair["shared"], pair["kappa"]) for pair in target["pairs"]}
    assert found[("ann", "cleo")] == (60, 1.0)
    assert {pair: n for pair, (n, _) in found.items() if "ben" in pair} == {("ann", "ben"): 40, ("ben", "cleo"): 40}
    assert all(0.3 < kappa < 0.7 for pair, (_, kappa) in found.items() if "ben" in pair)


def test_whose_labels_became_worse_is_said_and_when(team: Team, settings: Settings) -> None:
    """Ben is right in 19 of 20 labels, and from the 200th on in two of three."""
    team.import_mails(320)
    team.run()
    wrong, draw = dict(zip(WORDS, reversed(WORDS), strict=True)), np.random.default_rng(0)
    for n, (task, truth) in enumerate(team.truth.items()):
        for who in ("ann", "ben", "cleo"):
            right = draw.random() < (0.67 if who == "ben" and n >= 200 else 0.95)
            team.tool.submit(team.at_tool, task, truth if right else wrong[truth], who)
    team.run()
    people = {
        one["account"]: one["targets"]["label"]
        for one in json.loads(command(team, settings, "--json").output)["people"]
    }
    assert [name for name, one in people.items() if one["drift"]["since"]] == ["ben"]
    fall = people["ben"]["drift"]
    assert fall["before"] > 0.9 and fall["after"] < 0.8
    since = sum(one.updated_at < fall["since"] for _, some in team.parts.store.annotated(team.project) for one in some)
    assert 180 < since / 3 < 230
    assert "the labels of ben became worse" in command(team, settings).output
    assert [name for name, one in people.items() if one["low"]] == ["ben"]
    assert all(one["quality"]["low"] < 0.95 < one["quality"]["high"] for name, one in people.items() if name != "ben")


def test_without_three_labels_for_a_task_it_is_said_how_many_more_a_verdict_needs(
    team: Team, settings: Settings
) -> None:
    team.import_mails(70)
    team.run()
    for n, (task, truth) in enumerate(team.truth.items()):
        for who in ("ann", "ben", "cleo") if n < 12 else ("ann", "ben"):
            team.tool.submit(team.at_tool, task, truth, who)
    team.run()
    people = {
        one["account"]: one["targets"]["label"]
        for one in json.loads(command(team, settings, "--json").output)["people"]
    }
    assert people["ann"]["drift"] == {"labels": 12, "needed": 38, "since": None, "before": None, "after": None}
    assert people["ann"]["quality"] is None, "of two people only how often they agree is known"
    assert people["cleo"] == {
        "shared": 12,
        **dict.fromkeys(("with_others", "with_consensus", "quality", "drift", "blind")),
        "low": False,
    }
    assert "still needed: ann 38, ben 38" in command(team, settings).output


def test_who_differs_from_the_model_where_nobody_saw_what_it_predicts_is_seen_without_overlap(
    team: Team, settings: Settings
) -> None:
    """Ann and Ben share no task; Ben labels half of his at random."""
    team.choose(audit_share=0.5)
    team.import_mails(160)
    team.run()
    audits, draw = sorted(team.parts.reserves.tasks(team.project)), np.random.default_rng(0)
    for task in [task for task in team.truth if task not in audits][:60]:
        team.tool.submit(team.at_tool, task, team.truth[task], "ann")
    team.run()
    for n, task in enumerate(audits):
        at_random = n % 2 == 1 and draw.random() < 0.5
        label = str(draw.choice(list(WORDS))) if at_random else team.truth[task]
        team.tool.submit(team.at_tool, task, label, ("ann", "ben")[n % 2])
    team.run()
    found = json.loads(command(team, settings, "--json").output)["people"]
    blind = {one["account"]: one["targets"]["label"]["blind"] for one in found}
    assert blind["ben"]["high"] < blind["ann"]["value"]
    assert blind["ann"]["value"] > 0.8
    assert all(one["n"] >= 20 for one in blind.values())
    assert "blind, with the model" in " ".join(command(team, settings).output.replace("│", " ").split())


def test_a_project_may_want_nothing_said_about_its_people(shared: Team, settings: Settings) -> None:
    assert "75.0%" in command(shared, settings).output
    shared.choose(annotators="off")
    refused = command(shared, settings)
    assert (refused.exit_code, "annotators=off" in refused.output) == (EXIT_CONFIGURATION, True)
    assert "75.0%" not in refused.output


def test_labels_that_have_an_order_count_by_how_far_apart_they_are(team: Team, settings: Settings) -> None:
    """Ben is one grade off in a third of the tasks, which of three grades is worth more than nothing."""
    grades = ["poor", "fair", "good"]
    team.import_mails(60)
    team.ask(*grades)
    for n, task in enumerate(team.truth):
        team.tool.submit(team.at_tool, task, grades[n % 3], "ann")
        team.tool.submit(team.at_tool, task, "fair" if n % 2 == 0 else grades[n % 3], "ben")
    team.run()
    (names,) = json.loads(command(team, settings, "--json").output)["agreement"]
    team.choose(ordered={"label": grades})
    (places,) = json.loads(command(team, settings, "--json").output)["agreement"]
    assert (names["scale"], places["scale"], places["ac1"]) == ("nominal", "ordinal", None)
    assert names["alpha"]["value"] + 0.1 < places["alpha"]["value"] < 1


def test_the_model_learns_what_most_people_say_whoever_spoke_last(team: Team) -> None:
    team.import_mails(30)
    team.run()
    wrong = dict(zip(WORDS, reversed(WORDS), strict=True))
    for task, truth in team.truth.items():
        for who, label in (("ann", truth), ("ben", truth), ("cleo", wrong[truth])):
            team.tool.submit(team.at_tool, task, label, who)
    team.run()
    assert team.learned == team.truth, "the latest label of each is wrong"
    first = next(iter(team.truth))
    team.tool.submit(team.at_tool, first, wrong[team.truth[first]], "dora")
    team.run()
    assert team.learned[first] == wrong[team.truth[first]], "of two and two the latest"
