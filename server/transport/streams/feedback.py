"""Feedback from screens: acknowledgements of the number that they have painted, and reports of a wrong digest.

Over WebSocket these are messages on the stream itself; beside server-sent events, small requests of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import orjson
from pydantic import Field, ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from server.domain.model import Printer
from server.live.hub import Hub
from server.live.stream import SESSION, Stream
from server.live.streams import Painted
from server.transport.context import Context
from server.transport.http import bodies
from server.transport.http.bodies import Body
from server.transport.streams.admission import Admission
from server.transport.streams.budget import Budget

MAX_VERSION = 40
_Seq = Annotated[int, Field(ge=0, le=2**53)]


class Ack(Body):
    """A display or a kiosk has painted all changes up to `seq`.

    A display may report that its sound is off, a kiosk the state of its printer, and both the version of their page.
    """

    seq: _Seq
    muted: bool | None = None
    version: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9._+-]+$", max_length=MAX_VERSION)] = None
    printer: Printer | None = None


class Disagreement(Body):
    """A screen's cells at `seq` have another digest than the heartbeat of this number."""

    seq: _Seq


class AckMessage(Ack):
    """The acknowledgement as a WebSocket frame."""

    type: Literal["ack"]


class DisagreementMessage(Disagreement):
    """The report of a different digest as a WebSocket frame."""

    type: Literal["disagreement"]


FRAMES: dict[str, type[AckMessage | DisagreementMessage]] = {"ack": AckMessage, "disagreement": DisagreementMessage}


class InvalidFeedback(Exception):
    """The frame is not a feedback message."""


class Feedback:
    """Receives the frames that one screen sends."""

    __slots__ = ("_hub", "_stream", "budget")

    def __init__(self, hub: Hub, stream: Stream) -> None:
        self._hub = hub
        self._stream = stream
        self.budget = Budget()

    def receive(self, text: str | None) -> None:
        """Process one text frame; None is a frame of another kind. Raises `InvalidFeedback`.

        The caller counts the frame in `budget`.
        """
        if text is None:
            raise InvalidFeedback
        try:
            body = orjson.loads(text)
            kind = FRAMES[body["type"]]
            message = kind.model_validate(body)
        except (ValueError, KeyError, TypeError, ValidationError):
            raise InvalidFeedback from None
        stream = self._stream
        take(self._hub, stream.view_kind, stream.subject, stream.site_id, stream.token, message)


def take(hub: Hub, view_kind: str, subject: str | None, site_id: int, token: str, message: Body) -> None:
    """Pass a screen's message to the hub. The other arguments describe the stream that the screen follows."""
    match message:
        # Staff who follow a display see a picture of it: only the display itself knows its screen.
        case Ack() if subject is not None and view_kind in ("display", "kiosk") and not token.startswith(SESSION):
            hub.acknowledged(subject, Painted(message.seq, message.muted, message.version, message.printer))
        case Disagreement():
            hub.disagreed(view_kind, site_id, token, message.seq)


def taking(
    model: type[Body], admit: Callable[[HTTPConnection, Context], Awaitable[Admission]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that takes ``model`` from a client that may follow the view."""

    async def endpoint(request: Request) -> Response:
        context = Context.of(request)
        admission = await admit(request, context)
        told = await bodies.read(request, model)
        take(context.hub, admission.view.kind, admission.subject, admission.site_id, admission.token, told)
        return Response(status_code=204)

    return endpoint
