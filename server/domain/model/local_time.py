"""Local times of a time zone and their instants, in nights in which the clocks change, too.

When the clocks go forward, the local times of the *gap* do not exist. When they go back, local times come twice: ``fold``
is 0 for the first and 1 for the second. Instants are microseconds UTC. A local time is text in minutes
(``2027-01-15T09:00``), of the years 1973 to 9998: since 1973 all zones differ from UTC by whole minutes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from server.domain.errors import InvalidField, NoSuchLocalTime

FIRST_YEAR, LAST_YEAR = 1973, 9998
_ONE_MINUTE = timedelta(minutes=1)
_SECOND_MICROSECONDS = 1_000_000
MINUTE = 60 * _SECOND_MICROSECONDS  # (microseconds)
_DAY_MICROSECONDS = 24 * 60 * MINUTE
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=UTC)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


class LocalTime(NamedTuple):
    """What the clock of a time zone shows at an instant, and its offset from UTC (minutes, positive in the east)."""

    local: str
    fold: int
    offset_minutes: int


def parse(local: str, field: str = "local_start") -> datetime:
    """Return a local time without a zone. Raises `InvalidField` for the ``field`` if the text is no local time."""
    try:
        wall = datetime.fromisoformat(local) if _FORM.fullmatch(local) else None
    except ValueError:
        wall = None
    if wall is None or not FIRST_YEAR <= wall.year <= LAST_YEAR:
        raise InvalidField(field=field, problem=f"{local[:20]!r} is not a local time like 2027-01-15T09:00")
    return wall


def date_of(iso: str, field: str) -> date:
    """Return an ISO date of the years that local times have. Raises `InvalidField` for the ``field``."""
    return parse(f"{iso}T00:00", field).date()


def minutes_of(clock: str) -> int:
    """Return the minutes after midnight of a checked time of day, ``00:00`` to ``24:00``."""
    return int(clock[:2]) * 60 + int(clock[3:])


def instant_of(local: str, zone: str, fold: int = 0) -> int:
    """Return the instant of a local time. ``fold`` decides between the two instants of a repeated local time only.

    Raises `InvalidField` for a text of another form, and `NoSuchLocalTime` for a local time in a gap. Its details offer the
    first local time after the gap.
    """
    wall = parse(local)
    earlier, later = _offsets(wall, zone)
    if earlier < later:
        end = _end_of_gap(wall, zone)
        offered = local_of(end, zone).local
        raise NoSuchLocalTime(field="local_start", local=local, zone=zone, offered=offered, offered_at=end // 1000)
    return _instant(wall, later if fold else earlier)


def local_of(instant: int, zone: str) -> LocalTime:
    """Return the local time of the minute that contains an instant: the inverse of `instant_of`."""
    wall = wall_clock(instant, zone)
    offset = wall.utcoffset()
    assert offset is not None
    return LocalTime(f"{wall:%Y-%m-%dT%H:%M}", wall.fold, offset // _ONE_MINUTE)


def wall_clock(instant: int, zone: str) -> datetime:
    """Return the local date and time at an instant."""
    return (_EPOCH_UTC + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone))


def is_ambiguous(local: str, zone: str) -> bool:
    """Return whether a local time comes twice, so that a label has to name its offset. Raises `InvalidField`."""
    earlier, later = _offsets(parse(local), zone)
    return earlier > later


def first_instant(day: str, zone: str, minutes: int = 0) -> int:
    """Return the first instant of an ISO date at which the clock shows ``minutes`` after midnight, or more.

    This is the first of two instants of a repeated local time, and the end of the gap for a local time in a gap: also for
    midnight, if the date starts later. 1440 minutes are the next midnight.
    """
    return instants_of(day, zone, minutes)[0]


def last_instant(day: str, zone: str, minutes: int) -> int:
    """Return the instant from which on the clock never shows less than ``minutes`` after midnight of an ISO date.

    A span of the wall clock ends here. This is the second of two instants of a repeated local time, and the end of the gap
    for a local time in a gap. Where the clocks go back to exactly this time, they show nothing less the second time: then it
    is the first of the two.
    """
    first, second = instants_of(day, zone, minutes)
    if first != second and wall_clock(second - _SECOND_MICROSECONDS, zone).fold == 0:
        return first
    return second


def instants_of(day: str, zone: str, minutes: int) -> tuple[int, int]:
    """Return the first and the second instant at which the clock shows ``minutes`` after midnight of an ISO date.

    They are equal unless the local time is repeated. For a local time in a gap both are the end of the gap.
    """
    wall = datetime.combine(date.fromisoformat(day), time()) + timedelta(minutes=minutes)
    earlier, later = _offsets(wall, zone)
    if earlier < later:
        end = _end_of_gap(wall, zone)
        return end, end
    first = _instant(wall, earlier)
    return first, first if earlier == later else _instant(wall, later)


@lru_cache(maxsize=256)
def offsets_between(zone: str, begin: int, until: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets of a zone in a time, first that of ``begin``: each as (since when it counts, minutes)."""
    found = [(begin, local_of(begin, zone).offset_minutes)]
    for first in range(begin, until, _DAY_MICROSECONDS):
        last = min(first + _DAY_MICROSECONDS, until)
        after = local_of(last, zone).offset_minutes
        if after != found[-1][1]:
            minutes = range(first // MINUTE, last // MINUTE + 1)
            changed = bisect_left(minutes, True, key=lambda minute: local_of(minute * MINUTE, zone).offset_minutes == after)
            found.append((minutes[changed] * MINUTE, after))
    return tuple(found)


@cache
def tz_version() -> str:
    """Return the release of the zone data in use, such as ``2026b``."""
    with (files("tzdata.zoneinfo") / "tzdata.zi").open() as lines:
        return lines.readline().removeprefix("# version ").strip()


def _offsets(wall: datetime, zone: str) -> tuple[timedelta, timedelta]:
    """Return the offsets with which a local time is read as the first and as the second of two.

    Equal: the time exists once. The first one greater: twice. The first one smaller: never, and the offsets are those before
    and after the gap.
    """
    local = wall.replace(tzinfo=ZoneInfo(zone))
    earlier, later = local.utcoffset(), local.replace(fold=1).utcoffset()
    assert earlier is not None
    assert later is not None
    return earlier, later


def _instant(wall: datetime, offset: timedelta) -> int:
    elapsed = wall - _EPOCH - offset
    return (elapsed.days * 86_400 + elapsed.seconds) * _SECOND_MICROSECONDS


def _end_of_gap(wall: datetime, zone: str) -> int:
    """Return the instant at which the gap that contains ``wall`` ends, which is the instant at which the clocks change."""
    before, after = _offsets(wall, zone)
    # Read with the offset after the gap, the time lies before the change; with the other one it lies at the change or later.
    seconds = range(_instant(wall, after) // _SECOND_MICROSECONDS, _instant(wall, before) // _SECOND_MICROSECONDS)
    changed = bisect_left(
        seconds, True, key=lambda second: wall_clock(second * _SECOND_MICROSECONDS, zone).utcoffset() != before
    )
    return (seconds.start + changed) * _SECOND_MICROSECONDS
