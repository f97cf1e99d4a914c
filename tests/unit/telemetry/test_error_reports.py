"""Reports of errors: only allowed facts leave the server."""

from __future__ import annotations

from typing import Any

from server.telemetry.error_reports import allowed

EVENT: dict[str, Any] = {
    "event_id": "1f",
    "timestamp": "2026-11-30T20:00:00Z",
    "level": "error",
    "tags": {"request_id": "a-request", "route": "/api/v1/visits/{visit_id:id}", "name": "Wilhelmina"},
    "exception": {
        "values": [
            {
                "type": "ValueError",
                "module": None,
                "value": "Wilhelmina",
                "mechanism": {"data": "Wilhelmina"},
                "stacktrace": {
                    "frames": [
                        {"function": "read", "lineno": 7, "module": "server.vault", "vars": {"name": "Wilhelmina"}},
                        {"function": "open", "context_line": "Wilhelmina", "pre_context": ["Wilhelmina"]},
                    ]
                },
            }
        ]
    },
    "message": "Wilhelmina",
    "request": {"data": "Wilhelmina", "headers": {"cookie": "Wilhelmina"}},
    "user": {"ip_address": "192.0.2.7"},
    "breadcrumbs": {"values": ["Wilhelmina"]},
    "extra": {"sys.argv": ["Wilhelmina"]},
    "contexts": {"trace": {}},
    "field_of_a_later_version": "Wilhelmina",
}


def test_report_has_the_allowed_facts_alone() -> None:
    assert allowed(EVENT, {}) == {  # type: ignore[arg-type]
        "event_id": "1f",
        "timestamp": "2026-11-30T20:00:00Z",
        "level": "error",
        "tags": {"request_id": "a-request", "route": "/api/v1/visits/{visit_id:id}"},
        "exception": {
            "values": [
                {
                    "type": "ValueError",
                    "module": None,
                    "stacktrace": {
                        "frames": [{"function": "read", "lineno": 7, "module": "server.vault"}, {"function": "open"}]
                    },
                }
            ]
        },
    }


def test_report_without_an_error_is_no_fault() -> None:
    assert allowed({"message": "Wilhelmina"}, {}) == {"tags": {}, "exception": {"values": []}}
