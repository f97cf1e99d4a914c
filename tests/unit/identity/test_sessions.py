"""Sessions: their length, refresh tokens, and who may end which session."""

from __future__ import annotations

import pytest

from server.identity.callers import Staff
from server.identity.sessions import (
    SPENT_KEPT,
    access_seconds,
    after_exchange,
    is_refresh_secret,
    may_end,
    refresh_secret,
    was_just_spent,
)
from server.queries.identity import SessionState, SessionTerms, StaffMember
from server.store import tables
from server.store.staff import RefreshState
from server.vault import Vault

VAULT = Vault([b"k" * 32], "secret")


def test_server_recognises_each_secret_that_it_made_for_a_session() -> None:
    one, other = refresh_secret(VAULT, "s1"), refresh_secret(VAULT, "s1")
    assert one != other
    assert is_refresh_secret(VAULT, "s1", one)
    assert is_refresh_secret(VAULT, "s1", other)
    assert not is_refresh_secret(VAULT, "s2", one)
    assert not is_refresh_secret(Vault([b"k" * 32], "another"), "s1", one)


@pytest.mark.parametrize("secret", ["", ".", "x", "x.y", "x.ÿ"])
def test_invented_secret_is_not_recognised(secret: str) -> None:
    assert not is_refresh_secret(VAULT, "s1", secret)


@pytest.mark.parametrize(
    ("role", "member_id", "organisation_id", "may"),
    [
        ("clinician", 3, 1, True),  # the own session
        ("clinician", 4, 1, False),
        ("admin", 4, 1, True),
        ("admin", 4, 2, False),
    ],
)
def test_session_ends_for_its_owner_and_an_administrator(
    role: str, member_id: int, organisation_id: int, *, may: bool
) -> None:
    member = StaffMember(member_id, organisation_id, "ada", "", "clinician")
    assert may_end(Staff(3, 1, "bo", role, "s1"), member) is may


MINUTE = 60_000_000
HOUR = 60 * MINUTE
TERMS = SessionTerms()


def session(role: str, created_at: int, used_at: int, now: int) -> SessionState:
    return SessionState("s1", created_at, used_at, now, StaffMember(3, 1, "ada", "", role))


@pytest.mark.parametrize(("role", "idle"), [("admin", 30), ("manager", 60), ("receptionist", 60), ("clinician", 60)])
def test_session_ends_without_use(role: str, idle: int) -> None:
    assert not TERMS.has_ended(session(role, 5, 7, 7 + idle * MINUTE))
    assert TERMS.has_ended(session(role, 5, 7, 8 + idle * MINUTE))


def test_session_in_use_ends_after_twelve_hours() -> None:
    assert not TERMS.has_ended(session("clinician", 5, 12 * HOUR, 4 + 12 * HOUR))
    assert TERMS.has_ended(session("clinician", 5, 5 + 12 * HOUR, 5 + 12 * HOUR))


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(0, 900), (12 * HOUR - 15 * MINUTE, 900), (12 * HOUR - 14 * MINUTE, 840), (12 * HOUR - 1, 0), (13 * HOUR, 0)],
)
def test_access_token_ends_no_later_than_its_session(age: int, seconds: int) -> None:
    assert access_seconds(TERMS, 5, 5 + age) == seconds


def test_grace_of_a_refresh_token_counts_from_its_own_exchange() -> None:
    """Somebody refreshes every 3 s. The first token is nevertheless spent 10 s after its own exchange."""
    state, start = RefreshState("t0", ""), 1_000_000_000
    for number in range(1, 6):
        state = after_exchange(state, f"t{number}", start + number * 3_000_000)
    now = start + 15_000_000
    assert state.refresh_hash == "t5"
    assert [each for each in ("t0", "t1", "t2", "t3", "t4", "t5", "t9") if was_just_spent(state, each, now)] == [
        "t1",
        "t2",
        "t3",
        "t4",
    ]
    assert not was_just_spent(state, "t1", now + 1_000_001)


def test_kept_exchanges_fit_their_column() -> None:
    state = RefreshState("f" * 64, "")
    for _ in range(100):
        state = after_exchange(state, "f" * 64, 10**16 - 1)
    size = getattr(tables.sessions.c.spent.type, "length", 0)
    assert len(state.spent.split()) == SPENT_KEPT
    assert len(state.spent) <= size
