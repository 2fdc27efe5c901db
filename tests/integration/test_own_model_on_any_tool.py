"""A team's own scikit-learn model on a tool without Label Studio's words, and what such a tool refuses."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from everything import representing
from integration.conftest import Team
from integration.test_hosted_loop import publish, unsure
from nextlabel import wiring
from nextlabel.errors import HostedModelError, OutdatedModel
from nextlabel.estimators.hosted import HostedProject
from nextlabel.labeling import Input, LabelSchema, Scale, Target, Task
from nextlabel.ports.requests import PredictRequest
from nextlabel.ports.tool import Finding, MLBackendWords
from nextlabel.service.connecting import Wanted
from nextlabel.settings import Settings
from nextlabel.wiring import Parts
from nextlabel_connectors.memory import MemoryTool

MODELS = Path(__file__).parent / "models"
FILE = MODELS / "estimators.py"
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "own_model.py"
TEXT = (Input("text"),)
Floats = NDArray[np.float64]
TeamOf = Callable[..., Team]


@pytest.fixture
def installed(settings: Settings) -> Iterator[Parts]:
    """An installation with scikit-learn models of one file, and a model for label-studio-ml."""
    named = f"letters={FILE}:letters,amounts={FILE}:amounts,words={MODELS}/one_x.py:TextClassifier"
    named += f",example={EXAMPLE}:subjects"
    own = replace(settings, models=named)
    parts = wiring.build(own, own.redis_url or "")
    yield parts
    parts.redis.close()
    parts.database.dispose()


@dataclass(frozen=True, slots=True)
class Kind:
    """``label`` is what people say of a mail; ``doubts`` is how unsure scikit-learn itself is of some texts, having
    learned some others."""

    model: str
    target: Target
    label: Callable[[str, str], Any]
    doubts: Callable[[Any, Sequence[str], Sequence[Any], Sequence[str]], Floats]


def _of_one(letters: Any, texts: Sequence[str], labels: Sequence[Any], asked: Sequence[str]) -> Floats:
    return np.asarray(1 - clone(letters.letters).fit(texts, labels).predict_proba(asked).max(axis=1))


def _of_several(letters: Any, texts: Sequence[str], labels: Sequence[Any], asked: Sequence[str]) -> Floats:
    each = OneVsRestClassifier(LogisticRegression(C=100, max_iter=1000))
    given = np.array([[one in printed for one in ("ham", "spam", "long")] for printed in labels], dtype=int)
    chances = make_pipeline(letters.Lengths(), each).fit(texts, given).predict_proba(asked)
    return np.asarray(1 - np.maximum(chances, 1 - chances).mean(axis=1))


def _of_number(letters: Any, texts: Sequence[str], labels: Sequence[Any], asked: Sequence[str]) -> Floats:
    _, spread = clone(letters.amounts).fit(texts, labels).predict(asked, return_std=True)
    return np.asarray(1 - 1 / (1 + spread / np.std(labels)))


KINDS = {
    "a single choice": Kind("letters", Target("label", "choice", TEXT, ("ham", "spam")), lambda text, it: it, _of_one),
    "several choices": Kind(
        "letters",
        Target("topics", "choices", TEXT, ("ham", "spam", "long")),
        lambda text, it: [it, "long"] if len(text) > 30 else [it],
        _of_several,
    ),
    "a number": Kind(
        "amounts",
        Target("size", "number", TEXT, scale=Scale(0, 10, 0.5)),
        lambda text, it: round(len(text) / 10 + text.count("e") / 4) / 2,
        _of_number,
    ),
}


def estimators(file: Path = FILE) -> Any:
    spec = importlib.util.spec_from_file_location("the_teams_own", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def team_for(kind: Kind, tool: MemoryTool, parts: Parts) -> Team:
    team = Team(tool, parts, tool.create_project(["ham", "spam"]))
    team.choose(model=kind.model)
    with tool.opened(team.at_tool) as it:
        it.schema = LabelSchema((kind.target,), shown=TEXT)
    return team


def texts_of(team: Team) -> dict[str, Task]:
    with team.tool.opened(team.at_tool) as it:
        return {task: row.task for task, row in it.rows.items()}


def label(team: Team, kind: Kind, n: int) -> dict[str, Any]:
    """What was said of n tasks, in the order in which they are served."""
    done: dict[str, Any] = {}
    for _ in range(n):
        task = team.take()
        printed = kind.label(str(texts_of(team)[task].data["text"]), team.truth[task])
        team.tool.submit(team.at_tool, task, {kind.target.name: printed}, "ann")
        done[task] = printed
    return done


@pytest.mark.parametrize("name", representing(KINDS, set(KINDS) - {"a number"}))
def test_one_model_file_learns_any_target_it_suits_and_orders_by_its_own_probabilities(
    name: str, tool: MemoryTool, installed: Parts
) -> None:
    kind = KINDS[name]
    team = team_for(kind, tool, installed)
    assert not isinstance(tool.connector(team.at_tool), MLBackendWords)
    team.import_mails(60)
    team.run()
    assert "untrained" in team.serving.version
    done = label(team, kind, 24)
    assert team.run().failure == ""
    assert set(team.serving.trained_on) == set(done)

    tasks = texts_of(team)
    learned = [task.id for task, _ in installed.store.annotated(team.project)]
    known = [str(tasks[task].data["text"]) for task in learned]
    served = team.queue()
    assert set(served) == set(tasks) - set(done)
    asked = [str(tasks[task].data["text"]) for task in served]
    expected = kind.doubts(estimators(), known, [done[task] for task in learned], asked)
    doubt = unsure(team)
    assert [doubt[task] for task in served] == pytest.approx(expected, abs=1e-6)
    assert [doubt[task] for task in served] == sorted(doubt.values(), reverse=True)
    assert len(set(doubt.values())) > 10

    _, answers = installed.service.predict(
        ("memory",),
        PredictRequest(team.at_tool, tuple(tasks[task] for task in served), LabelSchema((kind.target,))),
    )
    with tool.opened(team.at_tool) as it:
        shown = [it.order[task] for task in served]
    for answer, prediction, unsure_of_it in zip(answers, shown, expected, strict=True):
        assert answer
        assert prediction
        (guess,) = answer.guesses
        assert answer.guesses == prediction.guesses
        assert (guess.target, guess.label) == (kind.target.name, kind.target.read(guess.label))
        assert guess.confidence == pytest.approx(1 - unsure_of_it, abs=1e-6)


@pytest.mark.everything
def test_the_model_of_the_documentation_is_hosted_and_its_own_doubts_make_the_order(
    tool: MemoryTool, installed: Parts
) -> None:
    kind = replace(KINDS["a single choice"], model="example")
    team = team_for(kind, tool, installed)
    team.import_mails(40)
    done = label(team, kind, 16)
    assert team.run().failure == ""
    tasks = texts_of(team)
    learned = [task.id for task, _ in installed.store.annotated(team.project)]
    model = estimators(EXAMPLE).subjects()
    model.fit([str(tasks[task].data["text"]) for task in learned], [done[task] for task in learned])
    served = team.queue()
    chances = model.predict_proba([str(tasks[task].data["text"]) for task in served])
    assert [unsure(team)[task] for task in served] == pytest.approx(1 - chances.max(axis=1), abs=1e-6)


def test_a_label_that_was_changed_is_learned_and_one_that_does_not_fit_teaches_nothing(
    tool: MemoryTool, installed: Parts
) -> None:
    kind = KINDS["a single choice"]
    team = team_for(kind, tool, installed)
    team.import_mails(20)
    label(team, kind, 10)
    odd = tool.submit(team.at_tool, team.take(), "neither", "ann")
    team.run()
    before = team.serving
    assert team.run().trained is None, "the same labels are not learned twice"
    tool.change(team.at_tool, odd, "spam")
    assert team.run().trained
    assert team.serving.version > before.version


def test_a_target_that_no_scikit_learn_model_learns_is_named(tool: MemoryTool, installed: Parts) -> None:
    spans = Kind("letters", Target("names", "spans", TEXT, ("person",)), lambda text, it: it, _of_one)
    team = team_for(spans, tool, installed)
    team.import_mails(5)
    assert "nothing for a classifier, which learns one or several labels" in (received := team.run().failure)
    assert "'names' is spans" in received


@dataclass
class Report:
    """What `connect` says."""

    found: list[Finding] = field(default_factory=list)
    problems: int = 0

    def add(self, found: Finding) -> None:
        self.found.append(found)
        self.problems += found.level == "problem"

    line = add


def test_a_model_for_label_studio_ml_is_refused_where_there_are_no_such_words_before_anything_is_kept(
    tool: MemoryTool, installed: Parts
) -> None:
    at_tool = tool.create_project(["ham", "spam"])
    tool.add_tasks(at_tool, ["win a prize", "see you at four"])
    wanted, report = Wanted("memory", tool.access, at_tool, "memory:nextlabel"), Report()

    def connect(model: str) -> object:
        changes = {"model": model, "cold_start": 0}
        return installed.connecting.connect(wanted, changes, report=report, progress=lambda step, n: None)

    with pytest.raises(HostedModelError, match=r"is written for label-studio-ml, .* choose a scikit-learn model"):
        connect("words")
    assert (installed.connections.all(), tool.calls(at_tool)) == ([], [])
    connect("letters")
    assert report.problems == 0
    (connection,) = installed.connections.all()
    assert connection.options.model == "letters"


def test_a_model_for_label_studio_ml_that_is_chosen_later_fails_by_name_and_the_order_stays(
    tool: MemoryTool, installed: Parts
) -> None:
    kind = KINDS["a single choice"]
    team = team_for(kind, tool, installed)
    team.import_mails(20)
    label(team, kind, 8)
    team.run()
    before = team.in_force()
    team.choose(model="words")
    assert "It is written for label-studio-ml" in team.run().failure
    assert team.in_force() == before


class Earlier(HostedProject):
    """A version as releases up to 0.2.0 stored it: they did not note what a model learns."""

    def state(self) -> Mapping[str, object]:  # type: ignore[override]
        return {name: value for name, value in super().state().items() if name != "target"}


@pytest.mark.parametrize(("model", "again"), [("letters", True), ("words", False)])
def test_a_version_of_an_earlier_release_goes_on_or_is_learned_again_in_the_first_turn_and_the_log_says_so(
    model: str, again: bool, worded_tool: MemoryTool, installed: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    kind = replace(KINDS["a single choice"], model=model)
    team = Team(worded_tool, installed, worded_tool.create_project(["ham", "spam"]))
    team.choose(model=model)
    team.import_mails(20)
    label(team, kind, 10)
    team.run()
    now = installed.models.load(team.project, team.serving.version)
    assert isinstance(now, HostedProject)
    publish(team, Earlier(now.hosted, now.facts, now.files, lambda: "score"))
    earlier = team.serving
    with caplog.at_level(logging.WARNING):
        done = team.run()
    assert (done.trained is not None, "is learned again" in caplog.text) == (again, again)
    if again:
        with pytest.raises(OutdatedModel, match="was written by an earlier release"):
            installed.models.load(team.project, earlier.version)
    assert set(team.serving.trained_on) == set(earlier.trained_on)
    assert team.queue()
    assert unsure(team)
