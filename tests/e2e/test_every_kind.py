"""Every kind of label on a real Label Studio: made as its editor does, learned, shown, and in the order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from e2e.kinds import KINDS, Kind
from e2e.test_the_loop import learned
from everything import representing
from nextlabel.labeling import ProjectId
from nextlabel.ports.tool import STRATEGY
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

_TASKS, _LABELS = 40, 14
_STRATEGIES = {
    "single choice": "committee:kl_divergence",
    "multiple choice": "multilabel",
    "taxonomy": "balanced",
    "rating": "greedy",
    "number": "value_of_information",
    "spans": "explore",
    "spans of a page": "explore",
    "spans of turns": "diverse",
    "pairwise": "badge",
    "image choice": "kcenter",
    "images of a list": "typical",
    "table": "error_reduction",
    "audio by metadata": "cost",
    "options of each task": "adaptive",
    "date": "greedy",
    "order of items": "adaptive",
    "buckets of items": "diverse",
    "several options of each task": "diverse",
    "spans with labels of each task": "explore",
    "taxonomy of each task": "diverse",
    "two controls": "density",
}
"""Another one for each kind; all of them on all kinds are tried with a tool in one process."""

# Label Studio's own verdict, in its own environment: what bulk import runs, and more.
_VERDICTS = """
import json, sys
from label_studio_sdk.label_interface import LabelInterface
given = json.load(sys.stdin)
interface = LabelInterface(given["config"])
print(json.dumps([interface.validate_prediction(one, return_errors=True) for one in given["predictions"]]))
"""


def complaints(server: LabelStudioServer, config: str, predictions: list[dict[str, Any]]) -> list[str]:
    given = json.dumps({"config": config, "predictions": predictions})
    done = subprocess.run(
        [server.python, "-c", _VERDICTS],
        input=given,
        capture_output=True,
        text=True,
        timeout=CEILING_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [complaint for promotion in json.loads(done.stdout.splitlines()[-1]) for complaint in promotion]


def taught(
    kind: Kind, tasks: int, labels: int, nextlabel: Nextlabel, label_studio: LabelStudioServer, *options: str
) -> tuple[int, dict[int, int]]:
    """A project of that kind in which so many tasks were labeled in the order served and learned from; its number, and
    which of the kind's tasks each of Label Studio's is."""
    owner = label_studio.owner
    project = owner.create_project("one of its kind", kind.config)
    imported = owner.import_tasks(project, [dict(kind.data(n)) for n in range(tasks)])
    number = dict(zip(imported, range(tasks), strict=True))
    chosen = ("quiet_seconds=3", "cold_start=4", "show_predictions=always", *options)
    findings(nextlabel.connect(project, label_studio.legacy_access, *chosen))
    for _ in range(labels):
        task = owner.next_task(project)
        assert task is not None
        owner.submit_result(task["id"], kind.answer(number[task["id"]]))
    wait_for(learned(nextlabel, project, labels))
    return project, number


_ALSO = {
    "single choice",
    "rating",
    "spans",
    "spans of turns",
    "spans of a page",
    "spans with labels of each task",
    "options of each task",
    "table",
    "image choice",
    "images of a list",
    "taxonomy of each task",
    "several options of each task",
    "order of items",
    "date",
    "audio by metadata",
    "two controls",
    "buckets of items",
    "pairwise",
    "taxonomy",
}
"""Most other tests label single choices; spans, images and options of a task are seen in the editor, ratings and tables
in `test_every_strategy`."""


@pytest.mark.parametrize("name", representing(KINDS, _ALSO))
def test_labels_of_every_kind_are_learned_shown_and_decide_what_comes_next(
    name: str, nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    kind = KINDS[name]
    project, number = taught(kind, _TASKS, _LABELS, nextlabel, label_studio, f"strategy={_STRATEGIES[name]}")
    assert nextlabel.queues(project)[0].strategy.startswith(_STRATEGIES[name])
    assert nextlabel.parts().findings.of(ProjectId(str(project)), STRATEGY) == []
    assert_shown_and_right(kind, project, number, nextlabel, label_studio)
    assert_served_in_order(kind, project, number, nextlabel, owner)


def assert_shown_and_right(
    kind: Kind, project: int, number: Mapping[int, int], nextlabel: Nextlabel, label_studio: LabelStudioServer
) -> None:
    """Every open task has its prediction, Label Studio has nothing against one, and most are right."""
    queue, tasks = nextlabel.queues(project)[0], label_studio.owner.open_tasks(project)
    shown = {number[task["id"]]: _shown(task, queue.version) for task in tasks}
    assert len(shown) == len(queue.window)  # Label Studio drops what it cannot read
    assert not complaints(label_studio, kind.config, list(shown.values()))
    right = [kind.printed(one["result"]) == kind.printed(kind.answer(n)) for n, one in shown.items()]
    assert sum(right) >= 0.7 * len(right), [one["result"] for one in shown.values()][:5]


def assert_served_in_order(
    kind: Kind, project: int, number: Mapping[int, int], nextlabel: Nextlabel, owner: LabelStudioPerson
) -> None:
    for expected in nextlabel.queues(project)[0].window[:3]:
        task = owner.next_task(project)
        assert task is not None
        assert str(task["id"]) == expected
        owner.submit_result(task["id"], kind.answer(number[task["id"]]))


def _shown(task: Mapping[str, Any], version: str) -> dict[str, Any]:
    (one,) = [one for one in task["predictions"] if one["model_version"] == version]
    return {"result": one["result"], "score": one["score"], "model_version": one["model_version"]}
