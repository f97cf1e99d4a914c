"""Opening hours, by the wall clock of the site's time zone."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.domain.errors import InvalidField
from server.domain.model import tickets
from server.domain.model.site import Rules

DAY_MINUTES = 24 * 60


def is_open(now: int, time_zone: str, rules: Rules) -> bool:
    """Return whether a site is open at ``now`` (microseconds).

    A site without hours is open all day, except on the days in ``closed_on``.
    """
    local = tickets.wall_clock(now, time_zone)
    if local.date().isoformat() in rules.closed_on:
        return False
    minutes = local.hour * 60 + local.minute
    return not rules.hours or any(day == local.weekday() and begin <= minutes < until for day, begin, until in rules.hours)


def validate(rules: Rules) -> None:
    """Check opening hours and closed days.

    Raises `InvalidField` for hours that leave their day or overlap, and for a closed day that is not an ISO date.
    """
    last: dict[int, int] = {}
    for day, begin, until in sorted(rules.hours):
        if not (0 <= day <= 6 and 0 <= begin < until <= DAY_MINUTES):
            problem = f"({day}, {begin}, {until}) must be a weekday 0 to 6, a minute of the day, and a later one up to 1440"
            raise InvalidField(field="hours", problem=problem)
        if begin < last.get(day, 0):
            raise InvalidField(field="hours", problem=f"two ranges of weekday {day} overlap")
        last[day] = until
    for each in rules.closed_on:
        if not _is_date(each):
            raise InvalidField(field="closed_on", problem=f"{each[:20]!r} is not a date like 2026-12-25")


def is_time_zone(name: str) -> bool:
    """Return whether a time zone with this IANA name exists."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
