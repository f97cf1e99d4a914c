"""The pages and the files that they load, kept in memory, compressed, at an address that changes with their content.

A page names its files as ``/static/...``. The server replaces this with ``/static/{version}/...``, where the version depends
on the content of the whole folder. Files import one another by relative addresses and stay within their version: a browser
may keep them for a year, and never mixes two versions in one page. ``X-Web-Version`` has the version of a page, so that an
unattended screen can notice a new one.

Modules are sent without the comments that have lines of their own, a quarter of their size. The empty lines stay: the line
numbers in a browser are those of the file.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

VERSION_HEADER = "X-Web-Version"
CHECKED_SECONDS = 1.0
_VERSION = re.compile(r"([0-9a-f]{12})/(.+)")
_KINDS = {".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".js": "text/javascript"}
_TEXT = ("text/", "application/json", "application/manifest+json", "image/svg+xml")
_COMMENTS = re.compile(rb"^[ \t]*(?:/\*\*(?:[^*]|\*(?!/))*\*/|//.*)[ \t]*$", re.MULTILINE)
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent: plain, and compressed if that is shorter."""

    body: bytes
    compressed: bytes | None
    media_type: str
    etag: str

    @staticmethod
    def of(body: bytes, media_type: str) -> File:
        """Return a file of this content."""
        compressed = gzip.compress(body, 9, mtime=0) if media_type.startswith(_TEXT) else body
        tag = f'"{sha256(body).hexdigest()[:16]}"'
        return File(body, compressed if len(compressed) < len(body) else None, media_type, tag)

    def answer(self, request: Request, status: int, cache_control: str) -> Response:
        """Return this file as a response, or 304 if the browser has it."""
        headers = {"Cache-Control": cache_control, "ETag": self.etag}
        if self.compressed is not None:
            headers["Vary"] = "Accept-Encoding"
        if status == 200 and self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = self.body
        if self.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            body = self.compressed
            headers["Content-Encoding"] = "gzip"
        return Response(body, status, headers, media_type=self.media_type)


@dataclass(frozen=True, slots=True)
class _Edition:
    """The content of the folder at one time."""

    version: str
    files: dict[str, File]


class Assets:
    """The folder ``web``. A change in it is served a second later, without a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked_at = 0.0
        self._seen: dict[str, tuple[int, int]] = {}
        self._edition = _Edition("", {})

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that change with the content of any file."""
        return self._now().version

    def page(self, request: Request, name: str, status: int = 200) -> Response:
        """Return one of the pages."""
        edition = self._now()
        response = edition.files[f"pages/{name}.html"].answer(request, status, _ASK_AGAIN)
        response.headers[VERSION_HEADER] = edition.version
        return response

    def worker(self, request: Request) -> Response:
        """Return the service worker. It must come from the root to control all pages."""
        return self._now().files["js/service-worker.js"].answer(request, 200, _ASK_AGAIN)

    def file(self, request: Request, path: str) -> Response:
        """Return a file by its path below ``/static/``, with the version or without. Raises `HTTPException` (404)."""
        edition, cache_control = self._now(), _ASK_AGAIN
        versioned = _VERSION.fullmatch(path)
        if versioned is not None:
            # A page of an older version gets the present file, which the browser must not keep under that address.
            cache_control = _FOR_EVER if versioned[1] == edition.version else _ASK_AGAIN
            path = versioned[2]
        found = edition.files.get(path)
        if found is None:
            raise HTTPException(404)
        return found.answer(request, 200, cache_control)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the paths below ``/static/``."""
        if scope["type"] != "http":
            raise HTTPException(404)
        request = Request(scope)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        await self.file(request, path)(scope, receive, send)

    def _now(self) -> _Edition:
        now = time.monotonic()
        if not self._edition.files or now - self._checked_at >= CHECKED_SECONDS:
            self._checked_at = now
            paths = {path.relative_to(self._folder).as_posix(): path for path in self._folder.rglob("*") if path.is_file()}
            seen = {name: (path.stat().st_mtime_ns, path.stat().st_size) for name, path in paths.items()}
            if seen != self._seen:
                self._seen, self._edition = seen, _read(paths)
        return self._edition


def _read(paths: dict[str, Path]) -> _Edition:
    contents = {name: paths[name].read_bytes() for name in sorted(paths)}
    sum_of_all = sha256()
    for name, content in contents.items():
        sum_of_all.update(f"{name}\0{len(content)}\0".encode() + content)
    version = sum_of_all.hexdigest()[:12]
    files = {}
    for name, content in contents.items():
        if name.startswith("pages/"):
            content = content.replace(b'"/static/', f'"/static/{version}/'.encode())
        if name.endswith(".js"):
            content = without_comments(content)
        files[name] = File.of(content, _media_type(name))
    return _Edition(version, files)


def without_comments(module: bytes) -> bytes:
    """Return a module with empty lines in place of the lines that hold only comments.

    A type annotation before an expression is on the line of the expression, and stays.
    """
    return _COMMENTS.sub(lambda found: b"\n" * found[0].count(b"\n"), module)


def _media_type(name: str) -> str:
    suffix = Path(name).suffix
    return _KINDS.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
