"""Accounts of staff: adding and changing them. The audit notes each change by its own name, and each refusal."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import LastAdmin, NameTaken, NotAllowed, NowServingError, StaffNotFound
from server.domain.model.ids import MAX_ID
from server.domain.roles import Role
from server.identity.hashing import Hashing
from server.identity.lockout import subject_of
from server.identity.new_passwords import check_new_password
from server.identity.usernames import new_username
from server.store import account_links, lockouts, proofs, tables
from server.store import staff as store
from server.store.database import Conflict, Database, Writing
from server.store.staff import Account
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class StaffAccounts:
    """Adds and changes the accounts of one database. Without an ``audit``, for seeding, it notes nothing."""

    _database: Database
    _vault: Vault
    _hashing: Hashing
    _audit: Audit | None = None

    async def add(self, organisation_id: int, username: str, password: str, role: Role, *, actor: str) -> tuple[int, str]:
        """Add a member of staff; return the id, and the user name in its normal form, which is unique in the installation.

        Raises `NameTaken`, `SignInBusy`, the refusals of `new_username` and `check_new_password`, and `NotAllowed` if
        ``actor`` administers no longer.
        """
        detail = f"role: {role}"
        try:
            username = new_username(username)
            await check_new_password(password, username)
            password_hash = await self._hashing.hashed(password)
            staff_id = await self._insert(organisation_id, username, password_hash, role, actor)
        except NowServingError:
            self._note("add-staff", actor, organisation_id, None, detail, allowed=False)
            raise
        self._note("add-staff", actor, organisation_id, staff_id, detail)
        return staff_id, username

    async def change(
        self,
        organisation_id: int,
        staff_id: int,
        *,
        actor: str,
        role: Role | None = None,
        active: bool | None = None,
        password: str | None = None,
    ) -> Account:
        """Change the given fields of a member of an organisation's staff, and end the member's sessions.

        A member who administers no longer also loses the invitations and reset links that the member made. Returns the
        account after the change. Raises `StaffNotFound`, `SignInBusy`, the refusals of `check_new_password`, `NotAllowed` if
        ``actor`` administers no longer, and `LastAdmin` when the organisation would have no active administrator.
        """
        try:
            if staff_id > MAX_ID:
                raise StaffNotFound(staff_id=staff_id)
            password_hash = None if password is None else await self._new_hash(organisation_id, staff_id, password)
            before, after, ended, links = await self._update(organisation_id, staff_id, role, active, password_hash, actor)
        except NowServingError:
            given = {"role": role, "active": active, "password": None if password is None else "set"}
            asked = ", ".join(f"{name}: {value}" for name, value in given.items() if value is not None)
            self._note("change-staff", actor, organisation_id, staff_id, asked or None, allowed=False)
            raise
        if before.role != after.role:
            self._note("change-role", actor, organisation_id, staff_id, f"role: {before.role} -> {after.role}")
        if before.active != after.active:
            self._note("change-active", actor, organisation_id, staff_id, f"active: {before.active} -> {after.active}")
        if password is not None:
            self._note("set-password", actor, organisation_id, staff_id, None)
        if ended:
            self._note("end-sessions", actor, organisation_id, staff_id, f"sessions: {ended}")
        if links:
            self._note("end-links", actor, organisation_id, staff_id, f"links: {links}")
        return after

    async def end_sessions(self, organisation_id: int, staff_id: int, *, actor: str) -> int:
        """End every session of a member of an organisation's staff; return the number of them. Raises `StaffNotFound`."""
        now = await self._database.now()
        ended, member = 0, None
        if staff_id <= MAX_ID:
            async with self._database.write() as connection:
                member = await store.account(connection, organisation_id, staff_id)
                ended = 0 if member is None else await store.revoke_sessions(connection, staff_id, now)
        detail = None if member is None else f"sessions: {ended}"
        self._note("end-sessions", actor, organisation_id, staff_id, detail, allowed=member is not None)
        if member is None:
            raise StaffNotFound(staff_id=staff_id)
        return ended

    async def _insert(self, organisation_id: int, username: str, password_hash: str, role: Role, actor: str) -> int:
        try:
            async with self._database.write() as connection:
                await lock_with_rights(connection, organisation_id, actor)
                return await add_account(connection, self._vault, organisation_id, username, password_hash, role)
        except Conflict:  # a concurrent request took the name
            raise NameTaken(name=username) from None

    async def _update(
        self,
        organisation_id: int,
        staff_id: int,
        role: Role | None,
        active: bool | None,
        password_hash: str | None,
        changed_by: str,
    ) -> tuple[Account, Account, int, int]:
        """Change an account; return it as it was and as it is, and the numbers of the sessions and links that ended."""
        now = await self._database.now()
        async with self._database.write() as connection:
            # The lock on the organisation: of two administrators who demote each other, only one succeeds.
            await lock_with_rights(connection, organisation_id, changed_by)
            before = await store.account(connection, organisation_id, staff_id)
            if before is None:
                raise StaffNotFound(staff_id=staff_id)
            after = changed(before, role=role, active=active)
            resigns = administers(before) and not administers(after)
            if resigns and not await store.has_other_admin(connection, organisation_id, staff_id):
                raise LastAdmin()
            if all(each is None for each in (role, active, password_hash)):
                return before, after, 0, 0
            whole = await proofs.holds(connection, self._vault, tables.staff, staff_id)
            await store.change(connection, staff_id, role=role, active=active, password_hash=password_hash)
            if whole:
                await proofs.prove(connection, self._vault, tables.staff, staff_id)
            await account_links.revoke_resets(connection, self._vault, staff_id, now)
            if password_hash is not None:
                await lockouts.clear_all(connection, subject_of(self._vault, staff_id))
            links = 0
            if resigns:  # the member knows the secrets of these links
                actor = f"staff:{staff_id}"
                links = await account_links.revoke_made_by(connection, self._vault, organisation_id, actor, now)
            return before, after, await store.revoke_sessions(connection, staff_id, now), links

    async def _new_hash(self, organisation_id: int, staff_id: int, password: str) -> str:
        async with self._database.read() as connection:
            account = await store.account(connection, organisation_id, staff_id)
        if account is None:
            raise StaffNotFound(staff_id=staff_id)
        await check_new_password(password, account.username)
        return await self._hashing.hashed(password)

    def _note(
        self,
        action: str,
        actor: str,
        organisation_id: int,
        staff_id: int | None,
        detail: str | None,
        *,
        allowed: bool = True,
    ) -> None:
        if self._audit is not None:
            subject = f"staff:{staff_id}" if staff_id else ""
            self._audit.note(action, actor, subject=subject, organisation_id=organisation_id, allowed=allowed, detail=detail)


async def add_account(
    connection: Writing, vault: Vault, organisation_id: int, username: str, password_hash: str, role: str
) -> int:
    """Add a member of staff with a checked user name, and the proof of the row; return the id. Raises `NameTaken`."""
    staff_id = await store.create(
        connection, organisation_id=organisation_id, username=username, password_hash=password_hash, role=role
    )
    await proofs.add(connection, vault, tables.staff, staff_id)
    return staff_id


def changed(before: Account, *, role: Role | None = None, active: bool | None = None) -> Account:
    """Return an account with the given fields changed; None leaves a field as it is."""
    return Account(
        before.username,
        before.role if role is None else role,
        before.active if active is None else active,
    )


def administers(account: Account) -> bool:
    """Return whether the account can administer its organisation."""
    return account.role == "admin" and account.active


async def lock_with_rights(connection: Writing, organisation_id: int, actor: str) -> None:
    """Hold an organisation until the end of the transaction, for a change by ``actor``.

    Raises `NotAllowed` if ``actor`` is a member of staff who administers no longer: the body of a request may come long
    after its head. A change of the rights comes wholly before or wholly after the transaction.
    """
    await store.lock_organisation(connection, organisation_id)
    kind, _, number = actor.partition(":")
    if kind == "staff":
        account = await store.account(connection, organisation_id, int(number))
        if account is None or not administers(account):
            raise NotAllowed(action="manage-staff")
