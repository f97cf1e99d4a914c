"""Names made comparable: the same for every way in which people write a name.

`web/js/desk/folding.js` folds in the same way. One list of cases, `tests/support/search_cases.json`, tests both.
"""

from __future__ import annotations

import re
import unicodedata

# Signs inside a word that are no letters: apostrophes in all forms, full stops, the Arabic tatweel, joiners.
_INSIDE = dict.fromkeys(
    map(ord, "'`.\u00b4\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u2032\u0640\u200c\u200d\uff07")
)
# The marks of Latin, Greek, Cyrillic, Hebrew and Arabic letters. Marks of other scripts are vowels and stay.
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff]"
)
# Letters that do not decompose into a plain letter and a mark, and letters that people write for one another.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "\u0131": "i"}
    | {"\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a", "\u0629": "\u0647", "\u06a9": "\u0643"}
    | dict(zip("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "0123456789" * 2, strict=True))
)


def words(name: str) -> list[str]:
    """Return the words of a name for comparison: without case, accents or punctuation, each once, in order.

    A hyphen separates words, an apostrophe does not.
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_INSIDE)).translate(_INSIDE)
    bare = _MARKS.sub("", decomposed).casefold().translate(_PLAIN)
    kept = (each if each.isalnum() or unicodedata.category(each).startswith("M") else " " for each in bare)
    return list(dict.fromkeys("".join(kept).split()))


def whole(name: str) -> str:
    """Return a whole name for comparison: its words without the separators."""
    return "".join(words(name))
