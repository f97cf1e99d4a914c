"""Writing a set-up file that people like to read and to change."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import date
from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable, Table

from server.blueprints.format import CLINIC_RULES, CLOCKS, HOURS, MESSAGES, RECORDS, RULES, SITE_KEYS, WEEKDAYS, clock
from server.blueprints.reading import ClinicFile, Texts
from server.domain.commands.blueprint import Blueprint, Plan
from server.domain.model import Rules

_ABOUT = (
    "The set-up of a clinic. `nowserving apply FILE` shows the differences to the clinic and carries them out.",
    "docs/set-up-files.md describes every key. The true names of services are for staff alone.",
)
_LONG_LIST = 4  # a longer list has one element on each line


def write(file: ClinicFile) -> str:
    """Return a set-up file. `read` returns the same content."""
    blueprint = file.blueprint
    document = tomlkit.document()
    for line in _ABOUT:
        document.add(tomlkit.comment(line))
    if file.organisation is not None:
        document.add(tomlkit.nl())
        document.add("organisation", tomlkit.item(file.organisation))
    document.add("clinic", _clinic(blueprint))
    if blueprint.rules.hours:
        document.add(HOURS, _hours(blueprint.rules))
    rules = tomlkit.table()
    for key, name in RULES.items():
        value = getattr(blueprint.rules, name)
        rules.add(key, _item(clock(value) if name in CLOCKS else value))
    document.add("rules", rules)
    if file.texts:
        document.add(MESSAGES, _messages(file.texts))
    for kind in RECORDS:
        if plans := getattr(blueprint, kind):
            document.add(kind, _records(plans))
    return f"{tomlkit.dumps(document).rstrip()}\n"


def _clinic(blueprint: Blueprint) -> Table:
    table = tomlkit.table()
    for name, key in SITE_KEYS.items():
        value = getattr(blueprint, name)
        table.add(key, clock(value) if name in CLOCKS else value)
    for name in CLINIC_RULES:
        value = getattr(blueprint.rules, name)
        if name == "closed_on":
            value = tuple(map(date.fromisoformat, value))
        table.add(name, _item(value))
    return table


def _hours(rules: Rules) -> Table:
    table = tomlkit.table()
    for weekday, key in enumerate(WEEKDAYS):
        table.add(key, _item(tuple(f"{clock(begin)}-{clock(end)}" for day, begin, end in rules.hours if day == weekday)))
    return table


def _messages(texts: Texts) -> Table:
    tables = tomlkit.table(is_super_table=True)
    for template in dict.fromkeys(name for name, _, _ in texts):
        table = tomlkit.table()
        for name, tag, text in texts:
            if name == template:
                table.add(tag, text)
        tables.add(template, table)
    return tables


def _records(plans: tuple[Plan, ...]) -> AoT:
    tables = tomlkit.aot()
    for plan in plans:
        table = tomlkit.table()
        for item in fields(plan):
            value = getattr(plan, item.name)
            if item.name == "names":
                if value:
                    table.add("names", _names(value))
            elif item.name == "true_name":
                if value != plan.name:
                    table.add("true_name", value)
            elif item.default is MISSING or value != item.default:
                table.add(item.name, _item(value))
        tables.append(table)
    return tables


def _names(names: tuple[tuple[str, str], ...]) -> InlineTable:
    table = tomlkit.inline_table()
    table.update(dict(names))
    return table


def _item(value: Any) -> Any:
    if not isinstance(value, tuple):
        return tomlkit.item(value)
    array = tomlkit.array()
    array.extend(value)
    array.multiline(len(value) > _LONG_LIST)
    return array
