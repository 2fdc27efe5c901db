"""``python -m demo.picture``: docs/queue.png, the queue in Label Studio after 60 labels. Needs Chromium."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console

from demo.display import Display
from demo.run import servers, simulate, stage
from nextlabel_connectors.label_studio.testing import LabelStudioServer

PICTURE = Path("docs") / "queue.png"
_LABELS, _ROW, _COLORS = 60, 3, 200
_SEEN = (0, 0, 1020, 430)
_HIDDEN = ["inner_id", "total_annotations", "cancelled_annotations", "total_predictions", "completed_at", "annotators"]
_HIDDEN += ["annotations_results", "predictions_results", "predictions_model_versions", "annotations_ids"]
_OPEN = {"filter": "filter:tasks:total_annotations", "operator": "equal", "type": "Number", "value": 0}
_TAB = {
    "title": "Next tasks",
    "ordering": ["tasks:predictions_score"],
    "filters": {"conjunction": "and", "items": [_OPEN]},
    "hiddenColumns": dict.fromkeys(("explore", "labeling"), [f"tasks:{name}" for name in _HIDDEN]),
    "columnsWidth": {"tasks:id": 62, "tasks:predictions_score": 178},
}


def main() -> None:
    """Run the demo, and photograph its open tasks in the order in which they are served, one of them opened."""
    display = Display(Console(highlight=False))
    with servers(display, None, None) as running, stage(display, running, _LABELS) as ready:
        simulate(display, ready, _LABELS)
        with display.step("Waiting until old orders are removed", "Old orders are removed"):
            while len(running.label_studio.owner.predictions_held(ready.project.id)) > 2:  # in force, and before it
                time.sleep(5)
        photograph(running.label_studio, ready.project.id)


def photograph(server: LabelStudioServer, project: int) -> None:
    """Show the open tasks in a tab of their own, open one, and keep what matters of the page."""
    token = {"Authorization": f"Token {server.legacy_access.token}"}
    view = {"project": project, "data": _TAB}
    made = httpx.post(f"{server.url}/api/dm/views", params={"project": project}, json=view, headers=token)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=("--no-sandbox",))
        page = browser.new_page(viewport={"width": 1340, "height": 520})
        cookies = server.owner.cookies.items()
        page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
        page.goto(f"{server.url}/projects/{project}/data?tab={made.raise_for_status().json()['id']}")
        page.locator(".dm-table__row-wrapper, [class*=row-wrapper]").nth(_ROW).click()
        page.get_by_text("nextlabel-").first.wait_for()
        page.wait_for_timeout(2000)  # what slides in has arrived
        shot = Image.open(io.BytesIO(page.screenshot()))
    shot.convert("RGB").crop(_SEEN).quantize(_COLORS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
