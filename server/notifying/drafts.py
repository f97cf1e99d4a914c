"""Texts that a clinic writes itself: whether a message can be made of a text, and what it looks like.

A text is counted with the longest values of its placeholders, so that no message of it needs a third part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from string import Formatter
from typing import Literal, get_args

from server.domain.errors import InvalidField
from server.domain.model.clocks import Hours
from server.notifying import sms
from server.notifying.sms import Encoding
from server.notifying.texts import MOST_PARTS, PLACEHOLDERS, Facts, sms_for, subject_for, text_for, word_for_clinic

LONGEST_LINK = 92  # characters; a longer address of an installation counts as it is
# The link of a sample has the length of a real one, and opens nothing.
SAMPLE_TOKEN = "123-0123456789abcdefghijkl"  # noqa: S105  # nosec B105 # a made-up token
_LONGEST = Facts(label="Z99999", until="22:58", minutes=240)
# Each weekday, and the last days of each month, so that every name of a day or a month occurs with two digits.
_DAYS = tuple(f"2028-{month:02}-{day}" for month in range(1, 13) for day in ((28,) if month > 1 else range(22, 29)))


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text is impossible. ``value`` are the placeholders in question, the name, or the number of parts."""

    code: Literal["brace", "unknown", "missing", "secret", "long"]
    value: str = ""

    def told(self, name: str) -> str:
        """Return the problem of a text for the template ``name``, and what to do."""
        match self.code:
            case "brace":
                return "a brace has no partner. Write {{ or }} for a brace of the text"
            case "unknown":
                known = ", ".join(f"{{{each}}}" for each in sorted(PLACEHOLDERS[name].known))
                return f"{self.value} is no placeholder of this text. Use {known}"
            case "missing":
                return f"{self.value} is missing: patients need it"
            case "secret":
                return f"{self.value} is the true name of a service, which messages must not tell"
        return f"an SMS of this text can need {self.value} parts. Shorten it: {MOST_PARTS} parts are the most"


@dataclass(frozen=True, slots=True)
class Preview:
    """A message made of a text. ``most_parts`` is the number of parts with the longest values."""

    sms: str
    encoding: Encoding
    units: int
    parts: int
    most_parts: int
    subject: str
    text: str


def broken(name: str, text: str) -> Problem | None:
    """Return why the placeholders of a text are wrong for the template ``name``, or None."""
    allowed = PLACEHOLDERS[name]
    try:
        fields = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        return Problem("brace")
    used = set()
    for field, form, conversion in fields:
        if field not in allowed.known or form or conversion:
            written = f"{field}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            return Problem("unknown", f"{{{written[:40]}}}")
        used.add(field)
    if missing := sorted(allowed.needed - used):
        return Problem("missing", ", ".join(f"{{{each}}}" for each in missing))
    return None


def problem_of(name: str, language: str, text: str, link_base: str = "", secret_names: Iterable[str] = ()) -> Problem | None:
    """Return why a text cannot stand for the template ``name`` in a language, or None.

    ``link_base`` is the beginning of the installation's links, which may make the text longer. ``secret_names`` are names
    that a text must not have.
    """
    found = broken(name, text) or _told_secret(text, secret_names)
    if found is None and (parts := most_parts(name, language, text, link_base)) > MOST_PARTS:
        return Problem("long", str(parts))
    return found


def checked(name: str, language: str, text: str, link_base: str = "", secret_names: Iterable[str] = ()) -> str:
    """Return a clinic's own text for a template. Raises `InvalidField` for one that `problem_of` refuses."""
    problem = problem_of(name, language, text, link_base, secret_names)
    if problem is not None:
        raise InvalidField(field="text", problem=problem.told(name))
    return text


def most_parts(name: str, language: str, text: str, link_base: str = "") -> int:
    """Return the number of parts that an SMS of a text can need, or the first number above `MOST_PARTS` that is found.

    The clinic's name does not count, because it becomes shorter. Raises `KeyError` for a text that is `broken`.
    """
    most = 0
    for facts in _longest(name, language, link_base):
        most = max(most, sms.parts(sms_for(name, (language,), facts, {language: text})))
        if most > MOST_PARTS:
            break
    return most


def preview(name: str, language: str, text: str, facts: Facts, link_base: str = "") -> Preview:
    """Return the message of a text that is not `broken`, with the values of ``facts``."""
    own = {language: text}
    short = sms_for(name, (language,), facts, own)
    return Preview(
        sms=short,
        encoding=sms.encoding_of(short),
        units=sms.units(short),
        parts=sms.parts(short),
        most_parts=most_parts(name, language, text, link_base),
        subject=subject_for(name, (language,), facts.clinic, own),
        text=text_for(name, (language,), facts, own),
    )


def _told_secret(text: str, secret_names: Iterable[str]) -> Problem | None:
    words = _words_of(text)
    told = (each for each in secret_names if _words_of(each).strip() and _words_of(each) in words)
    return next((Problem("secret", each) for each in told), None)


def _words_of(text: str) -> str:
    """Return the words of a text without their case and punctuation, each between two spaces."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())
    return f" {' '.join(words)} "


def _longest(name: str, language: str, link_base: str) -> Iterator[Facts]:
    link = f"{link_base}/a/{SAMPLE_TOKEN}".ljust(LONGEST_LINK, "x")
    facts = replace(_LONGEST, clinic=word_for_clinic(language), link=link)
    timed = not PLACEHOLDERS[name].known.isdisjoint({"date", "time", "until"})
    for clock in get_args(Hours) if timed else get_args(Hours)[:1]:
        for day in _DAYS if timed else _DAYS[:1]:
            yield replace(facts, local_start=f"{day}T23:58", clock=clock)
