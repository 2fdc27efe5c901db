"""Introducing nextlabel to a Label Studio project: what is changed there, what is found wrong, and the remedy.

The webhook comes first, with its secret header: connecting an ML backend makes Label Studio add an open webhook of
its own, unless one with that address is there already. Then comes the ML backend, which Label Studio takes only where
it finds nextlabel: if it does not, the webhook is taken back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from nextlabel.errors import ToolError, ToolRejected, ToolUnavailable
from nextlabel.labeling import QueueVersion, ToolProjectId
from nextlabel.ports.tool import Callback, Finding
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.dialect import UNCERTAINTY_SAMPLING, WEBHOOK_ACTIONS, WEBHOOK_SECRET_HEADER
from nextlabel_connectors.label_studio.ours import (
    Listed,
    address,
    list_backends,
    list_webhooks,
    one_spelling,
    remove_backend,
    remove_webhook,
)
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
_PERCENTAGE = (
    "The percentage that Label Studio shows beside a prediction is how sure the model is, but for the tasks that come "
    "next 50% at most, because Label Studio serves the lowest first."
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


def connect(client: LabelStudioClient, project: ToolProjectId, callback: Callback) -> Iterator[Finding]:
    """Make Label Studio call the callback and serve by uncertainty. A second time it finds everything unchanged."""
    yield _judged_version(client)
    try:
        found = fetch_project(client, project)
        with ExitStack() as undo:
            for finding in Setup(client, project, callback).steps(undo):
                yield finding
                if finding.level == "problem":
                    return
            undo.pop_all()  # all is well: nothing is taken back
    except ToolRejected as error:
        yield Finding("problem", str(error))
        return
    yield from _standing_warnings(found)
    yield Finding("unchanged", _PERCENTAGE)


@dataclass(frozen=True, slots=True)
class Setup:
    """What makes one project of Label Studio call the callback."""

    client: LabelStudioClient
    project: ToolProjectId
    callback: Callback

    def steps(self, undo: ExitStack) -> Iterator[Finding]:
        """All that is to be done, up to the first problem; ``undo`` gets what takes each change back."""
        listed = Listed(
            self.callback, list_webhooks(self.client, self.project), list_backends(self.client, self.project)
        )
        webhooks = sorted(listed.our_webhooks, key=lambda one: (not self.is_right(one), not self.is_here(one)))
        backends = sorted(listed.our_backends, key=lambda one: (address(one) != self.url, not self.accepted(one)))
        yield from self._webhook(webhooks, undo)
        yield self._ml_backend(backends, undo)
        yield from self._sampling(undo)
        yield from self._leftovers(webhooks, backends)
        yield from self._of_others(listed)

    def _webhook(self, ours: Sequence[JsonObject], undo: ExitStack) -> Iterator[Finding]:
        if ours and self.is_right(ours[0]):
            yield Finding("unchanged", f"Webhook to {self.webhook_url}.")
            return
        try:
            done = self._put_webhook(ours, undo)
        except (Refused, ToolUnavailable) as error:
            unnoticed = "Enter a valid URL" in str(error)  # the loop works without
            yield Finding("warning" if unnoticed else "problem", _remedy(error, self.webhook_url))
            return
        if any(map(self.is_right, list_webhooks(self.client, self.project))):
            yield Finding("done", f"Webhook to {self.webhook_url} {done}, with its secret header.")
        else:
            yield Finding("problem", _PRIVATE_ADDRESS.format(url=self.webhook_url))

    def _put_webhook(self, ours: Sequence[JsonObject], undo: ExitStack) -> str:
        """Correct the first of ours, or make one; returns which."""
        if not ours:
            made = self.client.post("/api/webhooks/", {**self.wanted_webhook(), "project": int(self.project)}).data
            undo.callback(_quietly, lambda: remove_webhook(self.client, as_object(made, "webhook")))
            return "made"
        path = f"/api/webhooks/{ours[0].get('id')}/"
        before = {name: ours[0].get(name) for name in self.wanted_webhook()}
        self.client.patch(path, self.wanted_webhook())
        undo.callback(_quietly, lambda: self.client.patch(path, before))
        return "corrected" if self.is_here(ours[0]) else f"put in the place of the one to {ours[0].get('url')}"

    def _ml_backend(self, ours: Sequence[JsonObject], undo: ExitStack) -> Finding:
        if ours and address(ours[0]) == self.url and self.accepted(ours[0]):
            return Finding("unchanged", f"ML backend '{ours[0].get('title')}' at {self.url}.")
        backend = {
            "project": int(self.project),
            "url": self.url,
            "title": ours[0].get("title") if ours else self.callback.title,
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": self.callback.user,
            "basic_auth_pass": self.callback.password,
        }
        try:
            written = self._write_ml_backend(ours, backend)
        except (Refused, ToolUnavailable) as error:
            return Finding("problem", _remedy(error, self.url))
        if not ours:
            undo.callback(_quietly, lambda: remove_backend(self.client, as_object(written, "ML backend")))
            done = "connected"
        elif address(ours[0]) == self.url:
            done = "corrected"
        else:
            old = ours[0].get("url")
            undo.callback(_quietly, lambda: self._write_once(ours, {**backend, "url": old}))
            done = f"put in the place of the one at {old}"
        return Finding("done", f"ML backend '{backend['title']}' at {self.url} {done}.")

    def _sampling(self, undo: ExitStack) -> Iterator[Finding]:
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
        before: dict[str, object] = {name: project.raw.get(name) for name in changes}
        before["model_version"] = project.version  # hiding predictions again would empty it
        undo.callback(_quietly, lambda: update_project(self.client, self.project, before))
        yield Finding("done", f"Project settings changed: {', '.join(f'{k} = {v!r}' for k, v in changes.items())}.")

    def _leftovers(self, webhooks: Sequence[JsonObject], backends: Sequence[JsonObject]) -> Iterator[Finding]:
        """Of ours one of each is enough; that is the first backend, and the webhook that is right now."""
        ours, there = {one.get("id") for one in webhooks}, list_webhooks(self.client, self.project)
        kept = next(filter(self.is_right, there), None)
        for webhook in there:
            if webhook is not kept and webhook.get("id") in ours:
                remove_webhook(self.client, webhook)
                yield Finding(
                    "done", f"Webhook to {webhook.get('url')} removed: it was nextlabel's, and needed no more."
                )
        for backend in backends[1:]:
            remove_backend(self.client, backend)
            yield Finding("done", f"ML backend '{backend.get('title')}' at {backend.get('url')} removed: likewise.")

    def _of_others(self, listed: Listed) -> Iterator[Finding]:
        ours = listed.our_backends
        if others := [str(backend.get("title")) for backend in listed.backends if backend not in ours]:
            yield Finding(
                "warning",
                f"The project has other ML backends too ({', '.join(others)}): choosing one as the source of "
                "predictions in its settings ends nextlabel's order.",
            )
        if wrong := listed.strangers_at(self.webhook_url):
            yield Finding(
                "warning",
                f"{len(wrong)} more webhook(s) go to {self.webhook_url}, without the secret header, and will be "
                "turned away: remove them in the project's settings.",
            )

    def _write_ml_backend(self, ours: Sequence[JsonObject], backend: JsonObject) -> object:
        """Label Studio gives our health check one second, which a busy machine can miss: ask more than once."""
        for pause in (1.0, 3.0):
            try:
                return self._write_once(ours, backend)
            except Refused as error:
                if "timed out" not in str(error):
                    raise
                time.sleep(pause)
        return self._write_once(ours, backend)

    def _write_once(self, ours: Sequence[JsonObject], backend: JsonObject) -> object:
        if ours:
            return self.client.patch(f"/api/ml/{ours[0].get('id')}", backend).data
        # Whoever switches it off later in the project's settings finds it off: it is never patched.
        return self.client.post("/api/ml", {**backend, "is_interactive": self.callback.interactive}).data

    def accepted(self, backend: JsonObject) -> bool:
        """A stored password cannot be read back, but Label Studio has just shown it to us."""
        return (
            backend.get("state") == _CONNECTED
            and backend.get("auth_method") == "BASIC_AUTH"
            and backend.get("basic_auth_user") == self.callback.user
        )

    @property
    def url(self) -> str:
        return one_spelling(self.callback.url)

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/webhook"

    def wanted_webhook(self) -> dict[str, object]:
        return {
            "url": self.webhook_url,
            "headers": {WEBHOOK_SECRET_HEADER: self.callback.webhook_secret},
            "send_payload": True,
            "send_for_all_actions": False,
            "is_active": True,
            "actions": list(WEBHOOK_ACTIONS),
        }

    def is_here(self, webhook: JsonObject) -> bool:
        return address(webhook) == self.webhook_url

    def is_right(self, webhook: JsonObject) -> bool:
        actions = as_list(webhook.get("actions") or [], "webhook's actions")
        return (
            self.is_here(webhook)
            and sorted(map(str, actions)) == list(WEBHOOK_ACTIONS)
            and all(
                webhook.get(name) == value
                for name, value in self.wanted_webhook().items()
                if name not in ("actions", "url")
            )
        )


def _quietly(take_back: Callable[[], object]) -> None:
    """What was made is taken back as far as Label Studio lets it: the problem that led here is what a person hears."""
    with suppress(ToolError):
        take_back()


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
            f"The project asks for {annotations} annotations per task. Whoever is first at a task gets it in "
            "nextlabel's order. Tasks that others have begun come before all new ones, those with the most annotations "
            "first, and at random among these: Label Studio takes no order there. Set annotations per task to 1 to "
            "have every label spent on a new task.",
        )
        yield from _overlap_first(project)
    if project.raw.get("evaluate_predictions_automatically") is True:
        yield Finding(
            "warning",
            "The project retrieves predictions whenever tasks are listed, which makes every listing slow: set "
            "evaluate_predictions_automatically to false; nextlabel writes predictions itself.",
        )


def _overlap_first(project: Project) -> Iterator[Finding]:
    share = project.raw.get("overlap_cohort_percentage")
    if project.raw.get("show_overlap_first") is True and isinstance(share, int) and share < 100:
        yield Finding(
            "warning",
            f"Only {share}% of the tasks get several annotations, and Label Studio serves these first: in nextlabel's "
            "order as far as they are in its window, then at random. Set show_overlap_first to false to have all tasks "
            "in the order.",
        )


def _remedy(error: Exception, url: str) -> str:
    for sign, remedy in _REMEDIES:
        if sign in str(error):
            return remedy.format(url=url)
    if isinstance(error, ToolUnavailable):
        raise error
    return str(error)
