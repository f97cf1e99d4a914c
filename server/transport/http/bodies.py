"""Request bodies: JSON, checked against a model made from the command's dataclass. No value is guessed or corrected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import MISSING, fields
from datetime import date
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from starlette.requests import Request

from server.domain import plain_text
from server.domain.commands import COMMANDS, Command
from server.domain.commands.bounds import LANGUAGE, NAME
from server.domain.model.hours import DAY_MINUTES
from server.domain.model.ids import MAX_ID
from server.transport.http.errors import BodyTooLarge, InvalidBody, MalformedBody, UnsupportedMediaType

MAX_BODY_BYTES = 64 * 1024
MOST_FORM_FIELDS = 50
MOST_PROBLEMS = 20  # in the answer to one body: a small body can have thousands
# The answer names an unknown field only if it looks like a field: any other text may be a value in the wrong place.
_LIKE_A_FIELD = re.compile("[a-z][a-z0-9_]{0,39}")
_JSON = re.compile(r'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)
_LENGTH = re.compile("[0-9]{1,18}")
_Model = TypeVar("_Model", bound=BaseModel)


class Body(BaseModel):
    """A body without unknown fields, and without conversion between types."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _real_day(value: str) -> str:
    if not value:  # the pattern of the field decides whether the text may be empty
        return value
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("this day does not exist") from None
    return value


PlainText = Annotated[str, AfterValidator(plain_text.checked)]


def is_plain(field: FieldInfo) -> bool:
    """Return whether a model's field is a `PlainText`."""
    return _checks_plain_text(field.metadata)


def has_plain_items(field: FieldInfo) -> bool:
    """Return whether a model's field is a list of `PlainText`."""
    items = get_args(field.annotation) if get_origin(field.annotation) is list else ()
    return any(_checks_plain_text(getattr(each, "__metadata__", ())) for each in items)


def _checks_plain_text(metadata: Iterable[object]) -> bool:
    return any(isinstance(each, AfterValidator) and each.func is plain_text.checked for each in metadata)


Day = Annotated[str, AfterValidator(_real_day)]
_Minutes = Annotated[int, Field(ge=0, le=DAY_MINUTES)]
_Tag = Annotated[str, Field(**LANGUAGE)]
Hours = tuple[tuple[_Minutes, _Minutes, _Minutes], ...]  # weekday, from, until; the domain checks the weekday


_DATES = {"date_of_birth", "date", "from_date", "last_date", "valid_from", "valid_until", "anchor_date"}


def on_wire(name: str) -> str:
    """Return the name in a body of a command's field. ``from_`` is ``from``, a word of Python."""
    return name.removesuffix("_")


def _model_of(command: type[Command]) -> type[Body]:
    """Return the model of a command's body: its fields with their bounds, and an optional ``site_id``."""
    hints = get_type_hints(command)
    found: dict[str, Any] = {}
    for item in fields(command):  # type: ignore[arg-type]
        bounds = dict(item.metadata)
        of_each = bounds.pop("each", None)
        hint = hints[item.name]
        if item.name in _DATES and hint in (str, str | None):
            hint = Day if hint is str else Day | None
        elif item.name == "hours":
            hint = Hours | None
        elif item.name == "languages":
            hint = tuple[_Tag, ...] | None
        elif of_each is not None:
            hint = tuple[Annotated[int, Field(**of_each)], ...] | None
        elif item.name == "names":
            hint = dict[_Tag, Annotated[PlainText, Field(**NAME)]] | None
        elif hint in (str, str | None):
            hint = PlainText if hint is str else PlainText | None
        elif hint in (int, int | None) and item.name.endswith("_id"):
            bounds = {"ge": 1, "le": MAX_ID} | bounds
        elif item.name.endswith("_ids"):
            ids = tuple[Annotated[int, Field(ge=1, le=MAX_ID)], ...]
            hint = ids if item.default is MISSING else ids | None
        default = ... if item.default is MISSING else item.default
        found[on_wire(item.name)] = (hint, Field(default, **bounds))
    found.setdefault("site_id", (int | None, Field(None, ge=1, le=MAX_ID)))
    return create_model(command.__name__, __base__=Body, __doc__=command.__doc__, **found)


MODELS: dict[str, type[Body]] = {name: _model_of(command) for name, command in COMMANDS.items() if not command.internal}


async def read(request: Request, model: type[_Model]) -> _Model:
    """Return the request's body as ``model``.

    Raises `UnsupportedMediaType` unless it is sent as JSON: a form of another site cannot send that. Raises `MalformedBody`
    if it is not JSON, `BodyTooLarge`, and `InvalidBody` with the name of every wrong field.
    """
    if not _JSON.fullmatch(request.headers.get("content-type", "").strip()):
        raise UnsupportedMediaType()
    raw = await _bytes(request)
    try:
        orjson.loads(raw)  # strict: no NaN, no lone surrogates, valid UTF-8
    except orjson.JSONDecodeError as error:
        raise MalformedBody(problem=str(error)) from None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        problems = [
            {"field": _named(each["loc"]), "message": each["msg"]}
            for each in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_PROBLEMS]
        ]
        first = problems[0]
        raise InvalidBody(problem=f"{first['field']}: {first['message']}", fields=problems) from None


def is_form(request: Request) -> bool:
    """Return whether the body is a form, as some providers send their reports."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that comes twice, the last value. Raises `BodyTooLarge`, `MalformedBody`."""
    try:
        return dict(parse_qsl((await _bytes(request)).decode(), max_num_fields=MOST_FORM_FIELDS, errors="strict"))
    except ValueError as error:
        raise MalformedBody(problem=type(error).__name__) from None


def _named(location: tuple[int | str, ...]) -> str:
    parts = (str(each) for each in location)
    return ".".join(each if each.isdigit() or _LIKE_A_FIELD.fullmatch(each) else "(unknown)" for each in parts) or "body"


def command_from(name: str, body: Body) -> Command:
    """Return the command of a checked body. Raises `InvalidBody` if ``site_id`` is not the site of the other ids."""
    kind = COMMANDS[name]
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    command = kind(**{each: _frozen(getattr(body, on_wire(each))) for each in names})
    site_id: int | None = getattr(body, "site_id")  # noqa: B009 - each model has this field, but only at run time
    if site_id is not None and site_id != command.site_id:
        problem = "site_id: the other ids in this body belong to another site"
        raise InvalidBody(problem=problem, fields=[{"field": "site_id", "message": problem}])
    return command


def _frozen(value: Any) -> Any:
    """Return a map as pairs: a command does not change."""
    return tuple(value.items()) if isinstance(value, dict) else value


async def _bytes(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if _LENGTH.fullmatch(declared) and int(declared) > MAX_BODY_BYTES:
        raise BodyTooLarge(limit=MAX_BODY_BYTES)
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            raise BodyTooLarge(limit=MAX_BODY_BYTES)
    return bytes(chunks)
