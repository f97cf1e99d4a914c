"""Random days of a world in a real database, and the cells that a follower of its log had at each number."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import insert

from server.domain.board import Board
from server.domain.events import Recorded
from server.domain.views import Cell, DeskView, DisplayView, KioskView, PointView
from server.store import checkpoints, event_log
from server.store.chain import START as FIRST_LINK
from server.store.database import Database
from server.store.tables import organisations, sites
from server.vault import Vault
from tests.support.worlds import SEALING, Follower, World, open_sealed, perform


class Watched:
    """A world whose log a follower hears event by event. ``shown[n]`` are the cells of its screens at number n."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.follower = Follower(world.first)
        self.shown: dict[int, dict[str, dict[str, Cell]]] = {}
        self._heard = 0

    def live(self, steps: Sequence[tuple[str, int, int]]) -> None:
        """Do steps, and let the follower hear each event."""
        for step in steps:
            perform(self.world, step)
            self.hear()

    def hear(self) -> None:
        """Let the follower hear the events that it has not heard."""
        for each in self.world.log[self._heard :]:
            self.follower.hear([each])
            self._watch_new()
            self.shown[each.seq] = {name: copy(cells) for name, (_, cells) in self.follower.views.items()}
        self._heard = len(self.world.log)

    def _watch_new(self) -> None:
        board = self.follower.board
        for point_id in sorted(board.points)[:2]:
            self.follower.watch(PointView(point_id, open_sealed))
        for display_id in sorted(board.displays)[:2]:
            self.follower.watch(DisplayView(display_id))
        for kiosk_id in sorted(board.kiosks)[:2]:
            self.follower.watch(KioskView(kiosk_id))
        self.follower.watch(DeskView(open_sealed, "staff"))


def sealed_again(vault: Vault, recorded: Recorded) -> Recorded:
    """Return an event of a world with its data sealed by a real vault."""
    event = recorded.event
    if not isinstance(event, SEALING) or event.sealed is None:
        return recorded

    kind, _, identifier = event.seals_for.partition(":")
    record: Any = type(kind.capitalize(), (), {"sealed": event.sealed, "id": int(identifier)})()
    return replace(recorded, event=replace(event, sealed=vault.seal_personal(open_sealed(record), event.seals_for)))


async def store(
    database: Database, vault: Vault, world: World, *, created: bool = True, organisation: bool = True
) -> list[Recorded]:
    """Store the site and the log of a world; return the log as stored.

    ``created``: with the checkpoint of its creation. ``organisation``: with the organisation 1, which is not there yet.
    """
    log = [sealed_again(vault, each) for each in world.log]
    site = world.board.site
    rows = event_log.chained(vault, site.id, FIRST_LINK, "command", log)
    head = rows[-1]["hash"] if rows else FIRST_LINK
    async with database.write() as connection:
        if organisation:
            await connection.execute(insert(organisations).values(id=1, name="Clinics"))
        await connection.execute(insert(sites).values(**asdict(site), chain=head))
        await connection.run_sync(event_log.append, log, rows)
        if created:
            await checkpoints.put(connection, vault, Board(world.first), world.first.last_event_at)
    return log
