"""Opening a stream in the hub for a client that may follow a view."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from server.domain.views import View
from server.live.hub import Hub
from server.live.messages import Position
from server.live.stream import OPEN, Stream
from server.transport.http.middleware import FOLLOWED
from server.transport.streams.handoff import connection_of


@dataclass(frozen=True, slots=True)
class Admission:
    """The permission to follow a view. The fields are the arguments of `server.live.hub.Hub.enrol`."""

    site_id: int
    view: View
    token: str
    member: str | None = None
    proof: str | None = None
    subject: str | None = None


async def enrol(request: HTTPConnection, hub: Hub, admission: Admission, transport: str) -> Stream:
    """Open a stream on the request's connection. Raises as `Hub.enrol` does."""
    stream = await hub.enrol(
        admission.site_id,
        admission.view,
        last_position(request),
        address=request.client.host if request.client else "",
        token=admission.token,
        member=admission.member,
        proof=admission.proof,
        subject=admission.subject,
        outlet=connection_of(request.scope) or OPEN,
        transport=transport,
    )
    request.scope[FOLLOWED] = True
    return stream


def last_position(request: HTTPConnection) -> Position | None:
    """Return the screen's position from the header, or from the query: a browser's first connect cannot set the header."""
    text = request.headers.get("last-event-id")
    if not text and request.scope["query_string"]:
        text = request.query_params.get("last_event_id")
    return Position.parse(text) if text else None
