"""Apply the undo of an entry's last step."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.board.steps import announce, server_of
from server.domain.events import Recorded, StepUndone
from server.domain.paces import unlearn


def step_undone(board: Board, event: StepUndone, recorded: Recorded, changes: Changes) -> None:
    entry, seq = board.entries[event.entry_id], recorded.seq
    undo = entry.undo
    assert undo is not None, "a rule has checked that the step can be undone"
    back_to = dict(undo["back_to"])
    later = board.latest_entry(entry.visit_id)
    if later is not None and later.id != entry.id:  # the stage that a transfer began ends before this one goes on
        board.put(replace(later, state="cancelled", since=recorded.at, undo=None, seq=seq), changes)
        habits.arrival_undone(board, undo["at"], later.queue_id, recorded, changes)
        if back_to["absent_until"] is not None:
            back_to["absent_until"] = later.absent_until  # the absence may have ended meanwhile
    for name in ("unreached", "doubt"):
        mark = back_to.pop(name, None)
        if back_to["state"] != entry.state:  # else the mark may be younger than the step
            back_to[name] = None if mark is None else tuple(mark)
    visit = board.visits[entry.visit_id]
    if visit.priority != undo["priority"]:
        board.put(replace(visit, priority=undo["priority"], seq=seq), changes)
    if "duration" in undo:
        queue = board.queues[entry.queue_id]
        durations = _without_last(queue.durations, undo["duration"])
        pauses = queue.pauses if "pause" not in undo else _without_last(queue.pauses or (), undo["pause"])
        reactions = queue.reactions if "reaction" not in undo else _without_last(queue.reactions or (), undo["reaction"])
        queue = replace(queue, durations=durations, pauses=pauses, reactions=reactions, seq=seq)
        if "paces" in undo:
            who, day = server_of(board, back_to["point_id"])
            before = tuple(map(tuple, undo["paces"]))
            lasted = undo["at"] - (back_to["called_at"] or back_to["since"])
            queue = replace(queue, paces=unlearn(queue.paces or (), before, who, day, lasted) or None)
        board.put(queue, changes)
    if undo["step"] == "ticket-called":
        habits.call_undone(board, event.point_id, undo["at"], recorded, changes)
    elif undo["step"] in ("ticket-issued", "entry-returned"):
        habits.arrival_undone(board, undo["at"], entry.queue_id, recorded, changes)
    board.put(replace(entry, **back_to, undo=None, told=(), leave_until=None, seq=seq), changes)
    changes.undone[entry.id] = undo["seq"]
    if event.announcement_id is not None and event.point_id is not None:
        announce(board, recorded, event.announcement_id, entry.id, event.point_id, event.label, "withdrawn", changes)


def _without_last(known: tuple[int, ...], value: int) -> tuple[int, ...]:
    """Return values without the last one that equals ``value``; the queue's history may have dropped it."""
    for at in range(len(known) - 1, -1, -1):
        if known[at] == value:
            return (*known[:at], *known[at + 1 :])
    return known
