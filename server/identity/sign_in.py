"""Sign-in with a user name and a password, and with the code of a second factor where the member has one.

No session exists before the code is right. A right password alone does not clear the count of wrong codes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import SignInFailed
from server.domain.usernames import normal_username
from server.identity.access_tokens import AccessTokens
from server.identity.browsers import Browser, used_by
from server.identity.errors import SecondFactorFailed, SignInExpired, SignInLocked
from server.identity.hashing import Hashing
from server.identity.lockout import Guess, Lockout, Origin, refuse_while_locked
from server.identity.pending_sign_ins import PendingSignIns
from server.identity.second_factors import judge
from server.identity.sessions import IssuedTokens, issued, note_attempt, open_session
from server.queries.identity import Identities, SessionTerms, StaffMember
from server.store import lockouts
from server.store import staff as accounts
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of the new session, and the browser as it is known from now on."""

    tokens: IssuedTokens
    browser: Browser


@dataclass(frozen=True, slots=True)
class CodeNeeded:
    """The password is right, and the code is missing. ``pending`` is for `SignIn.with_code`, from the same ``browser``."""

    pending: str
    browser: Browser


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signs members of staff in."""

    _database: Database
    _identities: Identities
    _vault: Vault
    _audit: Audit
    _lockout: Lockout
    _tokens: AccessTokens
    _terms: SessionTerms
    _hashing: Hashing
    _pending: PendingSignIns

    async def with_password(
        self, username: str, password: str, origin: Origin, code: str | None = None
    ) -> SignedIn | CodeNeeded:
        """Open a session for the active member of staff with this user name and password.

        A member with a second factor also needs a ``code``; without it, the answer is `CodeNeeded`. Raises `SignInFailed`,
        which does not reveal whether the name or the password was wrong, `SecondFactorFailed`, `SignInLocked` and
        `SignInBusy`.
        """
        name = normal_username(username)
        member = await self._identities.member(name)
        guess = self._lockout.sign_in(name, member.id if member else None, origin)
        try:
            await self._lockout.check(guess)
        except SignInLocked:
            note_attempt(self._audit, "sign-in-locked", member, allowed=False)
            raise
        right = await self._hashing.is_right(member, password)
        if member is None or not right:
            note_attempt(self._audit, "sign-in", member, allowed=False)
            await self._lockout.failed(guess)
            raise SignInFailed()
        return await self._open(member, origin, code)

    async def with_code(self, pending: str | None, code: str, origin: Origin) -> SignedIn:
        """Complete the pending sign-in of this browser with a code of an app, or with a recovery code.

        Raises `SignInExpired` if the sign-in is unknown, belongs to another browser, or if the password has changed since;
        `SecondFactorFailed` and `SignInLocked`.
        """
        staff_id = None
        if pending is not None and origin.browser is not None:
            staff_id = self._pending.member(pending, origin.browser.id)
        member = None if staff_id is None else await self._identities.active_member(staff_id)
        if member is None or not self._pending.has_password(pending or "", member.id, member.password_hash):
            raise SignInExpired()
        opened = await self._open(member, origin, code)
        assert isinstance(opened, SignedIn), "a code was given"
        return opened

    async def after_new_password(self, member: StaffMember, origin: Origin) -> SignedIn | CodeNeeded:
        """Sign a member in, whose new password a link has just set. A second factor is still needed."""
        return await self._open(member, origin, None)

    async def _open(self, member: StaffMember, origin: Origin, code: str | None) -> SignedIn | CodeNeeded:
        """Open a session of a member with the right password, unless a code is missing or wrong."""
        guess = self._lockout.sign_in(member.username, member.id, origin)
        coded = self._lockout.second_factor(member.id, origin)
        now = await self._database.now()
        refresh_token = None
        async with self._database.write() as connection:
            # Read again under a lock: a hundred concurrent attempts get no more guesses than a hundred in a row.
            until = await lockouts.locked_until(connection, guess.subject, guess.origin, lock=True)
            state = await accounts.lock_for_sign_in(connection, member.id)
            unchanged = state is not None and state.active and state.password_hash == member.password_hash
            verdict = "wrong"
            if until <= now and unchanged:
                until = await lockouts.locked_until(connection, coded.subject, coded.origin, lock=True)
                if until <= now:
                    verdict = await judge(connection, self._vault, member.id, code, now)
            if verdict in ("off", "right", "recovery"):
                await lockouts.clear(connection, guess.subject, guess.origin)
                await lockouts.clear(connection, coded.subject, coded.origin)
                refresh_token = await open_session(connection, self._vault, member.id, origin.device, now)
        self._refuse(member, coded, code, until, now, unchanged=unchanged)
        if verdict == "needed":
            browser = origin.browser or Browser(secrets.token_hex(16))
            return CodeNeeded(self._pending.issue(member.id, member.password_hash, browser.id), browser)
        if refresh_token is None:
            note_attempt(self._audit, "second-factor", member, allowed=False)
            await self._lockout.failed(coded)
            raise SecondFactorFailed()
        if verdict == "recovery":
            note_attempt(self._audit, "use-recovery-code", member, allowed=True)
        note_attempt(self._audit, "sign-in", member, allowed=True)
        return SignedIn(
            issued(self._tokens, self._terms, member, refresh_token, now, now), used_by(origin.browser, guess.user)
        )

    def _refuse(self, member: StaffMember, coded: Guess, code: str | None, until: int, now: int, *, unchanged: bool) -> None:
        """Raise while the member is locked, or if the account has changed since the password was checked."""
        if until > now:
            action = "sign-in" if code is None else "second-factor"
            note_attempt(self._audit, action, member, allowed=False)
            refuse_while_locked(until, now)
        if not unchanged:
            note_attempt(self._audit, "sign-in", member, allowed=False)
            raise SignInExpired()
