"""The fields of cells: their types with meaning, unit and bounds.

The types of cells are ``TypedDict`` classes. At run time a cell is a plain dictionary, so the types cost nothing. The API
documents and the type definitions of the pages are generated from them: `fields_of` reads a cell's fields.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from server.domain.model.ids import MAX_ID


@dataclass(frozen=True, slots=True)
class Described:
    """The meaning of a field, and the bounds of its values in terms of JSON Schema. None means no bound."""

    description: str | None = None
    _: KW_ONLY
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    format: str | None = None
    max_items: int | None = None
    enum: tuple[str | int | None, ...] | None = None

    def __or__(self, other: Described) -> Described:
        """Return this description with everything that the other one sets."""
        theirs = {item.name: value for item in fields(other) if (value := getattr(other, item.name)) is not None}
        mine = {item.name: getattr(self, item.name) for item in fields(self)}
        return Described(**(mine | theirs))


Id = Annotated[int, Described(minimum=1, maximum=MAX_ID)]
Count = Annotated[int, Described(minimum=0)]
Instant = Annotated[int, Described("An instant, in milliseconds since 1970.", minimum=0)]
Place = Annotated[int, Described("The position on the screen, from 0.", minimum=0)]
Party = Annotated[int, Described("The number of people that the ticket is for.", minimum=1)]
Calls = Annotated[int, Described("The number of calls of this entry so far.", minimum=0)]
Paired = Annotated[bool, Described("A device has the token of this record.")]
Prefix = Annotated[str, Described(pattern="^[A-Z]$")]
UndoStep = Annotated[str | None, Described("The last step, if it can be undone.")]
UndoUntil = Annotated[
    int | None, Described("The end of the time in which the step can be undone, in milliseconds since 1970.")
]
AbsentUntil = Annotated[
    int | None,
    Described(
        "The time at which an absent patient is expected, in milliseconds since 1970: the patient is late, or on hold after "
        "a call. Else null."
    ),
]
Away = Annotated[int, Described("The minutes of the patient's absences that have ended.", minimum=0)]
Delay = Annotated[int, Described("The minutes by which these absences moved the patient back.", minimum=0)]
ExpectFrom = Annotated[
    int | None, Described("The start of the expected time of the call, in milliseconds since 1970; null if not waiting.")
]
ExpectUntil = Annotated[
    int | None, Described("The end of the expected time of the call, in milliseconds since 1970; null if not waiting.")
]
NamesByTag = Annotated[
    dict[str, str],
    Described("The name in languages of the site, by tag. A reader of none of them reads the main name."),
]
Trial = Annotated[bool, Described("A test patient of a trial. No figure counts the visit.")]
Estimating = Annotated[bool, Described("The expected time is a guess: the queue has little history.")]


class Field(NamedTuple):
    """The type of a field or of a list's items, without null; whether null is allowed; and the description."""

    type: Any
    nullable: bool
    described: Described


def field_of(hint: Any) -> Field:
    """Return the field that a type hint means. Outer descriptions override inner ones."""
    nullable, described = False, Described()
    while True:
        if get_origin(hint) is Annotated:
            hint, *marks = get_args(hint)  # nested hints are one list, the inner ones first
            described = reduce(or_, marks) | described
        elif get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
            (hint,) = (each for each in get_args(hint) if each is not NoneType)
            nullable = True
        else:
            return Field(hint, nullable, described)


def fields_of(cell: type) -> dict[str, Field]:
    """Return the fields of a cell's type, by name."""
    return {name: field_of(hint) for name, hint in get_type_hints(cell, include_extras=True).items()}
