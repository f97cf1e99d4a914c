"""Sessions of staff: their tokens, their list, and their end."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import structlog

from server.audit import NOBODY, Audit
from server.domain import roles
from server.domain.errors import NotAllowed, NotSignedIn, SessionNotFound, StaffNotFound
from server.identity.access_tokens import AccessTokens
from server.identity.callers import Staff
from server.queries import administration
from server.queries.administration import SessionListed
from server.queries.identity import Identities, SessionState, StaffMember
from server.queries.keyset import Key, Page
from server.store import staff as accounts
from server.store.database import Database
from server.vault import Vault

logger = structlog.get_logger(__name__)

IDLE_MICROSECONDS = 60 * 60_000_000
# Two pages of one browser may refresh at the same moment. The slower page is no thief.
RACE_MICROSECONDS = 10_000_000


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """The tokens of a session that was opened or refreshed now, and its member of staff."""

    member: StaffMember
    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Refreshes, lists and ends sessions."""

    _database: Database
    _identities: Identities
    _vault: Vault
    _audit: Audit
    _tokens: AccessTokens

    async def refresh(self, refresh_token: str) -> IssuedTokens:
        """Exchange a refresh token, which is valid once, for new tokens.

        Raises `NotSignedIn`, also after an hour without use. The second use of a token ends its session, because somebody
        else may have the token.
        """
        session_id, _, secret = refresh_token.partition(".")
        session = await self._identities.session(session_id)
        if session is None or has_expired(session):
            raise NotSignedIn()
        old_hash = self._vault.keyed_hash(secret)
        fresh = refresh_secret(self._vault, session_id)
        now = session.now
        async with self._database.write() as connection:
            fresh_hash = self._vault.keyed_hash(fresh)
            rotated = await accounts.rotate_session(connection, session_id, old_hash, fresh_hash, now)
            if not rotated and is_refresh_secret(self._vault, session_id, secret):
                stolen = await accounts.revoke_reused(connection, session_id, now, now - RACE_MICROSECONDS)
                if stolen:
                    logger.warning("refresh token used twice: session ended", staff_id=session.member.id)
                    note_attempt(self._audit, "refresh-again", session.member, allowed=False)
        if not rotated:
            raise NotSignedIn()
        access_token = self._tokens.issue(session.member.id, session_id)
        return IssuedTokens(session.member, access_token, f"{session_id}.{fresh}")

    async def sign_out(self, staff: Staff) -> None:
        """End the caller's own session."""
        await self._revoke(staff.session_id)
        self._audit.note("sign-out", staff.actor, organisation_id=staff.organisation_id)

    async def check_may_list(self, staff: Staff, staff_id: int) -> None:
        """Raise unless ``staff`` may list the sessions of ``staff_id``: `NotAllowed`, `StaffNotFound`."""
        if staff_id == staff.id:
            return
        if not roles.may(staff.role, "manage-staff"):
            raise NotAllowed(action="manage-staff", role=staff.role)
        if await self._identities.colleague(staff.organisation_id, staff_id) is None:
            raise StaffNotFound(staff_id=staff_id)

    async def page(self, staff: Staff, staff_id: int, size: int, after: Key | None) -> Page[SessionListed]:
        """Return a page of the open sessions of ``staff_id``. The session of the caller, ``staff``, is marked as current."""
        used_since = await self._database.now() - IDLE_MICROSECONDS
        return await administration.sessions_page(self._database, staff_id, used_since, staff.session_id, size, after)

    async def end(self, staff: Staff, session_id: str) -> None:
        """End a session of the caller or, for an administrator, of a colleague. Raises `SessionNotFound`."""
        session = await self._identities.session(session_id)
        if session is None or not may_end(staff, session.member):
            raise SessionNotFound()
        await self._revoke(session_id)
        subject = f"staff:{session.member.id}"
        self._audit.note("end-session", staff.actor, subject=subject, organisation_id=staff.organisation_id)

    async def _revoke(self, session_id: str) -> None:
        now = await self._database.now()
        async with self._database.write() as connection:
            await accounts.revoke_session(connection, session_id, now)


def has_expired(session: SessionState) -> bool:
    """Return whether a session has ended because nobody used it."""
    return session.idle > IDLE_MICROSECONDS


def may_end(staff: Staff, member: StaffMember) -> bool:
    """Return whether ``staff`` may end a session of ``member``: the own ones and, for an administrator, colleagues'."""
    colleague = member.organisation_id == staff.organisation_id
    return member.id == staff.id or (colleague and roles.may(staff.role, "manage-staff"))


def new_session_id() -> str:
    """Return an id for a new session."""
    return secrets.token_hex(16)


def refresh_secret(vault: Vault, session_id: str) -> str:
    """Return a new refresh secret. Its mark proves later that the server made it for this session."""
    made = secrets.token_urlsafe(32)
    return f"{made}.{_mark(vault, session_id, made)}"


def is_refresh_secret(vault: Vault, session_id: str, secret: str) -> bool:
    """Return whether the server made this secret for this session, at any time."""
    made, _, mark = secret.partition(".")
    return mark.isascii() and hmac.compare_digest(mark, _mark(vault, session_id, made))


def _mark(vault: Vault, session_id: str, made: str) -> str:
    return vault.keyed_hash(f"refresh:{session_id}.{made}")


def note_attempt(audit: Audit, action: str, member: StaffMember | None, *, allowed: bool) -> None:
    """Note in the audit an attempt with the user name or token of ``member``; None if it is nobody's."""
    actor = f"staff:{member.id}" if member else NOBODY
    audit.note(
        action,
        actor if allowed else NOBODY,
        subject=actor if member else "",
        organisation_id=member.organisation_id if member else None,
        allowed=allowed,
    )
