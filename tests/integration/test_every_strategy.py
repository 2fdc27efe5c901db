"""Every strategy on every kind of target, connected to a tool in this process: it orders, or is refused by its name."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from e2e.kinds import KINDS, Kind
from everything import representing
from integration.conftest import Team
from nextlabel import wiring
from nextlabel.cli import EXIT_CONFIGURATION, cli
from nextlabel.errors import SettingsError
from nextlabel.labeling import Task, TaskId
from nextlabel.labeling.ranking import CandidatePool, Floats
from nextlabel.ports.requests import PredictRequest, SetupRequest
from nextlabel.settings import Settings
from nextlabel.strategies import finding
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from nextlabel_connectors.memory import MemoryTool

HERE = "integration.test_every_strategy"
MODEL = f"{Path(__file__).parent}/models/predicting.py:Lengths"
SPECS = {
    "skactiveml": "skactiveml:UncertaintySampling",
    "modal": f"modal:{HERE}.first_rows",
    "function": f"function:{HERE}.as_they_stand",
    "committee": "committee?members=3",
    "error_reduction": "error_reduction?candidates=3",
    "value_of_information": "value_of_information?candidates=3",
}
"""Strategies that somebody else made are chosen by a path; some of ours look less far ahead, which is quicker."""
TASKS, LABELS, SECONDS = 40, 14, 7.5

FURTHER_MODELS = {"committee", "error_reduction", "value_of_information"}
NO_CLASSES = {"balanced", "multilabel", "skactiveml"}
WITHOUT_CLASSES = {*FURTHER_MODELS, *NO_CLASSES, "greedy"}
REFUSED: Mapping[str, set[str]] = {
    "multiple choice": {"greedy", "skactiveml"},
    "taxonomy": {"greedy", "skactiveml"},
    "rating": NO_CLASSES,
    "number": NO_CLASSES,
    "spans": WITHOUT_CLASSES,
    "spans of a page": WITHOUT_CLASSES,
    "spans of turns": WITHOUT_CLASSES,
    "date": NO_CLASSES,
    "options of each task": WITHOUT_CLASSES,
    "several options of each task": WITHOUT_CLASSES,
    "spans with labels of each task": WITHOUT_CLASSES,
    "taxonomy of each task": WITHOUT_CLASSES,
    "order of items": WITHOUT_CLASSES,
    "buckets of items": WITHOUT_CLASSES,
    "two controls": WITHOUT_CLASSES,
    "own model": WITHOUT_CLASSES,
}
SINGLE_CHOICE = {"multilabel", "greedy"}


def first_rows(classifier: Any, features: Any, n_instances: int) -> list[int]:
    """As functions for modAL are called."""
    assert classifier.predict_proba(features).shape[0] >= n_instances
    return list(range(n_instances))


def as_they_stand(estimator: Any, pool: CandidatePool) -> Floats:
    return np.asarray(-pool.probabilities.max(axis=1))


@dataclass
class Project:
    """A project of one kind in which people have begun to label, and `nextlabel connect` for it."""

    team: Team
    kind: Kind | None
    environ: Mapping[str, str]
    number: dict[TaskId, int] = field(default_factory=dict)

    def connect(self, strategy: str) -> Result:
        arguments = ("--url", "memory:", "--token", self.team.tool.access.token, "--project", self.team.project)
        chosen = ("--option", f"strategy={strategy}", "--json")
        return CliRunner().invoke(cli, ["connect", *arguments, *chosen], env=dict(self.environ))

    def setup(self, strategy: str) -> None:
        """Label Studio sends what somebody typed as extra params."""
        schema = self.team.tool.connector(self.team.at_tool).label_schema()
        self.team.parts.service.setup(("memory",), SetupRequest(self.team.at_tool, schema, {"strategy": strategy}))

    def label(self, n: int) -> None:
        for _ in range(n):
            task = self.team.take()
            printed: str | Mapping[str, object] = self.team.truth.get(task, "")
            if self.kind is not None:
                config, n = parse_label_config(self.kind.config), self.number[task]
                printed = read_labels(self.kind.answer(n), config, self.kind.data(n))
            self.team.tool.submit(self.team.at_tool, task, printed, "ann", seconds=SECONDS + len(self.number) % 5)


@pytest.fixture
def project_of(worded_tool: MemoryTool, settings: Settings) -> Iterator[Callable[[str], Project]]:
    opened: list[wiring.Parts] = []

    def make(name: str) -> Project:
        kind = KINDS.get(name)
        allowed = (f"{HERE}.first_rows", f"{HERE}.as_they_stand")
        own = replace(settings, models="" if kind else MODEL, strategy_functions=allowed)
        parts = wiring.build(own, own.redis_url or "")
        opened.append(parts)
        parts.connections.note_address("http://127.0.0.1:9090")
        tool = worded_tool
        team = Team(tool, parts, tool.create_project(["ham", "spam"]))
        environ = {
            "NEXTLABEL_DATABASE_URL": own.database_url,
            "NEXTLABEL_CONNECTOR": "memory",
            "NEXTLABEL_HOME": str(own.home),
            "NEXTLABEL_MODEL": own.models,
            "NEXTLABEL_STRATEGY_FUNCTIONS": ",".join(allowed),
            "REDIS_URL": own.redis_url or "",
        }
        project = Project(team, kind, environ)
        if kind is None:
            team.import_mails(TASKS)
        else:
            with tool.opened(team.at_tool) as it:
                it.schema = parse_label_config(kind.config).schema
            tasks = tool.add_tasks(team.at_tool, [dict(kind.data(n)) for n in range(TASKS)])
            project.number = dict(zip(tasks, range(TASKS), strict=True))
        return project

    yield make
    for parts in opened:
        parts.redis.close()
        parts.database.dispose()


ALSO = {
    *("taxonomy", "number", "spans of a page", "spans of turns", "pairwise", "image choice", "table"),
    *("date", "several options of each task", "audio by metadata"),
}
"""To a strategy they are what another kind is: one label of several, some of several, or a number."""


@pytest.mark.parametrize("name", representing([*KINDS, "own model"], ALSO))
def test_every_strategy_orders_or_is_refused_by_name_with_those_that_work(
    name: str, project_of: Callable[[str], Project]
) -> None:
    project, refused = project_of(name), set()
    project.team.choose(strategy="random", cold_start=5)
    project.label(LABELS)
    project.team.run()
    working = set(finding.names()) - REFUSED.get(name, SINGLE_CHOICE)
    for one in finding.names():
        spec = SPECS.get(one, one)
        try:
            project.setup(spec)
        except SettingsError as error:
            refused.add(one)
            printed, done = str(error), project.connect(spec)
            assert (done.exit_code, printed in done.stderr.replace("\n", " ")) == (EXIT_CONFIGURATION, True), (
                done.stderr
            )
            assert printed.startswith(f"The strategy '{spec}' needs ")
            assert "This project has " in printed
            named = printed.partition("Strategies that work here: ")[2].rstrip(".").split(", ")
            assert set(named) - {"skactiveml"} == working - {"skactiveml"}
        else:
            assert_orders(project.team, spec)
    assert refused == REFUSED.get(name, SINGLE_CHOICE)


def assert_orders(team: Team, spec: str) -> None:
    """A turn of the loop puts the open tasks into a new order, and it is the strategy's own."""
    before, received = team.in_force(), team.run()
    assert (received.fallback, team.in_force()) == ("", received.receipt and received.receipt.version), spec
    assert team.in_force() != before
    queue = team.parts.orders.announced(team.project, newest=1)[0]
    assert queue.strategy.partition(",")[0] == spec
    assert len(set(queue.window)) == len(queue.window) == TASKS - LABELS


# --- a strategy that fails ---------------------------------------------------------------------------------

FAILING = {
    "divides by zero": ("1 / 0", "ZeroDivisionError: division by zero (.*, line 1)"),
    "wants too much memory": ("raise MemoryError('of 3 TB')", "MemoryError: of 3 TB"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "gives nothing": ("ranking = None", "'mine' gave NoneType that is no Ranking"),
    "gives ids": ("ranking = list(pool.tasks)", "'mine' gave list that is no Ranking"),
    "leaves tasks out": ("ranking = ranking.top(3)", "'mine' gave 3 distinct tasks of"),
    "repeats itself": ("ranking = Ranking(ranking.tasks[:1] * size, 'mine')", "'mine' gave 1 distinct tasks of"),
    "names strangers": ("ranking = Ranking((RankedTask('x', 0.5),) * size, 'mine')", "'mine' gave the task 'x'"),
    "gives NaN": ("ranking = Ranking((RankedTask(pool.tasks[0], float('nan')),), 'mine')", "no finite number"),
    "tells NaN of single tasks": ("self.value = float('nan')", "one finite number for each"),
}
MINE = """
from pathlib import Path
from nextlabel.labeling.ranking import RankedTask, Ranking

class Mine:
    name, value = "mine", 0.25

    def utilities(self, probabilities):
        return [self.value] * len(probabilities)

    def rank(self, pool, size):
        self.value = 0.25
        ranking = Ranking(tuple(RankedTask(task, 0.5) for task in sorted(pool.tasks)[:size]), "mine")
        scope = dict(globals(), ranking=ranking, pool=pool, size=size, self=self)
        exec(Path(__file__).with_name("more").read_text(), scope)
        return scope["ranking"]
"""


@pytest.fixture
def mine(team: Team, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Code that a strategy of the team's own runs whenever it ranks; its project has a first order of it."""
    folder = team.parts.settings.strategies_folder
    folder.mkdir(parents=True)
    monkeypatch.setattr(finding, "_folders", [folder])
    monkeypatch.syspath_prepend(folder)  # before the homes of other tests
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    code = folder / "more"
    code.write_text("", encoding="utf-8")
    team.choose(strategy="mine", cold_start=5)
    team.import_mails(40)
    team.work(8)
    team.run()
    yield code
    sys.modules.pop("mine", None)


def shown(team: Team) -> list[str]:
    """What `nextlabel status` says of the project."""
    settings = team.parts.settings
    environ = {
        "NEXTLABEL_DATABASE_URL": settings.database_url,
        "NEXTLABEL_HOME": str(settings.home),
        "NEXTLABEL_CONNECTOR": "memory",
        "REDIS_URL": settings.redis_url or "",
    }
    received = CliRunner().invoke(cli, ["status", "--json"], env=environ).stdout
    return [found["message"] for found in json.loads(received)["projects"][0]["findings"]]


@pytest.mark.parametrize("name", FAILING)
def test_a_strategy_that_fails_costs_no_order_and_is_told_until_it_works_again(
    name: str, team: Team, mine: Path
) -> None:
    code, reason = FAILING[name]
    assert list(team.queue()) == sorted(team.queue())
    mine.write_text(code, encoding="utf-8")
    team.work(1)
    before = team.in_force()
    team.parts.turns.take(team.project)
    assert team.in_force() != before
    (received,) = shown(team)
    assert re.search(reason, received), received
    assert "Tasks come in the order of 'adaptive' meanwhile" in received
    failed = team.queue()
    team.parts.turns.take(team.project)  # on schedule, without a label
    assert team.queue() == failed
    team.choose(strategy="adaptive", cold_start=5)
    team.run()
    in_default_order = team.queue()
    assert (failed == in_default_order) == (name != "tells NaN of single tasks")
    team.choose(strategy="mine", cold_start=5)
    mine.write_text("", encoding="utf-8")
    team.work(1)
    team.parts.turns.take(team.project)
    assert (shown(team), list(team.queue())) == ([], sorted(team.queue()))


def test_a_person_who_ends_the_process_is_no_failure_of_the_strategy(team: Team, mine: Path) -> None:
    mine.write_text("raise KeyboardInterrupt", encoding="utf-8")
    team.work(1)
    with pytest.raises(KeyboardInterrupt):
        team.run()


@pytest.mark.parametrize("stored", ["spread", "mine?depth=3", "multilabel", "cost:margin"])
def test_a_stored_strategy_that_cannot_work_here_any_more_stops_neither_the_order_nor_predictions(
    stored: str, team: Team, mine: Path
) -> None:
    """It was deleted, or the labeling config changed, or the tool does not tell how long labels took."""
    team.choose(strategy=stored, cold_start=5)
    team.parts.turns.take(team.project)
    (received,) = shown(team)
    assert stored.partition("?")[0] in received
    assert "in the order of 'adaptive'" in received
    schema = team.tool.connector(team.at_tool).label_schema()
    asked = PredictRequest(team.at_tool, (Task(TaskId("x"), {"text": "win a prize"}),), schema)
    version, (prediction,) = team.parts.service.predict(("memory",), asked)
    assert (version, prediction is not None) == (team.in_force(), True)
    assert team.parts.service.setup(("memory",), SetupRequest(team.at_tool, schema, None)) == version


def test_cost_asks_first_for_what_is_read_quickly(team: Team) -> None:
    """Of tasks that the model is equally unsure of, once the tool has told how long some labels took."""
    tasks = team.tool.add_tasks(team.at_tool, [f"{word} {'la ' * n}" for n in range(1, 9) for word in ("win", "see")])
    for n, task in enumerate(tasks[:8]):
        team.tool.submit(team.at_tool, task, "spam" if n % 2 == 0 else "ham", "ann", seconds=10.0 * (n // 2 + 1))
    open_tasks = team.tool.add_tasks(team.at_tool, ["da " * 400, "da " * 2, "da " * 20])
    team.choose(strategy="cost:least_confidence", cold_start=5)
    assert team.run().fallback == ""
    assert [task for task in team.queue() if task in open_tasks] == [open_tasks[n] for n in (1, 2, 0)]
