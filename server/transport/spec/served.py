"""A document as it is served: compressed, and made once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.transport.http.assets import File
from server.transport.spec.schema import Json


class Served:
    """A document that is made at the first request and then kept, however many requests come at once."""

    def __init__(self, made: Callable[[], Json]) -> None:
        self._made = made
        self._one_at_a_time = Lock()
        self._file: File | None = None

    async def answer(self, request: Request) -> Response:
        """Return the document, compressed for a client that takes gzip: it is long and repeats itself."""
        file = self._file
        if file is None:
            file = await run_in_threadpool(self._once)  # making it takes a while: other requests go on
        return file.answer(request, 200, "no-cache")

    def _once(self) -> File:
        with self._one_at_a_time:
            if self._file is None:
                self._file = File.of(orjson.dumps(self._made()), "application/json")
            return self._file
