"""What each worker process sends: a thread with an event loop of its own, beside the process's tasks.

The thread depends on the database alone. Without beat, or without Redis, it goes on sending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from server.backups.nightly import Nightly
from server.domain.errors import NowServingError
from server.housekeeping import keep_figures
from server.notifying.channels.channel import TIME_LIMIT_SECONDS
from server.notifying.context import Context
from server.notifying.sweep import Sweeper
from server.notifying.watchdog import Watchdog
from server.notifying.webhooks.deliverer import Deliverer
from server.queries.flags import KeptFlags
from server.supervision import kept_running

# The longest call, and the time to record what became of it.
STOP_SECONDS = TIME_LIMIT_SECONDS + 10.0


class _Process:
    build: Callable[[], Context]
    build_watchdog: Callable[[Context], Watchdog]
    backup_hour: int | None = None
    thread: threading.Thread | None = None
    loop: asyncio.AbstractEventLoop
    sweeper: Sweeper
    deliverer: Deliverer
    watchdog: Watchdog


def configure(
    build: Callable[[], Context], build_watchdog: Callable[[Context], Watchdog], backup_hour: int | None = None
) -> None:
    """Set the functions that build the parts. `workers.app` calls this once, before any process begins.

    With ``backup_hour``, one of the processes makes the backup of each night.
    """
    _Process.build = build
    _Process.build_watchdog = build_watchdog
    _Process.backup_hour = backup_hour


def begin() -> None:
    """Start the sweeper of this process, and return when it can be woken."""
    ready = threading.Event()
    _Process.thread = threading.Thread(target=lambda: asyncio.run(_sweep(ready)), name="sweeper", daemon=True)
    _Process.thread.start()
    ready.wait(2.0)  # Celery kills a process that takes longer than four seconds to begin


def wake() -> None:
    """Let this process look for due messages now."""
    if _Process.thread is not None and _Process.thread.is_alive():
        _Process.loop.call_soon_threadsafe(_Process.sweeper.wake)


def end() -> None:
    """Stop the sweeper of this process, and return when the calls that have begun are recorded."""
    if _Process.thread is not None and _Process.thread.is_alive():
        _Process.loop.call_soon_threadsafe(_Process.sweeper.stop)
        _Process.loop.call_soon_threadsafe(_Process.deliverer.stop)
        _Process.loop.call_soon_threadsafe(_Process.watchdog.stop)
        _Process.thread.join(STOP_SECONDS)


async def _sweep(ready: threading.Event) -> None:
    context = _Process.build()
    flags = KeptFlags(context.database.clock.now)
    context = replace(context, flags=flags)
    _Process.loop = asyncio.get_running_loop()
    _Process.sweeper = Sweeper(context)
    _Process.deliverer = Deliverer(context.database, context.vault)
    _Process.watchdog = _Process.build_watchdog(context)
    ready.set()
    with suppress(NowServingError):  # without the database there is nothing to send
        await flags.update(context.database)
    reading = partial(keep_figures, "flags not read", partial(flags.update, context.database))
    loops = [asyncio.create_task(kept_running("flags", reading))]
    if _Process.backup_hour is not None:
        nightly = Nightly(context.database, _Process.backup_hour)
        loops.append(asyncio.create_task(kept_running("nightly backup", nightly.run)))
    try:
        await asyncio.gather(_Process.sweeper.run(), _Process.deliverer.run(), _Process.watchdog.run())
    finally:
        for each in loops:
            each.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await context.channels.close()
        await context.database.close()
