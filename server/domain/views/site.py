"""The cell of the site, which most views have."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.board import Board
from server.domain.model import Site, local_time, tickets
from server.domain.model.clocks import Hours, clock_of
from server.domain.views.fields import Described, Instant

DAYS_BEFORE, DAYS_AFTER = 2, 16
_DAY = 86_400_000_000


class OffsetSince(TypedDict):
    """An offset of the site's clock from UTC, and since when it counts."""

    since: Instant
    minutes: Annotated[int, Described("How far the site's clock is ahead of UTC, in minutes.")]


Offsets = Annotated[
    list[OffsetSince],
    Described(
        "The offsets of the site's clock around the business day, by time. Show every instant with the one that counts "
        "then: the zone data of a device may be old."
    ),
]


class SiteCell(TypedDict):
    """The site itself."""

    name: str
    time_zone: str
    offsets: Offsets
    language: str
    clock: Annotated[Hours, Described("The hours of the clock of all screens.")]
    business_day: Annotated[str, Described(format="date")]
    message: Annotated[str | None, Described("The message that every display shows.")]


class JoinableSiteCell(SiteCell):
    """The site itself, for a screen that shows how to join by phone."""

    joining: Annotated[bool, Described("Patients may join a queue by phone: the screen shows the code.")]


def joinable_site_cell(board: Board) -> JoinableSiteCell:
    """Return the cell of the board's site for a screen in the waiting room."""
    return {**site_cell(board), "joining": board.site.rules.joining != "off"}


def site_cell(board: Board) -> SiteCell:
    """Return the cell of the board's site."""
    site = board.site
    return {
        "name": site.name,
        "time_zone": site.time_zone,
        "offsets": offsets_of(site),
        "language": site.language,
        "clock": clock_of(site),
        "business_day": site.business_day,
        "message": site.message,
    }


def offsets_of(site: Site) -> list[OffsetSince]:
    """Return the offsets of a site's clock from two days before its business day to two weeks after it."""
    begin = tickets.begin_of(site.business_day, site.time_zone, site.day_turns_at_minutes)
    found = local_time.offsets_between(site.time_zone, begin - DAYS_BEFORE * _DAY, begin + DAYS_AFTER * _DAY)
    return [{"since": since // 1000, "minutes": minutes} for since, minutes in found]
