"""People with an account in Label Studio, who use it as its web pages do: signed in, without a token."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import httpx

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.ports.tool import Scores
from nextlabel.testing.waiting import CEILING_SECONDS

CONTROL, OBJECT = "label", "text"
_NOTHING_LEFT = ("There are no tasks", "they seem to be locked by another user")  # since 1.22, and up to 1.21


def single_choice(labels: Sequence[str], field: str = "text") -> str:
    """A labeling config: choose exactly one of the labels for the text in that field."""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    return (
        f'<View><Text name="{OBJECT}" value={quoteattr("$" + field)}/>'
        f'<Choices name="{CONTROL}" toName="{OBJECT}" choice="single">{choices}</Choices></View>'
    )


class LabelStudioPerson:
    """A signed-in account. Ids are Label Studio's numbers; answers are its JSON.

    Raises `ToolUnavailable` when Label Studio is down or unwell and `ToolRejected` when it refuses.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    @classmethod
    def signed_in(cls, url: str, email: str, password: str) -> LabelStudioPerson:
        return cls._through_form(url, "/user/login/", {}, {"email": email, "password": password})

    @classmethod
    def signed_up(cls, url: str, invitation: str, email: str) -> LabelStudioPerson:
        """A new account, made as invited people make theirs; the password is random and forgotten."""
        fields = {"email": email, "password": secrets.token_urlsafe(24)}
        return cls._through_form(url, "/user/signup/", {"token": invitation}, fields)

    @classmethod
    def _through_form(cls, url: str, path: str, params: dict[str, str], fields: dict[str, str]) -> LabelStudioPerson:
        person = cls(httpx.Client(base_url=url, timeout=CEILING_SECONDS, headers={"Referer": url}))
        person._call("GET", path, params=params)
        fields["csrfmiddlewaretoken"] = person._http.cookies["csrftoken"]
        # A refused form is shown again with 200; an accepted one leads elsewhere.
        if not person._call("POST", path, params=params, data=fields).is_redirect:
            raise ToolRejected(f"Label Studio did not accept the account {fields['email']}.")
        return person

    @property
    def cookies(self) -> dict[str, str]:
        """What makes a browser this signed-in person. A secret."""
        return dict(self._http.cookies)

    # --- the owner -----------------------------------------------------------------------------------------

    def invitation(self) -> str:
        """The secret part of the link with which people join the organization."""
        return str(self._json("GET", "/api/invite")["token"])

    def create_personal_token(self) -> str:
        """Label Studio gives each account one, and shows it only now."""
        return str(self._json("POST", "/api/token/")["token"])

    def has_personal_tokens(self) -> bool:
        """Whether this Label Studio knows them at all: 1.13 and 1.15 do not."""
        return self._send("GET", "/api/jwt/settings").status_code != httpx.codes.NOT_FOUND

    def allow_legacy_tokens(self, allowed: bool = True) -> None:
        self._json("POST", "/api/jwt/settings", json={"legacy_api_tokens_enabled": allowed})

    def create_project(self, title: str, label_config: str, **settings: object) -> int:
        return int(
            self._json("POST", "/api/projects", json={"title": title, "label_config": label_config, **settings})["id"]
        )

    def project(self, project: int) -> dict[str, Any]:
        return self._json("GET", f"/api/projects/{project}")

    def change_project(self, project: int, **settings: object) -> None:
        self._json("PATCH", f"/api/projects/{project}", json=settings)

    def delete_project(self, project: int) -> None:
        self._call("DELETE", f"/api/projects/{project}/")

    def import_tasks(self, project: int, tasks: Sequence[dict[str, object]]) -> list[int]:
        """Returns the new tasks' ids in the order of the tasks."""
        path, params = f"/api/projects/{project}/import", {"return_task_ids": "true"}
        return list(self._json("POST", path, params=params, json=list(tasks))["task_ids"])

    def delete_task(self, task: int) -> None:
        self._call("DELETE", f"/api/tasks/{task}/")

    def change_task(self, task: int, **fields: object) -> None:
        self._call("PATCH", f"/api/tasks/{task}/", json=fields)

    def export(self, project: int, kind: str) -> bytes:
        """The file that the button "Export" gives: JSON, CSV …"""
        return self._call("GET", f"/api/projects/{project}/export", params={"exportType": kind}).content

    def open_tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks without a label, with their predictions, taking none."""
        return [task for task in self.tasks(project) if not task["is_labeled"]]

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks (of a thousand at most), with their annotations and predictions, taking none."""
        found = self._json("GET", "/api/tasks", params={"project": project, "fields": "all", "page_size": 1000})
        return list(found["tasks"])

    def make_tab(self, project: int, title: str, tasks: Sequence[int]) -> None:
        """A tab of the Data Manager with these tasks, whose numbers must follow one another: a list of numbers is a
        filter with which the Data Manager itself does not open."""
        numbers = {"min": min(tasks), "max": max(tasks)}
        chosen_ones = {"filter": "filter:tasks:id", "operator": "in", "type": "Number", "value": numbers}
        data = {"title": title, "filters": {"conjunction": "and", "items": [chosen_ones]}}
        self._json("POST", "/api/dm/views/", json={"project": project, "data": data})

    def tabs(self, project: int) -> list[dict[str, Any]]:
        """The tabs of the Data Manager that were made, not the one that every project has."""
        return list(self._call("GET", "/api/dm/views/", params={"project": project}).json())

    def tasks_in(self, tab: int, project: int) -> list[int]:
        """The tasks that a tab shows, of a thousand at most."""
        params = {"view": tab, "project": project, "page_size": 1000}
        return [int(task["id"]) for task in self._json("GET", "/api/tasks", params=params)["tasks"]]

    def predictions_held(self, project: int) -> dict[str, int]:
        """How many predictions are stored, by model version."""
        held = self._json("GET", f"/api/projects/{project}/model-versions", params={"extended": "true"})
        return {version["model_version"]: version["count"] for version in held["static"]}

    def import_predictions(self, project: int, version: str, scores: Mapping[int, float]) -> None:
        """Import predictions of some other model, with these scores by task, and with nothing chosen."""
        items = [
            {"task": task, "model_version": version, "score": score, "result": []} for task, score in scores.items()
        ]
        self._json("POST", f"/api/projects/{project}/import/predictions", json=items)

    def import_scores(self, project: int, version: str, scores: Sequence[Scores], region: Mapping[str, object]) -> None:
        """Import predictions of some other model, with such a region for each of their region scores."""
        items = [
            {
                "task": int(one.task),
                "model_version": version,
                "result": [{**region, "score": score} for score in one.region_scores],
                **({} if one.score is None else {"score": one.score}),
            }
            for one in scores
        ]
        self._json("POST", f"/api/projects/{project}/import/predictions", json=items)

    def import_result(self, project: int, task: int, version: str, result: Sequence[dict[str, object]]) -> None:
        """Import a prediction of some model, and show it to annotators."""
        item = {"task": task, "model_version": version, "score": 0.5, "result": list(result)}
        self._json("POST", f"/api/projects/{project}/import/predictions", json=[item])
        self.change_project(project, model_version=version, show_collab_predictions=True)

    def delete_predictions(self, project: int, tasks: Sequence[int]) -> None:
        """As the Data Manager does it: select tasks, "Delete predictions"."""
        chosen_ones = {"selectedItems": {"all": False, "included": list(tasks)}}
        action = {"project": project, "id": "delete_tasks_predictions"}
        self._call("POST", "/api/dm/actions", params=action, json=chosen_ones)

    def webhooks(self, project: int) -> list[dict[str, Any]]:
        return list(self._call("GET", "/api/webhooks/", params={"project": project}).json())

    def change_webhooks(self, project: int, **settings: object) -> None:
        """As their page does it, which sends all of a webhook: what is left out would be lost."""
        for webhook in self.webhooks(project):
            self._call("PATCH", f"/api/webhooks/{webhook['id']}/", json={**webhook, **settings})

    def remove_webhooks(self, project: int) -> None:
        for webhook in self.webhooks(project):
            self._call("DELETE", f"/api/webhooks/{webhook['id']}/")

    def ml_backends(self, project: int) -> list[dict[str, Any]]:
        return list(self._call("GET", "/api/ml", params={"project": project}).json())

    def add_ml_backend(self, project: int, url: str, title: str, user: str = "") -> None:
        """Label Studio then makes a webhook to ``<url>/webhook`` by itself."""
        auth = {"auth_method": "BASIC_AUTH", "basic_auth_user": user, "basic_auth_pass": "its own"} if user else {}
        self._call("POST", "/api/ml", json={"project": project, "url": url, "title": title, **auth})

    def remove_ml_backends(self, project: int) -> None:
        for backend in self.ml_backends(project):
            self._call("DELETE", f"/api/ml/{backend['id']}")

    def ask_interactively(self, project: int, task: int, context: Mapping[str, object]) -> list[dict[str, Any]]:
        """What the project's ML backend says of something just drawn, as the editor asks for it: a result."""
        (backend,) = self.ml_backends(project)
        body = {"task": task, "context": dict(context)}
        answer = self._json("POST", f"/api/ml/{backend['id']}/interactive-annotating", json=body)
        return list(answer["data"]["result"])

    # --- annotators ----------------------------------------------------------------------------------------

    def next_task(self, project: int) -> dict[str, Any] | None:
        """What "Label All Tasks" opens, taking it; None when there is nothing left for this person."""
        response = self._send("GET", f"/api/projects/{project}/next")
        if response.status_code == httpx.codes.NOT_FOUND and any(stated in response.text for stated in _NOTHING_LEFT):
            return None
        return dict(self._checked(response).json())

    def submit(self, task: int, label: str, *, seconds: float = 1.0) -> int:
        """Choose this label in a `single_choice` config; returns the annotation's id."""
        return self.submit_result(task, chosen(label), seconds=seconds)

    def submit_result(self, task: int, result: Sequence[dict[str, object]], *, seconds: float = 1.0) -> int:
        """Returns the annotation's id."""
        body = {"result": list(result), "lead_time": seconds}
        return int(self._json("POST", f"/api/tasks/{task}/annotations/", json=body)["id"])

    def skip(self, task: int) -> int:
        body = {"result": [], "was_cancelled": True}
        return int(self._json("POST", f"/api/tasks/{task}/annotations/", json=body)["id"])

    def change(self, annotation: int, label: str) -> None:
        self._call("PATCH", f"/api/annotations/{annotation}/", json={"result": chosen(label)})

    def mark_as_ground_truth(self, annotation: int) -> None:
        """As the star in the editor does it."""
        self._call("PATCH", f"/api/annotations/{annotation}/", json={"ground_truth": True})

    def withdraw(self, annotation: int) -> None:
        self._call("DELETE", f"/api/annotations/{annotation}/")

    # --- requests ------------------------------------------------------------------------------------------

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return dict(self._call(method, path, **options).json())

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._checked(self._send(method, path, **options))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ToolUnavailable(f"Label Studio did not answer {method} {path}: {error!r}.") from error

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            kind = ToolUnavailable if response.is_server_error else ToolRejected
            request, status = response.request, response.status_code
            raise kind(
                f"Label Studio answered {request.method} {request.url.path} with {status}: {response.text[:300]}"
            )
        return response


def chosen(label: str) -> list[dict[str, object]]:
    """An annotation's result: this label in a `single_choice` config."""
    return [{"from_name": CONTROL, "to_name": OBJECT, "type": "choices", "value": {"choices": [label]}}]


def labels_in(result: Sequence[dict[str, Any]]) -> list[str]:
    """The labels chosen in an annotation's or prediction's result."""
    return [label for region in result for label in region["value"].get("choices", ())]
