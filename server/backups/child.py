"""A command of ours that runs as a child process of a server or worker."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress


async def status_of(command: Sequence[str], end_seconds: float) -> int:
    """Run a command and return its exit status. If this is cancelled, ask the process to end, and wait ``end_seconds``."""
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), end_seconds)
        raise
