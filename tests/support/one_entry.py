"""A board with one entry in a given state, and a clinic with three waiting patients, for the tests of rules."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, get_args

from server.domain.board import Board
from server.domain.commands import COMMANDS, AmendVisit, Call, Cancel, Command, Move, Reprioritise, RunningLate, Transfer
from server.domain.errors import NowServingError
from server.domain.model import Announcement, Display, Entity, Entry, Point, Queue, State
from server.domain.rules import decide
from tests.support.worlds import DAY, MINUTE, SECOND, SITE_ID, START, World, a_site, a_visit, an_entry, an_id, facts

QUEUE, OTHER_QUEUE, POINT, VISIT, ENTRY, NOBODY = (an_id(number) for number in (1, 2, 3, 4, 5, 999))


STATES: tuple[State, ...] = get_args(State)


def board_with(state: State) -> Board:
    """Return a board with one entry in ``state``."""
    point_id = None if state in ("waiting", "left", "cancelled") else POINT
    calls = 0 if point_id is None else 1
    records: list[Entity] = [
        Queue(QUEUE, SITE_ID, "Blood", "A", 0, False, (), 1),
        Queue(OTHER_QUEUE, SITE_ID, "X-ray", "B", 1, False, (), 2),
        Point(POINT, SITE_ID, "Room 1", (QUEUE,), 0, "open", 3),
        Display(an_id(6), SITE_ID, "Hall", "hash", 4),
        a_visit(VISIT, label="A001", priority="assisted"),
        an_entry(ENTRY, VISIT, QUEUE, state, point_id=point_id, calls=calls, place=START - 20 * MINUTE),
        Announcement(an_id(7), SITE_ID, DAY, ENTRY, POINT, "A001", "call", START, 5),
    ]
    return Board(a_site(last_id=10, seq=5), records)


ALSO: dict[type[Command], dict[str, Any]] = {
    Transfer: {"queue_id": OTHER_QUEUE},
    Call: {"point_id": POINT},
    Cancel: {"reason": "asked for"},
    Reprioritise: {"priority": "urgent"},
    Move: {"behind_entry_id": None, "reason": "frail"},
    RunningLate: {"minutes": 10},
    AmendVisit: {"party_size": 4},
}


def on_entry(kind: type[Command], entry_id: int = ENTRY) -> Command:
    """Return a valid command of one kind for an entry."""
    return kind(entry_id=entry_id, **ALSO.get(kind, {}))  # type: ignore[call-arg]


def unchanged_by(board: Board, command: Command, now: int = START + SECOND) -> list[Any] | NowServingError:
    """Return the events or the refusal of a command. Assert that deciding it does not change the board."""
    before, records, site = facts(board), deepcopy(board.records()), deepcopy(board.site)
    outcome: list[Any] | NowServingError
    try:
        outcome = list(decide(board, command, now, "hash"))
    except NowServingError as error:
        outcome = error
    assert facts(board) == before
    assert board.records() == records
    assert board.site == site
    return outcome


def three_waiting() -> tuple[World, Entry]:
    """Return a clinic with three waiting patients in one queue, and the second patient's entry."""
    world = World()
    blood, x_ray = world.queue("A"), world.queue("B")
    world.point(blood)
    _, second, _ = (world.ticket(blood) for _ in range(3))
    assert x_ray != blood
    return world, second


def do_step(world: World, entry: Entry, name: str) -> None:
    """Do the command with this wire name on an entry."""
    kind = COMMANDS[name]
    also = ALSO.get(kind, {}) | {
        key: value
        for key, value in {"queue_id": max(world.board.queues), "point_id": min(world.board.points)}.items()
        if key in ALSO.get(kind, {})
    }
    world.do(kind(entry_id=entry.id, **also))  # type: ignore[call-arg]
