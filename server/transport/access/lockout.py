"""Guessing passwords is slow: five failures lock a user for an origin, for longer each time.

The origin is the browser where the user is known to use it, else the address; for a change of password it is the session.
So a guesser locks out nobody who has signed in with their browser before, and ends no session.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from server.domain.errors import Unavailable
from server.store import lockouts
from server.store.database import Conflict, Database
from server.transport.access.gate import Gate, address_of
from server.transport.http.errors import SignInLocked

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Guess:
    """Somebody's try at a user's password: `check` it first, and tell how it went."""

    database: Database
    subject: str
    origin: str

    @property
    def user(self) -> str:
        """The word by which a known browser remembers the user."""
        return self.subject[:16]

    async def check(self) -> None:
        """Raise `SignInLocked` while nobody may try."""
        now = await self.database.now()
        async with self.database.read() as connection:
            refuse_while_locked(await lockouts.locked_until(connection, self.subject, self.origin), now)

    async def failed(self) -> None:
        """Count a wrong password. Raises `SignInLocked` if others, at the same moment, have locked the user already."""
        now = await self.database.now()
        for _ in range(ATTEMPTS):
            try:
                async with self.database.write() as connection:
                    until = await lockouts.fail(connection, self.subject, self.origin, now)
            except Conflict:
                continue  # two first failures at once: the row is there now
            refuse_while_locked(until, now)
            return
        raise Unavailable()


def guess_at(gate: Gate, connection: HTTPConnection, username: str, session_id: str | None = None) -> Guess:
    """Return a try at a user's password by whoever sent a request; with ``session_id``, by that session's own user."""
    subject = gate.vault.keyed_hash(f"user:{username}")
    guess = Guess(gate.identities.database, subject, "")
    browser = gate.browsers.of(connection)
    if session_id is not None:
        origin = f"session:{session_id}"
    elif browser is not None and guess.user in browser.users:
        origin = f"browser:{browser.id}"
    else:
        origin = f"address:{address_of(connection)}"
    return Guess(guess.database, subject, gate.vault.keyed_hash(origin))


def refuse_while_locked(until: int, now: int) -> None:
    """Raise `SignInLocked` unless ``until`` (microseconds) has passed."""
    if until > now:
        raise SignInLocked(retry_after=math.ceil((until - now) / 1_000_000))
