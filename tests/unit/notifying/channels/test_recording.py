"""The recording channel: a file instead of messages."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from server.notifying.channels.channel import Accepted, Message
from server.notifying.channels.recording import RecordingChannel


def a_message(number: int) -> Message:
    return Message(f"notification:{number}", "+4930901820", "de", "Titel", "Ü", 99, "https://x", b"BEGIN:VCALENDAR")


async def test_each_message_is_a_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    channel = RecordingChannel(path)
    for number in (1, 2):
        assert await channel.send(a_message(number)) == Accepted()
    await channel.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["key"] for line in lines] == ["notification:1", "notification:2"]
    assert lines[0] == {
        "key": "notification:1",
        "to": "+4930901820",
        "language": "de",
        "subject": "Titel",
        "text": "Ü",
        "not_after": 99,
        "link": "https://x",
        "calendar": "BEGIN:VCALENDAR",
        "unsubscribe": None,
        "kind": None,
        "attachment": None,
    }
    assert path.stat().st_mode & 0o777 == 0o600


async def test_messages_that_come_together_share_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sent.jsonl"
    channel, waits, real = RecordingChannel(path), [0], os.fsync

    def counted(descriptor: int) -> None:
        waits[0] += 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    await asyncio.gather(*(channel.send(a_message(number)) for number in range(100)))
    assert len(path.read_text().splitlines()) == 100
    assert waits[0] <= 2


async def test_message_that_the_disk_refuses_is_not_accepted(tmp_path: Path) -> None:
    channel = RecordingChannel(tmp_path / "missing" / "sent.jsonl")
    with pytest.raises(FileNotFoundError):
        await channel.send(a_message(1))
    (tmp_path / "missing").mkdir()
    assert await channel.send(a_message(1)) == Accepted()


async def test_sender_that_waits_no_more_keeps_no_other_back(tmp_path: Path) -> None:
    channel = RecordingChannel(tmp_path / "sent.jsonl")
    first = asyncio.create_task(channel.send(a_message(1)))
    second = asyncio.create_task(channel.send(a_message(2)))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == Accepted()
    with pytest.raises(asyncio.CancelledError):
        await first
