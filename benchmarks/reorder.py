"""What it takes to keep 10,000 tasks of a real Label Studio in order: seconds, requests, predictions written."""

from __future__ import annotations

import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from benchmarks.figures import Figure, over_repeats, stopwatch
from benchmarks.mails import TWO, short_texts, truth
from benchmarks.processes import parts_of, temporary_home
from nextlabel.features.source import Source
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import Guess, Prediction, ProjectId, QueueVersion, TaskId, ToolProjectId
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.loop.turn import ActiveLearning
from nextlabel.ports.tool import Connector
from nextlabel.strategies import finding
from nextlabel.testing import connection_to
from nextlabel.wiring import Parts
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.connector import LabelStudioConnector
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer, single_choice
from nextlabel_connectors.label_studio.testing.people import CONTROL, chosen

_TASKS, _LABELED, _WINDOW, _NEW_LABELS, _REPEATS = 10_000, 200, 200, 5, 5
_IMPORT_LOT = 2500
_AIM_SECONDS = 2.0


class CountingTransport(httpx.HTTPTransport):
    """Counts requests on their way out, and how long each kind takes to be answered."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()
        self.answered: defaultdict[str, list[float]] = defaultdict(list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent[request.method] += 1
        kind = f"{request.method} {re.sub('[0-9]+', 'N', request.url.path)}"
        with stopwatch() as seconds:
            response = super().handle_request(request)
            response.read()
        self.answered[kind].append(seconds())
        return response

    def take(self) -> tuple[int, int]:
        """Reads and writes since the last time it was asked."""
        reads, writes = self.sent["GET"], self.sent.total() - self.sent["GET"]
        self.sent.clear()
        return reads, writes


@dataclass(slots=True)
class _Steps:
    """How long each step of one turn of the loop took, from the progress that it tells."""

    started: float = field(default_factory=time.perf_counter)
    begun: dict[str, float] = field(default_factory=dict)

    def __call__(self, step: str, n: int) -> None:
        now = time.perf_counter()
        # "sync" is told after each page, the other steps as they begin.
        self.begun[step] = self.started if step == "sync" else now

    def seconds(self) -> dict[str, float]:
        ends = [*list(self.begun.values())[1:], time.perf_counter()]
        return {step: end - start for (step, start), end in zip(self.begun.items(), ends, strict=True)}


def run() -> Iterator[Figure]:
    """Yields figures of the first turn, of turns after five labels each, and of a reorder by itself."""
    with LabelStudioServer() as server, temporary_home() as home:
        with stopwatch() as seconds:
            project = _fill(server.owner)
        yield Figure("Label Studio", f"import of {_TASKS:,} tasks", seconds(), "s", note="by its own import, not ours")
        transport = CountingTransport()
        connector = LabelStudioConnector(
            LabelStudioClient(server.legacy_access, transport=transport), ToolProjectId(project)
        )
        parts = parts_of(home)
        parts.connections.save(connection_to(project, "label_studio", server.legacy_access))
        loop = _loop(parts, connector)
        yield from _features(parts)
        yield from _first_turn(loop, parts, project, transport)
        yield from _later_turns(loop, parts, project, transport, server.owner)
        yield from _reorders(connector, parts, project, transport, server.owner)


def _fill(owner: LabelStudioPerson) -> ProjectId:
    """10,000 short texts; the first 200 carry the labels of the mails that they begin."""
    project = owner.create_project("10,000 tasks", single_choice(TWO))
    tasks: list[dict[str, object]] = [{"data": {"text": text}} for text in short_texts()[:_TASKS]]
    for task, text in zip(tasks[:_LABELED], short_texts(), strict=False):
        task["annotations"] = [{"result": chosen(truth(text)), "ground_truth": False}]
    for start in range(0, _TASKS, _IMPORT_LOT):
        owner.import_tasks(project, tasks[start : start + _IMPORT_LOT])
    return ProjectId(str(project))


def _loop(parts: Parts, connector: Connector) -> ActiveLearning:
    """The loop as it is wired, but for the connector, whose requests are counted."""
    return ActiveLearning(
        connections=parts.connections,
        store=parts.store,
        registry=parts.models,
        orders=parts.orders,
        reserves=parts.reserves,
        checkpoints=parts.checkpoints,
        fences=parts.fences,
        reviews=parts.reviews,
        open_connector=lambda connection: connector,
        strategy=finding.make,
        source=lambda project: Source(TextFeatureCache(parts.settings.home / "features" / project).features),
        hosts=parts.hosts,
    )


def _features(parts: Parts) -> Iterator[Figure]:
    texts = short_texts()[:_TASKS]
    cache = TextFeatureCache(parts.settings.home / "features-alone")
    for name in ("counted for the first time", "found in the cache"):
        with stopwatch() as seconds:
            cache.features(texts)
        yield Figure("loop, 10k tasks", f"features {name}", seconds(), "s")


def _first_turn(
    loop: ActiveLearning, parts: Parts, project: ProjectId, transport: CountingTransport
) -> Iterator[Figure]:
    steps = _Steps()
    done = loop.run(project, parts.fences.next(project), steps)
    reads, writes = transport.take()
    taken = steps.seconds()
    note = f"{reads} reads, {writes} writes; {done.changed:,} tasks, {done.labels} labels"
    yield Figure("loop, 10k tasks", "first turn", sum(taken.values()), "s", note=note)
    for step, name in (("sync", "first pull"), ("fit", "fit, with first features"), ("reorder", "first reorder")):
        yield Figure("loop, 10k tasks", name, taken[step], "s")


def _later_turns(
    loop: ActiveLearning, parts: Parts, project: ProjectId, transport: CountingTransport, owner: LabelStudioPerson
) -> Iterator[Figure]:
    turns: list[dict[str, float]] = []
    for _ in range(_REPEATS):
        _label(owner, project, _NEW_LABELS)
        steps = _Steps()
        done = loop.run(project, parts.fences.next(project), steps)
        turns.append(steps.seconds())
        reads, writes = transport.take()
        if done.trained is None:
            raise RuntimeError(f"Nothing was trained: {done.sentence()}")
    full = [turn for turn in turns if "reorder" in turn]  # a model that was turned down leaves the order as it is
    note = f"{reads} reads, {writes} writes in the last; {len(full)} of {len(turns)} models promoted"
    everything = [sum(turn.values()) for turn in full or turns]
    yield over_repeats("loop, 10k tasks", f"turn after {_NEW_LABELS} labels", everything, "s", note=note)
    for step in ("sync", "fit", "rank", "reorder"):
        if seconds := [turn[step] for turn in turns if step in turn]:
            name = {"sync": "pull"}.get(step, step)
            yield over_repeats("loop, 10k tasks", f"{name} after {_NEW_LABELS} labels", seconds, "s")


def _reorders(
    connector: Connector, parts: Parts, project: ProjectId, transport: CountingTransport, owner: LabelStudioPerson
) -> Iterator[Figure]:
    still_open = [task.id for task in parts.store.open(project)]
    took: list[float] = []
    transport.answered.clear()
    for n in range(_REPEATS):
        window = random.Random(n).sample(still_open, _WINDOW)
        version = QueueVersion(f"bench-{n}")
        transport.take()
        with stopwatch() as seconds:
            connector.place(version, ranking_of(window), predictions_in(window, version))
        took.append(seconds())
        reads, writes = transport.take()
        written = owner.predictions_held(int(project))[version]
    note = f"{writes} writes for {written} predictions, {reads} reads"
    yield over_repeats("reorder", f"window of {_WINDOW} of {_TASKS:,} tasks", took, "s", aim=_AIM_SECONDS, note=note)
    for kind, seconds_each in sorted(transport.answered.items(), key=lambda item: -sum(item[1])):
        note = f"{len(seconds_each) / _REPEATS:g} in each reorder, {sum(seconds_each) / sum(took):.0%} of its time"
        yield over_repeats("reorder", f"of it, {kind}", seconds_each, "s", note=note)
    with stopwatch() as seconds:
        connector.place(version, ranking_of(window), predictions_in(window, version))
    reads, writes = transport.take()
    yield Figure("reorder", "the same again", seconds(), "s", note=f"{writes} writes, {reads} reads")


def _label(owner: LabelStudioPerson, project: ProjectId, n: int) -> list[float]:
    """Label the next tasks as a person does; how long Label Studio took for each."""
    took: list[float] = []
    for _ in range(n):
        with stopwatch() as seconds:
            task = owner.next_task(int(project))
            if task is None:
                raise RuntimeError("Label Studio has no task left.")
            owner.submit(task["id"], truth(task["data"]["text"]))
        took.append(seconds())
    return took


def ranking_of(window: list[TaskId]) -> Ranking:
    return Ranking(tuple(RankedTask(task, 1 - n / len(window)) for n, task in enumerate(window)), "random")


def predictions_in(window: list[TaskId], version: QueueVersion) -> list[Prediction]:
    return [Prediction(task, version, (Guess(CONTROL, TWO[0], 0.6),), 0.4, 0.5) for task in window]
