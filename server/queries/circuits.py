"""The circuits before providers and webhooks, as the database tells them to every process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.circuits import VALUES, State
from server.queries import webhooks
from server.queries.reader import Reader
from server.store.circuits import PREFIX
from server.store.tables import leases

# The kinds of circuits: the names of channels, and the webhooks together. No label names a host or an address.
PROVIDERS = ("smtp", "smsapi", "infobip", "apprise", "push")
WEBHOOKS = "webhooks"

_OPEN = select(leases.c.name, leases.c.finished_at, leases.c.until).where(leases.c.name.startswith(PREFIX))


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """A circuit that is not closed: its name, such as ``smtp:7``, its opening and its next trial (microseconds)."""

    name: str
    opened_at: int
    next_at: int

    @property
    def kind(self) -> str:
        """The part of the name that is the same for all circuits of a kind."""
        return self.name.partition(":")[0]

    @property
    def service(self) -> str:
        """The rest of the name: the id of a channel, or the host of a push service."""
        return self.name.partition(":")[2]

    def state(self, now: int) -> State:
        """Return ``open``, or ``half-open`` if a trial may begin."""
        return "open" if now < self.next_at else "half-open"


async def of_providers(connection: AsyncConnection) -> list[OpenCircuit]:
    """Return the circuits before providers that are not closed."""
    rows = await connection.execute(_OPEN)
    return [OpenCircuit(name.removeprefix(PREFIX), opened_at or until, until) for name, opened_at, until in rows]


async def listed(database: Reader) -> list[OpenCircuit]:
    """Return all circuits of the installation that are not closed. Raises `Unavailable`."""
    async with database.read() as connection:
        found = await of_providers(connection)
        broken = await webhooks.broken(connection)
    return found + [OpenCircuit(f"{WEBHOOKS}:{each.webhook_id}", each.failing_since, each.next_at) for each in broken]


class CircuitTally:
    """The circuits of the installation for the metrics of one process: a scrape asks the database nothing."""

    def __init__(self) -> None:
        self.states: dict[str, State] = dict.fromkeys((*PROVIDERS, WEBHOOKS), "closed")  # the worst one of each kind
        self.open: Counter[str] = Counter()  # by kind, the number of circuits that are not closed
        self.openings: Counter[str] = Counter(dict.fromkeys(self.states, 0))  # by kind, since this process began
        self._known: set[tuple[str, int]] | None = None

    async def update(self, database: Reader) -> None:
        """Look at the circuits, and count those that opened since the last call. Raises `Unavailable`."""
        self._take(await listed(database), await database.now())

    def _take(self, found: Iterable[OpenCircuit], now: int) -> None:
        states: dict[str, State] = dict.fromkeys(self.states, "closed")
        number: Counter[str] = Counter()
        known: set[tuple[str, int]] = set()
        for each in found:
            if each.kind in states:
                states[each.kind] = max(states[each.kind], each.state(now), key=VALUES.__getitem__)
                number[each.kind] += 1
                known.add((each.name, each.opened_at))
        if self._known is not None:
            for name, _ in known - self._known:
                self.openings[name.partition(":")[0]] += 1
        self.states, self.open, self._known = states, number, known
