"""Audit tasks on a real Label Studio: nobody can tell them from others, and they measure the accuracy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from e2e.test_the_loop import label_next, learned
from nextlabel.labeling import ProjectId, TaskId
from nextlabel.testing.installation import Nextlabel
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson

_TASKS, _FIRST, _LABELS = 400, 20, 130


def test_audit_tasks_look_like_others_and_the_accuracy_is_measured_on_them(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: Callable[..., int]
) -> None:
    project = connected(_TASKS, "audit_share=0.1", "show_predictions=always", "quiet_seconds=0.5")
    given = [label_next(owner, project)[0] for _ in range(_FIRST)]
    wait_for(learned(nextlabel, project, _FIRST))  # from here on there are answers to be right or wrong
    given += [label_next(owner, project)[0] for _ in range(_LABELS - _FIRST)]
    wait_for(learned(nextlabel, project, _LABELS))
    reserved = nextlabel.parts().reserves.tasks(ProjectId(str(project)))
    assert len(reserved) == 60
    audited = len(reserved.intersection(given))
    assert 12 <= audited <= 40, "one in five"

    order = served(owner, project)
    is_audit = [task in reserved for task, _ in order]
    is_blank = [not prediction["result"] for _, prediction in order]
    assert all(one["score"] < other["score"] for (_, one), (_, other) in pairwise(order))
    assert sum(is_blank) == 2 * sum(is_audit)
    assert all(blank for blank, audit in zip(is_blank, is_audit, strict=True) if audit)
    tasks = {TaskId(str(task["id"])): task for task in owner.open_tasks(project)}
    assert guesses(nextlabel, project, [tasks[task] for task, _ in order]) == [not blank for blank in is_blank]

    (overview,) = nextlabel.parts().overview.projects(str(project))
    for name in ("accuracy", "accuracy_of_answers"):
        found = overview[name]["label"]
        assert found["low"] <= found["value"] <= found["high"]
    assert overview["accuracy"]["label"]["n"] == audited
    assert overview["accuracy"]["label"]["high"] > 0.9
    assert "accuracy on all tasks" in nextlabel.command("status").stdout


def served(owner: LabelStudioPerson, project: int) -> list[tuple[TaskId, dict[str, Any]]]:
    """The open tasks of the order in force, first to last, each with its prediction."""
    version = owner.project(project)["model_version"]
    found = [(task, one) for task in owner.open_tasks(project) for one in task["predictions"]]
    in_force = [(TaskId(str(task["id"])), one) for task, one in found if one["model_version"] == version]
    return sorted(in_force, key=lambda pair: float(pair[1]["score"]))


def guesses(nextlabel: Nextlabel, project: int, tasks: list[dict[str, Any]]) -> list[bool]:
    """Whether nextlabel, asked as the ML backend, guesses anything about each of these tasks."""
    (connection,) = [one for one in nextlabel.parts().connections.all() if one.project == str(project)]
    config = nextlabel.parts().open_connector(connection).label_schema().source
    body = {"project": f"{project}.1700000000", "label_config": config, "tasks": tasks}
    with nextlabel.http() as http:
        answer = http.post("/predict", json=body)
    assert answer.is_success, answer.text
    return [bool(one["result"]) for one in answer.json()["results"]]
