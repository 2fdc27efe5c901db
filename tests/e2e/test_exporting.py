"""`nextlabel export` for Label Studio: what it writes is imported there with its predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.running import label_of, texts
from nextlabel.labeling import ProjectId
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import labels_in, single_choice

LABELS = ("winter", "kitchen")


def test_a_pool_with_its_predictions_is_imported_and_audit_tasks_stay_blind(
    label_studio: LabelStudioServer,
    owner: LabelStudioPerson,
    nextlabel: Nextlabel,
    tmp_path: Path,
) -> None:
    project = owner.create_project("winter or kitchen", single_choice(LABELS))
    owner.import_tasks(project, [{"text": text} for text in texts(60)])
    findings(nextlabel.connect(project, label_studio.legacy_access, "audit_share=0.2", "cold_start=0"))
    for _ in range(24):
        task = owner.next_task(project)
        assert task is not None
        owner.submit(task["id"], label_of(task["data"]["text"]))
    wait_for(lambda: [one.labels for one in nextlabel.trained(project)][-1:] == [24], "for the labels to be learned")

    path = tmp_path / "tasks.json"
    done = nextlabel.command(
        *("export", "predictions", "--project", str(project), "--format", "label-studio", "-o", str(path), "--json")
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"] == 60
    exported: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    audits = nextlabel.parts().reserves.tasks(ProjectId(str(project)))
    done_ones = {str(one["id"]) for one in owner.tasks(project)} - {str(one["id"]) for one in owner.open_tasks(project)}
    blind = {one["id"] for one in exported if not one["predictions"][0]["result"]}
    assert blind == audits - done_ones
    assert blind, "no audit task is left"

    elsewhere = owner.create_project("elsewhere", single_choice(LABELS))
    owner.import_tasks(elsewhere, exported)
    version = exported[0]["predictions"][0]["model_version"]
    assert owner.predictions_held(elsewhere) == {version: 60}
    shown = {one["data"]["text"]: labels_in(one["predictions"][0]["result"]) for one in owner.tasks(elsewhere)}
    assert {text: given for text, given in shown.items() if given} == {
        one["data"]["text"]: labels_in(one["predictions"][0]["result"]) for one in exported if one["id"] not in blind
    }


@pytest.mark.everything
def test_a_round_and_an_order_by_hand_and_the_story_of_the_project(
    label_studio: LabelStudioServer, owner: LabelStudioPerson, nextlabel: Nextlabel, tmp_path: Path
) -> None:
    project = owner.create_project("winter or kitchen", single_choice(LABELS))
    owner.import_tasks(project, [{"text": text} for text in texts(40)])
    findings(nextlabel.connect(project, label_studio.legacy_access, "cold_start=0"))
    findings_before = owner.predictions_held(project)
    for _ in range(12):
        task = owner.next_task(project)
        assert task is not None
        owner.submit(task["id"], label_of(task["data"]["text"]))
    trained = nextlabel.command("train", str(project), "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["labels"] == 12
    before = nextlabel.queues(project)[-1].version
    done = nextlabel.command("reorder", str(project), "--json")
    assert done.returncode == 0, done.stderr
    placed = json.loads(done.stdout)["queue"]
    assert placed not in (before, *findings_before)
    assert owner.project(project)["model_version"] == placed
    path = tmp_path / "story.html"
    assert nextlabel.command("report", str(project), "-o", str(path)).returncode == 0
    story = path.read_text(encoding="utf-8")
    assert nextlabel.trained(project)[-1].version in story
    assert label_studio.legacy_access.url not in story
