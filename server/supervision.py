"""Keeps the endless loops of a process running: a fault in one pass must not end a loop for good, unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

logger = structlog.get_logger(__name__)

REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0
CANCEL_SECONDS = 0.5
CANCELLATIONS = 20


async def kept_running(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``loop()``, and again after each fault that ends it, until this is cancelled or the loop returns.

    Each fault is logged with its traceback. The rest before the next start doubles up to `LONGEST_REST_SECONDS`, and is
    short again after a run that lasted longer than that.
    """
    rest = REST_SECONDS
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            return await loop()
        except Exception:
            logger.exception("a loop ended by a fault, and starts again", loop=name)
        rest = REST_SECONDS if clock() - began > LONGEST_REST_SECONDS else rest
        await asyncio.sleep(rest)
        rest = min(2 * rest, LONGEST_REST_SECONDS)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks again and again until all have ended: a library may lose one cancellation beside an error of its own.

    A task that does not end after `CANCELLATIONS` is left: nothing stops a process that wants to end.
    """
    left = set(tasks)
    for _ in range(CANCELLATIONS):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
