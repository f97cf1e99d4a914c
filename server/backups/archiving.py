"""Keeps ``nowserving archive`` running beside a server: its work has a process of its own, as its locks demand."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import structlog

from server.backups.child import status_of
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
END_SECONDS = 5.0
COMMAND = (sys.executable, "-m", "server.cli", "archive", "--beside")


async def keep_archiving(command: Sequence[str] = COMMAND) -> None:
    """Run the command until cancelled, and begin it again when it has ended. Its last record comes at the end."""
    outage = Outage(logger, "the archive is not written")
    while True:
        outage.failed(status=await status_of(command, END_SECONDS))
        await asyncio.sleep(AGAIN_SECONDS)
