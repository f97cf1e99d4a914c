"""Opening hours: whether a site is open at an instant, by the wall clock of its own zone."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.domain.errors import InvalidField
from server.domain.model import tickets
from server.domain.model.entities import Rules

DAY_MINUTES = 24 * 60


def is_open(now: int, time_zone: str, rules: Rules) -> bool:
    """Return whether a site is open at ``now`` (microseconds). Without hours it is, but for the days it is closed on."""
    local = tickets.wall_clock(now, time_zone)
    if local.date().isoformat() in rules.closed_on:
        return False
    minutes = local.hour * 60 + local.minute
    return not rules.hours or any(day == local.weekday() and begin <= minutes < until for day, begin, until in rules.hours)


def refuse_wrong(rules: Rules) -> None:
    """Raise `InvalidField` unless a site's hours are each within one day, none overlap, and its closed days are dates."""
    last: dict[int, int] = {}
    for day, begin, until in sorted(rules.hours):
        if not (0 <= day <= 6 and 0 <= begin < until <= DAY_MINUTES):
            problem = f"({day}, {begin}, {until}) is no weekday 0 to 6 with minutes from before until, up to 1440"
            raise InvalidField(field="hours", problem=problem)
        if begin < last.get(day, 0):
            raise InvalidField(field="hours", problem=f"two of weekday {day} overlap")
        last[day] = until
    for each in rules.closed_on:
        if not _is_date(each):
            raise InvalidField(field="closed_on", problem=f"{each[:20]!r} is no date like 2026-12-25")


def is_time_zone(name: str) -> bool:
    """Return whether there is a time zone of this IANA name."""
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
