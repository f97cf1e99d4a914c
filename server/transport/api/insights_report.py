"""``GET /api/v1/sites/{id}/insights/report.pdf``: the monthly report for managers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

import orjson
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import SiteNotFound, Unavailable
from server.domain.model import languages
from server.notifying.report_mails import Composed
from server.queries import insights
from server.queries.insights import Found
from server.transport.api.insights import available_at, shown
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.files import as_file, file_answer
from server.transport.report import Report, pdf_of
from server.transport.report.words import LANGUAGES, words_of

FIRST = date(2000, 1, 1)
_MONTH = r"[0-9]{4}-(0[1-9]|1[0-2])"


@dataclass(frozen=True, slots=True)
class Month(parameters.Parameter):
    """A month of the calendar."""

    def schema(self) -> parameters.Json:
        """Return the JSON Schema of the value."""
        return {"type": "string", "pattern": f"^{_MONTH}$"}

    def read(self, request: Request, today: str) -> tuple[str, str]:
        """Return the first and the last day of the month, up to ``today``. By default, it is the month before.

        Raises `InvalidField`.
        """
        text = self.given(request)
        if text is not None and not re.fullmatch(_MONTH, text):
            raise self.wrong("a month as YYYY-MM")
        present = date.fromisoformat(today)
        first = (
            (present.replace(day=1) - timedelta(days=1)).replace(day=1) if text is None else date.fromisoformat(f"{text}-01")
        )
        if not FIRST <= first <= present:
            raise self.wrong("a month from 2000 to the present one")
        return span_of(first, present)


def span_of(first: date, present: date) -> tuple[str, str]:
    """Return the first and the last day of the month that begins with a day, up to the present day."""
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return first.isoformat(), min(last, present).isoformat()


MONTH = Month("month", "The month; by default the one before the present one. The present month ends today.")
LANGUAGE: parameters.Choice[str] = parameters.Choice(
    "language", "The language of the report; by default that of the site, or English.", LANGUAGES
)

ENDPOINTS = Endpoints(Tag.FIGURES)


@ENDPOINTS.add(
    "GET",
    paths.INSIGHTS_REPORT,
    "print-insights",
    file_answer("The report.", "application/pdf", "inline"),
    may="read-statistics",
    parameters=(MONTH, LANGUAGE),
    refused=(Unavailable, SiteNotFound),
)
async def get_report(request: Request) -> Response:
    """Return the figures of a month as a PDF for printing, with the definition of each figure at its end."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "read-statistics", site_id)
    language = LANGUAGE.read(request)
    site = (await context.hub.present_board(site_id)).site
    first, last = MONTH.read(request, site.business_day)
    found = await insights.between(context.database, site_id, first, last)
    made, name = await _pdf(context, found, language or languages.lookup([site.language], LANGUAGES) or "en")
    return as_file(made, name, "application/pdf", "inline")


async def _pdf(context: Context, found: Found, language: str) -> tuple[bytes, str]:
    """Return the report of a month as a PDF, and the name of its file."""
    access = await available_at(context, found.site.id)
    # Its plain form: typst gets the report as JSON.
    answer, free = orjson.loads(orjson.dumps(shown(found))), orjson.loads(orjson.dumps(access))
    made = await context.posters.set(pdf_of, Report(answer, free, language))
    return made, f"insights-{found.site.id}-{found.first[:7]}-{language}.pdf"


async def mailed_report(context: Context, site_id: int, month: str, language: str) -> Composed | None:
    """Return the report of a month for a mail; None while days of it are still being counted."""
    site = (await context.hub.present_board(site_id)).site
    first, last = span_of(date.fromisoformat(f"{month}-01"), date.fromisoformat(site.business_day))
    found = await insights.between(context.database, site_id, first, last)
    if found.missing is not None:
        return None
    made, name = await _pdf(context, found, language)
    return Composed(made, name, words_of(language).month(first))
