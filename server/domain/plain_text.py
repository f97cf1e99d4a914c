"""Plain text: the rule for every name and text that people type. The API and the command line check it."""

from __future__ import annotations

import sys
import unicodedata
from itertools import chain, compress, tee

# Control, formatting (with overrides of direction), line and paragraph separators. Two joiners are parts of names.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_JOINERS = frozenset("\u200c\u200d")
_INVISIBLE = _UNPRINTABLE | {"Zs", "Co"}
# Letters, marks and symbols that draw nothing: fillers of Hangul, the empty pattern of Braille, selectors of variants.
# Every other mark draws itself, and an unassigned character draws a box.
_FILLERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)


def checked(text: str) -> str:
    """Return ``text`` unchanged if it is plain text, or empty. Raises `ValueError` with the reason.

    Plain text has no control characters, no space at an end, and at least one visible character.
    """
    # Nearly all texts have none: they pass without a look at each character.
    if not _UNPRINTABLE.isdisjoint(map(unicodedata.category, text)) and any(
        unicodedata.category(each) in _UNPRINTABLE and each not in _JOINERS for each in text
    ):
        raise ValueError("control characters are not allowed")
    if text != text.strip():
        raise ValueError("the text must not begin or end with a space")
    if text and not first_visible(text):
        raise ValueError("the text needs a visible character")
    return text


def first_visible(text: str) -> str:
    """Return the first character of ``text`` that a reader can see, or an empty text."""
    return next((each for each in text if _is_visible(each)), "")


def refused_characters() -> tuple[list[str], list[str], list[str]]:
    """Return three lists of characters, in order: refused anywhere, refused only at an end, and the other invisible ones.

    A text of the third kind alone is refused. Surrogates are left out: no text that arrives has one. The function reads all
    of Unicode: keep the answer.
    """
    suspects = _INVISIBLE.__contains__  # every space is in one of these categories
    code_points = chain(range(0xD800), range(0xE000, sys.maxunicode + 1))
    ours, theirs = tee(map(chr, code_points))
    found = [*compress(ours, map(suspects, map(unicodedata.category, theirs))), *_FILLERS]
    never = [each for each in found if unicodedata.category(each) in _UNPRINTABLE and each not in _JOINERS]
    at_an_end = [each for each in found if each.isspace() and each not in set(never)]
    return never, at_an_end, sorted({*found} - {*never} - {*at_an_end})


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in _INVISIBLE and character not in _FILLERS
