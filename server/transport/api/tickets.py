"""A ticket's QR code, for slips and desks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import TicketNotFound
from server.transport import qr_codes
from server.transport.context import Context
from server.transport.http import paths
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag

ENDPOINTS = Endpoints(Tag.LIVE)


def address_of_page(request: Request, token: str) -> str:
    """Return the address of a ticket's page for a phone: below the installation's public address or, without one, below the
    address of this request."""
    return f"{base_address(request)}/t/{token}"


def base_address(request: Request) -> str:
    """Return the address of this installation for patients, without a slash at the end."""
    return (Context.of(request).public_url or str(request.base_url)).rstrip("/")


@ENDPOINTS.add(
    "GET",
    paths.QR,
    "draw-ticket-code",
    Answer("The code.", headers=NO_STORE, schema={"type": "string", "pattern": "^<svg "}, media_type="image/svg+xml"),
    security=PUBLIC,
    refused=(TicketNotFound,),
)
async def qr(request: Request) -> Response:
    """Return a ticket's QR code: the address of the patient's page, in black on white.

    The ticket's token, which is in the address, is the only key.
    """
    token = request.path_params["token"]
    await Context.of(request).gate.ticket(token)
    drawn = qr_codes.image(address_of_page(request, token))
    return Response(drawn, headers={"Cache-Control": "no-store"}, media_type="image/svg+xml")
