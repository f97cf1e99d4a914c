"""Search for past patients: visits by the patient's name, phone or date of birth, as keyed hashes.

Nothing here decrypts personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, union

from server.domain.errors import InvalidField
from server.domain.model import Personal, Visit
from server.domain.model.folding import words
from server.queries import keyset
from server.queries.keyset import Key, Page
from server.queries.reader import Reader
from server.store import patients as found_by
from server.store.patients import SearchKey
from server.store.tables import visit_search, visits
from server.vault import Vault

KEY: tuple[type, ...] = (int,)  # id, in the order of arrival


LEAST_OF_PHONE = 4  # digits


def check_sought(told: Personal) -> None:
    """Raise `InvalidField` unless a name, a phone number or a date of birth is there to search for."""
    if told == Personal():
        raise InvalidField(field="name", problem="a name, a phone number or a date of birth is needed")
    if told.name is not None and not words(told.name):
        raise InvalidField(field="name", problem="letters or digits")
    if told.phone is not None and len(found_by.phone_digits(told.phone)) < LEAST_OF_PHONE:
        raise InvalidField(field="phone", problem=f"at least {LEAST_OF_PHONE} digits")


async def page(
    database: Reader, vault: Vault, site_id: int, told: Sequence[Personal], size: int, after: Key | None
) -> Page[Visit]:
    """Return a page of the visits whose patient has told all of one of ``told``, newest first. Raises `Unavailable`."""
    ways: list[list[SearchKey]] = []
    for each in told:
        ways.extend(way for way in found_by.sought(vault, site_id, each) if way not in ways)
    async with database.read() as connection:
        found: dict[int, Visit] = {}
        for way in ways:  # each reads in the order of its key; the database would have to sort an OR of them
            statement, visit_id = _having(site_id, way, *visits.c)
            rows, _ = await keyset.rows(connection, statement, (visit_id,), size + 1, after, descending=True)
            found |= {row.id: Visit(**{**row._mapping, "needs": tuple(row.needs)}) for row in rows}
        every = union(*(_having(site_id, way, visits.c.id)[0] for way in ways)).subquery()
        counted = await keyset.total(connection, select(every.c.id))
    newest = sorted(found.values(), key=lambda visit: -visit.id)
    return keyset.page(newest[:size], counted, lambda visit: (visit.id,), more=len(newest) > size)


def _having(
    site_id: int, way: Sequence[SearchKey], *columns: ColumnElement[Any]
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int]]:
    """Return a statement for the visits that have all keys of ``way``, and the column that orders them."""
    first, *others = [visit_search.alias(f"by_{number}") for number in range(len(way))]
    having = [
        and_(each.c.site_id == site_id, each.c.kind == kind, each.c.hash == digest)
        for each, (kind, digest) in zip((first, *others), way, strict=True)
    ]
    statement = select(*columns).join_from(first, visits, visits.c.id == first.c.visit_id)
    for each in others:
        statement = statement.join(each, each.c.visit_id == first.c.visit_id)
    return statement.where(*having), first.c.visit_id
