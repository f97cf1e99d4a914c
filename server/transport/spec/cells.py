"""The contents of each cell and of each message of a live stream, as JSON Schema.

The schemas of cells are generated from the types of the cells in `server.domain.views`.
"""

from __future__ import annotations

import inspect
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin, is_typeddict

from server.domain.views import VIEWS, AppointmentView, PointView, TicketView
from server.domain.views.fields import Described, Field, field_of, fields_of
from server.live.messages import REASONS
from server.transport.http.parameters import DAY
from server.transport.spec.schema import INSTANT, Json, count_of, object_of, text

_TYPES = {str: "string", int: "integer", bool: "boolean"}
_KEYWORDS = {"max_items": "maxItems"}


def cells_of_views() -> dict[str, dict[str, Json]]:
    """Return the schema of each kind of cell, for each kind of view."""
    return {view.kind: {kind: _cell(made) for kind, made in view.cells.items()} for view in VIEWS}


def _cell(made: Any) -> Json:
    if isinstance(made, UnionType):
        return {"oneOf": [_object(each) for each in get_args(made)]}
    return _object(made)


def _object(cell: type) -> Json:
    return object_of({name: _field(each) for name, each in fields_of(cell).items()}, description=inspect.getdoc(cell))


def _field(field: Field) -> Json:
    made = _typed(field.type)
    if field.nullable:
        made["type"] = [made["type"], "null"]
    return made | _described(field.described)


def _typed(kind: Any) -> Json:
    if is_typeddict(kind):
        return _object(kind)
    if get_origin(kind) is list:
        return {"type": "array", "items": _field(field_of(get_args(kind)[0]))}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _field(field_of(get_args(kind)[1]))}
    if get_origin(kind) is Literal:
        values = get_args(kind)
        return {"const": values[0]} if len(values) == 1 else text(enum=list(values))
    return {"type": _TYPES[kind]}


def _described(described: Described) -> Json:
    """Return what a description says in terms of JSON Schema."""
    values = {_KEYWORDS.get(item.name, item.name): getattr(described, item.name) for item in fields(described)}
    return {name: list(each) if name == "enum" else each for name, each in values.items() if each is not None}


def cells_schema(view: str, cells: dict[str, Json]) -> Json:
    """Return the schema of a view's map of cells."""
    single = {"site", "checklist", *(cells if view in (PointView.kind, TicketView.kind, AppointmentView.kind) else ())}
    if view == PointView.kind:
        single.remove("appointment")  # of a clinician there are many
    keyed = {kind: schema for kind, schema in cells.items() if kind not in single}
    made: Json = {
        "type": "object",
        "description": f"The cells of the {view} view by their keys: `site`, `queue:7000000001`, ..."
        if keyed
        else f"The cells of the {view} view by their keys.",
        "properties": {kind: schema for kind, schema in cells.items() if kind not in keyed},
    }
    if keyed:
        made["patternProperties"] = {f"^{kind}:{_identifier(kind)}$": schema for kind, schema in keyed.items()}
    return made | {"additionalProperties": False}


def _identifier(kind: str) -> str:
    """Return the pattern of what follows the kind in a key: a date, or the id of a record."""
    return DAY if kind == "day" else "[0-9]+"


def live_messages() -> dict[str, Json]:
    """Return the schema of each message of a live stream: the counterpart of `server.live.messages`."""
    seq = count_of("The number in the site's log up to which the message is complete.")
    cells: Json = {"type": "object", "additionalProperties": {"type": "object"}}
    return {
        "snapshot": object_of(
            {
                "seq": seq,
                "at": INSTANT,
                "heartbeat_ms": count_of("The interval between two heartbeats, in milliseconds."),
                "cells": cells,
            },
            description="All cells of the view. They replace all cells of the screen.",
        ),
        "change": object_of(
            {
                "seq": seq,
                "set": cells,
                "del": {"type": "array", "items": text(), "description": "The keys of removed cells."},
            },
            description="The new and changed cells, each with its whole content, and the keys of removed cells.",
        ),
        "heartbeat": object_of(
            {"seq": seq, "at": INSTANT, "digest": count_of("The XOR of the CRC-32 checksums of the screen's cells.")},
            description="A sign of life on a quiet stream.",
        ),
        "bye": object_of(
            {
                "retry_ms": count_of("The time to wait before the next connection, in milliseconds."),
                "reason": text(enum=list(REASONS)),
            },
            description="The last message of a stream. After `revoked` and `ended`, do not connect again.",
        ),
    }
