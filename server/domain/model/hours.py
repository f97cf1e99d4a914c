"""Opening hours, by the wall clock of the site's time zone."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.domain.errors import InvalidField
from server.domain.model import local_time
from server.domain.model.site import Rules

DAY_MINUTES = 24 * 60
DAYS_AHEAD = 14


def is_open(now: int, time_zone: str, rules: Rules) -> bool:
    """Return whether a site is open at ``now`` (microseconds).

    A site without hours is open all day, except on the days in ``closed_on``.
    """
    local = local_time.wall_clock(now, time_zone)
    if local.date().isoformat() in rules.closed_on:
        return False
    minutes = local.hour * 60 + local.minute
    return not rules.hours or any(day == local.weekday() and begin <= minutes < until for day, begin, until in rules.hours)


def next_opening(now: int, time_zone: str, rules: Rules) -> int | None:
    """Return the instant (microseconds) at which a site that is closed at ``now`` opens next.

    None if it opens on none of the next `DAYS_AHEAD` days.
    """
    today = local_time.wall_clock(now, time_zone).date()
    for ahead in range(DAYS_AHEAD + 1):
        day = today + timedelta(days=ahead)
        begins = [begin for weekday, begin, _ in rules.hours if weekday == day.weekday()] if rules.hours else [0]
        instants = {instant for begin in begins for instant in local_time.instants_of(day.isoformat(), time_zone, begin)}
        # Hours that lie in a gap of the clock do not open. A repeated beginning opens twice.
        if opens := [each for each in instants if each > now and is_open(each, time_zone, rules)]:
            return min(opens)
    return None


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
