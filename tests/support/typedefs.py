"""Writes the type definitions of cells into `web/js/live/cells.js`: `python -m tests.support.typedefs`.

The definitions are generated from the types of the cells in `server.domain.views`.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, is_typeddict

from server.domain.model import Need, PointState, Priority, State
from server.domain.ranking import WhyNext
from server.domain.views import VIEWS
from server.domain.views.fields import Field, field_of, fields_of
from server.domain.views.point import RoomPatient
from server.domain.views.site import SiteCell

CELLS = Path(__file__).parents[2] / "web" / "js" / "live" / "cells.js"
BEGIN, END = " * Generated from the cells of the server's views:\n", " * End of the generated definitions.\n"
WIDTH = 125
NO_BREAK = "\N{NO-BREAK SPACE}"

ALIASES = {"EntryState": State, "Priority": Priority, "Need": Need, "PointState": PointState, "WhyNext": WhyNext}
BASES = (SiteCell, RoomPatient)  # other cells extend these, and pages use their names
TYPES = {str: "string", int: "number", bool: "boolean"}


def generated() -> str:
    """Return the generated type definitions, as lines of a JSDoc comment."""
    definitions = {name: _choice(get_args(values)) for name, values in ALIASES.items()}
    for base in BASES:
        _define(base, definitions)
    for view in VIEWS:
        for kind, cell in view.cells.items():
            if isinstance(cell, UnionType):
                definitions[f"{kind.title()}Cell"] = _merged([fields_of(each) for each in get_args(cell)], definitions)
            else:
                _define(cell, definitions)
    return "".join(map(_wrapped, definitions, definitions.values()))


def _define(cell: type, definitions: dict[str, str]) -> str:
    """Add the definition of a cell or of an object in a cell, after the definitions that it needs. Return its name."""
    name, fields = cell.__name__.removesuffix("Cell"), fields_of(cell)
    if name not in definitions:
        extended = ""
        for base in BASES:
            if base is not cell and fields_of(base).items() <= fields.items():
                fields = {key: field for key, field in fields.items() if key not in fields_of(base)}
                extended = f"{_define(base, definitions)} & "
        definitions[name] = extended + _merged([fields], definitions)
    return name


def _merged(alternatives: list[dict[str, Field]], definitions: dict[str, str]) -> str:
    """Return the type of an object that is one of some alternatives. Fields that some of them lack are optional."""
    parts = []
    for name in dict.fromkeys(name for fields in alternatives for name in fields):
        found = [fields[name] for fields in alternatives if name in fields]
        types = dict.fromkeys(_type(field, definitions) for field in found)
        if len(types) > 1:  # literals: one choice of all values
            types = {_alias(dict.fromkeys(value for field in found for value in get_args(field.type))): None}
        parts.append(f"{name}{'' if len(found) == len(alternatives) else '?'}: {' | '.join(types)}")
    return "{" + ", ".join(parts) + "}"


def _type(field: Field, definitions: dict[str, str]) -> str:
    kind, enum = field.type, field.described.enum
    if enum is not None and kind is not int:
        made = _alias(dict.fromkeys(each for each in enum if each is not None))
    elif get_origin(kind) is list:
        items = _type(field_of(get_args(kind)[0]), definitions)
        made = f"({items})[]" if " " in items else f"{items}[]"
    elif get_origin(kind) is dict:
        made = "Record<string, string>"
    elif get_origin(kind) is Literal:
        made = _alias(dict.fromkeys(get_args(kind)))
    else:
        made = _define(kind, definitions) if is_typeddict(kind) else TYPES[kind]
    return f"{made} | null" if field.nullable else made


def _alias(values: dict[Any, None]) -> str:
    """Return the name for a set of values, or all of the values."""
    for name, known in ALIASES.items():
        if set(get_args(known)) == set(values):
            return name
    return _choice(tuple(values))


def _choice(values: tuple[Any, ...]) -> str:
    return " | ".join(f'"{value}"' for value in values)


def _wrapped(name: str, definition: str) -> str:
    """Return a definition in lines that end between fields."""
    text = f"@typedef {{{definition}}} {name}"
    glued = re.sub(r"(?<=[\w\])?])(:| \|) ", lambda found: found[0].replace(" ", NO_BREAK), text)
    lines = textwrap.wrap(glued, WIDTH - len(" *   "), break_long_words=False, break_on_hyphens=False)
    return "".join(f" * {'  ' if index else ''}{line}\n" for index, line in enumerate(lines)).replace(NO_BREAK, " ")


def with_generated(source: str) -> str:
    """Return the source of the module with the generated definitions."""
    return re.sub(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", lambda _: f" *\n{generated()} *\n", source, flags=re.S)


if __name__ == "__main__":
    CELLS.write_text(with_generated(CELLS.read_text()))
