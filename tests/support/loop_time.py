"""The time of an event loop: a test lets the limit of a call pass as soon as the call has come as far as it has to."""

from __future__ import annotations

import asyncio


def let_pass(seconds: float) -> None:
    """Let ``seconds`` pass at once for every timer of the running loop, which has to be one of asyncio's own."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
