"""Rules for joining a queue with a patient's own phone."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from server.domain.board import Board
from server.domain.calendar import NO_CALENDAR
from server.domain.commands import IssueTicket, JoinQueue
from server.domain.errors import (
    JoinCodeNeeded,
    JoinedAlready,
    JoinedTooOften,
    JoiningIsOff,
    JoiningTooMany,
    PhoneNumberNeeded,
    QueueIsPaused,
)
from server.domain.events import Event, TicketIssued
from server.domain.model import OPEN_STATES, Queue, Visit, hours
from server.domain.rules import tickets
from server.domain.rules.lookups import find_queue

HOUR = 3_600_000_000

Room = Literal["open", "paused", "full"]


def join(board: Board, command: JoinQueue, now: int, token_hash: str) -> list[Event]:
    refuse(board, command, now)
    phone = None if board.site.rules.phone_when_joining == "none" else command.phone
    # A phone has no right beyond the ticket itself: no priority, and no ticket while the site is closed or the queue full.
    ticket = IssueTicket(queue_id=command.queue_id, language=command.language, phone=phone)
    issued = tickets.issue(board, ticket, now, token_hash, lambda _: False, tickets.NOBODY, NO_CALENDAR)
    return [replace(each, joined_from=command.joined_from) if isinstance(each, TicketIssued) else each for each in issued]


def refuse(board: Board, command: JoinQueue, now: int) -> None:
    """Raise by name unless the phone may join the queue now. The check costs little, also for a long line."""
    rules = board.site.rules
    if rules.joining == "off":
        raise JoiningIsOff()
    queue = find_queue(board, command.queue_id)
    if (visit := open_visit_of(board, command.joined_from)) is not None:
        raise JoinedAlready(visit_id=visit.id, label=visit.label)
    if rules.joining == "presence" and not command.present:
        raise JoinCodeNeeded()
    refuse_over_limits(board, command.joined_from, now)
    if rules.phone_when_joining == "required" and not command.phone:
        raise PhoneNumberNeeded(field="phone", problem="this clinic needs a phone number")
    if queue.paused:
        raise QueueIsPaused(queue_id=queue.id, queue_name=queue.name)
    tickets.refuse_no_room(board, queue, now)


def open_visit_of(board: Board, joined_from: str) -> Visit | None:
    """Return the open visit of a phone today, or None."""
    for visit in board.visits.values():
        if visit.joined_from == joined_from:
            entry = board.latest_entry(visit.id)
            if entry is not None and entry.state in OPEN_STATES:
                return visit
    return None


def refuse_over_limits(board: Board, joined_from: str, now: int) -> None:
    """Raise `JoinedTooOften` or `JoiningTooMany` if the phone, or the site, has had its tickets of the last hour.

    The board has the visits of today, and the site is locked: the count is exact, whichever processes serve the phones.
    """
    rules = board.site.rules
    joins = [visit for visit in board.visits.values() if visit.joined_from is not None and visit.opened_at > now - HOUR]
    own = sorted(visit.opened_at for visit in joins if visit.joined_from == joined_from)
    if len(own) >= rules.joins_per_phone:
        raise JoinedTooOften(limit=rules.joins_per_phone, retry_after=_seconds_until(own[-rules.joins_per_phone], now))
    if len(joins) >= rules.joins_per_hour:
        oldest = sorted(visit.opened_at for visit in joins)[-rules.joins_per_hour]
        raise JoiningTooMany(retry_after=_seconds_until(oldest, now))


def room_in(board: Board, queue: Queue) -> Room:
    """Return whether a phone may join a queue of an open site: it may be paused or full."""
    if queue.paused:
        return "paused"
    return "full" if board.is_full(queue) else "open"


def may_join_now(board: Board, now: int) -> bool:
    """Return whether a phone may join some queue of the site now, or when the queue has room again."""
    site = board.site
    return (
        site.rules.joining != "off"
        and hours.is_open(now, site.time_zone, site.rules)
        and any(not queue.removed_at for queue in board.queues.values())
    )


def _seconds_until(joined_at: int, now: int) -> int:
    """Return the whole seconds until a ticket of ``joined_at`` no longer counts, at least one."""
    return max(1, -((now - HOUR - joined_at) // 1_000_000))
