"""Takes down what is audited without being a change, and writes it in batches. Nobody ever waits for it.

What cannot be written for a while stays in a bounded queue; what that cannot take is counted, logged, and said in the chain.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import structlog

from server.domain.errors import Unavailable
from server.domain.model.ids import MAX_ID
from server.store import audit
from server.store.audit import Chain, Noted
from server.store.database import Conflict, Database
from server.vault import Vault

logger = structlog.get_logger(__name__)

BATCH = 100
WRITE_SECONDS = 1.0
STOP_SECONDS = 5.0
CAPACITY = 10_000
NOBODY = "nobody"  # who has not signed in
PROCESS = "process"
OPERATOR = "operator"  # whoever has the command line

# The scope of the request that is being answered: where what is noted came from.
_request: ContextVar[Mapping[str, Any] | None] = ContextVar("request", default=None)


def process_name() -> str:
    """Return the name of this process, as its operator would look for it: ``host:812``."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def arrived(scope: Mapping[str, Any]) -> None:
    """From here on, what this task notes came by the request of an ASGI scope, which has a ``request_id``."""
    _request.set(scope)


class Audit:
    """One process's chain. ``process`` names it."""

    def __init__(self, database: Database, vault: Vault, process: str, capacity: int = CAPACITY) -> None:
        self.lost = 0  # rows that the queue could not take
        self._said = 0  # of those, how many the chain has been told of
        self._database = database
        self._vault = vault
        self._process = process
        self._capacity = capacity
        self._queue: deque[Noted] = deque()
        self._batch: list[Noted] = []  # out of the queue, and not known to be written
        self._chain: Chain | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._writer: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return len(self._queue) + len(self._batch)

    def note(
        self,
        action: str,
        actor: str,
        *,
        subject: str | None = None,
        site_id: int | None = None,
        organisation_id: int | None = None,
        allowed: bool = True,
    ) -> None:
        """Take down that ``actor`` did ``action``, or was not ``allowed`` to. Never blocks, never raises.

        Without a ``subject`` it is the record that the request's path names.
        """
        if self.waiting >= self._capacity:
            if self.lost == self._said:
                logger.error("the audit queue is full", waiting=self.waiting)
            self.lost += 1
            return
        scope = _request.get() or {}
        client = scope.get("client")
        self._queue.append(
            Noted(
                at=time.time_ns() // 1000,
                actor=actor,
                action=action,
                subject=_named(scope) if subject is None else subject,
                site_id=site_id if site_id and site_id <= MAX_ID else None,  # what is asked for may be no site's id at all
                organisation_id=organisation_id,
                address=self._vault.keyed_hash(f"address:{client[0]}") if client else None,
                allowed=allowed,
                request_id=scope.get("request_id", ""),
            )
        )
        if len(self._queue) >= BATCH:
            self._wake.set()

    def start(self) -> None:
        """Begin a new chain, whose first row names the process, and write from now on."""
        self.note("process-began", PROCESS, subject=self._process)
        self._writer = asyncio.create_task(self._write_on())

    async def stop(self) -> None:
        """Write what is left, if the database takes it within a few seconds; what it does not take is logged."""
        assert self._writer is not None, "it was started"
        self.note("process-ended", PROCESS, subject=self._process)
        self._stopping = True
        self._wake.set()
        try:
            await asyncio.wait_for(self._writer, STOP_SECONDS)
        except TimeoutError:
            pass
        if self.waiting:
            logger.error("audit rows were not written", count=self.waiting)

    async def _write_on(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), WRITE_SECONDS)
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._write()
            except Unavailable:
                logger.warning("audit rows wait for the database", waiting=self.waiting)
            except Exception:  # whatever it is, the next second tries again; nothing else would ever say so
                logger.exception("audit rows could not be written", waiting=self.waiting)
            if self._stopping:
                return

    async def _write(self) -> None:
        """Write what is in the queue, a batch in each transaction. Raises `Unavailable`, and keeps the rest."""
        while self.waiting or self.lost > self._said:
            if self.lost > self._said and self.waiting < self._capacity:
                lost = self.lost
                self.note("rows-lost", PROCESS, subject=f"rows:{lost - self._said}")
                self._said = lost
            if not self._batch:
                self._batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            try:
                async with self._database.write() as connection:
                    self._chain = self._chain or await audit.begin(connection, self._process)
                    after = await audit.append(connection, self._chain, self._batch)
            except Conflict:
                # A commit of ours whose answer was lost; or else somebody moved its head, and we begin another.
                self._chain = await self._written()
                if self._chain is None:
                    continue
            else:
                self._chain = after
            self._batch = []

    async def _written(self) -> Chain | None:
        """Return the chain as it is if the batch that could not be written is what was written to it last."""
        if self._chain is None:
            return None
        _, after = audit.chained(self._chain, self._batch)
        async with self._database.read() as connection:
            return after if await audit.head(connection, self._chain.id) == after else None


def _named(scope: Mapping[str, Any]) -> str:
    """Return the record that a request's path names, beside its site: ``entry:812``.

    Only an id is a record's name. What else a path may hold, a token or a code, or a patient's name by mistake, is not kept.
    """
    ids = ((name.removesuffix("_id"), value) for name, value in scope.get("path_params", {}).items())
    return next((f"{kind}:{value}" for kind, value in ids if isinstance(value, int) and kind != "site"), "")
