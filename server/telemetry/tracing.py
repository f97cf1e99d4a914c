"""Traces for an OTLP collector, if the settings name one. Otherwise a span costs one comparison.

A span carries the name of a command, the template of a route, or the way of a message, and the id of its request. A span
carries no path, token, text of a query, message of an error, or value that a person gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

FLUSH_MILLISECONDS = 5_000
# An export costs some milliseconds, whatever the number of its spans: at the pace of a clinic, more than the spans do.
EXPORT_MILLISECONDS = 15_000


class _Process:
    provider: TracerProvider | None = None
    tracer: Tracer | None = None
    # Modules of the optional package, loaded once: an import in each span would cost as much as the span.
    context: ModuleType
    trace: ModuleType


class Covering:
    """A block that a span covers. An error in the block marks the span, without its message."""

    __slots__ = ("_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, name: str, of_request: bool) -> None:
        # Without a parent for a request: clients are strangers, and no trace of theirs goes on here.
        parent = _Process.context.Context() if of_request else None
        kinds = _Process.trace.SpanKind
        kind = kinds.SERVER if of_request else kinds.INTERNAL
        self._span: Span = tracer.start_span(name, parent, kind, record_exception=False, set_status_on_exception=False)

    def __enter__(self) -> Covering:
        self._token: Token[Context] = _Process.context.attach(_Process.trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _Process.context.detach(self._token)
        if kind is not None:
            self._span.set_status(_Process.trace.StatusCode.ERROR)
        self._span.end()

    def end(self, name: str, about: Mapping[str, str | int], *, failed: bool) -> None:
        """Name the span by the result, and add facts to it. The span still ends with its block."""
        self._span.update_name(name)
        self._span.set_attributes(about)
        if failed:
            self._span.set_status(_Process.trace.StatusCode.ERROR)


_OFF = nullcontext(None)


def begin(url: str, version: str) -> None:
    """Send the spans of this process to the OTLP address ``url`` (HTTP, protobuf) from now on."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415

    # Not `Resource.create`, which would add the names of this machine and its user.
    resource = Resource({"service.name": "nowserving", "service.version": version})
    provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_MILLISECONDS))
    use(provider, version)


def use(provider: TracerProvider, version: str) -> None:
    """Make the spans of this process by ``provider`` from now on."""
    from opentelemetry import context, trace  # noqa: PLC0415

    _Process.context, _Process.trace = context, trace
    _Process.provider, _Process.tracer = provider, provider.get_tracer("nowserving", version)


def is_on() -> bool:
    """Return whether this process makes spans."""
    return _Process.tracer is not None


def end() -> None:
    """Send the last spans, for some seconds at most, and make no more. Blocks: call it in a thread."""
    provider, _Process.provider, _Process.tracer = _Process.provider, None, None
    if provider is not None:
        provider.force_flush(FLUSH_MILLISECONDS)
        provider.shutdown()


def span(name: str, *, of_request: bool = False) -> AbstractContextManager[Covering | None]:
    """Cover a block with a span, a child of the span around it. ``of_request``: the block answers a request.

    Without a collector the block gets None.
    """
    tracer = _Process.tracer
    return _OFF if tracer is None else Covering(tracer, name, of_request)
