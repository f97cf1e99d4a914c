"""The cell of the site, which most views have."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.board import Board
from server.domain.model.clocks import Hours, clock_of
from server.domain.views.fields import Described


class SiteCell(TypedDict):
    """The site itself."""

    name: str
    time_zone: str
    language: str
    clock: Annotated[Hours, Described("The hours of the clock of all screens.")]
    business_day: Annotated[str, Described(format="date")]
    message: Annotated[str | None, Described("The message that every display shows.")]


def site_cell(board: Board) -> SiteCell:
    """Return the cell of the board's site."""
    site = board.site
    return {
        "name": site.name,
        "time_zone": site.time_zone,
        "language": site.language,
        "clock": clock_of(site),
        "business_day": site.business_day,
        "message": site.message,
    }
