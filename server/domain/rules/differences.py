"""The differences between two blueprints of a site, as a reader wants to see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from server.domain.commands.blueprint import KINDS, Blueprint, Plan, normal


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field with its value before and after, as in the blueprints. A field of a new or removed record has one of them."""

    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Change:
    """A record that is added, changed or removed.

    ``kind`` is ``site`` or the singular of a list of the blueprint (``queue``). A change of the order of a list has no
    ``name``, and one field ``order`` with the names before and after.
    """

    action: Literal["add", "change", "remove"]
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()


def differences(before: Blueprint, after: Blueprint) -> list[Change]:
    """Return the changes that lead from one blueprint to another: the site first, then each kind, removals last."""
    before, after = normal(before), normal(after)
    site = (
        *_changed(before, after, ("name", "time_zone", "language", "day_turns_at_minutes")),
        *_changed(before.rules, after.rules, (item.name for item in fields(after.rules))),
    )
    found = [Change("change", "site", before.name, site)] if site else []
    gone: list[Change] = []
    for kind in KINDS:
        earlier: dict[str, Plan] = {plan.name: plan for plan in getattr(before, kind)}
        later: dict[str, Plan] = {plan.name: plan for plan in getattr(after, kind)}
        one = kind.removesuffix("s")
        for name, plan in later.items():
            own = [item.name for item in fields(plan) if item.name != "name"]
            if name not in earlier:
                found.append(Change("add", one, name, _given(plan, own)))
            elif changed := _changed(earlier[name], plan, own):
                found.append(Change("change", one, name, changed))
        was, now = ([name for name in each if name in earlier and name in later] for each in (earlier, later))
        if was != now and kind in ORDERED:
            found.append(Change("change", one, "", (FieldChange("order", tuple(was), tuple(now)),)))
        gone[:0] = [Change("remove", one, name) for name in earlier if name not in later]
    return [*found, *gone]


ORDERED = ("services", "providers", "queues", "points")


def _changed(before: object, after: object, names: Iterable[str]) -> tuple[FieldChange, ...]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return tuple(FieldChange(name, one, other) for name, one, other in pairs if one != other)


def _given(plan: Plan, names: Iterable[str]) -> tuple[FieldChange, ...]:
    """Return the fields of a new record that have a value of their own."""
    usual = {item.name: item.default for item in fields(plan)}
    values = ((name, getattr(plan, name)) for name in names)
    return tuple(FieldChange(name, None, value) for name, value in values if value != usual[name])
