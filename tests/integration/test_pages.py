"""The pages, as browsers ask for them: who sees what, who may do what, and what a page may hold."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import zlib
from dataclasses import dataclass, fields, replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import delete, select, update
from werkzeug.test import TestResponse

from integration.conftest import WORDS
from integration.test_scores_of_others import connect
from nextlabel.labeling import AnnotationId, QueueVersion, TaskId, ToolProjectId
from nextlabel.measures.target_predictions import ChoicePredictions
from nextlabel.ports.state import Tool
from nextlabel.ports.tool import Finding, OwnTab, TaskList, ToolAccess
from nextlabel.service.addresses import list_of, page_of, tab_of
from nextlabel.service.following import not_from_order
from nextlabel.service.in_force import settings_in_force
from nextlabel.service.why_here import AUDIT
from nextlabel.settings import Settings
from nextlabel.storage.connections import LONGEST_TITLE
from nextlabel.storage.counts import Counts
from nextlabel.storage.database.tables import counted, models, queues
from nextlabel.testing import connection_to
from nextlabel.testing.waiting import wait_for
from nextlabel.web import Operations, create_app
from nextlabel.web.pages import Pages
from nextlabel.web.pages.recent import Recent
from nextlabel.wiring import Parts
from nextlabel_connectors.memory.tool import TARGET

if TYPE_CHECKING:
    from integration.conftest import Team

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "<script>alert(1)</script>\"'&"


@dataclass
class Browser:
    """A person's, with cookies of its own."""

    app: Flask
    client: FlaskClient
    role: str = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={**HTML, **headers})

    def post(self, path: str, token: str | None = None, **form: str) -> TestResponse:
        return self.client.post(path, data=form | {"token": self.token if token is None else token}, headers=HTML)

    def log_in(self, name: str, password: str) -> TestResponse:
        return self.post("/login", name=name, password=password)

    @property
    def token(self) -> str:
        """What the forms of this session carry."""
        page = self.get("/login" if not self.role else "/jobs").text
        return str(re.findall(r'name="token" value="([0-9a-f]+)"', page)[0])


@pytest.fixture(autouse=True)
def _read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextlabel.web.pages.recent._SECONDS", 0)
    monkeypatch.setattr("nextlabel.web.pages.recent._SETTLING_SECONDS", 0)


@pytest.fixture
def taught(team: Team) -> Team:
    """Four versions, the last two measured on audit tasks."""
    team.choose(audit_share=0.5)
    team.import_mails(120)
    team.run()
    for _ in range(3):
        team.work(28)
        team.run()
    return team


@pytest.fixture
def app(team: Team) -> Flask:
    return app_of(team)


def app_of(team: Team, *, read_only: bool = False) -> Flask:
    parts = team.parts
    shown = (parts.overview, parts.versions, parts.accounts, parts.suspects, parts.annotators, parts.doctor)
    return create_app(parts.service, pages=Pages(*shown, read_only=read_only))


@pytest.fixture
def nobody(app: Flask) -> Browser:
    return Browser(app, app.test_client())


@pytest.fixture
def viewer(app: Flask, team: Team) -> Browser:
    return logged_in(app, team, "viewer")


@pytest.fixture
def admin(app: Flask, team: Team) -> Browser:
    return logged_in(app, team, "admin")


def logged_in(app: Flask, team: Team, role: str) -> Browser:
    browser = Browser(app, app.test_client())
    done = browser.log_in(role, team.parts.accounts.keys().passwords[role])  # type: ignore[index]
    assert (done.status_code, done.location) == (303, "/projects")
    browser.role = role
    return browser


def pages(app: Flask, team: Team, method: str) -> list[str]:
    """The address of every page or form: none can be added that these tests do not try."""
    values = {"project": team.project, "digest": "0", "name": "pages.css"}
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("pages.")]
    return [re.sub(r"<(\w+)>", lambda it: values[it[1]], one.rule) for one in found if method in (one.methods or ())]


# --- who sees and does what --------------------------------------------------------------------------------


def test_every_page_asks_for_a_login_and_shows_nothing_before(app: Flask, taught: Team, nobody: Browser) -> None:
    asked = set(pages(app, taught, "GET")) - {"/login", "/assets/0/pages.css"}
    assert {"/projects", f"/projects/{taught.project}", "/jobs", "/actions"} <= asked
    for path in asked:
        answer = nobody.get(path)
        assert (answer.status_code, answer.location) == (303, f"/login?next={path}")
        assert taught.serving.version not in answer.text
        live = nobody.get(f"{path}?live")
        assert (live.status_code, live.headers["HX-Redirect"], live.data) == (401, f"/login?next={path}", b"")


def test_a_viewer_sees_all_but_actions_and_doctor_and_an_admin_everything(
    app: Flask, taught: Team, viewer: Browser, admin: Browser
) -> None:
    for path in set(pages(app, taught, "GET")) - {"/login"}:
        assert admin.get(path).status_code == 200, path
        assert viewer.get(path).status_code == (403 if path in ("/actions", "/doctor") else 200), path


def test_no_form_is_taken_from_who_may_not_send_it_and_nothing_changes(
    app: Flask, taught: Team, nobody: Browser, viewer: Browser
) -> None:
    before, actions = taught.serving, taught.parts.actions.last(100)
    forms = set(pages(app, taught, "POST")) - {"/login", "/logout"}
    assert len(forms) == 5
    for path in forms:
        refused = viewer.post(path, version="nextlabel-2", project=taught.project, mend="read")
        assert (refused.status_code, "Only an admin may do this" in refused.text) == (403, True), path
        assert nobody.post(path, version="nextlabel-2").location == "/login"
    assert (taught.serving, taught.parts.actions.last(100)) == (before, actions)


def test_read_only_pages_show_an_admin_everything_and_take_no_form(taught: Team, admin: Browser) -> None:
    app = app_of(taught, read_only=True)
    reader = logged_in(app, taught, "admin")
    before, actions = taught.serving, taught.parts.actions.last(100)
    for path in set(pages(app, taught, "GET")) - {"/login", "/assets/0/pages.css"}:
        shown = reader.get(path)
        assert shown.status_code == 200, path
        assert shown.text.count('method="post"') == 1, f"{path}: to log out"
    assert ">Promote<" in admin.get(f"/projects/{taught.project}/versions").text
    for path in set(pages(app, taught, "POST")) - {"/login", "/logout"}:
        refused = reader.post(path, version="nextlabel-2", project=taught.project, mend="read")
        assert (refused.status_code, "NEXTLABEL_PAGES=read-only" in refused.text) == (403, True), path
    assert (taught.serving, taught.parts.actions.last(100)) == (before, actions)


def test_no_form_is_taken_without_the_token_of_its_own_session(app: Flask, taught: Team, admin: Browser) -> None:
    other = logged_in(app, taught, "admin")
    for path in pages(app, taught, "POST"):
        for token in ("", "0" * 64, other.token):
            refused = admin.post(path, token, version="nextlabel-2", name="admin", password="x")
            assert (refused.status_code, "from another session" in refused.text) == (403, True), path
    assert not taught.serving.chosen
    assert admin.get("/projects").status_code == 200, "it is still logged in"


def test_a_wrong_password_opens_nothing_and_after_ten_the_right_one_neither(nobody: Browser, team: Team) -> None:
    right = team.parts.accounts.keys().passwords["admin"]
    for name, password in (*[("admin", "wrong")] * 8, ("viewer", right), ("", "")):
        refused = nobody.log_in(name, password)
        assert (refused.status_code, "`nextlabel credentials`" in refused.text) == (401, True)
    refused = nobody.log_in("admin", right)
    assert (refused.status_code, "try again in 10 minutes" in refused.text) == (429, True)
    assert nobody.get("/projects").status_code == 303


def test_a_renewed_password_ends_the_sessions_of_its_role_only(team: Team, viewer: Browser, admin: Browser) -> None:
    team.parts.accounts.renew("viewer", "command line")
    assert viewer.get("/projects").status_code == 303
    assert admin.get("/projects").status_code == 200
    assert "renewed the password of viewer" in admin.get("/actions").text


def test_a_cookie_that_was_changed_or_made_elsewhere_is_nobodys(app: Flask, viewer: Browser) -> None:
    cookie = viewer.client.get_cookie("nextlabel")
    assert cookie is not None
    for value in (cookie.value[:-2], cookie.value.replace(".", "x.", 1), "{}", "", EVIL, "x" * 3_000):
        stranger = app.test_client()
        stranger.set_cookie("nextlabel", value)
        assert stranger.get("/projects").status_code == 303


def test_logging_out_ends_it(viewer: Browser) -> None:
    assert viewer.post("/logout").location == "/login"
    assert viewer.get("/projects").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_behind_https_from_http(nobody: Browser) -> None:
    plain = nobody.get("/login").headers["Set-Cookie"]
    assert ("HttpOnly" in plain, "SameSite=Lax" in plain, "Secure" in plain) == (True, True, False)
    assert "Secure" in nobody.client.get("/login", base_url="https://localhost").headers["Set-Cookie"]


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "/a\nb"])
def test_after_the_login_nobody_is_led_elsewhere(nobody: Browser, team: Team, wanted: str) -> None:
    sent = {"name": "viewer", "password": team.parts.accounts.keys().passwords["viewer"], "token": nobody.token}
    done = nobody.client.post("/login", query_string={"next": wanted}, data=sent)
    assert (done.status_code, done.location) == (303, "/projects")


def test_tools_still_get_json_at_the_root_and_browsers_the_pages(nobody: Browser) -> None:
    up = {"status": "UP", "model_class": "nextlabel"}
    basic = {"Authorization": "Basic " + base64.b64encode(b"nextlabel:x").decode()}
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, HTML | basic):
        assert nobody.client.get("/", headers=headers).json == up
    for path in ("/health", "/tools/memory/health"):
        assert nobody.get(path).json == up
    assert nobody.get("/").location == "/projects"


# --- what a page holds -------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The addresses in a page by attribute, its texts, and what would run or be styled within it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: set[str] = set()
        self.inline: list[str] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "action", "hx-get", "srcset", "data", "poster"):
                self.addresses.add(value or "")
            if name == "style" or name.startswith(("on", "hx-on")):
                self.inline.append(f"{tag} {name}")
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.inline.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")


def test_every_answer_forbids_what_is_inline_or_from_elsewhere_and_holds_none_of_it(
    app: Flask, taught: Team, admin: Browser, nobody: Browser
) -> None:
    answers = [nobody.get("/login"), *map(admin.get, pages(app, taught, "GET")), admin.post("/logout", "wrong")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert not re.search(r"unsafe|http|\*", policy)
        page = Page(answer.text)
        assert page.inline == []
        elsewhere = {one for one in page.addresses if not re.match(r"/(?!/)|#|\?", one)}
        assert elsewhere == set()


def test_whatever_a_project_holds_is_shown_as_text(taught: Team, admin: Browser) -> None:
    tool = Tool("memory", "memory", ToolAccess(f"javascript:alert(1)//{EVIL}", taught.tool.access.token))
    taught.parts.connections.save(replace(taught.parts.connections.get(taught.project), tool=tool))
    taught.parts.findings.replace(taught.project, [Finding("problem", EVIL)])
    taught.parts.rounds.add(taught.project, 1, f"{EVIL} Asked again in 5 s.", failed=True)
    taught.parts.rounds.add(taught.project, 1, f"{EVIL} Asked again in 12 s.", failed=True)
    taught.parts.actions.add(EVIL, EVIL, "no-such-project")
    taught.tool.add_tasks(taught.at_tool, [EVIL])
    taught.run()
    found = {path: admin.get(path).text for path in ("/projects", f"/projects/{taught.project}", "/jobs", "/actions")}
    for path, text in found.items():
        assert "<script>alert" not in text
        assert "javascript:" not in text
        assert "&lt;script&gt;alert" in text or path == "/projects"
    failed = next(row for row in Page(found["/jobs"]).rows if row[1] == taught.project)
    assert failed[2:4] == [EVIL, "2"]


def test_an_address_that_no_page_has_is_a_page_for_browsers_and_json_for_programs(nobody: Browser, team: Team) -> None:
    form = f"/projects/{team.project}/versions/promote"
    for path, status, sentence in (("/projects/", 404, "no page"), ("/nope", 404, "no page"), (form, 405, "go back")):
        shown = nobody.client.get(path, headers=HTML)
        assert (shown.status_code, shown.mimetype, sentence in shown.text) == (status, "text/html", True), path
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
        program = nobody.client.get(path)
        assert (program.status_code, list(program.json or ())) == (status, ["error"])
    assert nobody.client.get("/api/v1/nope", headers=HTML).mimetype != "text/html"


def test_an_unknown_project_is_a_sentence_and_not_a_traceback(admin: Browser) -> None:
    for page in ("", "/versions", "/queue", "/stopping", "/suspects", "/annotators"):
        answer = admin.get(f"/projects/none{page}")
        assert (answer.status_code, "is not connected" in answer.text) == (404, True)
    assert admin.post("/projects/none/versions/rollback").status_code == 404


def test_what_is_sent_to_a_form_has_a_bound(admin: Browser) -> None:
    assert admin.post("/login", name="x" * 20_000).status_code == 413


def test_the_curve_and_its_table_hold_the_figures_of_the_overview(taught: Team, viewer: Browser) -> None:
    versions = taught.parts.overview.project(taught.project)["versions"]
    measured = [one for one in versions if one["accuracy"]]
    assert len(measured) >= 2
    text = viewer.get(f"/projects/{taught.project}").text
    rows = {row[0]: row for row in Page(text).rows if row and row[0].startswith("nextlabel-")}
    for one in measured:
        found = one["accuracy"]["label"]
        shares = [f"{found[name]:.1%}".replace("%", "\u202f%") for name in ("value", "low", "high")]
        assert rows[one["version"]] == [one["version"], str(one["labels"]), *shares, str(found["n"])]
    assert text.count('class="touch"') == len(measured) == len(rows)
    assert re.search(r'role="img" aria-labelledby="(\S+) (\S+)"', text)
    assert "<title id=" in text
    assert "<desc id=" in text


def test_which_tasks_are_audits_is_shown_to_admins_only(taught: Team, viewer: Browser, admin: Browser) -> None:
    path = f"/projects/{taught.project}/queue"
    shown, hidden = Page(admin.get(path).text).rows, viewer.get(path).text
    audits = [row[1] for row in shown if row[1].endswith("audit")]
    reserved = taught.parts.reserves.tasks(taught.project)
    assert audits
    assert {one.split()[0] for one in audits} <= reserved
    assert "audit" not in hidden
    assert [row[1].split()[0] for row in Page(hidden).rows[1:]] == [row[1].split()[0] for row in shown[1:]]


def test_the_queue_shows_what_annotators_get_next(taught: Team, viewer: Browser) -> None:
    rows = Page(viewer.get(f"/projects/{taught.project}/queue").text).rows
    tasks = [row[1] for row in rows if row[0].isdigit()]  # by their places; other tables follow
    assert tasks
    assert tasks == list(taught.queue(len(tasks)))


@pytest.mark.every_database
def test_a_name_that_no_database_takes_is_a_sentence(
    taught: Team, admin: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    forms = [admin.post("/doctor/mend", project="a\0b", mend="read"), admin.post("/projects/a%00b/versions/rollback")]
    for answer in (admin.get("/projects/a%00b"), admin.get("/doctor?project=a%00b"), *forms):
        assert (answer.status_code in (400, 404), "Traceback" in caplog.text) == (True, False), answer.status


def test_a_button_of_an_old_page_does_not_connect_a_project_that_was_paused_since(taught: Team, admin: Browser) -> None:
    taught.parts.pausing.pause(taught.project)
    refused = admin.post("/doctor/mend", project=taught.project, mend="connect")
    assert (refused.status_code, "is paused" in refused.text) == (400, True)
    assert taught.parts.pausing.is_paused(taught.project)


@pytest.fixture
def ordered(team: Team) -> Team:
    """An order by the margin with audit tasks among the others, of 120 tasks of which 30 are labeled."""
    team.choose(audit_share=0.2)
    team.import_mails(120)
    team.run()
    team.work(30)
    team.run()
    return team


def test_why_a_task_is_next_names_the_chances_that_the_model_gives_it(ordered: Team, admin: Browser) -> None:
    serving = ordered.parts.service.in_service(ordered.project)
    shown = ordered.parts.overview.queue(ordered.project)["tasks"]
    source, tasks = ordered.parts.sources.at_once(ordered.project), ordered.parts.store.open(ordered.project)
    predicted = serving.model.predict(tasks, source)[TARGET]
    assert isinstance(predicted, ChoicePredictions)
    chances = dict(zip([task.id for task in tasks], predicted.probabilities.tolist(), strict=True))
    rows = {row[1].split()[0]: row[2] for row in Page(admin.get(f"/projects/{ordered.project}/queue").text).rows[1:51]}
    doubted = [one for one in shown if not one["audit"]]
    assert len(doubted) > 20
    for one in doubted:
        ham, spam = (f"{chances[one['task']][predicted.classes.index(name)]:.0%}" for name in ("ham", "spam"))
        words = rows[one["task"]]
        assert f"'ham' ({ham})" in words or f"'spam' ({spam})" in words, (words, ham, spam)
    assert {rows[one["task"]] for one in shown if one["audit"]} == {AUDIT}


def test_an_order_stands_where_it_cannot_be_explained(
    ordered: Team, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("no features")

    monkeypatch.setattr("nextlabel.loop.ordering.order_facts", fails)
    ordered.work(10)
    assert not ordered.run().failure
    shown = ordered.parts.overview.queue(ordered.project)
    assert ordered.in_force() == shown["queue"]
    assert ({one["why"] for one in shown["tasks"]} - {AUDIT}, shown["uncertainty"]) == ({""}, [])
    assert admin.get(f"/projects/{ordered.project}/queue").status_code == 200


def test_viewers_who_may_annotate_see_no_guess_and_no_difference_between_audit_and_other_tasks(
    ordered: Team, viewer: Browser
) -> None:
    page = viewer.get(f"/projects/{ordered.project}/queue").text
    table = page.partition("<table")[2].partition("</table>")[0]
    shown = ordered.parts.overview.queue(ordered.project)
    assert any(one["audit"] for one in shown["tasks"])
    assert "audit" not in page
    assert not re.search("unsure|rather|alike|%", table)
    assert "What the model is unsure of comes first" in page
    assert {len(row) for row in Page(table).rows} == {3}


def test_a_project_goes_by_the_title_that_people_gave_it_in_the_tool(team: Team, viewer: Browser) -> None:
    team.import_mails(4)
    team.tool.rename(team.at_tool, "Is it \n <b>spam</b>?\0" + "!" * 300)
    team.parts.turns.take(team.project)
    (shown,) = team.parts.overview.projects()
    assert shown["title"] == f"Is it <b>spam</b>? {'!' * 300}"[:LONGEST_TITLE]
    for page in ("/projects", f"/projects/{team.project}"):
        assert "Is it &lt;b&gt;spam&lt;/b&gt;? !!!" in viewer.get(page).text


@pytest.mark.every_database
@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("a\x1b[31mred\x07\x9b\0 \u2028b", "a [31mred b"),
        ("\u202egnp.exe\u2066 \ud800x", "gnp.exe x"),
        ("\u05e9\u05dc\u200f \U0001f468\u200d\U0001f469", "\u05e9\u05dc\u200f \U0001f468\u200d\U0001f469"),
        (" \n", ""),
        ("\u200b\u2060\ufeff", ""),
        ("x" * 100_000, "x" * LONGEST_TITLE),
    ],
)
def test_a_title_stays_in_its_line_and_can_be_seen_from_the_first_time_that_it_is_read(
    team: Team, viewer: Browser, title: str, kept: str
) -> None:
    """What turns the direction of writing would turn what stands beside it, and what cannot be seen is no link."""
    team.import_mails(4)
    team.tool.rename(team.at_tool, title)
    connect(team)
    assert team.parts.connections.get(team.project).title == kept
    assert f">{html.escape(kept or team.project)}</a>" in viewer.get("/projects").text
    team.tool.rename(team.at_tool, "another one")
    team.parts.connections.note_title(team.project, title)
    assert team.parts.connections.get(team.project).title == kept


def test_the_histogram_its_table_and_the_class_balance_are_the_numbers_of_the_api(
    ordered: Team, viewer: Browser
) -> None:
    parts = ordered.parts
    operations = Operations(parts.figures, parts.overview, parts.versions, parts.tokens)
    token = {"Authorization": f"Bearer {parts.tokens.create('reader', ['read'])}"}
    api = create_app(parts.service, operations).test_client()
    told = api.get(f"/api/v1/projects/{ordered.project}/queue", headers=token).get_json()
    rows = Page(viewer.get(f"/projects/{ordered.project}/queue").text).rows
    bars = [row for row in rows if re.fullmatch(r"\d\.\d\d", row[0])]
    assert bars == [[f"{one['low']:.2f}", f"{one['high']:.2f}", str(one["tasks"])] for one in told["uncertainty"]]
    waiting = len(parts.reserves.tasks(ordered.project)) - told_audits(parts, ordered)
    assert sum(one["tasks"] for one in told["uncertainty"]) == told["asked"] == 120 - 30 - waiting
    balance = [[one["label"], str(one["labeled"]), f"{one['expected']:,.0f}"] for one in told["classes"][TARGET]]
    assert [row for row in rows if row[0] in ("ham", "spam")] == balance
    assert sum(one["labeled"] for one in told["classes"][TARGET]) == 30
    assert sum(one["expected"] for one in told["classes"][TARGET]) == pytest.approx(told["asked"], abs=0.1)


def test_of_a_few_open_tasks_nothing_is_shown_that_would_be_a_prediction_of_each(
    ordered: Team, viewer: Browser
) -> None:
    ordered.work(88)
    ordered.run()
    known = ordered.parts.overview.queue(ordered.project)
    assert (0 < known["asked"] < 10, len(known["tasks"]) > 0) == (True, True)
    assert (known["uncertainty"], {one["expected"] for one in known["classes"][TARGET]}) == ([], {None})
    page = viewer.get(f"/projects/{ordered.project}/queue").text
    assert ("How unsure the model is" in page, "Class balance" in page) == (False, True)


def told_audits(parts: Parts, team: Team) -> int:
    """How many audit tasks have a label."""
    return int(parts.overview.project(team.project)["audits"]["labeled"])


def test_a_task_of_label_studio_is_a_link_to_exactly_that_task() -> None:
    connection = connection_to("ours", "label_studio", ToolAccess("http://ls:8080/", "hush"))
    connection = replace(connection, at_tool=ToolProjectId("7"))
    assert page_of(connection, TaskId("41")) == "http://ls:8080/projects/7/data?task=41"
    assert page_of(replace(connection, tool=Tool("x", "files", ToolAccess("/x"))), TaskId("41")) is None


@pytest.mark.parametrize("names", [("nextlabel-3", "nextlabel-4"), ("nextlabel-4", "nextlabel-2")])
def test_two_versions_are_compared_by_the_figures_of_the_overview(
    taught: Team, viewer: Browser, names: tuple[str, str]
) -> None:
    path = f"/projects/{taught.project}/versions/compare"
    rows = {row[0]: row for row in Page(viewer.get(f"{path}?one={names[0]}&other={names[1]}").text).rows if row}
    known = {one["version"]: one for one in taught.parts.overview.project(taught.project)["versions"]}
    one, other = (known[name]["accuracy"].get("label") for name in names)
    shown = rows["Accuracy label"]
    for found, cell in zip((one, other), shown[1:3], strict=True):
        assert (f"{found['value']:.1%}" in cell.replace("\u202f", "")) if found else cell == "not measured"
    if one and other:
        assert shown[3].startswith(f"{(other['value'] - one['value']) * 100:+.1f} points")
        assert ("perhaps none" in shown[3]) == (one["low"] <= other["high"] and other["low"] <= one["high"])
    labels = [known[name]["labels"] for name in names]
    assert rows["Labels"][1:] == [*map(str, labels), f"{labels[1] - labels[0]:+}"]
    assert viewer.get(path).status_code == 200
    assert viewer.get(f"{path}?one={EVIL}&other=nextlabel-1").status_code == 400


def test_each_number_of_a_project_leads_to_its_rows(shared: Team, viewer: Browser) -> None:
    found = shared.parts.overview.project(shared.project)
    text = viewer.get(f"/projects/{shared.project}").text
    cards = dict(re.findall(r'data-figure="(\w+)"><dt>.*?</dt><dd[^>]*>(.*?)</dd>', text, re.DOTALL))
    here = f"/projects/{shared.project}"
    alpha = found["agreement"]["label"]
    report = shared.parts.annotators.report(shared.project, names=False).agreement[0]
    assert (alpha["value"], alpha["n"]) == (report.alpha.value, report.shared)
    assert cards["alpha"] == f'<a href="{here}/annotators">{alpha["value"]:.2f}</a>'
    assert cards["suspects"] == f'<a href="{here}/suspects">{found["suspects"]["waiting"]}</a>'
    assert cards["version"] == f'<a href="{here}/versions#{found["model"]}">{found["model"]}</a>'
    assert cards["window"] == f'<a href="{here}/queue">{found["window_left"]}</a>'
    assert cards["stop"] == f'<a href="{here}/stopping">no advice</a>'
    assert cards["waiting"] == '<a href="/jobs">none</a>'
    assert cards["labels"] == "120"  # the tool has no address for these tasks
    assert {"saved", "forecast", "speed", "latency", "audits"} <= set(cards)
    assert found["speed"]["median_seconds"] == 4.0


def test_what_is_open_is_a_link_only_while_the_tool_has_exactly_these_without_a_label(
    team: Team, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = "http://tool.example.org/not-labeled"
    monkeypatch.setattr("nextlabel.service.overview._lists", lambda *_: {"labeled": None, "not_labeled": there})
    team.import_mails(20)
    team.run()
    page = f"/projects/{team.project}"
    assert f'<a href="{there}" rel="noreferrer">20 open</a>' in viewer.get(page).text
    team.tool.skip(team.at_tool, team.take(), "ann")
    team.run()
    assert team.parts.overview.project(team.project)["open"] == 19  # ann is all there are
    text = viewer.get(page).text
    assert "19 open, of <a" in text
    assert f'<a href="{there}" rel="noreferrer">those without a label</a>' in text


def test_why_there_are_no_audit_tasks_is_told_as_it_is(team: Team, viewer: Browser) -> None:
    team.choose(audit_share=0.1)
    team.run()
    page, wanted_none = f"/projects/{team.project}", "there are no audit tasks (audit_share=0)"
    text = viewer.get(page).text
    assert "not measured: there are no tasks" in text
    assert wanted_none not in text
    team.choose(audit_share=0)
    team.run()
    wait_for(lambda: wanted_none in viewer.get(page).text, "for the page to be read again")


def test_whether_the_order_is_followed_stands_among_the_numbers(team: Team, viewer: Browser) -> None:
    def cards() -> dict[str, tuple[str, str]]:
        text = viewer.get(f"/projects/{team.project}").text
        pattern = r'data-figure="([\w-]+)"><dt>.*?</dt><dd[^>]*>(.*?)</dd><dd class="sub">(.*?)</dd>'
        return {name: (value, words) for name, value, words in re.findall(pattern, text, re.DOTALL)}

    assert (cards()["verified"], cards()["from-order"][0]) == (("–", "there is no order yet"), "not known")
    team.choose(window=20)
    team.import_mails(100)
    team.run()
    team.work(9)
    window = team.parts.orders.announced(team.project, newest=1)[0].window
    beside = next(task for task in team.truth if task not in window)
    team.label(beside, team.truth[beside])
    team.run()
    found = cards()
    assert re.fullmatch(rf'<a href="/projects/{team.project}/queue"><time .*</a>', found["verified"][0])
    assert str(team.in_force()) in found["verified"][1]
    assert found["from-order"][0].replace("\u202f", "") == "90.0%"
    assert "9 of the last 10 labels" in found["from-order"][1]
    assert "it holds 22% of the open tasks" in found["from-order"][1]
    assert found["gain"][0] == f'<a href="/projects/{team.project}/stopping#gain">too early</a>'
    team.parts.orders.note_check(team.project, QueueVersion(str(team.in_force())), serves=False)
    assert "not served" in cards()["verified"][0]
    assert "serves another order" in cards()["verified"][1]


def test_labels_that_did_not_come_from_the_order_are_a_link_to_exactly_these() -> None:
    connection = connection_to("ours", "label_studio", ToolAccess("http://ls:8080"))
    given = [
        (AnnotationId("3"), True),
        (AnnotationId("4"), False),
        (AnnotationId("5"), None),
        (AnnotationId("6"), False),
    ]
    address = not_from_order(replace(connection, at_tool=ToolProjectId("7")), given)
    tab = json.loads(zlib.decompress(base64.urlsafe_b64decode(parse_qs(urlsplit(str(address)).query)["tab"][0] + "==")))
    assert tab["filters"]["items"][0]["value"] == "4,6"
    assert not_from_order(connection, given[:1]) is None


def test_labels_that_several_people_share_are_compared_though_nothing_is_learned_from_them(shared: Team) -> None:
    before = shared.parts.overview.project(shared.project)["agreement"]["label"]["n"]
    for task in list(shared.truth)[:10]:  # which Benvenuto labeled alone
        given = shared.parts.store.annotations_of(shared.project, [task])[task][0].labels
        shared.tool.submit(shared.at_tool, task, str(given["label"]), "annalisa")
    version = shared.serving.version
    shared.parts.turns.take(shared.project)
    assert shared.serving.version == version
    assert shared.parts.overview.project(shared.project)["agreement"]["label"]["n"] == before + 10


def test_a_label_waits_for_its_order_as_long_as_the_rounds_say(team: Team) -> None:
    for seconds, failed in ((1.0, False), (2.0, False), (9.0, False), (50.0, True)):
        team.parts.rounds.add(team.project, 0.5, "learned", failed=failed, waited=seconds)
    team.parts.rounds.add(team.project, 0.5, "nobody asked", failed=False)
    speed = team.parts.overview.project(team.project)["speed"]
    assert (speed["rounds"], speed["label_to_queue"]) == (3, {"50": 2.0, "95": 9.0})
    assert speed["failed_of_a_day"] == 1


def test_failures_are_grouped_by_the_class_of_the_error_and_its_message(team: Team, viewer: Browser) -> None:
    for kind in ("ToolRejected", "ToolRejected", "ToolUnavailable"):
        team.parts.rounds.add(team.project, 1.0, "403: no", failed=True, kind=kind)
    rows = Page(viewer.get("/jobs").text).rows
    assert sorted((row[0], row[3]) for row in rows if row[2:3] == ["403: no"]) == [
        ("ToolRejected", "2"),
        ("ToolUnavailable", "1"),
    ]
    assert "None, as far as Redis tells." in viewer.get("/jobs").text


@pytest.mark.every_database
def test_what_is_kept_of_a_project_is_what_would_be_counted_whatever_changes_it(team: Team) -> None:
    counts, tasks = team.parts.counts, team.import_mails(40)
    team.choose(audit_share=0.3)

    def kept() -> object:
        with team.parts.database.read() as sql:
            row = sql.execute(select(counted.c.counts).where(counted.c.project == team.project)).scalar()
        return row and Counts(**row)

    for change in (
        lambda: team.work(0),
        lambda: team.work(12),
        lambda: team.tool.skip(team.at_tool, team.take(), "ann"),
        lambda: team.import_mails(7),
        lambda: team.tool.delete_task(team.at_tool, tasks[-1]),
    ):
        change()
        team.run()
        assert kept() is None, "it is counted each time until it is kept again"
        now = counts.of(team.project)
        counts.renew(team.project)
        assert kept() == counts.of(team.project) == now
        assert (now.tasks, now.open) == (len(team.parts.store.task_ids(team.project)), _open(team))
        audits = team.parts.reserves.progress(team.project)
        assert (now.audit_tasks, now.audit_labels, now.audit_skipped) == (audits.tasks, audits.labeled, audits.skipped)
    team.run()
    assert kept() is not None, "nothing has changed"


def _open(team: Team) -> int:
    return team.parts.store.count_open(team.project)


# --- labels and people -------------------------------------------------------------------------------------

_PEOPLE = ("annalisa", "benvenuto", "cleopatra")


@pytest.fixture
def shared(team: Team) -> Team:
    """Three people label 120 tasks; Benvenuto labels every eighth wrongly, and the first 24 of these alone."""
    team.import_mails(150)
    team.run()
    wrong = dict(zip(WORDS, reversed(WORDS), strict=True))
    for n, task in enumerate(list(team.truth)[:120]):
        for who in _PEOPLE if n >= 24 else ("benvenuto",):
            label = wrong[team.truth[task]] if who == "benvenuto" and n % 8 == 5 else team.truth[task]
            team.tool.submit(team.at_tool, task, label, who, seconds=4.0)
    team.parts.turns.take(team.project)
    return team


def test_suspects_are_those_of_the_command_line_with_given_and_likelier_label(shared: Team, viewer: Browser) -> None:
    report = shared.parts.suspects.report(shared.project)
    assert len(report.suspects) >= 2
    rows = Page(viewer.get(f"/projects/{shared.project}/suspects").text).rows[1:]
    share = "{:.1%}".format
    assert [[*row[:3], row[3].replace("\u202f", "")] for row in rows] == [
        [one.task, one.given, one.instead, share(one.self_confidence)] for one in report.suspects
    ]


def test_viewers_do_not_see_which_labels_come_back_to_them_for_a_review(
    shared: Team, viewer: Browser, admin: Browser
) -> None:
    shared.choose(suspects="queue")
    path, report = f"/projects/{shared.project}/suspects", shared.parts.suspects.report(shared.project)
    assert len(report.suspects) >= 2
    hidden = viewer.get(path).text
    assert (Page(hidden).rows, f"{len(report.suspects)} labels likely wrong" in hidden) == ([], True)
    assert len(Page(viewer.get(f"{path}?live&all").text).rows) == 0
    assert len(Page(admin.get(path).text).rows) == 1 + len(report.suspects)


def test_an_admin_has_a_tab_hold_the_suspects_and_it_is_noted(shared: Team, admin: Browser, viewer: Browser) -> None:
    path = f"/projects/{shared.project}/suspects"
    assert "Make a tab of them" in admin.get(path).text
    assert "Make a tab of them" not in viewer.get(path).text
    done = admin.post(f"{path}/tab")
    assert (done.status_code, done.location) == (303, path)
    (held,) = shared.tool.tabs(shared.at_tool).values()
    assert held == {one.task for one in shared.parts.suspects.report(shared.project).suspects}
    assert shared.parts.actions.last(1)[0].what == "had the tab of suspected labels made"
    assert "Renew the tab" in admin.get(path).text


def test_the_suspects_of_label_studio_are_a_link_to_exactly_their_annotations() -> None:
    connection = replace(
        connection_to("ours", "label_studio", ToolAccess("http://ls:8080")), at_tool=ToolProjectId("7")
    )
    address = list_of(connection, TaskList("wrong?", annotations=[AnnotationId("3"), AnnotationId("44")]))
    assert address is not None
    given = parse_qs(urlsplit(address).query)["tab"][0]
    tab = json.loads(zlib.decompress(base64.urlsafe_b64decode(given + "==")))
    assert tab["filters"]["items"][0]["value"] == "3,44"
    too_many = TaskList("wrong?", annotations=[AnnotationId(str(n)) for n in range(301)])
    assert list_of(connection, too_many) is None
    assert tab_of(connection, OwnTab("mark", "12")) == "http://ls:8080/projects/7/data?tab=12"


def test_people_are_named_to_admins_and_to_nobody_else_in_no_order_of_speed(
    shared: Team, viewer: Browser, admin: Browser
) -> None:
    path = f"/projects/{shared.project}/annotators"
    named, hidden = admin.get(path).text, viewer.get(path).text
    report = shared.parts.annotators.report(shared.project, names=True)
    assert [row[0] for row in Page(named).rows if row[0] in _PEOPLE and row[1] not in _PEOPLE] == list(_PEOPLE)
    assert not any(name in hidden for name in _PEOPLE)
    assert len(set(re.findall("annotator [0-9a-f]{6}", hidden))) == 3
    (agreement,) = report.agreement
    for text in (named, hidden):
        assert f"<dd>{agreement.alpha.value:.2f}</dd>" in text
        assert f"on {agreement.shared} tasks that several people labeled" in text
    shared.choose(annotators="off")
    for browser in (viewer, admin):
        silent = browser.get(path)
        assert (silent.status_code, "annotators=off" in silent.text, "annalisa" in silent.text) == (200, True, False)


def test_each_criterion_of_stopping_is_shown_with_its_figure_and_reason(taught: Team, viewer: Browser) -> None:
    found = taught.parts.overview.project(taught.project)
    text = viewer.get(f"/projects/{taught.project}/stopping").text
    rows = {row[0]: row for row in Page(text).rows}
    assert len(found["stopping"]["criteria"]) == 4
    for n, one in enumerate(found["stopping"]["criteria"], start=1):
        figure = "–" if one["figure"] is None else f"{one['figure']:.3f}"
        holds = {True: "yes", False: "no", None: "not known"}[one["holds"]]
        assert rows[f"S{n} {one['name']}"][1:] == [holds, figure, one["sentence"]]
    assert escape(found["stopping"]["sentence"]) in text
    assert escape(found["at_a_time"]["sentence"]) in text
    assert "Recall of" not in text
    taught.choose(audit_share=0.5, recall_class="spam", recall_target=0.5)
    text = viewer.get(f"/projects/{taught.project}/stopping").text
    recall = taught.parts.overview.project(taught.project)["recall"]
    holds = {True: "yes", False: "no", None: "not known"}[recall["holds"]]
    rows = {row[0]: row for row in Page(text).rows}
    assert rows["S5 recall"][1:] == [holds, f"{recall['low']:.3f}", recall["sentence"]]
    assert "Recall of spam" in text
    assert f"<b>{recall['value']:.1%}</b>" in text.replace("\u202f", "")
    taught.choose(audit_share=0.5, recall_class="<b>ham</b>")
    assert "Recall of &lt;b&gt;ham&lt;/b&gt;" in viewer.get(f"/projects/{taught.project}/stopping").text


# --- doctor and settings -----------------------------------------------------------------------------------


def test_the_doctor_says_what_the_command_says_and_mends_at_the_press_of_a_button(shared: Team, admin: Browser) -> None:
    with shared.parts.database.write() as sql:
        sql.execute(delete(queues))
        sql.execute(update(models).values(state="retired"))
    page = admin.get(f"/doctor?project={shared.project}").text
    assert all(escape(one.message) in page for one in shared.parts.doctor.examine(shared.project, in_backend=True))
    assert "has no model yet" in page
    assert re.search('name="mend" value="read"', page)
    done = admin.post("/doctor/mend", project=shared.project, mend="read")
    assert (done.status_code, done.location) == (303, f"/doctor?project={shared.project}")
    assert shared.parts.job_queue.dispatch_due() == 1
    noted = shared.parts.actions.last(1)[0]
    assert (noted.who, noted.about, "read it" in noted.what) == ("admin", shared.project, True)
    for mend in ("", "connect; rm", "x" * 1_000):
        assert admin.post("/doctor/mend", project=shared.project, mend=mend).status_code == 400
    assert admin.post("/doctor/mend", project="none", mend="read").status_code == 404


def test_settings_are_shown_by_the_names_they_are_set_by_and_secrets_never(
    team: Team, settings: Settings, admin: Browser
) -> None:
    text = admin.get("/doctor").text
    for secret in ("hush-password", "hush-webhook-secret", team.tool.access.token):
        assert secret not in text
    given = {"NEXTLABEL_HOME": "/h", "NEXTLABEL_MODELS_URL": "s3://key:hush@models/m?secret=hush"}
    given |= {"NEXTLABEL_DATABASE_URL": "postgresql://me:hush@host/db", "REDIS_URL": "redis://:hush@host"}
    given |= {"LABEL_STUDIO_URL": "http://me:hush@ls/", "LABEL_STUDIO_API_KEY": "hush", "NEXTLABEL_WORKERS": "7"}
    shown = {one.name: one for one in settings_in_force(Settings.from_env(given))}
    assert "hush" not in str(shown)
    assert (shown["NEXTLABEL_WORKERS"].value, shown["NEXTLABEL_WORKERS"].usual) == ("7", False)
    assert (shown["NEXTLABEL_MODELS_URL"].value, shown["LABEL_STUDIO_URL"].value) == ("s3://models/m", "http://ls/")
    assert shown["LABEL_STUDIO_API_KEY"].value == "set, and not shown"


def test_every_setting_is_read_from_the_variable_that_it_is_shown_by() -> None:
    usual = Settings.from_env({})
    words = {"NEXTLABEL_LOG_LEVEL": "DEBUG", "NEXTLABEL_LOG": "json", "NEXTLABEL_METRICS": "open"}
    words["NEXTLABEL_PAGES"] = "read-only"
    words |= {
        "NEXTLABEL_NOTES_URL": "https://hooks.example.org/1",
        "NEXTLABEL_FILE_HOSTS": "a.example",
        "NEXTLABEL_STRATEGY_FUNCTIONS": "a.b",
    }
    for one in settings_in_force(usual):
        changed = Settings.from_env({one.name: words.get(one.name, "11")})
        assert [name for name in _fields(usual) if getattr(usual, name) != getattr(changed, name)], one.name


def _fields(settings: Settings) -> list[str]:
    return [one.name for one in fields(settings)]


# --- live --------------------------------------------------------------------------------------------------


def test_what_is_live_is_sent_again_only_when_it_has_changed(taught: Team, viewer: Browser) -> None:
    path = f"/projects/{taught.project}?live"
    first = viewer.get(path)
    assert first.status_code == 200
    assert "<html" not in first.text
    assert first.text.strip() in viewer.get(f"/projects/{taught.project}").text
    again = viewer.get(path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    taught.work(1)
    taught.run()

    def changed() -> TestResponse | None:
        found = viewer.get(path, **{"If-None-Match": first.headers["ETag"]})
        return found if found.status_code == 200 else None

    # What was read within the last second is shown once more.
    assert wait_for(changed).headers["ETag"] != first.headers["ETag"]


def test_pages_go_out_zipped_but_for_those_that_repeat_what_their_address_holds(taught: Team, admin: Browser) -> None:
    zips, versions = {"Accept-Encoding": "gzip"}, f"/projects/{taught.project}/versions"
    for path in (versions, f"{versions}?all&live"):
        plain, zipped = admin.get(path), admin.get(path, **zips)
        assert (zipped.headers["Content-Encoding"], "Accept-Encoding" in zipped.headers["Vary"]) == ("gzip", True)
        assert gzip.decompress(zipped.data) == plain.data
    again = admin.get(f"{versions}?live", **zips, **{"If-None-Match": admin.get(f"{versions}?live").headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    for path in (f"{versions}/compare?one=nextlabel-1&other=nextlabel-2", f"/doctor?project={taught.project}"):
        assert "Content-Encoding" not in admin.get(path, **zips).headers


def test_what_was_made_for_one_role_or_session_is_shown_to_no_other(
    app: Flask, ordered: Team, viewer: Browser, admin: Browser
) -> None:
    path, other = f"/projects/{ordered.project}/queue?live", logged_in(app, ordered, "admin")
    assert "Why here" in admin.get(path).text
    assert "Why here" not in viewer.get(path).text
    assert "Why here" in admin.get(path).text
    forms = f"/projects/{ordered.project}/versions?live"
    for browser in (admin, other, admin):
        assert set(re.findall(r'name="token" value="(\w+)"', browser.get(forms).text)) == {browser.token}


def test_style_and_scripts_are_kept_by_browsers_as_long_as_they_are_the_same(nobody: Browser) -> None:
    addresses = [one for one in Page(nobody.get("/login").text).addresses if one.startswith("/assets/")]
    assert len(addresses) == 4
    for path in addresses:
        plain, zipped = nobody.get(path), nobody.get(path, **{"Accept-Encoding": "gzip, br"})
        assert "immutable" in plain.headers["Cache-Control"]
        assert len(zipped.data) < len(plain.data)
        assert "immutable" not in nobody.get(path.replace(path.split("/")[2], "0")).headers["Cache-Control"]
    assert nobody.get("/assets/0/../site.py").status_code == 404
    assert nobody.get("/assets/0/VENDORED.md").status_code == 404


def test_what_is_read_is_kept_until_its_mark_changes(taught: Team, viewer: Browser) -> None:
    mark, path = taught.parts.overview.mark, f"/projects/{taught.project}?live"
    other = taught.parts.overview.mark("another"), mark()
    for change in (
        taught.run,
        lambda: taught.choose(audit_share=0.4),
        lambda: taught.parts.findings.replace(taught.project, [Finding("warning", "mind the gap")]),
        lambda: taught.parts.findings.replace(taught.project, []),
        lambda: taught.parts.versions.promote(taught.project, "nextlabel-2"),
        lambda: taught.parts.pausing.pause(taught.project),
    ):
        before = mark(taught.project)
        assert mark(taught.project) == before
        change()
        assert mark(taught.project) != before
    assert mark("another") == other[0]
    assert mark() != other[1]
    assert "paused" in viewer.get(path).text


def test_many_who_ask_at_once_cost_one_reading() -> None:
    asked: list[int] = []

    def read(key: int) -> int:
        asked.append(key)
        return key

    marks = {1: "a", 2: "b"}
    recent = Recent(read, marks.get)
    assert [recent(1), recent(1), recent(2)] == [1, 1, 2]
    assert asked == [1, 2]
    marks[1] = "c"
    assert ([recent(1), recent(2)], asked) == ([1, 2], [1, 2, 1])
    recent.forget()
    assert (recent(1), asked) == (1, [1, 2, 1, 1])


def test_what_changes_several_times_is_read_again_once_it_rests_or_after_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second, marks = 0, "aabbcdefghi" + 9 * " " + "z"
    monkeypatch.setattr("nextlabel.web.pages.recent._SETTLING_SECONDS", 5)
    monkeypatch.setattr("nextlabel.web.pages.recent.time", SimpleNamespace(monotonic=lambda: float(second)))
    recent = Recent[str, str](lambda _: marks[second], lambda _: marks[second])
    shown = []
    for second in [*range(11), 20]:  # noqa: B007 - what the clock says
        shown.append(recent("it"))  # noqa: PERF401
    assert shown[:4] == ["a", "a", "a", "b"], "once b has stayed for a second"
    assert shown[4:11] == [*"bbbbb", "h", "h"], "it never rests: after five seconds"
    assert shown[11:] == ["z"], "nobody has asked for a while"


# --- choosing versions -------------------------------------------------------------------------------------


def test_an_admin_promotes_rolls_back_and_releases_and_it_is_noted_who_did(taught: Team, admin: Browser) -> None:
    forms, newest = f"/projects/{taught.project}/versions", taught.serving.version
    done = admin.post(f"{forms}/promote", version="nextlabel-2")
    assert (done.status_code, done.location) == (303, forms)
    assert (taught.serving.version, taught.serving.chosen) == ("nextlabel-2", True)
    shown = admin.get(forms)
    assert "nextlabel-2 serves until you choose another" in shown.text
    assert "Let new versions serve" in shown.text
    assert "serves until you choose another" not in admin.get(forms).text, "a note is shown once"
    assert taught.parts.job_queue.dispatch_due() == 1, "a worker is to put the queue in its order"
    taught.run()
    assert taught.in_force() == taught.serving.announced_version
    admin.post(f"{forms}/rollback")
    assert taught.serving.version == newest
    admin.post(f"{forms}/release")
    assert (taught.serving.version, taught.serving.chosen) == (newest, False)
    noted = [(one.who, one.what, one.about) for one in taught.parts.actions.last(3)]
    assert noted == [
        ("admin", f"released {newest}", taught.project),
        ("admin", f"chose {newest}", taught.project),
        ("admin", "chose nextlabel-2", taught.project),
    ]


def test_what_cannot_be_chosen_is_a_sentence(taught: Team, admin: Browser) -> None:
    refused = admin.post(f"/projects/{taught.project}/versions/promote", version=EVIL)
    assert (refused.status_code, "has no version" in refused.text) == (400, True)


def test_an_admin_need_not_wait_for_a_worker_that_learns(
    taught: Team, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextlabel.service.versions._PATIENCE_SECONDS", 0)
    overtaken = taught.parts.fences.next(taught.project)
    with taught.parts.job_queue.lease(taught.project):
        admin.post(f"/projects/{taught.project}/versions/promote", version="nextlabel-2")
    assert taught.serving.version == "nextlabel-2"
    with pytest.raises(Exception, match="taken over"):
        taught.parts.fences.check(taught.project, overtaken)


@pytest.mark.every_database
def test_only_the_last_thousand_actions_are_kept(team: Team) -> None:
    actions = team.parts.actions
    for n in range(1_003):
        actions.add("admin", f"number {n}" if n else "x" * 10_000)
    kept = actions.last(2_000)
    assert (len(kept), kept[0].what, kept[-1].what) == (1_000, "number 1002", "number 3")


@pytest.mark.every_database
def test_the_passwords_are_made_once(team: Team) -> None:
    first = team.parts.accounts.keys()
    assert team.parts.accounts.keys() == first
    assert all(len(one) == 24 for one in first.passwords.values())
    assert len({first.signing, *first.passwords.values()}) == 3
    assert first.role_of("admin", first.passwords["admin"]) == "admin"
    assert first.role_of("admin", first.passwords["viewer"]) is None
