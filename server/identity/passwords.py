"""The change of one's own password."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import WrongPassword
from server.identity.callers import Staff
from server.identity.hashing import Hashing
from server.identity.lockout import Lockout
from server.identity.new_passwords import check_new_password
from server.queries.identity import Identities
from server.store import account_links, lockouts, proofs, tables
from server.store import staff as accounts
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Passwords:
    """Members of staff change their own passwords."""

    _database: Database
    _identities: Identities
    _vault: Vault
    _audit: Audit
    _lockout: Lockout
    _hashing: Hashing

    async def change(self, staff: Staff, old_password: str, new_password: str) -> None:
        """Change the caller's own password, and end every other session of the caller.

        Raises `WrongPassword`, `SignInLocked` after too many wrong ones, `SignInBusy`, and the refusals of
        `check_new_password`.
        """
        guess = self._lockout.own_password(staff.id, staff.session_id)
        await self._lockout.check(guess)
        member = await self._identities.member(staff.username)
        if not await self._hashing.is_right(member, old_password):
            self._note(staff, allowed=False)
            await self._lockout.failed(guess)
            raise WrongPassword()
        await check_new_password(new_password, staff.username, "new_password")
        password_hash = await self._hashing.hashed(new_password)
        now = await self._database.now()
        async with self._database.write() as connection:
            await lockouts.clear(connection, guess.subject, guess.origin)
            whole = await proofs.holds(connection, self._vault, tables.staff, staff.id)
            await accounts.change_password(connection, staff.id, password_hash)
            if whole:
                await proofs.prove(connection, self._vault, tables.staff, staff.id)
            await account_links.revoke_resets(connection, self._vault, staff.id, now)
            await accounts.revoke_sessions(connection, staff.id, now, but=staff.session_id)
        self._note(staff)

    def _note(self, staff: Staff, *, allowed: bool = True) -> None:
        self._audit.note("change-password", staff.actor, organisation_id=staff.organisation_id, allowed=allowed)
