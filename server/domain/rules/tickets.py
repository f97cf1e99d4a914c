"""Rules for issuing tickets and correcting visits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from server.domain import ranking
from server.domain.board import Board
from server.domain.calendar import Calendar
from server.domain.commands import AmendVisit, IssueTicket
from server.domain.errors import (
    AlreadyQueued,
    EntryNotOpen,
    HasAppointment,
    InvalidField,
    NamesNotShown,
    NotAllowed,
    QueueFull,
    QueueIsPaused,
    RequestExpired,
    SiteClosed,
)
from server.domain.events import Event, TicketIssued, VisitAmended
from server.domain.model import (
    OPEN_STATES,
    Appointment,
    Personal,
    Queue,
    Service,
    Visit,
    hours,
    languages,
    local_time,
    tickets,
)
from server.domain.model.short_names import short_name
from server.domain.ranking import Lane, Rank
from server.domain.rules import quoting
from server.domain.rules.lookups import each_once, find_entry, find_queue, named_provider, new_ids, refuse_unchanged

OLDEST_YEARS = 130


@dataclass(frozen=True, slots=True)
class Patients:
    """The personal data that rules may ask for.

    ``open_sealed`` returns the data of a visit or an appointment, or the true name of a service. ``namesakes`` returns
    today's visits that may have the name, and perhaps others.
    """

    open_sealed: Callable[[Visit | Appointment | Service], Personal]
    namesakes: Callable[[str], Iterable[Visit]]


NOBODY = Patients(lambda _: Personal(), lambda _: ())


def issue(
    board: Board,
    command: IssueTicket,
    now: int,
    token_hash: str,
    may: Callable[[str], bool],
    patients: Patients,
    calendar: Calendar,
) -> list[Event]:
    queue = find_queue(board, command.queue_id)
    if command.valid_until is not None and now > command.valid_until * 1000:
        raise RequestExpired(queue_id=queue.id)
    if queue.paused:
        raise QueueIsPaused(queue_id=queue.id, queue_name=queue.name)
    # A kiosk can neither raise the priority nor issue a ticket while the site is closed or the queue full.
    if command.priority != "standard" and not may("reprioritise"):
        raise NotAllowed(action="reprioritise")
    if command.trial:
        if not may("end-trial"):  # who starts a trial must be able to end it
            raise NotAllowed(action="end-trial")
    elif not command.overrule:
        refuse_no_room(board, queue, now)
    elif not may("overrule-limits"):
        raise NotAllowed(action="overrule-limits")
    refuse_impossible_birth(board, command.date_of_birth, now)
    personal = personal_of(command)
    # The refusal names another ticket: only callers who may read personal data get it.
    if not command.second_ticket and may("read-personal"):
        _refuse_second_ticket(board, personal, Personal(), patients)
        if command.phone:
            _refuse_booked(board, calendar.phone_hash(command.phone))
    return [issued(board, queue, command, now, now, token_hash)]


def personal_of(command: IssueTicket) -> Personal:
    """Return the personal data that a command gives."""
    return Personal(
        name=command.name,
        phone=command.phone,
        email=command.email,
        date_of_birth=command.date_of_birth,
        notes=command.notes,
    )


def issued(board: Board, queue: Queue, command: IssueTicket, now: int, due_at: int, token_hash: str) -> TicketIssued:
    """Return the event that issues the next ticket of a queue, to a patient who counts as joined at ``due_at``."""
    rules = board.site.rules
    provider_id = named_provider(board, command.provider_id)
    number = _next_number(board, queue.prefix)
    ids = new_ids(board)
    visit_id, entry_id = next(ids), next(ids)
    place, band = ranking.place(due_at, command.priority, rules), ranking.band(command.priority)
    needs = each_once(command.needs)
    quote = quoting.first_quote(board, Rank(band, place, entry_id), Lane(queue.id, provider_id, needs), now)
    language = languages.usual(command.language) if command.language else board.site.language
    return TicketIssued(
        visit_id=visit_id,
        entry_id=entry_id,
        queue_id=queue.id,
        label=tickets.label(queue.prefix, number),
        prefix=queue.prefix,
        number=number,
        priority=command.priority,
        party_size=command.party_size,
        language=language,
        display_name=short_name(command.name, language)
        if command.name and command.name_on_display and rules.names_on_display
        else None,
        band=band,
        place=place,
        due_at=due_at,
        expect_from=quote.expect_from,
        expect_until=quote.expect_until,
        estimating=quote.estimating,
        token_hash=token_hash,
        personal=personal_of(command),
        needs=needs,
        provider_id=provider_id,
        quoted_ahead=quote.ahead,
        quoted_points=quote.points,
        trial=command.trial,
    )


def amend(board: Board, command: AmendVisit, now: int, patients: Patients) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    visit = board.visits[entry.visit_id]
    if entry.state not in OPEN_STATES:
        raise EntryNotOpen(entry_id=entry.id, label=visit.label, state=entry.state)
    refuse_impossible_birth(board, command.date_of_birth, now)
    party_size = visit.party_size if command.party_size is None else command.party_size
    language = visit.language if command.language is None else languages.usual(command.language)
    needs = visit.needs if command.needs is None else each_once(command.needs)
    known = patients.open_sealed(visit)
    personal = known.corrected(Personal(name=command.name, phone=command.phone, date_of_birth=command.date_of_birth))
    if personal != known and not command.second_ticket:
        _refuse_second_ticket(board, personal, known, patients)
    if command.name_on_display and not board.site.rules.names_on_display:
        raise NamesNotShown(site_name=board.site.name)
    agreed = visit.display_name is not None if command.name_on_display is None else command.name_on_display
    display_name = short_name(personal.name, language) if agreed and personal.name else None
    told = (personal, display_name) != (known, visit.display_name)
    if not told:
        refuse_unchanged(visit, party_size=party_size, language=language, needs=needs)
    return [
        VisitAmended(
            visit_id=visit.id,
            entry_id=entry.id,
            label=visit.label,
            party_size=party_size,
            language=language,
            needs=needs,
            display_name=display_name,
            personal=personal if told else None,
        )
    ]


def refuse_impossible_birth(board: Board, date_of_birth: str | None, now: int) -> None:
    """Raise `InvalidField` for a date of birth that is later than today at the site, or more than 130 years ago."""
    if not date_of_birth:
        return
    today = local_time.wall_clock(now, board.site.time_zone).date().isoformat()
    if date_of_birth > today:
        raise InvalidField(field="date_of_birth", problem="a date of birth is not in the future")
    if int(date_of_birth[:4]) < int(today[:4]) - OLDEST_YEARS:
        raise InvalidField(field="date_of_birth", problem=f"a date of birth is at most {OLDEST_YEARS} years ago")


def _refuse_second_ticket(board: Board, personal: Personal, before: Personal, patients: Patients) -> None:
    """Raise `AlreadyQueued` if another open visit probably has the same patient, and had not with the data ``before``."""
    if not personal.name or not (personal.phone or personal.date_of_birth):
        return
    for visit in patients.namesakes(personal.name):
        entry = board.latest_entry(visit.id)
        if entry is None or entry.state not in OPEN_STATES:
            continue
        other = patients.open_sealed(visit)
        if other.is_probably(personal) and not other.is_probably(before) and other != before:
            raise AlreadyQueued(
                entry_id=entry.id,
                label=visit.label,
                state=entry.state,
                queue_name=board.queues[entry.queue_id].name,
            )


def _refuse_booked(board: Board, phone_hash: str) -> None:
    """Raise `HasAppointment` if the phone number has an appointment today that waits for its check-in."""
    for each in board.appointments.values():
        if each.state == "booked" and each.phone_hash == phone_hash:
            raise HasAppointment(appointment_id=each.id, local_start=each.local_start)


def refuse_no_room(board: Board, queue: Queue, now: int) -> None:
    """Raise `SiteClosed` outside the opening hours, and `QueueFull` if the queue is at its capacity."""
    site = board.site
    if not hours.is_open(now, site.time_zone, site.rules):
        raise SiteClosed(site_id=site.id, site_name=site.name)
    if board.is_full(queue):
        raise QueueFull(queue_id=queue.id, queue_name=queue.name, capacity=queue.capacity)


def _next_number(board: Board, prefix: str) -> int:
    """Return the next ticket number of a prefix today.

    At a site that never closes, or did not when the day turned, tickets of yesterday may still be open. Their numbers are
    skipped.
    """
    counter = board.counters.get(prefix)
    number = 1 if counter is None else counter.last + 1
    while board.has_label(tickets.label(prefix, number)):
        number += 1
    return number
