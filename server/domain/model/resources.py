"""The parts that staff set up at a site: services, providers, queues and points.

A removed record stays for the history. ``removed_at`` is 0 while the record is in use. ``names`` are the public names in
languages of the site, as pairs of a tag and a text. A reader of another language reads the main name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.domain.model.visits import Need

Names = tuple[tuple[str, str], ...]
PointState = Literal["open", "on_break", "closed"]


@dataclass(frozen=True, slots=True)
class Service:
    """A service that patients come for.

    ``public_name`` is neutral, for displays and messages. The true name may reveal a diagnosis. It is in the ciphertext
    ``sealed``, and only staff see it.
    """

    id: int
    site_id: int
    public_name: str
    position: int
    sealed: str | None
    seq: int
    names: Names = ()
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Provider:
    """A clinician. An entry may wait for one provider, and a provider may be at a point.

    ``practitioner_id`` names the person across the sites of the organisation, so that no two sites book the same hour.
    """

    id: int
    site_id: int
    name: str
    position: int
    seq: int
    removed_at: int = 0
    practitioner_id: int | None = None

    @property
    def resource_id(self) -> int:
        """The person whose time an appointment takes: the practitioner, or the provider without one."""
        return self.id if self.practitioner_id is None else self.practitioner_id


@dataclass(frozen=True, slots=True)
class Queue:
    """The ordered waiting set of one service at one site.

    A ``paused`` queue issues no tickets; points still call its waiting patients. ``durations`` are the times that its last
    patients took, each counted from the call (microseconds). ``pauses`` are the last times that points took between two of
    them while a patient waited; None in an old row. Quotes are computed from both. ``capacity`` limits the number
    of waiting patients, 0 for no limit. A patient transferred to this queue keeps the time of joining, unless the queue has
    ``joins_anew``. The queue runs ``late_minutes`` behind its appointments, as displays show it; 0 if they show nothing.
    """

    id: int
    site_id: int
    name: str
    prefix: str
    position: int
    paused: bool
    durations: tuple[int, ...]
    seq: int
    service_id: int | None = None
    capacity: int = 0
    joins_anew: bool = False
    names: Names = ()
    removed_at: int = 0
    pauses: tuple[int, ...] | None = None
    paces: tuple[tuple[int, ...], ...] | None = None
    reactions: tuple[int, ...] | None = None
    late_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """A room or desk that calls from one or more queues while it is ``open``. A break lasts until it is opened again.

    ``provider_id`` is the clinician at the point. ``unmet_needs`` are the needs that the room cannot meet: a patient with
    one of them is never called to it.
    """

    id: int
    site_id: int
    name: str
    queue_ids: tuple[int, ...]
    position: int
    state: PointState
    seq: int
    provider_id: int | None = None
    unmet_needs: tuple[Need, ...] = ()
    names: Names = ()
    removed_at: int = 0
