"""``GET /api/v1/sites/{id}/holidays``: public holidays, to propose the days on which a site is closed."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server import public_holidays
from server.domain.errors import SiteNotFound, Unavailable
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import IsoDay


class _Holiday(TypedDict):
    date: IsoDay
    name: Annotated[str, Field(description="In the language of the site if it is known, else in one of the country.")]


class _Holidays(TypedDict):
    country: Annotated[str | None, Field(description="The country whose holidays these are; null: none is known.")]
    data: Annotated[list[_Holiday], Field(description="The holidays by date. Regions of the country may have more.")]


YEAR = parameters.Whole("year", "The year.", 2000, 2100, 0)
ENDPOINTS = Endpoints(Tag.SITES)


@ENDPOINTS.add(
    "GET",
    paths.HOLIDAYS,
    "list-holidays",
    "The public holidays.",
    may="read-site",
    parameters=(YEAR,),
    refused=(Unavailable, SiteNotFound),
)
async def get_holidays(request: Request) -> _Holidays:
    """List the public holidays of the site's country in a year. The country is that of the site's rules, or else of its
    time zone."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-site", site_id)
    site = (await context.hub.present_board(site_id)).site
    found = public_holidays.of_year(site, YEAR.read(request) or int(site.business_day[:4]))
    return {
        "country": public_holidays.country_of(site),
        "data": [{"date": each.date, "name": each.name} for each in found],
    }
