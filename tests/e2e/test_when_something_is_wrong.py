"""Wrong addresses, wrong tokens, servers that stop: each with a message that says what to do, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.running import texts
from e2e.test_the_loop import label_next, learned
from nextlabel.errors import ToolUnavailable
from nextlabel.labeling import ProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.installation import Nextlabel, findings, running
from nextlabel.testing.servers import free_port
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice
from postgres import NewStore

MakeProject = Callable[..., int]


def test_connecting_twice_changes_nothing_the_second_time(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project = owner.create_project("twice", single_choice(("a", "b")))
    owner.import_tasks(project, [{"text": text} for text in texts(10)])
    assert "done" in {one["level"] for one in findings(nextlabel.connect(project, label_studio.legacy_access))}
    assert {one["level"] for one in findings(nextlabel.connect(project, label_studio.personal_access))} == {"unchanged"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"token": "0" * 40}, "token"),
        ({"project": "999999"}, "no project 999999"),
        pytest.param({"project": "sandwiches"}, "no project of Label Studio", marks=pytest.mark.everything),
        ({"url": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        pytest.param({"url": "127.0.0.1:80"}, "http://", marks=pytest.mark.everything),
    ],
)
def test_a_wrong_token_url_or_project_is_refused_with_a_remedy(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, wrong: dict[str, str], says: str
) -> None:
    given = {"url": label_studio.url, "token": label_studio.legacy_access.token, "project": "1"} | wrong
    done = nextlabel.command("connect", *(part for name, value in given.items() for part in (f"--{name}", value)))
    assert done.returncode != 0
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert given["token"] not in done.stderr + done.stdout


def test_an_address_that_is_nextlabel_itself_is_not_taken_for_label_studio(
    nextlabel: Nextlabel, label_studio: LabelStudioServer
) -> None:
    done = nextlabel.connect(1, ToolAccess(nextlabel.url, label_studio.legacy_access.token))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_a_config_that_asks_more_than_is_read_is_refused_with_what_is_too_much(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    asked = "".join(f'<TextArea name="a{n}" toName="t"/>' for n in range(1_001))
    project = owner.create_project("too much", f'<View><Text name="t" value="$t"/>{asked}</View>')
    done = nextlabel.connect(project, label_studio.legacy_access)
    assert done.returncode != 0
    assert "1,001 controls" in done.stderr


def test_a_backend_that_label_studio_cannot_reach_is_a_problem_with_a_remedy(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project = owner.create_project("unreachable", single_choice(("a", "b")))
    owner.import_tasks(project, [{"text": "one"}])
    access = label_studio.legacy_access
    done = nextlabel.command(
        *("connect", "--url", access.url, "--token", access.token, "--project", str(project)),
        *("--backend-url", f"http://127.0.0.1:{free_port()}"),
    )
    assert done.returncode == 1
    assert "--backend-url" in done.stdout
    assert (owner.webhooks(project), owner.ml_backends(project), owner.predictions_held(project)) == ([], [], {})
    assert owner.project(project)["sampling"] == "Sequential sampling"
    assert nextlabel.parts().connections.known(ProjectId(str(project))) is None


@pytest.mark.everything
def test_a_blocked_private_address_is_a_problem_with_a_remedy(tmp_path: Path, new_store: NewStore) -> None:
    with (
        LabelStudioServer(env={"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"}) as strict,
        running(tmp_path, **new_store()) as nextlabel,
    ):
        owner = strict.owner
        project = owner.create_project("strict", single_choice(("a", "b")))
        owner.import_tasks(project, [{"text": "one"}])
        done = nextlabel.connect(project, strict.legacy_access)
        assert done.returncode == 1
        assert "ML_BLOCK_LOCAL_IP=false" in done.stdout + done.stderr
        assert "SSRF_PROTECTION_ENABLED=false" in done.stdout + done.stderr


def test_more_than_one_annotation_per_task_is_warned_of(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson
) -> None:
    project = owner.create_project("overlap", single_choice(("a", "b")), maximum_annotations=2)
    owner.import_tasks(project, [{"text": "one"}])
    warned = [
        one for one in findings(nextlabel.connect(project, label_studio.legacy_access)) if "2 annot" in one["message"]
    ]
    assert [one["level"] for one in warned] == ["warning"]


def test_malformed_requests_are_answered_with_a_sentence_and_change_nothing(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    connected(10)
    with nextlabel.http() as http:
        for path in ("/setup", "/predict", "/webhook", "/job_status", "/api/projects/1/uncertainty"):
            for body in (b"{", b"[]", b"null", b'{"action": 5}', b'"' + b"x" * 1000):
                answer = http.post(path, content=body, headers={"content-type": "application/json"})
                assert answer.status_code == 400, (path, body, answer.text)
                assert len(answer.json()["error"]) > 10


@pytest.mark.everything
def test_tasks_that_label_studio_fails_to_list_are_set_aside_by_name_until_it_lists_them_again(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(40, "quiet_seconds=0.5")
    name, store = ProjectId(str(project)), nextlabel.parts().store

    def set_aside() -> set[str]:
        return {one.task for one in store.unreadable(name)}

    labeled = [label_next(owner, project)[0] for _ in range(4)]
    wait_for(learned(nextlabel, project, 4))
    printed, unsaid = labeled[1], nextlabel.queues(project)[0].window[-1]
    for task in (printed, unsaid):
        label_studio.break_task(int(task))
    with pytest.raises(ToolUnavailable, match="500"):
        owner.tasks(project)

    store.note_full_pull(name, None)  # else a task that is broken without a trace is met within a day
    wait_for(lambda: set_aside() == {printed, unsaid})
    for _ in range(2):
        label_next(owner, project)
    wait_for(learned(nextlabel, project, 5))
    assert unsaid not in nextlabel.queues(project)[0].window
    received = json.loads(nextlabel.command("status", "--json").stdout)["projects"]
    (reasons,) = [[it["reason"] for it in one["unreadable"]] for one in received if one["project"] == name]
    assert reasons
    assert all(label_studio.why_no_date in reason for reason in reasons)

    for task in (printed, unsaid):
        label_studio.mend_task(int(task))
    store.note_full_pull(name, None)
    wait_for(learned(nextlabel, project, 6))
    wait_for(lambda: set_aside() == set())  # a change may be read before everything is
    wait_for(lambda: unsaid in nextlabel.queues(project)[0].window)


def test_labels_given_while_label_studio_restarts_and_redis_is_gone_are_all_learned(
    tmp_path: Path, new_store: NewStore
) -> None:
    with LabelStudioServer() as server, running(tmp_path, NEXTLABEL_RECONCILE_SECONDS="3", **new_store()) as nextlabel:
        owner = server.owner
        project = owner.create_project("outage", single_choice(("winter", "kitchen")))
        owner.import_tasks(project, [{"text": text} for text in texts(40)])
        findings(nextlabel.connect(project, server.legacy_access))
        for _ in range(4):
            label_next(owner, project)
        wait_for(learned(nextlabel, project, 4))

        nextlabel.stop(signal.SIGKILL)  # backend, worker and Redis are gone, labels go on
        for _ in range(3):
            label_next(owner, project)
        server.stop()
        nextlabel.start()
        wait_for(lambda: "Asked again" in nextlabel.log or "cannot be reached" in nextlabel.log)
        server.start()
        wait_for(learned(nextlabel, project, 7))


def test_a_worker_killed_in_the_middle_of_a_training_loses_nothing(
    nextlabel: Nextlabel, owner: LabelStudioPerson, connected: MakeProject
) -> None:
    project = connected(600, "quiet_seconds=0.5")
    for _ in range(3):
        label_next(owner, project)
    wait_for(lambda: nextlabel.redis().exists(f"nextlabel:lease:{project}"), why="for the training to start")
    for pid in nextlabel.processes("worker-process"):
        os.kill(pid, signal.SIGKILL)
    wait_for(learned(nextlabel, project, 3))


def test_taking_everything_down_with_kill_9_leaves_no_process(tmp_path: Path, new_store: NewStore) -> None:
    with running(tmp_path, **new_store()) as nextlabel:
        assert len(nextlabel.processes("-m\0nextlabel")) > 3
        nextlabel.stop(signal.SIGKILL)
        wait_for(lambda: not nextlabel.processes())  # gunicorn gives a worker that is just being started 30 s to end
        nextlabel.start()  # … and what was left on disk does not stop the next start
