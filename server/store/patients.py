"""The search for past patients: keyed hashes of the words of the name, the phone and the date of birth.

A hash is bound to its site and its kind. The hashes of two clinics do not reveal that both know the same person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from server.domain.model import Personal, Site
from server.domain.model.folding import whole, words
from server.store.tables import visit_search
from server.vault import Vault

SearchRow = dict[str, Any]
_REMEMBER = insert(visit_search)
_OF_NAME = (
    select(visit_search.c.visit_id)
    .where(
        visit_search.c.site_id == bindparam("site_id"),
        visit_search.c.kind == "name",
        visit_search.c.hash == bindparam("hash"),
    )
    .order_by(visit_search.c.visit_id.desc())
    .limit(200)
)
SearchKey = tuple[str, str]  # the kind (``name``), and the keyed hash
PHONE_DIGITS = 8
_EXTENSION = re.compile(r"(?<=\d)[\s)]*(?:[;#,]|[^\W\d_])")  # "ext 3", "x3", ";ext=3": a letter or a mark behind a digit
# Of the folding that made the hashes of earlier versions.
_EARLIER_INSIDE = dict.fromkeys(map(ord, "'`.\u00b4\u2018\u2019\u02bc\u200c\u200d"))
_EARLIER_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})


def phone_digits(phone: str) -> str:
    """Return a phone number for comparison: its last eight digits.

    People write the same number with its country (+49 30 901820, 0049...) and without (030 901820). The digits before the
    last eight distinguish these forms, and hardly ever two patients of a clinic. An extension does not count.
    """
    written = unicodedata.normalize("NFKC", phone)
    number = _EXTENSION.split(written, maxsplit=1)[0]
    return "".join(str(unicodedata.decimal(each)) for each in number if each.isdecimal())[-PHONE_DIGITS:]


def keyed(vault: Vault, site_id: int, kind: str, text: str) -> str:
    """Return the hash of a fact about a patient of a site. ``kind`` is ``name``, ``phone`` or ``date_of_birth``."""
    return vault.keyed_hash(f"patient:{site_id}:{kind}:{text}")


def rows(vault: Vault, site: Site, visit_id: int, personal: Personal) -> list[SearchRow]:
    """Return the search rows of a visit on the site's present day; none if nothing is known of the patient."""
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
    """Return the lists of keys to search with: a visit matches if it has all keys of one list.

    A name matches by all its words in any order, or as a whole, with or without separators. Hashes of earlier versions match
    too.
    """
    beside = [("phone", phone_digits(told.phone or "")), ("date_of_birth", told.date_of_birth or "")]
    ways: list[list[tuple[str, str]]] = []
    for named in (words(told.name or ""), _earlier_words(told.name or "")):
        for way in ([("name", word) for word in named], [("name", "".join(named))] if named else []):
            if way not in ways:
                ways.append(way)
    return [[(kind, keyed(vault, site_id, kind, text)) for kind, text in [*way, *beside] if text] for way in ways]


def _earlier_words(name: str) -> list[str]:
    """Return the words of a name as earlier versions folded them. Their hashes stay until retention deletes them."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_EARLIER_INSIDE))
    bare = "".join(each for each in decomposed if not unicodedata.combining(each)).casefold().translate(_EARLIER_PLAIN)
    kept = (each if each.isalnum() or unicodedata.category(each).startswith("M") else " " for each in bare)
    return list(dict.fromkeys("".join(kept).split()))


def of_name(connection: Connection, vault: Vault, site: Site, name: str) -> list[int]:
    """Return the newest visits of a site whose patient may have this name, by id: their names share its longest word."""
    longest = max(words(name), key=len, default="")
    found = connection.execute(_OF_NAME, {"site_id": site.id, "hash": keyed(vault, site.id, "name", longest)})
    return [row.visit_id for row in found]


def forget(connection: Connection, visit_ids: Sequence[int]) -> None:
    """Delete the search rows of visits, because the data of their patients has changed."""
    if visit_ids:
        connection.execute(delete(visit_search).where(visit_search.c.visit_id.in_(visit_ids)))


def remember(connection: Connection, found_by: Sequence[SearchRow]) -> None:
    """Write the search rows of visits, in the transaction that begins or amends the visits."""
    if found_by:
        connection.execute(_REMEMBER, found_by)
