"""The live streams in their own words: an AsyncAPI 3 document, made of what the code sends and takes.

Messages and cells are the same schemas as in the OpenAPI document; close codes and reasons are the constants that are sent.
"""

from __future__ import annotations

import re

from starlette.routing import Route

from server import __version__
from server.domain.views import DeskView, DisplayView, PointView, TicketView, View
from server.live.messages import FINAL, REASONS
from server.transport.http import paths
from server.transport.spec import openapi
from server.transport.spec.cells import cells_of_views, cells_schema, live_messages
from server.transport.spec.schema import Json
from server.transport.streams import feedback, framing

VIEWS: tuple[tuple[str, type[View], str], ...] = (
    (paths.DESK, DeskView, "Reception: every queue, point, display and open entry of a site, with names. By a session."),
    (paths.POINT, PointView, "A room's console: who is in, who is next for this room, its counts of the day. By a session."),
    (paths.DISPLAY, DisplayView, "A waiting-room display: tickets and points. By the display's own token."),
    (paths.TICKET, TicketView, "One patient's ticket. Whoever has its token may: it is in the address."),
)
CLOSE_CODES = {
    framing.CLOSE_BYE: "Come back after `retry_ms`, with the last id. The reason is that of the `bye`.",
    framing.CLOSE_UNAVAILABLE: "Come back: the database could not be reached.",
    framing.CLOSE_NOT_ALLOWED: "Do not come back as you are. The reason is an error's code: `not_signed_in`, ...",
    framing.CLOSE_BAD_REQUEST: "Do not come back: a frame of yours was not understood, or there were too many.",
    framing.CLOSE_REVOKED: "Do not come back: the session has ended, or the token was taken back.",
    framing.CLOSE_ENDED: "Do not come back: what it showed is over, and you were told the last of it.",
}
REASONS_SAID = {
    "age": "It has lived for long enough; come back with the last id.",
    "drain": "The server stops; another is there, or soon will be.",
    "ended": "What it showed is over, and the last of it was told: a ticket's day, a point that was taken away.",
    "over-cap": "One stream too many.",
    "revoked": "The session has ended, or the device's token was taken back.",
    "role": "The member of staff has another role now: come back, and be judged anew.",
    "slow": "Nothing was taken for too long. It is not said, for nothing can be: the connection is cut.",
}


def document() -> Json:
    """Return the AsyncAPI document of this version, as JSON-ready values that belong to the caller."""
    sent = live_messages()
    taken = {kind: openapi.schema_of(model) for kind, model in feedback.FRAMES.items()}
    schemas: Json = {}
    for view, cells in cells_of_views().items():
        schemas[f"{view.title()}Cells"] = cells_schema(view, cells)
    for kind, schema in sent.items():
        schemas[f"{kind.title()}Message"] = schema
    for kind, schema in taken.items():
        schemas[f"{kind.title()}Message"] = schema
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Now Serving: live streams",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {view.kind: _channel(path, view, about, [*sent, *taken]) for path, view, about in VIEWS},
        "operations": {
            name: operation for _, view, _ in VIEWS for name, operation in _operations(view.kind, list(sent), list(taken))
        },
        "components": {
            "messages": {kind: _message(kind, schemas) for kind in (*sent, *taken)},
            "schemas": schemas,
        },
        "x-close-codes": {str(code): about for code, about in CLOSE_CODES.items()},
        "x-bye-reasons": {reason: {"about": REASONS_SAID[reason], "final": reason in FINAL} for reason in REASONS},
    }


def _channel(path: str, view: type[View], about: str, kinds: list[str]) -> Json:
    address = re.sub(r":\w+\}", "}", path)
    return {
        "address": address,
        "title": view.kind,
        "description": about,
        "parameters": {name: {"description": f"`{name}`"} for name in re.findall(r"\{(\w+)\}", address)},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {
                    "type": "object",
                    "properties": {
                        "last_event_id": {"type": "string", "description": "The id of the last message that was applied."},
                        "token": {"type": "string", "description": "A display's token, where no header can be set."},
                    },
                },
            }
        },
        "x-shape": view.shape,
        "x-cells": {"$ref": f"#/components/schemas/{view.kind.title()}Cells"},
    }


def _operations(view: str, sent: list[str], taken: list[str]) -> list[tuple[str, Json]]:
    def of(action: str, kinds: list[str]) -> Json:
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{view}"},
            "messages": [{"$ref": f"#/channels/{view}/messages/{kind}"} for kind in kinds],
        }

    return [(f"{view}-tells", of("send", sent)), (f"{view}-hears", of("receive", taken))]


def _message(kind: str, schemas: Json) -> Json:
    """Return a message: over WebSocket its payload also has ``type``, and ``id`` unless it is a ``bye``."""
    return {
        "name": kind,
        "summary": schemas[f"{kind.title()}Message"].get("description", ""),
        "payload": {"$ref": f"#/components/schemas/{kind.title()}Message"},
        "x-event": kind,
        "x-has-id": kind in ("snapshot", "change", "heartbeat"),
    }


get_document = openapi.Served(document).answer
ROUTES = [Route(openapi.STREAMS_ADDRESS, get_document, methods=["GET"])]

_ABOUT = """\
A stream carries a *view*: a flat map of small JSON cells, each with a key. A `snapshot` has all of them, a `change` those
that are new or other, whole, and the keys of those that are gone. Apply them in order; a repeat is harmless.

Every address answers **server-sent events** (the message's name as `event`, its position as `id`, the payload as `data`), or
**WebSocket** when asked to upgrade: the same payload as one JSON text frame, with `type` and `id` among its fields.

The `id` is `{epoch}.{shape}.{seq}` and says: *all changes to this view up to here were sent before this*. Come back with it,
in `Last-Event-ID` or `?last_event_id=`. A `heartbeat` carries the XOR, over all cells, of the CRC-32 of the key followed by
the cell's compact JSON: who comes to another number shows what is not so, reports it, and comes back without an id.

A connection that is silent for two and a half times `heartbeat_ms` is dead."""
