"""Sessions: refresh secrets, and who may end which session."""

from __future__ import annotations

import pytest

from server.identity.callers import Staff
from server.identity.sessions import IDLE_MICROSECONDS, has_expired, is_refresh_secret, may_end, refresh_secret
from server.queries.identity import SessionState, StaffMember
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


def test_session_expires_after_an_hour_without_use() -> None:
    member = StaffMember(3, 1, "ada", "", "admin")
    assert not has_expired(SessionState("s1", "", 5, None, 5 + IDLE_MICROSECONDS, member))
    assert has_expired(SessionState("s1", "", 5, None, 6 + IDLE_MICROSECONDS, member))
