"""Joining a queue with a patient's own phone: codes, passes, and the ticket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from server.domain.board import Board
from server.domain.commands import JoinQueue
from server.domain.errors import JoinedAlready, Unavailable
from server.domain.model import Queue
from server.domain.rules import joining as rules
from server.domain.rules.quoting import newcomers_quotes
from server.domain.waits import Quote
from server.execute import Executor
from server.identity.phones import Phone, new_phone
from server.identity.presence import PresenceCode, check_code, present_code
from server.queries.boards import Boards
from server.store.database import Database
from server.vault import Vault

ACTOR_LENGTH = 8
KEPT_MICROSECONDS = 3_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a phone asks for: a place in a queue. ``key`` is the same for each repeat of one request."""

    queue_id: int
    language: str | None
    phone_number: str | None
    key: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A queue of a site, whether it gives tickets now, and the quote of a newcomer, if it is known."""

    queue: Queue
    room: rules.Room
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class Joining:
    """Joins phones to the queues of one database."""

    _database: Database
    _vault: Vault
    _executor: Executor
    _boards: Boards
    _kept: dict[int, tuple[object, list[Offer]]] = field(default_factory=dict)  # by site

    def code(self, site_id: int) -> PresenceCode:
        """Return the code that the screens of a site show now."""
        return present_code(self._vault, site_id, self._database.clock.now())

    def admit(self, phone: Phone | None, site_id: int, code: str | None) -> Phone:
        """Return the phone with a pass for a site, for a good ``code``. None needs no code: the site asks for none.

        Raises `JoinCodeNeeded`, `JoinCodeOld`, `JoinCodeWrong`.
        """
        clock = self._database.clock
        if code is not None:
            check_code(self._vault, site_id, code, clock.now())
        return (phone or new_phone(clock.seconds())).with_pass(site_id, clock.seconds())

    def knows(self, phone: Phone | None, site_id: int) -> bool:
        """Return whether a phone has a pass for a site."""
        return phone is not None and phone.has_pass(site_id, self._database.clock.seconds())

    def ticket_of(self, phone: Phone | None, board: Board) -> str | None:
        """Return the token of the phone's open ticket at a site, or None."""
        visit = None if phone is None else rules.open_visit_of(board, self._name_of(phone, board))
        return None if visit is None else self._vault.open_personal(visit).token

    def offers(self, board: Board) -> list[Offer]:
        """Return the queues of a site in the order of its screens.

        Many phones look at a board while it stays the same: they share one calculation of its quotes.
        """
        now = self._database.clock.now()
        key = (board.site.epoch, board.site.seq, now // KEPT_MICROSECONDS)
        kept = self._kept.get(board.site.id)
        if kept is not None and kept[0] == key:
            return kept[1]
        queues = [each for each in board.queues.values() if not each.removed_at]
        queues.sort(key=lambda each: (each.position, each.id))
        quotes = newcomers_quotes(board, now)
        offers = [Offer(each, rules.room_in(board, each), quotes[each.id]) for each in queues]
        self._kept[board.site.id] = key, offers
        return offers

    async def join(
        self, phone: Phone, wish: Wish, site_id: int, board: Board, allow: Callable[[], Awaitable[None]]
    ) -> tuple[str, bool]:
        """Return the token of the phone's ticket, and whether it is a new one. A phone with an open ticket gets that one.

        ``board`` is the site's board as of now. ``allow`` raises if the phone's network has had too many tickets; it is
        called only for a wish that the board allows. Raises `JoiningIsOff`, `JoinCodeNeeded`, `JoinedTooOften`,
        `JoiningTooMany`, `PhoneNumberNeeded`, `QueueNotFound`, `SiteClosed`, `QueueIsPaused`, `QueueFull`, and the errors
        of `Executor.execute`.
        """
        joined_from = self._name_of(phone, board)
        command = JoinQueue(
            queue_id=wish.queue_id,
            joined_from=joined_from,
            present=self.knows(phone, site_id),
            language=wish.language,
            phone=wish.phone_number,
        )
        try:
            rules.refuse(board, command, self._database.clock.now())
            await allow()
            # The key is the phone's own: nobody else's repeat gets this ticket.
            key = f"join:{self._vault.keyed_hash(f'{phone.id}:{wish.key}')[:40]}"
            answer = await self._executor.execute(command, actor=f"phone:{joined_from[:ACTOR_LENGTH]}", command_id=key)
        except JoinedAlready as joined:
            visit_id = int(str(joined.details["visit_id"]))
            here = board if visit_id in board.visits else await self._boards.board(site_id)
            token = self._vault.open_personal(here.visits[visit_id]).token
            if token is None:
                raise Unavailable() from joined  # the key that sealed the ticket is missing here
            return token, False
        return str(answer.body["token"]), not answer.repeated

    def _name_of(self, phone: Phone, board: Board) -> str:
        """Return the keyed hash by which a site knows a phone. Another one each business day: no log follows a patient."""
        return self._vault.keyed_hash(f"phone:{board.site.id}:{board.site.business_day}:{phone.id}")
