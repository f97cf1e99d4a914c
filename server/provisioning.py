"""Filling a database: sites with queues, points, displays, staff and tickets, for trials, tests and load.

Everything below the site's own row is made by commands, like everything else.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, TypedDict

from server.domain import roles
from server.domain.commands import AddDisplay, AddPoint, AddQueue, Command, IssueTicket
from server.domain.model import Site
from server.domain.roles import Role
from server.execute import Executor
from server.store import sites, staff
from server.store.database import Database
from server.vault import hash_password


class DisplaySeed(TypedDict):
    """A display and the token that it signs in with."""

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
    """What `seed` made, as ``nowserving seed --json`` prints it."""

    site_id: int
    queue_ids: list[int]
    point_ids: list[int]
    displays: list[DisplaySeed]
    tickets: list[TicketSeed]
    staff: list[StaffSeed]


@dataclass(frozen=True, slots=True)
class Setup:
    """Fills one database through one executor."""

    database: Database
    executor: Executor

    async def site(self, organisation: str, name: str, time_zone: str = "UTC", language: str = "en") -> Site:
        """Create a site (and its organisation, if new)."""
        now = await self.database.now()
        async with self.database.write() as connection:
            return await sites.create(
                connection, organisation=organisation, name=name, time_zone=time_zone, language=language, now=now
            )

    async def organisation(self, name: str) -> int:
        """Return the id of the organisation with this name. Raises `OrganisationNotFound`."""
        async with self.database.read() as connection:
            return await sites.organisation(connection, name)

    async def member(self, organisation_id: int, username: str, password: str, role: Role) -> StaffSeed:
        """Add a member of staff. Raises `NameTaken`."""
        password_hash = await asyncio.to_thread(hash_password, password)  # before the write: it is slow on purpose
        async with self.database.write() as connection:
            await staff.create(
                connection,
                organisation_id=organisation_id,
                username=username,
                password_hash=password_hash,
                role=role,
            )
        return {"username": username, "password": password, "role": role}

    async def do(self, command: Command) -> dict[str, Any]:
        """Do a command as the set-up; return its answer."""
        answer = await self.executor.execute(command, actor="setup", command_id=uuid.uuid4().hex)
        return answer.body

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

    async def ticket(self, queue_id: int, **about: Any) -> TicketSeed:
        """Issue a ticket; return it with its token."""
        answer = await self.do(IssueTicket(queue_id=queue_id, **about))
        return {"label": answer["entry"]["label"], "token": answer["token"]}

    async def seed(self, points: int, tickets: int, displays: int) -> Seed:
        """Create a site of an organisation of its own: up to three queues, each served by several points.

        Point i serves the queues i and i + 1 (in turn), and the tickets are spread evenly, so any point that keeps
        calling finds work, and all of them together empty every queue.
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
