"""Which changes are those of a page of another site."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from server.audit import Audit
from server.identity.identity import Identity
from server.transport.access.browsers import Browsers
from server.transport.access.gate import Gate
from server.transport.access.origins import OwnOrigin
from server.transport.access.phones import Phones
from server.transport.http.errors import ForeignOrigin
from server.vault import Vault

OWN, PORTAL = "http://clinic.example", "https://portal.example"


class Noted(list[str]):
    """The actions that the gate notes."""

    def note(self, action: str, *_: Any, **__: Any) -> None:
        self.append(action)


def a_gate(*trusted: str) -> Gate:
    identity = cast(Identity, type("Parts", (), {"credentials": None, "permissions": None}))
    return Gate(identity, Browsers("secret"), Phones("secret", time.time), cast(Vault, None), cast(Audit, Noted()), trusted)


def sent(method: str = "POST", path: str = "/api/v1/session", **headers: str) -> Scope:
    """Return the scope of a request; an underscore in a header's name stands for a hyphen."""
    raw = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in ({"host": "clinic.example"} | headers).items()
    ]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": raw}


def is_foreign(gate: Gate, scope: Scope) -> bool:
    try:
        gate.refuse_foreign_origin(HTTPConnection(scope))
    except ForeignOrigin:
        return True
    return False


@pytest.mark.parametrize(
    "origin",
    [
        "http://[", "http://[::1", "http://]", "null", "", "http://", "clinic.example", "http://clinic.example/",
        "http://clinic.example:80x", "http://clinic.example.evil.example", "http://evil.example#clinic.example",
        "http://a@clinic.example", "file://clinic.example", "http://clinic.example\\@evil.example", "http://\xb2",
        "https://evil.example", "http://clinic.example http://clinic.example", "%",
    ],
)  # fmt: skip
def test_any_other_origin_is_foreign(origin: str) -> None:
    assert is_foreign(a_gate(), sent(origin=origin))
    assert is_foreign(a_gate(PORTAL), sent(origin=origin))


@pytest.mark.parametrize("origin", [OWN, "https://clinic.example", "HTTP://Clinic.Example"])
def test_own_origin_is_not_foreign(origin: str) -> None:
    """A proxy may end TLS: the scheme is not compared."""
    assert not is_foreign(a_gate(), sent(origin=origin, cookie="nowserving_access=x"))


@pytest.mark.parametrize(
    ("site", "foreign"),
    [(None, False), ("none", False), ("same-origin", False), ("same-site", True), ("cross-site", True), ("", True)],
)
def test_browser_without_an_origin_tells_the_site(site: str | None, foreign: bool) -> None:
    headers = {} if site is None else {"sec_fetch_site": site}
    assert is_foreign(a_gate(), sent(**headers)) is foreign


def test_trusted_origin_sends_changes_without_our_cookies() -> None:
    for gate in (a_gate(PORTAL), a_gate("*")):
        assert not is_foreign(gate, sent(origin=PORTAL, sec_fetch_site="cross-site", authorization="Bearer x"))
        for cookie in ("nowserving_access=x", "a=b; nowserving_refresh=x"):
            assert is_foreign(gate, sent(origin=PORTAL, cookie=cookie))


@pytest.mark.parametrize(
    ("method", "path", "passes"),
    [
        ("POST", "/api/v1/session", False), ("POST", "/api/v1/pairings", False), ("DELETE", "/api/v1/session", False),
        ("PATCH", "/api/v1/staff/1", False), ("POST", "/live/tickets/x/disagreement", False), ("GET", "/api/v1/sites", True),
        ("HEAD", "/api/v1/sites", True), ("OPTIONS", "/api/v1/sites", True), ("GET", "/live/tickets/x", True),
    ],
)  # fmt: skip
async def test_every_change_is_checked(method: str, path: str, passes: bool) -> None:
    passed, statuses = [], []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["path"])

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    await OwnOrigin(app, a_gate())(sent(method, path, origin="https://evil.example"), cast(Receive, None), send)
    assert (passed, statuses[:1]) == (([path], []) if passes else ([], [403]))
