"""The audit of access: notes sign-ins, reads and refusals, and writes them in batches. No request waits for it.

While the database is away, rows stay in a bounded queue. Rows beyond its bound are counted, logged, and reported in the
chain.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import structlog

from server.domain.errors import Unavailable
from server.domain.model.ids import MAX_ID
from server.store import audit
from server.store.audit import Chain, Noted
from server.store.database import Conflict, Database
from server.telemetry.outage import Outage
from server.vault import Vault

logger = structlog.get_logger(__name__)

BATCH = 100
WRITE_SECONDS = 1.0
STOP_SECONDS = 5.0
CAPACITY = 10_000
REFUSALS_LISTED = 10  # of one actor at one address in a minute; one row counts the others
REFUSAL_SECONDS = 60.0
REFUSED_KEPT = 1_000  # actors with refusals in this minute; the others share one count
NOBODY = "nobody"  # a client without a sign-in
PROCESS = "process"
OPERATOR = "operator"  # the user of the command line

# The scope of the present request: the source of each note.
_request: ContextVar[Mapping[str, Any] | None] = ContextVar("request", default=None)


def process_name() -> str:
    """Return the name of this process for its operator: ``host:812``."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def arrived(scope: Mapping[str, Any]) -> None:
    """Attribute the later notes of this task to the request of an ASGI scope, which has a ``request_id``."""
    _request.set(scope)


class Audit:
    """The audit chain of one process, named ``process``. ``capacity`` bounds the rows in memory."""

    def __init__(self, database: Database, vault: Vault, process: str, capacity: int = CAPACITY) -> None:
        self.lost = 0  # rows beyond the capacity
        self._said = 0  # lost rows that the chain reports
        self._database = database
        self._vault = vault
        self._process = process
        self._capacity = capacity
        self._queue: deque[Noted] = deque()
        self._batch: list[Noted] = []  # taken from the queue, and perhaps not yet written
        self._refusals: Counter[tuple[str, str | None]] = Counter()  # in this minute, by actor and address
        self._minute_began = time.monotonic()
        self._chain: Chain | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._outage = Outage(logger, "audit rows wait for the database")
        self._writer: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of unwritten rows."""
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
        detail: str | None = None,
    ) -> None:
        """Note that ``actor`` did ``action``, or with ``allowed`` False was refused. Never blocks, never raises.

        Of many refusals in a minute the first ones are rows, and one more row counts the others. The default ``subject``
        is the record in the path of the request. ``detail`` says what changed, without
        secrets.
        """
        scope = _request.get() or {}
        client = scope.get("client")
        address = self._vault.keyed_hash(f"address:{client[0]}") if client else None
        if not allowed and not self._is_listed(actor, address):
            return
        self._add(
            Noted(
                at=self._database.clock.now(),
                actor=actor,
                action=action,
                subject=_named(scope) if subject is None else subject,
                site_id=site_id if site_id and site_id <= MAX_ID else None,  # a requested id may be no site's
                organisation_id=organisation_id,
                address=address,
                allowed=allowed,
                request_id=scope.get("request_id", ""),
                detail=detail,
            )
        )

    def _is_listed(self, actor: str, address: str | None) -> bool:
        """Count a refusal; return whether it is one of the first of its actor and address in this minute."""
        who = (actor, address)
        if who not in self._refusals and len(self._refusals) >= REFUSED_KEPT:
            who = (NOBODY, None)
        self._refusals[who] += 1
        return self._refusals[who] <= REFUSALS_LISTED

    def _sum_up_refusals(self) -> None:
        """Begin a new minute, with a row for each actor and address that had more refusals than are listed."""
        counted, self._refusals = self._refusals, Counter()
        self._minute_began = time.monotonic()
        for (actor, address), count in counted.items():
            if count > REFUSALS_LISTED:
                subject = f"refusals:{count - REFUSALS_LISTED}"
                at = self._database.clock.now()
                self._add(Noted(at, actor, "more-refusals", subject, None, None, address, False, ""))

    def _add(self, noted: Noted) -> None:
        if self.waiting >= self._capacity:
            if self.lost == self._said:
                logger.error("the audit queue is full", waiting=self.waiting)
            self.lost += 1
            return
        self._queue.append(noted)
        if len(self._queue) >= BATCH:
            self._wake.set()

    def start(self) -> None:
        """Start writing, with a new chain whose first row names the process."""
        self.note("process-began", PROCESS, subject=self._process)
        self._writer = asyncio.create_task(self._write_on())

    async def stop(self) -> None:
        """Write the remaining rows, for at most `STOP_SECONDS`. Logs the number of unwritten ones."""
        assert self._writer is not None, "start comes before stop"
        self._sum_up_refusals()
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
            if time.monotonic() - self._minute_began >= REFUSAL_SECONDS:
                self._sum_up_refusals()
            try:
                await self._write()
                self._outage.ended()
            except Unavailable:
                self._outage.failed(waiting=self.waiting)
            except Exception:  # any error: log it, and try again in a second
                logger.exception("audit rows could not be written", waiting=self.waiting)
            if self._stopping:
                return

    async def _write(self) -> None:
        """Write the queue, one batch in each transaction. Raises `Unavailable`, and keeps the unwritten rows."""
        while self.waiting or self.lost > self._said:
            if self.lost > self._said and self.waiting < self._capacity:
                lost = self.lost
                self.note("rows-lost", PROCESS, subject=f"rows:{lost - self._said}")
                self._said = lost
            if not self._batch:
                self._batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            try:
                async with self._database.write() as connection:
                    self._chain = self._chain or await audit.begin(connection, self._vault, self._process)
                    after = await audit.append(connection, self._vault, self._chain, self._batch)
            except Conflict:
                # Either our commit succeeded and the answer was lost, or a writer moved the head: then a new chain begins.
                before, self._chain = self._chain, await self._written()
                if self._chain is None:
                    if before is not None:
                        self._note_cut(before)
                    continue
            else:
                self._chain = after
            self._batch = []

    def _note_cut(self, chain: Chain) -> None:
        """Note in the next chain that somebody else changed this process's chain, and the head that it had."""
        logger.error("the audit chain was changed behind this process", chain_id=chain.id, n=chain.n)
        self.note(audit.CHAIN_CHANGED, PROCESS, subject=f"process:{chain.id}", detail=f"{chain.n}:{chain.hash}")

    async def _written(self) -> Chain | None:
        """Return the chain after the present batch if the database has it already, else None."""
        if self._chain is None:
            return None
        _, after = audit.chained(self._chain, self._batch)
        async with self._database.read() as connection:
            return after if await audit.head(connection, self._chain.id) == after else None


def _named(scope: Mapping[str, Any]) -> str:
    """Return the record in the path of a request, other than its site: ``entry:812``.

    Only ids are used. A path can also hold a token, a code, or by mistake a patient's name; the audit stores none of these.
    """
    ids = ((name.removesuffix("_id"), value) for name, value in scope.get("path_params", {}).items())
    return next((f"{kind}:{value}" for kind, value in ids if isinstance(value, int) and kind != "site"), "")
