"""Refusals that several rules share."""

from __future__ import annotations

import pytest

from server.domain.commands import (
    COMMANDS,
    AddProvider,
    ChangePoint,
    Remove,
    Reopen,
    Return,
    RunningLate,
    StaffPoint,
    Tick,
    Undo,
)
from server.domain.errors import InUse, NowServingError, PointRemoved, ProviderRemoved, QueueRemoved
from server.domain.model import COMMANDS_OF_STEP, OPEN_STATES, Entry
from tests.support.one_entry import do_step, three_waiting
from tests.support.worlds import MINUTE, SECOND, SITE_ID, World, facts

# The steps before a removal, the step that brings the entry back, and the records whose removal it refuses.
WAYS_BACK: list[tuple[tuple[str, ...], str, str]] = [
    (("call", "no-show"), "return", "queue provider"),
    (("call", "no-show"), "reopen", "queue provider"),
    (("call", "start", "complete"), "reopen", "queue provider"),
    (("leave",), "reopen", "queue provider"),
    (("call", "leave"), "reopen", "queue provider"),
    (("cancel",), "reopen", "queue provider"),
    (("call", "no-show"), "undo", "queue provider point"),
    (("call", "start", "complete"), "undo", "queue provider point"),
    (("leave",), "undo", "queue provider"),
    (("call", "leave"), "undo", "queue provider point"),
    (("cancel",), "undo", "queue provider"),
    (("transfer",), "undo", "queue provider"),
    (("call", "transfer"), "undo", "queue provider point"),
    (("call", "start", "transfer"), "undo", "queue provider point"),
]
# While an entry is open, its queue and provider cannot be removed: it may come back by the clock, or at any time. A hold
# needs no point, so only the undo of a hold after a call refuses.
STILL_OPEN: list[tuple[tuple[str, ...], str, str]] = [
    (("hold",), "return", ""),
    (("hold",), "undo", ""),
    (("call", "hold"), "return", ""),
    (("call", "hold"), "undo", "point"),
    (("call", "running-late"), "here", ""),
    (("call", "running-late"), "clock", ""),
    (("running-late",), "here", ""),
    (("running-late",), "clock", ""),
]
REFUSALS = {"queue": QueueRemoved, "provider": ProviderRemoved, "point": PointRemoved}


@pytest.mark.parametrize("removed", REFUSALS)
@pytest.mark.parametrize(
    ("steps", "back", "refused"),
    [*WAYS_BACK, *STILL_OPEN],
    ids=lambda each: "-".join(each) if isinstance(each, tuple) else each,
)
def test_entry_comes_back_only_to_a_queue_provider_and_point_that_exist(
    steps: tuple[str, ...], back: str, refused: str, removed: str
) -> None:
    world, entry, records = _staffed()
    for step in steps:
        do_step(world, entry, step)
    still_open = world.entry(entry).state in OPEN_STATES
    if still_open and removed != "point":
        with pytest.raises(InUse):
            _remove(world, records, removed)
    else:
        _remove(world, records, removed)
    error = None
    try:
        _bring_back(world, entry, back)
    except NowServingError as refusal:
        error = refusal
    expected = REFUSALS[removed] if removed in refused.split() and not (still_open and removed != "point") else type(None)
    assert isinstance(error, expected)
    if error is not None:
        assert world.label(entry) in error.message
        assert "ticket" in error.message, "the remedy"
    else:
        now = world.entry(entry)
        assert now.state in OPEN_STATES
        assert not world.board.queues[now.queue_id].removed_at
        assert not now.provider_id or not world.board.providers[now.provider_id].removed_at
        if now.state in ("called", "serving"):
            assert now.point_id is not None
            assert not world.board.points[now.point_id].removed_at
    assert facts(world.loaded()) == facts(world.board)


def test_table_has_every_undo_that_brings_an_entry_back() -> None:
    undone = {steps[-1] for steps, back, _ in [*WAYS_BACK, *STILL_OPEN] if back == "undo"}
    ending = {"no-show", "complete", "leave", "cancel", "transfer", "hold"}
    assert undone == ending
    assert ending <= {name for names in COMMANDS_OF_STEP.values() for name in names} <= set(COMMANDS)


def _staffed() -> tuple[World, Entry, dict[str, int]]:
    """Return a clinic with an entry that waits for a provider, and the entry's queue, provider and point."""
    world, _ = three_waiting()
    world.do(AddProvider(site_id=SITE_ID, name="Dr. Ada"))
    records = {"queue": min(world.board.queues), "provider": min(world.board.providers), "point": min(world.board.points)}
    others = [each.id for each in world.board.entries.values()]
    for other in others:
        do_step(world, world.board.entries[other], "cancel")
    world.do(StaffPoint(point_id=records["point"], provider_id=records["provider"]))
    entry = world.ticket(records["queue"], provider_id=records["provider"])
    return world, entry, records


def _remove(world: World, records: dict[str, int], removed: str) -> None:
    """Remove a record of the entry. Free it first from all records that are set up to use it."""
    if removed == "queue":
        world.do(ChangePoint(point_id=records["point"], queue_ids=(max(world.board.queues),)), after=0)
    elif removed == "provider":
        world.do(StaffPoint(point_id=records["point"], provider_id=None), after=0)
    world.do(Remove(record_id=records[removed]), after=0)


def _bring_back(world: World, entry: Entry, back: str) -> None:
    match back:
        case "return":
            world.do(Return(entry_id=entry.id))
        case "reopen":
            world.do(Reopen(entry_id=entry.id))
        case "undo":
            world.do(Undo(entry_id=entry.id))
        case "here":
            world.do(RunningLate(entry_id=entry.id, minutes=0))
        case "clock":
            world.do(Tick(site_id=SITE_ID), after=11 * MINUTE + SECOND)
