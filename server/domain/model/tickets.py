"""Ticket labels and the business day.

A business day is local to its site. It turns at a set wall-clock time (04:00 unless the site sets another), so the ticket
numbers of a night clinic do not restart at UTC midnight, in the middle of its evening.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def label(prefix: str, number: int) -> str:
    """Return a ticket's public label: the prefix and at least three digits."""
    return f"{prefix}{number:03d}"


def wall_clock(now: int, time_zone: str) -> datetime:
    """Return the local time in a time zone at ``now`` (microseconds)."""
    return (_EPOCH + now * _MICROSECOND).astimezone(ZoneInfo(time_zone))


def business_day(now: int, time_zone: str, turns_at_minutes: int) -> str:
    """Return the site's business day at ``now`` (microseconds) as an ISO date.

    The wall clock decides: before ``turns_at_minutes`` past local midnight it is still yesterday, also in a night in which
    the clocks change.
    """
    local = wall_clock(now, time_zone)
    minutes = local.hour * 60 + local.minute
    day = local.date() if minutes >= turns_at_minutes else local.date() - timedelta(days=1)
    return day.isoformat()


def next_turn(day: str, time_zone: str, turns_at_minutes: int) -> int:
    """Return the instant (microseconds) at which the business day ``day`` ends.

    A turn in a spring gap moves forward to the end of the gap. In a repeated hour the first of the two counts.
    """
    wall = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), ZoneInfo(time_zone))
    wall = wall.replace(hour=turns_at_minutes // 60, minute=turns_at_minutes % 60, fold=0)
    instant = wall.astimezone(UTC)
    if instant.astimezone(wall.tzinfo).replace(fold=0) != wall:  # the wall time does not exist on that day
        gap = wall.replace(fold=0).utcoffset(), wall.replace(fold=1).utcoffset()
        assert gap[0] is not None
        assert gap[1] is not None
        instant = _end_of_gap(wall, gap[1] - gap[0])
    return (instant - _EPOCH) // _MICROSECOND


def _end_of_gap(wall: datetime, size: timedelta) -> datetime:
    """Return the first instant after the gap that contains ``wall``. ``size`` is the jump of the clock."""
    # Read with fold=0, a time in a gap lies behind the jump, by up to the gap's size; with fold=1 it lies before the jump.
    instant = wall.replace(fold=1).astimezone(UTC)
    offset_before = instant.astimezone(wall.tzinfo).utcoffset()
    step = timedelta(minutes=1)
    for _ in range(int(abs(size) / step) + 1):
        if instant.astimezone(wall.tzinfo).utcoffset() != offset_before:
            break
        instant += step
    return instant
