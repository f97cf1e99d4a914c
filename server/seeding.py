"""Seeding: sites with queues, points, displays, staff and tickets, for trials, tests and load."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, TypedDict

from server.domain import roles
from server.domain.commands import AddDisplay, AddPoint, AddQueue, Command, IssueTicket
from server.domain.model import Site
from server.domain.roles import Role
from server.execute import Executor
from server.identity.hashing import Hashing
from server.identity.staff import StaffAccounts
from server.provisioning import create_site
from server.store.database import Database


class DisplaySeed(TypedDict):
    """A display and its token."""

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
    displays: list[DisplaySeed]
    tickets: list[TicketSeed]
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

    async def queue(self, site_id: int, name: str, prefix: str) -> int:
        """Add a queue; return its id."""
        answer = await self.do(AddQueue(site_id=site_id, name=name, prefix=prefix))
        return int(answer["events"][-1]["queue_id"])

    async def point(self, site_id: int, name: str, queue_ids: list[int]) -> int:
        """Add a service point; return its id."""
        answer = await self.do(AddPoint(site_id=site_id, name=name, queue_ids=tuple(queue_ids)))
        return int(answer["events"][-1]["point_id"])

    async def display(self, site_id: int, name: str) -> DisplaySeed:
        """Add a display; return it with its token."""
        answer = await self.do(AddDisplay(site_id=site_id, name=name))
        return {"id": int(answer["events"][-1]["display_id"]), "token": answer["token"]}

    async def ticket(self, queue_id: int, **fields: Any) -> TicketSeed:
        """Issue a ticket, with more fields of `IssueTicket` if given; return it with its token."""
        return await issue_ticket(self.executor, queue_id, **fields)

    async def seed(self, points: int, tickets: int, displays: int) -> Seed:
        """Create a site in a new organisation, with up to three queues, each served by several points.

        Point i serves the queues i and i + 1 (in turn), and the tickets are spread evenly. A point that keeps calling
        finds work, and all points together empty every queue.
        """
        mark = secrets.token_hex(4)
        site = await self.site(f"Seeded {mark}", f"Seeded clinic {mark}")
        count = max(1, min(3, points))
        queue_ids = [await self.queue(site.id, f"Service {letter}", letter) for letter in "ABC"[:count]]
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
