"""``/live/...``: who may follow which view. Each address answers server-sent events, or WebSocket when asked to upgrade."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from server.domain import roles
from server.domain.ids import site_of
from server.domain.views import DeskView, DisplayView, PointView, TicketView
from server.live.stream import SESSION
from server.transport import paths, told
from server.transport.admission import Admission
from server.transport.parts import Parts
from server.transport.sse import EventStream
from server.transport.websocket import follow

Admit = Callable[[HTTPConnection, Parts], Awaitable[Admission]]  # raises when the view may not be followed


async def admit_desk(connection: HTTPConnection, parts: Parts) -> Admission:
    """Admit staff to the desk of a site of their own organisation."""
    site_id = connection.path_params["site_id"]
    staff = await parts.gate.member_for(connection, "follow-desk", site_id)
    view = DeskView(parts.vault.open_personal, roles.onlooker(staff.role))
    return Admission(site_id, view, f"{SESSION}{staff.session_id}", proof=staff.role)


async def admit_point(connection: HTTPConnection, parts: Parts) -> Admission:
    """Admit staff to the console of a service point of their own organisation."""
    point_id = connection.path_params["point_id"]
    staff = await parts.gate.member_for(connection, "follow-point", site_of(point_id))
    view = PointView(point_id, parts.vault.open_personal)
    return Admission(site_of(point_id), view, f"{SESSION}{staff.session_id}", proof=staff.role, subject=f"point:{point_id}")


async def admit_display(connection: HTTPConnection, parts: Parts) -> Admission:
    """Admit a display to its own view, by its own token."""
    display = await parts.gate.display(connection, connection.path_params["display_id"], parts.hub.board)
    name = f"display:{display.id}"
    return Admission(site_of(display.id), DisplayView(), name, proof=display.token_hash, subject=name)


async def admit_ticket(connection: HTTPConnection, parts: Parts) -> Admission:
    """Admit whoever has a ticket's token to that ticket."""
    ticket = await parts.gate.ticket(connection.path_params["token"], parts.hub.board)
    return Admission(site_of(ticket.id), TicketView(ticket.id), f"ticket:{ticket.id}", subject=f"visit:{ticket.id}")


def _both(path: str, admit: Admit) -> list[BaseRoute]:
    async def events(request: Request) -> EventStream:
        parts = Parts.of(request)
        return EventStream(request, parts.hub, await admit(request, parts))

    async def frames(socket: WebSocket) -> None:
        parts = Parts.of(socket)
        await follow(socket, parts.hub, lambda: admit(socket, parts))

    return [
        Route(path, events, methods=["GET"]),
        WebSocketRoute(path, frames),
        told.route(path + paths.DISAGREEMENT, told.Disagreement, admit),
    ]


ROUTES: list[BaseRoute] = [
    *_both(paths.DESK, admit_desk),
    *_both(paths.POINT, admit_point),
    *_both(paths.DISPLAY, admit_display),
    told.route(paths.ACK, told.Ack, admit_display),
    *_both(paths.TICKET, admit_ticket),
]
