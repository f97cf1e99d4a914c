"""The whole set-up of a site as one value, and the command that carries it out.

A blueprint has names where the board has ids. The name identifies a record: a record with another name is another record.
The order of each list is the order on the screens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from server.domain.commands.bounds import CAPACITY, LANGUAGE, NAME, NAMES, NEEDS, QUEUES, SHOWN
from server.domain.commands.command import Command
from server.domain.commands.schedules import Stranded
from server.domain.model import CheckIn, Names, Need, Printing, Rules, languages

MOST_RECORDS = {"max_length": 200}  # of each kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """A service. Only staff see ``true_name``; ``name`` is the public name."""

    name: str = field(metadata=NAME)
    true_name: str = field(metadata=NAME)
    names: Names = field(default=(), metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlan:
    """A clinician."""

    name: str = field(metadata=NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlan:
    """A queue. ``service`` is the public name of its service, None for none. A capacity of 0 means no limit."""

    name: str = field(metadata=NAME)
    prefix: str = field(metadata={"pattern": "^[A-Z]$"})
    service: str | None = None
    capacity: int = field(default=0, metadata=CAPACITY)
    joins_anew: bool = False
    names: Names = field(default=(), metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointPlan:
    """A service point. ``queues`` are the names of the queues that it calls from."""

    name: str = field(metadata=NAME)
    queues: tuple[str, ...] = field(metadata=QUEUES)
    unmet_needs: tuple[Need, ...] = field(default=(), metadata=NEEDS)
    names: Names = field(default=(), metadata=NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayPlan:
    """A display. It shows the calls of ``queues`` to ``points``, each by name; empty means all."""

    name: str = field(metadata=NAME)
    queues: tuple[str, ...] = field(default=(), metadata=SHOWN)
    points: tuple[str, ...] = field(default=(), metadata=SHOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskPlan:
    """A kiosk. It offers the queues, or all of them if there are none."""

    name: str = field(metadata=NAME)
    queues: tuple[str, ...] = field(default=(), metadata=SHOWN)
    printing: Printing = "none"
    low: bool = False
    check_in: CheckIn = "off"
    place: str = field(default="", metadata={"max_length": 80})


Plan = ServicePlan | ProviderPlan | QueuePlan | PointPlan | DisplayPlan | KioskPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """The set-up of a site: all that `SetUp` can create, and nothing of the day (open points, providers at points)."""

    name: str = field(metadata=NAME | {"max_length": 120})
    time_zone: str = field(metadata={"min_length": 1, "max_length": 64})
    language: str = field(metadata=LANGUAGE)
    day_turns_at_minutes: int = field(default=240, metadata={"ge": 0, "le": 1439})
    rules: Rules = field(default_factory=Rules)
    services: tuple[ServicePlan, ...] = field(default=(), metadata=MOST_RECORDS)
    providers: tuple[ProviderPlan, ...] = field(default=(), metadata=MOST_RECORDS)
    queues: tuple[QueuePlan, ...] = field(default=(), metadata=MOST_RECORDS)
    points: tuple[PointPlan, ...] = field(default=(), metadata=MOST_RECORDS)
    displays: tuple[DisplayPlan, ...] = field(default=(), metadata=MOST_RECORDS)
    kiosks: tuple[KioskPlan, ...] = field(default=(), metadata=MOST_RECORDS)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the site's readers: its own first."""
        return tuple(dict.fromkeys((self.language, *self.rules.languages)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp(Command):
    """Bring the set-up of a site to a blueprint, all of it or nothing.

    Records are found by name. With ``remove``, records that the blueprint lacks are removed; without it they stay.
    A date that becomes closed may have booked appointments: without ``stranded``, they refuse the change.
    """

    internal = True

    site_id: int
    blueprint: Blueprint
    remove: bool = False
    stranded: Stranded | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a blueprint that contradicts another part. ``path`` leads to it: ``("points", 2, "queues", 0)``."""

    path: tuple[str | int, ...]
    text: str


# The lists of a blueprint, in the order in which their records can be created: a record names only earlier ones.
KINDS = ("services", "providers", "queues", "points", "displays", "kiosks")


def problems(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield what contradicts itself: two records of one name, an unknown name, a name in a language that is not offered."""
    for kind in KINDS:
        seen: set[str] = set()
        for index, plan in enumerate(getattr(blueprint, kind)):
            if plan.name in seen:
                yield Problem((kind, index, "name"), f"two {kind} have the name {plan.name}: give one another name")
            seen.add(plan.name)
            for tag, _ in getattr(plan, "names", ()):
                if languages.usual(tag) not in map(languages.usual, blueprint.languages):
                    yield Problem(
                        (kind, index, "names"), f"{tag} is no language of {blueprint.name}: add it to languages of the site"
                    )
    services = {plan.name for plan in blueprint.services}
    for index, queue in enumerate(blueprint.queues):
        if queue.service is not None and queue.service not in services:
            yield Problem(("queues", index, "service"), _unknown("service", queue.service, services))
    named = {"queues": {plan.name for plan in blueprint.queues}, "points": {plan.name for plan in blueprint.points}}
    for kind, of in (("points", ("queues",)), ("displays", ("queues", "points")), ("kiosks", ("queues",))):
        for index, plan in enumerate(getattr(blueprint, kind)):
            for each in of:
                for place, name in enumerate(getattr(plan, each)):
                    if name not in named[each]:
                        yield Problem((kind, index, each, place), _unknown(each.removesuffix("s"), name, named[each]))


def normal(blueprint: Blueprint) -> Blueprint:
    """Return the blueprint in its normal form: equal set-ups have equal normal forms."""
    own = languages.usual(blueprint.language)
    rules = replace(
        blueprint.rules,
        languages=tuple(dict.fromkeys(map(languages.usual, blueprint.rules.languages))),
        hours=tuple(sorted(set(blueprint.rules.hours))),
        closed_on=tuple(sorted(set(blueprint.rules.closed_on))),
        message_ways=tuple(dict.fromkeys(blueprint.rules.message_ways)),
        reminders=tuple(sorted(set(blueprint.rules.reminders), reverse=True)),
    )
    return replace(
        blueprint,
        language=own,
        rules=rules,
        services=tuple(replace(plan, names=_normal_names(plan.names)) for plan in blueprint.services),
        queues=tuple(replace(plan, names=_normal_names(plan.names)) for plan in blueprint.queues),
        points=tuple(
            replace(
                plan,
                names=_normal_names(plan.names),
                queues=tuple(dict.fromkeys(plan.queues)),
                unmet_needs=tuple(sorted(set(plan.unmet_needs))),
            )
            for plan in blueprint.points
        ),
        displays=tuple(
            replace(plan, queues=tuple(dict.fromkeys(plan.queues)), points=tuple(dict.fromkeys(plan.points)))
            for plan in blueprint.displays
        ),
        kiosks=tuple(replace(plan, queues=tuple(dict.fromkeys(plan.queues))) for plan in blueprint.kiosks),
    )


def _normal_names(names: Names) -> Names:
    return tuple(sorted({languages.usual(tag): name for tag, name in names}.items()))


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    there = ", ".join(sorted(known)[:10]) or "none"
    return f"there is no {kind} named {name}. Add it, or name one of these: {there}"
