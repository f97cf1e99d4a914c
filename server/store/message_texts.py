"""The clinics' own texts of messages: at most one for each template and language of a site."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import message_texts, sites


async def put(connection: AsyncConnection, site_id: int, template: str, language: str, text: str, now: int) -> None:
    """Keep the site's own text of a template in a language, instead of an earlier one. ``now`` in microseconds."""
    # Of two first texts at once, the second waits here, and then replaces the first.
    await connection.execute(select(sites.c.id).where(sites.c.id == site_id).with_for_update())
    values = {"text": text, "changed_at": now}
    same = _one(site_id, template, language)
    if not (await connection.execute(update(message_texts).where(*same).values(**values))).rowcount:
        key = {"site_id": site_id, "template": template, "language": language}
        await connection.execute(insert(message_texts).values(**key, **values))


async def remove(connection: AsyncConnection, site_id: int, template: str, language: str) -> bool:
    """Remove the site's own text of a template in a language; return False if there is none."""
    statement = delete(message_texts).where(*_one(site_id, template, language))
    return (await connection.execute(statement)).rowcount == 1


def _one(site_id: int, template: str, language: str) -> tuple[ColumnElement[bool], ...]:
    table = message_texts.c
    return table.site_id == site_id, table.template == template, table.language == language
