"""Codes that people read out and type: of pairing, of the first run, of joining, and of recovery."""

from __future__ import annotations

import secrets
import unicodedata

ALPHABET = "ACDEFGHJKMNPQRTUVWXY34679"  # none of B8, 0O, 1IL, 2Z, 5S
LONGEST_TYPED = 40  # characters of a typed code, with its spaces and hyphens


def new_code(length: int) -> str:
    """Return a random code of ``length`` characters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def derived_code(keyed_hash: str, length: int) -> str:
    """Return the code that a keyed hash gives, always the same one: nothing has to be stored."""
    number, signs = int(keyed_hash, 16), []
    for _ in range(length):
        number, sign = divmod(number, len(ALPHABET))
        signs.append(ALPHABET[sign])
    return "".join(signs)


def in_halves(code: str) -> str:
    """Return a code in the form in which people read it: ``ACDEF-34679``."""
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"


def plain_code(typed: str) -> str:
    """Return a code as it was made, from the way in which somebody typed it.

    Spaces, hyphens and small letters do not count, and digits may be of any script, for example of an Arabic keyboard.
    """
    kept = [each for each in unicodedata.normalize("NFKC", typed).upper() if each.isalnum()]
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in kept)
