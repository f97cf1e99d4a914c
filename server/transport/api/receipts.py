"""``/api/v1/receipts/{secret}``: where SMS providers report what became of a message, and forward patients' replies.

The secret in the address is the only credential: SMSAPI signs nothing, and Infobip does not sign the reports to an address
that came with a message.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import ChannelNotFound, Unavailable
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag


class InfobipReport(BaseModel):
    """A report of Infobip. Other fields, of the report and of each result, mean nothing here."""

    results: Annotated[list[dict[str, Any]], Field(max_length=1000)]


ENDPOINTS = Endpoints(Tag.OPERATION)
_TAKEN = Answer("Taken.", headers=NO_STORE, schema={"const": "OK"}, media_type="text/plain")


@ENDPOINTS.add(
    "GET",
    paths.RECEIPTS,
    "report-by-smsapi",
    _TAKEN,
    security=PUBLIC,
    refused=(ChannelNotFound, Unavailable),
    any_query=True,
)
async def get_receipts(request: Request) -> Response:
    """Take the receipts of SMSAPI, in its parameters `idx` and `status`. Messages that are not known are passed over.

    A reply has `sms_from` and `sms_text`: `STOP` ends the messages to its number, and `START` undoes this.
    """
    await Context.of(request).channels.receive(request.path_params["secret"], "smsapi", dict(request.query_params))
    return _taken()


@ENDPOINTS.add(
    "POST",
    paths.RECEIPTS,
    "report-by-infobip",
    _TAKEN,
    security=PUBLIC,
    body=InfobipReport,
    refused=(ChannelNotFound, Unavailable),
    any_query=True,
)
async def post_receipts(request: Request) -> Response:
    """Take the receipts and replies of Infobip, and replies of SMSAPI, which come as a form.

    Messages that are not known are passed over.
    """
    if bodies.is_form(request):
        await Context.of(request).channels.receive(request.path_params["secret"], "smsapi", await bodies.read_form(request))
        return _taken()
    report = await bodies.read(request, InfobipReport)
    await Context.of(request).channels.receive(request.path_params["secret"], "infobip", report.model_dump())
    return _taken()


def _taken() -> Response:
    return Response("OK", headers={"Cache-Control": "no-store"}, media_type="text/plain")
