"""``/live/...``: the streams of the views. Each path serves server-sent events, or WebSocket when asked to upgrade."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from server.domain import roles
from server.domain.errors import (
    AppointmentNotFound,
    DeviceNotFound,
    NotAllowed,
    NotSignedIn,
    NowServingError,
    PointNotFound,
    SiteNotFound,
    TicketNotFound,
    Unavailable,
)
from server.domain.events import DeviceReported
from server.domain.model.ids import site_of
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
from server.domain.views.calendar import MOST_DAYS
from server.live.stream import SESSION
from server.transport.context import Context
from server.transport.http import paths
from server.transport.http.endpoint import DISPLAY, KIOSK, PUBLIC, STAFF, Answer, Endpoints, Errors, Tag
from server.transport.http.parameters import Day, DaysFrom, Described, Json, Whole
from server.transport.streams import feedback
from server.transport.streams.admission import Admission
from server.transport.streams.sse import EventStream
from server.transport.streams.websocket import follow

CALENDAR_DATES = DaysFrom(
    Day("date", "The first local date, YYYY-MM-DD."), Whole("days", "The number of dates.", 1, MOST_DAYS, 1)
)
Admit = Callable[[HTTPConnection, Context], Awaitable[Admission]]  # raises if the client may not follow the view


async def admit_desk(connection: HTTPConnection, context: Context) -> Admission:
    """Admit staff to the desk of a site of their own organisation."""
    site_id = connection.path_params["site_id"]
    staff = await context.gate.member_for(connection, "follow-desk", site_id)
    view = DeskView(context.vault.open_personal, roles.onlooker(staff.role))
    return Admission(site_id, view, f"{SESSION}{staff.session_id}", member=staff.actor, proof=staff.role)


async def admit_calendar(connection: HTTPConnection, context: Context) -> Admission:
    """Admit staff to the appointments of some dates at a site of their own organisation."""
    site_id = connection.path_params["site_id"]
    staff = await context.gate.member_for(connection, "follow-calendar", site_id)
    first, days = CALENDAR_DATES.read(connection)
    view = CalendarView(first, days, context.vault.open_personal, roles.onlooker(staff.role))
    return Admission(site_id, view, f"{SESSION}{staff.session_id}", member=staff.actor, proof=staff.role)


async def admit_configuration(connection: HTTPConnection, context: Context) -> Admission:
    """Admit administrators to the set-up of a site of their own organisation."""
    site_id = connection.path_params["site_id"]
    staff = await context.gate.member_for(connection, "follow-configuration", site_id)
    view = ConfigurationView(context.vault.open_personal)
    return Admission(site_id, view, f"{SESSION}{staff.session_id}", member=staff.actor, proof=staff.role)


async def admit_point(connection: HTTPConnection, context: Context) -> Admission:
    """Admit staff to the console of a service point of their own organisation."""
    point_id = connection.path_params["point_id"]
    staff = await context.gate.member_for(connection, "follow-point", site_of(point_id))
    view, name = PointView(point_id, context.vault.open_personal), f"point:{point_id}"
    session = f"{SESSION}{staff.session_id}"
    return Admission(site_of(point_id), view, session, member=staff.actor, proof=staff.role, subject=name)


async def admit_display(connection: HTTPConnection, context: Context) -> Admission:
    """Admit a display to its own view, by its own token."""
    display = await context.gate.display(connection, connection.path_params["display_id"], context.hub.board)
    name = f"display:{display.id}"
    return Admission(site_of(display.id), DisplayView(display.id), name, proof=display.token_hash, subject=name)


async def admit_kiosk(connection: HTTPConnection, context: Context) -> Admission:
    """Admit a kiosk to its own view, by its own token."""
    kiosk = await context.gate.kiosk(connection, connection.path_params["kiosk_id"], context.hub.board)
    name = f"kiosk:{kiosk.id}"
    return Admission(site_of(kiosk.id), KioskView(kiosk.id), name, proof=kiosk.token_hash, subject=name)


async def admit_picture(connection: HTTPConnection, context: Context) -> Admission:
    """Admit a display by its own token, or staff who may pair devices: they see what the display shows.

    A report about a display, as `feedback` takes it, needs `admit_display`: only the display itself knows its screen.
    """
    if not context.gate.shows_session(connection):
        return await admit_display(connection, context)
    display_id = connection.path_params["display_id"]
    staff = await context.gate.member_for(connection, "pair-devices", site_of(display_id))
    session, name = f"{SESSION}{staff.session_id}", f"display:{display_id}"
    return Admission(
        site_of(display_id), DisplayView(display_id), session, member=staff.actor, proof=staff.role, subject=name
    )


async def admit_ticket(connection: HTTPConnection, context: Context) -> Admission:
    """Admit a client with a ticket's token to that ticket."""
    ticket = await context.gate.ticket(connection.path_params["token"], context.hub.board)
    return Admission(site_of(ticket.id), TicketView(ticket.id), f"ticket:{ticket.id}", subject=f"visit:{ticket.id}")


async def admit_appointment(connection: HTTPConnection, context: Context) -> Admission:
    """Admit a client with an appointment's token to that appointment."""
    appointment = await context.gate.appointment(connection.path_params["token"])
    return Admission(site_of(appointment.id), AppointmentView(appointment.id), appointment.actor, subject=appointment.actor)


@dataclass(frozen=True, slots=True)
class LastPosition:
    """The position that a reconnecting client sends: see `server.transport.streams.admission.last_position`."""

    refused: ClassVar[tuple[type[NowServingError], ...]] = ()

    def described(self) -> list[Json]:
        """Return the header and the query parameter."""
        about = "The position of the last message that the screen has applied. A text that is no position is ignored."
        text = {"type": "string"}
        return [
            {"name": "Last-Event-ID", "in": "header", "description": about, "schema": text},
            {
                "name": "last_event_id",
                "in": "query",
                "description": "The same, for a client that cannot set a header.",
                "schema": text,
            },
        ]


ENDPOINTS = Endpoints(Tag.LIVE)
_NOTED = Answer("Noted.", status=204)
_BY_DISPLAY = "By the display's own token."
_BY_KIOSK = "By the kiosk's own token."
_BY_APPOINTMENT = "The appointment's token, which is in the address, is the only key."
_BY_TICKET = "The ticket's token, which is in the address, is the only key."


def _add(
    path: str,
    what: str,
    view: type[View],
    admit: Admit,
    about: str,
    *,
    may: str | None = None,
    security: tuple[str, ...] = STAFF,
    parameters: tuple[Described, ...] = (),
    refused: Errors = (),
) -> None:
    """Add the stream of a view, over both transports, and the report that a screen's cells differ from the server's."""

    async def events(request: Request) -> EventStream:
        context = Context.of(request)
        return EventStream(request, context.hub, await admit(request, context))

    async def frames(socket: WebSocket) -> None:
        context = Context.of(socket)
        await follow(socket, context.hub, lambda: admit(socket, context))

    example = f'retry: 5120\n\nid: 3f9c2a1b.{view.shape}.41\nevent: change\ndata: {{"seq":41,{_EXAMPLES[view.kind]}}}\n\n'
    ENDPOINTS.add(
        "GET",
        path,
        f"follow-{what}",
        Answer(
            "The stream as server-sent events.",
            schema={"type": "string"},
            example=example,
            media_type="text/event-stream",
            counted=False,
        ),
        about=about,
        may=may,
        security=security,
        parameters=(*parameters, LastPosition()),
        refused=refused,
        stream=view,
        socket=frames,
    )(events)
    ENDPOINTS.add(
        "POST",
        path + paths.DISAGREEMENT,
        f"report-{what}-disagreement",
        _NOTED,
        about="Report that a screen's cells have another digest than the heartbeat. Then reconnect without a position. Over "
        "WebSocket, send a frame instead.",
        may=may,
        security=security,
        parameters=parameters,
        body=feedback.Disagreement,
        example={"seq": 41},
        refused=(*(each for each in refused if each is not PointNotFound), Unavailable),
    )(feedback.taking(feedback.Disagreement, admit))


_EXAMPLES = {
    DeskView.kind: '"set":{"queue:7000000001":{"name":"Blood test","prefix":"A","position":0}},"del":[]',
    CalendarView.kind: '"set":{"provider:7000000003":{"name":"Dr. Byron","position":0}},"del":["appointment:7000000020"]',
    ConfigurationView.kind: '"set":{"provider:7000000003":{"name":"Dr. Ada Byron","position":0}},"del":[]',
    PointView.kind: '"set":{"day":{"served":12,"no_shows":1}},"del":["guest"]',
    DisplayView.kind: '"set":{"point:7000000004":{"name":"Room 1"}},"del":["entry:7000000012"]',
    KioskView.kind: '"set":{"queue:7000000001":{"name":"Blood test","prefix":"A","waiting":3}},"del":[]',
    TicketView.kind: '"set":{"ahead":{"count":2}},"del":[]',
    AppointmentView.kind: '"set":{"ahead":{"count":2}},"del":[]',
}
_add(paths.DESK, "desk", DeskView, admit_desk, "Follow the desk of a site.", may="follow-desk", refused=(SiteNotFound,))
_add(
    paths.CALENDAR,
    "calendar",
    CalendarView,
    admit_calendar,
    "Follow the appointments of some dates at a site.",
    may="follow-calendar",
    parameters=(CALENDAR_DATES,),
    refused=(SiteNotFound,),
)
_add(
    paths.CONFIGURATION,
    "configuration",
    ConfigurationView,
    admit_configuration,
    "Follow the set-up of a site.",
    may="follow-configuration",
    refused=(SiteNotFound,),
)
_add(
    paths.POINT,
    "point",
    PointView,
    admit_point,
    "Follow the console of a service point.",
    may="follow-point",
    refused=(SiteNotFound, PointNotFound),
)
_add(
    paths.DISPLAY,
    "display",
    DisplayView,
    admit_picture,
    f"Follow a waiting-room display. {_BY_DISPLAY} Staff who may pair devices can follow it too, as a picture.",
    security=(*DISPLAY, *STAFF),
    refused=(NotSignedIn, NotAllowed, SiteNotFound, DeviceNotFound),
)
_add(
    paths.KIOSK,
    "kiosk",
    KioskView,
    admit_kiosk,
    f"Follow a kiosk at the door. {_BY_KIOSK}",
    security=KIOSK,
    refused=(NotSignedIn, NotAllowed),
)
_add(
    paths.TICKET,
    "ticket",
    TicketView,
    admit_ticket,
    f"Follow one patient's ticket. {_BY_TICKET}",
    security=PUBLIC,
    refused=(TicketNotFound,),
)
_add(
    paths.APPOINTMENT,
    "appointment",
    AppointmentView,
    admit_appointment,
    f"Follow one patient's appointment, and after the check-in the ticket. {_BY_APPOINTMENT}",
    security=PUBLIC,
    refused=(AppointmentNotFound,),
)
for _path, _name, _device, _by, _security, _admit, _example in (
    (
        paths.ACK,
        "acknowledge",
        "a display",
        _BY_DISPLAY,
        DISPLAY,
        admit_display,
        {"seq": 41, "muted": False, "version": "1.0"},
    ),
    (
        paths.KIOSK_ACK,
        "acknowledge-as-kiosk",
        "a kiosk",
        f"A kiosk that reports nothing for some seconds counts as silent. {_BY_KIOSK}",
        KIOSK,
        admit_kiosk,
        {"seq": 41, "printer": "ready", "version": "1.0"},
    ),
):
    ENDPOINTS.add(
        "POST",
        _path,
        _name,
        _NOTED,
        about=f"Report how far {_device} has painted. Over WebSocket, send a frame instead. {_by}",
        security=_security,
        body=feedback.Ack,
        example=_example,
        refused=(NotSignedIn, NotAllowed, Unavailable),
        details={"x-event": {"$ref": f"#/components/schemas/{DeviceReported.__name__}"}},  # the event that it may cause
    )(feedback.taking(feedback.Ack, _admit))
