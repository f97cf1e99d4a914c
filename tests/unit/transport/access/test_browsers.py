"""The cookie by which the server recognises a browser."""

from __future__ import annotations

from http.cookies import SimpleCookie

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.identity.browsers import Browser, used_by
from server.transport.access.browsers import Browsers
from server.transport.access.cookies import BROWSER

SECRET = "a secret key that only the tests use, and long enough"
BROWSERS = Browsers(SECRET)


def a_request(cookie: str | None = None) -> HTTPConnection:
    headers = [] if cookie is None else [(b"cookie", f"{BROWSER.name}={cookie}".encode())]
    return HTTPConnection(
        {"type": "http", "scheme": "http", "path": "/", "query_string": b"", "server": ("x", 80), "headers": headers}
    )


def remembered(request: HTTPConnection, user: str) -> str:
    """Return the cookie that a browser is given."""
    response = Response()
    BROWSERS.remember(request, response, used_by(BROWSERS.of(request), user))
    return SimpleCookie(response.headers["set-cookie"])[BROWSER.name].value


def test_browser_is_recognised_with_all_its_users() -> None:
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
