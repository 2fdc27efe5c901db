"""A disk that takes nothing more is an alarm, not the end: nothing is damaged or lost, and it goes on by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from nextlabel.jobs.alarms import Alarms, complaint
from nextlabel.testing.waiting import CEILING_SECONDS

PROGRAM = Path(__file__).with_name("filling.py")
# A mount that nobody else sees; root of a namespace of its own may make one where the kernel lets it.
IN_A_MOUNT = 'mkdir -p "$0" && mount -t tmpfs -o size=16m,mode=700 tmpfs "$0" && exec "$@"'


def run(how: str, home: Path, redis_url: str) -> dict[str, Any]:
    program = [sys.executable, str(PROGRAM), how, str(home), redis_url]
    if how != "limited":
        program = ["unshare", "--map-root-user", "--mount", "sh", "-c", IN_A_MOUNT, str(home), *program]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=CEILING_SECONDS)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def may_mount(folder: Path) -> bool:
    program = ["unshare", "--map-root-user", "--mount", "sh", "-c", IN_A_MOUNT, str(folder), "true"]
    try:
        return subprocess.run(program, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("full", "No space left on device"),
        pytest.param("read-only", "Read-only file system", marks=pytest.mark.everything),
        ("limited", "File too large"),
    ],
)
def test_on_a_disk_that_takes_nothing_more_the_last_model_serves_and_all_is_learned_once_there_is_room(
    how: str, says: str, tmp_path: Path, redis_url: str
) -> None:
    if how != "limited" and not may_mount(tmp_path / "try"):
        pytest.skip("this machine lets nobody mount a small disk; a limit on the size of files is tried instead")
    received = run(how, tmp_path / "home", redis_url)
    assert "12 labels in force" in received["before"]
    assert all(says in printed and "goes on by itself" in printed for printed in received["during"]), received["during"]
    assert says in received["alarm"]
    assert received["unwell"] == [503, received["alarm"]]
    assert received["served"][0] == received["served"][1] == "nextlabel-1"
    assert "30 labels in force" in received["after"]
    assert received["learned"] == received["given"]
    assert (received["well"], received["sound"]) == ([200, ""], "ok")


def test_an_alarm_of_another_machine_is_heard_until_it_is_cleared(redis_client: redis.Redis, tmp_path: Path) -> None:
    here, there = Alarms(redis_client, [tmp_path]), Alarms(redis_client, [tmp_path])
    assert here.standing() == ""
    there.raise_("The database takes nothing more.")
    assert here.check() == "The database takes nothing more."
    assert here.standing() == ""  # looked at a moment ago
    there.clear()
    assert here.check() == ""


def test_a_folder_that_can_be_written_is_no_reason_for_alarm_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    assert complaint([tmp_path]) == ""
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path / "gone") in complaint([tmp_path, tmp_path / "gone"])


FULL = (
    'mount -t tmpfs -o size=4m,mode=700 tmpfs "$0" && "$@" tokens list'
    ' && (cat /dev/zero > "$0/filler"; "$@" status --json; "$@" doctor --json)'
)


def test_on_a_full_disk_status_and_doctor_say_so(tmp_path: Path) -> None:
    if not may_mount(tmp_path / "try"):
        pytest.skip("this machine lets nobody mount a small disk")
    home = tmp_path / "home"
    home.mkdir()
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL, str(home), sys.executable, "-m", "nextlabel"]
    env = os.environ | {"NEXTLABEL_HOME": str(home), "NEXTLABEL_BACKEND_URL": "http://127.0.0.1:1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=CEILING_SECONDS)
    status, doctor = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert (done.returncode, status["projects"]) == (1, None)
    assert "make room" in status["alarm"]
    assert next((one["name"], one["runs"]) for one in status["services"]) == ("redis", False)
    assert {"nothing-can-be-written", "redis-stopped", "backend-stopped"} <= {one["name"] for one in doctor["symptoms"]}
