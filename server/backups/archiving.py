"""Keeps ``nowserving archive`` running beside a server: its work has a process of its own, as its locks demand."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import structlog

from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
END_SECONDS = 5.0
COMMAND = (sys.executable, "-m", "server.cli", "archive", "--beside")


async def keep_archiving(command: Sequence[str] = COMMAND) -> None:
    """Run the command until cancelled, and begin it again when it has ended. Its last record comes at the end."""
    outage = Outage(logger, "the archive is not written")
    while True:
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        try:
            outage.failed(status=await process.wait())
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), END_SECONDS)
            raise
        await asyncio.sleep(AGAIN_SECONDS)
