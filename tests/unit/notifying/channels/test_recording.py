"""The recording channel: a file instead of messages."""

from __future__ import annotations

import json
from pathlib import Path

from server.notifying.channels.channel import Message
from server.notifying.channels.recording import RecordingChannel


def test_each_message_is_a_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    channel = RecordingChannel(path)
    for number in (1, 2):
        channel.send(Message(key=f"notification:{number}", to="+49 30 901820", language="de", text="Ü"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["key"] for line in lines] == ["notification:1", "notification:2"]
    assert lines[0] == {"key": "notification:1", "to": "+49 30 901820", "language": "de", "text": "Ü"}
    assert path.stat().st_mode & 0o777 == 0o600
