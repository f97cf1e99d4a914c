"""What is noted of a request: which record, and nothing that opens anything."""

from __future__ import annotations

from typing import Any

import pytest

from server.audit import Audit, arrived
from server.store.database import Database
from server.vault import Vault


@pytest.fixture
def process() -> Audit:
    return Audit(Database("sqlite+aiosqlite:///unused.db"), Vault([b"k" * 32], "secret"), "clinic:1", capacity=2)


@pytest.mark.parametrize(
    ("path_params", "subject"),
    [
        ({}, ""),
        ({"site_id": 7}, ""),
        ({"entry_id": 7_000_000_012}, "entry:7000000012"),
        ({"site_id": 7, "display_id": 7_000_000_003}, "display:7000000003"),
        ({"token": "7-c2hhbGwgbm90IGJlIHVzZW"}, ""),
        ({"secret": "s3cret"}, ""),
        ({"code": "123456"}, ""),
        ({"session_id": "5e55104"}, ""),
        ({"name": "call-next"}, ""),
    ],
)
async def test_only_numbers_of_records_are_noted(process: Audit, path_params: dict[str, Any], subject: str) -> None:
    arrived({"path_params": path_params, "request_id": "abcdefgh", "client": ("192.0.2.7", 5)})
    process.note("read-board", "staff:1")
    (noted,) = process._queue
    assert (noted.subject, noted.request_id) == (subject, "abcdefgh")
    assert "192.0.2.7" not in repr(noted)
    assert noted.address is not None


async def test_a_full_queue_counts_and_goes_on(process: Audit) -> None:
    for _ in range(5):
        process.note("read-board", "staff:1")
    assert (process.waiting, process.lost) == (2, 3)


async def test_many_refusals_of_one_address_are_ten_rows_and_a_count() -> None:
    process = Audit(Database("sqlite+aiosqlite:///unused.db"), Vault([b"k" * 32], "secret"), "clinic:1")
    for index in range(400):
        arrived({"path_params": {"display_id": index}, "request_id": f"request-{index}", "client": ("192.0.2.7", 5)})
        process.note("foreign-origin", "nobody", allowed=False)
    arrived({"path_params": {}, "request_id": "another", "client": ("192.0.2.8", 5)})
    process.note("foreign-origin", "nobody", allowed=False)
    process.note("read-board", "staff:1", allowed=False)  # a flood of strangers hides no refusal of a member
    rows = list(process._queue)
    assert [each.request_id for each in rows] == [*(f"request-{index}" for index in range(10)), "another", "another"]
    process._sum_up_refusals()
    (count,) = list(process._queue)[len(rows) :]
    assert (count.action, count.actor, count.subject, count.allowed) == ("more-refusals", "nobody", "refusals:390", False)
    assert count.address == rows[0].address
    process.note("foreign-origin", "nobody", allowed=False)
    assert len(process._queue) == len(rows) + 2  # a new minute


async def test_refusals_from_many_addresses_share_a_count() -> None:
    process = Audit(Database("sqlite+aiosqlite:///unused.db"), Vault([b"k" * 32], "secret"), "clinic:1")
    for index in range(3_000):
        arrived({"path_params": {}, "request_id": "x", "client": (f"2001:db8::{index:x}", 5)})
        process.note("foreign-origin", "nobody", allowed=False)
    assert len(process._queue) == 1_010
    process._sum_up_refusals()
    assert process._queue[-1].subject == "refusals:1990"
