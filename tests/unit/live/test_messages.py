"""The four messages, encoded, and the position from which a screen resumes."""

from __future__ import annotations

import json
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.live import messages
from server.live.messages import DRAIN_RETRY_MILLISECONDS, RETRY_MILLISECONDS, Position, digest_of
from tests.support.extent import examples
from tests.support.message_screen import compact, digest

AT = Position("e1", "desk1", 42)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcxyz_", min_size=1), inner, max_size=3),
    max_leaves=8,
)
keys = st.from_regex(r"\A(entry|queue|point|announcement):[0-9]{1,16}\Z") | st.just("site")
cells = st.dictionaries(keys, st.dictionaries(st.text("abcxyz_", min_size=1), values, max_size=4), max_size=6)


def written(content: dict[str, Any]) -> dict[str, bytes]:
    return {key: orjson.dumps(value) for key, value in content.items()}


@examples(100)
@given(cells)
def test_digest_is_the_crc_of_key_and_compact_json(content: dict[str, Any]) -> None:
    for key, cell in content.items():
        assert digest_of(key, orjson.dumps(cell)) == zlib.crc32(key.encode() + compact(cell))
    total = 0
    for key, encoded in written(content).items():
        total ^= digest_of(key, encoded)
    assert total == digest(content)
    assert 0 <= total < 2**32


def test_digest_is_the_crc_32_of_other_languages() -> None:
    """The check value of CRC-32/ISO-HDLC, as in zip and in browsers' libraries."""
    assert digest_of("1234", b"56789") == 0xCBF43926


@examples(100)
@given(cells, st.floats(0.001, 300), st.integers(0, 2**53))
def test_snapshot_is_compact_json(content: dict[str, Any], heartbeat: float, now: int) -> None:
    message = messages.snapshot(AT, messages.joined(written(content).items()), heartbeat, now)
    assert (message.kind, message.id) == ("snapshot", "e1.desk1.42")
    body = json.loads(message.payload)
    assert body == {"seq": 42, "at": now, "heartbeat_ms": round(heartbeat * 1000), "cells": content}
    assert compact(body) == message.payload


@examples(100)
@given(cells, st.lists(keys, unique=True, max_size=4))
def test_change_is_compact_json(content: dict[str, Any], gone: list[str]) -> None:
    message = messages.change(AT, written(content).items(), gone)
    assert (message.kind, message.id) == ("change", "e1.desk1.42")
    body = json.loads(message.payload)
    assert body == {"seq": 42, "set": content, "del": gone}
    assert compact(body) == message.payload


def test_change_of_one_cell_is_compact_json() -> None:
    message = messages.change(AT, [("point:3", b'{"name":"Room 1"}')], ["entry:4"])
    assert message.payload == b'{"seq":42,"set":{"point:3":{"name":"Room 1"}},"del":["entry:4"]}'


@examples(50)
@given(st.integers(0, 2**53), st.integers(0, 2**32 - 1))
def test_heartbeat_is_compact_json(now: int, total: int) -> None:
    message = messages.heartbeat(AT, now, total)
    assert (message.kind, message.id) == ("heartbeat", "e1.desk1.42")
    body = json.loads(message.payload)
    assert body == {"seq": 42, "at": now, "digest": total}
    assert compact(body) == message.payload


@pytest.mark.parametrize(("reason", "usual"), [("drain", DRAIN_RETRY_MILLISECONDS), ("age", RETRY_MILLISECONDS)])
def test_bye_has_a_random_retry_and_no_id(reason: str, usual: int) -> None:
    byes = [messages.bye(reason) for _ in range(200)]
    assert all((bye.kind, bye.id) == ("bye", None) for bye in byes)
    bodies = [json.loads(bye.payload) for bye in byes]
    assert all(body.keys() == {"retry_ms", "reason"} and body["reason"] == reason for body in bodies)
    waits = [body["retry_ms"] for body in bodies]
    assert all(usual / 2 <= wait <= usual * 1.5 for wait in waits)
    assert max(waits) - min(waits) > usual / 2  # spread, so that not all come back at once


def test_retry_after_a_drain_is_shorter_than_usual() -> None:
    assert 0 < DRAIN_RETRY_MILLISECONDS < RETRY_MILLISECONDS == 5_000


words = st.from_regex(r"\A[A-Za-z0-9_-]{1,16}\Z")


@examples(200)
@given(words, words, st.integers(0, 10**16 - 1))
def test_position_survives_its_text(epoch: str, shape: str, seq: int) -> None:
    position = Position(epoch, shape, seq)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "e1",
        "e1.desk1",
        "e1.desk1.",
        ".desk1.4",
        "e1..4",
        "e1.desk1.-1",
        "e1.desk1.+1",
        "e1.desk1. 1",
        "e1.desk1.1 ",
        "e1.desk1.1\n",
        "e1.desk1.1.2",
        "e1.desk1.1e3",
        "e1.desk1.1_000",
        "e1.desk1.0x10",
        "e1.desk1.٤",  # a digit, but not an ASCII one
        "e1.desk1.²",
        "e1.desk1.12345678901234567",  # longer than any number we give
        "e1.desk1." + "9" * 5000,
        "null",
        "\x00.\x00.\x00",
    ],
)
def test_invalid_text_is_no_position(text: str) -> None:
    assert Position.parse(text) is None


@examples(400)
@given(st.text(max_size=30) | st.text(".019abc \n-+²", max_size=12))
def test_any_text_is_a_position_or_none(text: str) -> None:
    position = Position.parse(text)
    if position is not None:
        assert position.epoch
        assert position.shape
        assert 0 <= position.seq < 10**16
        assert "." not in position.epoch
        assert "." not in position.shape
        assert str(position).split(".")[:2] == text.split(".")[:2]
        assert int(text.split(".")[2]) == position.seq
