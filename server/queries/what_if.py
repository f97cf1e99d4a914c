"""Replays with changes in a process of their own, with a low priority: commands of the clinic do not wait for them.

A server process has at most one. The process gets a board and events without personal data, has no access to the database,
and ends with its limits of time and memory, with the request, or with this process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson
import structlog

from server.domain.board import Board
from server.domain.errors import ReplayBusy, ReplayTooLong
from server.domain.what_if import Changed, Compared, Rows, Waits
from server.store.checkpoints import encoded

logger = structlog.get_logger(__name__)

LONGEST_SECONDS = 20.0
RETRY_SECONDS = 5
LENGTH_BYTES = 8
NO_MEMORY = 3  # the status of a process without memory
_AT_ITS_LIMITS = (NO_MEMORY, -signal.SIGXCPU, -signal.SIGKILL)
_ENVIRONMENT = ("PATH", "PYTHONTZPATH", "PYTHONDONTWRITEBYTECODE", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")

EventRow = tuple[int, str, str]  # instant, type and body


class Replays:
    """The replays of one server process."""

    def __init__(self, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._longest_seconds = longest_seconds
        self._running = False

    async def compared(self, begin: Board, log: AsyncIterable[list[EventRow]], ends_at: int, changed: Changed) -> Compared:
        """Return the waits of a day, from the board before its first event, and of its replays.

        Raises `ReplayBusy` while another replay runs, `ReplayTooLong`, and what ``log`` raises.
        """
        if self._running:
            raise ReplayBusy(retry_after=RETRY_SECONDS)
        self._running = True
        try:
            return await self._compared(begin, log, ends_at, changed)
        finally:
            self._running = False

    async def _compared(self, begin: Board, log: AsyncIterable[list[EventRow]], ends_at: int, changed: Changed) -> Compared:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.queries.what_if_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._longest_seconds):
                try:
                    send(process.stdin, orjson.dumps({"ends_at": ends_at, "changed": told(changed)}))
                    send(process.stdin, encoded(begin))
                    async for batch in log:
                        send(process.stdin, orjson.dumps(batch))
                        await process.stdin.drain()
                    send(process.stdin, b"")
                    await process.stdin.drain()
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the process has ended, and its status says why
                answer = await process.stdout.read()
                status = await process.wait()
        except TimeoutError:
            raise ReplayTooLong() from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
        if status in _AT_ITS_LIMITS:
            logger.warning("a replay with changes has reached its limits", status=status)
            raise ReplayTooLong()
        if status != 0:
            raise RuntimeError(f"the process of a replay has failed with status {status}")
        return _compared(orjson.loads(answer))


def send(pipe: asyncio.StreamWriter, part: bytes) -> None:
    """Write a part with its length before it. An empty part is the last one."""
    pipe.write(len(part).to_bytes(LENGTH_BYTES, "big") + part)


def told(changed: Changed) -> dict[str, Any]:
    """Return changes as JSON has them."""
    return asdict(changed) | {"points": [[key, asdict(each)] for key, each in changed.points.items()]}


def _compared(answer: Mapping[str, Any]) -> Compared:
    def rows(values: Mapping[str, Any]) -> Rows:
        return Rows(*(Waits(**values[name]) for name in ("real", "control", "changed")))

    return Compared(
        rows(answer["rows"]),
        {int(key): rows(each) for key, each in answer["queues"].items()},
        {int(key): rows(each) for key, each in answer["hours"].items()},
        {int(key): name for key, name in answer["names"].items()},
        {int(key): minutes for key, minutes in answer["offsets"].items()},
        answer["left_out"],
        answer["not_repeated"],
        answer["turned_away"],
    )


def _environment() -> dict[str, str]:
    """Return the environment of the process: where the code is, and no secrets."""
    code = os.pathsep.join(os.path.abspath(each) for each in sys.path if each.endswith(".zip") or os.path.isdir(each or "."))
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"PYTHONPATH": code}
