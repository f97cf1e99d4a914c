"""The invariants of a site, which hold after any sequence of commands and failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

from sqlalchemy import select

from server.domain.board import Board, Changes, apply
from server.domain.events import Recorded, SiteChanged, TicketCalled
from server.domain.model import BUSY_STATES, OPEN_STATES, Site
from server.domain.model.tickets import business_day, next_turn
from server.queries.boards import Boards
from server.store.database import Database
from server.store.tables import events
from tests.support.worlds import facts

TRIES = 5


@dataclass(frozen=True)
class Truth:
    """A site's log: its events in order, and the numbers of the events of each command."""

    recorded: list[Recorded]
    done: dict[str, list[int]]


async def log_of(url: str, site_id: int) -> list[Recorded]:
    """Return a site's events in order."""
    database = Database(url)
    try:
        return await Boards(database).since(site_id, 0)
    finally:
        await database.close()


async def truth_of(url: str, site_id: int, time_zone: str = "UTC") -> Truth:
    """Return a site's log. Assert first that it gives the site's rows, and that every invariant holds after each event.

    ``time_zone`` is the seeded site's own, which a command may have changed since.
    """
    database = Database(url)
    try:
        for _ in range(TRIES):
            recorded = await Boards(database).since(site_id, 0)
            rows = await Boards(database).board(site_id)
            if rows.site.seq == len(recorded):
                break  # else the clock of a server wrote between the two reads
        async with database.read() as connection:
            statement = select(events.c.seq, events.c.command_id).where(events.c.site_id == site_id)
            caused = (await connection.execute(statement.order_by(events.c.seq))).all()
    finally:
        await database.close()
    assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1)), "a number is missing or used twice"
    followed, stored = facts(_followed(rows.site, recorded, time_zone)), facts(rows)
    differing = {name: (followed[name], stored[name]) for name in stored if followed[name] != stored[name]}
    assert not differing, f"the rows differ from the board that the log gives: {differing}"
    done: dict[str, list[int]] = defaultdict(list)
    for row in caused:
        done[row.command_id].append(row.seq)
    return Truth(recorded, done)


def _followed(site: Site, recorded: list[Recorded], time_zone: str) -> Board:
    """Return the board that the log alone gives. Assert the invariants after each event."""
    board = Board(_at_first(site, recorded, time_zone))
    for each in recorded:
        if isinstance(each.event, TicketCalled):
            assert board.entries[each.event.entry_id].state == "waiting", "a patient was called who was not waiting"
            assert board.entry_at(each.event.point_id) is None, "a patient was called to a busy point"
        apply(board, each, Changes())
        _check(board)
    return board


def _at_first(site: Site, recorded: list[Recorded], time_zone: str) -> Site:
    """Return a seeded site as it was before its log: the end of its day decides which appointments belong to the day."""
    changed = any(isinstance(each.event, SiteChanged) for each in recorded)
    zone, turns_at_minutes = (time_zone, 240) if changed else (site.time_zone, site.day_turns_at_minutes)
    day = business_day(recorded[0].at, zone, turns_at_minutes) if recorded else site.business_day
    turns_at = next_turn(day, zone, turns_at_minutes)
    new = {"message": None, "quoted_at": 0, "last_id": 0, "last_event_at": 0, "seq": 0, "next_tick_at": turns_at}
    return replace(site, business_day=day, turns_at=turns_at, **new)  # type: ignore[arg-type]


def _check(board: Board) -> None:
    busy = Counter(entry.point_id for entry in board.entries.values() if entry.state in BUSY_STATES)
    open_ = Counter(entry.visit_id for entry in board.entries.values() if entry.state in OPEN_STATES)
    labels = Counter(visit.label for visit in board.visits.values())
    for what, count in (("guest of a point", busy), ("open entry of a visit", open_), ("visit with a label", labels)):
        assert max(count.values(), default=1) == 1, f"more than one {what}: {count.most_common(1)}"
