"""Each of the templates that Label Studio itself offers, on a real one: connected, answered, ordered, none refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.test_every_kind import complaints
from everything import representing
from nextlabel.labeling import ProjectId
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer

FOLDERS = (
    "audio-speech-processing",
    "chat",
    "community-contributions",
    "computer-vision",
    "conversational-ai",
    "generative-ai",
    "natural-language-processing",
    "ranking-and-scoring",
    "structured-data-parsing",
    "time-series-analysis",
    "videos",
)

_ANSWERS = 12


@pytest.mark.parametrize("folder", representing(FOLDERS, set(FOLDERS) - {"conversational-ai"}))
def test_every_template_is_learned_or_ordered_and_what_is_shown_is_valid(
    folder: str, nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    script = Path(__file__).with_name("templates.py")
    done = subprocess.run(
        [label_studio.python, str(script), folder], capture_output=True, text=True, timeout=CEILING_SECONDS, check=True
    )
    for name, template in json.loads(done.stdout).items():
        _tried(f"{folder}/{name}", template, nextlabel, label_studio, owner)


def _tried(
    name: str,
    template: dict[str, Any],
    nextlabel: Nextlabel,
    label_studio: LabelStudioServer,
    owner: LabelStudioPerson,
) -> None:
    config = parse_label_config(template["config"])
    assert config.schema.targets, name
    project = owner.create_project(name[:50], template["config"])
    answers = dict(zip(owner.import_tasks(project, template["tasks"]), template["answers"], strict=True))
    found = findings(nextlabel.connect(project, label_studio.legacy_access, "quiet_seconds=1", "cold_start=4"))
    assert "problem" not in {one["level"] for one in found}, (name, found)
    labeled = 0
    for _ in range(_ANSWERS):
        task = owner.next_task(project)
        assert task is not None
        owner.submit_result(task["id"], answers[task["id"]])
        labeled += bool(read_labels(answers[task["id"]], config, task["data"]))
    assert labeled, (name, answers)
    wait_for(lambda: _all_learned(nextlabel, project, labeled), name)
    queue, tasks = nextlabel.queues(project)[0], owner.open_tasks(project)
    shown = [one for task in tasks for one in task["predictions"] if one["model_version"] == queue.version]
    assert len(shown) == len(tasks) <= len(queue.window), name
    kept = [{key: one[key] for key in ("result", "score", "model_version")} for one in shown]
    assert not complaints(label_studio, template["config"], kept), name
    task = owner.next_task(project)
    assert task is not None
    assert str(task["id"]) == queue.window[0], name


def _all_learned(nextlabel: Nextlabel, project: int, labels: int) -> bool:
    """Whether there is a version of so many labels, and the order of the version in service stands. On a busy machine
    there are rounds between the labels, and the last version may be turned down, after which the one before orders the
    tasks anew: the round must be over."""
    serving = nextlabel.parts().models.in_service(ProjectId(str(project)))
    is_there = any(one.labels == labels for one in nextlabel.trained(project))
    is_over = is_there and not nextlabel.redis().exists(f"nextlabel:lease:{project}")
    return is_over and serving is not None and nextlabel.queues(project)[0].model == serving.version
