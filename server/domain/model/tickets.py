"""Ticket labels and the business day.

A business day is local to its site and turns at a set wall-clock time (04:00 unless the site says otherwise), so a night
clinic's numbers do not begin anew at UTC midnight in the middle of its evening.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def label(prefix: str, number: int) -> str:
    """Return a ticket's public label: a letter and three digits, longer when the day needs it."""
    return f"{prefix}{number:03d}"


def wall_clock(now: int, time_zone: str) -> datetime:
    """Return what the clocks of a zone show at ``now`` (microseconds)."""
    return (_EPOCH + now * _MICROSECOND).astimezone(ZoneInfo(time_zone))


def business_day(now: int, time_zone: str, turns_at_minutes: int) -> str:
    """Return the site's business day at ``now`` (microseconds) as an ISO date.

    The wall clock decides: before ``turns_at_minutes`` past local midnight it is still yesterday, however long the
    night was.
    """
    local = wall_clock(now, time_zone)
    minutes = local.hour * 60 + local.minute
    day = local.date() if minutes >= turns_at_minutes else local.date() - timedelta(days=1)
    return day.isoformat()


def next_turn(day: str, time_zone: str, turns_at_minutes: int) -> int:
    """Return the instant (microseconds) at which the business day ``day`` ends.

    A turn that falls into a spring gap moves forward to the gap's end; of a repeated hour the first counts.
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
    """Return the first instant after the gap that swallowed ``wall``; ``size`` is how far the clock jumped."""
    # Read with fold=0 a time in a gap lies that far behind the jump, with fold=1 that far before it.
    instant = wall.replace(fold=1).astimezone(UTC)
    offset_before = instant.astimezone(wall.tzinfo).utcoffset()
    step = timedelta(minutes=1)
    for _ in range(int(abs(size) / step) + 1):
        if instant.astimezone(wall.tzinfo).utcoffset() != offset_before:
            break
        instant += step
    return instant
