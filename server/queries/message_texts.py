"""The clinics' own texts of messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.queries.reader import Reader
from server.store.tables import message_texts

Texts = Mapping[str, Mapping[str, str]]  # by template, then by language


@dataclass(frozen=True, slots=True)
class OwnText:
    """A clinic's own text of a template in a language. ``changed_at`` is in microseconds."""

    template: str
    language: str
    text: str
    changed_at: int


async def of_site(database: Reader, site_id: int) -> list[OwnText]:
    """Return a site's own texts, by template and language. Raises `Unavailable`."""
    table = message_texts.c
    statement = select(table.template, table.language, table.text, table.changed_at).where(table.site_id == site_id)
    async with database.read() as connection:
        rows = await connection.execute(statement.order_by(table.template, table.language))
    return [OwnText(*row) for row in rows]


async def of_sites(connection: AsyncConnection, site_ids: Collection[int]) -> dict[int, Texts]:
    """Return the own texts of several sites, by site."""
    table = message_texts.c
    statement = select(table.site_id, table.template, table.language, table.text).where(table.site_id.in_(site_ids))
    found: dict[int, defaultdict[str, dict[str, str]]] = {each: defaultdict(dict) for each in site_ids}
    for site_id, template, language, text in await connection.execute(statement):
        found[site_id][template][language] = text
    return {each: dict(texts) for each, texts in found.items()}
