"""One event loop and one set of parts for each worker process, created by its first task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from server.notifying.context import Context

T = TypeVar("T")


class _Process:
    build: Callable[[], Context]
    runner: asyncio.Runner | None = None
    context: Context


def configure(build: Callable[[], Context]) -> None:
    """Set the function that builds the parts. `workers.app` calls this once, before any task."""
    _Process.build = build


def run(work: Callable[[Context], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` with the parts of this process, on its event loop; return the result of ``work``."""
    if _Process.runner is None:
        _Process.runner = asyncio.Runner()
        _Process.context = _Process.build()
    return _Process.runner.run(work(_Process.context))
