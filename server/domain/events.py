"""What has happened at a site: past tense, frozen, one dataclass each.

Events are the log, and the log is the truth: the tables and every screen are what `server.domain.board.apply` makes of
it. An event's wire name is its class name in kebab case (``TicketCalled`` is ``ticket-called``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

from server.domain.model.entities import Need, Personal, Priority, Rules


class Event:
    """Something that happened at one site."""

    __slots__ = ()
    # Fields that stay inside: never in an answer of the API.
    kept_inside: ClassVar[frozenset[str]] = frozenset(
        {
            "sealed",
            "personal",
            "token_hash",
            "band",
            "place",
            "due_at",
            "next_turn_at",
            "pushed",
            "absent_until",
            "quotes",
            "expect_from",
            "expect_until",
            "quoted_ahead",
            "quoted_points",
            "heard_by",
        }
    )

    @classmethod
    def name_on_wire(cls) -> str:
        """The event's name in the log and in answers: ``TicketCalled`` is ``ticket-called``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


# What was added after the first logs were written has a default: old logs are read for ever.


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteChanged(Event):
    """The site's settings and rules as they are now."""

    name: str
    time_zone: str
    language: str
    day_turns_at_minutes: int
    next_turn_at: int
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAdded(Event):
    """``personal`` is the true name, sealed into ``sealed`` before the event is stored."""

    service_id: int
    public_name: str
    position: int
    personal: Personal | None = None
    sealed: str | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` is bound to."""
        return f"service:{self.service_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChanged(Event):
    """The service as it is now; ``sealed`` is None when the true name stays."""

    service_id: int
    public_name: str
    position: int
    personal: Personal | None = None
    sealed: str | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` is bound to."""
        return f"service:{self.service_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAdded(Event):
    provider_id: int
    name: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChanged(Event):
    provider_id: int
    name: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReassigned(Event):
    """Everybody who still waited for one provider now waits for another, or for whoever is free."""

    provider_id: int
    to_provider_id: int | None
    entry_ids: tuple[int, ...]
    labels: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAdded(Event):
    queue_id: int
    name: str
    prefix: str
    position: int
    service_id: int | None = None
    capacity: int = 0
    joins_anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanged(Event):
    """The queue as it is now."""

    queue_id: int
    name: str
    service_id: int | None
    capacity: int
    joins_anew: bool
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointAdded(Event):
    point_id: int
    name: str
    queue_ids: tuple[int, ...]
    position: int
    unmet_needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PointChanged(Event):
    """The point as it is now."""

    point_id: int
    name: str
    queue_ids: tuple[int, ...]
    unmet_needs: tuple[Need, ...]
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointStaffed(Event):
    point_id: int
    provider_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSwapped(Event):
    point_id: int
    with_point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayAdded(Event):
    display_id: int
    name: str
    token_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskAdded(Event):
    kiosk_id: int
    name: str
    token_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRenamed(Event):
    device_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(Event):
    device_id: int
    token_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Event):
    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayReported(Event):
    """How a display is now; ``heard_by`` is the server process that knows."""

    display_id: int
    connected: bool
    heard_by: str | None
    muted: bool
    version: str | None
    lag: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRemoved(Event):
    """A service, provider, queue, point, display or kiosk was taken away."""

    record_id: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitAmended(Event):
    """What is known of the visit now. ``personal`` is what has been told anew; with what was known before it is sealed into
    ``sealed``. Where both are None, nothing of it has changed, nor has the name for displays."""

    visit_id: int
    entry_id: int
    label: str
    party_size: int
    language: str
    needs: tuple[Need, ...]
    display_name: str | None = None
    personal: Personal | None = None
    sealed: str | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` is bound to."""
        return f"visit:{self.visit_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketIssued(Event):
    """``personal`` is sealed into ``sealed`` before the event is stored: nothing in the log is in clear."""

    visit_id: int
    entry_id: int
    queue_id: int
    label: str
    prefix: str
    number: int
    priority: Priority
    party_size: int
    language: str
    display_name: str | None
    band: int
    place: int
    due_at: int
    expect_from: int | None
    expect_until: int | None
    estimating: bool
    token_hash: str
    personal: Personal | None = None
    sealed: str | None = None
    needs: tuple[Need, ...] = ()
    provider_id: int | None = None
    quoted_ahead: int | None = None
    quoted_points: int | None = None

    @property
    def seals_for(self) -> str:
        """The record that ``sealed`` is bound to."""
        return f"visit:{self.visit_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCalled(Event):
    """``reason`` says why this one and not another: kept with the call, shown to staff."""

    entry_id: int
    point_id: int
    announcement_id: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecalled(Event):
    entry_id: int
    point_id: int
    announcement_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStarted(Event):
    entry_id: int
    point_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCompleted(Event):
    entry_id: int
    point_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShowRecorded(Event):
    entry_id: int
    point_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketTransferred(Event):
    entry_id: int
    new_entry_id: int
    queue_id: int
    label: str
    band: int
    place: int
    due_at: int
    expect_from: int | None
    expect_until: int | None
    estimating: bool
    provider_id: int | None = None
    moved: bool = False
    quoted_ahead: int | None = None
    quoted_points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsQuoted(Event):
    """Those whose quote has changed are told anew when to expect their call: (entry, from, until, estimating)."""

    quotes: tuple[tuple[int, int | None, int | None, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryHeld(Event):
    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReturned(Event):
    entry_id: int
    label: str
    place: int
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLeft(Event):
    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCancelled(Event):
    entry_id: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReprioritised(Event):
    entry_id: int
    label: str
    priority: Priority
    band: int
    place: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryMoved(Event):
    """``pushed`` are the entries that had to make room, as (entry, place): ranks never tie by accident."""

    entry_id: int
    label: str
    place: int
    reason: str
    pushed: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRunningLate(Event):
    entry_id: int
    label: str
    absent_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceEnded(Event):
    """They are here again, or the time that they asked for is over."""

    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUndone(Event):
    """The last step of an entry was taken back. ``announcement_id`` is set when an announcement had been heard."""

    entry_id: int
    label: str
    step: str
    point_id: int | None
    announcement_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReopened(Event):
    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointOpened(Event):
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointBreakBegan(Event):
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointClosed(Event):
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOpened(Event):
    queue_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    queue_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBroadcast(Event):
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClosed(Event):
    """Staff closed the day; every entry that was open has ended in this command's other events."""

    reason: str
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryExpired(Event):
    """The business day turned while this entry was still open."""

    entry_id: int
    label: str
    was: Literal["waiting", "called", "serving", "held"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTurned(Event):
    """A new business day: ticket numbers begin anew, yesterday leaves the screens, but for the entries that are ``carried``
    into the new day where the site never closes."""

    business_day: str
    next_turn_at: int
    carried: tuple[int, ...] = ()


EVENTS: dict[str, type[Event]] = {
    event.name_on_wire(): event
    for event in (
        SiteChanged,
        ServiceAdded,
        ServiceChanged,
        ProviderAdded,
        ProviderChanged,
        ProviderReassigned,
        QueueAdded,
        QueueChanged,
        PointAdded,
        PointChanged,
        PointStaffed,
        PointsSwapped,
        DisplayAdded,
        KioskAdded,
        DeviceRenamed,
        TokenRenewed,
        TokenRevoked,
        DisplayReported,
        RecordRemoved,
        VisitAmended,
        TicketIssued,
        TicketCalled,
        TicketRecalled,
        ServiceStarted,
        ServiceCompleted,
        NoShowRecorded,
        TicketTransferred,
        WaitsQuoted,
        EntryHeld,
        EntryReturned,
        EntryLeft,
        EntryCancelled,
        EntryReprioritised,
        EntryMoved,
        PatientRunningLate,
        AbsenceEnded,
        StepUndone,
        EntryReopened,
        PointOpened,
        PointBreakBegan,
        PointClosed,
        QueueOpened,
        QueuePaused,
        MessageBroadcast,
        DayClosed,
        EntryExpired,
        DayTurned,
    )
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the site's log: its number, its instant (microseconds), and who caused it."""

    seq: int
    at: int
    actor: str
    event: Event


def others(event: Event) -> tuple[int, ...]:
    """Return the entries that an event changed besides the one it names: it belongs to their histories, too."""
    match event:
        case ProviderReassigned():
            return event.entry_ids
        case EntryMoved():
            return tuple(entry_id for entry_id, _ in event.pushed)
        case DayTurned():
            return event.carried
    return ()


def body_of(event: Event) -> dict[str, Any]:
    """Return the event's fields as JSON-ready values, without ``personal`` and ``sealed``."""
    body: dict[str, Any] = {}
    for item in fields(event):  # type: ignore[arg-type]
        if item.name not in ("personal", "sealed"):
            value = getattr(event, item.name)
            body[item.name] = _listed(value)
    return body


def _listed(value: Any) -> Any:
    if isinstance(value, Rules):
        return {key: _listed(each) for key, each in asdict(value).items()}
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    if isinstance(value, dict):
        return Rules(**{key: _tupled(each) for key, each in value.items()})
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value


def event_from(name: str, body: Mapping[str, Any], sealed: str | None) -> Event:
    """Rebuild an event from its wire name, body and sealed part. Raises `KeyError` for a name this version lacks."""
    cls = EVENTS[name]
    values = {key: _tupled(value) for key, value in body.items()}
    if sealed is not None:
        values["sealed"] = sealed
    return cls(**values)


def shown(recorded: Recorded) -> dict[str, Any]:
    """Return what a caller of the API sees of an event: instants in milliseconds, nothing that is kept inside."""
    return {
        "seq": recorded.seq,
        "at": recorded.at // 1000,
        "type": recorded.event.name_on_wire(),
        **{key: value for key, value in body_of(recorded.event).items() if key not in Event.kept_inside},
    }
