"""When to stop, in the loop: versions are checked now and then, and `status` shows what is found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from everything import representing
from integration.conftest import WORDS as WORDS_OF
from integration.test_scores_of_others import connect
from nextlabel.cli import cli
from nextlabel.errors import SettingsError
from nextlabel.evaluation.stopping import RATIO
from nextlabel.features.cache import VectorCache
from nextlabel.features.source import Source
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import Input, LabelSchema, ModelVersion, ProjectId, Target, TargetKind, Task, TaskId
from nextlabel.learning.targets import TargetsWorkbench
from nextlabel.loop.stopping import Stopping
from nextlabel.ports.state import Labeled
from nextlabel.settings import Settings
from nextlabel.storage.database.tables import checkpoints
from nextlabel.wiring import Parts

if TYPE_CHECKING:
    from integration.conftest import Team

WORDS = ("winter", "summer")


def overview_of(team: Team) -> dict[str, Any]:
    (overview,) = team.parts.overview.projects(team.project)
    return overview


def label(team: Team, rounds: int, batch: int = 10) -> None:
    for _ in range(rounds):
        team.work(batch)
        team.run()


@pytest.fixture
def mails(team: Team) -> Team:
    """A project of 600 mails with audits, of which nothing is labeled."""
    team.choose(audit_share=0.2, worth_points=3)
    team.import_mails(600)
    team.run()
    return team


@pytest.mark.every_database
def test_a_project_that_is_easy_is_stopped_with_reasons_and_before_that_it_shows_what_is_lacking(
    mails: Team, settings: Settings
) -> None:
    label(mails, 4)
    early = overview_of(mails)["stopping"]
    assert overview_of(mails)["gain_over_random"] == {}
    assert early["stop"] is None
    assert "of 30 audit tasks are labeled" in early["sentence"]
    label(mails, 9, batch=20)
    found = overview_of(mails)["stopping"]
    assert found["stop"], found["sentence"]
    assert found["sentence"].startswith("Stop: predictions are stable (κ ")
    assert found["criteria"][0]["holds"]
    env = dict.fromkeys(os.environ) | {"NEXTLABEL_HOME": str(settings.home), "COLUMNS": "400"}
    env |= {"NEXTLABEL_DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    status = CliRunner().invoke(cli, ["status", "--project", mails.project], env=env).stdout
    assert found["sentence"] in status
    assert overview_of(mails)["labels_saved"]["label"]["sentence"] in status
    gain = overview_of(mails)["gain_over_random"]["label"]
    assert gain["sentence"] in status
    assert gain["audits"] >= 30
    assert gain["labels"] <= gain["audits"], "no random labels are claimed that there are not"
    assert gain["now"] == found["checked"][-1]["labels"]
    assert overview_of(mails)["from_order"]["sentence"] in status
    assert overview_of(mails)["queue_verified"]["sentence"] in status
    assert overview_of(mails)["at_a_time"]["sentence"] in status


def test_the_recall_of_a_rare_class_is_measured_on_audit_tasks_once_it_is_asked_for(
    team: Team, settings: Settings
) -> None:
    team.choose(audit_share=0.3)
    draw = np.random.default_rng(1)
    spam = draw.random(600) < 0.15
    texts = [" ".join([*draw.choice(WORDS_OF["spam" if one else "ham"], 4), str(n)]) for n, one in enumerate(spam)]
    tasks = team.tool.add_tasks(team.at_tool, texts)
    team.truth.update({task: "spam" if one else "ham" for task, one in zip(tasks, spam, strict=True)})
    team.run()
    assert overview_of(team)["recall"] is None
    assert len(overview_of(team)["stopping"]["criteria"]) == 4
    team.choose(audit_share=0.3, recall_class="spam", recall_target=0.75)
    assert "it takes 10 audit labels" in overview_of(team)["recall"]["sentence"]
    label(team, 2, batch=40)
    early = overview_of(team)["recall"]
    assert early["holds"] is None
    assert early["labels"] < 11 <= early["labels"] + early["more"]
    assert f"at least {early['more']} more audit task" in early["sentence"]
    label(team, 4, batch=100)
    found, audits = overview_of(team)["recall"], team.parts.reserves.tasks(team.project)
    truth = {task for task in audits & team.learned.keys() if team.truth[task] == "spam"}
    checked = overview_of(team)["stopping"]["checked"][-1]
    assert checked["version"] == overview_of(team)["model"], "so that what it predicted is known otherwise too"
    unseen = team.parts.checkpoints.unseen(team.project)[-1]["label"]
    assert found["labels"] == len(truth) >= 11
    assert found["found"] == sum(unseen[task] == "spam" for task in truth)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["holds"], found["sentence"]
    criterion = overview_of(team)["stopping"]["criteria"][4]
    assert (criterion["holds"], criterion["figure"]) == (True, found["low"])
    env = dict.fromkeys(os.environ) | {"NEXTLABEL_HOME": str(settings.home), "COLUMNS": "400"}
    env |= {"NEXTLABEL_DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    assert found["sentence"] in CliRunner().invoke(cli, ["status", "--project", team.project], env=env).stdout
    known = CliRunner().invoke(cli, ["status", "--json", "--project", team.project], env=env).stdout
    assert json.loads(known)["projects"][0]["recall"] == found
    for more, words in (({"recall_target": 0.99}, "not known yet"), ({"recall_class": "Spam"}, "set recall_class to")):
        team.choose(**{"audit_share": 0.3, "recall_class": "spam"} | more)
        assert words in overview_of(team)["recall"]["sentence"], "another option counts at once, without a new version"


def test_a_class_that_nobody_can_choose_is_refused_and_one_that_people_could_choose_keeps_nobody_from_connecting(
    team: Team,
) -> None:
    team.import_mails(20)
    with pytest.raises(SettingsError, match="'fraud', which nobody can choose: name one of 'ham', 'spam', or"):
        connect(team, recall_class="fraud")
    assert team.parts.connections.get(team.project).options.recall_class == ""
    connect(team, recall_class="spam")
    team.ask("ham", "other")
    connect(team, window=50)
    options = team.parts.connections.get(team.project).options
    assert (options.recall_class, options.window) == ("spam", 50)


def test_versions_are_checked_when_labels_have_grown_by_a_twentieth_and_what_no_one_needs_is_let_go(
    mails: Team,
) -> None:
    label(mails, 12, batch=20)
    label(mails, 3, batch=3)
    found = overview_of(mails)["stopping"]["checked"]
    labels = [one["labels"] for one in found]
    assert all(later >= 1.05 * earlier for earlier, later in pairwise(labels))
    assert labels[0] == 20
    assert all(one["since"] * 1.25 <= one["labels"] for one in found if one["since"])
    with mails.parts.database.read() as sql:
        rows = sql.execute(select(checkpoints.c.labels, checkpoints.c.predicted).order_by(checkpoints.c.number)).all()
    kept = [row.labels for row in rows if row.predicted]
    assert kept == [n for n in labels if n >= max(k for k in labels if k * RATIO <= labels[-1])]
    assert len(kept) < len(rows)


def test_labels_count_against_the_budget_and_for_their_class_whatever_became_of_the_version_of_them(
    mails: Team,
) -> None:
    """A version that a person chose keeps newer ones from serving."""
    mails.ask("ham", "spam", "phishing")
    label(mails, 2, batch=20)
    assert "'phishing' (0)" in overview_of(mails)["stopping"]["sentence"]
    mails.parts.models.promote(
        mails.project, mails.serving.version, fence=mails.parts.fences.next(mails.project), chosen=True
    )
    mails.choose(audit_share=0.2, budget=46)
    for task in mails.queue()[:7]:
        mails.label(task, "phishing")
    mails.run()
    found = overview_of(mails)
    assert (found["labels"], found["labeled"]) == (40, 47)
    assert found["stopping"]["budget_spent"]
    assert found["stopping"]["sentence"].startswith("The budget of 46 labels is spent (47).")
    assert "phishing" not in found["stopping"]["sentence"] + found["at_a_time"]["sentence"]


def test_another_labeling_config_begins_anew_and_a_class_without_labels_is_named(mails: Team) -> None:
    label(mails, 6)
    assert overview_of(mails)["stopping"]["checked"]
    mails.ask("ham", "spam", "phishing")
    label(mails, 1)
    found = overview_of(mails)
    assert len(found["stopping"]["checked"]) == 1
    assert "fewer than 5 labels of 'phishing' (0)" in found["stopping"]["sentence"]
    assert found["at_a_time"]["rare"] == {"label": {"phishing": 0}}
    assert "Ask for tasks of 'phishing' (0) first" in found["at_a_time"]["sentence"]


def test_tasks_that_come_later_are_compared_too_and_what_was_found_stays(team: Team) -> None:
    team.import_mails(60)
    team.run()
    label(team, 4)
    before = len(overview_of(team)["stopping"]["checked"])
    team.import_mails(600)
    label(team, 3)
    found = overview_of(team)["stopping"]["checked"]
    assert len(found) > before
    assert found[before - 1 :][-1]["since"]
    last = team.parts.checkpoints.predicted(team.project, found[-1]["version"])["label"]
    assert len(last) == 660


KINDS_OF_LABELS: dict[TargetKind, Callable[[int], object]] = {
    "choice": lambda n: "ab"[n % 2],
    "choices": lambda n: ["a"] if n % 2 else ["a", "b"],
    "number": lambda n: float(n % 2) * 3 + n % 3 / 10,
    "spans": lambda n: [[0, 4, "ab"[n % 2]]],
    "ranking": lambda n: ["x", "y"] if n % 2 else ["y", "x"],
}


@pytest.mark.parametrize("kind", representing(KINDS_OF_LABELS, {"choice", "number", "ranking"}))
def test_versions_of_every_kind_of_target_are_checked_and_compared(
    kind: TargetKind, parts: Parts, tmp_path: Path
) -> None:
    items = [{"id": "x", "title": "good"}, {"id": "y", "title": "bad"}]
    words = "word" if kind == "spans" else "odd"
    tasks = [Task(TaskId(str(n)), {"text": f"{words} {WORDS[n % 2]} {n}", "items": items}) for n in range(240)]
    labels = ("a", "b") if kind in ("choice", "choices", "spans") else ()
    target = Target("q", kind, (Input("text"),), labels, options="items" if kind == "ranking" else "")
    project, stopping = ProjectId("p"), Stopping(parts.checkpoints)
    fence = parts.fences.next(project)
    for size in (60, 90, 96):
        given = [{"q": KINDS_OF_LABELS[kind](n)} for n in range(size)]
        labeled = Labeled(tuple(tasks[:size]), tuple(given), (None,) * size)
        source = Source(TextFeatureCache(tmp_path).features, VectorCache(tmp_path), lambda address: b"")
        audits = [task.id for task in tasks[:size:2]]
        bench = TargetsWorkbench(LabelSchema((target,)), labeled, tasks[size:], source, seed=0, audits=audits)
        model = bench.learn(None, lambda: None).model
        assert stopping.note(project, bench, ModelVersion(f"v{size}"), model, fence=fence)
    found = parts.checkpoints.figures(project)
    assert [one.checked.since for one in found] == [None, 60, 60]
    assert all(0 <= one.checked.error["q"] <= 1 for one in found)
    assert -1 <= found[-1].checked.alike["q"] <= 1
    assert 0 <= found[-1].checked.changed["q"] <= 1
    assert found[-1].forecasts["q"].low <= found[-1].forecasts["q"].high
    assert set(found[-1].saved) == (set() if kind == "spans" else {"q"})
