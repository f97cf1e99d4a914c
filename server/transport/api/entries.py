"""``GET /api/v1/...``: entries, today's and past ones, their visits and their histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain import roles
from server.domain.errors import EntryUnknown, VisitUnknown
from server.domain.model import Personal, State, Visit
from server.domain.model.ids import site_of
from server.domain.ranking import ahead
from server.identity.callers import Integration, Staff
from server.queries import entries, history, keyset, patients
from server.queries.entries import EntryListed, Filters
from server.queries.history import History, Step
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import paging, parameters, paths

MOST_OF_NAME, MOST_OF_PHONE = 80, 24
# What a step tells of its event, where the event has it.
TOLD = (
    *("queue_id", "new_entry_id", "point_id", "provider_id", "to_provider_id", "priority", "reason"),
    *("step", "was", "business_day"),
)


async def get_entries(request: Request) -> Response:
    """List the entries of a site, newest first. Nothing in it is personal."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-entries", site_id)
    cursors = paging.Cursors(context.vault, f"entries:{site_id}", entries.KEY)
    size, after = paging.asked(request, cursors)
    filters = Filters(
        business_day=parameters.day(request, "business_day"),
        queue_id=parameters.of_site(request, "queue_id", site_id),
        state=cast("State | None", parameters.choice(request, "state", get_args(State))),
        label=parameters.label(request, "label"),
    )
    found = await entries.page(context.database, site_id, filters, size, after)
    return as_json(paging.answer(found, size, cursors))


async def get_entry(request: Request) -> Response:
    """Return an entry and its visit, with what the patient told for those who may read it."""
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    staff = await context.gate.staff_for(request, "read-entries", site_of(entry_id))
    visit_id = await entries.visit_of(context.database, entry_id)
    found = None if visit_id is None else await entries.visit(context.database, visit_id)
    if found is None:
        raise EntryUnknown(entry_id=entry_id)
    visit, stages = found
    stage = next(each for each in stages if each.id == entry_id)
    return as_json({"entry": stage, "visit": _visit(context, staff, visit)})


async def get_visit(request: Request) -> Response:
    """Return a visit with all its stages, with what the patient told for those who may read it."""
    context = Context.of(request)
    visit_id = request.path_params["visit_id"]
    staff = await context.gate.staff_for(request, "read-entries", site_of(visit_id))
    found = await entries.visit(context.database, visit_id)
    if found is None:
        raise VisitUnknown(visit_id=visit_id)
    visit, stages = found
    return as_json({"visit": _visit(context, staff, visit), "entries": stages})


async def get_history(request: Request) -> Response:
    """Return every step of an entry's whole visit, in order, and how long each state lasted."""
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    staff = await context.gate.staff_for(request, "read-history", site_of(entry_id))
    visit_id = await entries.visit_of(context.database, entry_id)
    if visit_id is None:
        raise EntryUnknown(entry_id=entry_id)
    found = await history.of_visit(context.database, visit_id, with_names=roles.may(staff.role, "read-actors"))
    return as_json(
        {
            "visit_id": visit_id,
            "entries": [_told(stage, found) for stage in found.stages],
            "steps": [_step(step, found.usernames) for step in found.steps],
        }
    )


async def get_slip(request: Request) -> Response:
    """Return what a ticket's slip says, to be printed again. Its token is the key to the patient's page, so it is for those
    who gave the ticket out, for as long as the day lasts, and noted in the audit."""
    context = Context.of(request)
    entry_id = request.path_params["entry_id"]
    site_id = site_of(entry_id)
    await context.gate.staff_for(request, "read-slip", site_id)
    board = await context.boards.board(site_id)
    entry = board.entries.get(entry_id)
    visit = None if entry is None else board.visits[entry.visit_id]
    token = None if visit is None else context.vault.open_personal(visit).token
    if entry is None or visit is None or token is None:
        raise EntryUnknown(entry_id=entry_id)
    waiting = entry.state == "waiting"
    return as_json(
        {
            "entry_id": entry_id,
            "label": visit.label,
            "token": token,
            "site": board.site.name,
            "time_zone": board.site.time_zone,
            "queue": board.queues[entry.queue_id].name,
            "language": visit.language,
            "party": visit.party_size,
            "opened_at": visit.opened_at // 1000,
            "ahead": ahead(board, entry) if waiting else None,
            "expect_from": entry.expect_from // 1000 if waiting and entry.expect_from is not None else None,
            "expect_until": entry.expect_until // 1000 if waiting and entry.expect_until is not None else None,
        }
    )


async def get_patients(request: Request) -> Response:
    """Find visits by what the patient told: a name, a phone number, a date of birth, or several. Newest first."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    staff = await context.gate.staff_for(request, "find-patients", site_id)
    told = _told_of_patient(request)
    cursors = paging.Cursors(context.vault, f"patients:{site_id}", patients.KEY)
    size, after = paging.asked(request, cursors)
    found = await patients.page(context.database, context.vault, site_id, told, size, after)
    for visit in found.rows:  # who saw whom
        subject = f"visit:{visit.id}"
        context.audit.note(
            "find-patients", staff.actor, subject=subject, site_id=site_id, organisation_id=staff.organisation_id
        )
    shown = [_visit(context, staff, visit) for visit in found.rows]
    page = keyset.Page(shown, found.last, found.total, found.total_is_capped)
    return as_json(paging.answer(page, size, cursors))


def _told_of_patient(request: Request) -> Personal:
    told = Personal(
        name=parameters.text(request, "name", MOST_OF_NAME),
        phone=parameters.text(request, "phone", MOST_OF_PHONE),
        date_of_birth=parameters.day(request, "date_of_birth"),
    )
    patients.check_sought(told)
    return told


def _visit(context: Context, staff: Staff | Integration, visit: Visit) -> dict[str, Any]:
    personal = None
    if roles.may(staff.role, "read-personal"):
        personal = asdict(context.vault.open_personal(visit))
        del personal["token"]  # the key to the patient's page is nobody else's
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
        "personal": personal,
    }


def _told(stage: EntryListed, found: History) -> dict[str, Any]:
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


def _step(step: Step, usernames: Mapping[str, str]) -> dict[str, Any]:
    recorded = step.recorded
    told = {
        "seq": recorded.seq,
        "at": recorded.at // 1000,
        "type": recorded.event.name_on_wire(),
        "entry_id": step.entry_id,
        "own": step.own,
        "actor": recorded.actor,
        "username": usernames.get(recorded.actor),
    }
    return told | {name: getattr(recorded.event, name, None) for name in TOLD}


ROUTES = [
    Route(paths.ENTRIES, get_entries),
    Route(paths.ENTRY, get_entry),
    Route(paths.HISTORY, get_history),
    Route(paths.SLIP, get_slip),
    Route(paths.VISIT, get_visit),
    Route(paths.PATIENTS, get_patients),
]
