"""The answers of commands: the repeat of a command gets the same answer and does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import commands

_FIND = select(commands.c.body_hash, commands.c.answer).where(
    commands.c.site_id == bindparam("site_id"), commands.c.command_id == bindparam("command_id")
)
_RECORD = insert(commands)


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """An earlier command's body hash and its answer (ciphertext)."""

    body_hash: str
    answer: str


def find(connection: Connection, site_id: int, command_id: str) -> RecordedAnswer | None:
    """Return the recorded answer of a command, or None if the command was not done."""
    row = connection.execute(_FIND, {"site_id": site_id, "command_id": command_id}).one_or_none()
    return None if row is None else RecordedAnswer(row.body_hash, row.answer)


def record(connection: Connection, site_id: int, command_id: str, body_hash: str, answer: str, now: int) -> None:
    """Record a command's answer in the command's own transaction."""
    connection.execute(
        _RECORD, {"site_id": site_id, "command_id": command_id, "body_hash": body_hash, "answer": answer, "at": now}
    )


async def forget(connection: AsyncConnection, before: int) -> int:
    """Delete the answers recorded before an instant (microseconds); return their number."""
    return (await connection.execute(delete(commands).where(commands.c.at < before))).rowcount
