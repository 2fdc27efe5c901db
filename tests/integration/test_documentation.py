"""The documentation as the backend serves it at /docs, and the commands of its pages as people type them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel.web import documentation

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = re.compile(r"""<(?:script|link|img|iframe|form)[^>]*?(?:src|href|action)=["']?(?:https?:)?//""")
INLINE = re.compile(r"""<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=["']|javascript:""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make check` builds it: a link or an anchor that leads nowhere ends it."""
    target = tmp_path_factory.mktemp("docs") / "site"
    program = [sys.executable, "-m", "properdocs", "build", "--site-dir", str(target)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=CEILING_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def client(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    yield from _client(site, monkeypatch)


def _client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setattr(documentation, "FOLDER", folder)
    documentation._names.cache_clear()
    app = Flask("nextlabel", static_folder=None)
    app.register_blueprint(documentation.routes())
    yield app.test_client()
    documentation._names.cache_clear()


def test_anybody_reads_every_page_and_nothing_in_it_runs_or_comes_from_elsewhere(
    client: FlaskClient, site: Path
) -> None:
    assert client.get("/docs").location == "/docs/"
    pages = sorted(one.relative_to(site).as_posix() for one in site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        answer = client.get(f"/docs/{page}")
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not ELSEWHERE.search(answer.text), page
        outside_code = re.sub(r"<(pre|code)>.*?</\1>", "", answer.text, flags=re.DOTALL)
        assert not INLINE.search(outside_code), page
    assert client.get("/docs/").data == client.get("/docs/index.html").data


def test_every_file_that_a_page_names_is_served(client: FlaskClient, site: Path) -> None:
    page = (site / "concepts" / "order.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="((?:\.\./)?[\w./-]+\.\w+)', page)
    assert len(named) > 40
    for name in named:
        assert client.get(urljoin("/docs/concepts/", name)).status_code == 200, name
    assert client.get("/docs/search/search_index.json").get_json()["docs"]


@pytest.mark.parametrize(
    "path",
    [
        "../settings.py",
        "%2e%2e/documentation.py",
        "..%2f..%2fsettings.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "concepts/../../../settings.py",
        "concepts",
        "sitemap.xml",
        "index.html%00.css",
        "x" * 5_000,
        "a/" * 2_000,
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/docs/{path}", follow_redirects=True)  # of two slashes one is made
    assert answer.status_code == 404
    assert b"import" not in answer.data
    assert b"There is no such page" in answer.data or b"Not Found" in answer.data


def test_a_browser_that_has_a_page_is_sent_nothing_again(client: FlaskClient) -> None:
    first = client.get("/docs/operations.html", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/docs/operations.html")
    assert (first.headers["Content-Encoding"], first.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(first.data) < len(plain.data) / 2
    assert first.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip"}
    again = client.get("/docs/operations.html", headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/docs/queue.png").headers["Cache-Control"] == "public, max-age=86400"


def test_a_clone_without_documentation_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for client in _client(tmp_path / "nothing", monkeypatch):
        answer = client.get("/docs/")
        assert (answer.status_code, answer.mimetype) == (404, "text/plain")
        assert "`make docs`" in answer.text


@pytest.fixture
def phone(client: FlaskClient, chromium: Browser) -> Iterator[Page]:
    """One on which no page complained, and for which nothing came from elsewhere."""
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    home = f"http://127.0.0.1:{server.server_port}"
    context = chromium.new_context(base_url=home, viewport={"width": 360, "height": 740})
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda it: complaints.append(it.text) if it.type in ("error", "warning") else None)
    page.on("pageerror", lambda it: complaints.append(str(it)))
    page.on("request", lambda it: complaints.append(it.url) if not it.url.startswith(home) else None)
    yield page
    context.close()
    server.shutdown()
    thread.join()
    assert complaints == []


def _fits_and_can_be_used(page: Page, name: str, axe: str) -> None:
    page.goto(f"/docs/{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
    found = page.evaluate(f"{axe}; axe.run(document, {{resultTypes: ['violations']}})")["violations"]
    assert not [(one["id"], name) for one in found if one["impact"] in ("serious", "critical")]


def test_a_page_is_searched_for_and_read_on_a_phone(phone: Page, axe: str) -> None:
    _fits_and_can_be_used(phone, "index.html", axe)
    _fits_and_can_be_used(phone, "reference/settings.html", axe)
    phone.get_by_role("searchbox").fill("audit tasks and")
    expect(phone.locator("#found a").first).to_have_text("Audit tasks and accuracy")
    phone.get_by_role("searchbox").press("Enter")
    phone.wait_for_url("**/docs/concepts/audits.html*")
    expect(phone.get_by_role("img", name=re.compile("One task in ten"))).to_be_visible()
    phone.get_by_role("searchbox").fill("qzxv")
    expect(phone.locator("#found")).to_have_text("Nothing found.")


@pytest.mark.everything
def test_every_page_fits_a_phone_and_axe_finds_nothing_serious(phone: Page, site: Path, axe: str) -> None:
    for page in sorted(one.relative_to(site).as_posix() for one in site.rglob("*.html")):
        _fits_and_can_be_used(phone, page, axe)


@pytest.mark.everything
def test_the_lines_for_trying_it_with_files_run_as_they_stand(tmp_path: Path) -> None:
    """All but the id, which a person reads between two lines and the shell finds here."""
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    lines = page.split("```sh\n", 1)[1].split("```", 1)[0]
    assert "the id from that line" in lines
    found = '$(head -1 mails.next.jsonl | grep -o \'"id": *"[^"]*"\' | cut -d\'"\' -f4)'
    script = lines.replace("the id from that line", f"'\"{found}\"'")
    functions = f'set -eo pipefail\nnextlabel() {{ "{sys.executable}" -m nextlabel "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", functions + script],
        cwd=tmp_path,
        env={**os.environ, "NEXTLABEL_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=CEILING_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\b1 labels? in force", done.stdout + done.stderr), done.stdout + done.stderr


@pytest.mark.everything
def test_a_wheel_brings_the_documentation_along(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=CEILING_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    within = "nextlabel/web/documentation_site"
    assert {f"{within}/index.html", f"{within}/docs.css", f"{within}/concepts/loop.svg"} <= names
