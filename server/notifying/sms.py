"""The parts of an SMS: how many a text needs, and the characters that would make it need more.

A text of the GSM 7-bit alphabet (GSM 03.38) has 160 characters in one part, or 153 in each of several. Characters of its
extension table count two. Any other character makes it UCS-2: 70 UTF-16 units in one part, or 67. No part ends inside a
character.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Encoding = Literal["gsm-7", "ucs-2"]

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")
_TWINS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u202f\u2007\u2009\u200a\t", " "),
        "\u2026": "...",
        "\u00d7": "x",
    }
)


def plain(text: str) -> str:
    """Return a text with the GSM twins of its typographic characters: straight quotes, hyphens and usual spaces."""
    return text.translate(_TWINS)


def encoding_of(text: str) -> Encoding:
    """Return the encoding that a text needs."""
    return "gsm-7" if BASIC.union(EXTENSION).issuperset(text) else "ucs-2"


def units(text: str) -> int:
    """Return the length of a text as its encoding counts it: one of the extension table, or beyond 16 bits, counts two."""
    return sum(map(_size_of(encoding_of(text)), text))


def split(text: str) -> list[str]:
    """Return the parts in which a text is sent; one for a text that fits, and for an empty one."""
    encoding = encoding_of(text)
    return _split(text, _size_of(encoding), *((160, 153) if encoding == "gsm-7" else (70, 67)))


def parts(text: str) -> int:
    """Return the number of parts in which a text is sent."""
    return len(split(text))


def _size_of(encoding: Encoding) -> Callable[[str], int]:
    if encoding == "gsm-7":
        return lambda each: 2 if each in EXTENSION else 1
    return lambda each: 2 if each > "\uffff" else 1


def _split(text: str, size: Callable[[str], int], alone: int, each_part: int) -> list[str]:
    if sum(map(size, text)) <= alone:
        return [text]
    found, begin, used = [], 0, 0
    for index, each in enumerate(text):
        if used + size(each) > each_part:
            found.append(text[begin:index])
            begin, used = index, 0
        used += size(each)
    return [*found, text[begin:]]
