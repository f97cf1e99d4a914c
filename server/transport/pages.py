"""The pages and their files. A page is one row here, one file in ``web/pages`` and one entry module of the same name."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.transport import paths
from server.transport.errors import page
from server.transport.parts import Parts

PAGES = {
    "/": "index",
    "/sign-in": "sign-in",
    "/reception": "reception",
    "/docs": "docs",
    paths.DISPLAY_PAGE: "display",
    paths.PATIENT_PAGE: "patient",
}


def _page(path: str, name: str) -> Route:
    async def endpoint(request: Request) -> Response:
        return page(request, name)

    return Route(path, endpoint, methods=["GET"], name=name)


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the pages' routes, and that of the files they load."""
    return [*(_page(path, name) for path, name in PAGES.items()), Mount("/static", StaticFiles(directory=parts.web))]
