"""The cookies of browsers over plain HTTP and over TLS."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.transport.access.cookies import ACCESS, BROWSER, REFRESH, Cookie

COOKIES = (ACCESS, REFRESH, BROWSER)


def a_request(scheme: str, *cookies: str) -> HTTPConnection:
    headers = [(b"cookie", "; ".join(cookies).encode())]
    return HTTPConnection({"type": "http", "scheme": scheme, "path": "/", "query_string": b"", "headers": headers})


def set_by(response: Response) -> list[str]:
    return response.headers.getlist("set-cookie")


@pytest.mark.parametrize("cookie", COOKIES)
def test_cookie_over_plain_http_has_its_own_path(cookie: Cookie) -> None:
    response = Response()
    cookie.set(a_request("http", f"{cookie.name}=old"), response, "new", 900)
    expected = f"{cookie.name}=new; HttpOnly; Max-Age=900; Path={cookie.path}; SameSite=strict"
    assert set_by(response) == [expected]


@pytest.mark.parametrize("cookie", COOKIES)
def test_cookie_over_tls_is_secure_and_bound_to_the_host(cookie: Cookie) -> None:
    response = Response()
    cookie.set(a_request("https"), response, "new", 900)
    assert set_by(response) == [f"__Host-{cookie.name}=new; HttpOnly; Max-Age=900; Path=/; SameSite=strict; Secure"]


@pytest.mark.parametrize("cookie", COOKIES)
def test_plain_cookie_is_deleted_over_tls(cookie: Cookie) -> None:
    for change in (lambda request, response: cookie.set(request, response, "new"), cookie.delete):
        response = Response()
        change(a_request("https", f"{cookie.name}=planted"), response)
        kept, deleted = set_by(response)
        assert kept.startswith(f"__Host-{cookie.name}=")
        assert deleted.startswith(f'{cookie.name}=""; ')
        assert f"Max-Age=0; Path={cookie.path};" in deleted


@pytest.mark.parametrize("cookie", COOKIES)
@pytest.mark.parametrize(("scheme", "value"), [("http", "plain"), ("ws", "plain"), ("https", "bound"), ("wss", "bound")])
def test_only_the_cookie_of_the_route_is_read(cookie: Cookie, scheme: str, value: str) -> None:
    both = (f"{cookie.name}=plain", f"__Host-{cookie.name}=bound")
    assert cookie.of(a_request(scheme, *both)) == value
    assert cookie.of(a_request(scheme, *(each for each in both if not each.endswith(value)))) is None
