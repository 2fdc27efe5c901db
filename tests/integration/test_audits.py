"""Audit tasks in the loop: drawn at random, never chosen, not to be told from others, and what is measured on them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from integration.conftest import WORDS
from integration.test_honesty import OTHER, mails
from integration.test_loop import STARS, everything_said, target_predictions
from nextlabel.cli import cli
from nextlabel.evaluation.intervals import mean_interval
from nextlabel.evaluation.reserve import Reserve, audit_rate
from nextlabel.labeling import Prediction, TaskId
from nextlabel.loop.auditing import Audits, audits_of
from nextlabel.ports.requests import PredictRequest
from nextlabel.ports.state import AuditAnswer
from nextlabel.settings import Settings

if TYPE_CHECKING:
    from integration.conftest import Team

TASKS = 400


@pytest.fixture
def audited(team: Team) -> Team:
    """A project of 400 mails with audits, in order for the first time."""
    team.choose(audit_share=0.1)
    team.import_mails(TASKS)
    team.run()
    return team


@pytest.fixture
def same_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same audit tasks in every run of a test that measures what is drawn."""
    monkeypatch.setattr("nextlabel.storage.reserves.secrets", SimpleNamespace(token_hex=lambda size: "salt"))


def audit_tasks(team: Team) -> frozenset[TaskId]:
    return team.parts.reserves.tasks(team.project)


def accuracies(team: Team, name: str) -> dict[str, float]:
    (overview,) = team.parts.overview.projects(team.project)
    return dict(overview[name]["label"])


def shown(team: Team, tasks: Sequence[TaskId]) -> list[Prediction]:
    """The prediction that comes with each of these tasks."""
    with team.tool.opened(team.at_tool) as it:
        found = [it.order.get(task) for task in tasks]
    return [one for one in found if one is not None]


@pytest.mark.every_database
def test_a_share_of_all_tasks_is_reserved_and_served_among_the_ranked_ones(audited: Team) -> None:
    reserved = audit_tasks(audited)
    assert len(reserved) == 60
    served = audited.queue(200)
    first = [task in reserved for task in served[:100]]
    assert sum(first) == 100 * audit_rate(0)
    assert [sum(first[start : start + 5]) for start in range(0, 100, 5)] == [1] * 20
    assert len(set(served)) == 200


def test_no_strategy_chooses_an_audit_task_and_none_is_released_by_a_change_of_settings(audited: Team) -> None:
    reserved = audit_tasks(audited)
    for share in (0.5, 0, 0.02):
        audited.choose(audit_share=share)
        audited.work(5)
        audited.run()
        assert audit_tasks(audited) == reserved
    audited.choose(audit_share=0, window=TASKS)
    audited.work(1)
    audited.run()
    is_audit = [task in reserved for task in audited.queue()]
    assert is_audit == sorted(is_audit), "without audits they come after all others"


def test_new_tasks_are_reserved_too_and_those_that_came_with_a_label_are_not(audited: Team) -> None:
    before = audit_tasks(audited)
    came = audited.import_mails(400)
    for task in came[:200]:
        audited.label(task, audited.truth[task])
    audited.run()
    new = audit_tasks(audited) - before
    assert new
    assert new <= set(came[200:])
    assert audited.parts.reserves.progress(audited.project).labeled == 0


def test_a_turn_in_which_no_task_is_new_draws_nothing_and_comes_to_the_same(
    audited: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million tasks only those that are reserved are hashed."""
    parts, project = audited.parts, audited.project

    def audits() -> Audits:
        everyone, still_open = parts.store.task_ids(project), [task.id for task in parts.store.open(project)]
        labeled = [task.id for task in parts.store.labeled(project).tasks]
        return audits_of(project, parts.reserves, everyone, still_open, labeled, 0.1)

    for came in (0, 300, 400):  # from the least number to a tenth
        audited.import_mails(came)
        audited.work(20)
        audited.run()
        remembered = audits()
        parts.reserves.add(project, [], among="others", last="")
        assert replace(remembered, draw=None) == replace(audits(), draw=None)
        assert remembered.waiting
        assert remembered.labeled
    monkeypatch.delattr(Reserve, "sample")
    assert audited.run().trained is None
    audited.import_mails(1)
    with pytest.raises(AttributeError, match="sample"):
        audited.run()


def test_of_audit_tasks_that_are_deleted_none_is_replaced_and_none_is_counted(audited: Team) -> None:
    audited.work(20)
    audited.run()
    reserved = audit_tasks(audited)
    gone = [task for task in audited.queue() if task in reserved][:30]
    for task in gone:
        audited.tool.delete_task(audited.at_tool, task)
    audited.run()
    assert audit_tasks(audited) == reserved, "a strategy has chosen among the others"
    known = audited.parts.overview.project(audited.project)["audits"]
    assert (known["tasks"], known["labeled"]) == (60 - 30, 4)
    for task in set(audited.truth).difference(gone):
        audited.tool.delete_task(audited.at_tool, task)
    audited.run()
    known = audited.parts.overview.project(audited.project)["audits"]
    assert (known["tasks"], known["notes"]) == (0, ["not measured: there are no tasks"])


def test_what_a_changed_option_does_to_audits_is_told(audited: Team, settings: Settings) -> None:
    env = dict.fromkeys(os.environ) | {"NEXTLABEL_HOME": str(settings.home), "COLUMNS": "300"}
    env |= {"NEXTLABEL_DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    for share, stated in {
        0.1: "",
        0.3: "audit_share=0.3 changes nothing: 0.1 was drawn when the tasks were first read, and stays",
        0: "audits are stopped (audit_share=0): audit tasks come last, after all others",
    }.items():
        audited.choose(audit_share=share)
        audited.run()
        notes = audited.parts.overview.project(audited.project)["audits"]["notes"]
        assert [one for one in notes if "audit_share" in one] == [stated][: bool(stated)]
        status = CliRunner().invoke(cli, ["status", "--project", audited.project], env=env).stdout
        assert stated in status


def test_what_was_labeled_before_the_first_turn_is_no_audit(team: Team) -> None:
    team.choose(audit_share=0.1)
    tasks = team.import_mails(TASKS)
    for task in tasks[:300]:
        team.label(task, team.truth[task])
    team.run()
    assert audit_tasks(team) <= set(tasks[300:])
    known = team.parts.overview.project(team.project)["audits"]
    assert known.pop("notes")[-1] == "of the tasks that were open when 300 others were labeled already"
    assert known == {"tasks": len(audit_tasks(team)), "labeled": 0, "skipped": 0, "labeled_before": 300}


def test_nobody_can_tell_an_audit_task_by_what_is_shown_with_it(audited: Team) -> None:
    audited.work(40)
    audited.run()
    reserved, served = audit_tasks(audited), audited.queue(100)
    is_audit = np.array([task in reserved for task in served])
    is_blank = np.array([not one.guesses for one in shown(audited, served)])
    assert is_blank[is_audit].all()
    assert is_blank[~is_audit].sum() == is_audit.sum()
    unsure = np.array([one.uncertainty for one in shown(audited, served)])
    assert (unsure[:-1] >= unsure[1:]).all(), "as of any other task, by its place"


def test_the_accuracy_is_the_accuracy_while_agreement_on_what_was_asked_is_not(audited: Team) -> None:
    for _ in range(10):
        audited.work(20)
        audited.run()
    found, answers = accuracies(audited, "accuracy"), accuracies(audited, "accuracy_of_answers")
    assert found["n"] == len([task for task in audited.learned if task in audit_tasks(audited)]) >= 20
    assert found["low"] <= found["value"] <= found["high"]
    assert found["high"] > 0.95
    assert answers["low"] <= answers["value"] <= answers["high"]
    assert answers["n"] <= found["n"]


@pytest.fixture
def unclear(team: Team, same_salt: None) -> Team:
    """Mails of which half are unclear; 100 audit tasks are labeled and 100 others, none of them as phishing."""
    team.choose(audit_share=0.5)
    team.ask("ham", "spam", "phishing")
    import_unclear_mails(team, 600)
    team.run()
    reserved = sorted(audit_tasks(team))
    for task in [*reserved[:100], *sorted(set(team.truth).difference(reserved))[:100]]:
        team.label(task, team.truth[task])
    team.run()
    return team


def test_audit_tasks_without_a_label_make_the_accuracy_surer(unclear: Team) -> None:
    found, waiting = accuracies(unclear, "accuracy"), len(audit_tasks(unclear)) - 100
    assert f"by how sure it is of {waiting} without a label (PPI++)" in str(found["method"])
    plain = mean_interval(np.arange(100) < round(found["value"] * 100), pool=600)
    assert found["high"] - found["low"] < 0.98 * (plain.high - plain.low)
    assert found["low"] <= rightness(unclear) <= found["high"]


def test_each_class_with_ten_audit_labels_is_told_and_the_others_named(unclear: Team, settings: Settings) -> None:
    (overview,) = unclear.parts.overview.projects(unclear.project)
    told = overview["accuracy_by_class"]["label"]
    assert set(told["classes"]) == {"ham", "spam"}
    assert sum(one["n"] for one in told["classes"].values()) == 100
    assert told["untold"] == "too few audit labels of 'phishing' (0)"
    f1 = overview["figures_for_one_look"]["label"]["macro_f1"]
    assert f1["low"] < f1["value"] < f1["high"]
    env = dict.fromkeys(os.environ) | {"NEXTLABEL_HOME": str(settings.home), "COLUMNS": "300"}
    env |= {"NEXTLABEL_DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    of = "--project", unclear.project
    status = CliRunner().invoke(cli, ["status", *of], env=env).stdout
    assert "too few audit labels of 'phishing' (0)" in status
    assert f"macro f1 {f1['value']:.3f}" in status
    assert "not for repeated looks" in status
    shown = CliRunner().invoke(cli, ["models", "show", unclear.serving.version, *of, "--json"], env=env).stdout
    assert json.loads(shown)["accuracy_by_class"] == overview["accuracy_by_class"]


def import_unclear_mails(team: Team, n: int) -> None:
    """Of every second mail two words are of the other kind: nobody can know which it is."""
    rng = np.random.default_rng(1)
    labels = [str(label) for label in rng.choice(list(WORDS), n)]
    words = [rng.choice(WORDS[label], 4) for label in labels]
    for one, label in zip(words[::2], labels[::2], strict=True):
        one[:2] = rng.choice(WORDS["ham" if label == "spam" else "spam"], 2)
    tasks = team.tool.add_tasks(team.at_tool, [" ".join(one) for one in words])
    team.truth.update(zip(tasks, labels, strict=True))


def test_an_answer_counts_as_it_was_before_the_label_came_and_once(audited: Team) -> None:
    audited.work(40)
    audited.run()
    before = audited.parts.reserves.answers(audited.project)
    version = audited.serving.version
    wrong = {task: next(label for label in ("ham", "spam") if label != audited.truth[task]) for task in audited.queue()}
    first = next(task for task in audited.queue() if task in audit_tasks(audited))
    audited.label(first, wrong[first])
    audited.run()
    (answer,) = audited.parts.reserves.answers(audited.project)[len(before) :]
    assert (answer.task, answer.version, answer.whole) == (first, version, True)
    assert answer.predicted in WORDS
    assert answer.correctness == (answer.predicted == wrong[first])
    audited.label(first, audited.truth[first])
    audited.run()
    assert audited.parts.reserves.answers(audited.project)[len(before) :] == [answer]


def test_of_a_task_that_is_asked_two_things_at_different_times_each_is_an_answer_once(audited: Team) -> None:
    audited.ask_also(STARS)
    audited.run()
    rest = [task for task in audited.truth if task not in audit_tasks(audited)][:60]
    for task in rest:
        both = {"label": audited.truth[task], "stars": 1.0 + 4.0 * (audited.truth[task] == "spam")}
        audited.tool.submit(audited.at_tool, task, both, "ann")
    audited.run()
    first = next(task for task in audited.queue() if task in audit_tasks(audited))
    for given in ({"label": audited.truth[first]}, {"stars": 5.0}, {"stars": 1.0}):
        audited.tool.submit(audited.at_tool, first, given, "ann")
        audited.run()
    answers = [one for one in audited.parts.reserves.answers(audited.project) if one.task == first]
    assert [one.target for one in answers] == ["label", "stars"]


def test_a_label_that_is_changed_is_no_answer_where_the_model_had_learned_the_earlier_one(audited: Team) -> None:
    first = next(task for task in audited.queue() if task in audit_tasks(audited))
    audited.label(first, audited.truth[first])
    audited.work(30)  # of which no model knew anything when they came
    audited.run()
    assert audited.serving.trained_on[first]
    audited.label(first, next(label for label in WORDS if label != audited.truth[first]))
    audited.run()
    assert not audited.parts.reserves.answers(audited.project)


def test_answers_about_one_label_and_about_several_make_one_figure(audited: Team) -> None:
    """As where the control of a single choice now takes several: the newer ones do not hide the older ones."""
    for whole, some in ((True, range(12)), (False, range(12, 15))):
        answers = [AuditAnswer("label", TaskId(str(n)), 1.0, whole, audited.serving.version) for n in some]
        audited.parts.reserves.note_answers(audited.project, answers)
    assert accuracies(audited, "accuracy_of_answers")["n"] == 15


def test_the_only_target_that_is_measured_is_named_where_there_are_others(team: Team, settings: Settings) -> None:
    team.choose(audit_share=0.1)
    team.ask_also(STARS)
    team.import_mails(TASKS)
    team.run()
    for task in sorted(audit_tasks(team))[:20]:
        team.label(task, team.truth[task])
    team.run()
    assert team.parts.overview.project(team.project)["accuracy"].keys() == {"label"}
    env = dict.fromkeys(os.environ) | {"NEXTLABEL_HOME": str(settings.home), "COLUMNS": "300"}
    env |= {"NEXTLABEL_DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    for command in (["status"], ["models", "list"]):
        assert "label: 100.0% (" in CliRunner().invoke(cli, [*command, "--project", team.project], env=env).stdout


def test_asked_by_the_tool_nothing_is_said_of_audit_tasks_but_to_who_is_drawing(audited: Team) -> None:
    audited.work(40)
    audited.run()
    reserved, served = audit_tasks(audited), audited.queue(20)
    with audited.tool.opened(audited.at_tool) as it:
        tasks = tuple(it.rows[task].task for task in served)
        schema = it.schema
    blank = [not one.guesses for one in shown(audited, served)]

    def asked(context: dict[str, object] | None) -> list[bool]:
        request = PredictRequest(audited.at_tool, tasks, schema, context)
        _, predictions = audited.parts.service.predict(("memory",), request)
        return [one is not None and not one.guesses for one in predictions]

    assert asked(None) == blank
    assert all(one for one, task in zip(blank, served, strict=True) if task in reserved)
    assert not any(asked({}))


# --- the gate ----------------------------------------------------------------------------------------------


def test_labels_that_are_wrong_do_not_get_a_worse_model_into_service(audited: Team) -> None:
    """Somebody mixes up the labels of whatever is asked, but not of the audit tasks, which others label."""
    for _ in range(6):
        audited.work(20)
        audited.run()
    reserved, before = audit_tasks(audited), rightness(audited)
    for _ in range(4):
        for _ in range(20):
            task = audited.take()
            label = audited.truth[task]
            given = label if task in reserved else {"ham": "spam", "spam": "ham"}[label]
            audited.tool.submit(audited.at_tool, task, given, "ann")
        done = audited.run()
    assert done.promotion is not None
    assert "behind the anchor, which serves again" in done.promotion.reason
    assert audited.serving.anchor
    assert rightness(audited) >= before - 0.02
    assert audited.in_force() == audited.serving.announced_version
    audited.parts.versions.rollback(audited.project)
    chosen, again = audited.serving.version, audited.take()
    audited.tool.submit(audited.at_tool, again, audited.truth[again], "ann")
    held = audited.run().promotion
    assert audited.serving.version == chosen
    assert held is not None
    assert f"behind the anchor, {chosen} stays, which a person chose: " in held.reason


@pytest.mark.everything
@pytest.mark.parametrize("seed", range(3))
def test_a_batch_of_wrong_labels_after_many_good_ones_does_not_make_what_serves_worse(team: Team, seed: int) -> None:
    """By then audit tasks come rarely: the labels do harm long before ten of them are new to the anchor."""
    team.choose(strategy="adaptive", audit_share=0.1, window=200)
    texts, labels = mails(1_000, seed, (0, 1, 1, 2))
    team.truth.update(zip(team.tool.add_tasks(team.at_tool, texts), labels, strict=True))
    team.run()
    for _ in range(20):
        team.work(20)
        team.run()
    reserved, before, served = audit_tasks(team), rightness(team), []
    for _ in range(5):
        for _ in range(20):
            task = team.take()
            label = team.truth[task]
            given = label if task in reserved else OTHER[label]
            team.tool.submit(team.at_tool, task, given, "ann")
        trained = team.run().trained
        served.append(rightness(team))
    assert min(served) >= before - 0.03
    assert trained is not None
    team.parts.versions.promote(team.project, trained)
    assert rightness(team) < before - 0.03, "they did harm"


def rightness(team: Team) -> float:
    """The share of all mails about which the version in service is right."""
    with team.tool.opened(team.at_tool) as it:
        tasks = [row.task for row in it.rows.values()]
    guesses = target_predictions(team, tasks).guesses("label")
    return float(np.mean([one.label == team.truth[task.id] for one, task in zip(guesses, tasks, strict=True)]))


def test_a_version_that_lost_a_label_does_not_serve_until_a_person_has_it_serve(audited: Team) -> None:
    audited.work(30)
    audited.run()
    before = audited.serving.version
    for task, label in everything_said(audited).items():
        if label == "spam":
            audited.label(task, "ham")
    done = audited.run()
    assert done.promotion is not None
    assert "1 labels that 5 tasks or more had when the model in service was trained are gone" in done.promotion.reason
    assert audited.serving.version == before
    assert done.trained is not None
    audited.parts.versions.promote(audited.project, done.trained)
    assert audited.serving.version == done.trained


def test_audit_labels_that_people_correct_do_not_turn_later_versions_down(audited: Team) -> None:
    for _ in range(6):
        audited.work(20)
        audited.run()
    measured = sorted(task for task in audited.learned if task in audit_tasks(audited))
    for task in measured[: len(measured) // 2]:
        audited.label(task, OTHER[audited.truth[task]])
    audited.work(5)
    done = audited.run()
    assert done.promotion is not None
    assert done.promotion.promoted, done.promotion.reason
