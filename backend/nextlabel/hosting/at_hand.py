"""Label Studio's API as a model's fit meets it: the project's labeled tasks are at hand, so nobody fetches them again.

Models fetch their labels themselves: with label-studio-sdk's two clients, or with an HTTP library of their own. In the
child, what they ask of the project during a fit is answered here, and it is what the fit is given. Everything else
goes to Label Studio. There a personal access token is exchanged for one that works, because most models send whatever
token they have as a legacy one.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

labeled_tasks: list[dict[str, Any]] = []
"""The tasks of the fit at hand, empty outside of one; for stand-ins of label-studio-sdk, too."""

_PERSONAL = re.compile(r"Token ([\w-]+\.[\w-]+\.[\w-]+)")
_ACCESS_TOKEN_SECONDS = 240.0  # it is good for 300
_EXCHANGE_SECONDS = 30.0
_COMPLETED = {"filter": "filter:tasks:completed_at", "operator": "empty", "value": False, "type": "Datetime"}

Answer = tuple[int, bytes]


class ProjectAtHand:
    """One project of a Label Studio that has one of these addresses."""

    def __init__(self, project: int | str, label_config: str, addresses: Iterable[str]) -> None:
        self._project = project
        self._label_config = label_config
        self._addresses = sorted(addresses, key=len, reverse=True)
        self._exchanged: dict[str, tuple[str, float]] = {}

    @contextmanager
    def holding(self, tasks: list[dict[str, Any]]) -> Iterator[None]:
        """Meanwhile these are the tasks at hand."""
        labeled_tasks[:] = tasks
        self.answer_clients()  # of libraries that the model has imported late
        try:
            yield
        finally:
            labeled_tasks.clear()

    def answer_clients(self) -> None:
        """Have the HTTP libraries that are imported by now ask here first."""
        if "requests.adapters" in sys.modules:
            _answer_requests(self, sys.modules["requests"])
        if "httpx" in sys.modules:
            _answer_httpx(self, sys.modules["httpx"])

    def answer(self, method: str, url: str) -> Answer | None:
        """Status and JSON; None for what only Label Studio can answer."""
        address = self._address_of(url)
        if address is None or method != "GET" or not labeled_tasks:
            return None
        parsed = urlsplit(url[len(address) :])
        query = {name: values[-1] for name, values in parse_qs(parsed.query).items()}
        found: object = None
        match parsed.path.strip("/").split("/"):
            case ["api", "version"]:
                found = {}
            case ["api", "projects", number] if number == str(self._project):
                found = self._about()
            case ["api", "projects", number, "export"] if number == str(self._project):
                found = labeled_tasks if query.get("exportType", "JSON") == "JSON" else None
            case ["api", "tasks"] if query.get("project") == str(self._project) and _asks_for_labels(query):
                return self._page(query)
            case ["api", "tasks", number]:
                found = next((task for task in labeled_tasks if str(task.get("id")) == number), None)
        return None if found is None else _found(found)

    def header(self, url: str, given: str) -> str:
        """The header that Label Studio accepts in the place of a model's own Authorization."""
        personal, address = _PERSONAL.fullmatch(given), self._address_of(url)
        return f"Bearer {self._exchange(address, personal[1])}" if personal and address else given

    def _address_of(self, url: str) -> str | None:
        return next((one for one in self._addresses if url == one or url.startswith((f"{one}/", f"{one}?"))), None)

    def _about(self) -> dict[str, object]:
        number = len(labeled_tasks)
        about: dict[str, object] = {
            "id": self._project,
            "title": str(self._project),
            "label_config": self._label_config,
        }
        return about | {"task_number": number, "num_tasks_with_annotations": number}

    def _page(self, query: dict[str, str]) -> Answer:
        size = int(query.get("page_size", "-1"))
        size = size if size > 0 else len(labeled_tasks)
        start = (int(query.get("page", "1")) - 1) * size
        tasks = labeled_tasks[start : start + size]
        if start and not tasks:
            return 404, b'{"detail": "Invalid page."}'
        total = sum(len(task.get("annotations", ())) for task in labeled_tasks)
        return _found({"tasks": tasks, "total": len(labeled_tasks), "total_annotations": total, "total_predictions": 0})

    def _exchange(self, address: str, token: str) -> str:
        access, good_until = self._exchanged.get(token, ("", 0.0))
        if time.monotonic() >= good_until:
            body = json.dumps({"refresh": token}).encode()
            asked = urllib.request.Request(  # noqa: S310 - an address of Label Studio's, with http or https
                f"{address}/api/token/refresh/", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked, timeout=_EXCHANGE_SECONDS) as answer:  # noqa: S310
                access = str(json.load(answer)["access"])
            self._exchanged[token] = access, time.monotonic() + _ACCESS_TOKEN_SECONDS
        return access


def _found(what: object) -> Answer:
    return 200, json.dumps(what).encode()


def _asks_for_labels(query: dict[str, str]) -> bool:
    """Whether all of the project's tasks are asked for, or those with labels, and no other choice of them."""
    if query.get("view") or query.get("review") or query.get("selectedItems"):
        return False
    try:
        chosen = json.loads(query.get("query", "{}"))
        filters, selected = chosen.get("filters"), chosen.get("selectedItems")
    except (ValueError, AttributeError):
        return False
    everything = selected in (None, {"all": True, "excluded": []})
    return everything and (not filters or filters.get("items") in ([], [_COMPLETED]))


def _once(owner: type[Any], name: str, wrapped: Callable[[Any], Any]) -> None:
    method = getattr(owner, name)
    if not getattr(method, "asks_here_first", False):
        replaced = wrapped(method)
        replaced.asks_here_first = True
        setattr(owner, name, replaced)


def _answer_requests(at_hand: ProjectAtHand, requests: Any) -> None:
    def wrapped(send: Any) -> Any:
        def sending(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            answer = at_hand.answer(request.method, request.url)
            if answer is None:
                if given := request.headers.get("Authorization"):
                    request.headers["Authorization"] = at_hand.header(request.url, given)
                return send(self, request, *args, **options)
            response = requests.Response()
            response.status_code, body = answer
            response.raw, response.request, response.url = io.BytesIO(body), request, request.url
            response.headers["Content-Type"], response.encoding = "application/json", "utf-8"
            return response

        return sending

    _once(requests.adapters.HTTPAdapter, "send", wrapped)


def _answer_httpx(at_hand: ProjectAtHand, httpx: Any) -> None:
    def answered(request: Any) -> Any:
        answer = at_hand.answer(request.method, str(request.url))
        if answer is not None:
            return httpx.Response(answer[0], content=answer[1], headers={"Content-Type": "application/json"})
        if given := request.headers.get("Authorization"):
            request.headers["Authorization"] = at_hand.header(str(request.url), given)
        return None

    def wrapped(handle: Any) -> Any:
        def handling(self: Any, request: Any) -> Any:
            return answered(request) or handle(self, request)

        return handling

    def wrapped_async(handle: Any) -> Any:
        async def handling(self: Any, request: Any) -> Any:
            return answered(request) or await handle(self, request)

        return handling

    _once(httpx.HTTPTransport, "handle_request", wrapped)
    _once(httpx.AsyncHTTPTransport, "handle_async_request", wrapped_async)
