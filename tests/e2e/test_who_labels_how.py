"""Three people with accounts of their own label the same tasks of a real Label Studio: one tires, one flips labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from e2e.conftest import LABELS
from e2e.running import label_of, texts
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

pytestmark = pytest.mark.everything
_TASKS, _TIRED_FROM, _RIGHT, _TIRED, _FLIPPED = 200, 110, 0.95, 0.75, 0.1
_OPEN = 10  # tasks that nobody has labeled
_OTHER = dict(zip(LABELS, reversed(LABELS), strict=True))


@dataclass
class Team:
    """Accounts by what they do: ``steady``, ``tiring`` (from the 110th task on), ``flipping`` (one label in ten)."""

    nextlabel: Nextlabel
    project: int
    accounts: Mapping[str, str]

    def report(self, *flags: str) -> dict[str, Any]:
        done = self.nextlabel.command("annotators", "--json", "--project", str(self.project), *flags)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def standing(self) -> dict[str, dict[str, Any]]:
        names = {account: what for what, account in self.accounts.items()}
        return {names[one["account"]]: one["targets"]["label"] for one in self.report()["people"]}


def _shares(what: str, n: int) -> float:
    if what == "tiring" and n >= _TIRED_FROM:
        return _TIRED
    return _RIGHT * (1 - _FLIPPED) + (1 - _RIGHT) * _FLIPPED if what == "flipping" else _RIGHT


def _label_all(people: Mapping[str, LabelStudioPerson], tasks: Sequence[int], truth: Sequence[str]) -> None:
    draw = np.random.default_rng(7)
    for n, (task, true) in enumerate(zip(tasks, truth, strict=True)):
        for what, person in people.items():
            right = draw.random() < _shares(what, n)
            person.submit(task, true if right else _OTHER[true], seconds=5_000 if n == 0 else 4)


@pytest.fixture(scope="module")
def team(nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson) -> Team:
    project = owner.create_project("three for each", single_choice(LABELS), maximum_annotations=3)
    given = texts(_TASKS + _OPEN)
    tasks = owner.import_tasks(project, [{"text": text} for text in given])[:_TASKS]
    people = {what: label_studio.sign_up(f"{what}@three.example.com") for what in ("steady", "tiring", "flipping")}
    _label_all(people, tasks, [label_of(text) for text in given[:_TASKS]])
    findings(nextlabel.connect(project, label_studio.legacy_access))  # reads what is there before it comes back
    (first,) = [task for task in owner.tasks(project) if task["id"] == tasks[0]]
    in_order = sorted(first["annotations"], key=lambda one: int(one["id"]))
    accounts = {what: str(one["completed_by"]) for what, one in zip(people, in_order, strict=True)}
    return Team(nextlabel, project, accounts)


def test_who_tires_is_named_and_when_and_nobody_else(team: Team) -> None:
    standing = team.standing()
    assert [what for what, one in standing.items() if one["drift"]["since"]] == ["tiring"]
    fall = standing["tiring"]["drift"]
    assert fall["before"] > 0.9
    assert fall["after"] < 0.85
    shown = team.nextlabel.command("annotators", "--project", str(team.project)).stdout
    assert f"the labels of {team.accounts['tiring']} became worse" in shown


def test_who_flips_labels_is_right_less_often_than_who_does_not(team: Team) -> None:
    standing = team.standing()
    quality = {what: one["quality"] for what, one in standing.items()}
    true = {"steady": 0.95, "tiring": 0.86, "flipping": 0.86}
    assert all(one["low"] < true[what] < one["high"] for what, one in quality.items())
    assert standing["flipping"]["low"]
    assert not standing["steady"]["low"]


def test_nobody_else_gets_to_see_who_that_is(team: Team) -> None:
    report = team.report("--without-names")
    people = [one["account"] for one in report["people"]]
    pairs = [pair[end] for one in report["agreement"] for pair in one["pairs"] for end in ("one", "other")]
    assert len(set(people)) == 3
    assert set(pairs) == set(people)
    assert all(one.startswith("annotator ") for one in people)
    assert [one["targets"]["label"]["drift"]["since"] is None for one in report["people"]].count(False) == 1


def test_a_task_left_open_over_lunch_does_not_count_as_hours(team: Team) -> None:
    assert {one["seconds"] for one in team.report()["people"]} == {4.0}
