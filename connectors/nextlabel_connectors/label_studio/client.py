"""Label Studio over HTTP: one request in, JSON out, and every failure as a sentence that says what to do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

import httpx
import orjson

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.addresses import checked_address
from nextlabel_connectors.trusted import trusted

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# An access token is good for 300 s; a new one is fetched while the old one still works.
_ACCESS_TOKEN_SECONDS = 240.0
_MARKUP = re.compile(r"</?\w[^>]*>")
_JSON_WEB_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


class Refused(ToolRejected):
    """Label Studio answered with a 4xx; ``detail`` is what it says of it.

    ``genuine`` is whether the answer has the form that Label Studio gives its errors: a proxy's has not.
    """

    def __init__(self, message: str, status: int, detail: str, *, genuine: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.genuine = genuine


class Failed(ToolUnavailable):
    """Label Studio answered with 500: something went wrong inside, perhaps only with what it was asked for; ``detail``
    is what it says of it."""

    def __init__(self, message: str, *, retry_after: float | None = None, detail: str = "") -> None:
        super().__init__(message, retry_after=retry_after)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """What Label Studio answered, and the time on its clock when it did."""

    data: object
    server_time: datetime


class LabelStudioClient:
    """A thin client with either kind of token. Raises `ToolUnavailable` and `Refused`, nothing else (but for `stream`).

    A legacy token goes out as it is; a personal access token (a JSON web token) is exchanged for short-lived
    access tokens. ``transport`` and ``clock`` are there for tests.
    """

    def __init__(
        self,
        access: ToolAccess,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = checked_address(access.url, "Label Studio", 8080)
        self._credential = _Credential(access.token.strip(), clock)
        self._http = httpx.Client(
            base_url=self.url, timeout=_TIMEOUT, transport=transport, verify=trusted(), follow_redirects=False
        )

    def __repr__(self) -> str:
        return f"LabelStudioClient({self.url!r})"

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        return self._call("GET", path, params=params)

    def post(self, path: str, body: object) -> Answer:
        return self._call("POST", path, body=body)

    def patch(self, path: str, body: object) -> Answer:
        return self._call("PATCH", path, body=body)

    def delete(self, path: str, body: object = None) -> Answer:
        return self._call("DELETE", path, body=body)

    def stream(
        self, url: httpx.URL, *, headers: Mapping[str, str], timeout: float
    ) -> AbstractContextManager[httpx.Response]:
        """Ask for a file with the token: what is answered as it is, redirects too, its content not yet read.

        The caller makes sure that ``url`` is Label Studio's own. Leaves httpx's errors as they are.
        """
        authorization = self._credential.header(self._refresh)
        return self._http.stream("GET", url, headers={"Authorization": authorization, **headers}, timeout=timeout)

    def close(self) -> None:
        self._http.close()

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, body: object = None
    ) -> Answer:
        response = self._send(method, path, params, body, self._credential.header(self._refresh))
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credential.expire():
            response = self._send(method, path, params, body, self._credential.header(self._refresh))
        return self._read(response, path)

    def _send(
        self, method: str, path: str, params: Mapping[str, str | int] | None, body: object, authorization: str
    ) -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = write_json(body)
        try:
            return self._http.request(method, path, params=params, content=content, headers=headers)
        except httpx.TimeoutException as error:
            raise ToolUnavailable(
                f"Label Studio at {self.url} did not answer in time ({type(error).__name__}): it may be overloaded "
                "or starting up."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ToolUnavailable(
                f"Label Studio at {self.url} cannot be reached ({error or type(error).__name__}): check that it is "
                "running and that the address is right as seen from here."
            ) from error

    def _refresh(self, token: str) -> str:
        response = self._send("POST", "/api/token/refresh", None, {"refresh": token}, "")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise Refused(
                f"Label Studio at {self.url} knows no personal access tokens (404 at /api/token/refresh), as 1.13 and "
                "1.15 do: give the access token that it shows under Account & Settings, 40 letters and digits. If it "
                "is newer, check the address.",
                httpx.codes.UNAUTHORIZED,
                "no personal access tokens",
            )
        if response.status_code in (400, 401):
            raise Refused(
                f"Label Studio at {self.url} refused the personal access token ({response.status_code}): it is "
                "expired, revoked or mistyped. Create a new one under Account & Settings → Personal Access Token.",
                response.status_code,
                "personal access token refused",
            )
        data = self._read(response, "/api/token/refresh").data
        token = data.get("access", "") if isinstance(data, dict) else ""
        if not isinstance(token, str) or not token:
            raise self._not_label_studio("it answered a token refresh without a token")
        return token

    def _read(self, response: httpx.Response, path: str) -> Answer:
        status = response.status_code
        if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
            raise _unwell(self.url, path, response)
        if response.is_redirect:
            target = response.headers.get("location", "")
            raise self._not_label_studio(f"it redirects {path} to {_without_query(target)!r}")
        data = self._parse(response, path)
        if status >= 400:
            detail = _detail(data)
            raise Refused(_refusal(self.url, path, status, detail), status, detail, genuine=_is_genuine(data, status))
        return Answer(data, _server_time(response))

    def _parse(self, response: httpx.Response, path: str) -> object:
        if not response.content:
            return None
        try:
            return read_json(response.content)
        except ValueError as error:
            kind = response.headers.get("content-type", "no content type").split(";")[0]
            raise self._not_label_studio(f"it answered {path} with {response.status_code} and {kind}") from error

    def _not_label_studio(self, seen: str) -> ToolUnavailable:
        return ToolUnavailable(
            f"What answers at {self.url} does not look like Label Studio's API: {seen}. Check the address (scheme, "
            "port, and the path if Label Studio is served under one) and any proxy in front of it."
        )


class _Credential:
    """The token, and how it is shown to Label Studio."""

    def __init__(self, token: str, clock: Callable[[], float]) -> None:
        self._token = token
        self._clock = clock
        self._personal = _JSON_WEB_TOKEN.fullmatch(token) is not None
        self._access = ""
        self._good_until = 0.0
        self._lock = Lock()

    def header(self, refresh: Callable[[str], str]) -> str:
        if not self._personal:
            return f"Token {self._token}"
        with self._lock:
            if not self._access or self._clock() >= self._good_until:
                self._access = refresh(self._token)
                self._good_until = self._clock() + _ACCESS_TOKEN_SECONDS
            return f"Bearer {self._access}"

    def expire(self) -> bool:
        """Forget the access token; False where there is none to renew."""
        self._access = ""
        return self._personal


def _unwell(url: str, path: str, response: httpx.Response) -> ToolUnavailable:
    status, detail, wait = response.status_code, _stated(response), _retry_after(response)
    message = (
        f"Label Studio at {url} is unwell: it answered {path} with {status}. Look into its log; nextlabel tries again."
    )
    if detail:
        message = f"{message} It says: {detail}"
    if status == httpx.codes.INTERNAL_SERVER_ERROR:
        return Failed(message, retry_after=wait, detail=detail)
    return ToolUnavailable(message, retry_after=wait)


def _refusal(url: str, path: str, status: int, detail: str) -> str:
    stated = f" It says: {detail}" if detail else ""
    if status == httpx.codes.UNAUTHORIZED:
        return (
            f"Label Studio at {url} refused the token (401): create one under Account & Settings → Personal Access "
            "Token. Legacy tokens are off by default; to allow them start Label Studio with "
            f"LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true.{stated}"
        )
    if status == httpx.codes.FORBIDDEN:
        return (
            f"Label Studio at {url} does not allow this token to do {path} (403): use the token of an account that "
            f"may change the project.{stated}"
        )
    if status == httpx.codes.NOT_FOUND:
        return (
            f"Label Studio at {url} knows nothing at {path} (404): check the project number, and that the token's "
            f"owner can see that project.{stated}"
        )
    return f"Label Studio at {url} refused {path} ({status}).{stated}"


def read_json(content: bytes) -> object:
    """JSON, also where a text holds half a surrogate pair, which orjson refuses. Raises ValueError."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content)


def write_json(body: object) -> bytes:
    """JSON, also of a text that holds half a surrogate pair: one such task must not stop a whole window."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return json.dumps(body).encode()


def _stated(response: httpx.Response) -> str:
    try:
        return _detail(orjson.loads(response.content))
    except orjson.JSONDecodeError:
        return ""


def _detail(data: object) -> str:
    """What Label Studio says of a refusal, on one short line."""
    if not isinstance(data, dict):
        return str(data)[:300] if isinstance(data, str) else ""
    stated = [data[key] for key in ("detail", "validation_errors") if data.get(key)]
    text = " ".join(part if isinstance(part, str) else orjson.dumps(part).decode() for part in stated)
    return " ".join(_MARKUP.sub("", text).split())[:300]


def _is_genuine(data: object, status: int) -> bool:
    """Every error of Label Studio's API carries the status and Label Studio's own version."""
    return isinstance(data, dict) and data.get("status_code") == status and isinstance(data.get("version"), str)


def _server_time(response: httpx.Response) -> datetime:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return datetime.now(UTC)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the header tells these or a time (RFC 9110)."""
    received = response.headers.get("retry-after", "")
    if received.isascii() and received.isdigit():
        return float(received)
    try:
        return max(0.0, (parsedate_to_datetime(received).astimezone(UTC) - _server_time(response)).total_seconds())
    except (ValueError, TypeError):
        return None


def _without_query(location: str) -> str:
    return location.split("?", 1)[0]
