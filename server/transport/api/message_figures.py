"""``GET /api/v1/sites/{id}/messages/statistics``: what became of the messages, and of the appointments."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.domain.errors import SiteNotFound, Unavailable
from server.domain.model import local_time
from server.queries import message_figures, sites
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, IsoDay

MOST_DAYS = 100
_MIDNIGHT, _NEXT_MIDNIGHT = 0, 1440  # minutes

MessageFigures = Annotated[
    message_figures.MessageFigures,
    Component(
        "MessageFigures",
        open="Planned messages, and those on their way.",
        sent="Messages that a provider accepted.",
        delivered="Of the sent messages, those with a receipt that they arrived.",
        undelivered="Of the sent messages, those with a receipt that they did not arrive.",
        unknown="The answer of the provider was lost.",
        failed="Certainly not sent.",
        suppressed="Not sent: no address.",
        expired="Not sent: too late.",
        withdrawn="Not sent: the appointment or visit moved on.",
        skipped="Not sent: the time had passed when the message was planned.",
    ),
]
Attendance = Annotated[
    message_figures.Attendance, Component("Attendance", missed="Of these appointments, the number of missed ones.")
]

_Report = TypedDict(
    "_Report",
    {
        "from": IsoDay,
        "to": IsoDay,
        "messages": Annotated[list[MessageFigures], Field(description="The outcomes by kind and way.")],
        "reminded": Attendance,
        "not_reminded": Attendance,
    },
)

PERIOD = parameters.Days(
    parameters.Day("from", "The first local date."),
    parameters.Day("to", f"The last local date. The period has at most {MOST_DAYS} days."),
    MOST_DAYS,
)

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.MESSAGE_STATISTICS,
    "read-message-statistics",
    "The figures.",
    may="read-statistics",
    parameters=(PERIOD,),
    refused=(Unavailable, SiteNotFound),
)
async def get_message_statistics(request: Request) -> _Report:
    """Return the outcomes of the messages that were due on some days, and of the appointments that began on them.

    Appointments are split by whether the patient was sent a reminder.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    first, last = PERIOD.read_local(request)
    zone = (await sites.find(context.database, site_id)).time_zone
    since = local_time.first_instant(first, zone, _MIDNIGHT)
    until = local_time.first_instant(last, zone, _NEXT_MIDNIGHT)
    found = await message_figures.between(context.database, site_id, since, until)
    return {
        "from": first,
        "to": last,
        "messages": found.messages,
        "reminded": found.reminded,
        "not_reminded": found.not_reminded,
    }
