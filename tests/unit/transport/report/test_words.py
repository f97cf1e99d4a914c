"""The texts, numbers and dates of the report."""

from __future__ import annotations

import pytest

from server.transport.report.words import LANGUAGES, words_of


def test_small_groups_are_told_as_such() -> None:
    words = words_of("en")
    assert [words.count(each) for each in ("few", "beside", 0, 1234, None)] == ["<5", "hidden", "0", "1,234", "\u2013"]


def test_durations_are_in_minutes_and_short_ones_have_seconds() -> None:
    words = words_of("en")
    assert [words.minutes(each) for each in (0, 50, 100, 590, 720)] == [
        "0 min",
        "0:50 min",
        "1:40 min",
        "9:50 min",
        "12 min",
    ]
    assert [words.minutes(each) for each in ("few", None)] == ["<5", "\u2013"]
    assert words.hours(70_000) == "19.4 h"
    assert [words.days(each) for each in (1, 9)] == ["1 day", "9 days"]


def test_share_shows_its_numerator_and_its_denominator() -> None:
    words = words_of("en")
    assert words.share(3, 18) == "3 of 18 (17%)"
    assert words.share(0, 0) == "0 of 0"
    assert words.share("few", "few") == "<5"
    assert words.share(None, 18) == "\u2013"


def test_dates_and_numbers_are_those_of_the_language() -> None:
    assert [words_of(each).month("2026-11-01") for each in LANGUAGES] == [
        "November 2026",
        "نوفمبر 2026",
        "noviembre de 2026",
        "novembre 2026",
    ]
    assert words_of("fr").number(1234.5) == "1\u202f234,5"
    assert words_of("en").weekday(1) == "Mon"
    assert words_of("ar").weekday(7) == "الأحد"


def test_value_in_a_text_from_right_to_left_is_isolated() -> None:
    assert words_of("ar").minutes(720) == "\u206812\u2069 دقيقة"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_form_has_a_text(language: str) -> None:
    assert all(words_of(language).days(number) for number in range(1000))
