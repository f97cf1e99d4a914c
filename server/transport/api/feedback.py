"""``/api/v1/tickets/{token}/feedback``: a patient's answer after the visit; and the answers of a site by week."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import FeedbackGiven, FeedbackNotWanted, SiteNotFound, TicketNotFound, Unavailable
from server.queries import feedback
from server.queries.feedback import LEAST
from server.transport.context import Context
from server.transport.http import bodies, parameters, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag
from server.transport.http.fields import Component, IsoDay

MOST_DAYS = 400


class GivenFeedback(Body):
    """The answer of a patient."""

    score: Annotated[int, Field(ge=1, le=5, description="How the visit was: 1 is very bad, 5 very good.")]
    text: Annotated[PlainText | None, Field(max_length=500, description="Null without a text.")] = None


class _Asked(TypedDict):
    wanted: Annotated[bool, Field(description="The clinic asks about this visit, and has no answer yet.")]


Week = Annotated[
    feedback.Week,
    Component(
        "FeedbackWeek",
        first_day="The Monday of the week.",
        answers=f"Null for fewer than {LEAST} answers.",
        scores="The numbers of answers from 1 to 5.",
        texts="In the order of the alphabet.",
    ),
]
_Weeks = TypedDict("_Weeks", {"from": IsoDay, "to": IsoDay, "weeks": list[Week]})

PERIOD = parameters.Days(
    parameters.Day("from", "The first business day."),
    parameters.Day("to", f"The last business day. The period has at most {MOST_DAYS} days."),
    MOST_DAYS,
)
ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.TICKET_FEEDBACK,
    "read-own-feedback",
    "Whether an answer is wanted.",
    security=PUBLIC,
    refused=(TicketNotFound, Unavailable),
)
async def get_asked(request: Request) -> _Asked:
    """Return whether the clinic asks the patient of a ticket how the visit was. The token is the only key."""
    context = Context.of(request)
    ticket = await context.gate.ticket(request.path_params["token"])
    return {"wanted": await context.feedback.is_wanted(ticket.id)}


@ENDPOINTS.add(
    "PUT",
    paths.TICKET_FEEDBACK,
    "give-feedback",
    Answer("Taken.", status=204, headers=NO_STORE),
    security=PUBLIC,
    body=GivenFeedback,
    refused=(TicketNotFound, FeedbackNotWanted, FeedbackGiven, Unavailable),
)
async def put_feedback(request: Request) -> Response:
    """Take a patient's answer after the visit. Each visit has one answer, which is stored without the visit's name."""
    context = Context.of(request)
    ticket = await context.gate.ticket(request.path_params["token"])
    given = await bodies.read(request, GivenFeedback)
    await context.feedback.give(ticket.id, given.score, given.text)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


@ENDPOINTS.add(
    "GET",
    paths.FEEDBACK,
    "read-feedback",
    "The answers.",
    may="read-statistics",
    parameters=(PERIOD,),
    refused=(Unavailable, SiteNotFound),
)
async def get_feedback(request: Request) -> _Weeks:
    """Return the answers of patients by week, without names. A week with fewer than five answers shows none of them.

    Only whole weeks of the period that are over are included.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    first, last = PERIOD.read_local(request)
    found = await feedback.weeks(context.database, context.vault, site_id, first, last)
    return {"from": first, "to": last, "weeks": found}
