"""nextlabel from a notebook: `Client` asks a running nextlabel over its API (/api/v1), in plain typed values.

    from nextlabel.client import Client

    with Client("http://localhost:9090", token="nextlabel_…") as nextlabel:
        for project in nextlabel.projects():
            print(project.name, nextlabel.project(project.project).accuracy)

`nextlabel tokens create NAME --scope read` makes a token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from nextlabel.client import answers
from nextlabel.client.answers import (
    Finding,
    Project,
    ProjectSummary,
    Queue,
    Round,
    Running,
    Switched,
    Uncertainties,
    Version,
)
from nextlabel.errors import NextlabelError

__all__ = ["Client", "Refused", "Unreachable"]

_SECONDS = 60.0

Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Unreachable(NextlabelError):
    """nextlabel does not answer there, or something else does."""


class Refused(NextlabelError):
    """nextlabel understood and refused; `str()` says what to do. ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """The API of one nextlabel. Every method raises `Refused` and `Unreachable`."""

    def __init__(
        self, url: str, token: str, *, seconds: float = _SECONDS, transport: httpx.BaseTransport | None = None
    ) -> None:
        """``seconds`` is how long an answer may take; ``transport`` is httpx's, for proxies and the like."""
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=seconds, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def projects(self) -> Iterator[ProjectSummary]:
        """Every project that is connected, by id."""
        return self._items("/projects", answers.Projects, lambda page: page.items)

    def project(self, project: str) -> Project:
        return self._get(_path(project), Project)

    def versions(self, project: str) -> Iterator[Version]:
        """Newest first."""
        return self._items(_path(project, "versions"), answers.Versions, lambda page: page.items)

    def version(self, project: str, version: str) -> Version:
        return self._get(_path(project, "versions", version), Version)

    def promote(self, project: str, version: str) -> Switched:
        """Have a version serve until another is chosen or `release`."""
        return self._post(_path(project, "versions", version, "promote"), Switched)

    def rollback(self, project: str) -> Switched:
        """`promote` the version that served before."""
        return self._post(_path(project, "rollback"), Switched)

    def release(self, project: str) -> Switched:
        """Let new versions serve again."""
        return self._post(_path(project, "release"), Switched)

    def queue(self, project: str) -> Queue:
        """The order in force, and what its model expected of the open tasks when it was made."""
        return self._get(_path(project, "queue"), Queue)

    def rounds(self, project: str) -> Iterator[Round]:
        """Newest first."""
        return self._items(_path(project, "rounds"), answers.Rounds, lambda page: page.items)

    def findings(self, project: str) -> Sequence[Finding]:
        return self._get(_path(project, "findings"), answers.Findings).items

    def running(self) -> Running:
        """What runs of the installation."""
        return self._get("/running", Running)

    def uncertainty(self, project: str, tasks: Sequence[Mapping[str, Any]]) -> Uncertainties:
        """How unsure the model in service is of tasks, ``{"data": {…}}`` each, in the project or not."""
        return self._post(_path(project, "uncertainty"), Uncertainties, {"tasks": list(tasks)})

    def _items(self, path: str, kind: type[Answer], items: Callable[[Answer], list[Item]]) -> Iterator[Item]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._get(path, kind, {"limit": answers.MOST_AT_ONCE, "cursor": cursor})
            yield from items(page)
            cursor = getattr(page, "next", None)

    def _get(self, path: str, kind: type[Answer], query: Mapping[str, Any] | None = None) -> Answer:
        return self._asked("GET", path, kind, params=query)

    def _post(self, path: str, kind: type[Answer], body: object = None) -> Answer:
        # Not httpx's own JSON: it refuses half a surrogate pair, which a text may hold.
        return self._asked("POST", path, kind, content=b"" if body is None else json.dumps(body).encode())

    def _asked(self, method: str, path: str, kind: type[Answer], **sent: Any) -> Answer:
        try:
            answer = self._http.request(method, path, **sent)
            found = json.loads(answer.content)  # also halves of pairs, which a label may hold and msgspec refuses
        except httpx.HTTPError as error:
            raise Unreachable(f"nextlabel does not answer at {self._http.base_url} ({error}).") from error
        except ValueError:
            raise Unreachable(f"Something else than nextlabel answers at {self._http.base_url}.") from None
        if answer.is_success:
            return msgspec.convert(found, kind)
        detail = found.get("detail") if isinstance(found, dict) else None
        raise Refused(str(detail or answer.reason_phrase), answer.status_code)


def _path(*parts: str) -> str:
    return "/".join(["/projects", *(quote(part, safe="") for part in parts)])
