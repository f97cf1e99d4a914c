"""Spans: their parents, the mark of an error without its text, and nothing without a collector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from server.telemetry import tracing


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.use(SimpleSpanProcessor(exporter), "0")
    yield exporter
    tracing.end()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {each.name: each for each in exporter.get_finished_spans()}


def test_request_begins_a_trace_and_its_work_belongs_to_it(exported: InMemorySpanExporter) -> None:
    with tracing.span("outer"), tracing.span("request", of_request=True) as covered:
        with tracing.span("command call-next"):
            pass
        assert covered is not None
        covered.end("GET /sites", {"http.response.status_code": 503}, failed=True)
    spans = by_name(exported)
    request, command = spans["GET /sites"], spans["command call-next"]
    assert request.parent is None
    assert command.parent == request.context
    assert dict(request.attributes or {}) == {"http.response.status_code": 503}
    assert request.status.status_code is StatusCode.ERROR
    assert command.status.status_code is StatusCode.UNSET


def test_error_marks_its_span_without_a_text(exported: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Wilhelmina"), tracing.span("message by sms"):
        raise ValueError("Wilhelmina")
    span = by_name(exported)["message by sms"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert not span.events
    assert "Wilhelmina" not in span.to_json()


def test_without_a_collector_every_span_is_the_same_empty_one() -> None:
    assert not tracing.is_on()
    assert tracing.span("request", of_request=True) is tracing.span("command call-next")
    with tracing.span("request") as covered:
        assert covered is None
    tracing.end()
