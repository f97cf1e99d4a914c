"""The kept sums of past business days: those of visits, and those of messages and answers.

They are derived. A row counts only for the version, the history and the clock for which it was made (``version``,
``about``), so after an upgrade, a restore or another time zone the days are counted again. An older version of the server
leaves the rows of a newer one alone.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson
import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.model import Site
from server.domain.reporting.day_sums import VERSION
from server.store.tables import daily_sums

logger = structlog.get_logger(__name__)

Part = Literal["visits", "messages"]
PARTS: tuple[Part, ...] = ("visits", "messages")


@dataclass(frozen=True, slots=True)
class Kept:
    """The sums of one day. ``until_seq`` is the number of the last event that they count."""

    site_id: int
    part: Part
    business_day: str
    version: int
    about: str
    until_seq: int
    body: str


def about(site: Site) -> str:
    """Return what the sums of a site depend on, besides its log and their version."""
    return f"{site.epoch}:{site.day_turns_at_minutes}:{site.time_zone}"


def kept(site: Site, part: Part, business_day: str, until_seq: int, plain: Any) -> Kept:
    """Return the row for the plain form of a day's sums."""
    body = base64.b64encode(zlib.compress(orjson.dumps(plain))).decode()
    return Kept(site.id, part, business_day, VERSION, about(site), until_seq, body)


def plain(body: str) -> Any:
    """Return the plain form of the sums in a body. Raises `ValueError` for a damaged body."""
    try:
        return orjson.loads(zlib.decompress(base64.b64decode(body, validate=True)))
    except zlib.error as error:
        raise ValueError(str(error)) from None


def readable(body: str, site_id: int, part: Part, business_day: str) -> Any | None:
    """Return the plain form of a kept body; None for a damaged one, which the log names: it counts as missing."""
    try:
        return plain(body)
    except ValueError as error:
        logger.error(
            "kept sums of a day are damaged: they are counted again",
            site_id=site_id,
            part=part,
            business_day=business_day,
            problem=str(error),
        )
        return None


async def save(connection: AsyncConnection, row: Kept) -> None:
    """Write the sums of a day, in place of those of an older version or another history."""
    table = daily_sums.c
    mine = table.site_id == row.site_id, table.part == row.part, table.business_day == row.business_day
    await connection.execute(delete(daily_sums).where(*mine))
    await connection.execute(insert(daily_sums), asdict(row))


async def remove(connection: AsyncConnection, site_id: int, part: Part, business_day: str) -> None:
    """Delete the sums of a day."""
    table = daily_sums.c
    mine = table.site_id == site_id, table.part == part, table.business_day == business_day
    await connection.execute(delete(daily_sums).where(*mine))


async def of_newer_version(connection: AsyncConnection, site_id: int) -> bool:
    """Return whether a newer version of the server keeps the sums of a site."""
    newest = select(daily_sums.c.version).where(daily_sums.c.site_id == site_id)
    found = await connection.scalar(newest.order_by(daily_sums.c.part.desc(), daily_sums.c.business_day.desc()).limit(1))
    return found is not None and found > VERSION
