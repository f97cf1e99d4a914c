"""Traces for an OTLP collector, if the settings name one. Otherwise a span costs one comparison.

A span carries the name of a command, the template of a route, or the way of a message, and the id of its request. A span
carries no path, token, text of a query, message of an error, or value that a person gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

FLUSH_MILLISECONDS = 5_000


class _Process:
    provider: TracerProvider | None = None
    tracer: Tracer | None = None


class Finished:
    """Takes the result of the work that a span covers. Without a collector it does nothing."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    def end(self, name: str, about: Mapping[str, str | int], *, failed: bool) -> None:
        """Name the span by the result, and add facts to it. The span still ends with its block."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        self._span.update_name(name)
        self._span.set_attributes(about)
        if failed:
            self._span.set_status(StatusCode.ERROR)


_OFF = nullcontext(Finished())


def begin(url: str, version: str) -> None:
    """Send the spans of this process to the OTLP address ``url`` (HTTP, protobuf) from now on."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    # Not `Resource.create`, which would add the names of this machine and its user.
    resource = Resource({"service.name": "nowserving", "service.version": version})
    _Process.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _Process.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    _Process.tracer = _Process.provider.get_tracer("nowserving", version)


def is_on() -> bool:
    """Return whether this process sends its spans to a collector."""
    return _Process.tracer is not None


def end() -> None:
    """Send the last spans, for some seconds at most, and send no more. Blocks: call it in a thread."""
    provider, _Process.provider, _Process.tracer = _Process.provider, None, None
    if provider is not None:
        provider.force_flush(FLUSH_MILLISECONDS)
        provider.shutdown()


def span(name: str, *, of_request: bool = False) -> AbstractContextManager[Finished]:
    """Cover a block with a span, a child of the span around it. An error in the block marks the span, without its message.

    ``of_request``: the block answers a request. A client's own trace is not continued: clients are strangers.
    """
    return _OFF if _Process.tracer is None else _span(_Process.tracer, name, of_request)


@contextmanager
def _span(tracer: Tracer, name: str, of_request: bool) -> Iterator[Finished]:
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415

    with tracer.start_as_current_span(
        name,
        context=Context() if of_request else None,
        kind=SpanKind.SERVER if of_request else SpanKind.INTERNAL,
        record_exception=False,
        set_status_on_exception=False,
    ) as covering:
        try:
            yield Finished(covering)
        except BaseException:
            covering.set_status(StatusCode.ERROR)
            raise
