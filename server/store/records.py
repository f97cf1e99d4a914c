"""Records of the domain and their rows: the columns have the names of the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Column

from server.domain.model import Entity, Rules, Site
from server.domain.model.site import BEFORE
from server.store.tables import TABLES

Record = TypeVar("Record", bound=Entity)


def columns_of(kind: type[Entity]) -> list[Column[Any]]:
    """Return the columns of a kind of record, in the order of its fields."""
    return [TABLES[kind].c[item.name] for item in fields(kind)]


def record_of(kind: type[Record], row: Mapping[Any, Any]) -> Record:
    """Return the record of a row. Lists of a JSON column become tuples."""
    return kind(**{str(name): _tupled(value) for name, value in row.items()})


def site_of(values: Mapping[str, Any]) -> Site:
    """Return the site with these values of its row; its rules are a dictionary, as JSON has them."""
    return Site(**dict(values) | {"rules": rules_of(values["rules"]), "milestones": tuple(values["milestones"])})


def rules_of(values: Mapping[str, Any]) -> Rules:
    """Return the rules of a site from JSON. Rules that were stored before a rule was known have its former value."""
    hours = tuple((day, begin, until) for day, begin, until in values.get("hours", ()))
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Rules(**BEFORE | dict(values) | lists | {"hours": hours})


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value
