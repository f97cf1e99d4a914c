"""The texts, numbers and dates of a report in a language. The texts are those of the page (``web/locales/insights``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from babel.core import Locale
from babel.dates import format_skeleton
from babel.numbers import format_decimal

from server.installation.places import web_folder
from server.transport.poster.texts import RIGHT_TO_LEFT

LANGUAGES = ("en", "ar", "es", "fr")
NONE = "\u2013"
_LOCALES = {"en": "en_GB"}  # the pages have British dates, too
_MINUTE = 60
_SHORT = 600  # durations below it are known to 10 seconds, longer ones less exactly


class Words:
    """Writes in one language. ``rtl``: from right to left."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.rtl = language in RIGHT_TO_LEFT
        self._locale = Locale.parse(_LOCALES.get(language, language))
        self._texts = _texts(language)

    def text(self, key: str, **values: str | int) -> str:
        """Return a text of the page, ``insights.{key}``, with its placeholders filled in. ``n`` chooses a plural form."""
        entry = self._texts[f"insights.{key}"]
        number = values.get("n")
        if isinstance(entry, dict):
            form = self._locale.plural_form(number) if isinstance(number, int) else "other"
            entry = entry.get(form, entry["other"])
        text = str(entry)
        for name, value in values.items():
            shown = self.number(value) if isinstance(value, int) else value
            text = text.replace(f"{{{name}}}", f"\u2068{shown}\u2069" if self.rtl and shown else shown)
        return text

    def name(self, figure: str) -> str:
        """Return the name of a figure."""
        return self.text(f"name.{figure}")

    def definition(self, figure: str) -> str:
        """Return the definition of a figure."""
        return self.text(f"define.{figure}")

    def pair(self, one: str, other: str) -> str:
        """Return a name of two: "Wait: median"."""
        return self.text("pair", one=self.name(one), other=self.name(other).lower())

    def number(self, value: float) -> str:
        """Return a number, with a decimal place if it has one."""
        return str(format_decimal(value, format="#,##0.#", locale=self._locale))

    def month(self, day: str) -> str:
        """Return the month of a date: "November 2026"."""
        return self._date(day, "yMMMM")

    def day(self, day: str) -> str:
        """Return a date without its year: "24 Nov"."""
        return self._date(day, "MMMd")

    def weekday(self, weekday: int) -> str:
        """Return the name of a weekday, 1 is Monday: "Mon"."""
        return str(self._locale.days["stand-alone"]["abbreviated"][weekday - 1])

    def _date(self, day: str, skeleton: str) -> str:
        return str(format_skeleton(skeleton, date.fromisoformat(day), locale=self._locale))

    def count(self, value: float | str | None) -> str:
        """Return a number, "<5" for a small group, or a dash."""
        if value is None:
            return NONE
        return self.text(value) if isinstance(value, str) else self.number(value)

    def minutes(self, value: int | str | None) -> str:
        """Return a duration in seconds as minutes. Below ten minutes, it has its seconds: "1:40 min"."""
        if value is None or isinstance(value, str):
            return self.count(value)
        if 0 < value < _SHORT:
            return self.text("minutes", n=f"{value // _MINUTE}:{value % _MINUTE:02}")
        return self.text("minutes", n=round(value / _MINUTE))

    def hours(self, value: int | str | None) -> str:
        """Return a duration in seconds as hours."""
        if value is None or isinstance(value, str):
            return self.count(value)
        return self.text("hours", n=self.number(round(value / 3600, 1)))

    def days(self, value: int | str | None) -> str:
        """Return a number of days."""
        return self.count(value) if value is None or isinstance(value, str) else self.text("days", n=value)

    def share(self, part: int | str | None, whole: int | str | None) -> str:
        """Return a share with its numbers: "3 of 18 (17%)"."""
        if part is None or whole is None:
            return NONE
        if isinstance(whole, str):
            return self.count(whole)
        numbers = {"part": self.count(part), "whole": self.count(whole)}
        if isinstance(part, str) or whole == 0:
            return self.text("of", **numbers)
        return self.text("share", **numbers, percent=round(100 * part / whole))


@cache
def words_of(language: str) -> Words:
    """Return the words of a language."""
    return Words(language)


@cache
def _texts(language: str) -> Mapping[str, Any]:
    file = web_folder() / "locales" / "insights" / f"{language}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
