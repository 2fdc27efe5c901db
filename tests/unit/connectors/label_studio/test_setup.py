"""Connecting to a project: what is changed, what is told, and that a second time changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from nextlabel.labeling import ProjectId
from nextlabel.ports import Door, Finding, ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.setup import connect

DOOR = Door("http://nextlabel.internal:9090/", "user", "basic-password", "webhook-secret")
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
    refusals: dict[str, httpx.Response] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    def connect(self, door: Door = DOOR) -> list[Finding]:
        transport = httpx.MockTransport(self._answer)
        client = LabelStudioClient(ToolAccess("http://ls", "token-of-the-tool"), transport=transport)
        return list(connect(client, ProjectId("1"), door))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if request.method == "GET":
            answers = {
                "/api/version": {"release": self.release},
                "/api/projects/1": self.project,
                "/api/projects/1/model-versions": {"static": []},
                "/api/webhooks": self.webhooks,
                "/api/ml": self.backends,
            }
            return httpx.Response(200, json=answers[path])
        self.writes.append(f"{request.method} {path}")
        body = json.loads(request.content)
        if path in self.refusals:
            return self.refusals[path]
        if request.method == "POST":
            new = {"id": 1, "state": "CO", **body}
            (self.webhooks if path == "/api/webhooks" else self.backends).append(new)
            if path == "/api/ml" and not self.project["model_version"]:
                self.project["model_version"] = body["title"]
        elif path == "/api/projects/1":
            self.project |= body
        else:
            found = self.webhooks if "webhooks" in path else self.backends
            found[0] |= body | {"state": "CO"}
        return httpx.Response(200, json={})


def refusal(status: int, said: object) -> httpx.Response:
    return httpx.Response(status, json={"detail": "Validation error", "validation_errors": said})


def told(findings: list[Finding], level: str) -> str:
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
    assert "corrected" in told(tool.connect(), "done")
    assert len(tool.webhooks) == 1
    assert tool.webhooks[0]["headers"] == {"x-nextlabel-secret": "webhook-secret"}


def test_credentials_that_nextlabel_no_longer_takes_are_corrected() -> None:
    tool = FakeSetup()
    tool.connect()
    tool.backends[0]["state"] = "ER"
    assert "ML backend 'nextlabel'" in told(tool.connect(), "done")
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
def test_a_backend_that_cannot_be_connected_is_a_problem_with_its_remedy(answer: httpx.Response, remedy: str) -> None:
    assert remedy in told(FakeSetup(refusals={"/api/ml": answer}).connect(), "problem")


def test_a_host_without_a_dot_gets_no_webhook_and_that_is_told_with_the_remedy() -> None:
    tool = FakeSetup(refusals={"/api/webhooks": refusal(400, {"url": ["Enter a valid URL."]})})
    findings = tool.connect()
    assert "nextlabel.internal" in told(findings, "warning")
    assert len(tool.backends) == 1


@pytest.mark.parametrize(
    "release", ["1.13.1", "1.15.0", "1.18.0.post1", "1.20.0", "1.21.0", "1.22.0", "1.23.0", "1.23.2"]
)
def test_a_version_that_was_tried_needs_no_warning_nor_a_release_that_only_mends_it(release: str) -> None:
    assert f"Label Studio {release}" in told(FakeSetup(release=release).connect(), "unchanged")


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
    assert warning in told(tool.connect(), "warning")


@pytest.mark.parametrize(
    ("setting", "warning"),
    [
        ({"maximum_annotations": 3}, "3 annotations per task"),
        ({"evaluate_predictions_automatically": True}, "evaluate_predictions_automatically"),
    ],
)
def test_a_setting_that_weakens_the_loop_is_a_warning(setting: dict[str, object], warning: str) -> None:
    tool = FakeSetup()
    tool.project |= setting
    assert warning in told(tool.connect(), "warning")


def test_no_finding_holds_a_secret() -> None:
    tool = FakeSetup(webhooks=[{"id": 5, "url": "http://nextlabel.internal:9090/webhook", "headers": {}}])
    said = " ".join(finding.message for finding in tool.connect())
    for secret in ("basic-password", "webhook-secret", "token-of-the-tool"):
        assert secret not in said
