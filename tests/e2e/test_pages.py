"""The pages in a real browser, of a real `nextlabel up` with a project of files: a lead logs in, watches, decides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.running import label_of, texts
from nextlabel.testing.installation import Nextlabel, running
from nextlabel_connectors.files import append_label

_TASKS, _ROUND = 160, 30


@dataclass
class Notes:
    """A project of files, and somebody who labels from the top of its order."""

    nextlabel: Nextlabel
    file: Path
    done: set[str] = field(default_factory=set)

    def work(self, n: int) -> None:
        """Label the next n tasks, and have a version learn from them."""
        order = map(json.loads, self.file.with_suffix(".next.jsonl").read_text(encoding="utf-8").splitlines())
        for task in [one for one in order if one["id"] not in self.done][:n]:
            append_label(self.file.with_suffix(".labels.jsonl"), task["id"], label_of(task["text"]))
            self.done.add(task["id"])
        self.learn()

    def learn(self) -> None:
        learned = self.nextlabel.command("files", str(self.file))
        assert learned.returncode == 0, learned.stderr


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    """Three versions that learned, measured on audit tasks but for the first."""
    folder = tmp_path_factory.mktemp("pages")
    file = folder / "notes.jsonl"
    rows = ({"id": f"n{number}", "text": text} for number, text in enumerate(texts(_TASKS)))
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    with running(folder, NEXTLABEL_RECONCILE_SECONDS="3600") as nextlabel:
        made = Notes(nextlabel, file)
        made.learn()
        for _ in range(3):
            made.work(_ROUND)
        yield made


@pytest.fixture
def page(chromium: Browser, notes: Notes) -> Iterator[Page]:
    """A page on which nothing went wrong, and for which nothing came from elsewhere."""
    context = chromium.new_context(base_url=notes.nextlabel.url, viewport={"width": 1200, "height": 860})
    page, complaints, elsewhere = context.new_page(), list[str](), list[str]()
    page.on("console", lambda it: complaints.append(it.text) if it.type in ("error", "warning") else None)
    page.on("pageerror", lambda it: complaints.append(str(it)))
    page.on("request", lambda it: elsewhere.append(it.url) if not it.url.startswith(notes.nextlabel.url) else None)
    log_in(page, notes)
    yield page
    context.close()
    assert (complaints, elsewhere) == ([], [])


def log_in(page: Page, notes: Notes) -> None:
    password = json.loads(notes.nextlabel.command("credentials", "--json").stdout)["pages"]["admin"]
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_lead_logs_in_watches_the_curve_grow_and_has_another_version_serve(page: Page, notes: Notes) -> None:
    page.get_by_role("rowheader", name="notes").get_by_role("link").click()
    points = page.locator("svg.chart .point")
    before = points.count()
    assert before >= 2
    opened = page.get_by_text("The same as a table")
    opened.click()
    rows = page.get_by_role("region", name="Accuracy of each version").get_by_role("rowheader")
    expect(rows).to_have_count(before)
    notes.work(10)
    expect(points).to_have_count(before + 1)
    expect(rows).to_have_count(before + 1)
    expect(opened).to_be_focused()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Promote nextlabel-2").click()
    expect(page.get_by_role("status").first).to_contain_text("nextlabel-2 serves until you choose another")
    expect(page.get_by_role("row", name="nextlabel-2")).to_contain_text("in service")
    page.get_by_role("link", name="Queue").click()
    expect(page.locator("#live")).to_contain_text("by nextlabel-2")  # a worker has put it in order
    page.get_by_role("link", name="Actions").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("chose nextlabel-2")


def test_without_scripts_everything_can_be_read_and_done(chromium: Browser, notes: Notes) -> None:
    context = chromium.new_context(base_url=notes.nextlabel.url, java_script_enabled=False)
    page = context.new_page()
    log_in(page, notes)
    page.goto("/projects/notes")
    expect(page.get_by_role("img", name="Accuracy of each version")).to_be_visible()
    page.goto("/projects/notes/versions")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status").first).to_contain_text("serves until you choose another")
    page.get_by_role("button", name="Let new versions serve").click()
    expect(page.get_by_role("button", name="Let new versions serve")).to_have_count(0)
    context.close()


def test_a_hidden_tab_does_not_ask_and_asks_at_once_when_it_is_seen_again(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda it: asked.append(it.url))
    with page.expect_request(re.compile("live")):
        pass
    hide = "is => Object.defineProperty(document, 'hidden', {get: () => is, configurable: true})"
    page.evaluate(hide, True)
    page.wait_for_timeout(200)  # of one that was on its way
    asked.clear()
    page.wait_for_timeout(4_000)
    assert asked == []
    page.evaluate(hide, False)
    with page.expect_request(re.compile("live"), timeout=1_000):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(page: Page, axe: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for width in (1200, 360):
        page.set_viewport_size({"width": width, "height": 800})
        of_notes = ("", "/versions", "/versions/compare", "/queue", "/stopping", "/suspects", "/annotators")
        for path in ("", *(f"/notes{one}" for one in of_notes), "/../jobs", "/../actions", "/../doctor"):
            page.goto(f"/projects{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than {width}"
            if width == 360:  # where rows are cards, nothing is to be scrolled aside
                cards = "[...document.querySelectorAll('.cards-on-phone')].map(it => it.parentElement)"
                cut = page.evaluate(f"{cards}.filter(it => it.scrollWidth > it.clientWidth).length")
                assert cut == 0, f"cards of {path} are cut off"
            page.evaluate(axe)
            found = page.evaluate("axe.run().then(it => it.violations)")
            serious = [
                (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], path
