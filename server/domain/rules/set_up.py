"""The rule that brings a site to a blueprint, and the blueprint of a site as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from server.domain.board import Board, Changes, apply
from server.domain.calendar import Calendar
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    ChangeDisplay,
    ChangeKiosk,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    Command,
    Remove,
    SetUp,
)
from server.domain.commands.blueprint import (
    KINDS,
    Blueprint,
    DisplayPlan,
    KioskPlan,
    PointPlan,
    ProviderPlan,
    QueuePlan,
    ServicePlan,
    normal,
    problems,
)
from server.domain.commands.schedules import Stranded
from server.domain.errors import InvalidField, NothingChanged, PrefixFixed
from server.domain.events import Event, OfAppointment, QueueChanged, Recorded
from server.domain.model import Names, Personal, Queue, Removable, Rules, Service
from server.domain.rules import devices
from server.domain.rules.differences import ORDERED
from server.domain.rules.lookups import name_of
from server.domain.rules.site_configuration import configure_site

_Record = TypeVar("_Record", bound=Removable)
_SITE = ("name", "time_zone", "language", "day_turns_at_minutes")


def blueprint_of(board: Board, open_sealed: Callable[[Service], Personal]) -> Blueprint:
    """Return the set-up of a site, in its normal form. ``open_sealed`` returns the true name of a service.

    Names in languages that the site no longer offers are left out, because no screen shows them.
    """
    site = board.site
    queues, points = _by_id(board.queues), _by_id(board.points)
    services = _by_id(board.services)

    def offered(names: Names) -> Names:
        return tuple(pair for pair in names if pair[0] in site.languages)

    return normal(
        Blueprint(
            name=site.name,
            time_zone=site.time_zone,
            language=site.language,
            day_turns_at_minutes=site.day_turns_at_minutes,
            rules=site.rules,
            services=tuple(
                ServicePlan(
                    name=each.public_name,
                    true_name=open_sealed(each).name or each.public_name,
                    names=offered(each.names),
                )
                for each in _in_order(board.services.values())
            ),
            providers=tuple(ProviderPlan(name=each.name) for each in _in_order(board.providers.values())),
            queues=tuple(
                QueuePlan(
                    name=each.name,
                    prefix=each.prefix,
                    service=None if each.service_id is None else services.get(each.service_id),
                    capacity=each.capacity,
                    joins_anew=each.joins_anew,
                    names=offered(each.names),
                )
                for each in _in_order(board.queues.values())
            ),
            points=tuple(
                PointPlan(
                    name=each.name,
                    queues=_named(queues, each.queue_ids),
                    unmet_needs=each.unmet_needs,
                    names=offered(each.names),
                )
                for each in _in_order(board.points.values())
            ),
            displays=tuple(
                DisplayPlan(name=each.name, queues=_named(queues, each.queue_ids), points=_named(points, each.point_ids))
                for each in _in_order(board.displays.values())
            ),
            kiosks=tuple(
                KioskPlan(
                    name=each.name,
                    queues=_named(queues, each.queue_ids),
                    printing=each.printing,
                    low=each.low,
                    check_in=each.check_in,
                    place=each.place,
                )
                for each in _in_order(board.kiosks.values())
            ),
        )
    )


def set_up(
    board: Board, command: SetUp, now: int, open_sealed: Callable[[Service], Personal], calendar: Calendar
) -> list[Event]:
    """Return the events that bring a site to a blueprint, each as the command for one record would cause it.

    Raises `InvalidField` for a blueprint that contradicts itself, `PrefixFixed`, `NothingChanged`, and the refusals of the
    commands for single records.
    """
    for problem in problems(command.blueprint):
        raise InvalidField(field=".".join(map(str, problem.path)), problem=problem.text)
    draft = _Draft(board, now, blueprint_of(board, open_sealed), calendar)
    wanted = normal(command.blueprint)
    draft.change_site(wanted, command.stranded)
    draft.set_up_services(wanted.services)
    draft.set_up_providers(wanted.providers)
    draft.set_up_queues(wanted.queues)
    draft.set_up_points(wanted.points)
    draft.set_up_displays(wanted.displays)
    draft.set_up_kiosks(wanted.kiosks)
    if command.remove:
        for kind in reversed(KINDS):
            draft.remove_all_but(kind, {plan.name for plan in getattr(wanted, kind)})
    for kind in ORDERED:
        draft.arrange(kind, [plan.name for plan in getattr(wanted, kind)])
    if not draft.events:
        raise NothingChanged()
    return draft.events


class _Draft:
    """A copy of a board, on which the commands for single records are carried out one after the other."""

    def __init__(self, board: Board, now: int, before: Blueprint, calendar: Calendar) -> None:
        self.board = Board(board.site, board.records())
        self.now = now
        self.before = before
        self.calendar = calendar
        self.events: list[Event] = []

    def do(self, command: Command) -> None:
        self.happen(configure_site(self.board, command, self.now, self.calendar))

    def happen(self, events: Sequence[Event]) -> None:
        for event in events:
            # An appointment of another day is on no board: its row is lent for the event.
            if isinstance(event, OfAppointment) and (row := self.calendar.appointment(event.appointment_id)) is not None:
                self.board.lend(row)
            apply(self.board, Recorded(self.board.site.seq + 1, self.now, "", event), Changes())
            self.events.append(event)

    def change_site(self, wanted: Blueprint, stranded: Stranded | None) -> None:
        before = self.before
        changed = {name: value for name in _SITE if (value := getattr(wanted, name)) != getattr(before, name)}
        for item in fields(Rules):
            if (value := getattr(wanted.rules, item.name)) != getattr(before.rules, item.name):
                changed[item.name] = value
        if changed:
            self.do(ChangeSite(site_id=self.board.site.id, stranded=stranded, **changed))

    def set_up_services(self, plans: Iterable[ServicePlan]) -> None:
        before = {plan.name: plan for plan in self.before.services}
        for plan in plans:
            service = self._found("services", plan.name)
            if service is None:
                self.do(AddService(site_id=self.board.site.id, name=plan.true_name, public_name=plan.name, names=plan.names))
                continue
            name = plan.true_name if plan.true_name != before[plan.name].true_name else None
            names = self._new_names(service, plan.names)
            if name is not None or names is not None:
                self.do(ChangeService(service_id=service.id, name=name, names=names))

    def set_up_providers(self, plans: Iterable[ProviderPlan]) -> None:
        for plan in plans:
            if self._found("providers", plan.name) is None:
                self.do(AddProvider(site_id=self.board.site.id, name=plan.name))

    def set_up_queues(self, plans: Iterable[QueuePlan]) -> None:
        for plan in plans:
            queue = self._found("queues", plan.name)
            service_id = self._id_of("services", plan.service)
            if queue is None:
                self.do(
                    AddQueue(
                        site_id=self.board.site.id,
                        name=plan.name,
                        prefix=plan.prefix,
                        service_id=service_id,
                        capacity=plan.capacity,
                        joins_anew=plan.joins_anew,
                        names=plan.names,
                    )
                )
                continue
            if queue.prefix != plan.prefix:
                raise PrefixFixed(queue_id=queue.id, queue_name=queue.name, prefix=queue.prefix)
            names = self._new_names(queue, plan.names)
            changed = self._new_values(queue, service_id=service_id, capacity=plan.capacity, joins_anew=plan.joins_anew)
            if "service_id" in changed and service_id is None:
                del changed["service_id"]
                self.happen([_without_service(queue)])
            if changed or names is not None:
                self.do(ChangeQueue(queue_id=queue.id, names=names, **changed))

    def set_up_points(self, plans: Iterable[PointPlan]) -> None:
        for plan in plans:
            point = self._found("points", plan.name)
            queue_ids = self._ids_of("queues", plan.queues)
            if point is None:
                self.do(
                    AddPoint(
                        site_id=self.board.site.id,
                        name=plan.name,
                        queue_ids=queue_ids,
                        unmet_needs=plan.unmet_needs,
                        names=plan.names,
                    )
                )
                continue
            names = self._new_names(point, plan.names)
            changed = self._new_values(point, queue_ids=queue_ids, unmet_needs=plan.unmet_needs)
            if changed or names is not None:
                self.do(ChangePoint(point_id=point.id, names=names, **changed))

    def set_up_displays(self, plans: Iterable[DisplayPlan]) -> None:
        before = {plan.name: plan for plan in self.before.displays}
        for plan in plans:
            if self._found("displays", plan.name) is None:
                added = AddDisplay(site_id=self.board.site.id, name=plan.name)
                self.happen(devices.add_display(self.board, added, None))
            known = before.get(plan.name, DisplayPlan(name=plan.name))
            if (known.queues, known.points) != (plan.queues, plan.points):
                display = self._found("displays", plan.name)
                assert display is not None
                changed = ChangeDisplay(
                    display_id=display.id,
                    queue_ids=self._ids_of("queues", plan.queues),
                    point_ids=self._ids_of("points", plan.points),
                )
                self.happen(devices.change_display(self.board, changed))

    def set_up_kiosks(self, plans: Iterable[KioskPlan]) -> None:
        before = {plan.name: plan for plan in self.before.kiosks}
        for plan in plans:
            if self._found("kiosks", plan.name) is None:
                self.happen(devices.add_kiosk(self.board, AddKiosk(site_id=self.board.site.id, name=plan.name), None))
            if before.get(plan.name, KioskPlan(name=plan.name)) != plan:
                kiosk = self._found("kiosks", plan.name)
                assert kiosk is not None
                changed = ChangeKiosk(
                    kiosk_id=kiosk.id,
                    queue_ids=self._ids_of("queues", plan.queues),
                    printing=plan.printing,
                    low=plan.low,
                    check_in=plan.check_in,
                    place=plan.place,
                )
                self.happen(devices.change_kiosk(self.board, changed))

    def remove_all_but(self, kind: str, names: set[str]) -> None:
        for record in self._records(kind):
            if name_of(record) not in names:
                self.do(Remove(record_id=record.id))

    def arrange(self, kind: str, names: Sequence[str]) -> None:
        """Bring the records of a kind into the order of ``names``; others follow in their order."""
        records = self._records(kind)
        if [name for record in records if (name := name_of(record)) in names] == list(names):
            return
        last = len(names)
        places = {name: place for place, name in enumerate(names)}
        for position, record in enumerate(sorted(records, key=lambda each: places.get(name_of(each), last))):
            if record.position != position:
                self.do(_ORDER[kind](record.id, position))

    def _records(self, kind: str) -> list[Any]:
        return _in_order(getattr(self.board, kind).values())

    def _found(self, kind: str, name: str) -> Any:
        return next((record for record in self._records(kind) if name_of(record) == name), None)

    def _id_of(self, kind: str, name: str | None) -> int | None:
        return None if name is None else self._found(kind, name).id

    def _ids_of(self, kind: str, names: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._found(kind, name).id for name in names)

    def _new_names(self, record: Any, names: Names) -> Names | None:
        """Return the names to set, or None if the names that readers of the site see stay the same."""
        shown = tuple(pair for pair in record.names if pair[0] in self.board.site.languages)
        return None if shown == names else names

    def _new_values(self, record: Any, **wanted: Any) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if getattr(record, name) != value}


_ORDER: dict[str, Callable[[int, int], Command]] = {
    "services": lambda record_id, position: ChangeService(service_id=record_id, position=position),
    "providers": lambda record_id, position: ChangeProvider(provider_id=record_id, position=position),
    "queues": lambda record_id, position: ChangeQueue(queue_id=record_id, position=position),
    "points": lambda record_id, position: ChangePoint(point_id=record_id, position=position),
}


def _without_service(queue: Queue) -> QueueChanged:
    """Return the event that takes a queue out of its service. `ChangeQueue` has no word for it: None means unchanged."""
    return QueueChanged(
        queue_id=queue.id,
        name=queue.name,
        service_id=None,
        capacity=queue.capacity,
        joins_anew=queue.joins_anew,
        position=queue.position,
        names=queue.names,
    )


def _in_order(records: Iterable[_Record]) -> list[_Record]:
    """Return the records in use, in the order of the screens."""
    return sorted(
        (each for each in records if not each.removed_at), key=lambda each: (getattr(each, "position", 0), each.id)
    )


def _by_id(records: dict[int, Any]) -> dict[int, str]:
    return {key: name_of(record) for key, record in records.items() if not record.removed_at}


def _named(names: dict[int, str], ids: Iterable[int]) -> tuple[str, ...]:
    return tuple(names[each] for each in ids if each in names)
