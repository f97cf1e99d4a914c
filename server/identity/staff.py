"""Accounts of staff: adding and changing them."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.errors import LastAdmin, NameTaken, StaffNotFound
from server.domain.model.ids import MAX_ID
from server.domain.roles import Role
from server.identity.hashing import Hashing
from server.identity.new_passwords import check_new_password
from server.identity.usernames import new_username
from server.store import staff as store
from server.store.database import Conflict, Database
from server.store.staff import Account


@dataclass(frozen=True, slots=True)
class StaffAccounts:
    """Adds and changes the accounts of one database."""

    _database: Database
    _hashing: Hashing

    async def add(self, organisation_id: int, username: str, password: str, role: Role) -> tuple[int, str]:
        """Add a member of staff; return the id, and the user name in its normal form, which is unique in the installation.

        Raises `NameTaken`, `SignInBusy`, and the refusals of `new_username` and `check_new_password`.
        """
        username = new_username(username)
        await check_new_password(password, username)
        password_hash = await self._hashing.hashed(password)
        try:
            async with self._database.write() as connection:
                staff_id = await store.create(
                    connection,
                    organisation_id=organisation_id,
                    username=username,
                    password_hash=password_hash,
                    role=role,
                )
        except Conflict:  # a concurrent request took the name
            raise NameTaken(name=username) from None
        return staff_id, username

    async def change(
        self,
        organisation_id: int,
        staff_id: int,
        *,
        role: Role | None = None,
        active: bool | None = None,
        password: str | None = None,
    ) -> Account:
        """Change the given fields of a member of an organisation's staff, and end the member's sessions.

        Returns the account after the change. Raises `StaffNotFound`, `SignInBusy`, the refusals of `check_new_password`, and
        `LastAdmin` when the organisation would have no active administrator.
        """
        if staff_id > MAX_ID:
            raise StaffNotFound(staff_id=staff_id)
        password_hash = None if password is None else await self._new_hash(organisation_id, staff_id, password)
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
            if any(each is not None for each in (role, active, password_hash)):
                await store.change(connection, staff_id, role=role, active=active, password_hash=password_hash)
                await store.revoke_sessions(connection, staff_id, now)
        return after

    async def _new_hash(self, organisation_id: int, staff_id: int, password: str) -> str:
        async with self._database.read() as connection:
            account = await store.account(connection, organisation_id, staff_id)
        if account is None:
            raise StaffNotFound(staff_id=staff_id)
        await check_new_password(password, account.username)
        return await self._hashing.hashed(password)


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
