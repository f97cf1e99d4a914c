"""The clock of a site."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.localedata import locale_identifiers

from server.domain.model.clocks import TWELVE_HOUR_LANGUAGES, TWELVE_HOUR_REGIONS, clock_of
from tests.support.worlds import a_site


def has_twelve_hours(*tags: str) -> bool:
    """Return whether the first of the locales that CLDR has writes short times with twelve hours."""
    for tag in tags:
        try:
            return "h" in Locale.parse(tag).time_formats["short"].pattern.replace("'h'", "")
        except UnknownLocaleError:
            continue
    return False


def test_countries_are_those_of_the_locale_data() -> None:
    """The locale of a country is that of its main language, or else its English one."""
    likely = get_global("likely_subtags")
    found = set()
    for code in (each for each in map(str, Locale("en").territories) if len(each) == 2 and each.isalpha()):
        language = likely.get(f"und_{code}", "en").partition("_")[0]
        if has_twelve_hours(f"{language}_{code}", f"en_{code}", *({language} - {"en"})):
            found.add(code)
    assert found - {"ZZ"} == TWELVE_HOUR_REGIONS


def test_languages_are_those_of_the_locale_data() -> None:
    short = (tag for tag in locale_identifiers() if len(tag) == 2 or tag == "fil")
    assert {tag for tag in short if has_twelve_hours(tag)} - {"en"} == TWELVE_HOUR_LANGUAGES


@pytest.mark.parametrize(
    ("language", "rules", "clock"),
    [
        ("en", {}, "24"),
        ("en-US", {}, "12"),
        ("en-GB", {}, "24"),
        ("en", {"region": "US"}, "12"),
        ("es-419", {"region": "MX"}, "12"),
        ("ar", {}, "12"),
        ("ar", {"region": "MA"}, "24"),
        ("fr", {}, "24"),
        ("de", {"clock": "12"}, "12"),
        ("en-US", {"region": "US", "clock": "24"}, "24"),
    ],
)
def test_clock_is_set_or_that_of_the_country_or_the_language(language: str, rules: dict[str, Any], clock: str) -> None:
    site = a_site(language=language)
    assert clock_of(replace(site, rules=replace(site.rules, **rules))) == clock
