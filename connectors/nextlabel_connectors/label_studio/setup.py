"""Introducing nextlabel to a Label Studio project: what is changed there, what is found wrong, and the remedy.

The webhook comes first, with its secret header: connecting an ML backend makes Label Studio add an open webhook of
its own, unless one with that address is there already.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.labeling import ProjectId, QueueVersion
from nextlabel.ports import Door, Finding
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.dialect import UNCERTAINTY_SAMPLING, WEBHOOK_ACTIONS, WEBHOOK_SECRET_HEADER
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object
from nextlabel_connectors.label_studio.predictions import Predictions
from nextlabel_connectors.label_studio.project import Project, fetch_project, update_project

# The contract holds on these: `make test-versions`.
_KNOWN_GOOD = ("1.13.1", "1.15.0", "1.18.0", "1.20.0", "1.21.0", "1.22.0", "1.23.2")
_TRIED = f"it was tried with {', '.join(_KNOWN_GOOD)}"
_CONNECTED = "CO"

_PRIVATE_ADDRESS = (
    "Label Studio refuses to call {url}, because it is a private or loopback address: start it with "
    "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false (the default before 1.23, where somebody has set one of "
    "them to true), or give an address that it accepts (--backend-url)."
)
# What a refusal says, and what to tell a person then.
_REMEDIES = (
    ("reserved network address", _PRIVATE_ADDRESS),
    (
        "resolve hostname",
        "Label Studio cannot find the host of {url}: give nextlabel's address as Label Studio sees it (--backend-url).",
    ),
    (
        "authentication parameters",
        "What answers at {url} does not accept nextlabel's credentials: is it `nextlabel serve` with the same database "
        "and settings as this command?",
    ),
    (
        "health check failed",
        "Label Studio cannot reach nextlabel at {url}: start `nextlabel serve`, and give its address as Label Studio "
        "sees it (--backend-url).",
    ),
    (
        "valid ML backend",
        "Label Studio reached {url}, but its introduction was turned down: look into the log of `nextlabel serve`.",
    ),
    (
        "Enter a valid URL",
        "Label Studio takes no webhook for {url}, because the host has no dot: labels will be noticed only at the next "
        "reconciliation. Give nextlabel a name with a dot (in compose a network alias, e.g. nextlabel.internal) or "
        "an IP address in --backend-url.",
    ),
)


def connect(client: LabelStudioClient, project: ProjectId, door: Door) -> Iterator[Finding]:
    """Make Label Studio call the door and serve by uncertainty. A second time it finds everything unchanged."""
    yield _judged_version(client)
    try:
        found = fetch_project(client, project)
    except ToolRejected as error:
        yield Finding("problem", str(error))
        return
    setup = Setup(client, project, door)
    yield from setup.webhook()
    yield from setup.ml_backend()
    yield from setup.stray_webhooks()
    yield from setup.sampling()
    yield from _standing_warnings(found)


@dataclass(frozen=True, slots=True)
class Setup:
    """What makes one project of Label Studio call the door."""

    client: LabelStudioClient
    project: ProjectId
    door: Door

    def webhook(self) -> Iterator[Finding]:
        wanted = self.wanted_webhook()
        existing = self.webhooks()
        if any(matches(webhook, wanted) for webhook in existing):
            yield Finding("unchanged", f"Webhook to {self.webhook_url}.")
            return
        try:
            if existing:
                self.client.patch(f"/api/webhooks/{existing[0].get('id')}/", wanted)
            else:
                self.client.post("/api/webhooks/", {**wanted, "project": int(self.project), "url": self.webhook_url})
        except (Refused, ToolUnavailable) as error:
            yield Finding(
                "warning" if "Enter a valid URL" in str(error) else "problem", _remedy(error, self.webhook_url)
            )
            return
        if any(matches(webhook, wanted) for webhook in self.webhooks()):
            done = "corrected" if existing else "made"
            yield Finding("done", f"Webhook to {self.webhook_url} {done}, with its secret header.")
        else:
            yield Finding("problem", _PRIVATE_ADDRESS.format(url=self.webhook_url))

    def ml_backend(self) -> Iterator[Finding]:
        """Listing the backends makes Label Studio call each one, so that its state is what it is now."""
        backends = self.ml_backends()
        ours = [backend for backend in backends if address(backend) == self.url]
        others = [str(backend.get("title")) for backend in backends if address(backend) != self.url]
        if ours and self.accepted(ours[0]):
            yield Finding("unchanged", f"ML backend '{ours[0].get('title')}' at {self.url}.")
        else:
            yield self._put_ml_backend(ours)
        if len(ours) > 1:
            yield Finding("warning", f"The project has {len(ours)} ML backends at {self.url}: remove all but one.")
        if others:
            yield Finding(
                "warning",
                f"The project has other ML backends too ({', '.join(others)}): choosing one as the source of "
                "predictions in its settings ends nextlabel's order.",
            )

    def stray_webhooks(self) -> Iterator[Finding]:
        """Webhooks to our address without the header: the first one is put right, further ones are told."""
        wanted = self.wanted_webhook()
        wrong = [webhook for webhook in self.webhooks() if not matches(webhook, wanted)]
        if len(wrong) == len(self.webhooks()) > 0:
            self.client.patch(f"/api/webhooks/{wrong.pop(0).get('id')}/", wanted)
            yield Finding("done", f"Webhook to {self.webhook_url} corrected: now with its secret header.")
        if wrong:
            yield Finding(
                "warning",
                f"{len(wrong)} more webhook(s) go to {self.webhook_url}, without the secret header, and will be "
                "turned away: remove them in the project's settings.",
            )

    def sampling(self) -> Iterator[Finding]:
        """Uncertainty sampling with predictions shown; the version is set by the first order."""
        project = fetch_project(self.client, self.project)
        versions = Predictions(self.client, self.project).counts()
        changes: dict[str, object] = {}
        if not project.by_uncertainty:
            changes["sampling"] = UNCERTAINTY_SAMPLING
        if not project.shows_predictions:
            changes["show_collab_predictions"] = True
        if project.version and not versions.get(QueueVersion(project.version)):
            # It is the backend's title, which Label Studio sets when one is connected. Under it, it serves at random
            # and asks for a prediction each time a task is opened.
            changes["model_version"] = ""
        if not changes:
            yield Finding("unchanged", "Tasks are served by uncertainty, with predictions shown.")
            return
        update_project(self.client, self.project, changes)
        yield Finding("done", f"Project settings changed: {', '.join(f'{k} = {v!r}' for k, v in changes.items())}.")

    def _put_ml_backend(self, ours: Sequence[JsonObject]) -> Finding:
        backend = {
            "project": int(self.project),
            "url": self.url,
            "title": ours[0].get("title") if ours else self.door.title,
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": self.door.user,
            "basic_auth_pass": self.door.password,
        }
        try:
            self._write_ml_backend(ours, backend)
        except (Refused, ToolUnavailable) as error:
            return Finding("problem", _remedy(error, self.url))
        return Finding("done", f"ML backend '{backend['title']}' at {self.url} {'corrected' if ours else 'connected'}.")

    def _write_ml_backend(self, ours: Sequence[JsonObject], backend: JsonObject) -> None:
        """Label Studio gives our health check one second, which a busy machine can miss: ask more than once."""
        for pause in (1.0, 3.0, None):
            try:
                if ours:
                    self.client.patch(f"/api/ml/{ours[0].get('id')}", backend)
                else:
                    self.client.post("/api/ml", backend)
            except Refused as error:
                if pause is None or "timed out" not in str(error):
                    raise
                time.sleep(pause)
            else:
                return

    def accepted(self, backend: JsonObject) -> bool:
        """A stored password cannot be read back, but Label Studio has just shown it to us."""
        return (
            backend.get("state") == _CONNECTED
            and backend.get("auth_method") == "BASIC_AUTH"
            and backend.get("basic_auth_user") == self.door.user
        )

    @property
    def url(self) -> str:
        return self.door.url.rstrip("/")

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/webhook"

    def wanted_webhook(self) -> dict[str, object]:
        return {
            "headers": {WEBHOOK_SECRET_HEADER: self.door.webhook_secret},
            "send_payload": True,
            "send_for_all_actions": False,
            "is_active": True,
            "actions": list(WEBHOOK_ACTIONS),
        }

    def webhooks(self) -> list[JsonObject]:
        """The project's webhooks to our address."""
        answer = self.client.get("/api/webhooks/", {"project": self.project}).data
        webhooks = [as_object(webhook, "webhook") for webhook in as_list(answer, "list of webhooks")]
        return [webhook for webhook in webhooks if webhook.get("url") == self.webhook_url]

    def ml_backends(self) -> list[JsonObject]:
        answer = self.client.get("/api/ml", {"project": self.project}).data
        return [as_object(backend, "ML backend") for backend in as_list(answer, "list of ML backends")]


def _judged_version(client: LabelStudioClient) -> Finding:
    """By its first two numbers: a release that only mends another one behaves as that does."""
    release = as_object(client.get("/api/version").data, "version").get("release")
    version = _two_numbers(release) if isinstance(release, str) else None
    tried = [numbers for known in _KNOWN_GOOD if (numbers := _two_numbers(known))]
    if version is None:
        return Finding("warning", f"Label Studio at {client.url} does not tell its version; {_TRIED}.")
    if version in tried:
        return Finding("unchanged", f"Label Studio {release} at {client.url}.")
    if version < min(tried):
        return Finding("warning", f"Label Studio {release} is older than 1.13, where nextlabel may fail: update it.")
    return Finding(
        "warning",
        f"nextlabel was not tried with Label Studio {release}; {_TRIED}. Every reorder is proven, so a difference will "
        "show itself as an error.",
    )


def _two_numbers(release: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else None


def _standing_warnings(project: Project) -> Iterator[Finding]:
    annotations = project.raw.get("maximum_annotations")
    if isinstance(annotations, int) and annotations > 1:
        yield Finding(
            "warning",
            f"The project asks for {annotations} annotations per task: Label Studio then serves partly annotated tasks "
            "first, at random, before nextlabel's order. Set annotations per task to 1 to have it always.",
        )
    if project.raw.get("evaluate_predictions_automatically") is True:
        yield Finding(
            "warning",
            "The project retrieves predictions whenever tasks are listed, which makes every listing slow: set "
            "evaluate_predictions_automatically to false; nextlabel writes predictions itself.",
        )


def _remedy(error: Exception, url: str) -> str:
    for sign, remedy in _REMEDIES:
        if sign in str(error):
            return remedy.format(url=url)
    if isinstance(error, ToolUnavailable):
        raise error
    return str(error)


def matches(webhook: JsonObject, wanted: JsonObject) -> bool:
    actions = as_list(webhook.get("actions") or [], "webhook's actions")
    return sorted(map(str, actions)) == list(WEBHOOK_ACTIONS) and all(
        webhook.get(key) == value for key, value in wanted.items() if key != "actions"
    )


def address(backend: JsonObject) -> str:
    return str(backend.get("url")).rstrip("/")
