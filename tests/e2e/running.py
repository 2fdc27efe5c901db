"""What the end-to-end tests share: texts of two classes, and what the owner can do on a project's settings pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from nextlabel.ports.tool import ToolAccess
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.trusted import trusted


def texts(n: int, start: int = 0) -> list[str]:
    """Short texts, two classes: winter and kitchen. Which one a text is of can be told from its words."""
    return [sentence(i) for i in range(start, start + n)]


def sentence(i: int) -> str:
    winter, kitchen = ("snow ski slope lift ice glove", "flour oven bread butter salt pan")
    words = (winter if label_of_number(i) == "winter" else kitchen).split()
    return f"note {i}: {words[i % 6]} and {words[(i // 6) % 6]}, then {words[(i // 36) % 6]}"


def label_of_number(i: int) -> str:
    return "winter" if (i * 7919) % 5 < 2 else "kitchen"


def label_of(text: str) -> str:
    """The label that a careful annotator gives."""
    return label_of_number(int(text.split(":", maxsplit=1)[0].removeprefix("note ")))


@dataclass(frozen=True)
class SettingsPages:
    """What the owner can do on a project's settings pages, beyond labeling."""

    access: ToolAccess

    def switch_webhooks(self, project: int, *, on: bool) -> None:
        for webhook in self._call("GET", "/api/webhooks/", params={"project": project}).json():
            self._call("PATCH", f"/api/webhooks/{webhook['id']}/", json={**webhook, "is_active": on})

    def start_training(self, project: int) -> None:
        (backend,) = self._call("GET", "/api/ml", params={"project": project}).json()
        self._call("POST", f"/api/ml/{backend['id']}/train", json={})

    def retrieve_predictions(self, project: int) -> None:
        """The Data Manager's action on all tasks."""
        self._call(
            "POST",
            "/api/dm/actions",
            params={"id": "retrieve_tasks_predictions", "project": project},
            json={"selectedItems": {"all": True, "excluded": []}, "ordering": [], "filters": None},
        )

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Token {self.access.token}"}
        response = httpx.request(
            method, self.access.url + path, headers=headers, timeout=CEILING_SECONDS, verify=trusted(), **options
        )
        assert response.is_success, response.text
        return response
