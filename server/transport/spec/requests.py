"""Request bodies in the OpenAPI document: their schemas, and an example of each command's body."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from server.domain import plain_text
from server.domain.commands import COMMANDS
from server.domain.commands.bounds import LANGUAGE, NAME
from server.domain.model.ids import MAX_ID
from server.transport.http import bodies
from server.transport.spec.prose import FIELDS
from server.transport.spec.records import schema_of_model
from server.transport.spec.schema import REFERENCE, Json, tidy

# Example values: by command and field, or by field. `_SPARES` serve a text with a pattern that has no value here.
SAMPLES: Json = {
    "name": "Ada Lovelace",
    "phone": "+49 30 901820",
    "language": "pt-BR",
    "prefix": "A",
    "party_size": 2,
    "reason": "The room is needed for an emergency",
    "message": "The lift is out of order today",
    "minutes": 15,
    "joins_per_phone": 3,
    "add-queue.name": "Blood test",
    "add-point.name": "Room 1",
    "add-display.name": "Waiting room",
    "site_id": 7,
    "queue_id": 7_000_000_001,
    "queue_ids": [7_000_000_001, 7_000_000_002],
    "point_id": 7_000_000_004,
    "point_ids": [7_000_000_004, 7_000_000_005],
    "entry_id": 7_000_000_012,
    "provider_id": 7_000_000_006,
    "service_id": 7_000_000_003,
    "feed_id": 4,
    "message_id": 12,
    "practitioner_id": 12,
    "appointment_id": 7_000_000_021,
    "schedule_id": 7_000_000_009,
    "exception_id": 7_000_000_010,
    "hold_token": "a7-Gk3cYx0bQf2mTn8sVw5LpA",  # nosec B105 # an example
    "local_start": "2027-01-15T09:00",
    "overbook": "The specialist is here today only",
    "visit_id": 7_000_000_011,
    "email": "ada@example.org",
    "date_of_birth": "1985-12-10",
    "notes": "Comes with her daughter",
    "names": {"ar": "مختبر", "es-419": "Laboratorio"},
    "languages": ["ar", "es-419"],
    "needs": ["step_free"],
    "unmet_needs": ["step_free"],
    "time_zone": "Europe/Berlin",
    "region": "DE",
    "hours": [[0, 480, 1020]],
    "closed_on": ["2026-12-25"],
    "message_ways": ["sms", "email"],
    "reminders": [72, 24],
    "add-service.name": "Blood test for a transplant",
    "add-service.public_name": "Blood test",
    "change-service.public_name": "Blood test",
    "add-kiosk.name": "Door",
    "answer-help.name": "Maria",
    "place": "Main entrance",
    "kiosk_id": 7_000_000_008,
    "display_id": 7_000_000_007,
    "device_id": 7_000_000_007,
    "label": "A012",
    "staff_id": 12,
    "api_key_id": 3,
    "webhook_id": 3,
    "invitation_id": 3,
}
_SPARES = ("A", "en", "12:30", "2026-03-29", "2026-03-29T12:30", "+49 30 901820", "0")


def body_schema(model: type[BaseModel]) -> Json:
    """Return the schema of a body that is no command's. The models within it are written in their places."""
    schema = schema_of_model(model)
    schema.pop("$defs", None)
    for key, made in schema["properties"].items():
        item = model.model_fields[key]
        if isinstance(item.annotation, type) and issubclass(item.annotation, BaseModel):
            schema["properties"][key] = body_schema(item.annotation)
            continue
        for each in get_args(item.annotation):
            if isinstance(each, type) and issubclass(each, BaseModel):
                made["items"] = body_schema(each)
        if bodies.is_plain(item):
            made |= _plain(made)
        if bodies.has_plain_items(item):
            made["items"] |= _plain(made["items"])
        if key == "names":
            _name_languages(made)
        if key in FIELDS:
            made.setdefault("description", FIELDS[key])
    return schema


def command_schema(name: str, model: type[BaseModel], schemas: dict[str, Json]) -> Json:
    """Return the schema of a command's body: that of the model, with the rules of its validators, and an example.

    The components that it refers to are added to ``schemas``.
    """
    command = COMMANDS[name]
    hints = {bodies.on_wire(each): hint for each, hint in get_type_hints(command).items()}
    schema: Json = tidy(model.model_json_schema(ref_template=REFERENCE))
    schema.pop("description", None)
    schemas |= schema.pop("$defs", {})
    own = {bodies.on_wire(item.name): item.metadata for item in fields(command)}  # type: ignore[arg-type]
    for key, made in schema["properties"].items():
        if "pattern" in own.get(key, {}):
            made["pattern"] = own[key]["pattern"]  # pydantic leaves it out of a field with a validator of its own
        if key == "names":
            _name_languages(made)
        if hints.get(key) in (str, str | None):
            made |= _plain(made)
        if key.endswith("_ids") and made.get("type") == "array":
            made["items"] |= {"minimum": 1, "maximum": MAX_ID}
        elif key.endswith("_id") and "integer" in made.get("type", ()):
            made |= {"minimum": made.get("minimum", 1), "maximum": MAX_ID}
        if key == "site_id" and key not in own:
            made["description"] = "Optional. It must be the site that the other ids belong to."
        elif key in FIELDS:
            made.setdefault("description", FIELDS[key])
    example = _example(name, schema)
    if example is not None:
        schema["examples"] = [example]
    return schema


def _name_languages(made: Json) -> None:
    """Complete the schema of names by their tags."""
    made.pop("patternProperties")
    text: Json = {"type": "string", "minLength": NAME["min_length"], "maxLength": NAME["max_length"]}
    made["propertyNames"] |= {"pattern": LANGUAGE["pattern"]}
    made["additionalProperties"] = text | _plain(text)


@cache
def _characters() -> tuple[str, str, str]:
    """Return the characters of `plain_text.refused_characters` as ranges of a character class."""
    never, at_an_end, invisible = map(_ranges, plain_text.refused_characters())
    return never, at_an_end, invisible


def _ranges(characters: list[str]) -> str:
    found: list[list[int]] = []
    for each in map(ord, characters):
        if found and found[-1][1] == each - 1:
            found[-1][1] = each
        else:
            found.append([each, each])
    # A code point beyond four digits has no escape that every dialect knows: it stands for itself.
    written = [[f"\\u{each:04x}" if each <= 0xFFFF else chr(each) for each in pair] for pair in found]
    return "".join(first if first == last else f"{first}-{last}" for first, last in written)


def _plain(made: Json) -> Json:
    """Return the keywords that `PlainText` adds to a schema.

    They allow no control characters and no space at either end, and demand a visible character.
    """
    pattern = made.get("pattern")
    never, inside, invisible = _characters()
    if pattern is None:
        end, seen = f"[^{never}{inside}]", f"[^{never}{inside}{invisible}]"
        plain = f"(?:{end}[^{never}]*)?{seen}(?:[^{never}]*{end})?"
        whole = f"^{plain}$" if made.get("minLength") else f"^(?:{plain})?$"
        note = "No control characters, no space at either end, and at least one visible character."
        return {"pattern": whole, "description": made.get("description", note)}
    inner = pattern.removeprefix("^").removesuffix("$")
    if re.fullmatch(r"[\w\[\]{}()?+*|,-]*", re.sub(r"\\[+.?*()-]", "", inner), re.ASCII):
        return {}  # the pattern itself excludes both
    return {
        "pattern": f"^(?![^{never}]*[{never}])(?![{inside}]){inner}(?<![{inside}])$",
        "description": made.get("description", f"`{pattern}`, with no space at either end."),
    }


def _example(name: str, schema: Json) -> Json | None:
    """Return a body that the schema allows, with every field that has a likely value; None if a required one has none."""
    made: Json = {}
    for key, each in schema["properties"].items():
        if key == "site_id" and key not in schema["required"]:
            continue
        value = _sample(name, key, each)
        if value is not None:
            made[key] = value
        elif key in schema["required"]:
            return None
    return made


def _sample(name: str, key: str, schema: Json) -> Any:
    kinds = schema.get("type", [])
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    names = [f"{name}.{key}", key, *(key.split("_", each)[-1] for each in range(1, key.count("_") + 1))]
    known = next((SAMPLES[each] for each in names if each in SAMPLES), None)
    if known is not None:
        return known
    if "boolean" in kinds:
        return True
    if "integer" in kinds:
        return SAMPLES["queue_id"] if key.endswith("_id") else schema.get("minimum", 1)
    if "string" in kinds:
        pattern = re.compile(schema.get("pattern", ""))
        low, high = schema.get("minLength", 0), schema.get("maxLength", 99)
        fit = (each for each in _SPARES if pattern.search(each) and low <= len(each) <= high)
        return next(fit, None)
    if "array" in kinds and key.endswith("_ids"):
        return [SAMPLES["queue_id"]]
    return None
