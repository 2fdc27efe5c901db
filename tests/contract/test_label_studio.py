"""The Label Studio connector keeps every promise on a real Label Studio."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from earlier_releases import score_windows_by_place
from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.labeling import QueueVersion, TaskId, ToolProjectId, labels_in_force
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.contract import (
    AsksAgainContract,
    CallsUsContract,
    CoreContract,
    LiveQueueContract,
    OldOrdersContract,
    PredictionsContract,
    ScoresContract,
    SkippingContract,
    TabsContract,
    TitleContract,
    TokenContract,
    UnreadableContract,
    WordsContract,
)
from nextlabel.testing.scene import ids, set_scene
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel_connectors.label_studio import CONNECTOR
from nextlabel_connectors.label_studio.testing import LabelStudioMissing, LabelStudioServer
from nextlabel_connectors.label_studio.testing.harness import LabelStudioHarness
from nextlabel_connectors.label_studio.testing.people import chosen, single_choice


@pytest.fixture(scope="module")
def harness(label_studio: LabelStudioServer) -> Iterator[LabelStudioHarness]:
    with LabelStudioHarness(label_studio, label_studio.legacy_access) as harness:
        yield harness


class TestLabelStudioConnector(
    AsksAgainContract,
    CallsUsContract,
    CoreContract,
    LiveQueueContract,
    OldOrdersContract,
    PredictionsContract,
    ScoresContract,
    SkippingContract,
    TabsContract,
    TitleContract,
    TokenContract,
    UnreadableContract,
    WordsContract,
):
    @pytest.fixture(autouse=True)
    def earlier(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Orders that share their name with others are of a release before 0.1.1, and have the scores of that time."""
        if "share_the_name_of_an_order" in request.node.name:
            score_windows_by_place(monkeypatch)


@pytest.fixture
def personal_tokens(label_studio: LabelStudioServer) -> None:
    if not label_studio.owner.has_personal_tokens():
        pytest.skip(f"Label Studio {label_studio.version} has no personal access tokens.")


def test_a_personal_access_token_opens_the_same_doors_or_is_explained_where_there_are_none(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene = set_scene(harness, 4)
    if not label_studio.owner.has_personal_tokens():
        scene.connector = CONNECTOR.open(ToolAccess(label_studio.url, "head.claims.signature"), scene.project)
        with pytest.raises(ToolRejected, match=r"no personal access tokens.*Account & Settings"):
            scene.connector.label_schema()
        return
    scene.connector = CONNECTOR.open(label_studio.personal_access, scene.project)
    order = [scene.tasks[n] for n in (2, 0, 3)]
    scene.rank(QueueVersion("0001"), order)
    assert ids(scene.work(3)) == order


@pytest.mark.usefixtures("personal_tokens")
def test_a_personal_access_token_with_a_wrong_signature_is_rejected(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene = set_scene(harness, 1)
    head, _, signature = label_studio.personal_access.token.rpartition(".")
    forged = ToolAccess(label_studio.url, f"{head}.{signature[::-1]}")
    with pytest.raises(ToolRejected, match="personal access token"):
        CONNECTOR.open(forged, scene.project).label_schema()


@pytest.mark.usefixtures("personal_tokens")
def test_a_legacy_token_is_rejected_with_the_remedy_where_they_are_off(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene = set_scene(harness, 1)
    label_studio.owner.allow_legacy_tokens(False)
    try:
        with pytest.raises(ToolRejected, match=r"create one under .*Personal Access Token\. Legacy tokens are off"):
            scene.connector.label_schema()
    finally:
        label_studio.owner.allow_legacy_tokens(True)


@pytest.mark.parametrize(
    "change",
    [{"show_collab_predictions": False}, {"model_version": ""}, {"sampling": "Sequential sampling"}],
    ids=str,
)
def test_settings_that_somebody_changes_end_the_order_until_it_is_written_again(
    label_studio: LabelStudioServer, harness: LabelStudioHarness, change: dict[str, object]
) -> None:
    scene = set_scene(harness, 6)
    scene.rank(QueueVersion("0001"), scene.tasks[:4])
    label_studio.owner.change_project(int(scene.project), **change)
    assert scene.connector.queue_in_force(standing=4) is None
    order = scene.tasks[3::-1]
    scene.rank(QueueVersion("0001.2"), order)
    assert scene.connector.queue_in_force(standing=4) == "0001.2"
    assert ids(scene.work(4)) == order


def test_a_person_s_mark_of_ground_truth_outranks_what_comes_later_and_that_of_an_import_does_not(
    label_studio: LabelStudioServer,
) -> None:
    owner = label_studio.owner
    project = owner.create_project("ground truth", single_choice(("first", "later", "last")))
    connector = CONNECTOR.open(label_studio.legacy_access, ToolProjectId(str(project)))

    def in_force() -> dict[str, object]:
        pages = connector.changed_tasks(None)
        return {str(one.task.id): labels_in_force(one.annotations).get("label") for page in pages for one in page.tasks}

    imported: dict[str, object] = {"data": {"text": "imported"}, "annotations": [{"result": chosen("first")}]}
    corrected, confirmed, asked = map(
        str, owner.import_tasks(project, [imported, imported, {"data": {"text": "asked"}}])
    )
    assert in_force() == {corrected: "first", confirmed: "first", asked: None}
    marked = owner.submit(int(asked), "first")
    for task in (corrected, confirmed, asked):
        owner.submit(int(task), "later")
    assert in_force() == {corrected: "later", confirmed: "later", asked: "later"}
    first = next(one["annotations"] for one in owner.tasks(project) if str(one["id"]) == confirmed)
    owner.mark_as_ground_truth(min(one["id"] for one in first))
    owner.mark_as_ground_truth(marked)
    owner.submit(int(asked), "last")
    assert in_force() == {corrected: "later", confirmed: "first", asked: "first"}


def test_what_has_come_off_is_named_and_left_as_it_is(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene, callback, owner = set_scene(harness, 1), harness.callback(), label_studio.owner
    project = int(scene.project)

    def found() -> list[str]:
        return [finding.message for finding in scene.calls_us.drift(callback)]

    list(scene.calls_us.connect(callback))
    owner.change_webhooks(project, is_active=False)
    assert ["switched off" in stated for stated in found()] == [True]
    owner.change_webhooks(project, is_active=True, headers={})
    assert ["lacks its secret" in stated for stated in found()] == [True]
    owner.remove_webhooks(project)
    owner.remove_ml_backends(project)
    assert [("webhook" in stated, "ML backend" in stated) for stated in found()] == [(True, False), (False, True)]
    assert (owner.webhooks(project), owner.ml_backends(project)) == ([], [])


def test_disconnecting_tells_what_is_ours_from_what_a_team_made(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene, callback, owner = set_scene(harness, 6), harness.callback(), label_studio.owner
    project = int(scene.project)
    owner.add_ml_backend(project, f"{callback.url}/bert", "bert")  # with a webhook that Label Studio makes
    owner.change_project(project, sampling="Uniform sampling", model_version="bert")
    calls = set(harness.calls(scene.project))
    values = {one.name: one.value for one in scene.settings(())}
    owner.add_ml_backend(project, f"{callback.url}/earlier", "nextlabel", callback.user)  # as another release left it
    owner.add_ml_backend(project, f"{callback.url}/another", "nextlabel", callback.user)  # another installation's
    list(scene.calls_us.connect(callback))
    scene.rank(QueueVersion("nextlabel-1"), scene.tasks[:3])
    received = replace(callback, earlier=(f"{callback.url}/earlier",))

    found = list(scene.calls_us.disconnect(received, values))
    another = {f"{callback.url}/another", f"{callback.url}/another/webhook"}
    assert set(harness.calls(scene.project)) == calls | another
    assert [f"{callback.url}/another" in one.message for one in found if one.level == "warning"] == [True]
    assert {one.name: one.value for one in scene.settings(())} == values

    list(scene.calls_us.disconnect(received, values, similar=True))
    assert set(harness.calls(scene.project)) == calls


def test_what_a_team_changes_of_a_task_under_review_stays_and_nothing_of_ours_does(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene, owner = set_scene(harness, 5), label_studio.owner
    project, (theirs, withdrawn, reviewed, skipped, other) = int(scene.project), scene.tasks
    given = {task: scene.submit(task, "spam") for task in scene.tasks}
    before = {task: scene.again.as_it_is(task) for task in scene.tasks}
    for task, had in before.items():
        assert had is not None
        scene.again.ask_again(task, had)
    owner.change_task(int(theirs), overlap=1)  # Label Studio does not count anew: it would be open for good
    harness.withdraw(scene.project, given[withdrawn])
    second = scene.submit(reviewed, "ham", by="ben")
    harness.withdraw(scene.project, second)
    scene.skip(skipped, by="ben")

    def settled() -> dict[TaskId, tuple[int, bool]]:
        for task, had in before.items():
            assert had is not None
            scene.again.settle(task, had)
        return {TaskId(str(one["id"])): (one["overlap"], one["is_labeled"]) for one in owner.tasks(project)}

    as_before = dict.fromkeys(scene.tasks, (1, True)) | {withdrawn: (1, False)}
    assert settled() == as_before
    had = before[other]
    assert had is not None
    scene.again.ask_again(other, had)
    owner.change_project(project, maximum_annotations=2)
    assert settled() == {**as_before, other: (2, False)}, "as the team has it now, and Label Studio left all others"
    assert scene.again.why_not_again().endswith("for all others, set it to 1 and then to 2 once more.")
    owner.change_project(project, maximum_annotations=1)
    assert settled() == as_before
    owner.change_project(project, maximum_annotations=2)
    assert {overlap for overlap, _ in settled().values()} == {2}


def test_a_missing_label_studio_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(LabelStudioMissing, match="make label-studio"):
        LabelStudioServer(tmp_path)


def test_a_server_that_cannot_start_shows_what_its_log_says(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    program = tmp_path / "venv" / "bin" / "label-studio"
    program.write_text("#!/bin/sh\n[ $1 = version ] && touch $HOME/migrated && exit 0\necho the disk is full; exit 3\n")
    program.chmod(0o755)
    with pytest.raises(ToolUnavailable, match="the disk is full"), LabelStudioServer(tmp_path / "venv"):
        pass


@pytest.mark.usefixtures("label_studio")
def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = "import time; from nextlabel_connectors.label_studio.testing import LabelStudioServer as Server\n"
    program += "with Server() as server: print(server.url, flush=True); time.sleep(300)"
    env = {**os.environ, "TMPDIR": str(tmp_path)}  # nobody is left to remove its data
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=env) as starter:
        assert starter.stdout
        url = starter.stdout.readline().strip()
        assert httpx.get(f"{url}/health", timeout=CEILING_SECONDS).is_success
        starter.send_signal(signal.SIGKILL)
    wait_for(lambda: not answers(url))


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=CEILING_SECONDS).is_success
    except httpx.TransportError:
        return False


def test_a_task_that_two_have_labeled_is_served_to_a_third_and_then_has_the_overlap_that_it_had(
    label_studio: LabelStudioServer, harness: LabelStudioHarness
) -> None:
    scene, cat = set_scene(harness, 4), label_studio.sign_up("cat@third.example.com")
    task, other, *_ = scene.tasks
    scene.submit(task, "spam", by="ann")
    at_first = scene.again.as_it_is(task)
    assert at_first is not None
    scene.again.ask_again(task, at_first)
    scene.submit(task, "ham", by="ben")
    scene.again.settle(task, at_first)
    before = scene.again.as_it_is(task)
    assert before is not None
    assert before["overlap"] == at_first["overlap"] == 1
    scene.again.ask_again(task, before)
    scene.rank(QueueVersion("nextlabel-1"), [task, other], None)
    for by in ("ann", "ben"):
        served = harness.next_task(scene.project, by)
        assert served is None or served.task != task
    third = cat.next_task(int(scene.project))
    assert third is not None
    assert str(third["id"]) == task
    cat.submit(int(task), "ham")
    scene.again.settle(task, before)
    scene.pull()
    assert len(scene.received[task].annotations) == 3
    assert scene.received[task].closed
    settled = scene.again.as_it_is(task)
    assert settled is not None
    assert settled["overlap"] == 1
