"""Apply the undo of an entry's last step."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.board.steps import announce
from server.domain.events import Recorded, StepUndone


def step_undone(board: Board, event: StepUndone, recorded: Recorded, changes: Changes) -> None:
    entry, seq = board.entries[event.entry_id], recorded.seq
    undo = entry.undo
    assert undo is not None, "a rule has checked that the step can be undone"
    back_to = dict(undo["back_to"])
    later = board.latest_entry(entry.visit_id)
    if later is not None and later.id != entry.id:  # the stage that a transfer began ends before this one goes on
        board.put(replace(later, state="cancelled", since=recorded.at, undo=None, seq=seq), changes)
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
        durations = list(queue.durations)
        if undo["duration"] in durations:  # the queue's history may have dropped it
            durations.reverse()
            durations.remove(undo["duration"])
            durations.reverse()
        board.put(replace(queue, durations=tuple(durations), seq=seq), changes)
    board.put(replace(entry, **back_to, undo=None, seq=seq), changes)
    changes.undone[entry.id] = undo["seq"]
    if event.announcement_id is not None and event.point_id is not None:
        announce(board, recorded, event.announcement_id, entry.id, event.point_id, event.label, "withdrawn", changes)
