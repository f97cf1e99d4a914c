"""A channel for trials and tests: writes messages to a file, one JSON object a line, and sends nothing."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import asdict
from pathlib import Path

import orjson

from server.notifying.channels.channel import Accepted, Message, Reaches


class RecordingChannel:
    """Appends to ``path``. A message counts as accepted once it is on the disk.

    Messages that come while the disk is busy go there together, so that a thousand messages do not wait a thousand times.
    """

    name = "recording"
    reaches: Reaches = "phone"
    honours_key = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def receipt_name(self, key: str) -> None:
        """There are no receipts."""

    def circuit(self, to: str) -> None:
        """A file needs none."""

    async def send(self, message: Message) -> Accepted:
        content = asdict(message)
        if message.calendar is not None:
            content["calendar"] = message.calendar.decode()
        if message.attachment is not None:
            content["attachment"]["content"] = base64.b64encode(message.attachment.content).decode()
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE), written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await written
        return Accepted()

    async def close(self) -> None:
        """Nothing stays open between two writes."""

    async def _write(self) -> None:
        """Write what waits, until nothing does."""
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                problem: OSError | None = None
                try:
                    await asyncio.to_thread(self._append, b"".join(line for line, _ in group))
                except OSError as error:
                    problem = error
                for _, written in group:
                    if written.done():  # its sender waits no more
                        continue
                    if problem is None:
                        written.set_result(None)
                    else:
                        written.set_exception(problem)
        finally:
            self._writer = None

    def _append(self, lines: bytes) -> None:
        # One write in append mode: lines of several processes never mix.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(descriptor, lines) != len(lines):
                raise OSError("the disk took a part of the messages only")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
