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

_LABELS, _ROW, _SEEN, _COLORS = 60, 3, (0, 0, 1020, 430), 200
_KEPT = 2  # orders: the one in force, and the one before it
_HIDDEN = ["tasks:inner_id", "tasks:total_annotations", "tasks:cancelled_annotations", "tasks:total_predictions"]
_HIDDEN += ["tasks:completed_at", "tasks:annotators", "tasks:annotations_results", "tasks:annotations_ids"]
_HIDDEN += ["tasks:predictions_results", "tasks:predictions_model_versions"]
_OPEN = {"filter": "filter:tasks:total_annotations", "operator": "equal", "type": "Number", "value": 0}
_TAB = {
    "ordering": ["tasks:predictions_score"],
    "filters": {"conjunction": "and", "items": [_OPEN]},
    "hiddenColumns": {"explore": _HIDDEN, "labeling": _HIDDEN},
    "columnsWidth": {"tasks:id": 62, "tasks:predictions_score": 178},
}


def main() -> None:
    """Run the demo, and photograph its open tasks in the order in which they are served, one of them opened."""
    display = Display(Console(highlight=False))
    with servers(display, None, None) as running, stage(display, running, _LABELS) as ready:
        simulate(display, ready, _LABELS)
        while len(running.label_studio.owner.predictions_held(ready.project.id)) > _KEPT:
            time.sleep(5)
        photograph(running.label_studio, ready.project.id)


def photograph(server: LabelStudioServer, project: int) -> None:
    """Show the open tasks in a tab of their own, open one, and keep what matters of the page."""
    token, view = {"Authorization": f"Token {server.legacy_access.token}"}, {"project": project, "data": _TAB}
    made = httpx.post(f"{server.url}/api/dm/views", params={"project": project}, json=view, headers=token)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=("--no-sandbox",))
        page = browser.new_page(viewport={"width": 1340, "height": 520})
        page.context.add_cookies([{"name": k, "value": v, "url": server.url} for k, v in server.owner.cookies.items()])
        page.goto(f"{server.url}/projects/{project}/data?tab={made.raise_for_status().json()['id']}")
        page.locator("[class*=row-wrapper]").nth(_ROW).click()
        page.get_by_text("nextlabel-").first.wait_for()
        page.wait_for_timeout(2000)  # what slides in has arrived
        shot = Image.open(io.BytesIO(page.screenshot()))
    shot.convert("RGB").crop(_SEEN).quantize(_COLORS).save(Path("docs") / "queue.png", optimize=True)


if __name__ == "__main__":
    main()
