"""Rules of a clinic's delay: the patients who get a message about it."""

from __future__ import annotations

from server.domain.board import Board
from server.domain.commands import AnnounceDelay
from server.domain.errors import NoDelayAnnounced, NoMessageWays
from server.domain.events import DelayAnnounced, DelayWithdrawn, Event
from server.domain.messages import way_to
from server.domain.model import Appointment, Entry
from server.domain.model.local_time import MINUTE
from server.domain.rules.tickets import Patients

WINDOW = 120 * MINUTE


def announce(board: Board, command: AnnounceDelay, now: int, patients: Patients) -> list[Event]:
    ways = board.site.rules.message_ways
    if not ways:
        raise NoMessageWays(site_id=board.site.id)
    records = [
        board.visits[each.visit_id] if isinstance(each, Entry) else each for each in delayed(board, command.minutes, now)
    ]
    reached = sum(way_to(patients.open_sealed(each), ways) is not None for each in records)
    return [DelayAnnounced(minutes=command.minutes, reached=reached, without_address=len(records) - reached)]


def withdraw(board: Board) -> list[Event]:
    if not board.site.late_minutes:
        raise NoDelayAnnounced(site_id=board.site.id)
    return [DelayWithdrawn()]


def delayed(board: Board, minutes: int, now: int) -> list[Appointment | Entry]:
    """Return the appointments and the waiting entries that a delay concerns at ``now`` (microseconds).

    The appointments are those of the present day that begin within `WINDOW` or the delay, and those that have begun while
    their patients may still check in. An entry of a test patient is not included.
    """
    until = now + max(WINDOW, minutes * MINUTE)
    booked = [
        each
        for each in board.appointments_of_the_day()
        if each.state == "booked" and each.starts_at < until and board.site.rules.check_in_time(each.starts_at)[1] > now
    ]
    waiting = [each for each in board.entries.values() if each.state == "waiting" and not board.visits[each.visit_id].trial]
    return [*sorted(booked, key=lambda each: (each.starts_at, each.id)), *sorted(waiting, key=lambda each: each.id)]
