"""What belongs to one ticket beside its stream: its QR code, for slips and desks, and the page as an app.

Whoever has the ticket's token may: it is in the address, and it is the only key.
"""

from __future__ import annotations

import io
import re

import orjson
import segno
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.transport.context import Context
from server.transport.http import paths

_TOKEN = re.compile(r"[0-9]+-[A-Za-z0-9_-]{22}")
_UNKEPT = {"Cache-Control": "no-store"}  # the address is the key: no cache on the way keeps it


def address_of_page(request: Request, token: str) -> str:
    """Return the address of a ticket's page as a phone reaches it: at the installation's public address, or, where none is
    set, at the one that this was asked at."""
    base = Context.of(request).public_url or str(request.base_url)
    return f"{base.rstrip('/')}/t/{token}"


async def qr(request: Request) -> Response:
    """Return a ticket's QR code: the address of its patient's page. Black on white, whatever is around it."""
    token = request.path_params["token"]
    await Context.of(request).gate.ticket(token)
    drawn = io.BytesIO()
    code = segno.make(address_of_page(request, token), error="m", micro=False)
    code.save(drawn, kind="svg", border=4, light="#fff", xmldecl=False, nl=False, omitsize=True)
    return Response(drawn.getvalue(), headers=_UNKEPT, media_type="image/svg+xml")


async def app(request: Request) -> Response:
    """Return the manifest with which a phone keeps a ticket's page as an app. The app opens this very ticket; the next
    ticket's takes its place. Nothing is looked up for it, so nothing is told by it."""
    token = request.path_params["token"]
    if _TOKEN.fullmatch(token) is None:
        raise HTTPException(404)
    version = Context.of(request).assets.version
    manifest = {
        "id": "/t/",
        "name": "Now Serving",
        "short_name": "Now Serving",
        "start_url": f"/t/{token}",
        "scope": "/t/",
        "display": "standalone",
        "background_color": "#faf9f7",
        "theme_color": "#1b4bb0",
        "icons": [{"src": f"/static/{version}/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }
    return Response(orjson.dumps(manifest), headers=_UNKEPT, media_type="application/manifest+json")


ROUTES = [Route(paths.QR, qr, methods=["GET"]), Route(paths.TICKET_APP, app, methods=["GET"])]
