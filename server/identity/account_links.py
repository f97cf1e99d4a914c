"""Links with which people set a password themselves: invitations of new staff, and reset links of members.

The secret of a link is 256 bits and stands behind ``#`` in the address, so that logs and referrers never get it. A link is
used once. See ``docs/decisions/0021-links-and-second-factors.md``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from server.audit import NOBODY, Audit
from server.domain.errors import NameTaken, NowServingError, StaffNotFound
from server.domain.model.ids import MAX_ID
from server.domain.roles import Role
from server.identity.errors import InvitationNotFound, LinkNotFound
from server.identity.hashing import Hashing
from server.identity.lockout import Origin, subject_of
from server.identity.new_passwords import check_new_password
from server.identity.sign_in import CodeNeeded, SignedIn, SignIn
from server.identity.staff import add_account, lock_with_rights
from server.identity.usernames import new_username
from server.queries.identity import StaffMember
from server.store import account_links as store
from server.store import lockouts, proofs, tables
from server.store import staff as accounts
from server.store.account_links import INVITATION, RESET, Link
from server.store.database import Conflict, Database, Writing
from server.vault import Vault

SECRET_BYTES = 32
INVITATION_MICROSECONDS = 7 * 86_400_000_000
RESET_MICROSECONDS = 86_400_000_000


@dataclass(frozen=True, slots=True)
class LinkMade:
    """A new link. ``secret`` is stored nowhere: this is the only time that it is shown. Instants in microseconds."""

    id: int
    kind: store.Kind
    secret: str
    username: str | None
    role: str
    made_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class LinkUsed:
    """The outcome of a link: the member, the organisation, and the sign-in that follows."""

    kind: store.Kind
    member: StaffMember
    signed_in: SignedIn | CodeNeeded


@dataclass(frozen=True, slots=True)
class AccountLinks:
    """Makes, revokes and uses the links of one database."""

    _database: Database
    _vault: Vault
    _audit: Audit
    _hashing: Hashing
    _sign_in: SignIn

    async def invite(self, organisation_id: int, username: str | None, role: Role, *, actor: str) -> LinkMade:
        """Make an invitation that is valid for seven days. Without a ``username``, the colleague chooses one.

        Raises `NameTaken`, the refusals of `new_username`, and `NotAllowed` if ``actor`` administers no longer.
        """
        now = await self._database.now()
        secret = secrets.token_urlsafe(SECRET_BYTES)
        try:
            name = None if username is None else new_username(username)
            async with self._database.write() as connection:
                await lock_with_rights(connection, organisation_id, actor)
                if name is not None and await store.is_reserved(connection, name, organisation_id, now):
                    raise NameTaken(name=name)
                link_id = await store.create(
                    connection,
                    self._vault,
                    organisation_id=organisation_id,
                    kind=INVITATION,
                    username=name,
                    role=role,
                    secret_hash=self._vault.keyed_hash(secret),
                    made_by=actor,
                    made_at=now,
                    expires_at=now + INVITATION_MICROSECONDS,
                )
        except NowServingError:
            self._note("make-invitation", actor, organisation_id, "", f"role: {role}", allowed=False)
            raise
        self._note("make-invitation", actor, organisation_id, f"invitation:{link_id}", f"role: {role}")
        return LinkMade(link_id, INVITATION, secret, name, role, now, now + INVITATION_MICROSECONDS)

    async def revoke_invitation(self, organisation_id: int, invitation_id: int, *, actor: str) -> None:
        """End an open invitation. Raises `InvitationNotFound`."""
        now = await self._database.now()
        revoked = False
        if invitation_id <= MAX_ID:
            async with self._database.write() as connection:
                revoked = await store.revoke_invitation(connection, self._vault, organisation_id, invitation_id, now)
        subject = f"invitation:{invitation_id}"
        self._note("revoke-invitation", actor, organisation_id, subject, allowed=revoked)
        if not revoked:
            raise InvitationNotFound(invitation_id=invitation_id)

    async def reset(self, organisation_id: int, staff_id: int, *, actor: str) -> LinkMade:
        """Make a link with which a member sets a new password within 24 hours. The member's earlier links end.

        Raises `StaffNotFound`, also for a member who may not sign in.
        """
        now = await self._database.now()
        secret = secrets.token_urlsafe(SECRET_BYTES)
        account, link_id = None, 0
        if staff_id <= MAX_ID:
            async with self._database.write() as connection:
                await accounts.lock_organisation(connection, organisation_id)
                account = await accounts.account(connection, organisation_id, staff_id)
                if account is not None and account.active:
                    await store.revoke_resets(connection, self._vault, staff_id, now)
                    link_id = await store.create(
                        connection,
                        self._vault,
                        organisation_id=organisation_id,
                        kind=RESET,
                        staff_id=staff_id,
                        secret_hash=self._vault.keyed_hash(secret),
                        made_by=actor,
                        made_at=now,
                        expires_at=now + RESET_MICROSECONDS,
                    )
        self._note("make-reset-link", actor, organisation_id, f"staff:{staff_id}", allowed=bool(link_id))
        if account is None or not link_id:
            raise StaffNotFound(staff_id=staff_id)
        return LinkMade(link_id, RESET, secret, account.username, account.role, now, now + RESET_MICROSECONDS)

    async def look(self, secret: str) -> Link:
        """Return the open link with this secret. Raises `LinkNotFound`."""
        now = await self._database.now()
        async with self._database.read() as connection:
            link = await store.find(connection, self._vault.keyed_hash(secret), now)
        if link is None:
            self._audit.note("open-link", NOBODY, subject="", allowed=False)
            raise LinkNotFound()
        return link

    async def use(self, secret: str, username: str | None, password: str, origin: Origin) -> LinkUsed:
        """Set the password of a link, once, and sign its member in.

        ``username`` is for an invitation that leaves the name open. A reset link ends all sessions of its member, whose
        second factor stays: then the sign-in still needs a code. Raises `LinkNotFound`, `NameTaken`, `SignInBusy`, and the
        refusals of `new_username` and `check_new_password`.
        """
        link = await self.look(secret)
        action = f"use-{'invitation' if link.kind == INVITATION else 'reset-link'}"
        subject = f"staff:{link.staff_id}" if link.staff_id else f"invitation:{link.id}"
        try:
            name = link.username if link.username is not None else new_username(username or "")
            await check_new_password(password, name)
            password_hash = await self._hashing.hashed(password)
            staff_id = await self._take(link, name, password_hash)
        except NowServingError:
            self._note(action, NOBODY, link.organisation_id, subject, allowed=False)
            raise
        detail = f"invitation: {link.id}, role: {link.role}" if link.kind == INVITATION else None
        self._note(action, f"staff:{staff_id}", link.organisation_id, f"staff:{staff_id}", detail)
        member = StaffMember(staff_id, link.organisation_id, name, password_hash, link.role)
        return LinkUsed(link.kind, member, await self._sign_in.after_new_password(member, origin))

    async def _take(self, link: Link, name: str, password_hash: str) -> int:
        now = await self._database.now()
        try:
            async with self._database.write() as connection:
                if link.kind == INVITATION:
                    # First the link: of two requests with one link, the second must not learn that the name is taken.
                    await self._use_up(connection, link, now)
                    return await add_account(connection, self._vault, link.organisation_id, name, password_hash, link.role)
                assert link.staff_id is not None, "a reset link has a member"
                state = await accounts.lock_for_sign_in(connection, link.staff_id)
                await self._use_up(connection, link, now)
                if state is None or not state.active:
                    raise LinkNotFound()
                await set_password(connection, self._vault, link.staff_id, password_hash, now)
                await lockouts.clear_all(connection, subject_of(self._vault, link.staff_id))
                return link.staff_id
        except Conflict:  # a concurrent request took the name
            raise NameTaken(name=name) from None

    async def _use_up(self, connection: Writing, link: Link, now: int) -> None:
        if not await store.take(connection, self._vault, link.id, now):
            raise LinkNotFound()

    def _note(
        self,
        action: str,
        actor: str,
        organisation_id: int,
        subject: str,
        detail: str | None = None,
        *,
        allowed: bool = True,
    ) -> None:
        self._audit.note(action, actor, subject=subject, organisation_id=organisation_id, allowed=allowed, detail=detail)


async def set_password(connection: Writing, vault: Vault, staff_id: int, password_hash: str, now: int) -> int:
    """Set a member's password, and end the member's sessions and reset links; return the number of ended sessions."""
    whole = await proofs.holds(connection, vault, tables.staff, staff_id)
    await accounts.change_password(connection, staff_id, password_hash)
    if whole:
        await proofs.prove(connection, vault, tables.staff, staff_id)
    await store.revoke_resets(connection, vault, staff_id, now)
    return await accounts.revoke_sessions(connection, staff_id, now)
