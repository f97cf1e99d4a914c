"""The records of verified backups. A restored database has the record of the backup that it came from, and no other."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import backups

KEPT = 200  # records


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup whose restored content was verified. Instants are microseconds; ``made_at`` is that of the content.

    ``heads`` are the verified heads of the sites' logs, as JSON.
    """

    name: str
    made_at: int
    verified_at: int
    bytes: int
    rows_kept: int
    milliseconds: int
    heads: str


_COLUMNS = [backups.c[name] for name in VerifiedBackup.__dataclass_fields__]


async def add(connection: AsyncConnection, backup: VerifiedBackup) -> None:
    """Record a backup, and forget the oldest records beyond `KEPT`."""
    await connection.execute(delete(backups).where(backups.c.name == backup.name))
    await connection.execute(insert(backups).values(**asdict(backup)))
    newest = select(backups.c.made_at).order_by(backups.c.made_at.desc()).offset(KEPT).limit(1)
    oldest = await connection.scalar(newest)
    if oldest is not None:
        await connection.execute(delete(backups).where(backups.c.made_at <= oldest))


async def newest(connection: AsyncConnection) -> VerifiedBackup | None:
    """Return the record of the newest content, or None."""
    last = select(func.max(backups.c.made_at)).scalar_subquery()
    row = (await connection.execute(select(*_COLUMNS).where(backups.c.made_at == last).limit(1))).one_or_none()
    return None if row is None else VerifiedBackup(*row)
