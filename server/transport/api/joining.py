"""``/api/v1/sites/{id}/joining``: patients join a queue with their own phone. See `server.identity.joining`."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.board import Board
from server.domain.commands import JoinQueue
from server.domain.commands.bounds import PHONE
from server.domain.errors import (
    Busy,
    JoinCodeNeeded,
    JoinCodeOld,
    JoinCodeWrong,
    JoiningIsOff,
    NotAllowed,
    NotSignedIn,
    SiteNotFound,
    Unavailable,
)
from server.domain.model import PhoneWhenJoining, hours, languages
from server.domain.model.clocks import Hours, clock_of
from server.domain.model.ids import MAX_ID, site_of
from server.domain.rules.joining import Room, may_join_now
from server.domain.views import names_of
from server.domain.views.site import Offsets, offsets_of
from server.domain.views.view import milliseconds
from server.identity.joining import Offer, Wish
from server.identity.pairing import CODE_LENGTH
from server.identity.readable_codes import ALPHABET, LONGEST_TYPED
from server.transport import qr_codes
from server.transport.api.commands import COMMAND_ID
from server.transport.api.tickets import address_of_page, base_address
from server.transport.context import Context
from server.transport.http import bodies, parameters, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import DEVICE, NO_STORE, PUBLIC, Answer, Endpoints, Tag, as_json
from server.transport.http.errors import TooManyJoined
from server.transport.http.fields import Count, Instant
from server.transport.http.files import as_file
from server.transport.poster import PAPERS, Poster


class JoinPass(Body):
    """The code on a screen of the site. Spaces, hyphens and small letters are accepted. A site without codes needs none."""

    code: PlainText | None = Field(None, max_length=LONGEST_TYPED)


class JoinTicket(Body):
    """The queue that the phone joins."""

    queue_id: int = Field(ge=1, le=MAX_ID)
    language: str | None = Field(None, max_length=languages.LONGEST, pattern=languages.PATTERN)
    phone: PlainText | None = Field(None, max_length=40, pattern=str(PHONE["pattern"]))


class _Queue(TypedDict):
    id: int
    name: str
    names: Annotated[dict[str, str], Field(description="The public name in languages of the site, by tag.")]
    prefix: Annotated[str, Field(pattern="^[A-Z]$", description="The letter that begins the labels of its tickets.")]
    room: Annotated[Room, Field(description="Only an `open` queue gives tickets now.")]
    position: Annotated[Count, Field(description="The position on the screens, from 0.")]
    waiting: Annotated[Count, Field(description="The number of waiting patients.")]
    expect_from: Annotated[
        int | None,
        Field(description="The start of a newcomer's expected call, in milliseconds since 1970; null without an estimate."),
    ]
    expect_until: Annotated[int | None, Field(description="The end of this time, in milliseconds since 1970.")]
    estimating: Annotated[bool, Field(description="The expected time is a guess: the queue has little history.")]


class _Site(TypedDict):
    name: str
    language: str
    languages: tuple[str, ...]
    time_zone: str
    offsets: Offsets
    clock: Hours


class _Joining(TypedDict):
    """The public data of a site for a phone that may join one of its queues."""

    now: Instant
    site: _Site
    state: Literal["open", "closed"]
    opens_at: Annotated[int | None, Field(description="When a closed site opens, in milliseconds since 1970, if known.")]
    code_needed: Annotated[bool, Field(description="The phone has to show the code of a screen before it can join.")]
    phone: Annotated[PhoneWhenJoining, Field(description="Whether the page asks for a phone number.")]
    has_pass: Annotated[bool, Field(description="The phone may ask for a ticket. Else `get-join-pass` gives a pass.")]
    ticket: Annotated[
        str | None,
        Field(pattern="^[0-9]+-[A-Za-z0-9_-]{22}$", description="The token of this phone's open ticket at the site."),
    ]
    queues: list[_Queue]


class JoinPassed(TypedDict):
    """The phone has a pass for the site. Its cookie keeps it for a quarter of an hour."""

    passed: Literal[True]


class Joined(TypedDict):
    """The phone's ticket."""

    address: Annotated[str, Field(description="The address of the patient's page.")]
    token: Annotated[str, Field(pattern="^[0-9]+-[A-Za-z0-9_-]{22}$", description="The ticket's own token.")]
    new: Annotated[bool, Field(description="False: the phone had this ticket already.")]


class _JoinCode(TypedDict):
    """The code for joining on a screen. Without an address, nobody can join now, and the screen shows nothing."""

    now: Instant
    code: Annotated[
        str | None,
        Field(pattern=f"^[{ALPHABET}]{{{CODE_LENGTH}}}$", description="The code to type; null where the site needs none."),
    ]
    address: Annotated[str | None, Field(description="The address in the QR code.")]
    typed: Annotated[str | None, Field(description="The address that people type.")]
    qr: Annotated[
        str | None,
        Field(pattern="^M", description="The dark modules of the QR code, without a margin: a path of SVG, in modules."),
    ]
    modules: Annotated[int, Field(ge=0, le=177, description="The modules of one side of the QR code.")]
    changes_at: Annotated[Instant, Field(description="When to ask for the next code.")]
    ends_at: Annotated[Instant, Field(description="After this instant, the screen must not show the code.")]


ENDPOINTS = Endpoints(Tag.JOINING)


@ENDPOINTS.add(
    "GET",
    paths.JOINING,
    "read-joining",
    "The site, and the queues that the phone can join.",
    security=PUBLIC,
    refused=(JoiningIsOff, Unavailable),
)
async def look(request: Request) -> _Joining:
    """Return the queues that a phone may join, each with its expected wait, before it joins.

    No credential is needed. The phone's cookie, if it has one, tells its open ticket. `joining_is_off` also hides a site
    that does not exist.
    """
    context = Context.of(request)
    joining, phone = context.identity.joining, context.gate.phones.of(request)
    board = await _board(request)
    site, now = board.site, context.database.clock.now()
    is_open = hours.is_open(now, site.time_zone, site.rules)
    has_pass = joining.knows(phone, site.id)
    return {
        "now": now // 1000,
        "site": {
            "name": site.name,
            "language": site.language,
            "languages": site.languages,
            "time_zone": site.time_zone,
            "offsets": offsets_of(site),
            "clock": clock_of(site),
        },
        "state": "open" if is_open else "closed",
        "opens_at": None if is_open else milliseconds(hours.next_opening(now, site.time_zone, site.rules)),
        "code_needed": site.rules.joining == "presence" and not has_pass,
        "has_pass": has_pass,
        "phone": site.rules.phone_when_joining,
        "ticket": joining.ticket_of(phone, board),
        "queues": [_queue(board, each) for each in joining.offers(board)] if is_open else [],
    }


@ENDPOINTS.add(
    "POST",
    paths.JOIN_PASS,
    "get-join-pass",
    Answer("The phone has a pass.", JoinPassed, headers=NO_STORE),
    security=PUBLIC,
    body=JoinPass,
    example={"code": "K7M3QX"},
    refused=(JoiningIsOff, JoinCodeNeeded, JoinCodeOld, JoinCodeWrong, Unavailable),
)
async def get_pass(request: Request) -> Response:
    """Exchange the code of a screen for a pass of a quarter of an hour, in the phone's cookie.

    A code is good for five minutes after the screens begin to show it. A site that patients may join from anywhere needs no
    code.
    """
    context = Context.of(request)
    code = (await bodies.read(request, JoinPass)).code
    board = await _board(request)
    needed = board.site.rules.joining == "presence"
    phone = context.identity.joining.admit(context.gate.phones.of(request), board.site.id, (code or "") if needed else None)
    body: JoinPassed = {"passed": True}
    response = as_json(body)
    context.gate.phones.remember(request, response, phone)
    return response


@ENDPOINTS.add(
    "POST",
    paths.JOIN_TICKET,
    "join-queue",
    Answer("The phone's ticket.", Joined, headers=NO_STORE),
    security=PUBLIC,
    parameters=(COMMAND_ID,),
    body=JoinTicket,
    example={"queue_id": 7_000_000_001, "language": "en"},
    refused=(JoiningIsOff, JoinCodeNeeded, SiteNotFound, TooManyJoined, Busy, Unavailable),
    runs=JoinQueue,
)
async def join(request: Request) -> Response:
    """Issue a ticket to the phone, once for each ``Idempotency-Key``. A phone with an open ticket gets that one.

    The phone needs a pass: its cookie comes with `get-join-pass`.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    key = COMMAND_ID.read(request)
    body = await bodies.read(request, JoinTicket)
    board = await _board(request)
    phone = context.gate.phones.of(request)
    if phone is None:
        raise JoinCodeNeeded()
    if site_of(body.queue_id) != site_id:
        raise SiteNotFound(site_id=site_of(body.queue_id))

    async def allow() -> None:
        limiter = context.limiter
        if limiter is not None:
            await limiter.refuse_excess(limiter.limits.joined, context.gate.address_name(request), TooManyJoined)

    wish = Wish(body.queue_id, body.language, body.phone, key)
    token, new = await context.identity.joining.join(phone, wish, site_id, board, allow)
    answer: Joined = {"address": address_of_page(request, token), "token": token, "new": new}
    return as_json(answer)


@ENDPOINTS.add(
    "GET",
    paths.JOIN_CODE,
    "show-join-code",
    "The code.",
    security=DEVICE,
    refused=(NotSignedIn, NotAllowed, Unavailable),
)
async def show_code(request: Request) -> _JoinCode:
    """Return the code that a display or a kiosk shows, with its QR code. By the device's own token.

    With the code, patients join a queue with their own phone.
    """
    context = Context.of(request)
    device = await context.gate.device(request, request.path_params["device_id"])
    site_id = site_of(device.id)
    board = await context.hub.followed_board(site_id)
    now, code = context.database.clock.now(), context.identity.joining.code(site_id)
    made: _JoinCode = {
        "now": now // 1000,
        "code": None,
        "address": None,
        "typed": None,
        "qr": None,
        "modules": 0,
        "changes_at": code.changes_at // 1000,
        "ends_at": code.ends_at // 1000,
    }
    if not may_join_now(board, now):
        return made
    typed = join_address(request, site_id)
    needed = board.site.rules.joining == "presence"
    address = f"{typed}#{code.code}" if needed else typed
    qr, modules = qr_codes.path(address)
    return {**made, "code": code.code if needed else None, "address": address, "typed": typed, "qr": qr, "modules": modules}


PAPER = parameters.Choice("paper", "The size of the paper.", PAPERS, "a4")


@ENDPOINTS.add(
    "GET",
    paths.POSTER,
    "print-poster",
    Answer("The poster.", headers=NO_STORE, schema={"type": "string", "format": "binary"}, media_type="application/pdf"),
    may="print-poster",
    parameters=(PAPER,),
    refused=(SiteNotFound, Unavailable),
)
async def print_poster(request: Request) -> Response:
    """Return the poster for joining by phone: one page in the languages of the site, with the address as a QR code.

    The poster has no presence code. With the rule `presence`, the page asks for the code of a screen.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    admin = await context.gate.member_for(request, "print-poster", site_id)
    site = (await context.hub.present_board(site_id)).site
    paper = PAPER.read(request) or "a4"
    poster = Poster(site.name, site.languages, join_address(request, site_id), paper)
    made = await context.posters.pdf(poster)
    if request.method == "GET" and "poster-printed" not in site.milestones:
        await context.identity.milestones.reach_at(site_id, "poster-printed", actor=admin.actor)
    return as_file(made, f"poster-{site_id}-{paper}.pdf", "application/pdf", "inline")


def join_address(request: Request, site_id: int) -> str:
    """Return the address of the page that joins a queue of a site."""
    return f"{base_address(request)}/join/{site_id}"


async def _board(request: Request) -> Board:
    """Return the board of a site that phones may join. Raises `JoiningIsOff`, also for a site that does not exist."""
    try:
        board = await Context.of(request).hub.followed_board(request.path_params["site_id"])
    except SiteNotFound:
        raise JoiningIsOff() from None
    if board.site.rules.joining == "off":
        raise JoiningIsOff()
    return board


def _queue(board: Board, offer: Offer) -> _Queue:
    queue, quote = offer.queue, offer.quote
    return {
        "id": queue.id,
        "name": queue.name,
        "names": names_of(board, queue),
        "prefix": queue.prefix,
        "room": offer.room,
        "position": queue.position,
        "waiting": len(board.waiting(queue.id)),
        "expect_from": None if quote is None else milliseconds(quote.expect_from),
        "expect_until": None if quote is None else milliseconds(quote.expect_until),
        "estimating": quote is None or quote.estimating,
    }
