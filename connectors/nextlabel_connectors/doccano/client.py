"""One project of doccano over HTTP: one request in, JSON out, and every failure as a sentence that says what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import orjson

from nextlabel.errors import ProjectGone, ToolRejected, ToolUnavailable
from nextlabel.labeling import ToolProjectId
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.addresses import checked_address
from nextlabel_connectors.trusted import trusted

A = TypeVar("A")
B = TypeVar("B")
Row = dict[str, object]
"""One object of doccano's JSON."""

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_PAUSES = (0.2, 1.0)  # before a request that changes nothing when it is made twice is made again
_AT_ONCE = 4  # requests; doccano starts 2 × cores + 1 processes unless it is set otherwise
_FIRST_PAGE, _PAGE = 10, 200  # rows; doccano needs 2 to 3 ms for each, and often the first few are enough
_OVERLAP = 5  # rows that are read again with the next page, to notice that rows have moved


class NotFound(ToolRejected):
    """doccano itself answered 404: what was asked for is not there any more."""


class Refused(ToolRejected):
    """doccano did not take what was written, such as a span that overlaps another."""


class DoccanoClient:
    """Raises `ToolUnavailable` and `ToolRejected`, nothing else. Paths are below the project, but with a leading slash
    below the API. ``transport`` is there for tests."""

    def __init__(
        self, access: ToolAccess, project: ToolProjectId, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = checked_address(access.url, "doccano", 8000)
        if not (project.isascii() and project.isdigit()):
            raise ToolRejected(f"{project!r} is no project of doccano: give the number in its address (/projects/7).")
        self.project = project
        headers = {"Authorization": f"Token {access.token.strip()}", "Accept": "application/json"}
        self._http = httpx.Client(
            base_url=f"{self.url}/v1", timeout=_TIMEOUT, headers=headers, transport=transport, verify=trusted()
        )

    def __repr__(self) -> str:
        return f"DoccanoClient({self.url!r}, {self.project!r})"

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> object:
        return self._call("GET", path, params=params)

    def patch(self, path: str, body: object) -> Row:
        return as_row(self._call("PATCH", path, body=body))

    def post(self, path: str, body: object) -> Row:
        return as_row(self._call("POST", path, body=body))

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def count(self, path: str, params: Mapping[str, str] | None = None) -> int:
        """How many rows doccano would list."""
        number = as_row(self.get(path, {**(params or {}), "limit": 1})).get("count")
        return number if isinstance(number, int) else 0

    def rows(self, path: str, params: Mapping[str, str | int]) -> Iterator[Row]:
        """All rows of a list, each once, though rows appear, move or go while it is read.

        A page begins with the last rows of the one before. Where it does not, rows have gone meanwhile, and it is asked
        for further to the front.
        """
        seen: set[object] = set()
        offset, back, size = 0, _OVERLAP, _FIRST_PAGE
        while True:
            answer = as_row(self.get(path, {**params, "limit": size, "offset": offset}))
            page = [as_row(row) for row in as_list(answer.get("results"))]
            if offset and not any(row.get("id") in seen for row in page):
                offset, back = max(0, offset - back), 2 * back
                continue
            new = {row.get("id"): row for row in page if row.get("id") not in seen}
            seen.update(new)
            yield from new.values()
            total = answer.get("count")
            if not page or not isinstance(total, int) or offset + len(page) >= total:
                return
            offset, back, size = offset + max(1, len(page) - _OVERLAP), _OVERLAP, min(_PAGE, 4 * size)

    def each(self, do: Callable[[A], B], what: Iterable[A]) -> list[B]:
        """A few requests at once, results in order; the first failure is raised, and what was not begun is left out."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                return list(pool.map(do, what))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def close(self) -> None:
        self._http.close()

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, body: object = None
    ) -> object:
        url = path if path.startswith("/") else f"/projects/{self.project}/{path}".rstrip("/")
        content, headers = (
            (orjson.dumps(body), {"Content-Type": "application/json"}) if body is not None else (None, {})
        )
        for pause in (*_PAUSES, None) if method != "POST" else (None,):
            try:
                response = self._http.request(method, url, params=params, content=content, headers=headers)
            except httpx.TimeoutException as error:
                raise ToolUnavailable(
                    f"doccano at {self.url} did not answer in time ({type(error).__name__}): it may be overloaded or "
                    "starting up."
                ) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if pause is None or isinstance(error, httpx.ConnectError):
                    raise ToolUnavailable(
                        f"doccano at {self.url} cannot be reached ({error or type(error).__name__}): check that it is "
                        "running and that the address is right as seen from here."
                    ) from error
            else:
                if response.status_code < 500 or pause is None:
                    return self._read(response, url)
            time.sleep(pause)
        raise AssertionError("The last attempt returns or raises.")

    def _read(self, response: httpx.Response, path: str) -> object:
        status = response.status_code
        if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
            raise ToolUnavailable(
                f"doccano at {self.url} is unwell: it answered {path} with {status}. Look into its log; nextlabel "
                "tries again.",
                retry_after=_seconds(response.headers.get("retry-after", "")),
            )
        if status == httpx.codes.NO_CONTENT:
            return None
        try:
            data = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            data = None
        if data is None or response.is_redirect:
            raise ToolUnavailable(
                f"What answers at {self.url} does not look like doccano's API: it answered {path} with {status}. Check "
                "the address (scheme, port, and the path if doccano is served under one) and any proxy in front of it."
            )
        if status >= 400:
            raise self._refusal(status, path, data)
        return data

    def _refusal(self, status: int, path: str, data: object) -> ToolRejected:
        detail = f" It says: {orjson.dumps(data).decode()[:300]}"
        genuine = isinstance(data, dict) and "detail" in data
        if status == httpx.codes.UNAUTHORIZED:
            return ToolRejected(
                f"doccano at {self.url} does not know the token (401): it ends when its account logs out. Make a new "
                f"one as docs/doccano.md says.{detail}"
            )
        if status == httpx.codes.FORBIDDEN:
            if self._is_gone(path):
                return ProjectGone(f"doccano at {self.url} has no project {self.project} any more.")
            return ToolRejected(
                f"doccano at {self.url} does not allow this account to do {path} (403): make it a project admin under "
                f"Members of project {self.project}.{detail}"
            )
        if status == httpx.codes.NOT_FOUND and genuine:
            if self._is_gone(path):
                return ProjectGone(f"doccano at {self.url} has no project {self.project} any more.")
            return NotFound(f"doccano at {self.url} has nothing at {path} any more (404).{detail}")
        return Refused(f"doccano at {self.url} refused {path} ({status}).{detail}")

    def _is_gone(self, path: str) -> bool:
        """Asks where doccano finds the project before it asks who is allowed: members and strangers get one answer."""
        types = f"/projects/{self.project}/category-types"
        try:
            answer = self._http.get(types)
            return answer.status_code == httpx.codes.NOT_FOUND and "detail" in orjson.loads(answer.content)
        except (httpx.HTTPError, orjson.JSONDecodeError):
            return False


def as_row(data: object) -> Row:
    if not isinstance(data, dict):
        raise ToolUnavailable("doccano answered with something else than an object: is it version 1.8?")
    return data


def as_list(data: object) -> list[object]:
    if not isinstance(data, list):
        raise ToolUnavailable("doccano answered with something else than a list: is it version 1.8?")
    return data


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None
