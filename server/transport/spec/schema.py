"""Small JSON Schema builders that the OpenAPI and AsyncAPI documents share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from server.domain.model import State
from server.domain.model.ids import MAX_ID

Json = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"


def ref(name: str) -> Json:
    return {"$ref": REFERENCE.format(model=name)}


def object_of(properties: Json, *, optional: Iterable[str] = (), description: str | None = None) -> Json:
    """Return the schema of an object that has these fields and no other."""
    made: Json = {"type": "object"} | ({"description": description} if description else {})
    required = [name for name in properties if name not in set(optional)]
    return made | {"properties": properties, "required": required, "additionalProperties": False}


def id_of(description: str | None = None, *, nullable: bool = False) -> Json:
    made: Json = {"type": ["integer", "null"] if nullable else "integer", "minimum": 1, "maximum": MAX_ID}
    return made | ({"description": description} if description else {})


def text(**more: object) -> Json:
    return {"type": "string", **more}


def count_of(description: str, least: int = 0) -> Json:
    return {"type": "integer", "minimum": least, "description": description}


INSTANT = count_of("An instant, in milliseconds since 1970.")
STATES = list(get_args(State))


def tidy(schema: Any) -> Any:
    """Return a schema of pydantic's without titles, with ``null`` as one of the types."""
    if isinstance(schema, list):
        return [tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: tidy(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    first, *others = made.get("prefixItems", [None])
    if first is not None and all(each == first for each in others):  # a tuple of equal types is a list of that length
        del made["prefixItems"]
        made["items"] = first
    choices = made.get("anyOf", [])
    if len(choices) == 2 and {"type": "null"} in choices:
        (other,) = (each for each in choices if each != {"type": "null"})
        if isinstance(other.get("type"), str):
            del made["anyOf"]
            made |= other | {"type": [other["type"], "null"]}
            if "enum" in made:
                made["enum"] = [*made["enum"], None]
    return made
