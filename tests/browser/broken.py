"""The server with one extra address that fails: ``python -m tests.browser.broken PORT``. It serves the real error page."""

from __future__ import annotations

import sys

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.app import build_app
from server.settings import keys_of, load_settings

PATH = "/broken"


async def fail(_: Request) -> Response:
    """Raise an unexpected error."""
    raise RuntimeError("the test requested this error")


if __name__ == "__main__":
    settings = load_settings()
    app = build_app(settings, keys_of(settings), before=[Route(PATH, fail)])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
