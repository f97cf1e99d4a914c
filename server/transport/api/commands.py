"""``POST /api/v1/commands/{name}``: every change is a named command. A new command needs nothing here."""

from __future__ import annotations

import uuid

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.roles import may
from server.transport.context import Context
from server.transport.http import bodies, parameters
from server.transport.http.errors import InvalidBody, UnknownCommand

MAX_KEY = 80


async def post_command(request: Request) -> Response:
    """Do a command, once for each ``Idempotency-Key``; the answer names the log's number and the events.

    With ``?preview=true`` nothing is done: the answer tells what would be.
    """
    context = Context.of(request)
    name = request.path_params["name"]
    caller = await context.gate.caller(request)
    model = bodies.MODELS.get(name)
    if model is None:
        raise UnknownCommand()  # and not what it was called: that may be anything
    command_id = request.scope["command_id"] = _command_id(request)
    command = bodies.command_from(name, await bodies.read(request, model))
    await context.gate.permit(caller, command)

    def permitted(each: str) -> bool:
        return may(caller.role, each)

    if parameters.choice(request, "preview", ("true", "false")) == "true":
        told = await context.executor.preview(command, actor=caller.actor, may=permitted)
        return Response(orjson.dumps(told), media_type="application/json")
    answer = await context.executor.execute(command, actor=caller.actor, command_id=command_id, may=permitted)
    context.metrics.commands.labels(name, "repeated" if answer.repeated else "done").inc()
    return Response(orjson.dumps(answer.body), media_type="application/json")


def _command_id(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if key is None:
        return uuid.uuid4().hex
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        problem = f"Idempotency-Key: 1 to {MAX_KEY} printable ASCII characters"
        raise InvalidBody(problem=problem, fields=[{"field": "Idempotency-Key", "message": problem}])
    return key


ROUTES = [Route("/api/v1/commands/{name}", post_command, methods=["POST"])]
