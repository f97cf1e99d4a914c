"""Rules for issuing tickets and correcting visits."""

from __future__ import annotations

from collections.abc import Callable

from server.domain import ranking
from server.domain.board import Board
from server.domain.commands import AmendVisit, IssueTicket
from server.domain.errors import EntryNotOpen, NotAllowed, QueueFull, QueueIsPaused, SiteClosed
from server.domain.events import Event, TicketIssued, VisitAmended
from server.domain.model import OPEN_STATES, Personal, Queue, hours, tickets
from server.domain.ranking import Lane, Rank
from server.domain.rules import quoting
from server.domain.rules.lookups import each_once, find_entry, find_queue, named_provider, new_ids, refuse_unchanged


def issue(board: Board, command: IssueTicket, now: int, token_hash: str, may: Callable[[str], bool]) -> list[Event]:
    queue, rules = find_queue(board, command.queue_id), board.site.rules
    if queue.paused:
        raise QueueIsPaused(queue_id=queue.id, queue_name=queue.name)
    # A kiosk can neither raise the priority nor issue a ticket while the site is closed or the queue full.
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


def amend(board: Board, command: AmendVisit) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    visit = board.visits[entry.visit_id]
    if entry.state not in OPEN_STATES:
        raise EntryNotOpen(entry_id=entry.id, label=visit.label, state=entry.state)
    party_size = visit.party_size if command.party_size is None else command.party_size
    language = visit.language if command.language is None else command.language
    needs = visit.needs if command.needs is None else each_once(command.needs)
    correction = Personal(name=command.name, phone=command.phone)
    if correction == Personal():  # sealed data cannot be compared here, so a correction of it always counts as a change
        refuse_unchanged(visit, party_size=party_size, language=language, needs=needs)
    display_name = visit.display_name
    if display_name is not None and command.name is not None:  # the patient had agreed to it
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
            personal=None if correction == Personal() else correction,
        )
    ]


def _refuse_no_room(board: Board, queue: Queue, now: int) -> None:
    """Raise `SiteClosed` outside the opening hours, and `QueueFull` if the queue is at its capacity."""
    site = board.site
    if not hours.is_open(now, site.time_zone, site.rules):
        raise SiteClosed(site_id=site.id, site_name=site.name)
    if queue.capacity:
        coming = sum(board.entries[entry_id].queue_id == queue.id for entry_id in board.absent())
        if len(board.waiting(queue.id)) + coming >= queue.capacity:
            raise QueueFull(queue_id=queue.id, queue_name=queue.name, capacity=queue.capacity)


def _next_number(board: Board, prefix: str) -> int:
    """Return the next ticket number of a prefix today.

    At a site that never closes, tickets of yesterday may still be open. Their numbers are skipped.
    """
    counter = board.counters.get(prefix)
    number = 1 if counter is None else counter.last + 1
    if board.site.rules.round_the_clock:
        taken = {visit.label for visit in board.visits.values()}
        while tickets.label(prefix, number) in taken:
            number += 1
    return number


def _display_name(name: str) -> str:
    """Return the given name and the initial of the last name: a display never shows more of a name."""
    given, *rest = name.split()
    return f"{given} {rest[-1][0]}." if rest else given
