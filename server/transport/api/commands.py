"""``POST /api/v1/commands/{name}``: every change is a named command. A new command needs nothing here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import (
    Busy,
    CommandIdReused,
    NotAllowed,
    NotSignedIn,
    NowServingError,
    SiteNotFound,
    Unavailable,
)
from server.domain.roles import may
from server.telemetry import tracing
from server.transport.api.tickets import address_of_page
from server.transport.context import Context
from server.transport.http import bodies, parameters, paths
from server.transport.http.endpoint import BODY, Answer, Endpoints, Tag
from server.transport.http.errors import InvalidBody, UnknownCommand
from server.transport.http.parameters import Json

MAX_KEY = 80


@dataclass(frozen=True, slots=True)
class CommandId:
    """The header that names a command: its id, of the caller's choice."""

    refused: ClassVar[tuple[type[NowServingError], ...]] = (InvalidBody,)

    def described(self) -> list[Json]:
        """Return the header's description."""
        key = f"^[!-~](?:[ -~]{{0,{MAX_KEY - 2}}}[!-~])?$"
        about = (
            f"The command's id, of your choice: 1 to {MAX_KEY} printable ASCII characters. A repeat with the same body "
            "returns the first answer. A repeat with another body is refused."
        )
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": key}
        return [{"name": "Idempotency-Key", "in": "header", "description": about, "schema": schema}]

    def read(self, request: Request) -> str:
        """Return the command's id, a new one if the caller sends none. Raises `InvalidBody`."""
        key = request.headers.get("idempotency-key")
        if key is None:
            return uuid.uuid4().hex
        if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
            problem = f"Idempotency-Key: 1 to {MAX_KEY} printable ASCII characters"
            raise InvalidBody(problem=problem, fields=[{"field": "Idempotency-Key", "message": problem}])
        return key


COMMAND_ID = CommandId()
PREVIEW = parameters.Choice(
    "preview",
    "`true`: the command is not carried out; the answer shows the events that it would cause.",
    ("true", "false"),
    "false",
)

ENDPOINTS = Endpoints(Tag.COMMANDS)


# The description has one operation for each command: with the command's own text, body, answer, roles and refusals.
@ENDPOINTS.add(
    "POST",
    paths.COMMAND,
    "command",
    Answer("Carried out, now or before under this key."),
    parameters=(COMMAND_ID, PREVIEW),
    refused=(NotSignedIn, NotAllowed, SiteNotFound, *BODY, CommandIdReused, Busy, Unavailable),
)
async def post_command(request: Request) -> Response:
    """Carry out a command, once for each ``Idempotency-Key``. The answer has the log's number and the events.

    The answer for a new ticket also has the address of the patient's page.

    With ``?preview=true`` nothing is changed: the answer shows the events that the command would cause.
    """
    context = Context.of(request)
    name = request.path_params["name"]
    caller = await context.gate.caller(request)
    model = bodies.MODELS.get(name)
    if model is None:
        raise UnknownCommand()  # without the name: it may be any text
    command_id = request.scope["command_id"] = COMMAND_ID.read(request)
    command = bodies.command_from(name, await bodies.read(request, model))
    await context.gate.permit(caller, command)

    def permitted(each: str) -> bool:
        return may(caller.role, each)

    if PREVIEW.read(request) == "true":
        told = await context.executor.preview(command, actor=caller.actor, may=permitted)
        return Response(orjson.dumps(told), media_type="application/json")
    try:
        with tracing.span(f"command {name}"):
            answer = await context.executor.execute(command, actor=caller.actor, command_id=command_id, may=permitted)
    except NowServingError as error:
        context.metrics.command_of(name, "failed" if isinstance(error, Unavailable) else "refused").inc()
        raise
    context.metrics.command_of(name, "repeated" if answer.repeated else "done").inc()
    body = answer.body
    if "token" in body and "entry" in body:
        body = body | {"address": address_of_page(request, body["token"])}
    return Response(orjson.dumps(body), media_type="application/json")
