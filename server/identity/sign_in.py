"""Sign-in with a user name and a password: opens a session."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import SignInFailed
from server.domain.usernames import normal_username
from server.identity.access_tokens import AccessTokens
from server.identity.browsers import Browser, used_by
from server.identity.errors import SignInLocked
from server.identity.hashing import Hashing
from server.identity.lockout import Lockout, Origin, refuse_while_locked
from server.identity.sessions import IssuedTokens, access_seconds, new_session_id, note_attempt, refresh_secret
from server.queries.identity import Identities, SessionTerms
from server.store import lockouts, proofs, tables
from server.store import staff as accounts
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of the new session, and the browser as it is known from now on."""

    tokens: IssuedTokens
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

    async def with_password(self, username: str, password: str, origin: Origin) -> SignedIn:
        """Open a session for the active member of staff with this user name and password.

        Raises `SignInFailed`, which does not reveal whether the name or the password was wrong, `SignInLocked` and
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
        now = await self._database.now()
        session_id = new_session_id()
        secret = refresh_secret(self._vault, session_id)
        async with self._database.write() as connection:
            # Read again under a lock: a hundred concurrent attempts get no more guesses than a hundred in a row.
            until = await lockouts.locked_until(connection, guess.subject, guess.origin, lock=True)
            if until <= now:
                await lockouts.clear(connection, guess.subject, guess.origin)
                await accounts.open_session(connection, session_id, member.id, self._vault.keyed_hash(secret), now)
                await proofs.add(connection, self._vault, tables.sessions, session_id)
        note_attempt(self._audit, "sign-in", member, allowed=until <= now)
        refuse_while_locked(until, now)
        seconds = access_seconds(self._terms, now, now)
        access_token = self._tokens.issue(member.id, session_id, seconds)
        tokens = IssuedTokens(member, access_token, seconds, f"{session_id}.{secret}")
        return SignedIn(tokens, used_by(origin.browser, guess.user))
