"""Access tokens: verified once, and never good for longer than they say."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from server.audit import Audit
from server.domain.errors import NotSignedIn
from server.queries.identity import Identities, StaffMember
from server.store.database import Database
from server.transport.access import gate as gate_module
from server.transport.access.gate import ACCESS_SECONDS, TOKENS_KEPT, Gate
from server.vault import Vault

SECRET = "a secret key of the tests, long enough for any hash"
MEMBER = StaffMember(3, 1, "ada", "", "admin")


@pytest.fixture
def gate() -> Gate:
    database, vault = Database("sqlite+aiosqlite:///never-opened.db"), Vault([b"k" * 32], SECRET)
    return Gate(Identities(database), vault, SECRET, Audit(database, vault, "tests"))


def test_a_token_that_was_verified_ends_all_the_same(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    token = gate.access_token(MEMBER, "s1")
    began = time.time()
    assert gate._claims(token) == gate._claims(token)
    monkeypatch.setattr(time, "time", lambda: began + ACCESS_SECONDS - 2)
    assert gate._claims(token)["sid"] == "s1"
    monkeypatch.setattr(time, "time", lambda: began + ACCESS_SECONDS + 1)
    with pytest.raises(NotSignedIn):
        gate._claims(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "3", "sid": "s1"},
        {"sub": "3", "exp": 4_000_000_000},
        {"sub": "3", "sid": "s1", "exp": 1},
    ],
)
def test_what_is_not_a_token_of_ours_is_refused_each_time(gate: Gate, claims: dict[str, Any]) -> None:
    good = jwt.encode({"sub": "3", "sid": "s1", "exp": 4_000_000_000}, SECRET, "HS256")
    assert gate._claims(good)["sub"] == "3"
    head, body, signature = good.split(".")
    forged = jwt.encode(
        {"sub": "4", "sid": "s1", "exp": 4_000_000_000}, "somebody else's secret, as long as ours is", "HS256"
    )
    for token in (jwt.encode(claims, SECRET, "HS256"), forged, f"{head}.{forged.split('.')[1]}.{signature}", "", "x.y.z"):
        for _ in range(2):
            with pytest.raises(NotSignedIn):
                gate._claims(token)
    assert gate._claims(f"{head}.{body}.{signature}")["sub"] == "3"


def test_no_more_tokens_are_kept_than_there_is_room_for(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "TOKENS_KEPT", 3)
    assert TOKENS_KEPT >= 1000
    for number in range(10):
        assert gate._claims(gate.access_token(MEMBER, f"s{number}"))["sid"] == f"s{number}"
        assert len(gate._verified) <= 3
