"""Public holidays by the country and the language of a site."""

from __future__ import annotations

from dataclasses import replace

from server import public_holidays
from server.domain.model import Rules, Site
from tests.support.worlds import a_site


def in_country(region: str, language: str = "en", zone: str = "Etc/UTC") -> Site:
    return replace(a_site(), language=language, time_zone=zone, rules=Rules(region=region))


def test_holidays_of_a_year_are_in_order_with_names_of_the_language() -> None:
    found = public_holidays.of_year(in_country("DE", "de"), 2027)
    assert [each.date for each in found] == sorted(each.date for each in found)
    names = {each.date: each.name for each in found}
    assert names["2027-10-03"] == "Tag der Deutschen Einheit"
    assert {each.date: each.name for each in public_holidays.of_year(in_country("DE"), 2027)}["2027-10-03"] == (
        "German Unity Day"
    )


def test_country_is_that_of_the_rules_or_of_the_zone() -> None:
    assert public_holidays.country_of(in_country("FR")) == "FR"
    assert public_holidays.country_of(in_country("", zone="Europe/Madrid")) == "ES"


def test_unknown_country_has_no_holidays() -> None:
    nowhere = in_country("")
    assert public_holidays.country_of(nowhere) is None
    assert public_holidays.of_year(nowhere, 2027) == []


def test_holidays_of_every_language_of_the_pages_have_names() -> None:
    for language in ("en", "es", "fr", "ar", "pt-BR", "xx"):
        assert all(each.name for each in public_holidays.of_year(in_country("BR", language), 2027))
