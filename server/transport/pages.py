"""The pages and their files. A page is one row here, one file in ``web/pages`` and one entry module of the same name."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from server.transport.context import Context
from server.transport.http import paths
from server.transport.http.errors import page

PAGES = {
    "/": "index",
    "/sign-in": "sign-in",
    "/reception": "reception",
    "/room": "room",
    "/docs": "docs",
    "/display": "display",  # of a screen that does not know yet which one it is
    paths.DISPLAY_PAGE: "display",
    paths.PATIENT_PAGE: "patient",
}


def _page(path: str, name: str) -> Route:
    async def endpoint(request: Request) -> Response:
        return page(request, name)

    return Route(path, endpoint, methods=["GET"], name=name)


async def service_worker(request: Request) -> Response:
    """Return the script by which the live screens come up without the network."""
    return Context.of(request).assets.worker(request)


def routes(context: Context) -> list[BaseRoute]:
    """Return the pages' routes, and that of the files they load."""
    return [
        *(_page(path, name) for path, name in PAGES.items()),
        Route(paths.SERVICE_WORKER, service_worker, methods=["GET"]),
        Mount("/static", context.assets),
    ]
