"""``python -m benchmarks.pictures``: the pictures of the pages in docs/pages, of real mails in a real Label Studio.

Three people label; one of them gives every eighth label wrongly. In the light, in the dark, and on a phone.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.mails import TWO, mails
from benchmarks.pages import admin_cookie
from benchmarks.processes import temporary_home
from nextlabel.labeling import ProjectId
from nextlabel.testing.installation import Nextlabel, findings, running
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

_FOLDER = Path(__file__).parent.parent / "docs" / "pages"
_TASKS, _ROUNDS, _OF_A_ROUND, _SHARED = 400, 3, 40, 24
_PATHS = ("project", "queue", "versions", "compare", "stopping", "suspects", "annotators", "jobs", "doctor")
_WIDE, _PHONE = {"width": 1200, "height": 860}, {"width": 360, "height": 780}


def main() -> None:
    with LabelStudioServer() as label_studio, temporary_home() as home, running(home) as nextlabel:
        project = _labeled(label_studio, nextlabel)
        cookie = admin_cookie(nextlabel.url, nextlabel.parts())
        program = shutil.which("chromium")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            for name in _taken(browser, nextlabel.url, cookie, project):
                print(name, file=sys.stderr)
            browser.close()


def _labeled(label_studio: LabelStudioServer, nextlabel: Nextlabel) -> int:
    people = [label_studio.owner, *(label_studio.sign_up(f"{name}@example.org") for name in ("ben", "cleo"))]
    owner, rng = people[0], np.random.default_rng(0)
    project = owner.create_project("Mails", single_choice(TWO))
    some = rng.permutation(len(mails()))[:_TASKS]
    owner.import_tasks(project, [{"text": mails()[n][0]} for n in some])
    truth = {mails()[n][0]: mails()[n][1] for n in some}
    findings(nextlabel.connect(project, label_studio.legacy_access, "audit_share=0.2"))
    given = dict[int, str]()
    for turn in range(_ROUNDS):
        for n in range(_OF_A_ROUND):
            _label_next(people[n % 3], project, truth, given, wrongly=n % 3 == 1 and n % 8 == 1)
        wait_for(lambda turn=turn: _learned(nextlabel, project) >= (turn + 1) * _OF_A_ROUND)  # type: ignore[misc]
    for task in list(given)[:_SHARED]:
        for n, person in enumerate(people):
            label = TWO[1 - TWO.index(given[task])] if n == 1 and task % 5 == 1 else given[task]
            person.submit(task, label, seconds=float(rng.integers(4, 20)))
    nextlabel.command("suspects", "--project", str(project), "--tab")
    time.sleep(20)  # the last round, and what is found after it
    return project


def _label_next(
    person: LabelStudioPerson, project: int, truth: dict[str, str], given: dict[int, str], *, wrongly: bool
) -> None:
    task = person.next_task(project)
    if task is not None:
        label = truth[task["data"]["text"]]
        given[int(task["id"])] = label
        person.submit(int(task["id"]), TWO[1 - TWO.index(label)] if wrongly else label, seconds=7.0)


def _learned(nextlabel: Nextlabel, project: int) -> int:
    serving = nextlabel.parts().models.latest(ProjectId(str(project)))
    return serving.labels if serving else 0


def _taken(browser: Browser, url: str, cookie: str, project: int) -> Iterator[str]:
    for ending, scheme, size in (("", "light", _WIDE), ("-dark", "dark", _WIDE), ("-phone", "light", _PHONE)):
        context = browser.new_context(base_url=url, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        context.add_cookies([{"name": "nextlabel", "value": cookie, "url": url}])
        page = context.new_page()
        for name in _PATHS:
            below = {"project": "", "compare": "/versions/compare"}.get(name, f"/{name}")
            page.goto(f"/{name}" if name in ("jobs", "doctor") else f"/projects/{project}{below}")
            taken = Image.open(BytesIO(page.screenshot()))
            taken.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(
                _FOLDER / f"{name}{ending}.png", optimize=True
            )
            yield f"{name}{ending}.png"
        context.close()


if __name__ == "__main__":
    main()
