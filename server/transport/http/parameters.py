"""Query parameters: each is one object that reads its value from a request and describes itself.

A wrong value is refused with the name of the parameter, and so is an unknown parameter of the API. Of a parameter that is
given twice, the last value counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from starlette.requests import HTTPConnection, Request

from server.domain.errors import InvalidField, NowServingError
from server.domain.model import STEP_MINUTES, local_time
from server.domain.model.ids import MAX_ID, site_of

Json = dict[str, Any]
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
LABEL = r"[A-Za-z0-9-]{1,12}"
_INSTANT = rf"{DAY}T[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
_LIKE_A_NAME = re.compile("[A-Za-z_-]{1,40}")
_WHOLE = re.compile("[0-9]{1,16}")
_ID: Json = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
_DAY: Json = {"type": "string", "format": "date", "pattern": f"^{DAY}$"}
_Word = TypeVar("_Word", bound=str)


def refuse_unknown(request: Request, known: Collection[str]) -> None:
    """Raise `InvalidField` if the query has a parameter that is not among the ``known`` names."""
    for name in request.query_params:
        if name not in known:
            # Any other text may be a secret in the wrong place.
            shown = name if _LIKE_A_NAME.fullmatch(name) else "(unknown)"
            raise InvalidField(field=shown, problem="this address has no such parameter")


class Described(Protocol):
    """An object that reads one or more parameters and describes them. ``refused`` are the errors for wrong values."""

    refused: ClassVar[tuple[type[NowServingError], ...]]

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query whose value is any text."""

    refused: ClassVar[tuple[type[NowServingError], ...]] = (InvalidField,)

    name: str
    about: str

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""
        return [{"name": self.name, "in": "query", "description": self.about, "schema": self.schema()}]

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "string"}

    def given(self, request: HTTPConnection) -> str | None:
        """Return the value as the caller wrote it, or None."""
        return request.query_params.get(self.name)

    def wrong(self, problem: str) -> InvalidField:
        """Return the error for a wrong value. ``problem`` describes a right value."""
        return InvalidField(field=self.name, problem=problem)


@dataclass(frozen=True, slots=True)
class Whole(Parameter):
    """A whole number between bounds."""

    least: int
    most: int
    default: int

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}

    def read(self, request: HTTPConnection) -> int:
        """Return the number, or the default. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return self.default
        if not _WHOLE.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise self.wrong(f"a whole number from {self.least} to {self.most}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Id(Parameter):
    """The id of a record: ``of`` names its kind in the error."""

    of: str

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return dict(_ID)

    def read(self, request: Request) -> int | None:
        """Return the id, or None if it is absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is not None and (not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_ID):
            raise self.wrong(f"the id of a {self.of}")
        return None if text is None else int(text)


@dataclass(frozen=True, slots=True)
class IdOfSite(Parameter):
    """The id of a record that belongs to the site that the request is about."""

    required: bool = False

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""
        return [each | ({"required": True} if self.required else {}) for each in Parameter.described(self)]

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return dict(_ID)

    def read(self, request: Request, site_id: int) -> int | None:
        """Return the id, or None if it is absent. Raises `InvalidField`, also if it is required and absent."""
        text = self.given(request)
        if text is None and not self.required:
            return None
        if text is None or not _WHOLE.fullmatch(text) or int(text) > MAX_ID or site_of(int(text)) != site_id:
            raise self.wrong(f"an id of the site {site_id}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Day(Parameter):
    """A day as an ISO date."""

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return dict(_DAY)

    def read(self, request: HTTPConnection) -> str | None:
        """Return the day, or None if it is absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return None
        try:
            if not re.fullmatch(DAY, text):
                raise ValueError(text)
            date.fromisoformat(text)
        except ValueError:
            raise self.wrong("a day as YYYY-MM-DD") from None
        return text


@dataclass(frozen=True, slots=True)
class Days:
    """Two days that must both be given, in order: the first and the last of at most ``most`` days."""

    refused: ClassVar[tuple[type[NowServingError], ...]] = (InvalidField,)

    first: Day
    last: Day
    most: int

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""
        return [made | {"required": True} for each in (self.first, self.last) for made in each.described()]

    def read(self, request: Request) -> tuple[str, str]:
        """Return both days. Raises `InvalidField`."""
        found = []
        for each in (self.first, self.last):
            given = each.read(request)
            if given is None:
                raise each.wrong("required: a day as YYYY-MM-DD")
            found.append(given)
        length = (date.fromisoformat(found[1]) - date.fromisoformat(found[0])).days + 1
        if not 1 <= length <= self.most:
            raise self.last.wrong(f"from 1 to {self.most} days, not {length}")
        return found[0], found[1]

    def read_local(self, request: Request) -> tuple[str, str]:
        """Return both days, which a clinic's calendar must have. Raises `InvalidField`."""
        found = self.read(request)
        for each, given in zip((self.first, self.last), found, strict=True):
            local_time.date_of(given, each.name)
        return found


@dataclass(frozen=True, slots=True)
class SomeDays:
    """The first and the last of at most ``most`` days. Without the last one, it is the first; both may be absent."""

    refused: ClassVar[tuple[type[NowServingError], ...]] = (InvalidField,)

    first: Day
    last: Day
    most: int

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""
        return [made for each in (self.first, self.last) for made in each.described()]

    def read(self, request: Request) -> tuple[str | None, str | None]:
        """Return both days, which a clinic's calendar has, or neither. Raises `InvalidField`."""
        first, last = self.first.read(request), self.last.read(request)
        if first is None:
            if last is not None:
                raise self.first.wrong(f"required with the parameter {self.last.name}")
            return None, None
        last = last or first
        begin, end = (local_time.date_of(day, each.name) for day, each in ((first, self.first), (last, self.last)))
        length = (end - begin).days + 1
        if not 1 <= length <= self.most:
            raise self.last.wrong(f"from 1 to {self.most} days, not {length}")
        return first, last


@dataclass(frozen=True, slots=True)
class LocalTime(Parameter):
    """A local time of the site, which must be given."""

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""
        return [each | {"required": True} for each in Parameter.described(self)]

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^{DAY}T[0-9]{{2}}:[0-9]{{2}}$"}

    def read(self, request: Request) -> str:
        """Return the local time. Raises `InvalidField`."""
        text = self.given(request) or ""
        local_time.parse(text, self.name)
        return text


@dataclass(frozen=True, slots=True)
class InstantWithOffset(Parameter):
    """An instant, as a local time with its offset from UTC: twice a year a local time alone means two instants."""

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "format": "date-time", "pattern": f"^{_INSTANT}$"}

    def read(self, request: HTTPConnection) -> int | None:
        """Return the instant (microseconds), or None if it is absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return None
        try:
            if not re.fullmatch(_INSTANT, text):
                raise ValueError(text)
            found = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.wrong("an instant with its offset from UTC, as 2026-11-30T10:42:00+01:00") from None
        return round(found.timestamp()) * 1_000_000


@dataclass(frozen=True, slots=True)
class Length(Parameter):
    """A length in minutes, up to twelve hours. It is a multiple of five, which the description says in words."""

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "integer", "minimum": STEP_MINUTES, "maximum": 720}

    def read(self, request: Request) -> int | None:
        """Return the length, or None if it is absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return None
        if not _WHOLE.fullmatch(text) or not 0 < int(text) <= 720 or int(text) % STEP_MINUTES:
            raise self.wrong(f"a multiple of {STEP_MINUTES}, up to 720")
        return int(text)


@dataclass(frozen=True, slots=True)
class DaysFrom:
    """A day that must be given, and the number of days from it on."""

    refused: ClassVar[tuple[type[NowServingError], ...]] = (InvalidField,)

    first: Day
    days: Whole

    def described(self) -> list[Json]:
        """Return the OpenAPI parameters that this object reads."""
        return [*(made | {"required": True} for made in self.first.described()), *self.days.described()]

    def read(self, request: HTTPConnection) -> tuple[str, int]:
        """Return the first day and the number of days. Raises `InvalidField`."""
        first = self.first.read(request)
        if first is None:
            raise self.first.wrong("required: a day as YYYY-MM-DD")
        local_time.date_of(first, self.first.name)  # the days that a clinic has
        return first, self.days.read(request)


@dataclass(frozen=True, slots=True)
class Text(Parameter):
    """A text of at most ``most`` characters."""

    most: int

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "minLength": 1, "maxLength": self.most}

    def read(self, request: Request) -> str | None:
        """Return the text, or None if it is absent. Raises `InvalidField`."""
        found = self.given(request)
        if found is not None and not 1 <= len(found) <= self.most:
            raise self.wrong(f"from 1 to {self.most} characters")
        return found


@dataclass(frozen=True, slots=True)
class Choice(Parameter, Generic[_Word]):
    """One of some words."""

    words: Collection[_Word]
    default: _Word | None = None

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "enum": list(self.words)} | ({"default": self.default} if self.default else {})

    def read(self, request: Request) -> _Word | None:
        """Return the word, or the default. Raises `InvalidField`."""
        text = self.given(request)
        if text is None:
            return self.default
        for word in self.words:
            if word == text:
                return word
        raise self.wrong(f"one of {', '.join(self.words)}")


@dataclass(frozen=True, slots=True)
class Label(Parameter):
    """The label of a ticket."""

    def schema(self) -> Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^{LABEL}$"}

    def read(self, request: Request) -> str | None:
        """Return the label, or None if it is absent. Raises `InvalidField`."""
        text = self.given(request)
        if text is not None and not re.fullmatch(LABEL, text):
            raise self.wrong("a ticket's label, for example A012")
        return text
