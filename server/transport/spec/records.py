"""The JSON Schema of a Python type, as these documents write it.

A record is a ``TypedDict`` or a dataclass. A record whose name begins with an underscore is written out in place; any other
becomes a component under its name, or under the name that `server.transport.http.fields.Component` gives it.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from server.transport.http.fields import Component, Schema
from server.transport.spec.prose import FIELDS
from server.transport.spec.schema import REFERENCE, Json, id_of, object_of, ref, tidy

Texts = Mapping[str, FieldInfo]
_LISTS = (list, tuple, Sequence)


def schema_of(hint: Any, schemas: dict[str, Json], texts: Texts | None = None) -> Json:
    """Return the schema of a value of this type. The components that it refers to are added to ``schemas``.

    ``texts`` describe the fields of the dataclasses in it, by field name.
    """
    base, marks = _unwrapped(hint)
    component = next((each for each in marks if isinstance(each, Component)), None)
    raw = next((each for each in marks if isinstance(each, Schema)), None)
    bounds = [each for each in marks if not isinstance(each, Component | Schema)]
    if raw is not None:
        return raw.schema | _bounds(dict, bounds)
    if component is not None and not _is_record(base):
        schemas[component.name] = schema_of(base, schemas, texts)
        return ref(component.name)
    if not _has_record(base):
        return _leaf(Annotated[base, *bounds] if bounds else base, schemas)
    if _is_record(base):
        return _record(base, component, schemas, texts or {}) | _bounds(dict, bounds)
    several = get_args(base)
    if get_origin(base) in (Union, types.UnionType):
        return _union(several, schemas, texts) | _bounds(dict, bounds)
    if get_origin(base) in _LISTS:
        return {"type": "array", "items": schema_of(several[0], schemas, texts)} | _bounds(list, bounds)
    return {"type": "object", "additionalProperties": schema_of(several[1], schemas, texts)} | _bounds(dict, bounds)


def field_of(name: str, hint: Any, schemas: dict[str, Json], texts: Texts | None = None) -> Json:
    """Return the schema of a field: see `schema_of`. Its name says whether it is an id, and describes it by default."""
    return _named(name, schema_of(hint, schemas, texts))


def event_field_of(name: str, hint: Any, schemas: dict[str, Json]) -> Json:
    """Return the schema of an event's field: like `field_of`, but a record in it is written out as pydantic writes it."""
    return _named(name, _leaf(hint, schemas))


def _named(name: str, made: Json) -> Json:
    if (name == "id" or name.endswith("_id")) and made.get("type") in ("integer", ["integer", "null"]):
        made = id_of(nullable="null" in made["type"]) | made
    elif name.endswith("_ids") and made.get("type") == "array":
        made["items"] = id_of()
    if name in FIELDS and "$ref" not in made:
        made.setdefault("description", FIELDS[name])
    return made


def schema_of_model(model: type[BaseModel]) -> Json:
    """Return the schema of a pydantic model."""
    made: Json = tidy(model.model_json_schema())
    return made


def _record(kind: Any, component: Component | None, schemas: dict[str, Json], texts: Texts) -> Json:
    origin = get_origin(kind) or kind
    if component is not None:
        texts = {**texts, **component.fields}
    name = component.name if component else origin.__name__
    if origin is not kind or name.startswith("_"):
        return _written(kind, origin, component, schemas, texts)
    if name not in schemas:
        schemas[name] = {}  # holds the place: before the components that it refers to
        schemas[name] = _written(kind, origin, component, schemas, texts)
    return ref(name)


def _written(kind: Any, origin: Any, component: Component | None, schemas: dict[str, Json], texts: Texts) -> Json:
    about = component.about if component else None
    if is_typeddict(origin):
        about = about or (origin.__doc__ or "").partition("\n\n")[0] or None
    given = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    hints = get_type_hints(origin, include_extras=True) | dict(component.more if component else {})
    names = [each.name for each in fields(origin)] if is_dataclass(origin) else list(hints)
    made = {}
    for name in [*names, *(component.more if component else ())]:
        hint = _filled(hints[name], given)
        if is_dataclass(origin):
            # The text of a nested record's own fields must not describe the field that holds this record.
            whole = Annotated[hint, texts[name]] if name in texts and not _has_record(hint) else hint
            made[name] = field_of(name, whole, schemas, texts)
            if "integer" in made[name].get("type", ()):
                made[name].setdefault("minimum", 0)
        else:
            made[name] = field_of(name, hint, schemas, texts)
    return object_of(made, description=about)


def _union(several: tuple[Any, ...], schemas: dict[str, Json], texts: Texts | None) -> Json:
    made = [schema_of(each, schemas, texts) for each in several if each is not type(None)]
    if len(made) == len(several):
        return {"oneOf": made}
    (only,) = made
    return only | {"type": [only["type"], "null"]}


def _leaf(hint: Any, schemas: dict[str, Json]) -> Json:
    made: Json = tidy(TypeAdapter(hint).json_schema(ref_template=REFERENCE, mode="serialization"))
    schemas |= made.pop("$defs", {})
    if "const" in made:
        made.pop("type", None)  # the constant says it
    return made


def _bounds(kind: type, bounds: list[Any]) -> Json:
    """Return the keywords of marks like pydantic's ``Field`` for an object or a list, without its type."""
    if not bounds:
        return {}
    hint: Any = Annotated[kind, *bounds]
    made: Json = tidy(TypeAdapter(hint).json_schema(mode="serialization"))
    return {key: each for key, each in made.items() if key not in ("type", "items", "additionalProperties")}


def _unwrapped(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())


def _is_record(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return is_typeddict(kind) or (isinstance(kind, type) and is_dataclass(kind))


def _has_record(hint: Any) -> bool:
    base, marks = _unwrapped(hint)
    return _is_record(base) or any(isinstance(each, Schema) for each in marks) or any(map(_has_record, get_args(base)))


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    """Return a hint with its type variables replaced."""
    if isinstance(hint, TypeVar):
        return given[hint]
    if get_origin(hint) is Annotated:
        return Annotated[_filled(hint.__origin__, given), *hint.__metadata__]
    if not given or not getattr(hint, "__parameters__", ()):
        return hint
    return hint[tuple(given[each] for each in hint.__parameters__)]
