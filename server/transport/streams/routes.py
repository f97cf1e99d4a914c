"""``/live/...``: who may follow which view. Each address answers server-sent events, or WebSocket when asked to upgrade."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from server.domain import roles
from server.domain.model.ids import site_of
from server.domain.views import DeskView, DisplayView, PointView, TicketView
from server.live.stream import SESSION
from server.transport.context import Context
from server.transport.http import paths
from server.transport.streams import feedback
from server.transport.streams.admission import Admission
from server.transport.streams.sse import EventStream
from server.transport.streams.websocket import follow

Admit = Callable[[HTTPConnection, Context], Awaitable[Admission]]  # raises when the view may not be followed


async def admit_desk(connection: HTTPConnection, context: Context) -> Admission:
    """Admit staff to the desk of a site of their own organisation."""
    site_id = connection.path_params["site_id"]
    staff = await context.gate.member_for(connection, "follow-desk", site_id)
    view = DeskView(context.vault.open_personal, roles.onlooker(staff.role))
    return Admission(site_id, view, f"{SESSION}{staff.session_id}", proof=staff.role)


async def admit_point(connection: HTTPConnection, context: Context) -> Admission:
    """Admit staff to the console of a service point of their own organisation."""
    point_id = connection.path_params["point_id"]
    staff = await context.gate.member_for(connection, "follow-point", site_of(point_id))
    view = PointView(point_id, context.vault.open_personal)
    return Admission(site_of(point_id), view, f"{SESSION}{staff.session_id}", proof=staff.role, subject=f"point:{point_id}")


async def admit_display(connection: HTTPConnection, context: Context) -> Admission:
    """Admit a display to its own view, by its own token."""
    display = await context.gate.display(connection, connection.path_params["display_id"], context.hub.board)
    name = f"display:{display.id}"
    return Admission(site_of(display.id), DisplayView(), name, proof=display.token_hash, subject=name)


async def admit_ticket(connection: HTTPConnection, context: Context) -> Admission:
    """Admit whoever has a ticket's token to that ticket."""
    ticket = await context.gate.ticket(connection.path_params["token"], context.hub.board)
    return Admission(site_of(ticket.id), TicketView(ticket.id), f"ticket:{ticket.id}", subject=f"visit:{ticket.id}")


def _both(path: str, admit: Admit) -> list[BaseRoute]:
    async def events(request: Request) -> EventStream:
        context = Context.of(request)
        return EventStream(request, context.hub, await admit(request, context))

    async def frames(socket: WebSocket) -> None:
        context = Context.of(socket)
        await follow(socket, context.hub, lambda: admit(socket, context))

    return [
        Route(path, events, methods=["GET"]),
        WebSocketRoute(path, frames),
        feedback.route(path + paths.DISAGREEMENT, feedback.Disagreement, admit),
    ]


ROUTES: list[BaseRoute] = [
    *_both(paths.DESK, admit_desk),
    *_both(paths.POINT, admit_point),
    *_both(paths.DISPLAY, admit_display),
    feedback.route(paths.ACK, feedback.Ack, admit_display),
    *_both(paths.TICKET, admit_ticket),
]
