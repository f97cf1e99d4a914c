"""``GET /api/v1/sites/{id}/insights``: the figures for managers; the third next available appointment; the exports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, TypeAlias, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import InvalidField, SiteNotFound, Unavailable
from server.domain.free_time import Slot
from server.domain.model import Site, languages, local_time
from server.domain.model.clocks import Hours, clock_of
from server.domain.model.tickets import begin_of, next_turn
from server.domain.reporting import insights as figures
from server.domain.reporting.day_sums import SECOND_HOUR
from server.domain.reporting.insights import Kind, Only
from server.domain.reporting.suppression import LEAST, Hidden
from server.domain.views.site import Offsets, offsets_of
from server.queries import insights, third_next
from server.queries.day_sums import following
from server.queries.feedback import SCORES
from server.queries.insights import Found
from server.queries.message_figures import Attendance, MessageFigures
from server.queries.third_next import Available
from server.transport.api.insights_export import VIEWS, ZIPPED, View, archive
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, Count, Instant, IsoDay
from server.transport.http.files import as_file

MOST_DAYS = 400
_HIDDEN = "`few`: fewer than five patients; `beside`: hidden so that such a group cannot be computed. Then all else is null."
_STEPS = "Rounded down: to 10 s below 10 min, 30 s below 1 h, 1 min below 2 h, 10 min below 6 h, 1 h below 17 h."

Entries = Annotated[figures.Entries, Component("InsightEntries", hidden=_HIDDEN, count="All stages of visits.")]
WalkIns = Annotated[figures.WalkIns, Component("InsightWalkIns", hidden=_HIDDEN, count="Entries without an appointment.")]
Times = Annotated[figures.Times, Component("InsightTimes", hidden=_HIDDEN, median_seconds=_STEPS, p90_seconds=_STEPS)]
Promises = Annotated[
    figures.Promises,
    Component(
        "InsightPromises",
        hidden=_HIDDEN,
        held="Calls no later than the end of the range that was quoted first.",
        early="Calls before the start of this range.",
        late_median_seconds="Of the calls after the range; null for fewer than five of them.",
    ),
]
Leaves = Annotated[
    figures.Leaves,
    Component(
        "InsightLeaves",
        hidden=_HIDDEN,
        count="Called entries whose patient had read until when it is fine to leave.",
        before="Calls before the first such instant. Fewer than 5 in 100 is the target.",
    ),
]
Appointments = Annotated[
    figures.Appointments,
    Component("InsightAppointments", hidden=_HIDDEN, expected="Booked, without those cancelled in time and those to come."),
]
Lead = Annotated[figures.Lead, Component("InsightLead", hidden=_HIDDEN, median_days="From the booking to the start.")]
HeatCell = Annotated[figures.HeatCell, Component("InsightHeatCell", hidden=_HIDDEN, weekday="1 is Monday.")]
ReasonCount = Annotated[
    figures.ReasonCount,
    Component(
        "InsightReason",
        hidden=_HIDDEN,
        passing="The calls that passed at least one patient of the queue who had joined earlier.",
        passed="These patients, once for each call that passed them.",
    ),
]

_Second = Annotated[bool, Field(description="Whether the clock shows this hour for the second time, when it goes back.")]
_Offset = Annotated[str, Field(pattern=r"^[+-][0-9]{2}:[0-9]{2}$", description="The offset from UTC.")]
_Local = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$")]


class _Group(TypedDict):
    """The figures of a set of patients."""

    entries: Entries
    walk_ins: WalkIns
    wait: Annotated[Times, Field(description="The waits of called entries until the last call.")]
    still: Annotated[Times, Field(description="The waits so far of the entries that wait now.")]
    gave_up: Annotated[Times, Field(description="The waits of entries that ended without a call.")]
    walk: Annotated[Times, Field(description="From a call to the start.")]
    service: Annotated[Times, Field(description="From the start to the end.")]
    promises: Promises
    leaves: Leaves
    appointments: Appointments
    lead: Lead
    open_seconds: Annotated[int | None, Field(ge=0, description="The time in which points were open for patients.")]


Group: TypeAlias = _Group


class _Service(_Group):
    service_id: int
    name: str | None


class _Queue(_Group):
    queue_id: int
    name: str | None
    service_id: int | None


class _Provider(_Group):
    provider_id: Annotated[int | None, Field(description="Null: no provider was named, and none was at the point.")]
    name: str | None


class _Hour(_Group):
    hour: Annotated[int, Field(ge=0, le=23, description="The hour of the wall clock of the site.")]
    second: _Second
    days: Annotated[Count, Field(description="The days of the period with something in this hour.")]


class _Weekday(_Group):
    weekday: Annotated[int, Field(ge=1, le=7, description="Of the business day; 1 is Monday.")]
    days: Annotated[Count, Field(description="The days of the period that are counted.")]


class _Day(_Group):
    business_day: IsoDay
    begins_local: _Local
    offset: _Offset
    ends_local: _Local
    end_offset: _Offset


class _Point(TypedDict):
    point_id: int
    name: str | None
    hidden: Hidden | None
    calls: int | None
    open_seconds: int | None
    busy_seconds: int | None


class _Fairness(TypedDict):
    hidden: Hidden | None
    calls: int | None
    in_order: int | None
    out_of_order: int | None
    reasons: list[ReasonCount]


class _Message(TypedDict):
    kind: str
    way: str
    hidden: Hidden | None
    open: int | None
    sent: int | None
    delivered: int | None
    undelivered: int | None
    unknown: int | None
    failed: int | None
    suppressed: int | None
    expired: int | None
    withdrawn: int | None
    skipped: int | None


class _Attendance(TypedDict):
    appointments: int | None
    missed: int | None
    hidden: Hidden | None


class _Messages(TypedDict):
    kinds: list[_Message]
    reminded: _Attendance
    not_reminded: _Attendance


class _Week(TypedDict):
    first_day: IsoDay
    answers: int | None
    scores: Annotated[list[int] | None, Field(description="The number of answers from 1 to 5.")]


class _Feedback(TypedDict):
    weeks: list[_Week]
    answers: Annotated[Count, Field(description="The answers of the weeks with five or more.")]
    scores: list[int]


class _Filter(TypedDict):
    kind: Kind
    id: int
    name: str | None


class _ClockChange(TypedDict):
    business_day: IsoDay
    kind: Annotated[str, Field(json_schema_extra={"enum": ["doubled", "skipped"]})]
    hour: Annotated[int, Field(ge=0, le=23)]


class _Missing(TypedDict):
    """Days that are still being counted: no figure has them."""

    days: int
    first: IsoDay
    last: IsoDay


Missing: TypeAlias = _Missing
Insights = TypedDict(
    "Insights",
    {
        "site_id": int,
        "name": str,
        "time_zone": str,
        "day_turns_at": Annotated[str, Field(pattern=r"^[0-9]{2}:[0-9]{2}$")],
        "from": IsoDay,
        "to": IsoDay,
        "business_day": Annotated[IsoDay, Field(description="The present one.")],
        "as_of": Instant,
        "begins_local": _Local,
        "offset_from": _Offset,
        "ends_local": _Local,
        "offset_to": _Offset,
        "offsets": Offsets,
        "clock": Hours,
        "filter": _Filter | None,
        "clock_changes": list[_ClockChange],
        "missing": _Missing | None,
        "total": _Group,
        "services": list[_Service],
        "queues": list[_Queue],
        "providers": list[_Provider],
        "hours": list[_Hour],
        "weekdays": list[_Weekday],
        "days": Annotated[list[_Day], Field(max_length=MOST_DAYS)],
        "heat": list[HeatCell],
        "points": list[_Point],
        "fairness": _Fairness,
        "messages": Annotated[_Messages | None, Field(description="Null with a filter.")],
        "feedback": Annotated[_Feedback | None, Field(description="Whole weeks that are over. Null with a filter.")],
    },
)


class _Third(TypedDict):
    local_start: _Local
    offset: _Offset
    days: Annotated[Count, Field(description="Local dates from today.")]


class _Available(TypedDict):
    third: Annotated[_Third | None, Field(description="The third free time; null: there are fewer.")]
    free: Annotated[int, Field(ge=0, le=third_next.THIRD, description="The number of free times, up to three.")]


class _AvailableProvider(_Available):
    provider_id: int
    name: str | None


class _AvailableService(_Available):
    service_id: int
    name: str | None
    providers: list[_AvailableProvider]


class ThirdNext(TypedDict):
    """The third next available appointment of each service, as the desk sees the free times."""

    site_id: int
    as_of: Instant
    days_ahead: int
    services: list[_AvailableService]


PERIOD = parameters.SomeDays(
    parameters.Day("from", "The first business day; by default the site's present one."),
    parameters.Day("to", f"The last business day; by default the first one. The period has at most {MOST_DAYS} days."),
    MOST_DAYS,
)
FILTERS: dict[Kind, parameters.IdOfSite] = {
    "service": parameters.IdOfSite("service_id", "Only this service."),
    "queue": parameters.IdOfSite("queue_id", "Only this queue. At most one of these three may be given."),
    "provider": parameters.IdOfSite("provider_id", "Only this provider."),
}
VIEW: parameters.Choice[View] = parameters.Choice("view", "The table to export; it must be given.", VIEWS)
LANGUAGE: parameters.Choice[str] = parameters.Choice(
    "language", "The language of the definitions; by default that of the site, or English.", ("en", "ar", "es", "fr")
)

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.INSIGHTS,
    "read-insights",
    "The figures.",
    may="read-statistics",
    parameters=(PERIOD, *FILTERS.values()),
    refused=(Unavailable, SiteNotFound),
)
async def get_insights(request: Request) -> Insights:
    """Return the figures of some business days for managers: in total, and by service, queue, provider, hour and weekday.

    Groups of fewer than five patients are hidden, and groups beside them as far as their size would follow from others.
    """
    return shown(await _asked(request))


@ENDPOINTS.add(
    "GET",
    paths.THIRD_NEXT,
    "read-third-next",
    "The third next available appointments.",
    may="read-statistics",
    refused=(Unavailable, SiteNotFound),
)
async def get_third_next(request: Request) -> ThirdNext:
    """Return how long a patient who books now has to wait: until the third free time of each service."""
    return await _third_next(request)


@ENDPOINTS.add(
    "GET",
    paths.INSIGHTS_ZIP,
    "export-insights",
    ZIPPED,
    may="read-statistics",
    parameters=(PERIOD, *FILTERS.values(), VIEW, LANGUAGE),
    refused=(Unavailable, SiteNotFound),
)
async def get_insights_zip(request: Request) -> Response:
    """Return one table of the figures as CSV, with a second file that defines its columns.

    Times are those of the site's wall clock, with the offset from UTC. Hidden figures are `<5` or `hidden`.
    """
    view, language = VIEW.read(request), LANGUAGE.read(request)
    found = await _asked(request)
    if view is None:
        raise VIEW.wrong(f"required: one of {', '.join(VIEWS)}")
    language = language or languages.lookup([found.site.language], LANGUAGE.words) or "en"
    available = await _third_next(request) if view == "third-next" else None
    made = archive(view, shown(found), available, language)
    name = f"insights-{found.site.id}-{view}-{found.first}-{found.last}.zip"
    return as_file(made, name, ZIPPED.media_type)


async def _asked(request: Request) -> Found:
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    first, last = PERIOD.read(request)
    return await insights.between(context.database, site_id, first, last, _only(request, site_id))


def _only(request: Request, site_id: int) -> Only | None:
    given = [Only(kind, wanted) for kind, each in FILTERS.items() if (wanted := each.read(request, site_id)) is not None]
    if len(given) > 1:
        raise InvalidField(field=FILTERS[given[1].kind].name, problem="only one of service_id, queue_id and provider_id")
    return given[0] if given else None


async def _third_next(request: Request) -> ThirdNext:
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    return await available_at(context, site_id)


async def available_at(context: Context, site_id: int) -> ThirdNext:
    """Return the third next available appointments of a site."""
    board = await context.hub.followed_board(site_id)
    today, now, found = await third_next.find(context.database, board)
    providers = board.providers
    return {
        "site_id": site_id,
        "as_of": now // 1000,
        "days_ahead": third_next.DAYS_AHEAD,
        "services": [
            {
                "service_id": each.service_id,
                "name": board.services[each.service_id].public_name,
                **_available(each.all, today),
                "providers": [
                    {"provider_id": provider_id, "name": providers[provider_id].name, **_available(available, today)}
                    for provider_id, available in each.providers.items()
                ],
            }
            for each in found
        ],
    }


def _available(available: Available, today: str) -> _Available:
    slot: Slot | None = available.third
    if slot is None:
        return {"third": None, "free": len(available.first)}
    days = local_time.date_of(slot.local_start[:10], "to").toordinal() - local_time.date_of(today, "to").toordinal()
    third: _Third = {"local_start": slot.local_start, "offset": offset_text(slot.offset_minutes), "days": days}
    return {"third": third, "free": len(available.first)}


def offset_text(minutes: int) -> str:
    """Return an offset from UTC as people write it: ``+05:30``."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def shown(found: Found) -> Insights:
    """Return figures as the answer has them."""
    site, names, made = found.site, found.names, found.insights
    turn = site.day_turns_at_minutes
    begin, end = begin_of(found.first, site.time_zone, turn), next_turn(found.last, site.time_zone, turn)
    first, last = local_time.local_of(begin, site.time_zone), local_time.local_of(end, site.time_zone)
    hours = sorted(made.hours, key=lambda hour: _in_order(hour, turn))
    return {
        "site_id": site.id,
        "name": site.name,
        "time_zone": site.time_zone,
        "day_turns_at": f"{turn // 60:02}:{turn % 60:02}",
        "from": found.first,
        "to": found.last,
        "business_day": site.business_day,
        "as_of": found.now // 1000,
        "begins_local": first.local,
        "offset_from": offset_text(first.offset_minutes),
        "ends_local": last.local,
        "offset_to": offset_text(last.offset_minutes),
        "offsets": offsets_of(site),
        "clock": clock_of(site),
        "filter": _filter(found),
        "clock_changes": list(clock_changes(site.time_zone, begin, end, turn, found.first)),
        "missing": None if found.missing is None else missing_shown(found.missing),
        "total": group_shown(made.total),
        "services": [
            {"service_id": key, "name": names.services.get(key), **group_shown(made.services[key])}
            for key in sorted(made.services)
            if key
        ],
        "queues": [
            {"queue_id": key, "name": names.queues.get(key), "service_id": names.service_of.get(key), **group_shown(each)}
            for key, each in sorted(made.queues.items())
        ],
        "providers": [
            {"provider_id": key or None, "name": names.providers.get(key), **group_shown(each)}
            for key, each in sorted(made.providers.items(), key=lambda item: (not item[0], item[0]))
        ],
        "hours": [
            {
                "hour": key % SECOND_HOUR,
                "second": key >= SECOND_HOUR,
                "days": made.days_of_hour.get(key, 0),
                **group_shown(made.hours[key]),
            }
            for key in hours
        ],
        "weekdays": [
            {"weekday": key, "days": made.days_of_weekday.get(key, 0), **group_shown(each)}
            for key, each in sorted(made.weekdays.items())
        ],
        "days": [{**bounds_of(day, day, site), **group_shown(each)} for day, each in made.days.items()],
        "heat": sorted(made.heat, key=lambda cell: (cell.weekday, _in_order(cell.hour + SECOND_HOUR * cell.second, turn))),
        "points": [
            {
                "point_id": each.point_id,
                "name": names.points.get(each.point_id),
                "hidden": each.hidden,
                "calls": each.calls,
                "open_seconds": each.open_seconds,
                "busy_seconds": each.busy_seconds,
            }
            for each in made.points
        ],
        "fairness": {
            "hidden": made.fairness.hidden,
            "calls": made.fairness.calls,
            "in_order": made.fairness.in_order,
            "out_of_order": made.fairness.out_of_order,
            "reasons": list(made.fairness.reasons),
        },
        "messages": _messages(found),
        "feedback": _feedback(found),
    }


def _in_order(hour: int, turn: int) -> tuple[int, int]:
    """Return the place of an hour in the business day, which begins with the hour of its turn."""
    return (hour % SECOND_HOUR - turn // 60) % 24, hour // SECOND_HOUR


def group_shown(group: figures.Group) -> _Group:
    """Return the figures of a group as answers have them."""
    return {
        "entries": group.entries,
        "walk_ins": group.walk_ins,
        "wait": group.wait,
        "still": group.still,
        "gave_up": group.gave_up,
        "walk": group.walk,
        "service": group.service,
        "promises": group.promises,
        "leaves": group.leaves,
        "appointments": group.appointments,
        "lead": group.lead,
        "open_seconds": group.open_seconds,
    }


def _filter(found: Found) -> _Filter | None:
    only = found.only
    if only is None:
        return None
    names = {"service": found.names.services, "queue": found.names.queues, "provider": found.names.providers}
    return {"kind": only.kind, "id": only.id, "name": names[only.kind].get(only.id)}


def missing_shown(missing: insights.Missing) -> _Missing:
    """Return missing days as answers have them."""
    return {"days": missing.days, "first": missing.first, "last": missing.last}


class _Bounds(TypedDict):
    """The local begin and end of business days."""

    business_day: IsoDay
    begins_local: _Local
    offset: _Offset
    ends_local: _Local
    end_offset: _Offset


Bounds: TypeAlias = _Bounds


def bounds_of(first_day: str, last_day: str, site: Site) -> _Bounds:
    """Return the first of some business days of a site, and the local begin and end of all of them."""
    begin = begin_of(first_day, site.time_zone, site.day_turns_at_minutes)
    end = next_turn(last_day, site.time_zone, site.day_turns_at_minutes)
    first, last = local_time.local_of(begin, site.time_zone), local_time.local_of(end, site.time_zone)
    return {
        "business_day": first_day,
        "begins_local": first.local,
        "offset": offset_text(first.offset_minutes),
        "ends_local": last.local,
        "end_offset": offset_text(last.offset_minutes),
    }


def clock_changes(zone: str, begin: int, end: int, turn: int, first: str) -> Iterator[_ClockChange]:
    """Yield the changes of the clock in a period: the business day, and the hour that comes twice or not at all."""
    changes = local_time.offsets_between(zone, begin, end)
    for (_, before), (since, after) in pairwise(changes):
        shown_before = local_time.local_of(since - local_time.MINUTE, zone)
        shown_after = local_time.local_of(since, zone)
        doubled = after < before
        # Going back, the hour that begins again is the doubled one. Going forward, the hour after the last one is skipped.
        hour = int(shown_after.local[11:13]) if doubled else (int(shown_before.local[11:13]) + 1) % 24
        day = first
        while next_turn(day, zone, turn) <= since:
            day = following(day)
        yield {"business_day": day, "kind": "doubled" if doubled else "skipped", "hour": hour}


def _messages(found: Found) -> _Messages | None:
    if found.messages is None:
        return None
    report = found.messages.report
    return {
        "kinds": [_message(each) for each in report.messages],
        "reminded": _attendance(report.reminded),
        "not_reminded": _attendance(report.not_reminded),
    }


def _message(each: MessageFigures) -> _Message:
    ended = each.sent + each.unknown + each.failed + each.suppressed + each.expired + each.withdrawn + each.skipped
    few = each.open + ended < LEAST

    def told(count: int) -> int | None:
        return None if few else count

    return {
        "kind": each.kind,
        "way": each.way,
        "hidden": "few" if few else None,
        "open": told(each.open),
        "sent": told(each.sent),
        "delivered": told(each.delivered),
        "undelivered": told(each.undelivered),
        "unknown": told(each.unknown),
        "failed": told(each.failed),
        "suppressed": told(each.suppressed),
        "expired": told(each.expired),
        "withdrawn": told(each.withdrawn),
        "skipped": told(each.skipped),
    }


def _attendance(attendance: Attendance) -> _Attendance:
    if 0 < attendance.appointments < LEAST:
        return {"appointments": None, "missed": None, "hidden": "few"}
    return {"appointments": attendance.appointments, "missed": attendance.missed, "hidden": None}


def _feedback(found: Found) -> _Feedback | None:
    if found.messages is None:
        return None
    whole: Counter[int] = Counter()
    weeks: list[_Week] = []
    for first_day, scores in found.messages.weeks.items():
        if scores.total() < LEAST:
            weeks.append({"first_day": first_day, "answers": None, "scores": None})
            continue
        whole.update(scores)
        in_order = [scores[score] for score in SCORES]
        weeks.append({"first_day": first_day, "answers": scores.total(), "scores": in_order})
    return {"weeks": weeks, "answers": whole.total(), "scores": [whole[score] for score in SCORES]}
