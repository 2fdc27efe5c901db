"""Which webhooks and ML backends of a project are nextlabel's own, at whatever address they were made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx

from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import Callback
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused
from nextlabel_connectors.label_studio.dialect import WEBHOOK_SECRET_HEADER
from nextlabel_connectors.label_studio.payloads import JsonObject, as_list, as_object

OUR_TITLE = "nextlabel"
"""What ML backends of ours are called, unless somebody calls them otherwise."""
_WEBHOOK = "/webhook"


@dataclass(frozen=True, slots=True)
class Listed:
    """A project's webhooks and ML backends as Label Studio lists them, told apart by our secret and addresses.

    A webhook is ours that shows our secret, or goes to one of our addresses as Label Studio made it there (without
    headers), or with our header and a secret that is no longer in use. An ML backend is ours that stands at one of our
    addresses, or where a webhook with our secret goes.
    """

    callback: Callback
    webhooks: Sequence[JsonObject]
    backends: Sequence[JsonObject]

    @property
    def our_webhooks(self) -> list[JsonObject]:
        return [
            webhook for webhook in self.webhooks if self.shows_secret(webhook) or self._made_at_our_address(webhook)
        ]

    @property
    def our_backends(self) -> list[JsonObject]:
        ours = self._addresses | {_base(webhook) for webhook in self.webhooks if self.shows_secret(webhook)}
        return [backend for backend in self.backends if address(backend) in ours]

    @property
    def similar_backends(self) -> list[JsonObject]:
        """Those that look like ours but for their address: another installation's, or ours from times unknown."""
        ours, looks = self.our_backends, (self.callback.title, self.callback.user)
        named = [one for one in self.backends if (one.get("title"), one.get("basic_auth_user")) == looks]
        return [backend for backend in named if backend not in ours]

    def strangers_at(self, url: str) -> list[JsonObject]:
        """Webhooks to that address which somebody else made."""
        ours = self.our_webhooks
        return [webhook for webhook in self.webhooks if address(webhook) == one_spelling(url) and webhook not in ours]

    def shows_secret(self, webhook: JsonObject) -> bool:
        return _headers(webhook).get(WEBHOOK_SECRET_HEADER) == self.callback.webhook_secret

    def _made_at_our_address(self, webhook: JsonObject) -> bool:
        headers = _headers(webhook)
        return _base(webhook) in self._addresses and (not headers or WEBHOOK_SECRET_HEADER in headers)

    @property
    def _addresses(self) -> set[str]:
        return {one_spelling(url) for url in (self.callback.url, *self.callback.earlier) if url}


def list_webhooks(client: LabelStudioClient, project: ToolProjectId) -> list[JsonObject]:
    answer = client.get("/api/webhooks/", {"project": project}).data
    return [as_object(webhook, "webhook") for webhook in as_list(answer, "list of webhooks")]


def list_backends(client: LabelStudioClient, project: ToolProjectId) -> list[JsonObject]:
    """Listing them makes Label Studio call each one, so that its state is what it is now."""
    answer = client.get("/api/ml", {"project": project}).data
    return [as_object(backend, "ML backend") for backend in as_list(answer, "list of ML backends")]


def remove_webhook(client: LabelStudioClient, webhook: JsonObject) -> None:
    _remove(client, f"/api/webhooks/{webhook.get('id')}/")


def remove_backend(client: LabelStudioClient, backend: JsonObject) -> None:
    _remove(client, f"/api/ml/{backend.get('id')}")


def _remove(client: LabelStudioClient, path: str) -> None:
    """What is gone already is as it should be."""
    try:
        client.delete(path)
    except Refused as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise


def address(one: JsonObject) -> str:
    return one_spelling(str(one.get("url")))


def one_spelling(url: str) -> str:
    """The same for all spellings of one address: the case of scheme and host, the usual port, a slash at the end."""
    with suppress(httpx.InvalidURL):
        return str(httpx.URL(url.strip())).rstrip("/")
    return url


def _base(webhook: JsonObject) -> str:
    """Where the server stands that a webhook goes to; empty where it is not called as nextlabel is."""
    url = address(webhook)
    return url.removesuffix(_WEBHOOK) if url.endswith(_WEBHOOK) else ""


def _headers(webhook: JsonObject) -> JsonObject:
    headers = webhook.get("headers")
    return headers if isinstance(headers, dict) else {}
