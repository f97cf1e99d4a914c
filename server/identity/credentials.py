"""Credentials: find the holder of a token. Sessions, API keys, devices and tickets have tokens of their own kinds."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from server.domain.board import Board
from server.domain.errors import AppointmentNotFound, NotAllowed, NotSignedIn, TicketNotFound
from server.domain.model import Display, Kiosk
from server.domain.model.ids import site_of
from server.identity.access_tokens import AccessTokens
from server.identity.api_keys import KEY_PREFIX
from server.identity.callers import Bearer, Integration, Staff
from server.queries.identity import Identities, SessionTerms
from server.store import api_keys
from server.store import staff as accounts
from server.store.database import Database, Writing
from server.vault import Vault

TOUCH_MICROSECONDS = 60_000_000  # the database learns of a credential's use once a minute, not at every request
TOUCHES_KEPT = 10_000
TICKET_LIFE_MICROSECONDS = 2 * 86_400_000_000  # its own day, and one more
_TICKET_TOKEN = re.compile(r"([0-9]{1,19})-[A-Za-z0-9_-]{22}")  # the group is the site
_APPOINTMENT_TOKEN = re.compile(r"a[0-9]{1,19}-[A-Za-z0-9_-]{22}")
_DEVICE_TOKEN = re.compile(r"d[0-9]+-[A-Za-z0-9_-]{22}")
_RECORDS = {"display": Display, "kiosk": Kiosk}
Key = TypeVar("Key")
BoardOf = Callable[[int], Board | None]


class Touches:
    """The credentials whose use this process has told the database within the last minute.

    Many requests at once with one credential all read that its use is a minute old. One of them writes it: the others would
    wait for the lock of its row, and all commands of an embedded database behind them.
    """

    def __init__(self) -> None:
        self._at: dict[tuple[str, object], int] = {}

    def begins(self, kind: str, key: object, now: int) -> bool:
        """Return whether the caller must write the use of a credential at ``now``: nobody else has done so lately."""
        last = self._at.get((kind, key))
        if last is not None and now - last < TOUCH_MICROSECONDS:
            return False
        if len(self._at) >= TOUCHES_KEPT:
            self._at = {each: at for each, at in self._at.items() if now - at < TOUCH_MICROSECONDS}
        self._at[kind, key] = now
        return True

    def failed(self, kind: str, key: object) -> None:
        """Let the next request write what this one could not."""
        self._at.pop((kind, key), None)


def no_board(_: int) -> None:
    """Follow no site."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Verifies tokens against one database. All methods raise `Unavailable`."""

    _database: Database
    _identities: Identities
    _vault: Vault
    _tokens: AccessTokens
    _terms: SessionTerms
    _touches: Touches = field(default_factory=Touches)

    async def staff(self, access_token: str) -> Staff:
        """Return the signed-in member of staff. Raises `NotSignedIn`."""
        claims = self._tokens.claims(access_token)
        session = await self._identities.session(str(claims["sid"]))
        if session is None or str(session.member.id) != claims["sub"] or self._terms.has_ended(session):
            raise NotSignedIn()
        if session.idle > TOUCH_MICROSECONDS:
            await self._touch("session", accounts.touch_session, session.id, session.now)
        member = session.member
        return Staff(member.id, member.organisation_id, member.username, member.role, session.id)

    def owner_of(self, access_token: str) -> tuple[Literal["staff", "session"], str] | None:
        """Return the member or the session that requests with an access token count for, without the database, or None.

        A token that has expired still names its session for as long as the session can live without use.
        """
        return self._tokens.owner_of(access_token, self._terms.idle // 1_000_000)

    async def holder(self, token: str | None) -> Integration | Bearer | None:
        """Return the holder of an API key, a ticket's or a device's token; None for any other token."""
        if token is None:
            return None
        if token.startswith(KEY_PREFIX):
            return await self._integration(token)
        if _TICKET_TOKEN.fullmatch(token):
            try:
                return await self.ticket(token)
            except TicketNotFound:
                return None
        if _APPOINTMENT_TOKEN.fullmatch(token):
            try:
                return await self.appointment(token)
            except AppointmentNotFound:
                return None
        if _DEVICE_TOKEN.fullmatch(token):
            return await self.device(token)
        return None

    async def appointment(self, token: str) -> Bearer:
        """Return the appointment, or the hold, of a token. Raises `AppointmentNotFound`, which never gives a reason."""
        found = await self._identities.appointment(self._vault.keyed_hash(token))
        if found is None:
            raise AppointmentNotFound()
        return Bearer("appointment", found)

    async def device(self, token: str) -> Bearer | None:
        """Return the display or kiosk with this token, or None."""
        found = await self._identities.device(self._vault.keyed_hash(token))
        return None if found is None else Bearer(*found)

    async def _integration(self, token: str) -> Integration | None:
        key = await self._identities.api_key(self._vault.keyed_hash(token))
        if key is None:
            return None
        if key.unused > TOUCH_MICROSECONDS:
            await self._touch("key", api_keys.touch, key.id, key.now)
        return Integration(key.id, key.organisation_id, key.site_id)

    async def _touch(self, kind: str, touch: Callable[[Writing, Key, int], Awaitable[None]], key: Key, now: int) -> None:
        """Record the use of a credential, unless another request does so."""
        if not self._touches.begins(kind, key, now):
            return
        try:
            async with self._database.write() as connection:
                await touch(connection, key, now)
        except BaseException:
            self._touches.failed(kind, key)
            raise

    async def pairing(self, secret: str) -> int | None:
        """Return the id of the open pairing with this secret, or None."""
        return await self._identities.pairing(self._vault.keyed_hash(secret))

    async def screen(
        self, kind: Literal["display", "kiosk"], token: str | None, device_id: int, board: BoardOf = no_board
    ) -> Bearer:
        """Return the display or the kiosk ``device_id`` if ``token`` is its own. Raises `NotSignedIn`, `NotAllowed`.

        ``board`` returns the board of a site that this process follows. A token that the board knows needs no database;
        only the database refuses one. A caller that passes ``board`` must end the access when the board changes.
        """
        if not token:
            raise NotSignedIn()
        token_hash = self._vault.keyed_hash(token)
        here = board(site_of(device_id))
        known = here.device(device_id) if here is not None else None
        if known is None or known.token_hash != token_hash or not isinstance(known, _RECORDS[kind]):
            of_kind = self._identities.display if kind == "display" else self._identities.kiosk
            found = await of_kind(token_hash)
            if found is None:
                raise NotSignedIn()
            if found != device_id:
                raise NotAllowed(**{f"{kind}_id": device_id})
        return Bearer(kind, device_id, token_hash)

    async def ticket(self, token: str, board: BoardOf = no_board) -> Bearer:
        """Return the ticket of a token. Raises `TicketNotFound`, which never gives a reason.

        ``board`` is as for `screen`; the token names its site.
        """
        earliest = self._database.clock.now() - TICKET_LIFE_MICROSECONDS
        token_hash = self._vault.keyed_hash(token)
        named = _TICKET_TOKEN.fullmatch(token)
        here = board(int(named[1])) if named is not None else None
        visit = here.visit_of(token_hash) if here is not None else None
        if visit is not None and visit.opened_at > earliest:
            return Bearer("ticket", visit.id)
        found = await self._identities.ticket(token_hash, earliest)
        if found is None:
            raise TicketNotFound()
        return Bearer("ticket", found)
