"""The sources of the live stream: a site's board, the rest of its log, and the heads of many logs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from server.domain.board import Board
from server.domain.events import Recorded
from server.domain.model import Appointment, Site
from server.domain.watching import Watch
from server.store import boards, event_log, sites
from server.store.database import Database
from server.store.sites import Head


@dataclass(frozen=True, slots=True)
class Boards:
    """Reads boards and logs of one database. `server.live` receives this object and never sees the database."""

    _database: Database

    async def board(self, site_id: int, watched: Collection[Watch] = ()) -> Board:
        """Return a site's board as one consistent snapshot, with the watched appointments.

        Raises `SiteNotFound`, `Unavailable`.
        """
        async with self._database.read() as connection:
            return await connection.run_sync(boards.of_site, site_id, watched)

    async def appointments(self, site_id: int, watched: Collection[Watch]) -> tuple[Site, list[Appointment]]:
        """Return a site with the head of its log, and the watched appointments, as one consistent snapshot.

        Raises `SiteNotFound`, `Unavailable`.
        """
        async with self._database.read() as connection:
            return await connection.run_sync(boards.watched, site_id, watched)

    async def since(self, site_id: int, seq: int) -> list[Recorded]:
        """Return the site's events after ``seq``, in order. Raises `Unavailable`."""
        async with self._database.read() as connection:
            return await connection.run_sync(event_log.since, site_id, seq)

    async def heads(self, site_ids: Iterable[int]) -> dict[int, Head]:
        """Return the heads of the given sites' logs. Raises `Unavailable`."""
        async with self._database.read() as connection:
            return await sites.heads(connection, site_ids)

    async def renew_epoch(self, site_id: int, epoch: str) -> None:
        """Replace a site's ``epoch``, because the end of its log is lost. Raises `Unavailable`."""
        async with self._database.write() as connection:
            await sites.renew_epoch(connection, site_id, epoch)

    async def due(self) -> list[int]:
        """Return the sites that the clock must tick now, or may have to. Raises `Unavailable`."""
        now = await self._database.now()
        async with self._database.read() as connection:
            return list({*await sites.due(connection, now), *self._database.clock.sites_ahead})
