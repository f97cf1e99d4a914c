"""What can be asked of a site: imperative, frozen, one dataclass each.

A command's API name is its class name in kebab case (``CallNext`` is ``call-next``). The fields are the body's fields;
the bounds in a field's metadata are enforced at the edge, before the command exists. ``site_id`` names the site that
the command locks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from server.domain.model.entities import Need, Priority
from server.domain.model.ids import site_of

_NAME = {"min_length": 1, "max_length": 80}
_REASON = {"min_length": 3, "max_length": 200}
_LANGUAGE = {"pattern": r"^[a-z]{2,3}(-[A-Z]{2})?$"}
_PARTY = {"ge": 1, "le": 20}
_NEEDS = {"max_length": 4}
_QUEUES = {"min_length": 1, "max_length": 50}
_POSITION = {"ge": 0, "le": 1000}
_CAPACITY = {"ge": 0, "le": 10_000}
_MINUTES = {"ge": 0, "le": 240}


class Command:
    """A named change to one site."""

    __slots__ = ()
    internal: ClassVar[bool] = False  # true: never reachable over the API

    @classmethod
    def name_on_wire(cls) -> str:
        """The command's name in a URL: ``IssueTicket`` is ``issue-ticket``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    if TYPE_CHECKING:  # a dataclass would take a real property here for the default of a field of this name

        @property
        def site_id(self) -> int:
            """The site whose row this command locks."""


class _OnQueue(Command):
    __slots__ = ()
    queue_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.queue_id)


class _OnPoint(Command):
    __slots__ = ()
    point_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.point_id)


class _OnEntry(Command):
    __slots__ = ()
    entry_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.entry_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTicket(_OnQueue):
    """Give a visitor the next ticket of a queue. The answer carries the ticket's token.

    ``overrule`` gives it although the site is closed or the queue is full.
    """

    queue_id: int
    priority: Priority = "standard"
    provider_id: int | None = None
    party_size: int = field(default=1, metadata=_PARTY)
    language: str | None = field(default=None, metadata=_LANGUAGE)
    needs: tuple[Need, ...] = field(default=(), metadata=_NEEDS)
    name: str | None = field(default=None, metadata=_NAME)
    phone: str | None = field(default=None, metadata={"pattern": r"^\+?[0-9 ()-]{5,24}$"})
    email: str | None = field(default=None, metadata={"pattern": r"^[^@\s]{1,64}@[^@\s]{1,180}$"})
    date_of_birth: str | None = field(default=None, metadata={"pattern": r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$"})
    notes: str | None = field(default=None, metadata={"min_length": 1, "max_length": 500})
    name_on_display: bool = False
    overrule: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNext(_OnPoint):
    """Call to a point the first of those it may serve."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(_OnEntry):
    """Call to a point one entry that is chosen by name, out of order if need be."""

    entry_id: int
    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall(_OnEntry):
    """Announce a called entry once more."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(_OnEntry):
    """The called patient has come: their service begins."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete(_OnEntry):
    """The service is done."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShow(_OnEntry):
    """The called patient did not come."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(_OnEntry):
    """End this stage and wait for the next one in another queue, with the same ticket; for one provider, if named."""

    entry_id: int
    queue_id: int
    provider_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(_OnEntry):
    """Put an entry aside: it is not called until it returns."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(_OnEntry):
    """Put a held or absent patient back into the queue, a little behind where they were."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(_OnEntry):
    """The patient gives up their place."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(_OnEntry):
    """Staff end an entry that will not be served."""

    entry_id: int
    reason: str = field(metadata=_REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprioritise(_OnEntry):
    """Give a visit another priority; its place follows. The reason is kept with it."""

    entry_id: int
    priority: Priority
    reason: str | None = field(default=None, metadata=_REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(_OnEntry):
    """Place a waiting entry directly behind another of its queue and band, or first in its band."""

    entry_id: int
    behind_entry_id: int | None
    reason: str = field(metadata=_REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLate(_OnEntry):
    """The patient comes in so many minutes: passed over until then, their place kept. 0 means: here again."""

    entry_id: int
    minutes: int = field(metadata={"ge": 0, "le": 240})


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(_OnEntry):
    """Take back an entry's last step, within a minute, while nothing later depends on it."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(_OnEntry):
    """Bring back an entry that ended today by mistake: it waits again in its old place."""

    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPoint(_OnPoint):
    """Begin to call from a point, or go on after a break."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakPoint(_OnPoint):
    """Pause a point: nobody is called to it until it opens again."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePoint(_OnPoint):
    """End a point's day."""

    point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQueue(_OnQueue):
    """Give tickets of a queue again."""

    queue_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseQueue(_OnQueue):
    """Give no more tickets of a queue; who waits in it is still called."""

    queue_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastMessage(Command):
    """Show a message on every display of the site; null takes it away."""

    site_id: int
    message: str | None = field(metadata={"min_length": 1, "max_length": 200})


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDay(Command):
    """End everything that is still open at the site, with a reason."""

    site_id: int
    reason: str = field(metadata=_REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendVisit(_OnEntry):
    """Put right what is known of a patient's visit; what is left out stays. An empty name or phone takes it away."""

    entry_id: int
    name: str | None = field(default=None, metadata={"max_length": 80})
    phone: str | None = field(default=None, metadata={"pattern": r"^(\+?[0-9 ()-]{5,24})?$"})
    party_size: int | None = field(default=None, metadata=_PARTY)
    language: str | None = field(default=None, metadata=_LANGUAGE)
    needs: tuple[Need, ...] | None = field(default=None, metadata=_NEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffPoint(_OnPoint):
    """Say which provider is at a point; null says none."""

    point_id: int
    provider_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapPoints(_OnPoint):
    """Let two points change rooms: provider, queues and whether they are open. Both have nobody with them."""

    point_id: int
    with_point_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignProvider(Command):
    """Give everybody who still waits for one provider to another, or, with null, to whoever is free."""

    provider_id: int
    to_provider_id: int | None
    reason: str = field(metadata=_REASON)

    @property
    def site_id(self) -> int:
        return site_of(self.provider_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSite(Command):
    """Change a site's settings and rules (`server.domain.model.entities.Rules`); what is left out stays."""

    site_id: int
    name: str | None = field(default=None, metadata=_NAME)
    time_zone: str | None = field(default=None, metadata={"min_length": 1, "max_length": 64})
    language: str | None = field(default=None, metadata=_LANGUAGE)
    day_turns_at_minutes: int | None = field(default=None, metadata={"ge": 0, "le": 1439})
    head_start_urgent: int | None = field(default=None, metadata=_MINUTES)
    head_start_assisted: int | None = field(default=None, metadata=_MINUTES)
    booking_lead: int | None = field(default=None, metadata=_MINUTES)
    booking_grace: int | None = field(default=None, metadata=_MINUTES)
    return_lead: int | None = field(default=None, metadata=_MINUTES)
    recalls_before_no_show: int | None = field(default=None, metadata={"ge": 0, "le": 10})
    minutes_before_no_show: int | None = field(default=None, metadata={"ge": 0, "le": 60})
    target_standard: int | None = field(default=None, metadata=_MINUTES)
    target_assisted: int | None = field(default=None, metadata=_MINUTES)
    target_urgent: int | None = field(default=None, metadata=_MINUTES)
    names_on_display: bool | None = None
    round_the_clock: bool | None = None
    hours: tuple[tuple[int, int, int], ...] | None = field(default=None, metadata={"max_length": 50})
    closed_on: tuple[str, ...] | None = field(default=None, metadata={"max_length": 100})


@dataclass(frozen=True, slots=True, kw_only=True)
class AddService(Command):
    """Add a service. Its name is shown to staff alone; ``public_name`` is what displays and messages may say."""

    site_id: int
    name: str = field(metadata=_NAME)
    public_name: str = field(metadata=_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeService(Command):
    """Change a service; what is left out stays."""

    service_id: int
    name: str | None = field(default=None, metadata=_NAME)
    public_name: str | None = field(default=None, metadata=_NAME)
    position: int | None = field(default=None, metadata=_POSITION)

    @property
    def site_id(self) -> int:
        return site_of(self.service_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddProvider(Command):
    """Add a clinician whom patients may wait for by name."""

    site_id: int
    name: str = field(metadata=_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProvider(Command):
    """Change a provider; what is left out stays."""

    provider_id: int
    name: str | None = field(default=None, metadata=_NAME)
    position: int | None = field(default=None, metadata=_POSITION)

    @property
    def site_id(self) -> int:
        return site_of(self.provider_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddQueue(Command):
    """Add a queue to a site. Queues with one prefix share their ticket numbers; the name is shown to everybody."""

    site_id: int
    name: str = field(metadata=_NAME)
    prefix: str = field(metadata={"pattern": r"^[A-Z]$"})
    service_id: int | None = None
    capacity: int = field(default=0, metadata=_CAPACITY)
    joins_anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQueue(_OnQueue):
    """Change a queue; what is left out stays. A capacity of 0 is none."""

    queue_id: int
    name: str | None = field(default=None, metadata=_NAME)
    service_id: int | None = None
    capacity: int | None = field(default=None, metadata=_CAPACITY)
    joins_anew: bool | None = None
    position: int | None = field(default=None, metadata=_POSITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPoint(Command):
    """Add a service point that draws from the given queues; ``unmet_needs`` are those that the room cannot meet."""

    site_id: int
    name: str = field(metadata=_NAME)
    queue_ids: tuple[int, ...] = field(metadata=_QUEUES)
    unmet_needs: tuple[Need, ...] = field(default=(), metadata=_NEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint(_OnPoint):
    """Change a service point; what is left out stays."""

    point_id: int
    name: str | None = field(default=None, metadata=_NAME)
    queue_ids: tuple[int, ...] | None = field(default=None, metadata=_QUEUES)
    unmet_needs: tuple[Need, ...] | None = field(default=None, metadata=_NEEDS)
    position: int | None = field(default=None, metadata=_POSITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddDisplay(Command):
    """Add a waiting-room display. The answer carries its token, shown only this once."""

    site_id: int
    name: str = field(metadata=_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddKiosk(Command):
    """Add a kiosk at the door. The answer carries its token, shown only this once."""

    site_id: int
    name: str = field(metadata=_NAME)


class _OnDevice(Command):
    __slots__ = ()
    device_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.device_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameDevice(_OnDevice):
    """Give a display or a kiosk another name."""

    device_id: int
    name: str = field(metadata=_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken(_OnDevice):
    """Give a display or a kiosk a new token, shown only this once; the one before ends."""

    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken(_OnDevice):
    """End the token of a display or a kiosk: the device is signed out until it gets a new one."""

    device_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(Command):
    """Take away a service, provider, queue, point, display or kiosk, by its id. Its history stays."""

    record_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.record_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDisplay(Command):
    """Say how a display is, as the server process ``heard_by`` knows it.

    With ``connected`` None it says nothing of the connection. That a display is gone is taken only from the process that
    last said it was there.
    """

    internal: ClassVar[bool] = True

    display_id: int
    heard_by: str
    connected: bool | None = None
    muted: bool | None = None
    version: str | None = None
    lag: int | None = None

    @property
    def site_id(self) -> int:
        return site_of(self.display_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Command):
    """Do what the clock asks: end absences, turn the day. Any process may send it; only a due one does anything."""

    internal: ClassVar[bool] = True

    site_id: int


COMMANDS: dict[str, type[Command]] = {
    command.name_on_wire(): command
    for command in (
        IssueTicket,
        CallNext,
        Call,
        Recall,
        Start,
        Complete,
        NoShow,
        Transfer,
        Hold,
        Return,
        Leave,
        Cancel,
        Reprioritise,
        Move,
        RunningLate,
        Undo,
        Reopen,
        OpenPoint,
        BreakPoint,
        ClosePoint,
        OpenQueue,
        PauseQueue,
        BroadcastMessage,
        CloseDay,
        AmendVisit,
        StaffPoint,
        SwapPoints,
        ReassignProvider,
        ChangeSite,
        AddService,
        ChangeService,
        AddProvider,
        ChangeProvider,
        AddQueue,
        ChangeQueue,
        AddPoint,
        ChangePoint,
        AddDisplay,
        AddKiosk,
        RenameDevice,
        RenewToken,
        RevokeToken,
        Remove,
        ReportDisplay,
        Tick,
    )
}
