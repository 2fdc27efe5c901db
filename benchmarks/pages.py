"""``python -m benchmarks.pages``: what the pages weigh, how soon they are there, and what they cost beside labeling.

Ends with one JSON object. QUICK=1: pages are asked for ten seconds instead of a minute.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from flask.testing import FlaskClient

from benchmarks import scrape
from benchmarks.figures import percentile
from benchmarks.open_loop import Answers, send_at_rate
from benchmarks.payloads import annotation_created, webhook_headers
from benchmarks.processes import nextlabel, parts_of, temporary_home
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import ProjectId
from nextlabel.options import ProjectOptions
from nextlabel.ports.tool import ToolAccess
from nextlabel.settings import Settings
from nextlabel.testing import connection_to
from nextlabel.web import create_app
from nextlabel.web.pages import Pages
from nextlabel.wiring import Parts, build

if TYPE_CHECKING:
    from playwright.sync_api import Page

_TASKS, _LABELED, _VERSIONS, _REPEATS = 100_000, 20_000, 500, 15
_SECONDS = 10.0 if os.environ.get("QUICK") else 60.0
_PAGES, _EVERY, _LABEL_EVERY, _CLIENTS = 100, 3.0, 20.0, 16
_RATE = 20.0  # webhooks a second whose answers are timed
_BUSY, _QUIET = ProjectId("1"), ProjectId("2")
_LEARNS = ProjectOptions(quiet_seconds=1, max_wait_seconds=5, audit_share=0.3)
_NEVER = ProjectOptions(quiet_seconds=3600, max_wait_seconds=86_400)
_AXE = Path(__file__).parent.parent / ".cache" / "axe-core-4.14.1" / "axe.min.js"
_OF_A_PROJECT = ("", "/versions", "/versions/compare", "/queue", "/stopping", "/suspects", "/annotators")
_OTHERS = ("/projects", "/jobs", "/doctor", "/actions")
_SIZES = ((1200, 860), (360, 780))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


# --- in one process: how long the server works -----------------------------------------------------------------------


def server_times() -> dict[str, float]:
    """Milliseconds of processor time: the first page of a large project, which nobody has read before, and a scrape of
    a hundred projects."""
    with temporary_home() as home:
        redis = EmbeddedRedis(home)
        parts = build(Settings.from_env({"NEXTLABEL_HOME": str(home)}), redis.ensure())
        parts.database.migrate()
        scrape.fill(parts, _BUSY, _TASKS, _LABELED, _VERSIONS, "label_studio")
        cookie = _logged_in(_client(parts), parts)
        used = [_timed(parts, cookie) for _ in range(_REPEATS)]
        redis.stop()
    _say(f"project page, {_TASKS:,} tasks, {_VERSIONS} versions: {np.median(used):.0f} ms ({max(used):.0f} at most)")
    scrapes = [one for one in scrape.run() if one.name.endswith("processor")]
    for one in scrapes:
        _say(f"metrics, {one.name}: {one.value:.0f} ms")
    return {"project_page_ms": float(np.median(used)), "metrics_ms": max(one.value for one in scrapes[:2])}


def _client(parts: Parts) -> FlaskClient:
    pages = Pages(parts.overview, parts.versions, parts.accounts, parts.suspects, parts.annotators, parts.doctor)
    return create_app(parts.service, pages=pages).test_client()


def _logged_in(client: FlaskClient, parts: Parts) -> str:
    token = re.findall(r'name="token" value="([0-9a-f]+)"', client.get("/login").text)[0]
    form = {"token": token, "name": "admin", "password": parts.accounts.keys().passwords["admin"]}
    if client.post("/login", data=form).status_code != 303:
        raise RuntimeError("nobody could log in")
    cookie = client.get_cookie("nextlabel")
    return cookie.value if cookie else ""


def _timed(parts: Parts, cookie: str) -> float:
    """By an application that has read nothing yet."""
    client = _client(parts)
    client.set_cookie("nextlabel", cookie)
    client.get("/jobs")  # its templates are there, and whoever is logged in is known
    start = time.thread_time()
    if client.get(f"/projects/{_BUSY}", headers={"Accept-Encoding": "gzip"}).status_code != 200:
        raise RuntimeError("the page failed")
    return 1000 * (time.thread_time() - start)


# --- a running installation ------------------------------------------------------------------------------------------


@contextmanager
def _installation() -> Iterator[tuple[str, Parts]]:
    """One whose labels change with each reading, so that each round learns something, and a project that never does."""
    with temporary_home() as home:
        parts = parts_of(home)
        for project, options in ((_BUSY, _LEARNS), (_QUIET, _NEVER)):
            parts.connections.save(
                connection_to(project, "benchmark", ToolAccess("http://127.0.0.1:9", "none"), options)
            )
        with nextlabel("up", home, NEXTLABEL_RECONCILE_SECONDS="86400") as (url, _):
            deadline = time.monotonic() + 120
            while not parts.orders.announced(_BUSY):
                if time.monotonic() > deadline:
                    raise RuntimeError("The worker did not train within two minutes.")
                time.sleep(0.2)
            yield url, parts


def admin_cookie(url: str, parts: Parts) -> str:
    """What a browser holds in which an admin has logged in. A secret."""
    with httpx.Client(base_url=url) as client:
        token = re.findall(r'name="token" value="([0-9a-f]+)"', client.get("/login").text)[0]
        form = {"token": token, "name": "admin", "password": parts.accounts.keys().passwords["admin"]}
        if client.post("/login", data=form).status_code != 303:
            raise RuntimeError("nobody could log in")
        return str(client.cookies["nextlabel"])


@dataclass
class Polled:
    """What pages were answered."""

    statuses: list[int] = field(default_factory=list)

    @property
    def share_304(self) -> float:
        return sum(one == 304 for one in self.statuses) / max(len(self.statuses), 1)

    @property
    def errors_5xx(self) -> int:
        return sum(one >= 500 for one in self.statuses)


@contextmanager
def _pages_open(url: str, cookie: str, seconds: float) -> Iterator[Polled]:
    """A hundred pages, each asked for every three seconds as its script does; from when all of them are open."""
    polled, numbers, lock = Polled(), count(), threading.Lock()
    start, tags = time.monotonic() + 0.1, dict[int, str]()

    def client() -> None:
        connection = httpx.Client(base_url=url, cookies={"nextlabel": cookie}, headers={"Accept-Encoding": "gzip"})
        while (n := next(numbers)) < _PAGES * (seconds + _EVERY) / _EVERY:
            time.sleep(max(0.0, start + n * _EVERY / _PAGES - time.monotonic()))
            page = n % _PAGES
            paths = ("", "/queue", "/versions", "/stopping")
            headers = {"If-None-Match": tags[page]} if page in tags else {}
            answer = connection.get(f"/projects/{_BUSY}{paths[page % len(paths)]}?live", headers=headers)
            if "ETag" in answer.headers:
                tags[page] = answer.headers["ETag"]
            with lock:
                if n >= _PAGES:
                    polled.statuses.append(answer.status_code)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(_EVERY)
    yield polled
    for thread in threads:
        thread.join()


@contextmanager
def _labels(url: str, parts: Parts, seconds: float) -> Iterator[None]:
    """One every twenty seconds, after which a worker learns."""
    done = threading.Event()
    headers = webhook_headers(parts.connections.credentials_of("benchmark"))

    def label() -> None:
        n, until = 0, time.monotonic() + seconds
        while time.monotonic() < until and not done.wait(_LABEL_EVERY if n else 0.5):
            n += 1
            httpx.post(f"{url}/webhook", content=annotation_created(_BUSY, n), headers=headers).raise_for_status()

    thread = threading.Thread(target=label)
    thread.start()
    yield
    done.set()
    thread.join()


def _webhooks(url: str, parts: Parts) -> Answers:
    return send_at_rate(
        f"{url}/webhook",
        lambda n: annotation_created(_QUIET, n),
        webhook_headers(parts.connections.credentials_of("benchmark")),
        rate=_RATE,
        seconds=_SECONDS,
        keep_alive=False,
        clients=4,
    )


def beside_labeling(url: str, parts: Parts, cookie: str) -> dict[str, float]:
    """A hundred pages open while labels come: what they are answered, and what they cost webhooks."""
    with _labels(url, parts, _SECONDS):
        alone = _webhooks(url, parts)
    with _pages_open(url, cookie, _SECONDS) as polled, _labels(url, parts, _SECONDS):
        together = _webhooks(url, parts)
    before, after = percentile(alone.waited, 99), percentile(together.waited, 99)
    failed = sum(together.failed.values())
    _say(f"webhook p99 {before:.1f} ms alone, {after:.1f} ms beside {len(polled.statuses)} pages; {failed} failed")
    return {
        "share_304": polled.share_304,
        "errors_5xx": polled.errors_5xx + failed,
        "webhook_p99_ratio": after / before,
        "webhook_p99_ms": after,
    }


# --- in a browser ----------------------------------------------------------------------------------------------------


def in_a_browser(url: str, cookie: str) -> dict[str, float]:
    """What a first and a second load weigh on the wire, what comes from elsewhere, and what axe finds."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a dependency of the tests

    program = shutil.which("chromium")
    if program is None or not _AXE.is_file():
        raise RuntimeError("Chromium and axe-core are needed: make browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=url)
        context.add_cookies([{"name": "nextlabel", "value": cookie, "url": url}])
        page = context.new_page()
        elsewhere = set[str]()
        page.on("request", lambda it: elsewhere.add(it.url) if not it.url.startswith(url) else None)
        weigh = _scale(page)
        first = weigh(f"/projects/{_BUSY}")
        warm = max(weigh(f"/projects/{_BUSY}{one}") for one in ("", "/versions", "/queue"))
        serious = _axe(page)
        browser.close()
    for one in serious:
        _say(f"axe: {one}")
    return {
        "first_load_gzip_kb": first / 1000,
        "warm_kb": warm / 1000,
        "axe_serious": len(serious),
        "external_loads": len(elsewhere),
    }


def _scale(page: Page) -> Callable[[str], float]:
    """Opens a page, and returns how many bytes came for it, headers too."""
    session, came = page.context.new_cdp_session(page), list[float]()
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda it: came.append(it["encodedDataLength"]))

    def weigh(path: str) -> float:
        came.clear()
        page.goto(path, wait_until="networkidle")
        page.goto("about:blank")
        return sum(came)

    return weigh


def _axe(page: Page) -> Sequence[str]:
    """Serious and critical issues, on every page, in the light and in the dark, wide and on a phone."""
    script, found = _AXE.read_text(encoding="utf-8"), set[str]()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width, height in _SIZES:
            page.set_viewport_size({"width": width, "height": height})
            for path in (*_OTHERS, *(f"/projects/{_BUSY}{one}" for one in _OF_A_PROJECT)):
                page.goto(path)
                page.evaluate(script)
                for one in page.evaluate("axe.run().then(it => it.violations)"):
                    if one["impact"] in ("serious", "critical"):
                        found.add(f"{path}, {scheme}, {width} px: {one['id']} {one['nodes'][0]['html'][:120]}")
    return sorted(found)


def main() -> None:
    found: dict[str, Any] = server_times()
    with _installation() as (url, parts):
        cookie = admin_cookie(url, parts)
        found |= beside_labeling(url, parts, cookie)
        found |= in_a_browser(url, cookie)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
