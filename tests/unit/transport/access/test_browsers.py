"""The cookie by which a browser is known again."""

from __future__ import annotations

from http.cookies import SimpleCookie

import jwt
import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.transport.access.browsers import COOKIE, KNOWN, Browser, Browsers

SECRET = "a secret key that only the tests use, and long enough"
BROWSERS = Browsers(SECRET)


def a_request(cookie: str | None = None, scheme: str = "http") -> HTTPConnection:
    headers = [] if cookie is None else [(b"cookie", f"{COOKIE}={cookie}".encode())]
    return HTTPConnection(
        {"type": "http", "scheme": scheme, "path": "/", "query_string": b"", "server": ("x", 80), "headers": headers}
    )


def remembered(request: HTTPConnection, user: str) -> str:
    """Return the cookie that a browser is given."""
    response = Response()
    BROWSERS.remember(request, response, user)
    return SimpleCookie(response.headers["set-cookie"])[COOKIE].value


def test_a_browser_is_known_again_with_all_its_users() -> None:
    assert BROWSERS.of(a_request()) is None
    first = remembered(a_request(), "ada")
    browser = BROWSERS.of(a_request(first))
    assert browser is not None
    assert browser.users == ("ada",)
    second = BROWSERS.of(a_request(remembered(a_request(first), "bo")))
    assert second == Browser(browser.id, ("ada", "bo"))
    stranger = BROWSERS.of(a_request(remembered(a_request(), "ada")))
    assert stranger is not None
    assert stranger.id != browser.id


def test_the_last_users_are_kept() -> None:
    browser = Browser("b")
    for number in range(KNOWN + 5):
        browser = browser.with_user(f"user-{number}")
    assert browser.users == tuple(f"user-{number}" for number in range(5, KNOWN + 5))
    assert browser.with_user("user-7").users[-1] == "user-7"
    assert len(browser.with_user("user-7").users) == KNOWN


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "1", "sid": "abc", "exp": 4_000_000_000},  # an access token
        {"jti": "b"},
        {"jti": "b", "aud": "another"},
        {"aud": "browser"},
    ],
)
def test_nothing_else_of_ours_passes_for_one(claims: dict[str, object]) -> None:
    assert BROWSERS.of(a_request(jwt.encode(claims, SECRET, "HS256"))) is None


@pytest.mark.parametrize("cookie", ["", "x", "e30.e30.e30", jwt.encode({"jti": "b", "aud": "browser"}, "o" * 40, "HS256")])
def test_what_is_not_ours_is_nothing(cookie: str) -> None:
    assert BROWSERS.of(a_request(cookie)) is None


def test_it_is_no_access_token() -> None:
    """The other way round: its audience keeps it from being taken for one."""
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(remembered(a_request(), "ada"), SECRET, algorithms=["HS256"])


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_for_the_api_alone(scheme: str, *, secure: bool) -> None:
    response = Response()
    BROWSERS.remember(a_request(scheme=scheme), response, "ada")
    cookie = response.headers["set-cookie"].lower()
    assert ("secure" in cookie) is secure
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/api/;", "max-age=34560000"))
