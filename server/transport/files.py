"""The files that pages load. What is text goes out compressed, once for all: there need not be a proxy that does it."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, PathLike, StaticFiles
from starlette.types import Scope

TEXTS = (".css", ".js", ".json", ".svg", ".webmanifest")
LEAST_BYTES = 512  # below that it is hardly less
FRESH = "max-age=60"  # then a browser asks anew, by the tag: an update reaches every page within a minute
_REFUSES = re.compile(r"q=0(\.0*)?$")


class Files(StaticFiles):
    """A folder of files, each text in it kept compressed in memory for as long as it stays the same."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._compressed: dict[str, tuple[int, bytes]] = {}

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        asked = Headers(scope=scope)
        path = os.fspath(full_path)
        response: Response = FileResponse(path, status_code, stat_result=stat_result)
        response.headers["Cache-Control"] = FRESH
        if path.endswith(TEXTS) and stat_result.st_size >= LEAST_BYTES:
            response.headers.add_vary_header("Accept-Encoding")
            if takes_gzip(asked.get("accept-encoding", "")):
                response.headers["Content-Encoding"] = "gzip"
                response.headers["ETag"] = response.headers["etag"].removesuffix('"') + '-gzip"'
        if self.is_not_modified(response.headers, asked):
            return NotModifiedResponse(response.headers)
        if "content-encoding" in response.headers:
            body = self._body(path, stat_result.st_mtime_ns)
            del response.headers["content-length"]
            return Response(body, status_code, dict(response.headers))
        return response

    def _body(self, path: str, changed_at: int) -> bytes:
        """Return a file, compressed. They are few, and small."""
        known = self._compressed.get(path)
        if known is None or known[0] != changed_at:
            known = self._compressed[path] = (changed_at, gzip.compress(Path(path).read_bytes(), mtime=0))
        return known[1]


def takes_gzip(accepted: str) -> bool:
    """Return whether an ``Accept-Encoding`` has gzip in it."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return _REFUSES.fullmatch(weight.replace(" ", "")) is None
    return False
