"""Lock-out: after five wrong passwords or codes, a user is locked for one origin, each time for longer.

The origin is the browser if the user has signed in with it before, else the address. A change of password counts for the
session that asks. An attacker therefore cannot lock out a user with a known browser, and cannot end a session.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from server.domain.errors import Unavailable
from server.identity.browsers import Browser
from server.identity.errors import SignInLocked
from server.identity.user_agents import Device
from server.store import lockouts
from server.store.database import Conflict, Database
from server.store.lockouts import FORGOTTEN_MICROSECONDS, Failures
from server.vault import Vault

ATTEMPTS = 3
FREE_FAILURES = 5  # the last of these locks
FIRST_MICROSECONDS = 60_000_000
LONGEST_MICROSECONDS = 60 * 60_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a sign-in: the client's address and, if known, its browser. ``device`` is for the list of sessions."""

    address: str
    browser: Browser | None = None
    device: Device = field(default_factory=Device)


@dataclass(frozen=True, slots=True)
class Guess:
    """One attempt at a user's password. ``subject`` (the user) and ``origin`` are keyed hashes."""

    subject: str
    origin: str

    @property
    def user(self) -> str:
        """The name under which a browser remembers the user."""
        return self.subject[:16]


@dataclass(frozen=True, slots=True)
class Lockout:
    """Counts wrong passwords in one database."""

    _database: Database
    _vault: Vault

    def sign_in(self, name: str, staff_id: int | None, origin: Origin) -> Guess:
        """Return the attempt to sign in from ``origin``, by a name in normal form and the id of its member, if any.

        The member found is counted, whatever the spelling. Only a name without a member is counted itself.
        """
        subject = f"user:{name}" if staff_id is None else f"staff:{staff_id}"
        guess = self._guess(subject, f"address:{origin.address}")
        if origin.browser is not None and guess.user in origin.browser.users:
            return self._guess(subject, f"browser:{origin.browser.id}")
        return guess

    def second_factor(self, staff_id: int, origin: Origin) -> Guess:
        """Return the attempt at a code of a member's second factor, after the right password.

        All browsers that the member has not signed in with share one count, whatever their addresses: an attacker with
        the password and many addresses gets five guesses. The member's own browsers are counted apart.
        """
        guess = self._guess(f"staff:{staff_id}", "code")
        if origin.browser is not None and guess.user in origin.browser.users:
            return self._guess(f"staff:{staff_id}", f"code:browser:{origin.browser.id}")
        return guess

    def own_password(self, staff_id: int, session_id: str) -> Guess:
        """Return the attempt of a signed-in user to confirm the own password in a session."""
        return self._guess(f"staff:{staff_id}", f"session:{session_id}")

    async def check(self, guess: Guess) -> None:
        """Raise `SignInLocked` while the user is locked for this origin."""
        now = await self._database.now()
        async with self._database.read() as connection:
            refuse_while_locked(await lockouts.locked_until(connection, guess.subject, guess.origin), now)

    async def failed(self, guess: Guess) -> None:
        """Count a wrong password. Raises `SignInLocked` if a concurrent attempt has locked the user already."""
        now = await self._database.now()
        for _ in range(ATTEMPTS):
            try:
                async with self._database.write() as connection:
                    before = await lockouts.find(connection, guess.subject, guess.origin)
                    after = after_failure(before, now)
                    if before is None:
                        await lockouts.add(connection, guess.subject, guess.origin, after)
                    elif after != before:
                        await lockouts.change(connection, guess.subject, guess.origin, after)
            except Conflict:
                continue  # two first failures at once: the row exists now
            if before is not None:
                refuse_while_locked(before.locked_until, now)
            return
        raise Unavailable()

    def _guess(self, subject: str, origin: str) -> Guess:
        return Guess(self._vault.keyed_hash(subject), self._vault.keyed_hash(origin))


def subject_of(vault: Vault, staff_id: int) -> str:
    """Return the name under which the attempts at a member's account are counted."""
    return vault.keyed_hash(f"staff:{staff_id}")


def refuse_while_locked(until: int, now: int) -> None:
    """Raise `SignInLocked` unless ``until`` has passed. Both are instants in microseconds."""
    if until > now:
        raise SignInLocked(retry_after=math.ceil((until - now) / 1_000_000))


def after_failure(before: Failures | None, now: int) -> Failures:
    """Return the failures of a user from an origin after one more at ``now`` (microseconds).

    While the user is locked, an attempt counts for nothing: the attacker learns and changes nothing.
    """
    if before is not None and before.locked_until > now:
        return before
    recent = 0 if before is None or now - before.failed_at > FORGOTTEN_MICROSECONDS else before.failures
    failures = recent + 1
    length = lock_microseconds(failures)
    return Failures(failures, now, now + length if length else 0)


def lock_microseconds(failures: int) -> int:
    """Return the length of the lock after so many failures in a row: none, then 1 minute, 2, 4, ... up to 1 hour."""
    beyond = failures - FREE_FAILURES
    return 0 if beyond < 0 else min(LONGEST_MICROSECONDS, FIRST_MICROSECONDS << min(beyond, 16))
