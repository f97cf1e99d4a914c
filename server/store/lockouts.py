"""Failed sign-ins, counted for each user and origin (an address, a known browser or a session).

User and origin are keyed hashes. A row does not reveal whether the user exists.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import lockouts

FORGOTTEN_MICROSECONDS = 24 * 3_600_000_000  # after so long without another failure the count begins again


@dataclass(frozen=True, slots=True)
class Failures:
    """The wrong passwords in a row for one user and origin. Instants in microseconds; ``locked_until`` may be 0."""

    failures: int
    failed_at: int
    locked_until: int


async def locked_until(connection: AsyncConnection, subject: str, origin: str, *, lock: bool = False) -> int:
    """Return the instant (microseconds) until which a user is locked for an origin; 0 without failures.

    ``lock`` holds the row until the end of the transaction.
    """
    statement = select(lockouts.c.locked_until).where(lockouts.c.subject == subject, lockouts.c.origin == origin)
    return int(await connection.scalar(statement.with_for_update() if lock else statement) or 0)


async def find(connection: AsyncConnection, subject: str, origin: str) -> Failures | None:
    """Return the failures of a user from an origin, or None. Holds the row until the end of the transaction."""
    columns = (lockouts.c.failures, lockouts.c.failed_at, lockouts.c.locked_until)
    here = (lockouts.c.subject == subject, lockouts.c.origin == origin)
    row = (await connection.execute(select(*columns).where(*here).with_for_update())).one_or_none()
    return Failures(*row) if row else None


async def add(connection: AsyncConnection, subject: str, origin: str, failures: Failures) -> None:
    """Add the row of a user and origin. Raises `Conflict` (from the transaction) if there is one already."""
    await connection.execute(insert(lockouts).values(subject=subject, origin=origin, **asdict(failures)))


async def change(connection: AsyncConnection, subject: str, origin: str, failures: Failures) -> None:
    """Change the row of a user and origin."""
    here = (lockouts.c.subject == subject, lockouts.c.origin == origin)
    await connection.execute(update(lockouts).where(*here).values(**asdict(failures)))


async def clear(connection: AsyncConnection, subject: str, origin: str) -> None:
    """Forget the failures of a user from an origin."""
    await connection.execute(delete(lockouts).where(lockouts.c.subject == subject, lockouts.c.origin == origin))


async def clear_all(connection: AsyncConnection, subject: str) -> None:
    """Forget the failures of a user from every origin."""
    await connection.execute(delete(lockouts).where(lockouts.c.subject == subject))


async def forget(connection: AsyncConnection, before: int) -> int:
    """Delete rows without a failure since an instant (microseconds); return the number of deleted rows."""
    return (await connection.execute(delete(lockouts).where(lockouts.c.failed_at < before))).rowcount
