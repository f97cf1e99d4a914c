"""Passwords: hashing and checking in a thread, and the change of one's own password."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import WrongPassword
from server.identity.callers import Staff
from server.identity.lockout import Lockout
from server.queries.identity import Identities, StaffMember
from server.store import lockouts
from server.store import staff as accounts
from server.store.database import Database
from server.vault import hash_password, verify_password


async def hashed(password: str) -> str:
    """Return the Argon2id hash of a password. Await it before a write begins: it is slow on purpose."""
    return await asyncio.to_thread(hash_password, password)


async def is_right(member: StaffMember | None, password: str) -> bool:
    """Return whether ``password`` is the member's. Without a member the answer takes as long, and is False."""
    return await asyncio.to_thread(verify_password, member.password_hash if member else None, password)


@dataclass(frozen=True, slots=True)
class Passwords:
    """Members of staff change their own passwords."""

    _database: Database
    _identities: Identities
    _audit: Audit
    _lockout: Lockout

    async def change(self, staff: Staff, old_password: str, new_password: str) -> None:
        """Change the caller's own password, and end every other session of the caller.

        Raises `WrongPassword`, and `SignInLocked` after too many wrong ones.
        """
        guess = self._lockout.own_password(staff.username, staff.session_id)
        await self._lockout.check(guess)
        member = await self._identities.member(staff.username)
        if not await is_right(member, old_password):
            self._note(staff, allowed=False)
            await self._lockout.failed(guess)
            raise WrongPassword()
        password_hash = await hashed(new_password)
        now = await self._database.now()
        async with self._database.write() as connection:
            await lockouts.clear(connection, guess.subject, guess.origin)
            await accounts.change_password(connection, staff.id, password_hash)
            await accounts.revoke_sessions(connection, staff.id, now, but=staff.session_id)
        self._note(staff)

    def _note(self, staff: Staff, *, allowed: bool = True) -> None:
        self._audit.note("change-password", staff.actor, organisation_id=staff.organisation_id, allowed=allowed)
