"""An outage of all servers, as a server notes it at its start: for a server that has run all the time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from server.domain.commands import NoteOutage
from server.domain.model import LEAST_OUTAGE
from server.execute import Executor
from server.store.database import Database
from tests.support.server import SECRETS, vault

LENGTH = 28 * 60_000_000


def outage_noted(env: Mapping[str, str], site_id: int) -> None:
    """Ask the staff of a site about every present call and service."""

    async def note() -> None:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            executor = Executor(database, vault({**SECRETS, **env}), publish=lambda *_: None)
            now = await database.now()
            # As if the start was some minutes from now: the calls of the test are a moment old.
            command = NoteOutage(site_id=site_id, offline_from=now - LENGTH, offline_until=now + LEAST_OUTAGE)
            await executor.execute(command, actor="clock", command_id=uuid.uuid4().hex)
        finally:
            await database.close()

    # In its own thread: the browser driver already runs an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(note())).result()
