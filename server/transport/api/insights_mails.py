"""``/api/v1/sites/{id}/insights/mails`` and ``/readers``: the monthly report by mail."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import (
    InvalidField,
    ReportReaderNotFound,
    SiteNotFound,
    TooManyReportMails,
    TooManyReportReaders,
    Unavailable,
)
from server.domain.model import Site
from server.identity.callers import Staff
from server.notifying.report_mails import MOST_READERS, SHOWN, STATES, ChannelState, MailShown, ReaderShown
from server.queries import sites
from server.transport.api.insights_report import FIRST
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, Answer, Endpoints, Tag, as_json
from server.transport.http.fields import Component

Language = Literal["en", "ar", "es", "fr"]
# Characters of ASCII without spaces: few mail servers accept others in an address.
Address = Annotated[str, Field(pattern="^[!-?A-~]{1,64}@[!-?A-~]{1,180}$")]


class AskedReport(Body):
    """The report of a month, for one address."""

    address: Address
    month: Annotated[str, Field(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]
    language: Language
    request: Annotated[
        str,
        Field(pattern="^[A-Za-z0-9-]{1,40}$", description="Your own name of it. Repeated, it sends no second mail."),
    ]


class MonthlyReport(Body):
    """An address that gets the report of each month."""

    address: Address
    language: Language
    hour: Annotated[int, Field(ge=0, le=23, description="The hour of the site's wall clock, on the first day of a month.")]


Mail = Annotated[
    MailShown,
    Component(
        "ReportMail",
        address="Null once retention has cleared it.",
        monthly="Whether a subscription sent it.",
        state=Field(description="`unknown`: the answer of the mail server was lost.", json_schema_extra={"enum": [*STATES]}),
        reason="Why it waits, failed or was withdrawn.",
        changed_at="In milliseconds since 1970.",
    ),
]
Reader = Annotated[
    ReaderShown,
    Component("ReportReader", address="Null if no configured key opens it.", since="In milliseconds since 1970."),
]


class _Listed(TypedDict):
    channel: Annotated[ChannelState, Field(description="Whether the organisation can send mails with a file.")]
    most_readers: int
    readers: Annotated[list[Reader], Field(max_length=MOST_READERS)]
    mails: Annotated[list[Mail], Field(max_length=SHOWN, description="The last ones, the latest first.")]


ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.INSIGHTS_MAILS,
    "list-report-mails",
    "The subscriptions, and the last mails.",
    may="mail-reports",
    refused=(Unavailable, SiteNotFound),
)
async def get_mails(request: Request) -> _Listed:
    """List the addresses that get the monthly report of a site, and the outcomes of the last mails."""
    context = Context.of(request)
    member, site = await _member(request, "list-report-mails")
    readers, mails = await context.report_mails.listed(site.id)
    channel = await context.report_mails.channel_state(member.organisation_id)
    return {"channel": channel, "most_readers": MOST_READERS, "readers": readers, "mails": mails}


@ENDPOINTS.add(
    "POST",
    paths.INSIGHTS_MAILS,
    "mail-report",
    Answer("The mail is planned.", Mail, status=202, headers=NO_STORE),
    may="mail-reports",
    body=AskedReport,
    example={"address": "manager@example.org", "month": "2026-11", "language": "en", "request": "a1"},
    refused=(Unavailable, SiteNotFound, InvalidField, TooManyReportMails),
)
async def ask_for_mail(request: Request) -> Response:
    """Mail the report of a month to an address, as a PDF. Groups of fewer than five are hidden, as on the page."""
    member, site = await _member(request, "mail-report")
    body = await bodies.read(request, AskedReport)
    month = date.fromisoformat(f"{body.month}-01") if body.month >= "0001" else date.min
    if not FIRST <= month <= date.fromisoformat(site.business_day):
        raise InvalidField(field="month", problem="a month from 2000 to the present one")
    mails = Context.of(request).report_mails
    made = await mails.ask(site, body.month, body.address, body.language, body.request, actor=member.actor)
    return as_json(made, 202)


@ENDPOINTS.add(
    "POST",
    paths.INSIGHTS_READERS,
    "subscribe-report",
    Answer("The subscription.", Reader, status=201, headers=NO_STORE),
    may="mail-reports",
    body=MonthlyReport,
    example={"address": "manager@example.org", "language": "en", "hour": 8},
    refused=(Unavailable, SiteNotFound, TooManyReportReaders),
)
async def subscribe(request: Request) -> Response:
    """Mail the report of each month to an address, on the first day of the next month. Again, it changes the choices."""
    member, site = await _member(request, "subscribe-report")
    body = await bodies.read(request, MonthlyReport)
    mails = Context.of(request).report_mails
    return as_json(await mails.subscribe(site, body.address, body.language, body.hour, actor=member.actor), 201)


@ENDPOINTS.add(
    "DELETE",
    paths.INSIGHTS_READER,
    "end-report",
    Answer("Ended.", status=204),
    may="mail-reports",
    refused=(Unavailable, SiteNotFound, ReportReaderNotFound),
)
async def end_subscription(request: Request) -> Response:
    """End the monthly report for an address. A mail of it that has not gone out is withdrawn."""
    member, site = await _member(request, "end-report")
    await Context.of(request).report_mails.end(site, request.path_params["reader"], actor=member.actor)
    return Response(status_code=204)


async def _member(request: Request, doing: str) -> tuple[Staff, Site]:
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    member = await context.gate.member_for(request, "mail-reports", site_id, doing=doing)
    return member, await sites.find(context.database, site_id)
