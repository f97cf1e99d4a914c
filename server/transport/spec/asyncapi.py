"""The AsyncAPI 3 document of the live streams, made from the messages that the code sends and accepts.

Messages and cells have the same schemas as in the OpenAPI document. Close codes and reasons are the constants of the code.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from server import __version__
from server.domain.views import (
    AppointmentView,
    CalendarView,
    ConfigurationView,
    DeskView,
    DisplayView,
    KioskView,
    PointView,
    TicketView,
    View,
)
from server.live.messages import FINAL, REASONS
from server.transport.http import paths
from server.transport.http.endpoint import NO_CACHE, PUBLIC, UNCHANGED, Answer, Endpoints, Tag
from server.transport.spec.cells import cells_of_views, cells_schema, live_messages
from server.transport.spec.records import schema_of_model
from server.transport.spec.schema import Json
from server.transport.spec.served import Served
from server.transport.streams import feedback, framing
from server.transport.streams.routes import CALENDAR_DATES

VIEWS: tuple[tuple[str, type[View], str], ...] = (
    (
        paths.DESK,
        DeskView,
        "Reception: every queue, point, display and open entry of a site, and its appointments of the day, with names. "
        "Needs a session.",
    ),
    (
        paths.CALENDAR,
        CalendarView,
        "The calendar: a site's appointments on up to seven dates (`?date=&days=`), with names, and the times in which "
        "clinicians see patients. Needs a session.",
    ),
    (
        paths.CONFIGURATION,
        ConfigurationView,
        "The administrator's pages: a site's rules, queues, points, devices and schedules, without patients. Needs a "
        "session.",
    ),
    (
        paths.POINT,
        PointView,
        "A room's console: the patient in the room, the next ones for it, its counts of the day. Needs a session.",
    ),
    (
        paths.DISPLAY,
        DisplayView,
        "A waiting-room display: tickets and points. Needs the display's own token, or a session that may pair devices.",
    ),
    (paths.KIOSK, KioskView, "A kiosk at the door: queues and their lines. Needs the kiosk's own token."),
    (paths.TICKET, TicketView, "One patient's ticket. Needs the ticket's token, which is in the address."),
    (
        paths.APPOINTMENT,
        AppointmentView,
        "One patient's appointment, and after the check-in the ticket. Needs the appointment's token, which is in the "
        "address.",
    ),
)
CLOSE_CODES = {
    framing.CLOSE_BYE: "Reconnect after `retry_ms`, with the last id. The reason is the reason of the `bye`.",
    framing.CLOSE_UNAVAILABLE: "Reconnect: the database could not be reached.",
    framing.CLOSE_NOT_ALLOWED: "Do not reconnect with this credential. The reason is an error's code: `not_signed_in`, ...",
    framing.CLOSE_BAD_REQUEST: "Do not reconnect: a frame of the client was malformed, or the client sent too many.",
    framing.CLOSE_REVOKED: "Do not reconnect: the session has ended, or the token was revoked.",
    framing.CLOSE_ENDED: "Do not reconnect: the view has ended, and its last state was sent.",
}
REASONS_SAID = {
    "age": "The stream has reached its maximum age. Reconnect with the last id.",
    "drain": "The server stops. Another one serves now or soon.",
    "ended": "The view has ended, and its last state was sent: the day of a ticket is over, a point was removed.",
    "over-cap": "The client has too many streams.",
    "revoked": "The session has ended, or the device's token was revoked.",
    "role": "The role of the member of staff has changed. Reconnect, and the server checks the rights again.",
    "slow": "The client read nothing for too long. The connection is cut without this message, which it could not read.",
}


def document() -> Json:
    """Return the AsyncAPI document of this version, as JSON-ready values that belong to the caller."""
    sent = live_messages()
    taken = {kind: schema_of_model(model) for kind, model in feedback.FRAMES.items()}
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
                        "last_event_id": {
                            "type": "string",
                            "description": "The id of the last message that the client applied.",
                        },
                        "token": {
                            "type": "string",
                            "description": "The token of a display or a kiosk, for a client that cannot set a header.",
                        },
                        **(_dates() if view is CalendarView else {}),
                    },
                },
            }
        },
        "x-shape": view.shape,
        "x-cells": {"$ref": f"#/components/schemas/{view.kind.title()}Cells"},
    }


def _dates() -> Json:
    """Return the parameters of the query that choose the dates of a calendar."""
    return {each["name"]: each["schema"] | {"description": each["description"]} for each in CALENDAR_DATES.described()}


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


ADDRESS = "/api/asyncapi.json"
ENDPOINTS = Endpoints(Tag.OPERATION)
_DOCUMENT = Served(document)


@ENDPOINTS.add(
    "GET",
    ADDRESS,
    "asyncapi",
    (Answer("The document.", headers=NO_CACHE, schema={"type": "object", "required": ["asyncapi", "channels"]}), UNCHANGED),
    security=PUBLIC,
)
async def get_document(request: Request) -> Response:
    """Return the AsyncAPI 3 document that describes the live streams."""
    return await _DOCUMENT.answer(request)


_ABOUT = """\
A stream carries a *view*: a flat map of small JSON cells, each with a key. A `snapshot` has all cells. A `change` has the
cells that are new or different, whole, and the keys of the removed ones. Apply messages in order; a repeat has no effect.

Every address serves **server-sent events**: the message's name as `event`, its position as `id`, the payload as `data`. To a
client that asks to upgrade it serves **WebSocket**: the same payload as one JSON text frame, with `type` and `id` in it.

The `id` is `{epoch}.{shape}.{seq}`. It means: *all changes to this view up to here were sent before this message*. Reconnect
with it, in `Last-Event-ID` or `?last_event_id=`. A `heartbeat` carries the XOR, over all cells, of the CRC-32 of the key
followed by the cell's compact JSON. A client with another number shows wrong cells: it reports this, and reconnects without
an id.

A connection that is silent for two and a half times `heartbeat_ms` is dead."""
