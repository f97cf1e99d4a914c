"""The public holidays of a country, to propose days on which a clinic is closed. Only the chosen dates are stored."""

from __future__ import annotations

from dataclasses import dataclass

import holidays

from server import phones
from server.domain.model import Site, languages


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday of the whole country, with its name in the language of the site or of the country."""

    date: str
    name: str


def country_of(site: Site) -> str | None:
    """Return the country of a site (``DE``), by its rules, its time zone or its language; None if no holidays are known."""
    region = phones.region_of(site)
    return region if region in holidays.list_supported_countries(include_aliases=False) else None


def of_year(site: Site, year: int) -> list[Holiday]:
    """Return the public holidays of a site's country in a year, by date. Regions of a country may have more."""
    country = country_of(site)
    if country is None:
        return []
    spoken = {each.replace("_", "-"): each for each in holidays.list_localized_countries().get(country, [])}
    base = site.language.partition("-")[0]
    tag = languages.lookup([site.language], spoken) or next((each for each in spoken if each.startswith(f"{base}-")), None)
    found = holidays.country_holidays(country, years=year, language=None if tag is None else spoken[tag])
    return [Holiday(day.isoformat(), name) for day, name in sorted(found.items()) if day.year == year]
