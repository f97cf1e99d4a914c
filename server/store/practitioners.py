"""Practitioners: people that several sites of an organisation may book."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import new_id
from server.store.tables import practitioners


async def add(connection: AsyncConnection, organisation_id: int, name: str) -> int:
    """Add a practitioner; return the id. A unique key refuses the name of another one."""
    return new_id(await connection.execute(insert(practitioners).values(organisation_id=organisation_id, name=name)))
