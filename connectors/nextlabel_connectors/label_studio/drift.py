"""What somebody has undone in a Label Studio project since `nextlabel connect`: found, told, and left as it is."""

from __future__ import annotations

from collections.abc import Iterator

from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import Callback, Finding
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.ours import address, list_backends, list_webhooks
from nextlabel_connectors.label_studio.setup import Setup

_AGAIN = "Run `nextlabel connect` again to have it back."


def drift(client: LabelStudioClient, project: ToolProjectId, callback: Callback) -> Iterator[Finding]:
    """Two requests. The second has Label Studio call each ML backend, which shows whether credentials still hold."""
    setup = Setup(client, project, callback)
    yield from _webhook(setup)
    yield from _ml_backend(setup)


def _webhook(setup: Setup) -> Iterator[Finding]:
    webhooks = list(filter(setup.is_here, list_webhooks(setup.client, setup.project)))
    if any(map(setup.is_right, webhooks)):
        return
    if not webhooks:
        what = "is gone"
    elif any(setup.is_right({**webhook, "is_active": True}) for webhook in webhooks):
        what = "is switched off"
    else:
        what = "was changed, so that it does not tell all that it should or lacks its secret"
    yield Finding(
        "warning",
        f"The webhook to {setup.webhook_url} {what}: labels are noticed only when they are next reconciled. {_AGAIN}",
    )


def _ml_backend(setup: Setup) -> Iterator[Finding]:
    ours = [backend for backend in list_backends(setup.client, setup.project) if address(backend) == setup.url]
    if not ours:
        yield Finding(
            "warning",
            f"The ML backend at {setup.url} is gone, or its address was changed: Label Studio asks for no predictions "
            f"when a task outside the queue is opened. {_AGAIN}",
        )
    elif not any(setup.accepted(backend) for backend in ours):
        yield Finding(
            "warning",
            f"Label Studio does not get on with the ML backend at {setup.url}: nextlabel cannot be reached there, or "
            f"the credentials were changed. Look whether `nextlabel serve` runs. {_AGAIN}",
        )
