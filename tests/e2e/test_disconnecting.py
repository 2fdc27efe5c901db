"""A team's project on a real Label Studio: as it was once nextlabel is gone, and as the team leaves it while paused."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from e2e.running import SettingsPages, texts
from e2e.test_the_loop import label_next, learned
from nextlabel.labeling import ProjectId
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.servers import free_port
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice
from nextlabel_connectors.trusted import trusted

MakeProject = Callable[..., int]
VERSIONS = ("1661144695", "20240315", "2023", "v0001", "bert-v1", "0002")


def predictions(owner: LabelStudioPerson, project: int) -> dict[int, tuple[str, float]]:
    """All predictions that Label Studio stores for a project, by their id."""
    return {
        one["id"]: (one["model_version"], one["score"]) for task in owner.tasks(project) for one in task["predictions"]
    }


def state(owner: LabelStudioPerson, project: int) -> tuple[Any, ...]:
    """What `connect` and the loop change."""
    found = owner.project(project)
    settings = (found["sampling"], found["model_version"] or "", found["show_collab_predictions"])
    return (*settings, owner.webhooks(project), owner.ml_backends(project))


def disconnect(nextlabel: Nextlabel, project: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nextlabel.command("disconnect", "--project", str(project), *arguments)


def test_a_team_has_all_its_predictions_and_settings_after_thirty_labels_and_a_disconnect(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, settings_pages: SettingsPages
) -> None:
    project = owner.create_project("six versions", single_choice(("winter", "kitchen")))
    tasks = owner.import_tasks(project, [{"text": text} for text in texts(60)])
    for version in VERSIONS:
        owner.import_predictions(project, version, {task: n / 40 for n, task in enumerate(tasks[:40])})
    owner.change_project(project, sampling="Uniform sampling", model_version="bert-v1")
    before, theirs = state(owner, project), predictions(owner, project)
    assert len(theirs) == 240

    done = nextlabel.connect(project, label_studio.legacy_access, "quiet_seconds=2", "window=20")
    received = [one["message"] for one in findings(done) if one["level"] == "warning"]
    assert [
        ("'bert-v1' (40 predictions)" in one, "`nextlabel disconnect` puts it back" in one) for one in received
    ] == [(True, True)]
    for labels in (10, 20, 30):
        for _ in range(10):
            label_next(owner, project)
        wait_for(learned(nextlabel, project, labels))
    settings_pages.retrieve_predictions(project)
    assert len(nextlabel.queues(project)) >= 4
    assert predictions(owner, project).items() > theirs.items()

    printed = disconnect(nextlabel, project, "--predictions", "remove", "--json")
    assert printed.returncode == 0, printed.stderr
    assert (state(owner, project), predictions(owner, project)) == (before, theirs)
    again = json.loads(disconnect(nextlabel, project, "--predictions", "remove", "--json").stdout)
    assert {one["level"] for one in again["findings"]} == {"unchanged"}
    assert state(owner, project) == before

    findings(nextlabel.connect(project, label_studio.legacy_access))
    assert learned(nextlabel, project, 30)()
    assert owner.project(project)["model_version"] == nextlabel.queues(project)[0].version


@pytest.mark.everything
def test_a_disconnect_that_is_killed_while_it_removes_predictions_is_completed_by_the_next(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(700, "window=700")
    command = [sys.executable, "-m", "nextlabel", "disconnect", "--project", str(project), "--predictions", "remove"]
    with subprocess.Popen(command, env=nextlabel.environment(), stdout=subprocess.DEVNULL) as killed:
        wait_for(lambda: 0 < sum(owner.predictions_held(project).values()) < 700, why="for some to be removed")
        killed.send_signal(signal.SIGKILL)
    left = sum(owner.predictions_held(project).values())
    assert 0 < left < 700
    assert disconnect(nextlabel, project, "--predictions", "remove").returncode == 0
    assert owner.predictions_held(project) == {}
    assert state(owner, project) == ("Sequential sampling", "", True, [], [])


@pytest.mark.everything
def test_of_a_project_of_an_earlier_release_it_is_asked_what_to_put_back(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(10)
    noted = nextlabel.parts().connections.get(ProjectId(str(project)))
    nextlabel.parts().connections.save(replace(noted, before=None))
    printed = disconnect(nextlabel, project)
    assert printed.returncode == 78
    for flag in ("--sampling 'Sequential sampling' | 'Uniform sampling'", "--model-version none", "--show-predictions"):
        assert flag in " ".join(printed.stderr.split())
    assert owner.project(project)["sampling"] == "Uncertainty sampling"

    answers = {"sampling before": "Uniform sampling", "version before": "none", "predictions before": "yes"}
    shown = at_terminal(nextlabel, f"disconnect --project {project}", answers | {"keep or remove": "remove"})
    assert "10 predictions of nextlabel's removed" in shown
    assert state(owner, project) == ("Uniform sampling", "", True, [], [])


def at_terminal(nextlabel: Nextlabel, command: str, answers: dict[str, str]) -> str:
    """What a command shows to a person who has an answer to each of its questions."""
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "nextlabel", *command.split()]
    environ = nextlabel.environment() | {"TERM": "dumb", "COLUMNS": "400"}
    with subprocess.Popen(arguments, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown, left = "", dict(answers)
        while part := read(ours):
            shown += part
            for question in [one for one in left if one in shown]:
                os.write(ours, f"{left.pop(question)}\n".encode())
    os.close(ours)
    assert (process.returncode, left) == (0, {}), shown
    return shown


def read(terminal: int) -> str:
    try:
        return os.read(terminal, 100_000).decode()
    except OSError:  # nobody has it open any more
        return ""


@pytest.mark.everything
def test_what_a_team_changes_while_a_project_is_paused_stays_until_it_is_resumed(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project, other = connected(40, "quiet_seconds=0.3"), connected(40, "quiet_seconds=0.3")
    label_next(owner, project)
    wait_for(learned(nextlabel, project, 1))
    assert nextlabel.command("pause", "--project", str(project)).returncode == 0
    owner.change_project(project, sampling="Uniform sampling")
    held = owner.predictions_held(project)
    for one in (project, other):
        label_next(owner, one)
    wait_for(learned(nextlabel, other, 1))  # so the worker had time for it
    assert (owner.project(project)["sampling"], owner.predictions_held(project)) == ("Uniform sampling", held)
    assert [record.labels for record in nextlabel.trained(project)] == [1]
    with nextlabel.http() as http:
        path, sent = f"/api/projects/{project}/uncertainty", {"tasks": [{"data": {"text": "snow"}}]}
        assert http.post(path, json=sent).status_code == 200
    assert nextlabel.command("resume", "--project", str(project)).returncode == 0
    wait_for(learned(nextlabel, project, 2))
    assert owner.project(project)["sampling"] == "Uncertainty sampling"


def test_a_project_that_is_deleted_in_label_studio_is_reported_once_and_then_left_alone(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(10, "quiet_seconds=0.3")
    owner.delete_project(project)

    def seen() -> str:
        found = nextlabel.parts().connections.known(ProjectId(str(project)))
        return found.state if found else ""

    wait_for(lambda: seen() == "gone")
    label_next(owner, other := connected(10, "quiet_seconds=0.3"))
    wait_for(learned(nextlabel, other, 1))
    assert nextlabel.log.count(f"has no project {project}") == 1
    printed = disconnect(nextlabel, project)
    assert (printed.returncode, "nothing to take back" in " ".join(printed.stdout.split())) == (0, True)


@pytest.mark.everything
def test_another_address_takes_the_place_of_the_old_one_unless_nothing_answers_there(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(10)
    before, queues, access = state(owner, project), nextlabel.queues(project), label_studio.legacy_access
    connect = ("connect", "--url", access.url, "--token", access.token, "--project", str(project), "--backend-url")
    for dead in (f"http://127.0.0.1:{free_port()}", "http://nobody.invalid:9090"):
        printed = nextlabel.command(*connect, dead)
        assert (printed.returncode, "left as it was" in " ".join(printed.stdout.split())) == (1, True), printed.stdout
        assert (calls(owner, project), state(owner, project)[:3]) == (pair(nextlabel.url), before[:3])
        assert nextlabel.queues(project) == queues
    with serving_elsewhere(nextlabel) as url:
        assert nextlabel.command(*connect, url).returncode == 0
        assert calls(owner, project) == pair(url)


def calls(owner: LabelStudioPerson, project: int) -> list[str]:
    return [one["url"] for one in (*owner.webhooks(project), *owner.ml_backends(project))]


def pair(url: str) -> list[str]:
    return [f"{url}/webhook", url]


@contextmanager
def serving_elsewhere(nextlabel: Nextlabel) -> Iterator[str]:
    """The same installation at another port too."""
    port = free_port()
    command = [sys.executable, "-m", "nextlabel", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environ = nextlabel.environment() | {"NEXTLABEL_WEB_WORKERS": "1"}
    with subprocess.Popen(command, env=environ, start_new_session=True) as process:
        try:
            wait_for(lambda: process.poll() is None and answers(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5, verify=trusted()).is_success
    except httpx.HTTPError:
        return False
