"""The bundle for a stranger: each part lets through only the values that are never personal."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from server import diagnosis
from server.queries.system import Check

OURS: dict[str, Any] = {"logger": "server.execute", "event": "command done", "level": "info", "status": 200}


def lines(*found: object) -> list[dict[str, Any]]:
    text = diagnosis.log([each if isinstance(each, str) else json.dumps(each) for each in found])
    return [json.loads(each) for each in text.splitlines()]


def test_our_own_line_keeps_its_safe_fields() -> None:
    line = OURS | {
        "route": "/api/v1/sites/{site_id}",
        "seconds": 0.5,
        "request_id": "ada-1",
        "path": "/t/7-token",
        "ok": True,
    }
    kept, _ = lines(line)
    assert kept == OURS | {"route": "/api/v1/sites/{site_id}", "seconds": 0.5, "ok": True}


def test_error_keeps_the_names_of_its_classes_alone() -> None:
    kept, _ = lines(OURS | {"error": "Unavailable('no route to db.internal')", "exception": "x\nValueError: Ada Lovelace"})
    assert kept == OURS | {"errors": ["ValueError"]}


def test_line_of_another_library_keeps_no_text() -> None:
    kept, _ = lines({"logger": "uvicorn.error", "event": "Ada Lovelace", "level": "error", "count": 3, "timestamp": "2026"})
    assert kept == {"level": "error", "timestamp": "2026"}


@pytest.mark.parametrize("text", ["Ada Lovelace called", "[1]", '"text"', "", '{"logger": "server"'])
def test_line_that_is_no_json_object_is_counted_and_left_out(text: str) -> None:
    assert lines(text) == [{"left_out": 1}]


@pytest.mark.parametrize("value", ["x" * 40, "Käthe", "a\nb", "a@b.example", 4_930_901_820])
def test_odd_value_in_a_safe_field_is_left_out(value: object) -> None:
    kept, _ = lines(OURS | {"reason": value})
    assert "reason" not in kept


def test_problem_in_the_list_keeps_its_number() -> None:
    away = Check("database", "database_away", "broken", {"problem": "(2003, \"no route to 'db.internal'\")"})
    late = Check("workers", "workers_late", "broken", {"count": "3"})
    bus = Check("bus", "bus_away", "broken", {"problem": "Error 111 connecting to redis.internal:6379"})
    found = diagnosis.state([(away, None), (late, 5), (bus, None)])
    assert [each["values"] for each in found] == [{"problem": "error 2003"}, {"count": "3"}, {"problem": "hidden"}]


def test_answer_of_another_program_is_no_metric() -> None:
    text = '<html>Ada</html>\n# HELP nowserving_x Words.\nnowserving_x{a="b"} 1.0\nother_metric 2'
    assert diagnosis.metrics(text) == '# HELP nowserving_x Words.\nnowserving_x{a="b"} 1.0\n'


def test_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"{n}\n" for n in range(10_000)))
    found = diagnosis.log_end(tmp_path / "log")
    assert (len(found), found[-1]) == (diagnosis.LOG_LINES, "9999")


def test_bundle_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    for _ in range(2):  # an earlier bundle is replaced
        diagnosis.write(file, {"a.json": {"b": 1}})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as bundle:
        assert json.loads(bundle.read("nowserving-diagnosis/a.json")) == {"b": 1}
