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
from e2e.test_the_loop import learned
from nextlabel.evaluation.reserve import audit_rate
from nextlabel.features.source import Source
from nextlabel.labeling import ProjectId, Task, TaskId
from nextlabel.ports.state import ModelRecord
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import CONTROL, single_choice

pytestmark = pytest.mark.everything
_TASKS, _SHARE, _STARTED = 1000, 0.1, 60
_WORDS = {
    "winter": ["snow", "ski", "slope", "lift", "ice", "glove", "boots", "frost", "sled", "scarf", "pole", "peak"],
    "kitchen": ["flour", "oven", "bread", "butter", "salt", "pan", "dough", "sugar", "spoon", "whisk", "bowl", "yeast"],
}
_OTHER = {"winter": "kitchen", "kitchen": "winter"}
_LENGTH, _OWN = 7, 0.75  # words of a text, and the share of those of its own class


def texts(n: int) -> list[tuple[str, str]]:
    """Each with its label."""
    draw = np.random.default_rng(1)
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

    def work(self, labels: int) -> None:
        """Each takes a task, and all submit; then the next ones."""
        for start in range(0, labels, len(self.people)):
            at_work = self.people[: labels - start]
            taken = [person.next_task(self.project) for person in at_work]
            for person, task in zip(at_work, taken, strict=True):
                assert task is not None
                self._submit(person, task)

    def _submit(self, person: LabelStudioPerson, task: Mapping[str, Any]) -> None:
        name = TaskId(str(task["id"]))
        assert name not in self.given, "served once"
        newest = max(task["predictions"], key=lambda one: int(one["id"]), default=None)
        if newest and not newest["result"]:
            self.blank.add(name)
        self.given[name] = person, person.submit(task["id"], self.truth[name])

    @property
    def reserved(self) -> frozenset[TaskId]:
        return self.nextlabel.parts().reserves.tasks(ProjectId(str(self.project)))

    @property
    def serving(self) -> ModelRecord:
        record = self.nextlabel.parts().models.in_service(ProjectId(str(self.project)))
        assert record is not None
        return record

    @property
    def status(self) -> dict[str, Any]:
        shown = json.loads(self.nextlabel.command("status", "--json", "--project", str(self.project)).stdout)
        return dict(shown["projects"][0])

    def share_right(self, version: ModelRecord) -> float:
        """The accuracy of a version on all tasks of the pool, labeled or not."""
        model = self.nextlabel.parts().models.load(ProjectId(str(self.project)), version.version)
        guesses = model.predict(list(self.tasks.values()), Source())[CONTROL].guesses(CONTROL)
        return float(np.mean([one.label == self.truth[task] for one, task in zip(guesses, self.tasks, strict=True)]))

    def change_options(self, *options: str) -> None:
        findings(self.nextlabel.connect(self.project, self.server.legacy_access, *_options(*options)))


def _options(*others: str) -> tuple[str, ...]:
    return f"audit_share={_SHARE}", "show_predictions=always", *others


@pytest.fixture(scope="module", params=[150, 400])
def crew(
    request: pytest.FixtureRequest, label_studio: LabelStudioServer, nextlabel: Nextlabel, owner: LabelStudioPerson
) -> Crew:
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
    one.work(request.param)
    wait_for(learned(nextlabel, project, request.param))
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


def test_the_accuracy_shown_is_that_on_all_tasks_of_the_pool(crew: Crew) -> None:
    """An interval holds the truth in 95 of 100 cases, one twice as wide in all but one of ten thousand."""
    shown, truth = crew.status["accuracy"][CONTROL], crew.share_right(crew.serving)
    assert shown["n"] == len(crew.reserved.intersection(crew.given))
    middle, half = (shown["high"] + shown["low"]) / 2, (shown["high"] - shown["low"]) / 2
    assert abs(truth - middle) < 2 * half
    answers = crew.status["accuracy_of_answers"][CONTROL]
    assert answers["low"] < truth < answers["high"] + half
