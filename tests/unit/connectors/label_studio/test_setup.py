"""Connecting to a project and disconnecting it: what is changed, what is reported, what stays as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from nextlabel.labeling import QueueVersion, ToolProjectId
from nextlabel.ports.tool import Callback, Finding, ToolAccess, ToolSetting
from nextlabel_connectors.label_studio import undoing
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.setup import connect

CALLBACK = Callback("http://nextlabel.internal:9090/", "user", "basic-password", "webhook-secret")
CONFIG = (
    '<View><Text name="text" value="$text"/><TextArea name="note" toName="text"/>'
    '<Choices name="kind" toName="text"><Choice value="spam"/><Choice value="ham"/></Choices></View>'
)


@dataclass
class FakeSetup:
    """The part of Label Studio that is set up; ``refusals`` maps a path to the answer that it gives to a POST."""

    release: str = "1.23.2"
    project: dict[str, Any] = field(
        default_factory=lambda: {
            "label_config": CONFIG,
            "sampling": "Sequential sampling",
            "model_version": "",
            "show_collab_predictions": True,
            "maximum_annotations": 1,
        }
    )
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    backends: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, httpx.Response] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    @property
    def client(self) -> LabelStudioClient:
        return LabelStudioClient(
            ToolAccess("http://ls", "token-of-the-tool"), transport=httpx.MockTransport(self._answer)
        )

    def connect(self, callback: Callback = CALLBACK) -> list[Finding]:
        return list(connect(self.client, ToolProjectId("1"), callback))

    def disconnect(
        self, settings: Mapping[str, str] = {}, *, callback: Callback = CALLBACK, similar: bool = False
    ) -> list[Finding]:
        return list(undoing.disconnect(self.client, ToolProjectId("1"), callback, settings, similar=similar))

    def settings(self, *ours: str) -> dict[str, ToolSetting]:
        return {
            one.name: one for one in undoing.settings(self.client, ToolProjectId("1"), list(map(QueueVersion, ours)))
        }

    @property
    def calls(self) -> list[str]:
        """Where it calls: webhooks first."""
        return [one["url"] for one in (*self.webhooks, *self.backends)]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if request.method == "GET":
            held = [{"model_version": version, "count": n} for version, n in self.versions.items()]
            answers = {
                "/api/version": {"release": self.release},
                "/api/projects/1": self.project,
                "/api/projects/1/model-versions": {"static": held},
                "/api/webhooks": self.webhooks,
                "/api/ml": self.backends,
            }
            return httpx.Response(200, json=answers[path])
        self.writes.append(f"{request.method} {path}")
        body = json.loads(request.content or "{}")
        if path in self.refusals:
            return self.refusals[path]
        if path == "/api/projects/1":
            return self._change(body)
        kind, _, number = path.removeprefix("/api/").partition("/")
        rows = self.webhooks if kind == "webhooks" else self.backends
        return self._create(rows, body) if request.method == "POST" else self._edit(rows, int(number), request, body)

    def _change(self, body: dict[str, Any]) -> httpx.Response:
        version = body.get("model_version", "")
        if version not in ("", *self.versions, *(one["title"] for one in self.backends)):
            return refusal(400, {"model_version": ["Model version doesn't exist."]})
        hides = body.get("show_collab_predictions") is False and "model_version" not in body
        self.project |= body | ({"model_version": ""} if hides else {})
        return httpx.Response(200, json={})

    def _create(self, rows: list[dict[str, Any]], body: dict[str, Any]) -> httpx.Response:
        rows.append({"id": len(self.writes) + 100, "state": "CO", **body})
        if rows is self.backends and not self.project["model_version"]:
            self.project["model_version"] = body["title"]
        return httpx.Response(201, json=rows[-1])

    def _edit(
        self, rows: list[dict[str, Any]], number: int, request: httpx.Request, body: dict[str, Any]
    ) -> httpx.Response:
        (row,) = [row for row in rows if row["id"] == number]
        if request.method == "DELETE":
            rows.remove(row)
            if row.get("title") == self.project["model_version"]:
                self.project["model_version"] = ""
            return httpx.Response(204)
        row |= body | {"state": "CO"}
        return httpx.Response(200, json=row)


def refusal(status: int, stated: object) -> httpx.Response:
    return httpx.Response(status, json={"detail": "Validation error", "validation_errors": stated})


def received(findings: list[Finding], level: str) -> str:
    return " ".join(finding.message for finding in findings if finding.level == level)


def test_the_webhook_is_made_first_so_that_label_studio_adds_no_open_one() -> None:
    tool = FakeSetup()
    tool.connect()
    assert tool.writes == ["POST /api/webhooks", "POST /api/ml", "PATCH /api/projects/1"]


def test_the_webhook_shows_its_secret_and_asks_only_for_what_is_needed() -> None:
    tool = FakeSetup()
    tool.connect()
    (webhook,) = tool.webhooks
    assert webhook["url"] == "http://nextlabel.internal:9090/webhook"
    assert webhook["headers"] == {"x-nextlabel-secret": "webhook-secret"}
    assert not webhook["send_for_all_actions"]
    assert "ANNOTATIONS_DELETED" in webhook["actions"]
    assert "PROJECT_DELETED" not in webhook["actions"]


def test_the_title_that_label_studio_takes_for_the_version_is_removed() -> None:
    tool = FakeSetup()
    tool.connect()
    assert (tool.project["model_version"], tool.project["sampling"]) == ("", "Uncertainty sampling")


def test_a_second_time_changes_nothing() -> None:
    tool = FakeSetup()
    tool.connect()
    tool.writes.clear()
    findings = tool.connect()
    assert tool.writes == []
    assert {finding.level for finding in findings} == {"unchanged"}


def test_a_webhook_without_the_secret_is_corrected_and_not_doubled() -> None:
    open_one = {"id": 5, "url": "http://nextlabel.internal:9090/webhook", "headers": {}, "send_for_all_actions": True}
    tool = FakeSetup(webhooks=[open_one])
    assert "corrected" in received(tool.connect(), "done")
    assert len(tool.webhooks) == 1
    assert tool.webhooks[0]["headers"] == {"x-nextlabel-secret": "webhook-secret"}


def test_credentials_that_nextlabel_no_longer_takes_are_corrected() -> None:
    tool = FakeSetup()
    tool.connect()
    tool.backends[0]["state"] = "ER"
    assert "ML backend 'nextlabel'" in received(tool.connect(), "done")
    assert tool.backends[0]["basic_auth_pass"] == "basic-password"
    assert len(tool.backends) == 1


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (httpx.Response(403, json={"detail": "URL resolves to a reserved network address"}), "ML_BLOCK_LOCAL_IP=false"),
        (httpx.Response(500, json={"detail": "Can't resolve hostname nextlabel"}), "--backend-url"),
        (refusal(400, {"e": ["Can't connect to ML backend, health check failed."]}), "start `nextlabel serve`"),
        (
            refusal(400, {"e": ["authentication parameters were not provided"]}),
            "does not accept nextlabel's credentials",
        ),
        (refusal(400, {"e": ["it doesn't look like a valid ML backend"]}), "log of `nextlabel serve`"),
        (httpx.Response(403, json={"detail": "You do not have permission."}), "account that may change the project"),
    ],
)
def test_a_backend_that_cannot_be_connected_is_a_problem_with_its_remedy_and_nothing_is_left_behind(
    answer: httpx.Response, remedy: str
) -> None:
    tool = FakeSetup(refusals={"/api/ml": answer})
    before = dict(tool.project)
    assert remedy in received(tool.connect(), "problem")
    assert (tool.calls, tool.project) == ([], before)


def test_a_host_without_a_dot_gets_no_webhook_and_that_is_told_with_the_remedy() -> None:
    tool = FakeSetup(refusals={"/api/webhooks": refusal(400, {"url": ["Enter a valid URL."]})})
    findings = tool.connect()
    assert "nextlabel.internal" in received(findings, "warning")
    assert len(tool.backends) == 1


@pytest.mark.parametrize(
    "release", ["1.13.1", "1.15.0", "1.18.0.post1", "1.20.0", "1.21.0", "1.22.0", "1.23.0", "1.23.2"]
)
def test_a_version_that_was_tried_needs_no_warning_nor_a_release_that_only_mends_it(release: str) -> None:
    assert f"Label Studio {release}" in received(FakeSetup(release=release).connect(), "unchanged")


@pytest.mark.parametrize(
    ("tool", "warning"),
    [
        (FakeSetup(release="1.12.0"), "older than 1.13"),
        (FakeSetup(release="1.16.0"), "not tried with Label Studio 1.16.0; it was tried with 1.13.1, 1.15.0"),
        (FakeSetup(release="2.0.0"), "not tried with Label Studio 2.0.0"),
        (FakeSetup(release="nightly"), "does not tell its version"),
        (FakeSetup(backends=[{"id": 2, "url": "http://bert:9090", "title": "bert"}]), "other ML backends too (bert)"),
    ],
)
def test_what_weakens_the_loop_is_a_warning(tool: FakeSetup, warning: str) -> None:
    assert warning in received(tool.connect(), "warning")


@pytest.mark.parametrize(
    ("setting", "warning"),
    [
        ({"maximum_annotations": 3}, "3 annotations per task"),
        (
            {"maximum_annotations": 2, "overlap_cohort_percentage": 30, "show_overlap_first": True},
            "Only 30% of the tasks get several annotations",
        ),
        ({"evaluate_predictions_automatically": True}, "evaluate_predictions_automatically"),
    ],
)
def test_a_setting_that_weakens_the_loop_is_a_warning(setting: dict[str, object], warning: str) -> None:
    tool = FakeSetup()
    tool.project |= setting
    assert warning in received(tool.connect(), "warning")


# --- another address, and the way back ---------------------------------------------------------------------

OLD, NEW = (
    Callback(url, "user", "basic-password", "webhook-secret")
    for url in ("http://old.example:1", "http://new.example:2")
)
OURS = {"x-nextlabel-secret": "webhook-secret"}
THEIRS: list[dict[str, Any]] = [
    {"id": 11, "url": "https://hooks.example/webhook", "headers": {}},
    {"id": 12, "url": "http://new.example:2/webhook", "headers": {"authorization": "Basic dGVhbQ=="}},
    {"id": 13, "url": "http://old.example:1/other", "headers": {}},
]
BERT = {"id": 21, "url": "http://bert:9090", "title": "bert", "basic_auth_user": "", "state": "CO"}


def test_another_address_takes_the_place_of_the_old_one() -> None:
    tool = FakeSetup(webhooks=[dict(one) for one in THEIRS], backends=[dict(BERT)])
    tool.connect(OLD)
    tool.backends[1]["title"] = "our ranking"
    stated = received(tool.connect(NEW), "done")
    assert "put in the place of the one to http://old.example:1/webhook" in stated
    assert "put in the place of the one at http://old.example:1" in stated
    assert (tool.webhooks[:3], tool.backends[0]) == (THEIRS, BERT)
    assert tool.calls[3:] == ["http://new.example:2/webhook", "http://bert:9090", "http://new.example:2"]
    assert tool.backends[1]["title"] == "our ranking"


def test_what_two_runs_at_two_addresses_left_behind_becomes_one_pair() -> None:
    """As the first release made them, with a webhook that Label Studio added by itself."""
    pair = [{"id": n, "url": f"{callback.url}/webhook", "headers": OURS} for n, callback in ((1, OLD), (2, NEW))]
    open_one = {"id": 3, "url": "http://lost.example:3/webhook", "headers": {}}
    told_as = [OLD.url, "HTTP://LOST.example:3/"]
    backends = [
        {"id": n, "url": url, "title": "nextlabel"} for n, url in enumerate((OLD.url, NEW.url, "http://lost.example:3"))
    ]
    tool = FakeSetup(webhooks=[*pair, open_one], backends=backends)
    tool.connect(replace(NEW, earlier=tuple(told_as)))
    assert tool.calls == ["http://new.example:2/webhook", "http://new.example:2"]


@pytest.mark.parametrize("path", ["/api/ml/102", "/api/projects/1"])
def test_an_address_that_does_not_answer_leaves_the_old_one_in_its_place(path: str) -> None:
    tool = FakeSetup()
    tool.connect(OLD)
    tool.project["sampling"] = "Uniform sampling"
    before = json.dumps([tool.webhooks, tool.backends, tool.project])
    tool.refusals[path] = refusal(400, {"e": ["Can't connect to ML backend, health check failed."]})
    assert received(tool.connect(NEW), "problem")
    assert json.dumps([tool.webhooks, tool.backends, tool.project]) == before


def test_a_refusal_at_the_very_end_still_leaves_nothing_behind() -> None:
    pair = [{"id": n, "url": f"{callback.url}/webhook", "headers": OURS} for n, callback in ((1, OLD), (2, NEW))]
    tool = FakeSetup(webhooks=pair, refusals={"/api/webhooks/1": httpx.Response(403, json={"detail": "Not yours."})})
    tool.versions["2023"] = 40
    tool.project |= {"show_collab_predictions": False, "model_version": "2023"}
    before = json.dumps([[one["url"] for one in tool.webhooks], tool.backends, tool.project])
    assert "Not yours." in received(tool.connect(NEW), "problem")
    assert json.dumps([[one["url"] for one in tool.webhooks], tool.backends, tool.project]) == before


def test_a_webhook_that_cannot_be_made_leaves_no_backend_behind() -> None:
    tool = FakeSetup(refusals={"/api/webhooks": httpx.Response(403, json={"detail": "reserved network address"})})
    assert "SSRF_PROTECTION_ENABLED=false" in received(tool.connect(), "problem")
    assert tool.calls == []


def test_disconnecting_leaves_what_others_made_and_puts_the_settings_back() -> None:
    tool = FakeSetup(webhooks=[dict(one) for one in THEIRS], backends=[dict(BERT)], versions={"2023": 40})
    tool.project |= {"model_version": "2023", "show_collab_predictions": False, "sampling": "Uniform sampling"}
    before = json.dumps([tool.webhooks, tool.backends, tool.project])
    values = {name: one.value for name, one in tool.settings().items()}
    tool.connect(OLD)
    tool.connect(NEW)
    tool.versions["nextlabel-1"] = 4
    tool.project["model_version"] = "nextlabel-1"
    assert "problem" not in {one.level for one in tool.disconnect(values, callback=NEW)}
    assert json.dumps([tool.webhooks, tool.backends, tool.project]) == before
    tool.writes.clear()
    assert {one.level for one in tool.disconnect(values, callback=NEW)} == {"unchanged"}
    assert tool.writes == []


def test_what_merely_resembles_ours_is_named_and_removed_only_on_wish() -> None:
    """It may be another installation's, which works."""
    alike = {"id": 5, "url": "http://elsewhere.example", "title": "nextlabel", "basic_auth_user": "user"}
    tool = FakeSetup(backends=[alike])
    tool.connect()
    assert "'nextlabel' at http://elsewhere.example" in received(tool.disconnect(), "warning")
    assert tool.backends == [alike]
    tool.disconnect(similar=True)
    assert tool.backends == []


def test_a_version_that_has_no_predictions_any_more_cannot_be_put_back_and_that_is_said() -> None:
    tool = FakeSetup()
    tool.connect()
    findings = tool.disconnect({"model_version": "bert-v1", "sampling": "Sequential sampling"})
    assert "'bert-v1'" in received(findings, "warning")
    assert (tool.project["model_version"], tool.project["sampling"]) == ("", "Sequential sampling")


def test_hiding_predictions_again_keeps_the_version_that_somebody_chose() -> None:
    tool = FakeSetup(versions={"2023": 40})
    tool.connect()
    tool.project["model_version"] = "2023"
    tool.disconnect({"show_predictions": "no"})
    assert (tool.project["model_version"], tool.project["show_collab_predictions"]) == ("2023", False)


def test_settings_say_what_is_ours_and_what_else_they_may_be() -> None:
    tool = FakeSetup(backends=[dict(BERT)], versions={"bert-v1": 40, "nextlabel-3": 9})
    tool.project["model_version"] = "bert-v1"
    found = tool.settings("nextlabel-3")
    assert {name: one.ours for name, one in found.items()} == {
        "sampling": False,
        "model_version": False,
        "show_predictions": True,
    }
    assert found["model_version"].detail == "40 predictions"
    assert set(found["model_version"].choices) == {"", "bert-v1", "nextlabel-3", "bert"}
    tool.project["model_version"] = "bert"
    assert tool.settings()["model_version"].detail == "an ML backend"
    tool.project["model_version"] = "nextlabel-3"
    assert tool.settings("nextlabel-3")["model_version"].ours


def test_no_finding_holds_a_secret() -> None:
    tool = FakeSetup(webhooks=[{"id": 5, "url": "http://nextlabel.internal:9090/webhook", "headers": {}}])
    stated = " ".join(finding.message for finding in tool.connect())
    for secret in ("basic-password", "webhook-secret", "token-of-the-tool"):
        assert secret not in stated
