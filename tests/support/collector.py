"""Receivers of traces and of reports of errors on the loopback address: what a collector and Sentry would get."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    """Takes every POST. ``bodies`` are their bodies, unpacked."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def traces_url(self) -> str:
        """The address for `NOWSERVING_TRACES_URL`."""
        return f"http://127.0.0.1:{self.port}/v1/traces"

    @property
    def sentry_dsn(self) -> str:
        """The address for `NOWSERVING_SENTRY_DSN`."""
        return f"http://a-public-key@127.0.0.1:{self.port}/7"

    def spans(self) -> list[dict[str, Any]]:
        """Return all spans, each with its ``attributes`` as one mapping."""
        found = []
        for body in list(self.bodies):
            for resource in MessageToDict(ExportTraceServiceRequest.FromString(body)).get("resourceSpans", []):
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        values = {each["key"]: next(iter(each["value"].values())) for each in span.get("attributes", [])}
                        found.append(span | {"attributes": values})
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return all reports of errors: the last line of each envelope."""
        return [json.loads(body.strip().split(b"\n")[-1]) for body in list(self.bodies)]


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    if encoding == "br":  # of Sentry, where a package for it is installed
        import brotli

        unpacked: bytes = brotli.decompress(body)
        return unpacked
    return gzip.decompress(body) if encoding == "gzip" else body


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a receiver until the end of the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.bodies.append(_unpacked(body, self.headers.get("Content-Encoding")))
            collector.paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
