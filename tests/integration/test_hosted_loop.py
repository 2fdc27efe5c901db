"""The loop with a team's own model: fitted on whole annotations, in the order of its scores, whatever becomes of it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from everything import representing
from integration.conftest import Team
from integration.test_scores_of_others import connect
from nextlabel import wiring
from nextlabel.errors import ArtifactError, SettingsError
from nextlabel.estimators.hosted import HostedProject
from nextlabel.evaluation.recall import OF_OWN_MODEL
from nextlabel.features.source import Source
from nextlabel.hosting import HostedPrediction
from nextlabel.labeling import Label, Result, Task, TaskId
from nextlabel.learning import hosted
from nextlabel.loop import turn as loop
from nextlabel.options import ProjectOptions
from nextlabel.ports.requests import LabelEvent
from nextlabel.ports.state import ModelRecord, QueueRecord
from nextlabel.settings import Settings
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryTool

MODELS = Path(__file__).parent / "models"
TeamOf = Callable[..., Team]


@pytest.fixture
def team_of(worded_tool: MemoryTool, settings: Settings) -> Iterator[TeamOf]:
    """Makes teams whose installation names these models; all share a tool and a database."""
    opened: list[Parts] = []

    def make(
        models: str, *, home: Path | None = None, options: Mapping[str, object] | None = None, **limits: Any
    ) -> Team:
        files = (f"{MODELS}/{one}" if ".py" in one and "/" not in one else one for one in models.split(", "))
        named = ", ".join(files)
        own = replace(settings, models=named, home=home or settings.home, **limits)
        parts = wiring.build(own, own.redis_url or "")
        opened.append(parts)
        team = Team(worded_tool, parts, worded_tool.create_project(["ham", "spam"]))
        team.choose(**options or {})
        return team

    yield make
    for parts in opened:
        parts.redis.close()
        parts.database.dispose()


def predicted(team: Team, task: Task) -> Label:
    model = team.parts.models.load(team.project, team.serving.version)
    (target_predictions,) = model.predict([task], Source()).values()
    (guess,) = target_predictions.guesses("")
    return guess.label


def chosen(label: Label) -> str:
    """The choice in a model's result."""
    assert isinstance(label, Result)
    value = label.items[0]["value"]
    assert isinstance(value, dict)
    return str(value["choices"][0])


def unsure(team: Team) -> dict[str, float]:
    """How unsure the model in service is of each open task."""
    with team.tool.opened(team.at_tool) as it:
        tasks = [row.task for row in it.rows.values() if not row.annotations]
    model = team.parts.models.load(team.project, team.serving.version)
    (target_predictions,) = model.predict(tasks, Source()).values()
    return dict(zip([task.id for task in tasks], target_predictions.uncertainty.tolist(), strict=True))


def history(team: Team, state: str) -> list[ModelRecord]:
    return [record for record in team.parts.models.history(team.project) if record.state == state]


@pytest.mark.parametrize(
    "model",
    representing(
        ["one_x.py:TextClassifier", "two_x.py:TextClassifier", "sklearn.linear_model.LogisticRegression"],
        {"one_x.py:TextClassifier"},
    ),
)
def test_a_model_of_either_interface_learns_every_label_and_its_least_sure_tasks_come_next(
    model: str, team_of: TeamOf
) -> None:
    team = team_of(model)
    team.import_mails(60)
    team.run()
    untaught = team.serving.version
    done = team.work(20)
    received = team.run()
    assert received.failure == ""
    assert set(team.serving.trained_on) == set(done)
    assert team.serving.version != untaught
    assert team.in_force() == team.serving.announced_version
    doubt = unsure(team)
    served = [doubt[task] for task in team.queue()]
    assert served == sorted(served, reverse=True)
    assert served[0] > served[-1]
    task = team.take()
    with team.tool.opened(team.at_tool) as it:
        (shown,) = (it.order[task] or pytest.fail("nothing shown")).guesses
        assert shown.label == predicted(team, it.rows[task].task)
    if isinstance(shown.label, Result):
        assert shown.label.items[0]["from_name"] == "label"
    else:
        assert (shown.target, shown.label in ("ham", "spam"), shown.scored) == ("label", True, True)
    assert team.run().trained is None, "the same labels are not learned twice"


def test_of_several_people_a_model_of_scikit_learn_learns_what_most_of_them_say(team_of: TeamOf) -> None:
    team = team_of("sklearn.tree.DecisionTreeClassifier")
    tasks = team.import_mails(20)
    other = {"ham": "spam", "spam": "ham"}
    for task in tasks[:12]:
        label = team.truth[task]
        for who, given in (("ann", label), ("ben", label), ("cleo", other[label])):
            team.tool.submit(team.at_tool, task, given, who)
    assert team.run().failure == ""
    with team.tool.opened(team.at_tool) as it:
        labeled = [it.rows[task].task for task in tasks[:12]]
    assert [predicted(team, task) for task in labeled] == [team.truth[task] for task in tasks[:12]]


def test_tasks_with_nothing_to_read_come_last_whatever_a_teams_own_model_says_of_them(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier")
    blank = team.tool.add_tasks(team.at_tool, ["", " \n"])
    team.import_mails(30)
    for labels in (0, 12):
        team.work(labels)
        assert team.run().failure == ""
        assert set(team.queue()[-len(blank) :]) == set(blank)


@pytest.mark.everything
def test_how_many_labels_a_version_had_foretold_is_told_of_labels_that_it_had_not_seen(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier")
    tasks = team.import_mails(40)
    team.work(15)
    team.run()
    assert "foretold" not in team.serving.metrics, "there was no version that could have"
    with team.tool.opened(team.at_tool) as it:
        still_open = [row.task for row in it.rows.values() if not row.annotations]
    expected = [chosen(predicted(team, task)) == team.truth[task.id] for task in still_open]
    team.work(len(still_open))
    team.run()
    assert len(team.serving.trained_on) == len(tasks)
    assert team.serving.metrics["new_labels"] == len(still_open) == 25
    assert team.serving.metrics["foretold"] == pytest.approx(sum(expected) / 25)
    assert "of 25 new labels of the tasks asked" in team.serving.reason


def test_a_turn_asks_a_teams_own_model_once_about_each_new_label(
    team_of: TeamOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though those of audit tasks count twice: for the accuracy of the answers, and for what was foretold."""
    team = team_of("one_x.py:TextClassifier", options={"audit_share": 0.1})
    team.import_mails(100)
    team.work(15)
    team.run()
    before, asked = team.serving.version, list[TaskId]()
    ask = HostedProject.ask

    def counted(model: HostedProject, tasks: Sequence[Task], *given: Any, **limits: Any) -> Iterator[HostedPrediction]:
        asked.extend(task.id for task in tasks if task.id in done and limits)  # without a limit: of the next version
        return ask(model, tasks, *given, **limits)

    monkeypatch.setattr(HostedProject, "ask", counted)
    done = team.work(15)
    team.run()
    assert sorted(asked) == sorted(done)
    audits = team.parts.reserves.tasks(team.project).intersection(done)
    answers = team.parts.reserves.answers(team.project)
    assert {one.task for one in answers if one.version == before} == audits != frozenset()
    assert team.serving.metrics["new_labels"] == len(done)


def test_a_model_that_learns_is_shown_by_its_own_scores_from_enough_labels_on(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier", options={"show_predictions": "75%"})
    team.import_mails(90)
    team.run()
    likely = []
    for labels in (29, 1):
        team.work(labels)
        team.run()
        with team.tool.opened(team.at_tool) as it:
            order = {task: it.order[task] for task in it.queue()}
        likely.append({task for task, doubt in unsure(team).items() if 1 - doubt >= 0.75})
        assert 0 < len(likely[-1]) < len(order) == 90 - len(team.serving.trained_on)
        seen = {task for task, prediction in order.items() if prediction and prediction.guesses}
        assert seen == (likely[-1] if labels == 1 else set())


@pytest.mark.parametrize(("option", "seen"), [("always", 20), ("80%", 7), ("50", 20), ("never", 0)])
def test_a_model_that_only_predicts_waits_for_no_labels(option: str, seen: int, team_of: TeamOf) -> None:
    """Its regions' scores are 1 / (1 + the text's length mod 7), and mod 11, of which the mean counts."""
    team = team_of("predicting.py:Regions", options={"show_predictions": option})
    team.tool.add_tasks(team.at_tool, ["x" * n for n in (*[77] * 7, *range(1, 7), *range(8, 15))])
    team.run()
    with team.tool.opened(team.at_tool) as it:
        assert sum(bool(one and one.guesses) for one in it.order.values()) == seen


def test_an_annotation_that_holds_half_a_surrogate_pair_reaches_the_model_like_any_other(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier")
    team.import_mails(30)
    team.work(12)
    team.label(team.take(), "half a pair \ud83d")
    done = team.run()
    assert done.labels == 13
    assert r"'half a pair \ud83d' is not in list" in done.failure  # the model's own words


def test_a_withdrawn_label_is_unlearned(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier")
    team.import_mails(20)
    team.run()
    done = team.work(10)
    team.run()
    with team.tool.opened(team.at_tool) as it:
        (annotation,) = it.rows[done[0]].annotations
    team.tool.withdraw(team.at_tool, annotation)
    team.run()
    assert set(team.serving.trained_on) == set(done[1:])


@pytest.mark.parametrize(
    ("model", "limits", "received"),
    [
        ("raising.py:Obedient", {}, "raised in fit: RuntimeError: cannot learn from 10 tasks"),
        ("hanging.py:Hanging", {"model_fit_seconds": 2.0}, "did not fit within 2 s and was ended"),
        ("greedy.py:Greedy", {"model_memory_mb": 1500}, "ran out of memory in fit"),
    ],
)
def test_a_fit_that_fails_leaves_the_version_before_in_service_and_says_what_happened(
    model: str, limits: dict[str, float], received: str, team_of: TeamOf
) -> None:
    team = team_of(model, **limits)
    team.import_mails(30)
    team.run()
    before = team.serving
    team.work(10)
    done = team.run()
    assert received in done.failure
    assert received in done.sentence()
    assert team.serving == before
    (failed,) = history(team, "failed")
    assert received in failed.reason
    assert team.run().failure == "", "what has failed is not begun again with the same labels"
    assert team.in_force() == before.announced_version, "annotators go on in the order there was"
    team.take()

    team.parts.service.event(("memory",), LabelEvent(team.at_tool, "train"))
    assert received in team.run().failure, "it is tried again when a person asks for that"


def test_the_window_is_refilled_by_the_version_before_a_failed_one(team_of: TeamOf) -> None:
    team = team_of("raising.py:Obedient", options={"window": 10})
    team.import_mails(40)
    team.run()
    for _ in range(3):
        team.work(6)
        assert team.run().failure
        assert team.queue(4)
        with team.tool.opened(team.at_tool) as it:
            assert len([task for task in it.order if not it.rows[task].annotations]) >= 5


PATIENT = """
import time
from pathlib import Path
from label_studio_ml.model import LabelStudioMLBase

class Patient(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        return [{"result": [], "score": len(task["data"]["text"]) / 1000} for task in tasks]

    def fit(self, tasks, workdir=None, **kwargs):
        Path("FOLDER/fitting").touch()
        while Path("FOLDER/hold").exists():
            time.sleep(0.01)
        return {"tasks": len(tasks)}
"""


def test_while_a_model_is_fitted_for_hours_annotators_get_a_window_and_afterwards_only_what_is_still_open(
    team_of: TeamOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setattr(hosted, "_MEANWHILE_SECONDS", 0.1)
    monkeypatch.setattr(loop, "_LONG_SECONDS", 0.0)
    (tmp_path / "patient.py").write_text(PATIENT.replace("FOLDER", str(tmp_path)))
    team = team_of(f"{tmp_path / 'patient.py'}:Patient", options={"window": 10})
    team.import_mails(60)
    team.run()
    before = team.serving.version
    first = team.work(3)
    (tmp_path / "hold").touch()
    with ThreadPoolExecutor(1) as worker:
        turn = worker.submit(team.run)
        try:
            eventually((tmp_path / "fitting").exists)
            for _ in range(4):  # a window of ten would have run dry
                team.work(7)
                eventually(lambda: len(ahead(team)) >= 5)
            late = team.import_mails(5)
            eventually(lambda: set(late) <= {task.id for task in team.parts.store.open(team.project)})
            assert team.serving.version == before
        finally:
            (tmp_path / "hold").unlink()
        done = turn.result(timeout=CEILING_SECONDS)
    assert done.failure == ""
    assert set(team.serving.trained_on) == set(first)
    assert len(ahead(team)) == 10, "what was labeled during the fit has no place in the new window"


def ahead(team: Team) -> list[TaskId]:
    """Tasks of the order in force that are still open."""
    with team.tool.opened(team.at_tool) as it:
        return [task for task in it.order if not it.rows[task].annotations]


def test_a_model_that_only_predicts_orders_from_the_start_and_is_never_fitted(team_of: TeamOf) -> None:
    team = team_of("predicting.py:Lengths")
    team.import_mails(30)
    team.run()
    assert team.serving.version == "nextlabel-1", "it is not called untrained"
    doubt = unsure(team)
    served = [doubt[task] for task in team.queue()]
    assert served == sorted(served, reverse=True)
    team.work(5)
    assert team.run().trained is None
    assert history(team, "failed") == []


def test_a_task_on_which_the_model_fails_is_passed_over_and_the_others_are_ranked(team_of: TeamOf) -> None:
    team = team_of("predicting.py:Lengths")
    team.import_mails(20)
    (odd,) = team.tool.add_tasks(team.at_tool, ["raise an error"])
    (worse,) = team.tool.add_tasks(team.at_tool, ["leave at once"])
    team.run()
    doubt = unsure(team)
    assert doubt[odd] == doubt[worse] == 0.5
    assert len({doubt[task] for task in doubt}) > 3
    assert set(team.queue()) == set(doubt)


def test_a_model_that_fails_on_everything_leaves_the_order_as_it_was(team_of: TeamOf, tmp_path: Path) -> None:
    file = tmp_path / "changing.py"
    shutil.copy(MODELS / "predicting.py", file)
    team = team_of(f"{file}:Lengths")
    team.import_mails(20)
    team.run()
    before, order = team.serving, team.queue()
    file.write_text(file.read_text().replace("def predict(self", "def predict_no_more(self"))
    assert "predict" in team.run().failure
    assert (team.serving, team.queue()) == (before, order)


def test_an_edited_model_file_is_a_new_model_and_is_learned_with(team_of: TeamOf, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    shutil.copy(MODELS / "one_x.py", file)
    team = team_of(f"{file}:TextClassifier")
    team.import_mails(20)
    team.work(10)
    team.run()
    first = team.serving
    file.write_text(file.read_text().replace("0.15", "0.2"))
    team.run()
    assert team.serving.version > first.version
    assert team.serving.labels_digest == first.labels_digest


def test_a_fit_that_changes_nothing_makes_no_version_and_no_order_and_is_not_done_twice_for_the_same_labels(
    team_of: TeamOf,
) -> None:
    team = team_of("predicting.py:Silent")
    tasks = team.import_mails(40)
    team.run()
    before, order = team.serving, team.in_force()
    assert "untrained" in before.version
    assert set(team.queue()) == set(tasks), "a model that says nothing leaves every task its place"
    for labels in (5, 9):
        team.work(labels)
        for _ in range(2):
            done = team.run()
            assert (done.failure, done.trained, done.receipt) == ("", None, None)
    assert (team.serving.version, team.in_force()) == (before.version, order)
    assert [record.version for record in team.parts.models.history(team.project)] == [before.version]
    (fits,) = team.parts.settings.home.rglob("fits.txt")
    tried = [f"{labels} {event}" for labels in (5, 14) for event in (None, "ANNOTATION_CREATED")]
    assert fits.read_text().splitlines() == tried


def test_only_as_many_tasks_are_ranked_as_there_is_time_for(team_of: TeamOf) -> None:
    team = team_of("predicting.py:Slow", options={"rank_seconds": 1.0, "window": 50})
    team.import_mails(60)
    team.run()
    with team.tool.opened(team.at_tool) as it:
        ranked = len(it.order)
    assert 1 <= ranked < 50
    assert team.run().receipt is None, "a short window is no reason to rank again"


def test_a_project_may_be_learned_by_nextlabels_own_estimators_or_by_another_model(team_of: TeamOf) -> None:
    team = team_of(f"a={MODELS}/one_x.py:TextClassifier, b={MODELS}/two_x.py:TextClassifier")
    team.import_mails(30)
    team.work(15)
    learners = []
    for option in ("", "b", "built-in", "a"):
        team.choose(model=option)
        assert team.run().trained is not None, option
        learners.append(team.serving.learner.partition(" ")[0])
        assert len(team.serving.trained_on) == 15
        assert team.in_force() == team.serving.announced_version
    assert learners == ["a", "b", "", "a"]
    with pytest.raises(SettingsError, match="there are built-in, a, b"):
        team.parts.hosts.chosen("c")


def test_another_way_to_read_region_scores_makes_another_order(team_of: TeamOf) -> None:
    team = team_of("predicting.py:Regions")
    team.import_mails(20)
    orders = []
    for way in ("min", "max"):
        team.choose(region_scores=way)
        team.run()
        orders.append(team.queue())
        doubt = unsure(team)
        served = [doubt[task] for task in team.queue()]
        assert served == sorted(served, reverse=True)
    assert orders[0] != orders[1]


def test_a_version_serves_on_another_machine_from_its_artifact(team_of: TeamOf, tmp_path: Path) -> None:
    team = team_of("one_x.py:TextClassifier")
    team.import_mails(20)
    team.work(10)
    team.run()
    task = Task(team.take(), {"text": "prize cash win"})
    here = predicted(team, task)
    elsewhere = team_of("one_x.py:TextClassifier", home=tmp_path / "other").parts
    model = elsewhere.models.load(team.project, team.serving.version)
    (target_predictions,) = model.predict([task], Source()).values()
    assert target_predictions.guesses("")[0].label == here
    assert isinstance(model, HostedProject)
    assert model.files is not None
    assert model.files.is_relative_to(tmp_path / "other")


def test_files_of_a_version_that_were_changed_do_not_serve(team_of: TeamOf, tmp_path: Path) -> None:
    team = team_of("one_x.py:TextClassifier")
    team.import_mails(20)
    team.work(10)
    team.run()
    (packed,) = Path(team.parts.settings.models_url).rglob(f"{team.serving.version}-*.tar")
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 1
    packed.write_bytes(content)
    elsewhere = team_of("one_x.py:TextClassifier", home=tmp_path / "other").parts
    with pytest.raises(ArtifactError, match="is damaged"):
        elsewhere.models.load(team.project, team.serving.version)
    packed.unlink()
    version = team.serving.version
    team.run()
    assert team.serving.version > version, "what is lost is trained again"


def test_a_quick_model_is_asked_for_all_tasks_of_a_request_at_once(
    team_of: TeamOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is known to be quick; each question more costs a way to its process and back."""
    team = team_of("one_x.py:TextClassifier")
    team.import_mails(60)
    team.work(10)
    team.run()
    model = team.parts.models.load(team.project, team.serving.version)
    assert isinstance(model, HostedProject)
    asked: list[int] = []
    predict = model.hosted.predict

    def counted(tasks: Sequence[Mapping[str, object]], context: object) -> list[HostedPrediction]:
        asked.append(len(tasks))
        return predict(tasks, None)

    monkeypatch.setattr(model.hosted, "predict", counted)
    tasks = team.parts.store.open(team.project)
    for _ in range(2):
        model.predict(tasks, Source())
    assert (asked[0] < len(tasks), asked[-1]) == (True, len(tasks))


class Sharing(HostedProject):
    """A version whose files are those that an earlier one has packed."""

    def __init__(self, first: HostedProject, packed: Mapping[str, str]) -> None:
        super().__init__(first.hosted, first.facts, None, lambda: "min")
        self._packed = packed

    def state(self) -> dict[str, object]:
        return {**super().state(), "files": dict(self._packed)}


def publish(team: Team, model: HostedProject) -> None:
    """One more version, with an order of its own."""
    models, orders, last = team.parts.models, team.parts.orders, team.serving
    fence = team.parts.fences.next(team.project)
    version = models.next_version(team.project, informative=True)
    models.save(team.project, replace(last, version=version, state="trained"), model, fence=fence)
    models.promote(team.project, version, fence=fence)
    name = orders.reserve(team.project, version, fence=fence)
    orders.announce(team.project, QueueRecord(name, version, "margin", (), 0), fence=fence)


def test_files_of_a_version_that_is_let_go_stay_as_long_as_another_shares_them(team_of: TeamOf, tmp_path: Path) -> None:
    team = team_of("one_x.py:TextClassifier", keep_models=2)
    team.import_mails(20)
    team.work(10)
    team.run()
    task, first = Task(team.take(), {"text": "prize cash win"}), team.serving.version
    here, model = predicted(team, task), team.parts.models.load(team.project, first)
    assert isinstance(model, HostedProject)
    (packed,) = Path(team.parts.settings.models_url).rglob(f"{first}-*.tar")
    shared = {"artifact": str(packed), "sha256": hashlib.sha256(packed.read_bytes()).hexdigest()}
    for _ in range(3):
        publish(team, Sharing(model, shared))
    team.parts.retention.let_go(team.project)
    with pytest.raises(ArtifactError, match="was let go"):
        team.parts.models.load(team.project, first)
    os.utime(packed, (0, 0))
    team.parts.retention.sweep(team.project)
    elsewhere = replace(team, parts=team_of("one_x.py:TextClassifier", home=tmp_path / "other").parts)
    assert predicted(elsewhere, task) == here
    for _ in range(2):
        publish(team, Sharing(model, {}))
    assert packed.exists()
    team.parts.retention.let_go(team.project)
    assert not packed.exists()


def test_the_backend_decides_and_the_others_follow(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier")
    connections = team_of("").parts.connections
    assert connections.models() == ""
    connections.note_models(f"noted={MODELS}/one_x.py:TextClassifier")
    other = team_of("").parts
    assert other.hosts.chosen(ProjectOptions().model) == "noted"
    assert team.parts.hosts.chosen("") == "TextClassifier", "what a process was started with comes first"


def test_of_a_model_of_the_teams_own_no_recall_is_measured_and_no_labeled_task_is_weighed(team_of: TeamOf) -> None:
    team = team_of("one_x.py:TextClassifier")
    team.import_mails(30)
    team.run()
    team.work(12)
    team.run()
    before = team.parts.connections.get(team.project)
    for option in ({"recall_class": "spam"}, {"relabel": "auto"}):
        with pytest.raises(SettingsError, match="learned by your own model 'TextClassifier'"):
            connect(team, **option)
    assert team.parts.connections.get(team.project) == before
    team.parts.connections.save(replace(before, options=replace(before.options, recall_class="spam")))
    (overview,) = team.parts.overview.projects(team.project)
    assert overview["recall"]["sentence"] == OF_OWN_MODEL
