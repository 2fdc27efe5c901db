"""What an annotator sees: the pre-annotation of each kind, in Label Studio's own editor in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from e2e.kinds import KINDS
from e2e.test_every_kind import taught
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice

SCREENSHOTS = Path(".cache/screenshots")
_TASKS, _LABELS = 24, 12
# Without these Chromium looks for its maker's servers at every start.
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


SEEN: Mapping[str, str] = {
    "single choice": ".lsf-choices input:checked, .ant-radio-checked, .ant-checkbox-checked",
    "image choice": ".lsf-choices input:checked, .ant-radio-checked, .ant-checkbox-checked",
    "rating": ".ant-rate-star-full",
    "spans": ".htx-highlight",
}
"""Kind → what only a pre-annotation puts on the page of a task that nobody has opened before."""


@pytest.fixture(scope="module")
def browser(label_studio: LabelStudioServer, owner: LabelStudioPerson) -> Iterator[BrowserContext]:
    """Signed in as the owner."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("There is no Chromium: run `make browser`.")
        pytest.skip("There is no Chromium: run `make browser`.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        context = opened.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": k, "value": v, "url": label_studio.url} for k, v in owner.cookies.items()])
        yield context
        opened.close()


@pytest.mark.parametrize("name", SEEN)
def test_the_pre_annotation_is_seen_in_the_editor(
    name: str,
    nextlabel: Nextlabel,
    label_studio: LabelStudioServer,
    browser: BrowserContext,
) -> None:
    project, _ = taught(KINDS[name], _TASKS, _LABELS, nextlabel, label_studio)
    page = browser.new_page()
    page.goto(f"{label_studio.url}/projects/{project}/data?labeling=1")
    try:
        expect(page.locator(SEEN[name]).first).to_be_attached(timeout=120_000)
    finally:
        page.screenshot(path=SCREENSHOTS / f"{name.replace(' ', '-')}.png")
        page.close()


def test_the_percentage_beside_a_prediction_is_how_sure_the_model_is(
    nextlabel: Nextlabel,
    label_studio: LabelStudioServer,
    owner: LabelStudioPerson,
    browser: BrowserContext,
) -> None:
    """Of one that knows nothing of four labels, even beside the task that comes first."""
    project = owner.create_project("one of four", single_choice(("one", "two", "three", "four")))
    owner.import_tasks(project, [{"text": f"text {n}"} for n in range(6)])
    findings(nextlabel.connect(project, label_studio.legacy_access))
    page = browser.new_page()
    try:
        for task in nextlabel.queues(project)[0].window[::5]:
            page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
            expect(page.locator("[title^='Prediction score']").first).to_contain_text("25.00%", timeout=120_000)
    finally:
        page.screenshot(path=SCREENSHOTS / "percentage.png")
        page.close()
