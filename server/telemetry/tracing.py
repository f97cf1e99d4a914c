"""Traces for an OTLP collector, if the settings name one. Otherwise a span costs one comparison.

A span carries the name of a command, the template of a route, or the way of a message, and the id of its request. A span
carries no path, token, text of a query, message of an error, or value that a person gave.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanContext

FLUSH_MILLISECONDS = 5_000
# An export costs some milliseconds, whatever the number of its spans: at the pace of a clinic, more than the spans do.
EXPORT_MILLISECONDS = 15_000


class Spans:
    """Makes finished spans of this process and hands them to a processor of the SDK.

    The SDK's own `Span` may change until its end: its locks and checks cost nine times as much as the rest of a span. Ours
    is written once, at its end.
    """

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        # The optional package, loaded once: an import in each span would cost as much as the span.
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

        self.processor = processor
        # Not `Resource.create`, which would add the names of this machine and its user.
        self._resource = Resource({"service.name": "nowserving", "service.version": version})
        self._scope = InstrumentationScope("nowserving", version)
        self._ids = RandomIdGenerator()
        self._sampled = TraceFlags(TraceFlags.SAMPLED)
        self._statuses = {False: Status(), True: Status(StatusCode.ERROR)}
        self._kinds = {False: SpanKind.INTERNAL, True: SpanKind.SERVER}
        self._context, self._span = SpanContext, ReadableSpan

    def begin(self, parent: SpanContext | None) -> SpanContext:
        """Return the ids of a new span, in the trace of ``parent`` or in a new trace."""
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        return self._context(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=self._sampled)

    def end(self, covered: Covering) -> None:
        """Hand over a span that ends now."""
        finished = self._span(
            name=covered.name,
            context=covered.context,
            parent=covered.parent,
            resource=self._resource,
            attributes=covered.about,
            kind=self._kinds[covered.of_request],
            status=self._statuses[covered.failed],
            start_time=covered.began,
            end_time=time.time_ns(),
            instrumentation_scope=self._scope,
        )
        self.processor.on_end(finished)


class _Process:
    spans: Spans | None = None


_present: ContextVar[SpanContext | None] = ContextVar("span", default=None)  # the innermost span around this code


class Covering:
    """A block that a span covers. An error in the block marks the span, without its message."""

    __slots__ = ("_spans", "_token", "about", "began", "context", "failed", "name", "of_request", "parent")

    def __init__(self, spans: Spans, name: str, of_request: bool) -> None:
        self._spans = spans
        self.name = name
        self.of_request = of_request
        # Without a parent for a request: clients are strangers, and no trace of theirs goes on here.
        self.parent = None if of_request else _present.get()
        self.context = spans.begin(self.parent)
        self.about: Mapping[str, str | int] = {}
        self.failed = False

    def __enter__(self) -> Covering:
        self.began = time.time_ns()
        self._token: Token[SpanContext | None] = _present.set(self.context)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _present.reset(self._token)
        self.failed = self.failed or kind is not None
        self._spans.end(self)

    def end(self, name: str, about: Mapping[str, str | int], *, failed: bool) -> None:
        """Name the span by the result, and add facts to it. The span still ends with its block."""
        self.name, self.about, self.failed = name, about, failed


_OFF = nullcontext(None)


def begin(url: str, version: str) -> None:
    """Send the spans of this process to the OTLP address ``url`` (HTTP, protobuf) from now on."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = OTLPSpanExporter(endpoint=url, timeout=5)
    use(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_MILLISECONDS), version)


def use(processor: SpanProcessor, version: str) -> None:
    """Hand the spans of this process to ``processor`` from now on."""
    _Process.spans = Spans(processor, version)


def is_on() -> bool:
    """Return whether this process makes spans."""
    return _Process.spans is not None


def end() -> None:
    """Send the last spans, for some seconds at most, and make no more. Blocks: call it in a thread."""
    spans, _Process.spans = _Process.spans, None
    if spans is not None:
        spans.processor.force_flush(FLUSH_MILLISECONDS)
        spans.processor.shutdown()


def span(name: str, *, of_request: bool = False) -> AbstractContextManager[Covering | None]:
    """Cover a block with a span, a child of the span around it. ``of_request``: the block answers a request.

    Without a collector the block gets None.
    """
    spans = _Process.spans
    return _OFF if spans is None else Covering(spans, name, of_request)
