"""The circuits before the providers of messages: a provider that keeps failing gets one trial message from time to time.

Each process counts the failures that it sees. It writes an opened circuit into a row, so that all processes leave the
provider alone, and one of them makes the trial.
"""

from __future__ import annotations

import uuid

import structlog

from server.circuits import LONGEST_WISH_SECONDS, Circuit, Pace
from server.queries import circuits as queries
from server.store import circuits as store
from server.store import notifications
from server.store.database import Database, Writing

logger = structlog.get_logger(__name__)

USUAL = Pace()


class Circuits:
    """The circuits of one installation, as one process knows them."""

    def __init__(self, database: Database, pace: Pace = USUAL) -> None:
        self._database = database
        self._pace = pace
        self._holder = uuid.uuid4().hex
        self._circuits: dict[str, Circuit] = {}
        self._changed: set[str] = set()  # whose rows tell another state

    async def look(self) -> None:
        """Learn which circuits other processes have opened or closed. Raises `Unavailable`."""
        async with self._database.read() as connection:
            rows = {each.name: each for each in await queries.of_providers(connection)}
        for name in (rows.keys() | self._circuits.keys()) - self._changed:
            row = rows.get(name)
            if row is None:
                self._of(name).follow(None)
            elif row.next_at != self.next_at(name):
                self._of(name).follow(_seconds(row.opened_at), _seconds(row.next_at))

    async def admits(self, name: str) -> bool:
        """Return whether a call may begin now. Of all processes, one makes the trial. Raises `Unavailable`."""
        circuit, now = self._of(name), self._database.clock.now()
        if circuit.state(_seconds(now)) == "closed":
            return True
        await self.save()
        latest = now + _microseconds(max(self._pace.longest, LONGEST_WISH_SECONDS))
        if circuit.next_at > _seconds(latest):  # the clock was set back
            circuit.next_at = _seconds(now)
        if not circuit.admits(_seconds(now)):
            return False
        until = _microseconds(circuit.next_at)
        async with self._database.write() as connection:
            return await store.take_trial(connection, name, self._holder, now, until, latest)

    def next_at(self, name: str) -> int | None:
        """Return the instant of the next trial (microseconds), or None while the circuit is closed."""
        circuit = self._of(name)
        return None if circuit.opened_at is None else _microseconds(circuit.next_at)

    def succeeded(self, name: str) -> None:
        """Note that the provider has answered."""
        circuit = self._of(name)
        if circuit.opened_at is not None:
            self._changed.add(name)
            logger.info("provider answers again", circuit=name)
        circuit.succeeded()

    def failed(self, name: str, wish: float = 0.0) -> None:
        """Note that the provider has failed. ``wish`` is the pause that it asked for, in seconds."""
        circuit = self._of(name)
        before = (circuit.opened_at, circuit.next_at)
        circuit.failed(_seconds(self._database.clock.now()), wish)
        if (circuit.opened_at, circuit.next_at) != before:
            self._changed.add(name)
            if before[0] is None:
                logger.warning("provider left alone after failures", circuit=name)

    def give_back(self, name: str) -> None:
        """Let any process make the trial that this one does not make after all."""
        if self._of(name).give_back(_seconds(self._database.clock.now())):
            self._changed.add(name)

    async def save(self) -> None:
        """Write the changed circuits into their rows. Raises `Unavailable`: then a later call writes them."""
        if not self._changed:
            return
        changed, self._changed = self._changed, set()  # calls that end meanwhile may change more
        try:
            now = await self._database.now()
            async with self._database.write() as connection:
                for name in changed:
                    circuit = self._of(name)
                    if circuit.opened_at is None:
                        await close(connection, name, now)
                    else:
                        opened_at, next_at = map(_microseconds, (circuit.opened_at, circuit.next_at))
                        await store.keep_open(connection, name, opened_at, next_at)
        except Exception:
            self._changed |= changed
            raise

    def _of(self, name: str) -> Circuit:
        return self._circuits.setdefault(name, Circuit(self._pace))


async def close(connection: Writing, name: str, now: int) -> None:
    """Close a circuit for all processes, and let the messages that wait for a provider be sent at ``now`` (microseconds)."""
    if await store.close(connection, name):
        await notifications.wake(connection, now, now + _microseconds(LONGEST_WISH_SECONDS))


def _seconds(microseconds: int) -> float:
    return microseconds / 1_000_000


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
