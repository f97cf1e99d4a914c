"""``GET /api/v1/insights``: the figures of several sites beside each other, and of all of them together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import InvalidField, SiteNotFound, Unavailable
from server.domain.model import languages
from server.queries import insights
from server.queries.insights import Compared, SiteDays
from server.transport.api.insights import LANGUAGE, PERIOD, Bounds, Group, Missing, bounds_of, group_shown, missing_shown
from server.transport.api.insights_export import ZIPPED, archive
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Instant, IsoDay
from server.transport.http.files import as_file

MOST_COMPARED = 5
MOST_SITES = 50
_SITES = f"[0-9]{{1,12}}(,[0-9]{{1,12}}){{0,{MOST_COMPARED - 1}}}"


@dataclass(frozen=True, slots=True)
class Sites(parameters.Parameter):
    """Some sites."""

    def schema(self) -> parameters.Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^{_SITES}$"}

    def read(self, request: Request) -> list[int] | None:
        """Return the ids, or None for all sites. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return None
        if not re.fullmatch(_SITES, text):
            raise self.wrong(f"up to {MOST_COMPARED} ids of sites, with commas")
        return list(dict.fromkeys(map(int, text.split(","))))


class _Site(Bounds, Group):
    site_id: int
    name: str
    time_zone: str
    to: Annotated[IsoDay, Field(description="The last business day of the period at this site.")]
    missing: Missing | None


class ComparedSites(TypedDict):
    """The figures of sites, each on its own business days and by its own clock."""

    as_of: Instant
    total: Group
    sites: Annotated[list[_Site], Field(max_length=MOST_SITES)]
    missing: Missing | None


SITES = Sites("sites", f"Up to {MOST_COMPARED} ids, with commas; by default all sites, up to {MOST_SITES}.")
ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.ALL_INSIGHTS,
    "compare-sites",
    "The figures of each site, and of all of them.",
    may="read-statistics",
    parameters=(PERIOD, SITES),
    refused=(Unavailable, SiteNotFound, InvalidField),
)
async def get_compared(request: Request) -> ComparedSites:
    """Return the figures of several sites in total. A day is the business day of each site.

    Groups of fewer than five patients are hidden, and sites beside them as far as their size would follow from the total.
    """
    return _shown(await _asked(request))


@ENDPOINTS.add(
    "GET",
    paths.ALL_INSIGHTS_ZIP,
    "export-compared-sites",
    ZIPPED,
    may="read-statistics",
    parameters=(PERIOD, SITES, LANGUAGE),
    refused=(Unavailable, SiteNotFound, InvalidField),
)
async def get_compared_zip(request: Request) -> Response:
    """Return the figures of several sites as CSV, one line for each, with a second file that defines its columns."""
    language = LANGUAGE.read(request)
    found = await _asked(request)
    language = language or languages.lookup([found.sites[0].site.language], LANGUAGE.words) or "en"
    made = archive("sites", _shown(found), None, language)
    name = f"insights-sites-{found.sites[0].first}-{found.sites[0].last}.zip"
    return as_file(made, name, ZIPPED.media_type)


async def _asked(request: Request) -> Compared:
    context = Context.of(request)
    caller = await context.gate.staff_for(request, "read-statistics")
    first, last = PERIOD.read(request)
    asked = SITES.read(request)
    own = [each.id for each in await context.identities.sites(caller.organisation_id)]
    for site_id in asked or ():
        if site_id not in own:
            raise SiteNotFound(site_id=site_id)
    chosen = asked or own
    if len(chosen) > MOST_SITES:
        raise InvalidField(field="sites", problem=f"needed: the organisation has more than {MOST_SITES} sites")
    if not chosen:
        raise InvalidField(field="sites", problem="the organisation has no site yet")
    return await insights.compared(context.database, chosen, first, last)


def _shown(found: Compared) -> ComparedSites:
    missing = [each.missing for each in found.sites if each.missing is not None]
    return {
        "as_of": found.now // 1000,
        "total": group_shown(found.comparison.total),
        "sites": [
            _site(each) | group_shown(found.comparison.sites[each.site.id])  # type: ignore[misc]
            for each in found.sites
        ],
        "missing": missing_shown(missing[0]) if missing else None,
    }


def _site(each: SiteDays) -> dict[str, object]:
    site = each.site
    return {
        "site_id": site.id,
        "name": site.name,
        "time_zone": site.time_zone,
        "to": each.last,
        "missing": None if each.missing is None else missing_shown(each.missing),
        **bounds_of(each.first, each.last, site),
    }
