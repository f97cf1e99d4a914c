"""Sessions of staff: their tokens, their list, and their end."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import structlog

from server.audit import NOBODY, Audit
from server.domain import roles
from server.domain.errors import NotAllowed, NotSignedIn, SessionNotFound, StaffNotFound
from server.identity.access_tokens import ACCESS_SECONDS, AccessTokens
from server.identity.callers import Staff
from server.identity.user_agents import Device
from server.queries import administration
from server.queries.administration import SessionListed
from server.queries.identity import Identities, SessionTerms, StaffMember
from server.queries.keyset import Key, Page
from server.store import proofs, tables
from server.store import staff as accounts
from server.store.database import Database, Writing
from server.store.staff import RefreshState
from server.vault import Vault

logger = structlog.get_logger(__name__)

# Two pages of one browser may refresh at the same moment. The slower page is no thief.
RACE_MICROSECONDS = 10_000_000
SPENT_KEPT = 12  # exchanges in `RACE_MICROSECONDS`; they fit the column


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """The tokens of a session that was opened or refreshed now, and its member of staff."""

    member: StaffMember
    access_token: str
    access_seconds: int
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Refreshes, lists and ends sessions."""

    _database: Database
    _identities: Identities
    _vault: Vault
    _audit: Audit
    _tokens: AccessTokens
    _terms: SessionTerms

    async def refresh(self, refresh_token: str) -> IssuedTokens:
        """Exchange a refresh token, which is valid once, for new tokens.

        Raises `NotSignedIn`, also when the session has ended. A token that comes again `RACE_MICROSECONDS` after its own
        exchange ends its session, because somebody else may have the token. A refresh is no use of an administrator's
        session: the page of an administrator who has left refreshes too.
        """
        session_id, _, secret = refresh_token.partition(".")
        session = await self._identities.session(session_id)
        if session is None or self._terms.has_ended(session):
            raise NotSignedIn()
        fresh = refresh_secret(self._vault, session_id)
        now = session.now
        rotated = False
        async with self._database.write() as connection:
            state = await accounts.refresh_state(connection, session_id)
            if state is not None and state.refresh_hash == self._vault.keyed_hash(secret):
                used_at = session.used_at if session.member.role == "admin" else now
                after = after_exchange(state, self._vault.keyed_hash(fresh), now)
                await accounts.rotate_session(connection, session_id, after, used_at)
                rotated = True
            elif state is not None and self._is_stolen(state, session_id, secret, now):
                await accounts.revoke_session(connection, session_id, now)
                logger.warning("refresh token used twice: session ended", staff_id=session.member.id)
                note_attempt(self._audit, "refresh-again", session.member, allowed=False)
        if not rotated:
            raise NotSignedIn()
        return issued(self._tokens, self._terms, session.member, f"{session_id}.{fresh}", session.created_at, now)

    async def sign_out(self, staff: Staff) -> None:
        """End the caller's own session."""
        await self._revoke(staff.session_id)
        self._audit.note("sign-out", staff.actor, organisation_id=staff.organisation_id)

    async def check_may_list(self, staff: Staff, staff_id: int) -> None:
        """Raise unless ``staff`` may list the sessions of ``staff_id``: `NotAllowed`, `StaffNotFound`."""
        if staff_id == staff.id:
            return
        subject = f"staff:{staff_id}"
        if not roles.may(staff.role, "manage-staff"):
            self._note("list-sessions", staff, subject, allowed=False)
            raise NotAllowed(action="manage-staff", role=staff.role)
        if await self._identities.colleague(staff.organisation_id, staff_id) is None:
            self._note("list-sessions", staff, subject, allowed=False)
            raise StaffNotFound(staff_id=staff_id)
        self._note("list-sessions", staff, subject)

    async def page(self, staff: Staff, staff_id: int, size: int, after: Key | None) -> Page[SessionListed]:
        """Return a page of the open sessions of ``staff_id``. The session of the caller, ``staff``, is marked as current."""
        now = await self._database.now()
        return await administration.sessions_page(self._database, staff_id, self._terms, now, staff.session_id, size, after)

    async def end_others(self, staff: Staff) -> int:
        """End every other session of the caller; return the number of them."""
        now = await self._database.now()
        async with self._database.write() as connection:
            ended = await accounts.revoke_sessions(connection, staff.id, now, but=staff.session_id)
        if ended:
            self._note("end-sessions", staff, staff.actor)
        return ended

    async def end(self, staff: Staff, session_id: str) -> None:
        """End a session of the caller or, for an administrator, of a colleague. Raises `SessionNotFound`."""
        session = await self._identities.session(session_id)
        allowed = session is not None and may_end(staff, session.member)
        if session is None or not allowed:
            self._note("end-session", staff, "", allowed=False)
            raise SessionNotFound()
        await self._revoke(session_id)
        self._note("end-session", staff, f"staff:{session.member.id}")

    def _note(self, action: str, staff: Staff, subject: str, *, allowed: bool = True) -> None:
        organisation_id = staff.organisation_id
        self._audit.note(action, staff.actor, subject=subject, organisation_id=organisation_id, allowed=allowed)

    def _is_stolen(self, state: RefreshState, session_id: str, secret: str, now: int) -> bool:
        """Return whether a token that is not the session's present one was exchanged before, and not just now."""
        token_hash = self._vault.keyed_hash(secret)
        return is_refresh_secret(self._vault, session_id, secret) and not was_just_spent(state, token_hash, now)

    async def _revoke(self, session_id: str) -> None:
        now = await self._database.now()
        async with self._database.write() as connection:
            await accounts.revoke_session(connection, session_id, now)


async def open_session(connection: Writing, vault: Vault, staff_id: int, device: Device, now: int) -> str:
    """Open a session of a member at ``now`` (microseconds); return its refresh token. The caller has checked everything."""
    session_id = secrets.token_hex(16)
    secret = refresh_secret(vault, session_id)
    names = {"browser": device.browser, "platform": device.platform}
    await accounts.open_session(connection, session_id, staff_id, vault.keyed_hash(secret), now, **names)
    await proofs.add(connection, vault, tables.sessions, session_id)
    return f"{session_id}.{secret}"


def issued(
    tokens: AccessTokens, terms: SessionTerms, member: StaffMember, refresh_token: str, created_at: int, now: int
) -> IssuedTokens:
    """Return the tokens of a session with this refresh token. Instants in microseconds."""
    seconds = access_seconds(terms, created_at, now)
    session_id = refresh_token.partition(".")[0]
    return IssuedTokens(member, tokens.issue(member.id, session_id, seconds), seconds, refresh_token)


def access_seconds(terms: SessionTerms, created_at: int, now: int) -> int:
    """Return how long an access token is valid at ``now``: no longer than its session. Instants in microseconds."""
    return min(ACCESS_SECONDS, max(0, created_at + terms.longest - now) // 1_000_000)


def after_exchange(before: RefreshState, fresh_hash: str, now: int) -> RefreshState:
    """Return the refresh tokens of a session after the exchange of its token at ``now`` (microseconds).

    ``spent`` is a list of ``hash@instant``, separated by spaces: each exchanged token with the instant of its own exchange.
    """
    recent = [each for each in before.spent.split() if int(each.partition("@")[2]) >= now - RACE_MICROSECONDS]
    recent.append(f"{before.refresh_hash}@{now}")
    return RefreshState(fresh_hash, " ".join(recent[-SPENT_KEPT:]))


def was_just_spent(state: RefreshState, token_hash: str, now: int) -> bool:
    """Return whether a token's own exchange was less than `RACE_MICROSECONDS` ago."""
    exchanges = (each.partition("@") for each in state.spent.split())
    return any(spent == token_hash and int(at) >= now - RACE_MICROSECONDS for spent, _, at in exchanges)


def may_end(staff: Staff, member: StaffMember) -> bool:
    """Return whether ``staff`` may end a session of ``member``: the own ones and, for an administrator, colleagues'."""
    colleague = member.organisation_id == staff.organisation_id
    return member.id == staff.id or (colleague and roles.may(staff.role, "manage-staff"))


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
