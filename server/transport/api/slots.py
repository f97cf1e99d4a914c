"""``GET /api/v1/sites/{id}/slots``: the free times of a site, and why another time is not free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.domain import free_time
from server.domain.board import Board
from server.domain.errors import NoSuchLocalTime, ProviderNotFound, ServiceNotFound, SiteNotFound, Unavailable
from server.domain.free_time import Rule, Slot, Wanted
from server.domain.model import Schedule, ScheduleException
from server.identity.callers import Integration
from server.queries import slots
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Instant, IsoDay

LocalTime = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$")]
_LocalStart = Annotated[LocalTime, Field(description="The wall clock of the site at the start.")]
_Fold = Annotated[int, Field(ge=0, le=1, description="1: the second of two equal local times, when the clocks go back.")]
_Offset = Annotated[int, Field(description="The offset of the local time from UTC, in minutes; positive in the east.")]


class _Slot(TypedDict):
    local_start: _LocalStart
    fold: _Fold
    offset_minutes: _Offset
    starts_at: Instant
    minutes: Annotated[int, Field(ge=5, description="The length of the appointment.")]
    provider_id: int
    left: Annotated[int, Field(ge=1, description="How many appointments can still take this time.")]


class Slots(TypedDict):
    """Free times."""

    data: Annotated[
        list[_Slot],
        Field(max_length=free_time.MOST_SLOTS, description="By time, then in the order of the providers."),
    ]


class _Closure(TypedDict):
    """The exception that closes a time."""

    exception_id: int
    date: IsoDay
    reason: Annotated[str | None, Field(description="Shown to staff only.")]


class _Why(TypedDict):
    local_start: _LocalStart
    fold: _Fold
    starts_at: Instant
    rule: Annotated[Rule | None, Field(description="The rule that takes the time away at every provider; null: it is free.")]
    provider_id: Annotated[int | None, Field(description="The provider whose hours contain the time.")]
    schedule_id: Annotated[int | None, Field(description="The schedule that contains the time.")]
    extra_id: Annotated[int | None, Field(description="The extra time that contains the time.")]
    closure: _Closure | None
    slot_minutes: Annotated[int | None, Field(description="The distance of the starts there.")]
    notice_minutes: Annotated[int | None, Field(description="Patients book at least this long before.")]
    days_ahead: Annotated[int | None, Field(description="Patients book at most this many days before; 0 is no limit.")]
    opens_before: Annotated[
        int | None, Field(description="Nobody books earlier than this many minutes before; 0 is no limit.")
    ]


SERVICE = parameters.IdOfSite("service_id", "The service of the appointment.", required=True)
PROVIDER = parameters.IdOfSite("provider_id", "Only times of this provider.")
DATES = parameters.Days(
    parameters.Day("from", "The first local date."),
    parameters.Day("until", f"The last local date. The list has at most {free_time.MOST_DAYS} days."),
    free_time.MOST_DAYS,
)
LENGTH = parameters.Length("minutes", "The length, a multiple of five; by default the distance of the starts.")
AT = parameters.LocalTime("at", "The local time of the site.")
FOLD = parameters.Whole("fold", "1: the second of two equal local times.", 0, 1, 0)

ENDPOINTS = Endpoints(Tag.APPOINTMENTS)


@ENDPOINTS.add(
    "GET",
    paths.SLOTS,
    "list-slots",
    "The free times.",
    may="read-slots",
    parameters=(SERVICE, PROVIDER, DATES, LENGTH),
    refused=(Unavailable, SiteNotFound, ServiceNotFound, ProviderNotFound),
)
async def get_slots(request: Request) -> Slots:
    """List the free times of a service, at a provider or at any. Each can be booked until somebody else takes it."""
    context = Context.of(request)
    board, wanted = await _asked(request)
    first, last = DATES.read(request)
    return shown(await slots.listed(context.database, board, wanted, first, last))


def shown(found: Iterable[Slot]) -> Slots:
    """Return free times as an answer lists them."""
    return {
        "data": [
            {
                "local_start": each.local_start,
                "fold": each.fold,
                "offset_minutes": each.offset_minutes,
                "starts_at": each.starts_at // 1000,
                "minutes": each.minutes,
                "provider_id": each.provider_id,
                "left": each.left,
            }
            for each in found
        ]
    }


@ENDPOINTS.add(
    "GET",
    paths.SLOTS_WHY,
    "explain-slot",
    "The rule.",
    may="read-slots",
    parameters=(SERVICE, PROVIDER, AT, FOLD, LENGTH),
    refused=(Unavailable, SiteNotFound, ServiceNotFound, ProviderNotFound, NoSuchLocalTime),
)
async def get_why(request: Request) -> _Why:
    """Return the rule that takes a time away, for people who look for it and do not find it."""
    context = Context.of(request)
    board, wanted = await _asked(request)
    local_start, fold = AT.read(request), FOLD.read(request)
    found = await slots.why(context.database, context.vault, board, wanted, local_start, fold)
    source, closure = found.schedule, found.closure
    weekly = source if isinstance(source, Schedule) else None
    caller = await context.gate.staff_for(request, "read-slots", board.site.id)
    return {
        "local_start": found.local_start,
        "fold": found.fold,
        "starts_at": found.starts_at // 1000,
        "rule": found.rule,
        "provider_id": found.provider_id,
        "schedule_id": weekly.id if weekly else None,
        "extra_id": source.id if isinstance(source, ScheduleException) else None,
        "closure": None
        if closure is None
        else {
            "exception_id": closure.id,
            "date": closure.date,
            "reason": None if isinstance(caller, Integration) else closure.reason,
        },
        "slot_minutes": source.slot_minutes if source else None,
        "notice_minutes": weekly.notice_minutes if weekly else None,
        "days_ahead": weekly.days_ahead if weekly else None,
        "opens_before": weekly.opens_before if weekly else None,
    }


async def _asked(request: Request) -> tuple[Board, Wanted]:
    """Return the site's present board and what the request looks for. Raises `ServiceNotFound` and `ProviderNotFound`."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-slots", site_id)
    service_id, provider_id = SERVICE.read(request, site_id), PROVIDER.read(request, site_id)
    wanted = Wanted(service_id=service_id or 0, provider_id=provider_id, minutes=LENGTH.read(request))
    board = await context.hub.followed_board(site_id)
    if wanted.service_id not in board.services:
        raise ServiceNotFound(service_id=service_id)
    if provider_id is not None and provider_id not in board.providers:
        raise ProviderNotFound(provider_id=provider_id)
    return board, wanted
