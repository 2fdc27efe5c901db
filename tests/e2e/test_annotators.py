"""Three annotators label the tasks of a real Label Studio, in the order in which it serves them.

Words of both classes occur in the texts of either, so that no model is right about all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from e2e.test_audits import served
from nextlabel.evaluation.reserve import audit_rate
from nextlabel.features.source import Source
from nextlabel.labeling import ModelVersion, ProjectId, Task, TaskId
from nextlabel.ports.state import ModelRecord
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import CONTROL, single_choice

pytestmark = pytest.mark.everything
_TASKS, _SHARE, _STARTED = 1000, 0.1, 60
_LABELS, _MISTAKEN = 400, 100
_WORDS = {
    "winter": ["snow", "ski", "slope", "lift", "ice", "glove", "boots", "frost", "sled", "scarf", "pole", "peak"],
    "kitchen": ["flour", "oven", "bread", "butter", "salt", "pan", "dough", "sugar", "spoon", "whisk", "bowl", "yeast"],
}
_OTHER = {"winter": "kitchen", "kitchen": "winter"}
_LENGTH, _OWN = 7, 0.75  # words of a text, and the share of those of its own class


def texts(n: int, seed: int = 1) -> list[tuple[str, str]]:
    """Each with its label."""
    draw = np.random.default_rng(seed)
    labels = [str(one) for one in draw.choice(list(_WORDS), n)]
    return [(" ".join(_word(draw, label) for _ in range(_LENGTH)), label) for label in labels]


def _word(draw: np.random.Generator, label: str) -> str:
    return str(draw.choice(_WORDS[label if draw.random() < _OWN else _OTHER[label]]))


@dataclass
class Crew:
    """Three people with accounts of their own, what is true of each task of their project, and what they did: tasks in
    the order in which they were served, each with who labeled it and the annotation. ``blank`` ones came without a
    guess, though there was a model that had one."""

    nextlabel: Nextlabel
    server: LabelStudioServer
    people: Sequence[LabelStudioPerson]
    project: int
    tasks: Mapping[TaskId, Task]
    truth: Mapping[TaskId, str]
    given: dict[TaskId, tuple[LabelStudioPerson, int]] = field(default_factory=dict)
    blank: set[TaskId] = field(default_factory=set)

    def work(self, labels: int, *, mistaken: bool = False) -> None:
        """Each takes a task, and all submit; then the next ones. ``mistaken`` people mix up the labels of all tasks but
        audit tasks, as if a filter of the Data Manager had misled them."""
        for start in range(0, labels, len(self.people)):
            at_work = self.people[: labels - start]
            taken = [person.next_task(self.project) for person in at_work]
            for person, task in zip(at_work, taken, strict=True):
                assert task is not None
                self._submit(person, task, mistaken=mistaken)

    def _submit(self, person: LabelStudioPerson, task: Mapping[str, Any], *, mistaken: bool) -> None:
        name = TaskId(str(task["id"]))
        assert name not in self.given, "served once"
        label = self.truth[name]
        label = _OTHER[label] if mistaken and name not in self.reserved else label
        newest = max(task["predictions"], key=lambda one: int(one["id"]), default=None)
        if newest and not newest["result"]:
            self.blank.add(name)
        self.given[name] = person, person.submit(task["id"], label)

    @property
    def reserved(self) -> frozenset[TaskId]:
        return self.nextlabel.parts().reserves.tasks(ProjectId(str(self.project)))

    @property
    def serving(self) -> ModelRecord:
        record = self.nextlabel.parts().models.in_service(ProjectId(str(self.project)))
        assert record is not None
        return record

    @property
    def newest(self) -> ModelRecord | None:
        """The last version that was learned, whatever became of it."""
        return self.nextlabel.parts().models.latest(ProjectId(str(self.project)))

    def learned_all(self) -> ModelRecord | None:
        """The newest version, once it was learned of every label that was given."""
        newest = self.newest
        return newest if newest and newest.labels == len(self.given) else None

    def order_of(self, version: ModelVersion) -> list[TaskId]:
        """What is open in the tool, in the order in which it is served, once that is the order of this version."""
        queue = self.nextlabel.queues(self.project)[0]
        if queue.model != version or self.people[0].project(self.project)["model_version"] != queue.version:
            return []
        order = [task for task, _ in served(self.people[0], self.project)]
        assert order == [task for task in queue.window if task not in self.given]
        return order

    @property
    def status(self) -> dict[str, Any]:
        shown = json.loads(self.nextlabel.command("status", "--json", "--project", str(self.project)).stdout)
        return dict(shown["projects"][0])

    def share_right(self, version: ModelRecord) -> float:
        """The accuracy of a version on many texts of the same kind, which it cannot have learned by heart."""
        model = self.nextlabel.parts().models.load(ProjectId(str(self.project)), version.version)
        known = texts(8_000, seed=2)
        tasks = [Task(TaskId(str(n)), {"text": text}) for n, (text, _) in enumerate(known)]
        return float(model.predict(tasks, Source())[CONTROL].correctness([label for _, label in known]).mean())

    def choose_version(self, *words: str) -> None:
        """By `nextlabel models`, as a person types it."""
        command, *others = words
        done = self.nextlabel.command("models", command, "--project", str(self.project), *others)
        assert done.returncode == 0, done.stderr

    def change_options(self, *options: str) -> None:
        findings(self.nextlabel.connect(self.project, self.server.legacy_access, *_options(*options)))


def _options(*others: str) -> tuple[str, ...]:
    return f"audit_share={_SHARE}", "show_predictions=always", *others


@pytest.fixture(scope="module")
def crew(label_studio: LabelStudioServer, nextlabel: Nextlabel, owner: LabelStudioPerson) -> Crew:
    project, known = (
        owner.create_project("winter or kitchen", single_choice(list(_WORDS))),
        texts(_TASKS),
    )
    names = [TaskId(str(task)) for task in owner.import_tasks(project, [{"text": text} for text, _ in known])]
    tasks = {name: Task(name, {"text": text}) for name, (text, _) in zip(names, known, strict=True)}
    truth = {name: label for name, (_, label) in zip(names, known, strict=True)}
    people = [label_studio.sign_up(f"annotator-{project}-{n}@example.com") for n in range(3)]
    one = Crew(nextlabel, label_studio, people, project, tasks, truth)
    one.change_options("quiet_seconds=1", "max_wait_seconds=15")
    one.work(_LABELS)
    wait_for(one.learned_all)
    return one


def test_audit_tasks_are_served_at_their_rate_without_a_guess_like_as_many_others(crew: Crew) -> None:
    size = len(crew.tasks)
    assert len(crew.reserved) == pytest.approx(_SHARE * size, abs=4 * (size * _SHARE * (1 - _SHARE)) ** 0.5)
    is_audit = np.array([task in crew.reserved for task in crew.given])
    rates = np.array([audit_rate(int(n)) for n in np.cumsum(is_audit) - is_audit])
    assert is_audit.sum() == pytest.approx(rates.sum(), abs=2.5 * (rates * (1 - rates)).sum() ** 0.5)
    some = set(list(crew.given)[_STARTED:])  # there is a model by then
    audits, others = some & crew.reserved, (some & crew.blank) - crew.reserved
    assert audits <= crew.blank
    assert abs(len(others) - len(audits)) < 4 * (2 * len(audits)) ** 0.5


def test_only_audit_tasks_are_kept_from_ranking(crew: Crew) -> None:
    crew.change_options(f"window={len(crew.tasks)}")
    still_open = set(crew.tasks).difference(crew.given)
    order = wait_for(lambda: (found := served(crew.people[0], crew.project))[len(still_open) - 1 :] and found)
    assert {task for task, _ in order} == still_open
    ranked = [task for task, _ in order if task not in crew.reserved]
    assert set(ranked) == still_open - crew.reserved
    crew.change_options("window=200")


def test_the_accuracy_shown_is_that_on_all_tasks_of_their_kind(crew: Crew) -> None:
    """An interval holds the truth in 95 of 100 cases, one twice as wide in all but one of ten thousand."""
    shown, truth = crew.status["accuracy"][CONTROL], crew.share_right(crew.serving)
    assert shown["n"] == len(crew.reserved.intersection(crew.given))
    middle, half = (shown["high"] + shown["low"]) / 2, (shown["high"] - shown["low"]) / 2
    assert abs(truth - middle) < 2 * half
    answers = crew.status["accuracy_of_answers"][CONTROL]
    assert answers["low"] < truth < answers["high"] + half


def test_a_batch_of_wrong_labels_is_turned_down_and_what_served_before_still_does(crew: Crew) -> None:
    before = crew.share_right(crew.serving)
    crew.work(_MISTAKEN, mistaken=True)
    newest = wait_for(crew.learned_all)
    assert crew.share_right(newest) < before - 0.05, "the labels did harm"
    assert newest.state == "turned_down", newest.reason
    assert "audit labels" in newest.reason
    assert crew.share_right(crew.serving) >= before - 0.02
    wait_for(lambda: crew.order_of(crew.serving.version))


def test_the_tool_serves_the_order_of_the_version_that_a_person_chose(crew: Crew) -> None:
    before = crew.serving.version
    order_before = wait_for(lambda: crew.order_of(before))
    crew.choose_version("rollback")
    chosen = crew.serving
    assert (chosen.version != before, chosen.chosen) == (True, True)
    order = wait_for(lambda: crew.order_of(chosen.version))
    assert order != order_before
    task = crew.people[0].next_task(crew.project)
    assert task is not None
    assert TaskId(str(task["id"])) == order[0]
    crew.choose_version("promote", before)
    assert crew.serving.version == before
    wait_for(lambda: crew.order_of(before))
    crew.choose_version("release")
    assert not crew.serving.chosen
