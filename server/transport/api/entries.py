"""``GET /api/v1/...``: entries of today and before, their visits and histories, slips, and the search for patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypedDict, cast, get_args, get_type_hints

from pydantic import Field
from starlette.requests import Request

from server import phones
from server.domain import roles
from server.domain.errors import EntryUnknown, SiteNotFound, Unavailable, VisitUnknown
from server.domain.events import EVENTS, Event
from server.domain.model import Need, Personal, Priority, Site, State
from server.domain.model import Visit as Attendance
from server.domain.model.ids import site_of
from server.domain.ranking import ahead
from server.domain.views import names_of
from server.domain.views.site import Offsets, offsets_of
from server.identity.callers import Integration, Staff
from server.queries import entries, history, keyset, patients, sites
from server.queries.entries import EntryListed, Filters
from server.queries.history import History, Step
from server.transport.api.tickets import address_of_page
from server.transport.context import Context
from server.transport.http import paging, parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, Count, Instant, IsoDay, who


def _is_step(event: type[Event]) -> bool:
    """Return whether an event can be in an entry's history: see `server.domain.events.others`."""
    return bool({"entry_id", "entry_ids", "carried"} & set(get_type_hints(event)))


MOST_OF_NAME, MOST_OF_PHONE = 80, 40
_PartySize = Annotated[int, Field(ge=1, description="The number of people with this ticket.")]

Listed = Annotated[
    EntryListed,
    Component(
        "EntryListed",
        joined_at="When the entry joined this queue.",
        provider_id="The only clinician who may call the entry; null is any.",
        first_called_at="The first call. The quoted wait is compared with it.",
        called_at="The last call.",
        started_at="When the service last started.",
        ended_at="Null while the entry is open.",
        waited_seconds="The sum of its closed waits.",
        served_seconds="The sum of its closed services; null if it has none.",
        quoted_from="The wait that was quoted first: the earliest time of the call.",
        quoted_until="The wait that was quoted first: the latest time of the call.",
        calls="How often the entry was called, recalls included.",
    ),
]


class _Personal(TypedDict):
    name: str | None
    phone: Annotated[str | None, Field(description="E.164, with an extension as in `+4930901820;ext=3`.")]
    phone_shown: Annotated[str | None, Field(description="The number as people of the site write it.")]
    email: str | None
    date_of_birth: str | None
    notes: str | None


class Visit(TypedDict):
    """One attendance, with all its stages."""

    id: int
    site_id: int
    business_day: IsoDay
    label: str
    priority: Priority
    party_size: _PartySize
    language: str
    needs: tuple[Need, ...]
    opened_at: Instant
    personal: Annotated[
        _Personal | None,
        Field(description=f"The patient's personal data. Null except for the roles: {who('read-personal')}."),
    ]


class _EntryAndVisit(TypedDict):
    entry: Listed
    visit: Visit


class _VisitAndEntries(TypedDict):
    visit: Visit
    entries: list[Listed]


class _Interval(TypedDict):
    state: State
    started_at: Instant
    ended_at: Instant
    seconds: Annotated[Count, Field(description="How long the state lasted.")]
    point_id: int | None
    ended_by: Annotated[int, Field(ge=1, description="The `seq` of the step that ended it.")]


class _Stage(TypedDict):
    entry: Listed
    intervals: list[_Interval]


class _OfStep(TypedDict):
    seq: Annotated[int, Field(ge=1)]
    at: Instant
    type: Annotated[
        str,
        Field(json_schema_extra={"enum": [name for name, event in EVENTS.items() if _is_step(event)]}),
    ]
    entry_id: Annotated[int, Field(description="The entry of this visit that took the step.")]
    own: Annotated[bool, Field(description="False: the step was about other entries, and changed this one too.")]
    actor: Annotated[str, Field(description="The actor of the step: `staff:3`, `ticket:7000000011`, `clock`, ...")]
    username: Annotated[
        str | None,
        Field(description=f"The user name of the member of staff. Null except for the roles: {who('read-actors')}."),
    ]


class _OfEvent(TypedDict):
    """The fields of a step's event; null where the event has no such field."""

    queue_id: Annotated[int | None, Field(description="The queue that the entry joined.")]
    new_entry_id: Annotated[int | None, Field(description="The entry that began with this step.")]
    point_id: int | None
    provider_id: Annotated[int | None, Field(description="The only clinician who may call the entry, now or before.")]
    to_provider_id: Annotated[int | None, Field(description="The new clinician who may call the entry.")]
    priority: Priority | None
    reason: Annotated[
        str | None, Field(description="Of a call: why this entry. Of a cancellation or a move: the reason that staff gave.")
    ]
    step: Annotated[str | None, Field(description="The step that was undone.")]
    was: Annotated[
        Literal["called", "held", "serving", "waiting"] | None, Field(description="The state in which the entry expired.")
    ]
    business_day: Annotated[str | None, Field(description="The new business day to which the entry was carried over.")]


class _Step(_OfStep, _OfEvent):
    pass


class _History(TypedDict):
    visit_id: int
    entries: list[_Stage]
    steps: list[_Step]


class _Slip(TypedDict):
    entry_id: int
    label: str
    token: Annotated[str, Field(description="The key to the patient's page, `/t/{token}`.")]
    address: Annotated[str, Field(description="The address of the patient's page, as in the QR code.")]
    site: str
    time_zone: str
    offsets: Offsets
    queue: str
    queue_names: Annotated[dict[str, str], Field(description="The queue's name in languages of the site, by tag.")]
    language: Annotated[str, Field(description="The language of the patient, as a tag of BCP 47.")]
    site_language: Annotated[str, Field(description="The language for a patient whose own has no texts.")]
    party: _PartySize
    opened_at: Instant
    ahead: Annotated[Count | None, Field(description="The number of entries ahead; null if the entry does not wait.")]
    expect_from: Annotated[int | None, Field(description="The earliest time of the call; null if the entry does not wait.")]
    expect_until: Annotated[int | None, Field(description="The latest time of the call.")]


BUSINESS_DAY = parameters.Day("business_day", "Only entries of this business day.")
QUEUE = parameters.IdOfSite("queue_id", "Only entries in this queue of the site.")
STATE: parameters.Choice[State] = parameters.Choice("state", "Only entries in this state.", get_args(State))
LABEL = parameters.Label("label", "Only entries with this label, of `business_day` or else of the site's present day.")
NAME = parameters.Text(
    "name",
    "Words of the patient's name in any order, or the whole name. Case, accents and punctuation do not matter.",
    MOST_OF_NAME,
)
PHONE = parameters.Text(
    "phone",
    f"The patient's phone number, with or without the country code; at least {patients.LEAST_OF_PHONE} digits.",
    MOST_OF_PHONE,
)
DATE_OF_BIRTH = parameters.Day("date_of_birth", "The patient's date of birth, YYYY-MM-DD.")

ENDPOINTS = Endpoints(Tag.ENTRIES)


@ENDPOINTS.add(
    "GET",
    paths.ENTRIES,
    "list-entries",
    "The entries.",
    may="read-entries",
    parameters=(*paging.PARAMETERS, BUSINESS_DAY, QUEUE, STATE, LABEL),
    refused=(Unavailable, SiteNotFound),
)
async def get_entries(request: Request) -> paging.Paged[Listed]:
    """List the entries of a site, of today and before, newest first. Entries hold no personal data."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-entries", site_id)
    cursors = paging.Cursors(context.vault, f"entries:{site_id}", entries.KEY)
    size, after = paging.asked(request, cursors)
    filters = Filters(
        business_day=BUSINESS_DAY.read(request),
        queue_id=QUEUE.read(request, site_id),
        state=STATE.read(request),
        label=LABEL.read(request),
    )
    found = await entries.page(context.database, site_id, filters, size, after)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "GET",
    paths.ENTRY,
    "read-entry",
    "The entry and its visit.",
    may="read-entries",
    refused=(Unavailable, SiteNotFound, EntryUnknown),
)
async def get_entry(request: Request) -> _EntryAndVisit:
    """Return an entry and its visit. Roles with the right also get the patient's personal data."""
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    staff = await context.gate.staff_for(request, "read-entries", site_of(entry_id))
    visit_id = await entries.visit_of(context.database, entry_id)
    found = None if visit_id is None else await entries.visit(context.database, visit_id)
    if found is None:
        raise EntryUnknown(entry_id=entry_id)
    visit, stages = found
    site = await _site_of_personal(context, staff, visit.site_id)
    stage = next(each for each in stages if each.id == entry_id)
    return {"entry": stage, "visit": _visit(context, visit, site)}


@ENDPOINTS.add(
    "GET",
    paths.VISIT,
    "read-visit",
    "The visit and its entries.",
    may="read-entries",
    refused=(Unavailable, SiteNotFound, VisitUnknown),
)
async def get_visit(request: Request) -> _VisitAndEntries:
    """Return a visit with all its stages in order. Roles with the right also get the patient's personal data."""
    context = Context.of(request)
    visit_id = request.path_params["visit_id"]
    staff = await context.gate.staff_for(request, "read-entries", site_of(visit_id))
    found = await entries.visit(context.database, visit_id)
    if found is None:
        raise VisitUnknown(visit_id=visit_id)
    visit, stages = found
    site = await _site_of_personal(context, staff, visit.site_id)
    return {"visit": _visit(context, visit, site), "entries": list(stages)}


@ENDPOINTS.add(
    "GET",
    paths.HISTORY,
    "read-history",
    "The visit's history.",
    may="read-history",
    refused=(Unavailable, SiteNotFound, EntryUnknown),
)
async def get_history(request: Request) -> _History:
    """Return every step of an entry's whole visit, in order, and how long each state lasted, stage by stage.

    A state that an undone step had ended goes on as if the step had never happened.
    """
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    staff = await context.gate.staff_for(request, "read-history", site_of(entry_id))
    visit_id = await entries.visit_of(context.database, entry_id)
    if visit_id is None:
        raise EntryUnknown(entry_id=entry_id)
    found = await history.of_visit(context.database, visit_id, with_names=roles.may(staff.role, "read-actors"))
    return {
        "visit_id": visit_id,
        "entries": [_stage(stage, found) for stage in found.stages],
        "steps": [_step(step, found.usernames) for step in found.steps],
    }


@ENDPOINTS.add(
    "GET", paths.SLIP, "read-slip", "The slip.", may="read-slip", refused=(Unavailable, SiteNotFound, EntryUnknown)
)
async def get_slip(request: Request) -> _Slip:
    """Return the content of a slip of one of today's tickets, to print it again.

    The slip has the ticket's token, the key to the patient's page. Each read is noted in the audit.
    """
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    site_id = site_of(entry_id)
    await context.gate.staff_for(request, "read-slip", site_id)
    board = await context.hub.present_board(site_id)
    entry = board.entries.get(entry_id)
    visit = None if entry is None else board.visits[entry.visit_id]
    token = None if visit is None else context.vault.open_personal(visit).token
    if entry is None or visit is None or token is None:
        raise EntryUnknown(entry_id=entry_id)
    waiting = entry.state == "waiting"
    return {
        "entry_id": entry_id,
        "label": visit.label,
        "token": token,
        "address": address_of_page(request, token),
        "site": board.site.name,
        "time_zone": board.site.time_zone,
        "offsets": offsets_of(board.site),
        "queue": board.queues[entry.queue_id].name,
        "queue_names": names_of(board, board.queues[entry.queue_id]),
        "language": visit.language,
        "site_language": board.site.language,
        "party": visit.party_size,
        "opened_at": visit.opened_at // 1000,
        "ahead": ahead(board, entry) if waiting else None,
        "expect_from": entry.expect_from // 1000 if waiting and entry.expect_from is not None else None,
        "expect_until": entry.expect_until // 1000 if waiting and entry.expect_until is not None else None,
    }


@ENDPOINTS.add(
    "GET",
    paths.PATIENTS,
    "find-patients",
    "The visits.",
    may="find-patients",
    parameters=(*paging.PARAMETERS, NAME, PHONE, DATE_OF_BIRTH),
    refused=(Unavailable, SiteNotFound),
)
async def get_patients(request: Request) -> paging.Paged[Visit]:
    """Find visits by the name, phone number or date of birth of the patient, newest first.

    At least one of `name`, `phone` and `date_of_birth` is required, and a visit must match each given one. Each visit in the
    answer is noted in the audit.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    staff = await context.gate.staff_for(request, "find-patients", site_id)
    sought = Personal(name=NAME.read(request), phone=PHONE.read(request), date_of_birth=DATE_OF_BIRTH.read(request))
    patients.check_sought(sought)
    site = await sites.find(context.database, site_id)
    stored = replace(sought, phone=phones.as_stored(sought.phone, site)) if sought.phone else sought
    cursors = paging.Cursors(context.vault, f"patients:{site_id}", patients.KEY)
    size, after = paging.asked(request, cursors)
    found = await patients.page(context.database, context.vault, site_id, [sought, stored], size, after)
    for visit in found.rows:
        subject = f"visit:{visit.id}"
        context.audit.note(
            "find-patients", staff.actor, subject=subject, site_id=site_id, organisation_id=staff.organisation_id
        )
    shown = [_visit(context, visit, site) for visit in found.rows]
    return paging.answer(keyset.Page(shown, found.last, found.total, found.total_is_capped), size, cursors)


async def _site_of_personal(context: Context, staff: Staff | Integration, site_id: int) -> Site | None:
    """Return the site, which decides how its phone numbers look. None for a role that may not read personal data."""
    return await sites.find(context.database, site_id) if roles.may(staff.role, "read-personal") else None


def _visit(context: Context, visit: Attendance, site: Site | None) -> Visit:
    return {
        "id": visit.id,
        "site_id": visit.site_id,
        "business_day": visit.business_day,
        "label": visit.label,
        "priority": visit.priority,
        "party_size": visit.party_size,
        "language": visit.language,
        "needs": visit.needs,
        "opened_at": visit.opened_at // 1000,
        "personal": _personal(context, visit, site) if site is not None else None,
    }


def _personal(context: Context, visit: Attendance, site: Site) -> _Personal:
    """Return the patient's personal data, without the token: it is the key to the patient's own page."""
    told = context.vault.open_personal(visit)
    return {
        "name": told.name,
        "phone": told.phone,
        "phone_shown": None if told.phone is None else phones.shown(told.phone, site),
        "email": told.email,
        "date_of_birth": told.date_of_birth,
        "notes": told.notes,
    }


def _stage(stage: EntryListed, found: History) -> _Stage:
    return {
        "entry": stage,
        "intervals": [
            {
                "state": interval.state,
                "started_at": interval.started_at // 1000,
                "ended_at": interval.ended_at // 1000,
                "seconds": interval.length // 1_000_000,
                "point_id": interval.point_id,
                "ended_by": interval.ended_by,
            }
            for interval in found.intervals.get(stage.id, ())
        ],
    }


def _step(step: Step, usernames: Mapping[str, str]) -> _Step:
    recorded = step.recorded
    of_step: _OfStep = {
        "seq": recorded.seq,
        "at": recorded.at // 1000,
        "type": recorded.event.name_on_wire(),
        "entry_id": step.entry_id,
        "own": step.own,
        "actor": recorded.actor,
        "username": usernames.get(recorded.actor),
    }
    of_event = {name: getattr(recorded.event, name, None) for name in _OfEvent.__annotations__}
    return {**of_step, **cast(_OfEvent, of_event)}
