"""A version asked about many tasks: by this process or by workers of other homes, what it says is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from rq import Queue

from integration.conftest import Team
from integration.test_hosted_loop import MODELS
from nextlabel import wiring
from nextlabel.estimators.hosted import HostedProject
from nextlabel.estimators.project import ProjectModel, SlowModel
from nextlabel.features.work import InPlace, Shards
from nextlabel.jobs.job_queue import SHARD_QUEUE
from nextlabel.labeling import Input, Label, ModelVersion, ProjectId, Result, Span, Target, Task, TaskId
from nextlabel.learning import scoring
from nextlabel.learning.scoring import Scorer
from nextlabel.measures.target_predictions import OwnPredictions, TargetPredictions
from nextlabel.settings import Settings
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryTool

Waiting = Callable[[Callable[[], bool]], None]
PIECES = Target("pieces", "spans", (Input("text"),), ("numbers", "prizes"))


@dataclass
class Counting:
    """Asks a model, and counts about how many tasks it was asked in this process."""

    model: SlowModel
    asked: int = 0

    def start(self) -> None:
        self.model.start()

    def plain_answers(self, tasks: Sequence[Task]) -> Sequence[object]:
        self.asked += len(tasks)
        return self.model.plain_answers(tasks)

    def from_plain_answers(self, predicted: Sequence[object]) -> TargetPredictions:
        return self.model.from_plain_answers(predicted)


@pytest.fixture
def shared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that would not be worth it is shared after the first tasks, in shards of ten."""
    monkeypatch.setattr(scoring, "_ALONE_SECONDS", 0)
    monkeypatch.setattr(scoring, "_WORTH_SECONDS", 0)
    monkeypatch.setattr(scoring, "_LARGEST_SHARD", 10)


@dataclass
class Version:
    """What is in service for a team, and the settings of the installation that trained it."""

    team: Team
    settings: Settings

    @property
    def slow(self) -> tuple[str, SlowModel]:
        model = self.team.parts.models.load(self.team.project, self.team.serving.version)
        if isinstance(model, HostedProject):
            return model.facts.name, model
        assert isinstance(model, ProjectModel)
        estimator = model.targets[PIECES.name].estimator
        assert isinstance(estimator, SlowModel)
        return PIECES.name, estimator

    def ask(
        self, shards: Shards, progress: Callable[[str, int], None] = lambda step, n: None
    ) -> tuple[list[int], list[Label], bytes, int]:
        """Which tasks it was asked about, what it said, how unsure it was, and how many were asked about here."""
        name, model = self.slow
        counting = Counting(model)
        scorer = Scorer(self.team.project, self.team.serving.version, shards, 60.0, 1, progress)
        places, predicted = scorer.target_predictions({name: counting}, self.team.parts.store.open(self.team.project))
        target_predictions = predicted[name]
        labels = [guess.label for guess in target_predictions.guesses(name)]
        return places.tolist(), labels, np.asarray(target_predictions.uncertainty).tobytes(), counting.asked


@pytest.fixture(params=["spans", "a team's own model"])
def version(request: pytest.FixtureRequest, worded_tool: MemoryTool, settings: Settings) -> Iterator[Version]:
    if request.param != "spans":
        settings = replace(settings, models=f"{MODELS / 'one_x.py'}:TextClassifier")
    parts = wiring.build(settings, settings.redis_url or "")
    team = Team(worded_tool, parts, worded_tool.create_project(["ham", "spam"]))
    team.choose()
    team.import_mails(400)
    if request.param == "spans":
        team.ask_also(PIECES)
    team.run()
    for _ in range(12):
        task = team.take()
        predicted: dict[str, Label] = {"label": team.truth[task]}
        if request.param == "spans":
            predicted[PIECES.name] = marked(team, task)
        team.tool.submit(team.at_tool, task, predicted, "ann")
    team.run()
    yield Version(team, settings)
    parts.redis.close()
    parts.database.dispose()


def marked(team: Team, task: TaskId) -> tuple[Span, ...]:
    """The number of each mail, and the words of prizes."""
    with team.tool.opened(team.at_tool) as it:
        text = str(it.rows[task].task.data["text"])
    found = [(text.index(word), word, "prizes") for word in ("prize", "winner", "bonus") if word in text]
    number = text.rpartition(" ")[2]
    found.append((len(text) - len(number), number, "numbers"))
    return tuple(Span(start, start + len(word), label) for start, word, label in sorted(found))


@contextmanager
def another_worker(settings: Settings, home: Path, jobs: Parts, eventually: Waiting) -> Iterator[None]:
    """A real one, of another home, as on another host."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NEXTLABEL_HOME": str(home)}
    environ |= {"REDIS_URL": settings.redis_url or "", "NEXTLABEL_DATABASE_URL": settings.database_url}
    environ |= {"NEXTLABEL_MODELS_URL": settings.models_url, "NEXTLABEL_MODEL": settings.models}
    process = subprocess.Popen([sys.executable, "-m", "nextlabel", "worker-process"], env=environ)
    try:
        eventually(lambda: jobs.job_queue.other_workers() == 1)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("shared_at_once")
def test_what_two_workers_say_together_is_what_one_says_alone(
    version: Version, tmp_path: Path, eventually: Waiting
) -> None:
    parts = version.team.parts
    places, labels, doubt, asked = version.ask(InPlace())
    assert asked == len(parts.store.open(version.team.project))
    assert len(set(map(str, labels))) > 1, "it says the same of all, so nothing could go astray"
    helped, shards = list[int](), Queue(SHARD_QUEUE, connection=parts.redis)

    def wait_for_help(step: str, n: int) -> None:
        if n > 5 * scoring._FIRST_PIECE and not helped:  # four and sixteen alone, and a shard
            eventually(lambda: bool(shards.finished_job_registry.get_job_ids(cleanup=False)))
            helped.append(n)

    with another_worker(version.settings, tmp_path / "another host", parts, eventually):
        *together, asked_here = version.ask(parts.shards, wait_for_help)
    assert together == [places, labels, doubt]
    assert asked_here < asked
    assert not list(parts.redis.scan_iter("rq:group:*"))


@pytest.mark.everything
@pytest.mark.usefixtures("shared_at_once")
def test_an_order_made_with_help_is_that_of_the_version_in_service(
    version: Version, tmp_path: Path, eventually: Waiting
) -> None:
    team = version.team
    with another_worker(version.settings, tmp_path / "another host", team.parts, eventually):
        team.import_mails(100)
        received = team.run()
    assert received.receipt is not None
    doubt = dict(zip(*unsure(version), strict=True))
    served = [doubt[task] for task in team.queue(100)]
    assert served[0] > served[-1]
    if version.settings.models:  # by the only target; of two, both count
        assert served == sorted(served, reverse=True)


def unsure(version: Version) -> tuple[list[TaskId], list[float]]:
    tasks = version.team.parts.store.open(version.team.project)
    name, model = version.slow
    _, predicted = Scorer(version.team.project, version.team.serving.version, InPlace(), 60.0, 0).target_predictions(
        {name: model}, tasks
    )
    return [task.id for task in tasks], predicted[name].uncertainty.tolist()


def test_a_worker_whose_file_of_the_model_is_another_one_leaves_it_to_others(
    worded_tool: MemoryTool, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "model.py"
    shutil.copy(MODELS / "one_x.py", file)
    parts = wiring.build(replace(settings, models=f"{file}:TextClassifier"), settings.redis_url or "")
    team = Team(worded_tool, parts, worded_tool.create_project(["ham", "spam"]))
    team.choose()
    team.import_mails(20)
    team.run()
    needs = f'["{team.project}", "{team.serving.version}", "TextClassifier"]'
    prepare = scoring.helper(parts.models.load, parts.hosts.learner)
    assert prepare(needs) is not None
    file.write_text(file.read_text() + "\n# another one\n")
    assert prepare(needs) is None
    parts.redis.close()
    parts.database.dispose()


# --- time --------------------------------------------------------------------------------------------------


@dataclass
class Lengths:
    """Says how long the texts of tasks are."""

    asked: list[TaskId] = field(default_factory=list)

    def start(self) -> None:
        """There is nothing to be started."""

    def plain_answers(self, tasks: Sequence[Task]) -> list[object]:
        self.asked += [task.id for task in tasks]
        return [len(str(task.data["text"])) for task in tasks]

    def from_plain_answers(self, predicted: Sequence[object]) -> OwnPredictions:
        assert all(isinstance(one, int) for one in predicted)
        lengths = np.array(predicted, dtype=np.float64)
        return OwnPredictions([Result(())] * len(predicted), 1 / (1 + lengths), [True] * len(predicted))


TASKS = [Task(TaskId(str(n)), {"text": "x" * n}) for n in range(1000)]


def test_without_any_time_a_few_tasks_drawn_at_random_are_asked_about_all_the_same() -> None:
    first, second = Lengths(), Lengths()
    scorer = Scorer(ProjectId("1"), ModelVersion("0001"), InPlace(), 0.0, 3)
    places, predicted = scorer.target_predictions({"one": first, "two": second}, TASKS)
    assert len(places) == scoring._FIRST_PIECE
    assert places.tolist() == sorted(places.tolist()) != list(range(len(places)))
    for target_predictions in predicted.values():
        assert target_predictions.uncertainty.tolist() == [1 / (1 + n) for n in places]
    assert second.asked == first.asked, "what the first model was not asked about is no use"


def test_with_time_enough_every_task_is_asked_about_once() -> None:
    model = Lengths()
    scorer = Scorer(ProjectId("1"), ModelVersion("0001"), InPlace(), 60.0, 3)
    places, predicted = scorer.target_predictions({"one": model}, TASKS)
    assert places.tolist() == list(range(len(TASKS)))
    assert sorted(model.asked) == sorted(task.id for task in TASKS)
    assert predicted["one"].uncertainty.tolist() == [1 / (1 + n) for n in places]
