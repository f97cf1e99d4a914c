"""Rules for calling and serving patients."""

from __future__ import annotations

from server.domain import ranking
from server.domain.board import Board
from server.domain.commands import Call, CallNext, Complete, NoShow, Recall, Start
from server.domain.errors import (
    EntryForAnother,
    EntryNotCalled,
    EntryNotServing,
    EntryNotWaiting,
    NeedNotMet,
    NobodyWaiting,
    PointNotOpen,
    QueueNotServed,
)
from server.domain.events import Event, NoShowRecorded, ServiceCompleted, ServiceStarted, TicketCalled, TicketRecalled
from server.domain.model import Entry, Point
from server.domain.rules.lookups import find_entry, find_point, label_of, new_ids, refuse_busy


def call_next(board: Board, command: CallNext) -> list[Event]:
    point = _free_point(board, command.point_id)
    entry = ranking.next_for(board, point)
    if entry is None:
        raise NobodyWaiting(point_id=point.id, point_name=point.name)
    return _called(board, entry, point, ranking.reason(board, entry, point))


def call(board: Board, command: Call) -> list[Event]:
    entry = find_entry(board, command.entry_id, "waiting", EntryNotWaiting)
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


def recall(board: Board, command: Recall) -> list[Event]:
    entry = find_entry(board, command.entry_id, "called", EntryNotCalled)
    return [
        TicketRecalled(
            entry_id=entry.id,
            point_id=_point_of(entry),
            announcement_id=next(new_ids(board)),
            label=label_of(board, entry),
        )
    ]


def start(board: Board, command: Start) -> list[Event]:
    entry = find_entry(board, command.entry_id, "called", EntryNotCalled)
    return [ServiceStarted(entry_id=entry.id, point_id=_point_of(entry), label=label_of(board, entry))]


def complete(board: Board, command: Complete) -> list[Event]:
    entry = find_entry(board, command.entry_id, "serving", EntryNotServing)
    return [ServiceCompleted(entry_id=entry.id, point_id=_point_of(entry), label=label_of(board, entry))]


def no_show(board: Board, command: NoShow) -> list[Event]:
    entry = find_entry(board, command.entry_id, "called", EntryNotCalled)
    return [NoShowRecorded(entry_id=entry.id, point_id=_point_of(entry), label=label_of(board, entry))]


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


def _free_point(board: Board, point_id: int) -> Point:
    """Return a point that is open and has no patient. Raises `PointNotFound`, `PointNotOpen` and `PointBusy`."""
    point = find_point(board, point_id)
    if point.state != "open":
        raise PointNotOpen(point_id=point.id, point_name=point.name, state=point.state)
    refuse_busy(board, point)
    return point


def _point_of(entry: Entry) -> int:
    assert entry.point_id is not None, "a called entry has a point"
    return entry.point_id
