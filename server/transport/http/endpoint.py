"""Endpoints: a handler, its route, and everything that the API's description says of it, declared in one place.

A module has one `Endpoints` and adds its handlers to it. `server.transport.endpoints` lists the modules. The routes and the
OpenAPI document are both made of this list, so a description cannot name a path that is not served.
"""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, get_type_hints

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from server.domain.commands import Command
from server.domain.errors import InvalidField, NotAllowed, NotSignedIn, NowServingError
from server.domain.views import View
from server.transport.http.errors import BodyTooLarge, ForeignOrigin, InvalidBody, MalformedBody, UnsupportedMediaType
from server.transport.http.parameters import Described, refuse_unknown

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Any]]
Errors = Sequence[type[NowServingError]]
_Handler = TypeVar("_Handler", bound=Handler)

# Who may ask: any one of these schemes, each named in `server.transport.spec.openapi`.
STAFF: tuple[str, ...] = ("accessToken", "accessCookie")
DISPLAY = ("displayToken", "displayTokenInQuery")
KIOSK = ("kioskToken", "kioskTokenInQuery")
DEVICE = ("displayToken", "kioskToken")
PUBLIC: tuple[str, ...] = ()

LONG_BYTES = 16 * 1024
BODY: Errors = (UnsupportedMediaType, MalformedBody, BodyTooLarge, InvalidBody)


class Tag(Enum):
    """A chapter of the description, in its order."""

    SESSION = ("Session", "Sign in, sign out, refresh tokens, list sessions.")
    ADMINISTRATION = ("Administration", "Staff accounts, API keys of other systems, pairing of displays and kiosks.")
    COMMANDS = ("Commands", "Each command has the tag of the record that it changes.")
    SITES = ("Sites", "Sites, their configuration and their boards.")
    APPOINTMENTS = ("Appointments", "Free times, and the rules that take other times away.")
    BOOKING = ("Booking", "Patients book, follow, move and cancel an appointment with their own browser.")
    JOINING = ("Joining", "Patients join a queue with their own phone, by a code on a screen of the clinic.")
    ENTRIES = ("Entries and visits", "Entries, visits and patients, of today and of any earlier day.")
    MESSAGES = ("Messages", "Messages to patients: planned, sent and ended.")
    FIGURES = ("Figures", "Waits, walks and services in whole seconds, and how often the quoted waits were right.")
    AUDIT = ("Audit", "The actions of people, systems and the clock, and the refusals.")
    LIVE = ("Live", "Streams of cells: server-sent events, or WebSocket when the client asks to upgrade.")
    OPERATION = ("Operation", "For monitoring, and for programs that read this document. No sign-in is needed.")


@dataclass(frozen=True, slots=True)
class Header:
    """A header that every answer of its kind has."""

    name: str
    schema: Json
    description: str | None = None


NO_STORE = (Header("Cache-Control", {"const": "no-store"}),)
NO_CACHE = (Header("Cache-Control", {"const": "no-cache"}),)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a handler that has not refused the request.

    ``type`` is the type of its JSON; ``schema`` describes a body that no type describes, or one of another ``media_type``.
    Neither means no body. A ``counted`` answer may carry the headers of the rate limits.
    """

    description: str
    type: Any = None
    status: int = 200
    headers: tuple[Header, ...] = ()
    schema: Json | None = None
    media_type: str = "application/json"
    links: Json | None = None
    example: Any = None
    counted: bool = True


def data(description: str, links: Json | None = None) -> Answer:
    """Return the answer of a handler that returns data: 200 with this JSON, of the handler's return type, in no cache."""
    return Answer(description, RETURNED, headers=NO_STORE, links=links)


RETURNED = object()  # stands for the return annotation of the handler
UNCHANGED = Answer("Not modified: the caller has this version already, by `If-None-Match`.", status=304, counted=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation of the API: see `Endpoints.add` for the fields."""

    method: str
    path: str
    name: str
    tag: Tag
    handler: Handler
    about: str
    answers: tuple[Answer, ...]
    may: str | None = None
    security: tuple[str, ...] | None = None
    anonymous: bool = False
    parameters: tuple[Described, ...] = ()
    body: type[BaseModel] | None = None
    example: Json | None = None
    refused: Errors = ()
    runs: type[Command] | None = None
    stream: type[View] | None = None
    socket: Callable[[WebSocket], Awaitable[None]] | None = None
    details: Mapping[str, Any] | None = None
    any_query: bool = False

    def routes(self) -> Iterator[BaseRoute]:
        """Yield the routes that serve this endpoint."""
        handler = _as_json(self.handler) if self.answers[0].type is RETURNED else self.handler
        if self.in_api and not self.any_query:
            handler = _knowing(handler, self._query())
        yield Route(self.path, handler, methods=[self.method])
        if self.socket is not None:
            yield WebSocketRoute(self.path, self.socket)

    @property
    def in_api(self) -> bool:
        """Whether the path is one of the API itself: neither live nor for monitoring."""
        return self.path.startswith("/api/")

    def _query(self) -> frozenset[str]:
        """Return the names of all parameters that the query may have."""
        described = [made for each in self.parameters for made in each.described()]
        token = {"token"} if self.security in (DISPLAY, KIOSK) else set()
        return frozenset({made["name"] for made in described if made["in"] == "query"} | token | {"api_version"})

    def returned(self) -> Any:
        """Return the type of the data that the handler returns."""
        return get_type_hints(self.handler, include_extras=True)["return"]

    def errors(self) -> list[type[NowServingError]]:
        """Return the refusals that this endpoint declares, and those that its method, path, right, body and parameters
        imply."""
        found: list[type[NowServingError]] = [NotSignedIn, NotAllowed] if self.may else []
        found += [ForeignOrigin] if self.method != "GET" else []
        found += [InvalidField] if self.in_api else []
        found += BODY if self.body else ()
        found += self.refused
        return found + [error for each in self.parameters for error in each.refused]


class Endpoints:
    """The endpoints of one module, in the order in which they were added."""

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        self._added: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._added)

    def routes(self) -> list[BaseRoute]:
        """Return the routes that serve these endpoints, in their order."""
        return [route for each in self._added for route in each.routes()]

    def add(
        self,
        method: str,
        path: str,
        name: str,
        answer: str | Answer | tuple[Answer, ...],
        *,
        about: str | None = None,
        may: str | None = None,
        security: tuple[str, ...] | None = None,
        anonymous: bool = False,
        parameters: Sequence[Described] = (),
        body: type[BaseModel] | None = None,
        example: Json | None = None,
        refused: Errors = (),
        runs: type[Command] | None = None,
        stream: type[View] | None = None,
        socket: Callable[[WebSocket], Awaitable[None]] | None = None,
        details: Mapping[str, Any] | None = None,
        any_query: bool = False,
    ) -> Callable[[_Handler], _Handler]:
        """Return a decorator that adds a handler as the operation ``name``, and returns it unchanged.

        The handler's docstring is the operation's text; its first sentence is the summary. ``about`` replaces it where one
        function makes several handlers.

        A handler with the ``answer`` of `data` returns data; a text stands for that answer. Any other handler returns a
        `Response` of its own.

        ``may`` is the right in `server.domain.roles` that the handler asks the gate for. ``security`` are the accepted
        schemes, by default those of the roles that have the right; ``anonymous`` says that none is needed.

        ``may``, ``body``, ``parameters`` and the path imply errors; ``refused`` are the others. ``runs`` adds the errors of
        a command that the handler carries out.

        ``stream`` is the view that the answer follows, and ``socket`` serves the same path over WebSocket. ``details`` are
        extensions of the operation (``x-...``). ``any_query`` accepts every parameter of the query: another system chooses
        them.
        """

        answers = (data(answer),) if isinstance(answer, str) else (answer,) if isinstance(answer, Answer) else answer

        def added(handler: _Handler) -> _Handler:
            self._added.append(
                Endpoint(
                    method=method,
                    path=path,
                    name=name,
                    tag=self.tag,
                    handler=handler,
                    about=about or handler.__doc__ or "",
                    answers=answers,
                    may=may,
                    security=security,
                    anonymous=anonymous,
                    parameters=tuple(parameters),
                    body=body,
                    example=example,
                    refused=refused,
                    runs=runs,
                    stream=stream,
                    socket=socket,
                    details=details,
                    any_query=any_query,
                )
            )
            return handler

        return added


def as_json(body: object, status: int = 200) -> Response:
    """Return data as a JSON answer that no cache keeps."""
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, media_type="application/json")


def _as_json(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        return _smaller(request, as_json(await handler(request)))

    return answer


def _smaller(request: Request, response: Response) -> Response:
    """Return a long answer compressed, as the proxy does it, to a client that accepts this."""
    if len(response.body) < LONG_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    headers = {"Cache-Control": "no-store", "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(gzip.compress(bytes(response.body), 5), headers=headers, media_type="application/json")


def _knowing(handler: Handler, query: frozenset[str]) -> Handler:
    """Return a handler that refuses every other parameter of the query: else a typing error would ask something else."""

    async def answer(request: Request) -> Any:
        refuse_unknown(request, query)
        return await handler(request)

    return answer
