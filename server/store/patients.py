"""By what past patients are found: keyed hashes of the name's words, the phone and the date of birth.

A hash is bound to its site and its kind, so that nobody can see whether two clinics know the same person.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert

from server.domain.model import Personal, Site
from server.store.tables import visit_search
from server.vault import Vault

SearchRow = dict[str, Any]
_REMEMBER = insert(visit_search)
SearchKey = tuple[str, str]  # what kind of thing is known, and its keyed hash
PHONE_DIGITS = 8
# What stands inside a word without being a letter, and letters that are more than a plain one with a mark.
_INSIDE = dict.fromkeys(map(ord, "'`.\u00b4\u2018\u2019\u02bc\u200c\u200d"))
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})


def words(name: str) -> list[str]:
    """Return the words of a name as they are compared: no case, accents or punctuation; each once, in order.

    A hyphen parts words, an apostrophe does not.
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_INSIDE))
    bare = "".join(each for each in decomposed if not unicodedata.combining(each)).casefold().translate(_PLAIN)
    kept = (each if each.isalnum() or unicodedata.category(each).startswith("M") else " " for each in bare)
    return list(dict.fromkeys("".join(kept).split()))


def whole(name: str) -> str:
    """Return a whole name as it is compared: its words without what parts them."""
    return "".join(words(name))


def phone_digits(phone: str) -> str:
    """Return a phone number as it is compared: its last eight digits.

    The same telephone is written with its country (+49 30 901820, 0049...) and without (030 901820); what is before its
    last digits tells these apart, and nothing else that a clinic would look for.
    """
    return "".join(each for each in phone if each.isascii() and each.isdigit())[-PHONE_DIGITS:]


def keyed(vault: Vault, site_id: int, kind: str, text: str) -> str:
    """Return the hash under which something known of a patient of a site is kept and looked up."""
    return vault.keyed_hash(f"patient:{site_id}:{kind}:{text}")


def rows(vault: Vault, site: Site, visit_id: int, personal: Personal) -> list[SearchRow]:
    """Return what a visit is to be found by, on the site's present day; nothing for somebody who told nothing."""
    known = {("name", text) for text in [*words(personal.name or ""), whole(personal.name or "")]}
    known |= {("phone", phone_digits(personal.phone or "")), ("date_of_birth", personal.date_of_birth or "")}
    return [
        {
            "site_id": site.id,
            "kind": kind,
            "hash": keyed(vault, site.id, kind, text),
            "visit_id": visit_id,
            "business_day": site.business_day,
        }
        for kind, text in sorted(known)
        if text
    ]


def sought(vault: Vault, site_id: int, told: Personal) -> list[list[SearchKey]]:
    """Return by which keys visits are looked for: all of the first list, or all of the second, if there is one.

    A name is found by all its words in any order, or by the whole of it, however it was parted.
    """
    beside = [("phone", phone_digits(told.phone or "")), ("date_of_birth", told.date_of_birth or "")]
    named = words(told.name or "")
    ways = [[("name", word) for word in named]]
    if len(named) > 1:
        ways.append([("name", whole(told.name or ""))])
    return [[(kind, keyed(vault, site_id, kind, text)) for kind, text in [*way, *beside] if text] for way in ways]


def forget(connection: Connection, visit_ids: Sequence[int]) -> None:
    """Delete what visits were to be found by: something else is known of these patients now."""
    if visit_ids:
        connection.execute(delete(visit_search).where(visit_search.c.visit_id.in_(visit_ids)))


def remember(connection: Connection, found_by: Sequence[SearchRow]) -> None:
    """Write what visits are to be found by, in the transaction that begins or amends them."""
    if found_by:
        connection.execute(_REMEMBER, found_by)
