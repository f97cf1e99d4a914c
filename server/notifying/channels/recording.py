"""A channel for trials and tests: writes messages to a file, one JSON object a line, and sends nothing."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import orjson

from server.notifying.channels.channel import Message


class RecordingChannel:
    """Appends to ``path``. A message counts as accepted once it is on the disk."""

    name = "recording"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: Message) -> None:
        line = orjson.dumps(asdict(message), option=orjson.OPT_APPEND_NEWLINE)
        # One write in append mode: lines of several processes never mix.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
