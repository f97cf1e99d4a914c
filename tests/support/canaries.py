"""The search for canaries: personal values that may appear in named places alone, in any encoding."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from urllib.parse import quote, quote_plus

_REDIS_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
LEAST_WORD = 5  # shorter words occur by chance


def written(value: str, *, by_word: bool) -> Iterator[bytes]:
    """Yield the forms in which a value may be written; ``by_word``, also the forms of each of its words."""
    for text in dict.fromkeys((value, *(value.split() if by_word else ()))):
        if len(text) < LEAST_WORD:
            continue
        for case in dict.fromkeys((text, text.lower(), text.upper())):
            yield case.encode()
            yield json.dumps(case)[1:-1].encode()
            yield quote(case, safe="").encode()
            yield quote_plus(case).encode()
        yield text.encode().hex().encode()
        yield text.encode("utf-16-le")
        for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512):
            yield digest(text.encode()).hexdigest().encode()
    if sum(each.isdigit() for each in value) >= 8 and not any(each.isalpha() for each in value):
        yield "".join(each for each in value if each.isdigit()).encode()
        yield hashlib.sha256("".join(each for each in value if each.isdigit()).encode()).hexdigest().encode()


def _in_base64(value: str) -> Iterator[bytes]:
    """Yield the parts of a value's base64 that do not depend on the bytes before and after the value."""
    raw = value.encode()
    for shift in range(3):
        inner = raw[-shift % 3 :]
        inner = inner[: len(inner) // 3 * 3]
        if len(inner) >= 6:
            yield base64.b64encode(inner)
            yield base64.urlsafe_b64encode(inner)


@cache
def _needles(value: str, *, by_word: bool) -> tuple[frozenset[bytes], frozenset[bytes]]:
    return frozenset(each.lower() for each in written(value, by_word=by_word)), frozenset(_in_base64(value))


def leaks(canaries: Mapping[str, str], places: Mapping[str, bytes], allowed: Iterable[tuple[str, str]]) -> list[str]:
    """Return a ``canary in place`` for each find that no line of ``allowed`` (canary and place, as globs) permits.

    Each word of a canary counts, if the canary's own name ends in "name" or "notes".
    """
    lines = list(allowed)
    found = []
    for place, content in places.items():
        # MONITOR of Redis shows bytes as escapes. The search ignores case.
        plain = _REDIS_ESCAPE.sub(lambda each: bytes([int(each[1], 16)]), content)
        folded = plain.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")
        for name, value in canaries.items():
            if any(fnmatchcase(name, canary) and fnmatchcase(place, where) for canary, where in lines):
                continue
            in_text, in_base64 = _needles(value, by_word=name.endswith(("name", "notes")))
            if any(each in folded for each in in_text) or any(each in plain for each in in_base64):
                found.append(f"{name} in {place}")
    return found
