"""The length of a lock, and the attempts that count."""

from __future__ import annotations

import pytest

from server.identity.browsers import Browser
from server.identity.errors import SignInLocked
from server.identity.lockout import Lockout, Origin, after_failure, lock_microseconds, refuse_while_locked
from server.store.database import Database
from server.store.lockouts import FORGOTTEN_MICROSECONDS, Failures
from server.vault import Vault

MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60), (10_000, 60)],
)
def test_each_failure_from_the_fifth_on_locks_for_longer(failures: int, minutes: int) -> None:
    assert lock_microseconds(failures) == minutes * 60_000_000


def test_failures_add_up_and_the_fifth_locks() -> None:
    failures = after_failure(None, 1)
    for now in range(2, 5):
        failures = after_failure(failures, now)
        assert failures == Failures(now, now, 0)
    assert after_failure(failures, 9) == Failures(5, 9, 9 + MINUTE)


def test_attempt_while_locked_changes_nothing() -> None:
    locked = Failures(5, 9, 9 + MINUTE)
    assert after_failure(locked, 8 + MINUTE) == locked
    assert after_failure(locked, 9 + MINUTE).failures == 6


def test_old_failures_are_forgotten() -> None:
    old = Failures(7, 10, 20)
    assert after_failure(old, 10 + FORGOTTEN_MICROSECONDS).failures == 8
    assert after_failure(old, 11 + FORGOTTEN_MICROSECONDS).failures == 1


def test_lock_ends_at_its_instant() -> None:
    refuse_while_locked(0, 5)
    refuse_while_locked(5, 5)
    with pytest.raises(SignInLocked) as refused:
        refuse_while_locked(1_000_006, 5)
    assert refused.value.details == {"retry_after": 2}


def test_known_browser_is_counted_apart_from_its_address() -> None:
    lockout = Lockout(Database("sqlite+aiosqlite:///never-opened.db"), Vault([b"k" * 32], "secret"))
    stranger = lockout.sign_in("ada", 3, Origin("192.0.2.1"))
    code = lockout.second_factor(3, Origin("192.0.2.1"))
    assert lockout.second_factor(3, Origin("198.51.100.7", Browser("b", ("somebody else",)))) == code
    assert lockout.second_factor(4, Origin("192.0.2.1")) != code != stranger
    own = lockout.second_factor(3, Origin("192.0.2.1", Browser("b", (stranger.user,))))
    assert own not in (code, lockout.sign_in("ada", 3, Origin("192.0.2.1", Browser("b", (stranger.user,)))))
    assert lockout.sign_in("ada", 3, Origin("192.0.2.1", Browser("b", ("somebody else",)))) == stranger
    known = lockout.sign_in("ada", 3, Origin("192.0.2.1", Browser("b", (stranger.user,))))
    assert known.subject == stranger.subject
    assert known.origin != stranger.origin
    assert lockout.sign_in("ada", 3, Origin("198.51.100.7", Browser("b", (stranger.user,)))) == known
    own = lockout.own_password(3, "s1")
    assert own.subject == stranger.subject
    assert len({own.origin, known.origin, stranger.origin}) == 3


def test_lock_counts_for_the_member_found_and_only_else_for_the_name() -> None:
    lockout = Lockout(Database("sqlite+aiosqlite:///never-opened.db"), Vault([b"k" * 32], "secret"))
    origin = Origin("192.0.2.1")
    assert lockout.sign_in("ada", 3, origin) == lockout.sign_in("ada by another spelling", 3, origin)
    unknown = lockout.sign_in("ada", None, origin)
    assert unknown == lockout.sign_in("ada", None, origin)
    subjects = [lockout.sign_in(name, member, origin).subject for name, member in (("ada", None), ("bo", None), ("ada", 3))]
    assert unknown.subject == subjects[0]
    assert len(set(subjects)) == 3
