"""Accounts of staff: adding and changing them. The audit notes each change by its own name, and each refusal."""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import LastAdmin, NameTaken, NowServingError, StaffNotFound
from server.domain.model.ids import MAX_ID
from server.domain.roles import Role
from server.identity.hashing import Hashing
from server.identity.new_passwords import check_new_password
from server.identity.usernames import new_username
from server.store import proofs, tables
from server.store import staff as store
from server.store.database import Conflict, Database
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

        Raises `NameTaken`, `SignInBusy`, and the refusals of `new_username` and `check_new_password`.
        """
        detail = f"role: {role}"
        try:
            username = new_username(username)
            await check_new_password(password, username)
            password_hash = await self._hashing.hashed(password)
            staff_id = await self._insert(organisation_id, username, password_hash, role)
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

        Returns the account after the change. Raises `StaffNotFound`, `SignInBusy`, the refusals of `check_new_password`, and
        `LastAdmin` when the organisation would have no active administrator.
        """
        try:
            if staff_id > MAX_ID:
                raise StaffNotFound(staff_id=staff_id)
            password_hash = None if password is None else await self._new_hash(organisation_id, staff_id, password)
            before, after, ended = await self._update(organisation_id, staff_id, role, active, password_hash)
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
        return after

    async def _insert(self, organisation_id: int, username: str, password_hash: str, role: Role) -> int:
        try:
            async with self._database.write() as connection:
                staff_id = await store.create(
                    connection,
                    organisation_id=organisation_id,
                    username=username,
                    password_hash=password_hash,
                    role=role,
                )
                await proofs.add(connection, self._vault, tables.staff, staff_id)
                return staff_id
        except Conflict:  # a concurrent request took the name
            raise NameTaken(name=username) from None

    async def _update(
        self, organisation_id: int, staff_id: int, role: Role | None, active: bool | None, password_hash: str | None
    ) -> tuple[Account, Account, int]:
        """Change an account; return it as it was and as it is, and the number of the sessions that ended."""
        now = await self._database.now()
        async with self._database.write() as connection:
            # The lock on the organisation: of two administrators who demote each other, only one succeeds.
            await store.lock_organisation(connection, organisation_id)
            before = await store.account(connection, organisation_id, staff_id)
            if before is None:
                raise StaffNotFound(staff_id=staff_id)
            after = changed(before, role=role, active=active)
            resigns = administers(before) and not administers(after)
            if resigns and not await store.has_other_admin(connection, organisation_id, staff_id):
                raise LastAdmin()
            if all(each is None for each in (role, active, password_hash)):
                return before, after, 0
            whole = await proofs.holds(connection, self._vault, tables.staff, staff_id)
            await store.change(connection, staff_id, role=role, active=active, password_hash=password_hash)
            if whole:
                await proofs.prove(connection, self._vault, tables.staff, staff_id)
            return before, after, await store.revoke_sessions(connection, staff_id, now)

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
