"""Who has guessed wrong too often: failed sign-ins of one user from one origin, an address or a known browser.

Both are keyed hashes. A row says nothing of whether there is such a user.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import lockouts

FREE_FAILURES = 5  # the last of these locks
FIRST_MICROSECONDS = 60_000_000
LONGEST_MICROSECONDS = 60 * 60_000_000
FORGOTTEN_MICROSECONDS = 24 * 3_600_000_000  # after so long without another failure the count begins anew


def lock_microseconds(failures: int) -> int:
    """Return for how long so many failures in a row lock: not at all, then 1 minute, 2, 4, ... and never over an hour."""
    beyond = failures - FREE_FAILURES
    return 0 if beyond < 0 else min(LONGEST_MICROSECONDS, FIRST_MICROSECONDS << min(beyond, 16))


async def locked_until(connection: AsyncConnection, subject: str, origin: str, *, lock: bool = False) -> int:
    """Return until when (microseconds) a user is locked for an origin; 0 if there is nothing to say.

    ``lock`` holds the row until the transaction's end.
    """
    statement = select(lockouts.c.locked_until).where(lockouts.c.subject == subject, lockouts.c.origin == origin)
    return int(await connection.scalar(statement.with_for_update() if lock else statement) or 0)


async def fail(connection: AsyncConnection, subject: str, origin: str, now: int) -> int:
    """Count a failure at ``now`` (microseconds); return until when the user was locked already, or 0.

    While locked nothing is counted: whoever tries then learns and changes nothing. Raises `Conflict` (from the
    transaction) when two first failures come at once: begin anew.
    """
    here = (lockouts.c.subject == subject, lockouts.c.origin == origin)
    row = (await connection.execute(select(lockouts).where(*here).with_for_update())).one_or_none()
    if row is None:
        await connection.execute(
            insert(lockouts).values(subject=subject, origin=origin, failures=1, failed_at=now, locked_until=0)
        )
        return 0
    if row.locked_until > now:
        return int(row.locked_until)
    failures = 1 if now - row.failed_at > FORGOTTEN_MICROSECONDS else row.failures + 1
    length = lock_microseconds(failures)
    values = {"failures": failures, "failed_at": now, "locked_until": now + length if length else 0}
    await connection.execute(update(lockouts).where(*here).values(**values))
    return 0


async def clear(connection: AsyncConnection, subject: str, origin: str) -> None:
    """Forget the failures of a user from an origin."""
    await connection.execute(delete(lockouts).where(lockouts.c.subject == subject, lockouts.c.origin == origin))


async def forget(connection: AsyncConnection, before: int) -> int:
    """Delete what nobody has failed at since an instant (microseconds); return how many there were."""
    return (await connection.execute(delete(lockouts).where(lockouts.c.failed_at < before))).rowcount
