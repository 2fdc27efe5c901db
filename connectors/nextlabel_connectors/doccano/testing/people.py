"""People with an account in doccano, who use it as its web pages do."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.testing.waiting import CEILING_SECONDS

_TYPES = {
    "DocumentClassification": ("TextClassificationProject", "category-types"),
    "SequenceLabeling": ("SequenceLabelingProject", "span-types"),
    "Seq2seq": ("Seq2seqProject", "category-types"),
}


class DoccanoPerson:
    """An account. Ids are doccano's numbers; answers are its JSON.

    Raises `ToolUnavailable` when doccano is down or unwell and `ToolRejected` when it refuses.
    """

    def __init__(self, url: str, name: str, password: str, token: str) -> None:
        self.name, self.password, self.token = name, password, token
        self._http = httpx.Client(
            base_url=f"{url}/v1", timeout=CEILING_SECONDS, headers={"Authorization": f"Token {token}"}
        )

    @classmethod
    def signed_in(cls, url: str, name: str, password: str) -> DoccanoPerson:
        """With the token that scripts use, which doccano gives for name and password."""
        answer = httpx.post(
            f"{url}/v1/auth/login/", json={"username": name, "password": password}, timeout=CEILING_SECONDS
        )
        return cls(url, name, password, str(_checked(answer).json()["key"]))

    # --- the owner -----------------------------------------------------------------------------------------

    def create_account(self, url: str, name: str) -> DoccanoPerson:
        password = secrets.token_urlsafe(24)
        self.call("POST", "/users/create", json={"username": name, "password1": password, "password2": password})
        return DoccanoPerson.signed_in(url, name, password)

    def create_project(
        self, name: str, labels: Sequence[str], kind: str = "DocumentClassification", **more: Any
    ) -> int:
        """A single choice whose labels all share, unless ``more`` says otherwise."""
        settings = {
            "collaborative_annotation": True,
            "single_class_classification": True,
            "random_order": False,
            **more,
        }
        if kind != "DocumentClassification":
            del settings["single_class_classification"]
        resource, types = _TYPES[kind]
        described = {"name": name, "description": name, "project_type": kind, "resourcetype": resource, "tags": []}
        project = int(self.call("POST", "/projects", json={**described, **settings})["id"])
        for label in labels:
            self.call("POST", f"/projects/{project}/{types}", json={"text": label, "suffix_key": label[:1].lower()})
        return project

    def add_member(self, project: int, user: DoccanoPerson, role: str) -> None:
        (number,) = [row["id"] for row in self.call("GET", "/roles") if row["name"] == role]
        body = {"user": user.id, "role": number}
        self.call("POST", f"/projects/{project}/members", json=body)

    @property
    def id(self) -> int:
        return int(self.call("GET", "/me")["id"])

    def change_project(self, project: int, **settings: object) -> None:
        kind = self.call("GET", f"/projects/{project}")["resourcetype"]
        self.call("PATCH", f"/projects/{project}", json={"resourcetype": kind, **settings})

    def project(self, project: int) -> dict[str, Any]:
        return dict(self.call("GET", f"/projects/{project}"))

    def delete_project(self, project: int) -> None:
        self.call("DELETE", f"/projects/{project}")

    def add_task(self, project: int, text: str, meta: Mapping[str, object] | None = None) -> int:
        return int(self.call("POST", f"/projects/{project}/examples", json={"text": text, "meta": meta or {}})["id"])

    def change_task(self, project: int, task: int, **fields: object) -> None:
        self.call("PATCH", f"/projects/{project}/examples/{task}", json=fields)

    def delete_task(self, project: int, task: int) -> None:
        self.call("DELETE", f"/projects/{project}/examples/{task}")

    def tasks(self, project: int, **params: str | int) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/projects/{project}/examples", params={"limit": 2_000, **params})["results"])

    # --- annotators ----------------------------------------------------------------------------------------

    def next_task(self, project: int) -> dict[str, Any] | None:
        """What the page shows first at nextlabel's link; None when there is nothing left."""
        at_the_link = {"limit": 1, "offset": 0, "confirmed": "false", "ordering": "-score", "q": ""}
        found = self.call("GET", f"/projects/{project}/examples", params=at_the_link)["results"]
        return dict(found[0]) if found else None

    def labels(self, project: int, task: int, kind: str = "categories") -> list[dict[str, Any]]:
        return list(self.call("GET", f"/projects/{project}/examples/{task}/{kind}"))

    def types(self, project: int, kind: str = "category-types") -> dict[str, int]:
        return {row["text"]: row["id"] for row in self.call("GET", f"/projects/{project}/{kind}")}

    def give(self, project: int, task: int, label: str) -> int:
        """Choose a label, as a click on it does; returns the label's id."""
        body = {"id": 0, "label": self.types(project)[label], "user": 0}
        return int(self.call("POST", f"/projects/{project}/examples/{task}/categories", json=body)["id"])

    def mark(self, project: int, task: int, start: int, end: int, label: str) -> int:
        """Mark a piece of the text; returns the label's id."""
        kind = self.types(project, "span-types")[label]
        body = {"id": 0, "label": kind, "user": 0, "start_offset": start, "end_offset": end}
        return int(self.call("POST", f"/projects/{project}/examples/{task}/spans", json=body)["id"])

    def take_back(self, project: int, task: int, label: int, kind: str = "categories") -> None:
        self.call("DELETE", f"/projects/{project}/examples/{task}/{kind}/{label}")

    def toggle_confirmation(self, project: int, task: int) -> None:
        """As the Enter key and the button with the check mark do: off again where it was on."""
        self.call("POST", f"/projects/{project}/examples/{task}/states", json={})

    def confirm(self, project: int, task: int, *, confirmed: bool = True) -> None:
        if self.call("GET", f"/projects/{project}/examples/{task}")["is_confirmed"] != confirmed:
            self.toggle_confirmation(project, task)

    def call(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ToolUnavailable(f"doccano did not answer {method} {path}: {error!r}.") from error
        return _checked(response).json() if response.content else None


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        kind = ToolUnavailable if response.is_server_error else ToolRejected
        request, status = response.request, response.status_code
        raise kind(f"doccano answered {request.method} {request.url.path} with {status}: {response.text[:300]}")
    return response
