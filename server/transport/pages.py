"""The pages and their files. A page is one row here, one file in ``web/pages`` and one entry module of the same name."""

from __future__ import annotations

import re

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from server.domain.errors import Unavailable
from server.transport.context import Context
from server.transport.http import paths
from server.transport.http.errors import page

PAGES = {
    "/": "index",
    paths.WELCOME_PAGE: "welcome",
    "/sign-in": "sign-in",
    "/account": "account",
    paths.INVITATION_PAGE: "account-link",
    paths.RESET_PAGE: "account-link",
    "/reception": "reception",
    "/room": "room",
    "/calendar": "calendar",
    "/admin": "admin",
    "/insights": "insights",
    paths.ADMIN_SECTION: "admin",  # the page itself opens the section
    "/replay": "replay",
    "/docs": "docs",
    "/display": "display",  # of a screen that is not paired yet
    paths.DISPLAY_PAGE: "display",
    "/kiosk": "kiosk",  # of a kiosk that is not paired yet
    paths.KIOSK_PAGE: "kiosk",
    paths.PATIENT_PAGE: "patient",
    paths.JOIN_PAGE: "join",
    paths.BOOK_PAGE: "book",
    paths.APPOINTMENT_PAGE: "appointment",
}
_TOKENS = {"t": re.compile(r"[0-9]+-[A-Za-z0-9_-]{22}"), "a": re.compile(r"a[0-9]+-[A-Za-z0-9_-]{22}")}


def _page(path: str, name: str) -> Route:
    async def endpoint(request: Request) -> Response:
        if path != paths.WELCOME_PAGE and await _is_new(request):
            return RedirectResponse(paths.WELCOME_PAGE, 303, {"Cache-Control": "no-store"})
        return page(request, name)

    return Route(path, endpoint, methods=["GET"], name=name)


async def _is_new(request: Request) -> bool:
    """Return whether the installation has no administrator yet, so that each page leads to the first run."""
    try:
        return await Context.of(request).identity.first_run.is_open()
    except Unavailable:
        return False  # the page itself says that the server is not available


async def service_worker(request: Request) -> Response:
    """Return the script that lets the live screens start without the network."""
    return Context.of(request).assets.worker(request)


async def patient_app(request: Request) -> Response:
    """Return the manifest with which a phone keeps the page of a ticket or an appointment as an app.

    The app opens this page; the app of the next ticket replaces it. The answer needs no query, so it does not reveal
    whether the ticket exists.
    """
    token = request.path_params["token"]
    folder = request.url.path.split("/")[1]
    if _TOKENS[folder].fullmatch(token) is None:
        raise HTTPException(404)
    version = Context.of(request).assets.version
    manifest = {
        "id": f"/{folder}/",
        "name": "Now Serving",
        "short_name": "Now Serving",
        "start_url": f"/{folder}/{token}",
        "scope": f"/{folder}/",
        "display": "standalone",
        "background_color": "#faf9f7",
        "theme_color": "#1b4bb0",
        "icons": [{"src": f"/static/{version}/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }
    # The address is the key to the ticket: no cache may keep the answer.
    return Response(orjson.dumps(manifest), headers={"Cache-Control": "no-store"}, media_type="application/manifest+json")


def routes(context: Context) -> list[BaseRoute]:
    """Return the routes of the pages and of the files that they load."""
    return [
        *(_page(path, name) for path, name in PAGES.items()),
        Route(paths.TICKET_APP, patient_app, methods=["GET"]),
        Route(paths.APPOINTMENT_APP, patient_app, methods=["GET"]),
        Route(paths.SERVICE_WORKER, service_worker, methods=["GET"]),
        Mount("/static", context.assets),
    ]
