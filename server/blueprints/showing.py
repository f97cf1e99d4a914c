"""Showing the differences between a clinic and its file in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from server.blueprints.format import CLOCKS, SITE_KEYS, WEEKDAYS, clock, key_of
from server.domain.rules.differences import Change, FieldChange

_MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def shown(changes: Iterable[Change], *, is_new: bool, remove: bool) -> Text:
    """Return a text with a line for each change and each field: ``+`` is new, ``~`` changes, ``-`` goes.

    ``is_new`` marks the site itself as new. Without ``remove``, records that the file lacks are shown as kept.
    """
    lines: list[Text] = []
    for change in changes:
        mark, colour = _MARKS["add" if is_new and change.kind == "site" else change.action]
        kept = change.action == "remove" and not remove
        if kept:
            mark, colour = " ", "dim"
        what = f"{mark} {change.kind} {change.name}" if change.name else f"{mark} order of the {change.kind}s"
        lines.append(Text(what + ("  (not in the file; it stays without --remove)" if kept else ""), colour))
        lines += [Text(f"    {_field(change, field)}", "dim" if kept else "") for field in change.fields]
    return Text("\n").join(lines)


def _field(change: Change, field: FieldChange) -> str:
    if field.field == "order":
        return f"{_value(field.before)} -> {_value(field.after)}"
    name = SITE_KEYS.get(field.field, key_of(field.field)) if change.kind == "site" else field.field
    after = _shaped(field.field, field.after)
    return f"{name}: {after}" if change.action == "add" else f"{name}: {_shaped(field.field, field.before)} -> {after}"


def _shaped(name: str, value: object) -> str:
    if name == "hours" and isinstance(value, tuple):
        days = (f"{WEEKDAYS[day]} {clock(begin)}-{clock(end)}" for day, begin, end in value)
        return ", ".join(days) or "always open"
    if name == "names" and isinstance(value, tuple):
        return ", ".join(f"{tag} {text}" for tag, text in value) or "none"
    return clock(value) if name in CLOCKS and isinstance(value, int) else _value(value)


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case None | "":
            return "none"
    return str(value)
