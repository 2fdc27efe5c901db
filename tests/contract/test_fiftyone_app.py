"""What an annotator sees and does in FiftyOne's own App, in a real browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from sklearn.datasets import load_digits

from nextlabel.labeling import Guess, Prediction, QueueVersion, TaskId, ToolProjectId, labels_in_force
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.ports.tool import Connector
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel_connectors.fiftyone import CONNECTOR
from nextlabel_connectors.fiftyone.testing import FiftyOneServer

SCREENSHOTS = Path(".cache/screenshots")
_NAME, _SIZE, _WINDOW = "digits in the App", 40, 18
_VERSION = QueueVersion("nextlabel-1")


def test_the_app_shows_the_order_and_what_is_tagged_there_is_a_label(
    fiftyone: FiftyOneServer, chromium: Browser, tmp_path: Path
) -> None:
    tasks, digits = _drawn(fiftyone, tmp_path, _NAME)
    connector = CONNECTOR.open(fiftyone.access, ToolProjectId(_NAME))
    order = [*tasks[::-2], *tasks[::2]][:_WINDOW]
    _place(connector, order, digits)
    rest = [task for task in tasks if task not in order]
    page = chromium.new_page(viewport={"width": 1100, "height": 640})
    page.set_default_timeout(1_000 * CEILING_SECONDS)
    try:
        page.goto(f"{fiftyone.launch_app()}/datasets/{quote(_NAME)}?view=nextlabel")
        _show(page, "nextlabel_priority")
        page.screenshot(path=SCREENSHOTS / "fiftyone-queue.png")
        _show(page, "id")
        assert _seen(page) == [*order, *rest]
        page.locator("[data-cy='looker'] input").first.dispatch_event("click")
        _tag(page, digits[order[0]])
        wait_for(lambda: _labels(connector) == {order[0]: digits[order[0]]})
        assert connector.head_of_queue(3) == order[1:4]
        expect(page.get_by_text(f"{_SIZE - 1} samples")).to_be_visible()
        assert _seen(page) == [*order[1:], *rest]
    finally:
        page.screenshot(path=SCREENSHOTS / "fiftyone-end.png")
        page.close()


def test_what_was_open_in_the_app_while_an_order_came_can_be_saved(fiftyone: FiftyOneServer, tmp_path: Path) -> None:
    tasks, digits = _drawn(fiftyone, tmp_path, name := "open in the App")
    connector = CONNECTOR.open(fiftyone.access, ToolProjectId(name))
    _place(connector, tasks[:9], digits)
    address, changed = fiftyone.people("opened", project=name, sample=tasks[0])
    _place(connector, tasks[:9][::-1], digits)
    given = [{"op": "add", "path": "/digit", "value": {"_cls": "Classification", "label": "7"}}]
    headers = {"If-Match": f'"{changed}"', "Content-Type": "application/json-patch+json"}
    url = fiftyone.launch_app() + address
    assert httpx.patch(url, json=given, headers=headers, timeout=CEILING_SECONDS).status_code == 200
    assert httpx.patch(url, json=given, headers=headers, timeout=CEILING_SECONDS).status_code == 412
    assert _labels(connector) == {tasks[0]: "7"}


def _drawn(fiftyone: FiftyOneServer, folder: Path, name: str) -> tuple[list[TaskId], dict[TaskId, str]]:
    """A dataset of pictures, and the digit on each."""
    data: Any = load_digits()
    for n, pixels in enumerate(data.images[:_SIZE]):
        Image.fromarray((255 - pixels * 15).astype(np.uint8)).resize((96, 96), Image.Resampling.NEAREST).save(
            folder / f"{n}.png"
        )
    asked = {"label": "digit", "document": "Classification", "classes": list("0123456789"), "texts": []}
    fiftyone.people("create", project=name, **asked)
    samples = [{"filepath": str(folder / f"{n}.png")} for n in range(_SIZE)]
    tasks = [TaskId(one) for one in fiftyone.people("add", project=name, samples=samples)]
    return tasks, {task: str(digit) for task, digit in zip(tasks, data.target, strict=False)}


def _place(connector: Connector, order: Sequence[TaskId], digits: dict[TaskId, str]) -> None:
    shown = [Prediction(task, _VERSION, (Guess("digit", digits[task], 0.9),), 0.1, 0.2) for task in order]
    window = Ranking(tuple(RankedTask(task, 1 / (n + 1)) for n, task in enumerate(order)), "test")
    connector.place(_VERSION, window, shown)


def _show(page: Page, *fields: str) -> None:
    """Have the values of these fields shown on each sample."""
    expect(page.locator("[data-cy='looker']").first).to_be_visible()
    if page.get_by_text("Dismiss").is_visible():
        page.get_by_text("Dismiss").click()
    for field in fields:
        if not page.locator(f"[data-cy='tag-{field}']").count():
            page.locator(f"[data-cy='checkbox-{field}']").first.click()
    expect(page.locator(f"[data-cy='tag-{fields[0]}']").first).to_be_visible()


def _seen(page: Page) -> list[str]:
    """The ids on the grid, from the first to the last."""
    shown, tags = page.locator("[data-cy='fo-grid'] [data-cy='looker']"), page.locator("[data-cy='tag-id']")
    wait_for(lambda: 0 < tags.count() == shown.count())
    return [(one.get_attribute("title") or "").removeprefix("id: ") for one in tags.all()]


def _tag(page: Page, tag: str) -> None:
    """As annotators do it: the samples that are selected."""
    page.locator("[data-cy='action-tag-sample-labels']").click()
    page.get_by_placeholder("+ tag selected sample").fill(tag)
    page.keyboard.press("Enter")
    page.get_by_text("Apply", exact=True).click()


def _labels(connector: Connector) -> dict[TaskId, object]:
    seen = [one for page in connector.changed_tasks(None) for one in page.tasks]
    return {one.task.id: labels_in_force(one.annotations)["digit"] for one in seen if one.closed}
