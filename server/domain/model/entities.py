"""What a site is made of. Plain records: each has a table of the same columns, and each remembers the ``seq`` of the
event that last changed it.

Instants are integers: microseconds of UTC since 1970. The words are those of ``docs/glossary.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Priority = Literal["standard", "assisted", "urgent", "emergency"]
State = Literal[
    "waiting", "called", "serving", "completed", "no_show", "held", "transferred", "left", "cancelled", "expired"
]

PointState = Literal["open", "on_break", "closed"]
Need = Literal["fetch_in_person", "interpreter", "step_free", "chaperone"]

LAGS = (0, 10, 60)  # seconds, coarse: a screen's health is told when it changes, not all the time

OPEN_STATES: frozenset[State] = frozenset({"waiting", "called", "serving", "held"})
BUSY_STATES: frozenset[State] = frozenset({"called", "serving"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What a site decides for itself. Minutes, unless the name says otherwise.

    ``hours`` are the weekly opening hours as (weekday, from, until): 0 is Monday, the two are minutes after local
    midnight; none means always open. ``closed_on`` are days (ISO dates) on which it stays closed all the same. A no-show is
    offered after so many recalls and minutes. A target of 0 is none. ``round_the_clock``: what is open at the day's turn
    goes on into the new day.
    """

    head_start_urgent: int = 45
    head_start_assisted: int = 20
    booking_lead: int = 15
    booking_grace: int = 15
    return_lead: int = 15
    recalls_before_no_show: int = 1
    minutes_before_no_show: int = 3
    target_standard: int = 0
    target_assisted: int = 0
    target_urgent: int = 0
    names_on_display: bool = False
    round_the_clock: bool = False
    hours: tuple[tuple[int, int, int], ...] = ()
    closed_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One clinic location, with the head of its log.

    ``turns_at`` is when the business day ends, ``next_tick_at`` when the clock next has anything to do: then, or when an
    absence ends, or those who wait are quoted anew, half a minute after ``quoted_at``. ``message`` is shown on every
    display.
    """

    id: int
    organisation_id: int
    name: str
    time_zone: str
    language: str
    day_turns_at_minutes: int
    business_day: str
    turns_at: int
    next_tick_at: int
    quoted_at: int
    message: str | None
    epoch: str
    last_id: int
    last_event_at: int
    seq: int
    rules: Rules = field(default_factory=Rules)


# What has been taken away stays as a record, for the history: its ``removed_at`` is 0 only while it is there.


@dataclass(frozen=True, slots=True)
class Service:
    """What is asked for. ``public_name`` is neutral, for displays and messages; the true name, which may say what somebody
    has, is the ciphertext ``sealed`` and shown to staff alone."""

    id: int
    site_id: int
    public_name: str
    position: int
    sealed: str | None
    seq: int
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Provider:
    """A clinician whom entries may name and who may be at a point."""

    id: int
    site_id: int
    name: str
    position: int
    seq: int
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """The ordered waiting set of one service at one site. A ``paused`` one gives no tickets; who waits is still called.

    ``durations`` are how long its last patients took, each from the call on (microseconds): what waits are quoted from.
    ``capacity`` is how many may wait at once, 0 for any number. Who is transferred here keeps when they joined, unless
    ``joins_anew``.
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
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """A room or desk that calls from one or more queues, while it is ``open``; ``on_break`` until it is opened again.

    ``provider_id`` is the clinician who is there. ``unmet_needs`` are those that the room cannot meet: whoever has one of
    them is never called to it.
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
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Display:
    """A waiting-room screen, known by the keyed hash of its token; None while no device is paired with it.

    ``connected`` says whether it follows its stream, ``since`` from when (None before it ever did), ``heard_by`` in which
    server process. It says itself whether its sound is ``muted`` and which ``version`` of the page it runs; ``lag`` is for
    how many seconds at least it has not painted what it was sent, one of `LAGS`, None if it does not tell.
    """

    id: int
    site_id: int
    name: str
    token_hash: str | None
    seq: int
    removed_at: int = 0
    connected: bool = False
    since: int | None = None
    muted: bool = False
    version: str | None = None
    lag: int | None = None
    heard_by: str | None = None


@dataclass(frozen=True, slots=True)
class Kiosk:
    """A tablet at the door that gives tickets, known by the keyed hash of its token; None while none is paired."""

    id: int
    site_id: int
    name: str
    token_hash: str | None
    seq: int
    removed_at: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """One attendance, all stages. ``sealed`` is the ciphertext of what only staff may read."""

    id: int
    site_id: int
    business_day: str
    label: str
    priority: Priority
    party_size: int
    language: str
    display_name: str | None
    token_hash: str
    sealed: str | None
    opened_at: int
    seq: int
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What is sealed, in clear. It lives only between the edge and the vault.

    Of a patient it is all that is known, and ``token``, the key to their page, for the links in messages and a reprinted
    slip; of a service, its true name.
    """

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    date_of_birth: str | None = None
    notes: str | None = None
    token: str | None = None

    def corrected(self, told: Personal) -> Personal:
        """Return all that is known once ``told`` is, too: what it leaves out stays, and an empty text takes away."""
        return replace(self, **{name: value or None for name, value in asdict(told).items() if value is not None})


UNDO_MICROSECONDS = 60_000_000  # for how long after a step it can be undone
# The steps of an entry that can be undone, by the name of the event, and the commands that cause each step. A person who may
# send one of these commands may undo the step.
COMMANDS_OF_STEP: dict[str, tuple[str, ...]] = {
    "ticket-called": ("call-next", "call"),
    "service-started": ("start",),
    "service-completed": ("complete",),
    "no-show-recorded": ("no-show",),
    "ticket-transferred": ("transfer",),
    "entry-held": ("hold",),
    "entry-returned": ("return",),
    "entry-left": ("leave",),
    "entry-cancelled": ("cancel",),
    "entry-reprioritised": ("reprioritise",),
    "entry-moved": ("move",),
    "patient-running-late": ("running-late",),
    "entry-reopened": ("reopen",),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage of a visit in one queue. ``since`` is when it took its present state.

    ``absent_until`` is set while the patient has said that they come later: they keep their place and are passed over.
    ``expect_from`` and ``expect_until`` are what the patient is told of when they will be called, ``estimating`` while that
    is a guess; ``quoted_from`` and ``quoted_until`` are what they were told first. ``called_at`` is the last call.
    ``undo`` is what the last step can be taken back to, and until when; see `server.domain.board`.
    """

    id: int
    site_id: int
    business_day: str
    visit_id: int
    queue_id: int
    state: State
    band: int
    place: int
    due_at: int
    point_id: int | None
    calls: int
    since: int
    called_at: int | None
    absent_until: int | None
    expect_from: int | None
    expect_until: int | None
    estimating: bool
    quoted_from: int | None
    quoted_until: int | None
    undo: dict[str, Any] | None
    seq: int
    provider_id: int | None = None
    moved: bool = False
    quoted_ahead: int | None = None
    quoted_points: int | None = None
    first_called_at: int | None = None


@dataclass(frozen=True, slots=True)
class Announcement:
    """One call or recall, as a display shows and speaks it; or that one already heard is withdrawn."""

    id: int
    site_id: int
    business_day: str
    entry_id: int
    point_id: int
    label: str
    kind: Literal["call", "recall", "withdrawn"]
    at: int
    seq: int


@dataclass(frozen=True, slots=True)
class Counter:
    """The last ticket number given under one prefix on one business day."""

    site_id: int
    prefix: str
    business_day: str
    last: int
    seq: int


Removable = Service | Provider | Queue | Point | Display | Kiosk
Entity = Site | Removable | Visit | Entry | Announcement | Counter
