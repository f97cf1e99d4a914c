"""Apply events of tickets issued and visits corrected."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import habits
from server.domain.board.board import Board, Changes
from server.domain.board.first_steps import reach
from server.domain.board.steps import new_entry, restored, undo_of
from server.domain.events import Recorded, TicketIssued, VisitAmended
from server.domain.model import Counter, Visit


def ticket_issued(board: Board, event: TicketIssued, recorded: Recorded, changes: Changes) -> None:
    site, seq = board.site, recorded.seq
    if not board.anybody_waiting:  # this first patient has just been quoted
        board.site = replace(site, quoted_at=recorded.at)
    visit = Visit(
        id=event.visit_id,
        site_id=site.id,
        business_day=site.business_day,
        label=event.label,
        priority=event.priority,
        party_size=event.party_size,
        language=event.language,
        display_name=event.display_name,
        token_hash=event.token_hash,
        sealed=event.sealed,
        opened_at=recorded.at,
        seq=seq,
        needs=event.needs,
        joined_from=event.joined_from,
        trial=event.trial,
        appointment_id=event.appointment_id,
        booked_for=event.booked_for,
    )
    board.put(visit, changes)
    entry = new_entry(event.entry_id, visit.id, site, event, recorded)
    if event.appointment_id is not None:  # a check-in can be undone
        entry = replace(entry, undo=undo_of(entry, visit, recorded) | {"back_to": restored(entry) | {"state": "cancelled"}})
    board.put(entry, changes)
    habits.arrived(board, entry, recorded, changes)
    board.put(Counter(site.id, event.prefix, site.business_day, event.number, seq), changes)
    board.use_id(max(event.visit_id, event.entry_id))
    if not visit.trial:
        reach(board, "ticket-issued", changes)


def visit_amended(board: Board, event: VisitAmended, recorded: Recorded, changes: Changes) -> None:
    visit, seq = board.visits[event.visit_id], recorded.seq
    visit = replace(visit, party_size=event.party_size, language=event.language, needs=event.needs, seq=seq)
    if event.sealed is not None:
        visit = replace(visit, sealed=event.sealed, display_name=event.display_name)
    board.put(visit, changes)
    # The needs decide which points may call the entry: putting the entry again moves it to its new lane.
    board.put(replace(board.entries[event.entry_id], told=(), seq=seq), changes)
