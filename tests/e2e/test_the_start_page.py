"""The ten-minute start as somebody types it, line by line, beside a real Label Studio: docs/start/pip.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from e2e.running import texts
from nextlabel.testing.installation import Nextlabel
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

PAGE = Path(__file__).resolve().parents[2] / "docs" / "start" / "pip.md"
DONE_BY_THE_TESTS = {
    "ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false label-studio start": "the fixture `label_studio`",
    "git clone ADDRESS nextlabel && cd nextlabel": "the clone that the tests run in",
    "python3 -m venv ~/nextlabel-venv && ~/nextlabel-venv/bin/pip install .": "`make setup`",
    "export PATH=~/nextlabel-venv/bin:$PATH": "the function `nextlabel` below",
    "nextlabel up": "the fixture `nextlabel`",
}
"""Lines that are not run here, with what does the same."""


def lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def test_the_lines_lead_from_a_project_with_tasks_to_a_queue_in_order(
    label_studio: LabelStudioServer, owner: LabelStudioPerson, nextlabel: Nextlabel
) -> None:
    project = owner.create_project("mails", single_choice(("winter", "kitchen")))
    owner.import_tasks(project, [{"text": text} for text in texts(30)])
    access = label_studio.personal_access
    here = {
        "http://localhost:8080": access.url,
        "=TOKEN": f"={access.token}",
        "--project 1": f"--project {project}",
        "PATH=~/nextlabel-venv/bin:$PATH ": "",
    }
    typed = [line for line in lines() if line not in DONE_BY_THE_TESTS]
    assert len(typed) == len(lines()) - len(DONE_BY_THE_TESTS) == 4
    script = "\n".join(typed)
    for written, real in here.items():
        assert written in script
        script = script.replace(written, real)
    script = f'set -ex\nnextlabel() {{ "{sys.executable}" -P -m nextlabel "$@"; }}\n{script}'
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("NEXTLABEL_", "LABEL_STUDIO"))}
    done = subprocess.run(
        ["bash", "-c", script],
        env=environ | nextlabel.environ | {"NEXTLABEL_HOME": str(nextlabel.home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=CEILING_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for promised in ("Webhook to ", "ML backend 'nextlabel' at ", "sampling = 'Uncertainty sampling'"):
        assert promised in done.stdout
    assert re.search(r"30 changed tasks read, 0 labels in force; .*30 tasks\s+in order", done.stdout)
    assert "admin" in done.stdout
    assert httpx.get(nextlabel.url, headers={"Accept": "text/html"}, follow_redirects=True).status_code == 200
