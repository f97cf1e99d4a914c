"""Second factors of staff: set-up, confirmation, recovery codes, removal, and the judgement of a code at sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.audit import Audit
from server.domain.errors import StaffNotFound
from server.domain.model.ids import MAX_ID
from server.identity import codes
from server.identity.callers import Staff
from server.identity.errors import CodeWrong, OwnPasswordWrong, SecondFactorNotBegun, SecondFactorOff
from server.identity.hashing import Hashing
from server.identity.lockout import Guess, Lockout
from server.identity.readable_codes import plain_code
from server.queries.identity import Identities
from server.store import lockouts
from server.store import second_factors as store
from server.store import staff as accounts
from server.store.database import Conflict, Database, Writing
from server.vault import Vault

ISSUER = "Now Serving"
# off: the member has no second factor. needed: a code is missing. right, recovery: an accepted code of each kind.
Verdict = Literal["off", "needed", "right", "recovery", "wrong"]


@dataclass(frozen=True, slots=True)
class SetUp:
    """A set-up that waits for its first code: the secret to type, and the address for the QR code."""

    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """Sets up and removes the second factors of one database."""

    _database: Database
    _identities: Identities
    _vault: Vault
    _audit: Audit
    _lockout: Lockout
    _hashing: Hashing

    async def begin(self, staff: Staff, password: str) -> SetUp:
        """Begin the set-up of a factor for the caller. A factor in force stays until the new one is confirmed.

        Raises `OwnPasswordWrong`, `SignInLocked` after too many wrong passwords, and `SignInBusy`.
        """
        await self._check_password(staff, password, "set-up-second-factor")
        secret = codes.new_secret()
        sealed = self._vault.seal(secret.encode(), _name(staff.id))
        for attempt in range(2):
            try:
                async with self._database.write() as connection:
                    await store.begin(connection, self._vault, staff.id, sealed)
                break
            except Conflict:  # another request has added the row: it exists now
                if attempt:
                    raise
        self._note("set-up-second-factor", staff)
        return SetUp(secret, codes.address(secret, staff.username, ISSUER))

    async def confirm(self, staff: Staff, code: str) -> list[str]:
        """Put the factor of the caller's set-up in force; return new recovery codes. The caller's other sessions end.

        Raises `SecondFactorNotBegun`, `CodeWrong`, and `SignInLocked` after too many wrong codes.
        """
        guess = self._lockout.own_password(staff.id, staff.session_id)
        await self._lockout.check(guess)
        now = await self._database.now()
        async with self._database.read() as connection:
            factor = await store.find(connection, staff.id)
        if factor is None or factor.pending is None:
            raise SecondFactorNotBegun()
        secret = self._vault.open(factor.pending, _name(staff.id)).decode()
        step = codes.step_of(secret, plain_code(code), now)
        if step is None:
            self._note("confirm-second-factor", staff, allowed=False)
            await self._lockout.failed(guess)
            raise CodeWrong()
        made = codes.new_recovery_codes()
        async with self._database.write() as connection:
            await accounts.lock_for_sign_in(connection, staff.id)
            confirmed = await store.confirm(connection, self._vault, staff.id, factor.pending, step, now)
            if confirmed:
                await store.replace_codes(connection, staff.id, self._hashes(staff.id, made))
                await accounts.revoke_sessions(connection, staff.id, now, but=staff.session_id)
                await lockouts.clear(connection, guess.subject, guess.origin)
        if not confirmed:
            raise SecondFactorNotBegun()
        self._note("confirm-second-factor", staff)
        return made

    async def renew_codes(self, staff: Staff, password: str) -> list[str]:
        """Return new recovery codes for the caller. The earlier ones end.

        Raises `OwnPasswordWrong`, `SecondFactorOff`, `SignInLocked` and `SignInBusy`.
        """
        await self._check_password(staff, password, "make-recovery-codes")
        made = codes.new_recovery_codes()
        async with self._database.write() as connection:
            factor = await store.find(connection, staff.id, lock=True)
            if factor is None or factor.sealed is None:
                raise SecondFactorOff()
            await store.replace_codes(connection, staff.id, self._hashes(staff.id, made))
        self._note("make-recovery-codes", staff)
        return made

    async def remove(self, staff: Staff, password: str) -> None:
        """Remove the caller's own factor. Raises `OwnPasswordWrong`, `SecondFactorOff`, `SignInLocked` and `SignInBusy`."""
        await self._check_password(staff, password, "remove-second-factor")
        async with self._database.write() as connection:
            await accounts.lock_for_sign_in(connection, staff.id)
            removed = await store.remove(connection, self._vault, staff.id)
        if not removed:
            raise SecondFactorOff()
        self._note("remove-second-factor", staff)

    async def remove_of(self, organisation_id: int, staff_id: int, *, actor: str) -> None:
        """Remove the factor of a member of an organisation, for example of a lost phone, and end the member's sessions.

        Raises `StaffNotFound` and `SecondFactorOff`.
        """
        now = await self._database.now()
        member = None
        removed = False
        if staff_id <= MAX_ID:
            async with self._database.write() as connection:
                await accounts.lock_for_sign_in(connection, staff_id)
                member = await accounts.account(connection, organisation_id, staff_id)
                removed = member is not None and await store.remove(connection, self._vault, staff_id)
                if removed:
                    await accounts.revoke_sessions(connection, staff_id, now)
        subject = f"staff:{staff_id}"
        self._audit.note("remove-second-factor", actor, subject=subject, organisation_id=organisation_id, allowed=removed)
        if member is None:
            raise StaffNotFound(staff_id=staff_id)
        if not removed:
            raise SecondFactorOff()

    async def _check_password(self, staff: Staff, password: str, action: str) -> None:
        """Raise unless the caller knows the own password: a screen may be unattended."""
        guess: Guess = self._lockout.own_password(staff.id, staff.session_id)
        await self._lockout.check(guess)
        member = await self._identities.active_member(staff.id)
        if not await self._hashing.is_right(member, password):
            self._note(action, staff, allowed=False)
            await self._lockout.failed(guess)
            raise OwnPasswordWrong()

    def _hashes(self, staff_id: int, made: list[str]) -> list[str]:
        return [code_hash(self._vault, staff_id, plain_code(each)) for each in made]

    def _note(self, action: str, staff: Staff, *, allowed: bool = True) -> None:
        self._audit.note(action, staff.actor, subject=staff.actor, organisation_id=staff.organisation_id, allowed=allowed)


async def judge(connection: Writing, vault: Vault, staff_id: int, code: str | None, now: int) -> Verdict:
    """Return what a code is worth at ``now`` (microseconds), and use it up: each code is accepted once.

    The caller holds the account, see `server.store.staff.lock_for_sign_in`, and opens the session in this transaction.
    """
    factor = await store.find(connection, staff_id, lock=True)
    if factor is None or factor.sealed is None:
        return "off"
    if code is None:
        return "needed"
    plain = plain_code(code)
    step = codes.step_of(vault.open(factor.sealed, _name(staff_id)).decode(), plain, now)
    if step is not None:
        return "right" if await store.spend_step(connection, staff_id, step) else "wrong"
    if len(plain) == codes.RECOVERY_LENGTH and await store.spend_code(
        connection, staff_id, code_hash(vault, staff_id, plain), now
    ):
        return "recovery"
    return "wrong"


def code_hash(vault: Vault, staff_id: int, plain: str) -> str:
    """Return the keyed hash under which a member's recovery code is stored."""
    return vault.keyed_hash(f"recovery-code:{staff_id}:{plain}")


def _name(staff_id: int) -> str:
    """Return the name of the record to which the secret of a factor is bound."""
    return f"second-factor:{staff_id}"
