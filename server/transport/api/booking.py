"""``/api/v1/sites/{id}/booking``: patients book an appointment with their own browser. See `server.identity.booking`."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.board import Board
from server.domain.commands import BookForVisitor, HoldForVisitor
from server.domain.commands.appointments import FOLD, LOCAL_START
from server.domain.commands.bounds import EMAIL, LANGUAGE, NAME, PHONE, TOKEN
from server.domain.errors import (
    BookingIsOff,
    Busy,
    HoldExpired,
    ProviderNotFound,
    ServiceNotFound,
    SiteNotFound,
    Unavailable,
)
from server.domain.free_time import Wanted
from server.domain.model import local_time
from server.domain.model.clocks import Hours, clock_of
from server.domain.model.ids import MAX_ID, site_of
from server.domain.views import names_of
from server.identity.booking import About, Time, Visitor, bookable
from server.queries import slots
from server.transport.api.commands import COMMAND_ID
from server.transport.api.slots import DATES, PROVIDER, SERVICE, LocalTime, Slots, shown
from server.transport.api.tickets import base_address
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag, as_json
from server.transport.http.errors import TooManyBooked
from server.transport.http.fields import Instant

TOKEN_PATTERN = "^a[0-9]+-[A-Za-z0-9_-]{22}$"  # noqa: S105  # nosec B105 # a pattern


_Start = Annotated[PlainText, Field(**LOCAL_START)]
_Fold = Annotated[int, Field(**FOLD)]
_HoldToken = Annotated[PlainText, Field(**TOKEN)]


class _Wish(Body):
    service_id: int = Field(ge=1, le=MAX_ID)
    provider_id: int | None = Field(None, ge=1, le=MAX_ID)
    local_start: _Start
    fold: _Fold = 0
    hold_token: _HoldToken | None = None


class TimeToHold(_Wish):
    """The time to keep. Without a provider, any provider who is free. With the token of a hold, it is kept longer, once."""


class HoldToRelease(Body):
    """The hold whose time is given back."""

    hold_token: _HoldToken


class TimeToBook(_Wish):
    """The time to book, and the patient. A phone number or an address for messages is needed."""

    name: Annotated[PlainText, Field(**NAME)]
    phone: Annotated[PlainText, Field(**PHONE)] | None = None
    email: Annotated[PlainText, Field(**EMAIL)] | None = None
    language: Annotated[str, Field(**LANGUAGE)] | None = None
    wants_earlier: bool = False


class _Site(TypedDict):
    name: str
    language: str
    languages: tuple[str, ...]
    time_zone: str
    clock: Hours


class _Service(TypedDict):
    id: int
    name: Annotated[str, Field(description="The public name: it reveals nothing.")]
    names: Annotated[dict[str, str], Field(description="The public name in languages of the site, by tag.")]
    provider_ids: Annotated[list[int], Field(description="The providers who offer it, in the order of the screens.")]


class _Provider(TypedDict):
    id: int
    name: str


class _Booking(TypedDict):
    """The public data of a site on whose page patients book."""

    now: Instant
    today: Annotated[str, Field(description="The site's local date.", json_schema_extra={"format": "date"})]
    site: _Site
    services: list[_Service]
    providers: list[_Provider]


class Held(TypedDict):
    """The time is kept for this visitor."""

    hold_token: Annotated[str, Field(pattern=TOKEN_PATTERN, description="Books, extends or releases the hold.")]
    held_until: Annotated[int, Field(description="The end of the hold, in milliseconds since 1970.")]
    now: Instant
    provider_id: int
    local_start: LocalTime
    fold: int
    starts_at: Instant
    minutes: int


class Booked(TypedDict):
    """The appointment is booked."""

    address: Annotated[str, Field(description="The address of the page with which the patient manages the appointment.")]
    token: Annotated[str, Field(pattern=TOKEN_PATTERN, description="The appointment's own token.")]
    local_start: LocalTime
    provider_id: int
    starts_at: Instant


ENDPOINTS = Endpoints(Tag.BOOKING)


@ENDPOINTS.add(
    "GET",
    paths.BOOKING,
    "read-booking",
    "The site, and the services that patients can book.",
    security=PUBLIC,
    refused=(BookingIsOff, Unavailable),
)
async def look(request: Request) -> _Booking:
    """Return a site's services that patients can book, and the providers who offer them.

    No credential is needed. `booking_is_off` also hides a site that does not exist.
    """
    board = await _board(request)
    now, site = Context.of(request).database.clock.now(), board.site
    found = bookable(board)
    offering = {provider.id: provider for each in found for provider in each.providers}
    return {
        "now": now // 1000,
        "today": local_time.local_of(now, site.time_zone).local[:10],
        "site": {
            "name": site.name,
            "language": site.language,
            "languages": site.languages,
            "time_zone": site.time_zone,
            "clock": clock_of(site),
        },
        "services": [
            {
                "id": each.service.id,
                "name": each.service.public_name,
                "names": names_of(board, each.service),
                "provider_ids": [provider.id for provider in each.providers],
            }
            for each in found
        ],
        "providers": [
            {"id": each.id, "name": each.name}
            for each in sorted(offering.values(), key=lambda each: (each.position, each.id))
        ],
    }


@ENDPOINTS.add(
    "GET",
    paths.BOOKING_SLOTS,
    "list-booking-slots",
    "The free times.",
    security=PUBLIC,
    parameters=(SERVICE, PROVIDER, DATES),
    refused=(BookingIsOff, ServiceNotFound, ProviderNotFound, Unavailable),
)
async def get_slots(request: Request) -> Slots:
    """List the times that patients can book, by the limits of patients. A time that this visitor keeps counts as free."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    board = await _board(request)
    service_id, provider_id = SERVICE.read(request, site_id) or 0, PROVIDER.read(request, site_id)
    first, last = DATES.read(request)
    offered = next((each for each in bookable(board) if each.service.id == service_id), None)
    if offered is None:
        raise ServiceNotFound(service_id=service_id)
    if provider_id is not None and provider_id not in {each.id for each in offered.providers}:
        raise ProviderNotFound(provider_id=provider_id)
    visitor = _visitor(request)
    own = await slots.own_holds(context.database, context.vault, site_id, visitor.held_by, visitor.held_from)
    wanted = Wanted(service_id=service_id, provider_id=provider_id, for_patient=True, own=own)
    return shown(await slots.listed(context.database, board, wanted, first, last))


@ENDPOINTS.add(
    "POST",
    paths.BOOKING_HOLD,
    "hold-time",
    Answer("The time is kept.", Held, headers=NO_STORE),
    security=PUBLIC,
    parameters=(COMMAND_ID,),
    body=TimeToHold,
    example={"service_id": 7_000_000_001, "local_start": "2027-01-15T09:00"},
    refused=(BookingIsOff, SiteNotFound, TooManyBooked, Busy, Unavailable),
    runs=HoldForVisitor,
)
async def hold(request: Request) -> Response:
    """Keep a time for ten minutes, while the visitor types. A visitor keeps one time: an earlier one is free again.

    The answer sets the cookie by which the visitor is known. With `hold_token`, the time is kept for ten more minutes,
    once.
    """
    context = Context.of(request)
    key = COMMAND_ID.read(request)
    body = await bodies.read(request, TimeToHold)
    await _board(request)
    _refuse_other_site(request, body)
    if context.limiter is not None:
        limit = context.limiter.limits.held
        await context.limiter.refuse_excess(limit, context.gate.address_name(request), TooManyBooked)
    visitor = _visitor(request)
    made = await context.identity.booking.hold(visitor, _time(body), body.hold_token, key)
    held = made["appointment"]
    answer: Held = {
        "hold_token": made["token"],
        "held_until": held["held_until"],
        "now": context.database.clock.now() // 1000,
        "provider_id": held["provider_id"],
        "local_start": held["local_start"],
        "fold": held["fold"],
        "starts_at": held["starts_at"],
        "minutes": held["minutes"],
    }
    response = as_json(answer)
    context.gate.phones.remember(request, response, visitor.phone)
    return response


@ENDPOINTS.add(
    "POST",
    paths.BOOKING_RELEASE,
    "release-time",
    Answer("The time is free again.", status=204),
    security=PUBLIC,
    parameters=(COMMAND_ID,),
    body=HoldToRelease,
    example={"hold_token": "a7-AAAAAAAAAAAAAAAAAAAAAA"},  # nosec B105 # an example
    refused=(BookingIsOff, HoldExpired, Busy, Unavailable),
)
async def release(request: Request) -> Response:
    """Give the time of a hold back, by its token."""
    context = Context.of(request)
    key = COMMAND_ID.read(request)
    body = await bodies.read(request, HoldToRelease)
    await _board(request)
    await context.identity.booking.release(_visitor(request), body.hold_token, key)
    return Response(status_code=204)


@ENDPOINTS.add(
    "POST",
    paths.BOOKING_BOOK,
    "book-time",
    Answer("The appointment.", Booked, headers=NO_STORE),
    security=PUBLIC,
    parameters=(COMMAND_ID,),
    body=TimeToBook,
    example={
        "service_id": 7_000_000_001,
        "local_start": "2027-01-15T09:00",
        "hold_token": "a7-AAAAAAAAAAAAAAAAAAAAAA",  # nosec B105 # an example
        "name": "Ada Lovelace",
        "email": "ada@example.org",
    },
    refused=(BookingIsOff, SiteNotFound, TooManyBooked, Busy, Unavailable),
    runs=BookForVisitor,
)
async def book(request: Request) -> Response:
    """Book a time for a patient, once for each ``Idempotency-Key``. The answer has the page of the appointment.

    After `hold_expired` the time can be kept or booked again, if nobody else has taken it meanwhile.
    """
    context = Context.of(request)
    key = COMMAND_ID.read(request)
    body = await bodies.read(request, TimeToBook)
    await _board(request)
    _refuse_other_site(request, body)
    visitor = _visitor(request)
    if context.limiter is not None:
        limits = context.limiter.limits
        await context.limiter.refuse_excess(limits.booked, context.gate.address_name(request), TooManyBooked)
        await context.limiter.refuse_excess(limits.booked_by_phone, f"phone:{visitor.phone.id}", TooManyBooked)
    about = About(body.name, body.phone, body.email, body.language, body.wants_earlier)
    made = await context.identity.booking.book(visitor, _time(body), about, body.hold_token, key)
    booked = made["appointment"]
    answer: Booked = {
        "address": address_of_appointment(request, made["token"]),
        "token": made["token"],
        "local_start": booked["local_start"],
        "provider_id": booked["provider_id"],
        "starts_at": booked["starts_at"],
    }
    response = as_json(answer)
    context.gate.phones.remember(request, response, visitor.phone)
    return response


def address_of_appointment(request: Request, token: str) -> str:
    """Return the address of the page with which a patient manages an appointment."""
    return f"{base_address(request)}/a/{token}"


async def _board(request: Request) -> Board:
    """Return the board of a site on whose page patients book. Raises `BookingIsOff`, also for an unknown site."""
    try:
        board = await Context.of(request).hub.followed_board(request.path_params["site_id"])
    except SiteNotFound:
        raise BookingIsOff() from None
    if board.site.rules.booking == "off":
        raise BookingIsOff()
    return board


def _visitor(request: Request) -> Visitor:
    context = Context.of(request)
    address = context.gate.address_name(request)
    return context.identity.booking.visitor(context.gate.phones.of(request), request.path_params["site_id"], address)


def _refuse_other_site(request: Request, body: _Wish) -> None:
    """Raise `SiteNotFound` for a service or a provider of another site."""
    for each in (body.service_id, body.provider_id):
        if each is not None and site_of(each) != request.path_params["site_id"]:
            raise SiteNotFound(site_id=site_of(each))


def _time(body: _Wish) -> Time:
    return Time(body.service_id, body.provider_id, body.local_start, body.fold)
