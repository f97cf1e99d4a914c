"""Types for the fields of answers, and the marks by which a type says how the API's description shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

from server.domain import roles
from server.domain.model.ids import MAX_ID

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Count = Annotated[int, Field(ge=0)]
Instant = Annotated[int, Field(ge=0, description="An instant, in milliseconds since 1970.")]
IsoDay = Annotated[str, Field(json_schema_extra={"format": "date"})]


class Component:
    """Names a record in the description and describes its fields: for a dataclass of another layer.

    Used as ``Annotated[Record, Component("Name", field="What it holds.")]``. A field is described by a text or by a
    pydantic ``Field``. The records within it take the same texts. ``more`` are fields that the answer adds.
    """

    def __init__(
        self, name: str, /, about: str | None = None, more: Mapping[str, Any] | None = None, **fields: str | FieldInfo
    ) -> None:
        self.name = name
        self.about = about
        self.more = more or {}
        self.fields = {key: Field(description=each) if isinstance(each, str) else each for key, each in fields.items()}


class Schema:
    """Gives a field a JSON Schema as it stands, where no type says it: ``Annotated[dict[str, Any], Schema({...})]``."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)


def who(action: str) -> str:
    """Return the roles that have a right, as the description lists them."""
    return ", ".join(role for role in (*roles.ROLES, roles.INTEGRATION) if roles.may(role, action)) or "none"
