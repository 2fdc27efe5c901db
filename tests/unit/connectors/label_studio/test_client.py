"""What a person reads when Label Studio cannot be asked, and how its two kinds of token are shown."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from nextlabel.errors import ToolRejected, ToolUnavailable
from nextlabel.ports.tool import ToolAccess
from nextlabel_connectors.label_studio.client import LabelStudioClient, Refused

URL = "http://ls.example.org:8080"
LEGACY = "0123456789abcdef0123456789abcdef01234567"
PERSONAL = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJzZWNyZXQifQ.c2lnbmF0dXJl"

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, token: str = LEGACY, clock: Callable[[], float] = lambda: 0.0) -> LabelStudioClient:
    return LabelStudioClient(ToolAccess(URL, token), transport=httpx.MockTransport(handler), clock=clock)


def answering(response: httpx.Response) -> LabelStudioClient:
    return client(lambda request: response)


def failing(error: type[httpx.HTTPError]) -> LabelStudioClient:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error("no")

    return client(handler)


def html(status: int) -> httpx.Response:
    return httpx.Response(status, html="<html>Welcome to nginx</html>")


def refusal(status: int, detail: str = "It is so.") -> httpx.Response:
    return httpx.Response(status, json={"status_code": status, "detail": detail})


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        (failing(httpx.ConnectError), "cannot be reached"),
        (failing(httpx.ReadError), "cannot be reached"),
        (failing(httpx.ReadTimeout), "did not answer in time"),
        (failing(httpx.ConnectTimeout), "did not answer in time"),
        (answering(refusal(500, "database is locked")), "500.*database is locked"),
        (answering(html(502)), "502"),
        (answering(refusal(429)), "429"),
        (answering(html(200)), "does not look like Label Studio"),
        (answering(html(404)), "does not look like Label Studio"),
        (answering(httpx.Response(302, headers={"location": "/user/login/?next=/api"})), "redirects.*/user/login/'"),
    ],
)
def test_a_tool_that_is_down_or_something_else_is_unavailable(tool: LabelStudioClient, says: str) -> None:
    with pytest.raises(ToolUnavailable, match=says) as caught:
        tool.get("/api/projects/1/")
    assert URL in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"retry-after": "Sun, 22 Nov 2026 07:01:00 GMT", "date": "Sun, 22 Nov 2026 07:00:00 GMT"}, 60),
        ({"retry-after": "Sun, 22 Nov 2026 06:00:00 GMT", "date": "Sun, 22 Nov 2026 07:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_tool_that_says_when_to_come_back_is_heard(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(ToolUnavailable) as caught:
        answering(httpx.Response(status, headers=headers)).get("/api/projects/1/")
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true"),
        (403, "account that may change the project"),
        (404, "check the project number"),
        (400, "refused /api/projects/1/"),
    ],
)
def test_a_refusal_says_what_to_do_and_what_label_studio_said(status: int, says: str) -> None:
    with pytest.raises(Refused) as caught:
        answering(refusal(status)).get("/api/projects/1/")
    assert says in str(caught.value)
    assert "It is so." in str(caught.value)
    assert isinstance(caught.value, ToolRejected)


@pytest.mark.parametrize("token", [LEGACY, PERSONAL])
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 500])
def test_a_token_is_in_no_message_and_no_repr(token: str, status: int) -> None:
    tool = client(lambda request: refusal(status), token)
    with pytest.raises((ToolRejected, ToolUnavailable)) as caught:
        tool.get("/api/projects/1/")
    assert token not in f"{caught.value!r} {caught.value} {tool!r} {vars(tool)!r}"


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ls.example.org", "", "ftp://ls", "http://", "http://[", "http://u:p@ls"]
)
def test_an_address_that_cannot_be_one_is_rejected_before_any_request(url: str) -> None:
    with pytest.raises(ToolRejected, match="address"):
        LabelStudioClient(ToolAccess(url, LEGACY))


def test_an_address_may_end_in_a_slash_and_have_a_path() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={})

    LabelStudioClient(
        ToolAccess("https://example.org/label-studio/ ", LEGACY), transport=httpx.MockTransport(handler)
    ).get("/api/version")
    assert seen == ["https://example.org/label-studio/api/version"]


def test_a_legacy_token_is_shown_as_it_is() -> None:
    tool = client(lambda request: httpx.Response(200, json=request.headers["authorization"]))
    assert tool.get("/api/version").data == f"Token {LEGACY}"


class Exchange:
    """A Label Studio that hands out access tokens a1, a2, … and takes only the last one."""

    def __init__(self) -> None:
        self.issued = 0
        self.revoked = False
        self.now = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh":
            self.issued += 1
            self.revoked = False
            return httpx.Response(200, json={"access": f"a{self.issued}"})
        shown = request.headers["authorization"]
        if self.revoked or shown != f"Bearer a{self.issued}":
            return refusal(401, "Given token not valid")
        return httpx.Response(200, json=shown)


def test_a_personal_token_is_exchanged_once_and_again_before_it_runs_out() -> None:
    server = Exchange()
    tool = client(server, PERSONAL, clock=lambda: server.now)
    assert [tool.get("/x").data, tool.get("/x").data] == ["Bearer a1", "Bearer a1"]
    server.now = 299.0
    assert tool.get("/x").data == "Bearer a2"


def test_a_personal_token_is_exchanged_anew_when_label_studio_no_longer_takes_the_old_one() -> None:
    server = Exchange()
    tool = client(server, PERSONAL)
    tool.get("/x")
    server.revoked = True
    assert tool.get("/x").data == "Bearer a2"


def test_a_personal_token_that_was_revoked_says_where_to_make_a_new_one() -> None:
    tool = client(lambda request: refusal(401, "Token is blacklisted"), PERSONAL)
    with pytest.raises(ToolRejected, match=r"personal access token.*Access Token"):
        tool.get("/x")


def test_a_personal_token_where_label_studio_has_none_says_which_token_it_takes() -> None:
    """As 1.13 and 1.15 answer: with a page."""
    page = httpx.Response(404, text="<html>Page not found</html>", headers={"content-type": "text/html"})
    tool = client(lambda request: page, PERSONAL)
    with pytest.raises(ToolRejected, match=r"no personal access tokens.*1\.15.*40 letters"):
        tool.get("/x")


def test_half_a_surrogate_pair_is_sent_like_any_other_text() -> None:
    got: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(json.loads(request.content))
        return httpx.Response(200, json={})

    client = LabelStudioClient(ToolAccess("http://ls", "x"), transport=httpx.MockTransport(answer))
    client.post("/api/things", {"text": "half a pair \ud83d"})
    assert got == [{"text": "half a pair \ud83d"}]


def test_an_answer_without_content_is_none() -> None:
    assert answering(httpx.Response(204)).delete("/api/predictions/1/").data is None
