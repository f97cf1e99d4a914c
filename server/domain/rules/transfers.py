"""Rules for sending patients to another queue or another provider."""

from __future__ import annotations

from server.domain import ranking
from server.domain.board import Board, open_entries
from server.domain.commands import ReassignProvider, Transfer
from server.domain.errors import EntryNotOpen, NothingToReassign, SameProvider, SameQueue
from server.domain.events import Event, ProviderReassigned, TicketTransferred
from server.domain.model import BUSY_STATES
from server.domain.ranking import Lane, Rank
from server.domain.rules import quoting
from server.domain.rules.lookups import find_entry, find_provider, find_queue, label_of, named_provider, new_ids


def transfer(board: Board, command: Transfer, now: int) -> list[Event]:
    entry = find_entry(board, command.entry_id)
    if entry.state not in ("waiting", "called", "serving"):
        raise EntryNotOpen(entry_id=entry.id, label=label_of(board, entry), state=entry.state)
    queue = find_queue(board, command.queue_id)
    if queue.id == entry.queue_id:
        raise SameQueue(entry_id=entry.id, queue_id=queue.id)
    new_entry_id = next(new_ids(board))
    visit, rules = board.visits[entry.visit_id], board.site.rules
    provider_id = named_provider(board, command.provider_id)
    due_at, place, moved, away, delay = entry.due_at, entry.place, entry.moved, entry.away, entry.delay
    if queue.joins_anew:
        due_at, place, moved, away, delay = now, ranking.place(now, visit.priority, rules), False, 0, 0
    # A called patient who is sent on is here. A late patient who waits stays absent.
    absent_until = entry.absent_until if entry.state == "waiting" else None
    rank, lane = Rank(entry.band, place, new_entry_id), Lane(queue.id, provider_id, visit.needs)
    quote = quoting.first_quote(board, rank, lane, now, absent_until or 0)
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
            absent_until=absent_until,
            away=away,
            delay=delay,
        )
    ]


def reassign(board: Board, command: ReassignProvider) -> list[Event]:
    provider = find_provider(board, command.provider_id)
    to_provider_id = named_provider(board, command.to_provider_id)
    if to_provider_id == provider.id:
        raise SameProvider(provider_id=provider.id)
    # Called patients and patients in service stay with this provider.
    waiting = [entry for entry in open_entries(board) if entry.provider_id == provider.id and entry.state not in BUSY_STATES]
    if not waiting:
        raise NothingToReassign(provider_id=provider.id, provider_name=provider.name)
    return [
        ProviderReassigned(
            provider_id=provider.id,
            to_provider_id=to_provider_id,
            entry_ids=tuple(entry.id for entry in waiting),
            labels=tuple(label_of(board, entry) for entry in waiting),
            reason=command.reason,
        )
    ]
