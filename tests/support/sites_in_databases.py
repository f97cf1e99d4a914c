"""A site of a real database, as `tests.support.worlds.command_of` needs a world: its commands fit the rows of the site."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import select

from server.domain.board import Board
from server.domain.commands import Command
from server.domain.model import Appointment
from server.queries.boards import Boards
from server.store.database import Database
from server.store.patients import keyed, phone_digits
from server.store.records import columns_of, record_of
from server.store.tables import appointments, practitioners
from server.vault import Vault
from tests.support.worlds import RowCalendar, command_of


class StoredCalendar(RowCalendar):
    """The calendar of the rows that a database had, with the hashes of its installation."""

    def __init__(self, site_id: int, rows: Iterable[Appointment], people: set[int], vault: Vault) -> None:
        super().__init__({(Appointment, each.id): each for each in rows})
        self._site_id = site_id
        self._people = people
        self._vault = vault

    def token_hash(self, token: str) -> str:
        return self._vault.keyed_hash(token)

    def phone_hash(self, phone: str) -> str:
        return keyed(self._vault, self._site_id, "phone", phone_digits(phone))

    def has_practitioner(self, practitioner_id: int) -> bool:
        return practitioner_id in self._people


class StoredWorld:
    """The board and the calendar of a site at one moment. ``tokens`` are those of appointments by their hash."""

    def __init__(self, board: Board, calendar: StoredCalendar, now: int, tokens: dict[str, str]) -> None:
        self.board = board
        self.calendar = calendar
        self.now = now
        self._tokens = tokens

    def command(self, action: str, about: int) -> Command:
        """Return the command of a step, with the ids and the tokens of this site."""
        command = command_of(self, action, about)  # type: ignore[arg-type]
        names = {item.name for item in fields(command)}  # type: ignore[arg-type]
        new: dict[str, Any] = {"site_id": self.board.site.id} if "site_id" in names else {}
        if getattr(command, "hold_token", None) is not None:
            new["hold_token"] = self._tokens.get(command.hold_token, "none")  # type: ignore[attr-defined]
        return replace(command, **new)  # type: ignore[type-var]


class StoredSite:
    """A site of a database, and the tokens of its appointments that answers have told."""

    def __init__(self, database: Database, site_id: int, vault: Vault) -> None:
        self._database = database
        self._site_id = site_id
        self._vault = vault
        self._tokens: dict[str, str] = {}

    async def world(self, board: Board | None = None) -> StoredWorld:
        """Return the present state of the site. With ``board``, only its appointments are read."""
        board = board or await Boards(self._database).board(self._site_id)
        mine = select(*columns_of(Appointment)).where(appointments.c.site_id == self._site_id)
        async with self._database.read() as connection:
            rows = [record_of(Appointment, row._mapping) for row in await connection.execute(mine)]
            people = set(await connection.scalars(select(practitioners.c.id)))
        calendar = StoredCalendar(self._site_id, rows, people, self._vault)
        return StoredWorld(board, calendar, self._database.clock.now(), self._tokens)

    def learn(self, answer: dict[str, Any]) -> None:
        """Remember the token in the answer of a command."""
        if "appointment" in answer and "token" in answer:
            self._tokens[self._vault.keyed_hash(answer["token"])] = answer["token"]
