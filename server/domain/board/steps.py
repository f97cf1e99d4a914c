"""Changes that several kinds of events share: a step of an entry, a new entry, an announcement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from server.domain import paces
from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.board.habits import DAY
from server.domain.events import Recorded, TicketIssued, TicketTransferred
from server.domain.model import BUSY_STATES, Announcement, Entry, Site, State, Visit, answered
from server.domain.waits import PAUSES, History

# A step into one of these states frees a point and gives the duration of a service. An entry that expires when the day turns
# was forgotten at its point, so it gives no duration.
_FREEING: frozenset[State] = frozenset({"completed", "no_show", "transferred", "left"})
# The fields of an entry that a step may change, and that an undo restores.
_RESTORED = (
    *("state", "point_id", "since", "calls", "called_at", "first_called_at", "announced_at"),
    *("band", "place", "due_at", "moved", "absent_until", "held_until", "away_since", "away", "delay"),
    *("unreached", "doubt"),
)
# A step into one of these states shows that the patient is here.
_ANSWERED: frozenset[State] = frozenset({"serving", "transferred"})


def step(board: Board, entry_id: int, recorded: Recorded, changes: Changes, state: State | None = None, **new: Any) -> Entry:
    """Change an entry by one step that can be undone: to ``state`` at the event's instant, and the ``new`` fields."""
    before = board.entries[entry_id]
    if state is not None:
        over = state in _ANSWERED or (before.absent_until or 0) <= recorded.at
        absent_until = None if over else before.absent_until
        # A service that an outage interrupted gives no duration, also if the patient was only called before the outage.
        doubt = answered(before.doubt, recorded.at) if state == "serving" else None
        new = {"absent_until": absent_until, "held_until": None, "away_since": None, "unreached": None, "doubt": doubt} | new
        new |= {"state": state, "since": recorded.at}
    undo = undo_of(before, board.visits[before.visit_id], recorded)
    real = before.doubt is None and not board.visits[before.visit_id].trial
    if before.state in BUSY_STATES and state in _FREEING and real:
        undo |= _record_duration(board, before, recorded, changes)
    # The words about the wait were about the place before this step: the next quote is the first to compare with.
    after = replace(before, undo=undo, seq=recorded.seq, told=(), leave_until=None, **new)
    board.put(after, changes)
    return after


def undo_of(before: Entry, visit: Visit, recorded: Recorded) -> dict[str, Any]:
    """Return what an undo of this step restores: the entry as it was ``before``, and the visit's priority."""
    return {
        "step": recorded.event.name_on_wire(),
        "at": recorded.at,
        "seq": recorded.seq,
        "priority": visit.priority,
        "back_to": restored(before),
    }


def restored(entry: Entry) -> dict[str, Any]:
    """Return the fields of an entry that an undo gives back."""
    values = {name: getattr(entry, name) for name in _RESTORED}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}  # as JSON has it


def _record_duration(board: Board, entry: Entry, recorded: Recorded, changes: Changes) -> dict[str, Any]:
    """Record how long a patient kept a point, and how long the point had paused before. Return what an undo needs."""
    queue = board.queues[entry.queue_id]
    duration = recorded.at - (entry.called_at or entry.since)
    who, day = server_of(board, entry.point_id)
    before = paces.touched(queue.paces or (), who)
    learnt, duration = paces.learn(queue.paces or (), who, day, duration)
    durations = History(queue.durations).record(duration).durations
    pause = habits.pause_before(board, entry)
    queue = replace(queue, durations=durations, paces=learnt, seq=recorded.seq)
    found: dict[str, Any] = {"duration": duration, "paces": [list(row) for row in before]}
    if pause is not None:
        found["pause"] = pause
        queue = replace(queue, pauses=(*(queue.pauses or ()), pause)[-PAUSES:])
    reaction = habits.reaction_to(board, entry)
    if reaction is not None:
        found["reaction"] = reaction
        queue = replace(queue, reactions=(*(queue.reactions or ()), reaction)[-PAUSES:])
    board.put(queue, changes)
    return found


def server_of(board: Board, point_id: int | None) -> tuple[int, int]:
    """Return who serves at a point, as the paces know them: the clinician, or else the point. And the day, as a number."""
    day = board.habits.begins_at // DAY if board.habits else 0
    point = None if point_id is None else board.points[point_id]
    return (0 if point is None else point.provider_id or -point.id), day


def new_entry(
    identifier: int, visit_id: int, site: Site, event: TicketIssued | TicketTransferred, recorded: Recorded
) -> Entry:
    """Return the waiting entry that a new ticket or a transfer begins."""
    return Entry(
        id=identifier,
        site_id=site.id,
        business_day=site.business_day,
        visit_id=visit_id,
        queue_id=event.queue_id,
        state="waiting",
        band=event.band,
        place=event.place,
        due_at=event.due_at,
        point_id=None,
        calls=0,
        since=recorded.at,
        called_at=None,
        absent_until=event.absent_until if isinstance(event, TicketTransferred) else None,
        expect_from=event.expect_from,
        expect_until=event.expect_until,
        estimating=event.estimating,
        quoted_from=event.expect_from,
        quoted_until=event.expect_until,
        undo=None,
        seq=recorded.seq,
        provider_id=event.provider_id,
        moved=isinstance(event, TicketTransferred) and event.moved,
        quoted_ahead=event.quoted_ahead,
        quoted_points=event.quoted_points,
        away=event.away if isinstance(event, TicketTransferred) else 0,
        delay=event.delay if isinstance(event, TicketTransferred) else 0,
    )


def announce(
    board: Board,
    recorded: Recorded,
    identifier: int,
    entry_id: int,
    point_id: int,
    label: str,
    kind: Literal["call", "recall", "withdrawn"],
    changes: Changes,
) -> None:
    """Add an announcement, and drop the ones that are too old."""
    announcement = Announcement(
        id=identifier,
        site_id=board.site.id,
        business_day=board.site.business_day,
        entry_id=entry_id,
        point_id=point_id,
        label=label,
        kind=kind,
        at=recorded.at,
        seq=recorded.seq,
    )
    board.put(announcement, changes)
    board.use_id(identifier)
    board.prune_announcements(changes)
