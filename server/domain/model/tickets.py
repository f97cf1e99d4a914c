"""Ticket labels and the business day.

A business day is local to its site. It turns at a set wall-clock time (04:00 unless the site sets another), so the ticket
numbers of a night clinic do not restart at UTC midnight, in the middle of its evening.
"""

from __future__ import annotations

from datetime import date, timedelta

from server.domain.model import local_time


def label(prefix: str, number: int) -> str:
    """Return a ticket's public label: the prefix and at least three digits."""
    return f"{prefix}{number:03d}"


def business_day(now: int, time_zone: str, turns_at_minutes: int) -> str:
    """Return the site's business day at ``now`` (microseconds) as an ISO date.

    The wall clock decides: before ``turns_at_minutes`` past local midnight it is still yesterday, also in a night in which
    the clocks change.
    """
    local = local_time.wall_clock(now, time_zone)
    minutes = local.hour * 60 + local.minute
    day = local.date() if minutes >= turns_at_minutes else local.date() - timedelta(days=1)
    return day.isoformat()


def begin_of(day: str, time_zone: str, turns_at_minutes: int) -> int:
    """Return the instant (microseconds) at which the business day ``day`` begins: the turn of the day before."""
    return next_turn((date.fromisoformat(day) - timedelta(days=1)).isoformat(), time_zone, turns_at_minutes)


def next_turn(day: str, time_zone: str, turns_at_minutes: int) -> int:
    """Return the instant (microseconds) at which the business day ``day`` ends.

    A turn in a spring gap moves forward to the end of the gap. In a repeated hour the first of the two counts.
    """
    following = date.fromisoformat(day) + timedelta(days=1)
    return local_time.first_instant(following.isoformat(), time_zone, turns_at_minutes)
