"""Language tags of BCP 47: their form (RFC 5646), their usual spelling, and the choice of a language (RFC 4647)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

LONGEST = 35  # RFC 5646, section 4.4.1: the longest tag that a field must hold

_IRREGULAR = (
    *("en-GB-oed", "sgn-BE-FR", "sgn-BE-NL", "sgn-CH-DE"),
    *(f"i-{name}" for name in ("ami", "bnn", "default", "enochian", "hak", "klingon", "lux")),
    *(f"i-{name}" for name in ("mingo", "navajo", "pwn", "tao", "tay", "tsu")),
)


def _any_case(text: str) -> str:
    return "".join(f"[{each.lower()}{each.upper()}]" if each.isalpha() else each for each in text)


_PRIVATE = "[xX](-[A-Za-z0-9]{1,8})+"
# The form has primary subtags of 4 to 8 letters too, but none is registered: a longer word is a mistake, often a name.
_LANGUAGE = "[A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}"
_REGULAR = (
    f"{_LANGUAGE}(-[A-Za-z]{{4}})?(-([A-Za-z]{{2}}|[0-9]{{3}}))?"
    "(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(-[0-9A-WYZa-wyz](-[A-Za-z0-9]{2,8})+)*"
)
# In the common part of the dialects of expressions: the API documents have it too.
PATTERN = f"^({_REGULAR}(-{_PRIVATE})?|{_PRIVATE}|{'|'.join(map(_any_case, _IRREGULAR))})$"
_TAG = re.compile(PATTERN)


def is_tag(text: str) -> bool:
    """Return whether a text is a well-formed tag that fits a column."""
    return len(text) <= LONGEST and _TAG.fullmatch(text) is not None


def usual(tag: str) -> str:
    """Return a well-formed tag in its usual case: ``ZH-hant-tw`` as ``zh-Hant-TW`` (RFC 5646, section 2.1.1)."""
    first, *others = tag.lower().split("-")
    parts, inside = [first], len(first) == 1
    for part in others:
        inside = inside or len(part) == 1
        if not inside and len(part) == 2:
            part = part.upper()
        elif not inside and len(part) == 4:
            part = part.capitalize()
        parts.append(part)
    return "-".join(parts)


def region_of(tag: str) -> str:
    """Return the country in a tag (``GB`` of ``en-GB``), or an empty text."""
    return next((part for part in usual(tag).split("-") if len(part) == 2 and part.isupper()), "")


def name_in(wanted: Iterable[str], names: Iterable[tuple[str, str]], main: str) -> str:
    """Return the name in the best of the ``wanted`` languages, or the main name. ``names`` are pairs of a tag and a text."""
    known = dict(names)
    found = lookup(wanted, known)
    return main if found is None else known[found]


def lookup(wanted: Iterable[str], supported: Collection[str]) -> str | None:
    """Return the first supported language of a list of tags, best first; None without one.

    Each tag loses its parts from the end until it is supported (RFC 4647, section 3.4): ``es-419`` finds ``es``. The case
    of the tags does not matter. `lookup` in ``web/js`` makes the same choice.
    """
    known = {each.lower(): each for each in supported}
    for tag in wanted:
        parts = tag.lower().split("-")
        while parts:
            if (found := known.get("-".join(parts))) is not None:
                return found
            parts.pop()
            if parts and len(parts[-1]) == 1:
                parts.pop()
    return None
