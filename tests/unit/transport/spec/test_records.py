"""The schemas of Python types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar

import pytest
from pydantic import Field

from server.domain.model.ids import MAX_ID
from server.transport.http.fields import Component, Count, Instant, IsoDay, Schema
from server.transport.spec.records import field_of, schema_of

Json = dict[str, Any]
T = TypeVar("T")
ID: Json = {"type": "integer", "minimum": 1, "maximum": MAX_ID}


class Seat(TypedDict):
    """A seat.

    The rest of this docstring is for readers of the code.
    """

    id: int
    taken: bool


class _Row(TypedDict):
    seats: list[Seat]
    first: Seat
    note: Annotated[str | None, Field(description="A note.")]


class _Listed(TypedDict, Generic[T]):
    data: Annotated[list[T], Field(max_length=2)]


@dataclass(frozen=True)
class Inner:
    seconds: int | None


@dataclass(frozen=True)
class Outer:
    point_id: int | None
    count: int
    inner: Inner


def written(hint: Any) -> tuple[Json, dict[str, Json]]:
    schemas: dict[str, Json] = {}
    return schema_of(hint, schemas), schemas


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str, {"type": "string"}),
        (str | None, {"type": ["string", "null"]}),
        (Count, {"type": "integer", "minimum": 0}),
        (Count | None, {"type": ["integer", "null"], "minimum": 0}),
        (Instant, {"type": "integer", "minimum": 0, "description": "An instant, in milliseconds since 1970."}),
        (IsoDay, {"type": "string", "format": "date"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", "b"] | None, {"type": ["string", "null"], "enum": ["a", "b", None]}),
        (Literal["a"], {"const": "a"}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (Annotated[dict[str, Any], Schema({"$ref": "#/x"})], {"$ref": "#/x"}),
    ],
)
def test_a_plain_type(hint: Any, expected: Json) -> None:
    assert written(hint) == (expected, {})


def test_a_public_record_is_a_component_and_a_private_one_is_written_out() -> None:
    made, schemas = written(_Row)
    reference = {"$ref": "#/components/schemas/Seat"}
    assert made == {
        "type": "object",
        "properties": {
            "seats": {"type": "array", "items": reference},
            "first": reference,
            "note": {"type": ["string", "null"], "description": "A note."},
        },
        "required": ["seats", "first", "note"],
        "additionalProperties": False,
    }
    assert schemas == {
        "Seat": {
            "type": "object",
            "description": "A seat.",
            "properties": {"id": ID, "taken": {"type": "boolean"}},
            "required": ["id", "taken"],
            "additionalProperties": False,
        }
    }


def test_a_generic_record_is_written_out_with_its_argument() -> None:
    made, schemas = written(_Listed[Seat])
    data = {"type": "array", "items": {"$ref": "#/components/schemas/Seat"}, "maxItems": 2}
    assert made["properties"] == {"data": data}
    assert list(schemas) == ["Seat"]


def test_a_record_may_be_null() -> None:
    made, _ = written(Annotated[_Row | None, Field(description="A row.")])
    assert (made["type"], made["description"]) == (["object", "null"], "A row.")


def test_several_records_are_alternatives() -> None:
    made, schemas = written(Annotated[_Row | _Listed[Seat], Component("Either")])
    assert made == {"$ref": "#/components/schemas/Either"}
    assert [sorted(each["properties"]) for each in schemas["Either"]["oneOf"]] == [["first", "note", "seats"], ["data"]]


def test_a_record_by_name() -> None:
    made, _ = written(dict[str, _Row])
    assert made["additionalProperties"]["required"] == ["seats", "first", "note"]


def test_a_dataclass_is_described_from_outside() -> None:
    named = Component("Shown", about="As shown.", more={"key": str}, count="How many.", seconds="How long.")
    made, schemas = written(Annotated[Outer, named])
    assert made == {"$ref": "#/components/schemas/Shown"}
    assert schemas["Shown"]["description"] == "As shown."
    properties = schemas["Shown"]["properties"]
    assert properties["point_id"] == ID | {"type": ["integer", "null"], "description": "A service point."}
    assert properties["count"] == {"type": "integer", "minimum": 0, "description": "How many."}
    assert properties["key"] == {"type": "string"}
    assert schemas["Inner"]["properties"] == {
        "seconds": {"type": ["integer", "null"], "minimum": 0, "description": "How long."}
    }


def test_the_name_of_a_field_says_that_it_is_an_id() -> None:
    assert field_of("queue_ids", tuple[int, ...], {})["items"] == ID
    assert field_of("service_id", Annotated[int, Field(description="Ours.")], {}) == ID | {"description": "Ours."}
    assert field_of("id", str, {}) == {"type": "string"}
