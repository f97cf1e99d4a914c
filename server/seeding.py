"""Seeding: sites with queues, points, displays, staff and tickets, for trials, tests and load."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, TypedDict

from server.domain import roles
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddSchedule,
    AddService,
    Command,
    IssueTicket,
)
from server.domain.model import Site
from server.domain.roles import Role
from server.execute import Executor
from server.identity.hashing import Hashing
from server.identity.staff import StaffAccounts
from server.provisioning import create_site
from server.store.database import Database

# The simulation leaves appointments whose foreign id begins like this to the visitor of the demo.
YOUR_APPOINTMENT = "demo"


class DeviceSeed(TypedDict):
    """A display or a kiosk, and its token."""

    id: int
    token: str


class TicketSeed(TypedDict):
    """A ticket and the token of its page."""

    label: str
    token: str


class StaffSeed(TypedDict):
    """A member of staff who can sign in."""

    username: str
    password: str
    role: str


class Seed(TypedDict):
    """The result of `Seeder.seed`, which ``nowserving seed --json`` prints."""

    site_id: int
    queue_ids: list[int]
    point_ids: list[int]
    displays: list[DeviceSeed]
    tickets: list[TicketSeed]
    service_ids: list[int]
    provider_ids: list[int]
    staff: list[StaffSeed]


@dataclass(frozen=True, slots=True)
class Seeder:
    """Fills one database through one executor."""

    database: Database
    executor: Executor
    hashing: Hashing = field(default_factory=Hashing)

    async def site(self, organisation: str, name: str, time_zone: str = "UTC", language: str = "en") -> Site:
        """Create a site, and its organisation if none has that name."""
        return await create_site(
            self.database, self.executor.vault, organisation, name, time_zone=time_zone, language=language
        )

    async def member(self, organisation_id: int, username: str, password: str, role: Role) -> StaffSeed:
        """Add a member of staff. Raises as `StaffAccounts.add` does."""
        accounts = StaffAccounts(self.database, self.executor.vault, self.hashing)
        _, name = await accounts.add(organisation_id, username, password, role, actor="setup")
        return {"username": name, "password": password, "role": role}

    async def do(self, command: Command) -> dict[str, Any]:
        """Do a command; return its answer."""
        return await do(self.executor, command)

    async def service(self, site_id: int, name: str) -> int:
        """Add a service whose true and public name are the same; return its id."""
        answer = await self.do(AddService(site_id=site_id, name=name, public_name=name))
        return int(answer["events"][-1]["service_id"])

    async def provider(self, site_id: int, name: str, service_ids: list[int], valid_from: str) -> int:
        """Add a provider who offers services from Monday to Friday, 9 to 17, in steps of 15 minutes; return its id."""
        answer = await self.do(AddProvider(site_id=site_id, name=name))
        provider_id = int(answer["events"][-1]["provider_id"])
        for weekday in range(5):
            await self.do(
                AddSchedule(
                    site_id=site_id,
                    provider_id=provider_id,
                    service_ids=tuple(service_ids),
                    weekday=weekday,
                    from_="09:00",
                    until="17:00",
                    slot_minutes=15,
                    valid_from=valid_from,
                )
            )
        return provider_id

    async def queue(self, site_id: int, name: str, prefix: str, service_id: int | None = None) -> int:
        """Add a queue; return its id."""
        answer = await self.do(AddQueue(site_id=site_id, name=name, prefix=prefix, service_id=service_id))
        return int(answer["events"][-1]["queue_id"])

    async def point(self, site_id: int, name: str, queue_ids: list[int]) -> int:
        """Add a service point; return its id."""
        answer = await self.do(AddPoint(site_id=site_id, name=name, queue_ids=tuple(queue_ids)))
        return int(answer["events"][-1]["point_id"])

    async def display(self, site_id: int, name: str) -> DeviceSeed:
        """Add a display; return it with its token."""
        answer = await self.do(AddDisplay(site_id=site_id, name=name))
        return {"id": int(answer["events"][-1]["display_id"]), "token": answer["token"]}

    async def kiosk(self, site_id: int, name: str) -> DeviceSeed:
        """Add a kiosk; return it with its token."""
        answer = await self.do(AddKiosk(site_id=site_id, name=name))
        return {"id": int(answer["events"][-1]["kiosk_id"]), "token": answer["token"]}

    async def ticket(self, queue_id: int, **fields: Any) -> TicketSeed:
        """Issue a ticket, with more fields of `IssueTicket` if given; return it with its token."""
        return await issue_ticket(self.executor, queue_id, **fields)

    async def seed(
        self, points: int, tickets: int, displays: int, providers: int | None = None, time_zone: str = "UTC"
    ) -> Seed:
        """Create a site in a new organisation, with up to three queues, each served by several points.

        With ``providers``, each queue has a service, and so many providers offer all services by appointment.

        Point i serves the queues i and i + 1 (in turn), and the tickets are spread evenly. A point that keeps calling
        finds work, and all points together empty every queue.
        """
        mark = secrets.token_hex(4)
        site = await self.site(f"Seeded {mark}", f"Seeded clinic {mark}", time_zone)
        count = max(1, min(3, points))
        letters = "ABC"[:count]
        service_ids = [] if providers is None else [await self.service(site.id, f"Service {each}") for each in letters]
        offered: list[int | None] = [*service_ids] or [None] * count
        queue_ids = [
            await self.queue(site.id, f"Service {letter}", letter, service_id)
            for letter, service_id in zip(letters, offered, strict=True)
        ]
        return {
            "site_id": site.id,
            "queue_ids": queue_ids,
            "point_ids": [
                await self.point(
                    site.id,
                    f"Room {index + 1}",
                    list(dict.fromkeys((queue_ids[index % count], queue_ids[(index + 1) % count]))),
                )
                for index in range(points)
            ],
            "displays": [await self.display(site.id, f"Display {index + 1}") for index in range(displays)],
            "tickets": [await self.ticket(queue_ids[index % count]) for index in range(tickets)],
            "service_ids": service_ids,
            "provider_ids": [
                await self.provider(site.id, f"Dr {index + 1}", service_ids, site.business_day)
                for index in range(providers or 0)
            ],
            "staff": [
                await self.member(site.organisation_id, f"{role}-{mark}", secrets.token_urlsafe(12), role)
                for role in roles.ROLES
            ],
        }


async def do(executor: Executor, command: Command) -> dict[str, Any]:
    """Do a command as the actor ``setup``; return its answer."""
    answer = await executor.execute(command, actor="setup", command_id=uuid.uuid4().hex)
    return answer.body


async def issue_ticket(executor: Executor, queue_id: int, **fields: Any) -> TicketSeed:
    """Issue a ticket, with more fields of `IssueTicket` if given; return it with its token."""
    answer = await do(executor, IssueTicket(queue_id=queue_id, **fields))
    return {"label": answer["entry"]["label"], "token": answer["token"]}


def next_quarters(now: float, skip: int, count: int) -> list[int]:
    """Return the begins of ``count`` quarter hours after ``now`` (seconds since 1970), in microseconds."""
    first = int(now) // 900 + 1 + skip
    return [quarter * 900_000_000 for quarter in range(first, first + count)]
