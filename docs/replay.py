"""Replay a site's log into a board, and compare the board with the tables.

    python docs/replay.py sqlite+aiosqlite:///var/demo/demo.db 1         # the whole log
    python docs/replay.py sqlite+aiosqlite:///var/demo/demo.db 1 200     # up to event 200

The script only reads. A difference at the head means that `apply` and the saved rows disagree.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from server.domain.board import Board
from server.domain.events import Recorded
from server.domain.model import Counter, Entity
from server.queries.boards import Boards
from server.queries.replaying import before_the_first_event, replayed
from server.store.database import Database


def differences(one: Board, other: Board) -> list[str]:
    """Return the names of the records that differ between two boards."""
    ours, theirs = ({_name(record): record for record in board.records()} for board in (one, other))
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _name(record: Entity) -> str:
    return f"{type(record).__name__} {record.prefix if isinstance(record, Counter) else record.id}"


async def main() -> int:
    """Replay, print the board, and return 1 if the board at the head differs from the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database_url", help="an SQLAlchemy URL, as in NOWSERVING_DATABASE_URL")
    parser.add_argument("site_id", type=int)
    parser.add_argument("until", type=int, nargs="?", default=sys.maxsize, help="the last event to apply")
    arguments = parser.parse_args()
    database = Database(arguments.database_url)
    boards = Boards(database)
    try:
        tables = await boards.board(arguments.site_id)
        log: list[Recorded] = []
        while more := await boards.since(arguments.site_id, log[-1].seq if log else 0):
            log += more
    finally:
        await database.close()
    board = replayed(Board(before_the_first_event(tables.site, log[0].at)), log, min(arguments.until, tables.site.seq))
    print(f"event {board.site.seq} of {tables.site.seq}, business day {board.site.business_day}")
    for entry in sorted(board.entries.values(), key=lambda entry: entry.id):
        print(f"{entry.id}  {board.visits[entry.visit_id].label:8}{entry.state:12}{board.queues[entry.queue_id].name}")
    if board.site.seq < tables.site.seq:
        return 0
    found = differences(board, tables)
    print("the board equals the tables" if not found else f"different from the tables: {', '.join(found)}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
