"""The decisions: a board, a command and the time in; what then has happened out. No I/O, nothing is changed.

A command that the present state does not allow raises one of `server.domain.errors`, and nothing has happened.
"""

from __future__ import annotations

from collections.abc import Callable

from server.domain import ranking
from server.domain.board import REQUOTE_MICROSECONDS, Board, open_entries
from server.domain.commands import (
    AmendVisit,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    CloseDay,
    ClosePoint,
    Command,
    Complete,
    Hold,
    IssueTicket,
    Leave,
    Move,
    NoShow,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    ReassignProvider,
    Recall,
    Reopen,
    Reprioritise,
    Return,
    RunningLate,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import (
    EntryForAnother,
    EntryNotCalled,
    EntryNotEnded,
    EntryNotFound,
    EntryNotHeld,
    EntryNotLeaving,
    EntryNotOpen,
    EntryNotServing,
    EntryNotWaiting,
    LaterStepDepends,
    NeedNotMet,
    NobodyWaiting,
    NoNeighbour,
    NotAllowed,
    NothingDue,
    NothingToReassign,
    NothingToUndo,
    PointAlready,
    PointNotOpen,
    QueueAlready,
    QueueFull,
    QueueIsPaused,
    QueueNotServed,
    Refused,
    SameProvider,
    SameQueue,
    SiteClosed,
    VisitGoesOn,
)
from server.domain.events import (
    AbsenceEnded,
    DayClosed,
    DayTurned,
    EntryCancelled,
    EntryExpired,
    EntryHeld,
    EntryLeft,
    EntryMoved,
    EntryReopened,
    EntryReprioritised,
    EntryReturned,
    Event,
    MessageBroadcast,
    NoShowRecorded,
    PatientRunningLate,
    PointBreakBegan,
    PointClosed,
    PointOpened,
    ProviderReassigned,
    QueueOpened,
    QueuePaused,
    ServiceCompleted,
    ServiceStarted,
    StepUndone,
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    TicketTransferred,
    VisitAmended,
)
from server.domain.model import (
    BUSY_STATES,
    COMMANDS_OF_STEP,
    OPEN_STATES,
    UNDO_MICROSECONDS,
    Entry,
    Personal,
    Point,
    PointState,
    Queue,
    State,
    hours,
    tickets,
)
from server.domain.ranking import Lane, Rank
from server.domain.rules import quoting
from server.domain.rules.lookups import (
    each_once,
    find_point,
    find_provider,
    find_queue,
    label_of,
    named_provider,
    new_ids,
    refuse_busy,
    refuse_unchanged,
)
from server.domain.rules.site_configuration import furnish


def decide(
    board: Board, command: Command, now: int, token_hash: str = "", may: Callable[[str], bool] = lambda _: True
) -> list[Event]:
    """Return what happens when ``command`` is done on ``board`` at ``now`` (microseconds).

    ``token_hash`` is the keyed hash of the token made for this command, for those that hand one out. ``may`` says whether
    who asks is allowed a command of that name: an undo needs the right to the step that it takes back. Raises
    `NotFound`, `Refused` or `NotAllowed` by name when the command cannot be done.
    """
    match command:
        case Tick():
            return tick(board, now)
        case IssueTicket():
            return _issue(board, command, now, token_hash, may)
        case CallNext():
            return _call_next(board, command)
        case Call():
            return _call(board, command)
        case Recall():
            entry = _entry(board, command.entry_id, "called", EntryNotCalled)
            return [
                TicketRecalled(
                    entry_id=entry.id,
                    point_id=_point_of(entry),
                    announcement_id=next(new_ids(board)),
                    label=label_of(board, entry),
                )
            ]
        case Start():
            entry = _entry(board, command.entry_id, "called", EntryNotCalled)
            return [ServiceStarted(entry_id=entry.id, point_id=_point_of(entry), label=label_of(board, entry))]
        case Complete():
            entry = _entry(board, command.entry_id, "serving", EntryNotServing)
            return [ServiceCompleted(entry_id=entry.id, point_id=_point_of(entry), label=label_of(board, entry))]
        case NoShow():
            entry = _entry(board, command.entry_id, "called", EntryNotCalled)
            return [NoShowRecorded(entry_id=entry.id, point_id=_point_of(entry), label=label_of(board, entry))]
        case Transfer():
            return _transfer(board, command, now)
        case Hold():
            entry = _entry(board, command.entry_id)
            if entry.state not in ("waiting", "called"):
                raise EntryNotOpen(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
            return [EntryHeld(entry_id=entry.id, label=label_of(board, entry))]
        case Return():
            return _return(board, command, now)
        case Leave():
            entry = _leaving(board, command.entry_id)
            return [EntryLeft(entry_id=entry.id, label=label_of(board, entry))]
        case Cancel():
            entry = _leaving(board, command.entry_id)
            return [EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=command.reason)]
        case Reprioritise():
            entry = _entry(board, command.entry_id, "waiting", EntryNotWaiting)
            return [
                EntryReprioritised(
                    entry_id=entry.id,
                    label=label_of(board, entry),
                    priority=command.priority,
                    band=ranking.band(command.priority),
                    place=ranking.place(entry.due_at, command.priority, board.site.rules),
                    reason=command.reason,
                )
            ]
        case Move():
            return _move(board, command)
        case RunningLate():
            return _running_late(board, command, now)
        case Undo():
            return _undo(board, command, now, may)
        case Reopen():
            entry = _entry(board, command.entry_id)
            if entry.state not in ("completed", "left", "cancelled", "no_show"):
                raise EntryNotEnded(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
            _refuse_if_elsewhere(board, entry)
            return [EntryReopened(entry_id=entry.id, label=label_of(board, entry))]
        case OpenPoint():
            point = _point_not(board, command.point_id, "open")
            return [PointOpened(point_id=point.id)]
        case BreakPoint():
            point = _point_not(board, command.point_id, "on_break")
            return [PointBreakBegan(point_id=point.id)]
        case ClosePoint():
            point = _point_not(board, command.point_id, "closed")
            refuse_busy(board, point)
            return [PointClosed(point_id=point.id)]
        case OpenQueue() | PauseQueue():
            queue = find_queue(board, command.queue_id)
            pause = isinstance(command, PauseQueue)
            if queue.paused == pause:
                raise QueueAlready(queue_id=queue.id, queue_name=queue.name, state="paused" if pause else "open")
            return [QueuePaused(queue_id=queue.id) if pause else QueueOpened(queue_id=queue.id)]
        case BroadcastMessage():
            return [MessageBroadcast(message=command.message)]
        case CloseDay():
            ending = open_entries(board)
            ended: list[Event] = [
                EntryCancelled(entry_id=entry.id, label=label_of(board, entry), reason=command.reason) for entry in ending
            ]
            return [*ended, DayClosed(reason=command.reason, ended=len(ending))]
        case AmendVisit():
            return _amend(board, command)
        case ReassignProvider():
            return _reassign(board, command)
        case _:
            return furnish(board, command, now, token_hash)


def tick(board: Board, now: int) -> list[Event]:
    """Return what the clock has to do at ``now``: absences end, the day turns, those who wait are quoted anew.

    Raises `NothingDue` when it is not time for anything.
    """
    events = overdue(board, now)
    if not events and board.anybody_waiting and now >= board.site.quoted_at + REQUOTE_MICROSECONDS:
        events = [quoting.requote(board, now)]
    if not events:
        raise NothingDue(site_id=board.site.id)
    return events


def overdue(board: Board, now: int) -> list[Event]:
    """Return what must have happened before any other command at ``now``: the day's turn, or the absences that are over."""
    if due := turn_of_day(board, now):
        return due  # the turn ends every absence by ending the entry
    return [
        AbsenceEnded(entry_id=entry_id, label=label_of(board, board.entries[entry_id]))
        for entry_id, until in sorted(board.absent().items())
        if until <= now
    ]


def turn_of_day(board: Board, now: int) -> list[Event]:
    """Return the events of the day's turn, if it is time: what is open expires, and the new day begins.

    Empty before the turn. A site's day never goes back, whatever its clock or zone does.
    """
    site = board.site
    today = tickets.business_day(now, site.time_zone, site.day_turns_at_minutes)
    if today <= site.business_day:
        return []
    turn = tickets.next_turn(today, site.time_zone, site.day_turns_at_minutes)
    left = open_entries(board)
    if site.rules.round_the_clock:
        return [DayTurned(business_day=today, next_turn_at=turn, carried=tuple(entry.id for entry in left))]
    events: list[Event] = [
        EntryExpired(entry_id=entry.id, label=label_of(board, entry), was=entry.state)  # type: ignore[arg-type]
        for entry in left
    ]
    return [*events, DayTurned(business_day=today, next_turn_at=turn)]


def _issue(board: Board, command: IssueTicket, now: int, token_hash: str, may: Callable[[str], bool]) -> list[Event]:
    queue, rules = find_queue(board, command.queue_id), board.site.rules
    if queue.paused:
        raise QueueIsPaused(queue_id=queue.id, queue_name=queue.name)
    # A patient at a kiosk can neither be more urgent than others nor come when nobody may.
    if command.priority != "standard" and not may("reprioritise"):
        raise NotAllowed(action="reprioritise")
    if not command.overrule:
        _refuse_no_room(board, queue, now)
    elif not may("overrule-limits"):
        raise NotAllowed(action="overrule-limits")
    provider_id = named_provider(board, command.provider_id)
    number = _next_number(board, queue.prefix)
    ids = new_ids(board)
    visit_id, entry_id = next(ids), next(ids)
    place, band = ranking.place(now, command.priority, rules), ranking.band(command.priority)
    needs = each_once(command.needs)
    quote = quoting.first_quote(board, Rank(band, place, entry_id), Lane(queue.id, provider_id, needs), now)
    return [
        TicketIssued(
            visit_id=visit_id,
            entry_id=entry_id,
            queue_id=queue.id,
            label=tickets.label(queue.prefix, number),
            prefix=queue.prefix,
            number=number,
            priority=command.priority,
            party_size=command.party_size,
            language=command.language or board.site.language,
            display_name=_display_name(command.name)
            if command.name and command.name_on_display and rules.names_on_display
            else None,
            band=band,
            place=place,
            due_at=now,
            expect_from=quote.expect_from,
            expect_until=quote.expect_until,
            estimating=quote.estimating,
            token_hash=token_hash,
            personal=Personal(
                name=command.name,
                phone=command.phone,
                email=command.email,
                date_of_birth=command.date_of_birth,
                notes=command.notes,
            ),
            needs=needs,
            provider_id=provider_id,
            quoted_ahead=quote.ahead,
            quoted_points=quote.points,
        )
    ]


def _refuse_no_room(board: Board, queue: Queue, now: int) -> None:
    """Raise `SiteClosed` outside the opening hours, `QueueFull` when as many wait as may."""
    site = board.site
    if not hours.is_open(now, site.time_zone, site.rules):
        raise SiteClosed(site_id=site.id, site_name=site.name)
    if queue.capacity:
        coming = sum(board.entries[entry_id].queue_id == queue.id for entry_id in board.absent())
        if len(board.waiting(queue.id)) + coming >= queue.capacity:
            raise QueueFull(queue_id=queue.id, queue_name=queue.name, capacity=queue.capacity)


def _next_number(board: Board, prefix: str) -> int:
    """Return the next ticket number of a prefix today. Where the site never closes, yesterday's tickets may still be open
    under their numbers: those are passed over."""
    counter = board.counters.get(prefix)
    number = 1 if counter is None else counter.last + 1
    if board.site.rules.round_the_clock:
        taken = {visit.label for visit in board.visits.values()}
        while tickets.label(prefix, number) in taken:
            number += 1
    return number


def _amend(board: Board, command: AmendVisit) -> list[Event]:
    entry = _entry(board, command.entry_id)
    visit = board.visits[entry.visit_id]
    if entry.state not in OPEN_STATES:
        raise EntryNotOpen(entry_id=entry.id, label=visit.label, state=entry.state)
    party_size = visit.party_size if command.party_size is None else command.party_size
    language = visit.language if command.language is None else command.language
    needs = visit.needs if command.needs is None else each_once(command.needs)
    told = Personal(name=command.name, phone=command.phone)
    if told == Personal():  # what is sealed cannot be compared here: telling it is a change
        refuse_unchanged(visit, party_size=party_size, language=language, needs=needs)
    display_name = visit.display_name
    if display_name is not None and command.name is not None:  # the patient had agreed
        display_name = _display_name(command.name) if command.name else None
    return [
        VisitAmended(
            visit_id=visit.id,
            entry_id=entry.id,
            label=visit.label,
            party_size=party_size,
            language=language,
            needs=needs,
            display_name=display_name,
            personal=None if told == Personal() else told,
        )
    ]


def _reassign(board: Board, command: ReassignProvider) -> list[Event]:
    provider = find_provider(board, command.provider_id)
    to_provider_id = named_provider(board, command.to_provider_id)
    if to_provider_id == provider.id:
        raise SameProvider(provider_id=provider.id)
    # Who is called or served already is with them.
    theirs = [entry for entry in open_entries(board) if entry.provider_id == provider.id and entry.state not in BUSY_STATES]
    if not theirs:
        raise NothingToReassign(provider_id=provider.id, provider_name=provider.name)
    return [
        ProviderReassigned(
            provider_id=provider.id,
            to_provider_id=to_provider_id,
            entry_ids=tuple(entry.id for entry in theirs),
            labels=tuple(label_of(board, entry) for entry in theirs),
            reason=command.reason,
        )
    ]


def _call_next(board: Board, command: CallNext) -> list[Event]:
    point = _free_point(board, command.point_id)
    entry = ranking.next_for(board, point)
    if entry is None:
        raise NobodyWaiting(point_id=point.id, point_name=point.name)
    return _called(board, entry, point, ranking.reason(board, entry, point))


def _call(board: Board, command: Call) -> list[Event]:
    entry = _entry(board, command.entry_id, "waiting", EntryNotWaiting)
    point = _free_point(board, command.point_id)
    label, visit = label_of(board, entry), board.visits[entry.visit_id]
    if entry.queue_id not in point.queue_ids:
        raise QueueNotServed(point_id=point.id, point_name=point.name, queue_id=entry.queue_id)
    if entry.provider_id not in (None, point.provider_id):
        provider = board.providers[entry.provider_id or 0]
        raise EntryForAnother(entry_id=entry.id, label=label, provider_name=provider.name, point_name=point.name)
    for need in visit.needs:
        if need in point.unmet_needs:
            raise NeedNotMet(entry_id=entry.id, label=label, point_name=point.name, need=need)
    return _called(board, entry, point, f"{label_of(board, entry)}: called by name")


def _called(board: Board, entry: Entry, point: Point, reason: str) -> list[Event]:
    return [
        TicketCalled(
            entry_id=entry.id,
            point_id=point.id,
            announcement_id=next(new_ids(board)),
            label=label_of(board, entry),
            reason=reason,
        )
    ]


def _return(board: Board, command: Return, now: int) -> list[Event]:
    entry = _entry(board, command.entry_id)
    if entry.state not in ("held", "no_show"):
        raise EntryNotHeld(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    _refuse_if_elsewhere(board, entry)
    # They wait behind those who joined up to so long ago.
    due_at = max(entry.due_at, now - board.site.rules.return_lead * ranking.MINUTE)
    # The place keeps whatever distance from the due time it had, by class or by a move.
    place = entry.place + due_at - entry.due_at
    return [EntryReturned(entry_id=entry.id, label=label_of(board, entry), place=place, due_at=due_at)]


def _move(board: Board, command: Move) -> list[Event]:
    entry = _entry(board, command.entry_id, "waiting", EntryNotWaiting)
    behind = None
    if command.behind_entry_id is not None:
        behind = _entry(board, command.behind_entry_id)
        waits_beside = behind.state == "waiting" and behind.absent_until is None and behind.queue_id == entry.queue_id
        if not waits_beside or behind.band != entry.band or behind.id == entry.id:
            raise NoNeighbour(entry_id=entry.id, behind_entry_id=behind.id)
    place, pushed = ranking.places_behind(board, entry, behind)
    return [EntryMoved(entry_id=entry.id, label=label_of(board, entry), place=place, reason=command.reason, pushed=pushed)]


def _running_late(board: Board, command: RunningLate, now: int) -> list[Event]:
    entry = _entry(board, command.entry_id, "waiting", EntryNotWaiting)
    label = label_of(board, entry)
    if command.minutes == 0:
        return [AbsenceEnded(entry_id=entry.id, label=label)]
    until = now + command.minutes * ranking.MINUTE
    return [PatientRunningLate(entry_id=entry.id, label=label, absent_until=until)]


def _undo(board: Board, command: Undo, now: int, may: Callable[[str], bool]) -> list[Event]:
    entry = _entry(board, command.entry_id)
    label = label_of(board, entry)
    undo = entry.undo
    if undo is None or now - undo["at"] > UNDO_MICROSECONDS:
        raise NothingToUndo(entry_id=entry.id, label=label)
    if not any(may(name) for name in COMMANDS_OF_STEP[undo["step"]]):
        raise NotAllowed(action=COMMANDS_OF_STEP[undo["step"]][0])
    later = board.latest_entry(entry.visit_id)
    if later is not None and later.id != entry.id and (later.state != "waiting" or later.undo is not None):
        raise LaterStepDepends(entry_id=entry.id, label=label)
    back_to = undo["back_to"]
    if back_to["state"] in BUSY_STATES:
        guest = board.entry_at(back_to["point_id"])
        if guest is not None and guest.id != entry.id:
            refuse_busy(board, board.points[back_to["point_id"]])
    heard = undo["step"] == TicketCalled.name_on_wire()
    return [
        StepUndone(
            entry_id=entry.id,
            label=label,
            step=undo["step"],
            point_id=entry.point_id,
            announcement_id=next(new_ids(board)) if heard else None,
        )
    ]


def _transfer(board: Board, command: Transfer, now: int) -> list[Event]:
    entry = _entry(board, command.entry_id)
    if entry.state not in ("waiting", "called", "serving"):
        raise EntryNotOpen(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    queue = find_queue(board, command.queue_id)
    if queue.id == entry.queue_id:
        raise SameQueue(entry_id=entry.id, queue_id=queue.id)
    new_entry_id = next(new_ids(board))
    visit, rules = board.visits[entry.visit_id], board.site.rules
    provider_id = named_provider(board, command.provider_id)
    due_at, place, moved = entry.due_at, entry.place, entry.moved
    if queue.joins_anew:
        due_at, place, moved = now, ranking.place(now, visit.priority, rules), False
    rank, lane = Rank(entry.band, place, new_entry_id), Lane(queue.id, provider_id, visit.needs)
    quote = quoting.first_quote(board, rank, lane, now)
    return [
        TicketTransferred(
            entry_id=entry.id,
            new_entry_id=new_entry_id,
            queue_id=queue.id,
            label=visit.label,
            band=entry.band,
            place=place,
            due_at=due_at,
            expect_from=quote.expect_from,
            expect_until=quote.expect_until,
            estimating=quote.estimating,
            provider_id=provider_id,
            moved=moved,
            quoted_ahead=quote.ahead,
            quoted_points=quote.points,
        )
    ]


def _entry(board: Board, entry_id: int, state: State | None = None, otherwise: type[Refused] = Refused) -> Entry:
    """Return the entry, which must be in ``state``; else raise ``otherwise`` with the state it is in."""
    entry = board.entries.get(entry_id)
    if entry is None:
        raise EntryNotFound(entry_id=entry_id)
    if state is not None and entry.state != state:
        raise otherwise(entry_id=entry_id, label=label_of(board, entry), state=entry.state)
    return entry


def _point_of(entry: Entry) -> int:
    assert entry.point_id is not None, "a called entry has a point"
    return entry.point_id


def _free_point(board: Board, point_id: int) -> Point:
    """Return a point that can call: it is open, and nobody is at it. Raises `PointNotOpen`, `PointBusy`."""
    point = find_point(board, point_id)
    if point.state != "open":
        raise PointNotOpen(point_id=point.id, point_name=point.name, state=point.state)
    refuse_busy(board, point)
    return point


def _point_not(board: Board, point_id: int, state: PointState) -> Point:
    point = find_point(board, point_id)
    if point.state == state:
        raise PointAlready(point_id=point.id, point_name=point.name, state=state)
    return point


def _leaving(board: Board, entry_id: int) -> Entry:
    entry = _entry(board, entry_id)
    if entry.state not in ("waiting", "held"):
        raise EntryNotLeaving(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    return entry


def _refuse_if_elsewhere(board: Board, entry: Entry) -> None:
    """A visit has at most one open entry: raise `VisitGoesOn` if it has another."""
    latest = board.latest_entry(entry.visit_id)
    if latest is not None and latest.id != entry.id and latest.state in OPEN_STATES:
        raise VisitGoesOn(entry_id=entry.id, label=label_of(board, entry))


def _display_name(name: str) -> str:
    """Return the given name and the last name's initial: all that a display may ever show of a name."""
    given, *rest = name.split()
    return f"{given} {rest[-1][0]}." if rest else given
