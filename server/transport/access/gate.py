"""Who is asking: a member of staff by access token (bearer or cookie), another system by its API key, a display or a
ticket by its own token."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, Literal
from urllib.parse import urlsplit

import jwt
from starlette.requests import HTTPConnection

from server.audit import NOBODY, Audit
from server.domain import roles
from server.domain.board import Board
from server.domain.commands import Command
from server.domain.errors import EntryNotFound, NotAllowed, NotSignedIn, SiteNotFound, TicketNotFound
from server.domain.model.ids import MAX_ID, site_of
from server.queries.identity import Identities, StaffMember
from server.store import api_keys
from server.store import staff as staff_store
from server.transport.access.audit import judged, judged_bearer
from server.transport.access.browsers import Browsers
from server.transport.http import paths
from server.transport.http.errors import ForeignOrigin
from server.vault import Vault

ACCESS_SECONDS = 900
TOKENS_KEPT = 4096
ACCESS_COOKIE = "nowserving_access"
REFRESH_COOKIE = "nowserving_refresh"
IDLE_MICROSECONDS = 60 * 60_000_000
TOUCH_MICROSECONDS = 60_000_000  # that it is used is written down once a minute, not at every request
KEY_PREFIX = "nk_"
TICKET_LIFE_MICROSECONDS = 2 * 86_400_000_000  # its own day, and one more
_TICKET_TOKEN = re.compile(r"([0-9]{1,19})-[A-Za-z0-9_-]{22}")  # and the site that it names
_DEVICE_TOKEN = re.compile(r"d[0-9]+-[A-Za-z0-9_-]{22}")
_ALGORITHM = "HS256"
_CLAIMS: Any = {"require": ["sub", "sid", "exp"], "verify_exp": False}  # its time is looked at whenever it comes
_PAIRING_SECRET = re.compile(rf"{paths.PAIRINGS}/([A-Za-z0-9_-]{{43}})")
BoardOf = Callable[[int], Board | None]
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def _no_board(_: int) -> None:
    """Follow no site."""


@dataclass(frozen=True, slots=True)
class Staff:
    """A signed-in member of staff."""

    id: int
    organisation_id: int
    username: str
    role: str
    session_id: str

    @property
    def actor(self) -> str:
        """The name under which the log keeps what they do."""
        return f"staff:{self.id}"


@dataclass(frozen=True, slots=True)
class Integration:
    """Another system, known by its API key. ``site_id`` is the only site it may see, unless that is None."""

    id: int
    organisation_id: int
    site_id: int | None

    @property
    def actor(self) -> str:
        """The name under which the log keeps what it does."""
        return f"key:{self.id}"

    @property
    def role(self) -> str:
        """What `server.domain.roles` knows it as."""
        return roles.INTEGRATION


@dataclass(frozen=True, slots=True)
class Voucher:
    """A proven credential that a request is counted for. ``name`` tells it from any other: ``session:ab12``."""

    kind: Literal["session", "key", "device", "ticket", "pairing", "browser"]
    id: str

    @property
    def name(self) -> str:
        """What it is counted under."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Bearer:
    """A display, a kiosk or a ticket, known by its own token."""

    kind: Literal["display", "kiosk", "ticket"]
    id: int
    token_hash: str = ""

    @property
    def actor(self) -> str:
        """The name under which the log keeps what they do."""
        return f"{self.kind}:{self.id}"

    @property
    def role(self) -> str:
        """What `server.domain.roles` knows them as."""
        return roles.PATIENT if self.kind == "ticket" else self.kind


class Gate:
    """Decides who may come in. One for each process; it needs the installation's secret key."""

    def __init__(self, identities: Identities, vault: Vault, secret_key: str, audit: Audit) -> None:
        self.identities = identities
        self.vault = vault
        self.audit = audit
        self.browsers = Browsers(secret_key)
        self._secret_key = secret_key
        self._verified: dict[str, dict[str, Any]] = {}
        self._organisations: dict[int, int] = {}  # a site never changes its organisation

    def access_token(self, member: StaffMember, session_id: str) -> str:
        """Return a signed access token for a session, good for fifteen minutes."""
        now = int(time.time())
        claims = {"sub": str(member.id), "sid": session_id, "iat": now, "exp": now + ACCESS_SECONDS}
        return jwt.encode(claims, self._secret_key, _ALGORITHM)

    async def voucher(self, connection: HTTPConnection) -> Voucher | None:
        """Return what a request is counted for: a credential that is proven here, or None.

        A session is proven by the signature of its token, without the database; its end is for `staff` to see.
        Raises `Unavailable`.
        """
        token, _ = _access_token(connection)
        if token is not None:
            session_id = self._session_of(token)
            if session_id is not None:
                return Voucher("session", session_id)
        match await self._holder(connection):
            case Integration(id=key_id):
                return Voucher("key", str(key_id))
            case Bearer(kind="ticket", id=visit_id):
                return Voucher("ticket", str(visit_id))
            case Bearer(id=device_id):
                return Voucher("device", str(device_id))
        pairing = _PAIRING_SECRET.fullmatch(connection.scope["path"])
        if pairing is not None:
            pairing_id = await self.identities.pairing(self.vault.keyed_hash(pairing[1]))
            if pairing_id is not None:
                return Voucher("pairing", str(pairing_id))
        browser = self.browsers.of(connection)
        return None if browser is None else Voucher("browser", browser.id)

    def _session_of(self, token: str) -> str | None:
        """Return the session that a token of ours is of, even if the token itself has run out since."""
        claims = self._signed(token)
        if claims is None or claims["exp"] + IDLE_MICROSECONDS // 1_000_000 <= time.time():
            return None
        return str(claims["sid"])

    async def staff(self, connection: HTTPConnection) -> Staff:
        """Return the signed-in member of staff. Raises `NotSignedIn`, and `ForeignOrigin` for a change that another
        site's page sends with our cookie."""
        token, from_cookie = _access_token(connection)
        if token is None:
            raise NotSignedIn()
        if from_cookie:
            refuse_foreign_origin(connection)
        claims = self._claims(token)
        session = await self.identities.session(str(claims["sid"]))
        if session is None or str(session.member.id) != claims["sub"] or session.idle > IDLE_MICROSECONDS:
            raise NotSignedIn()
        if session.idle > TOUCH_MICROSECONDS:
            async with self.identities.database.write() as writing:
                await staff_store.touch_session(writing, session.id, session.now)
        member = session.member
        return Staff(member.id, member.organisation_id, member.username, member.role, session.id)

    def _claims(self, token: str) -> dict[str, Any]:
        """Return what an access token says. Raises `NotSignedIn`.

        Its signature is verified once in each process, its time is looked at whenever it comes; the session that it names
        is asked for by the caller, each time.
        """
        claims = self._signed(token)
        if claims is None or claims["exp"] <= time.time():
            raise NotSignedIn()
        return claims

    def _signed(self, token: str) -> dict[str, Any] | None:
        """Return what a token of ours says, even one that has run out."""
        claims = self._verified.get(token)
        if claims is None:
            try:
                claims = jwt.decode(token, self._secret_key, [_ALGORITHM], options=_CLAIMS)
            except jwt.InvalidTokenError:
                return None
            if len(self._verified) >= TOKENS_KEPT:
                self._verified.clear()
            self._verified[token] = claims
        return claims

    async def staff_for(self, connection: HTTPConnection, action: str, site_id: int | None = None) -> Staff | Integration:
        """Return who asks and may do ``action`` (at ``site_id``): a member of staff, or another system by its API key.

        Raises `NotSignedIn`, `NotAllowed`, and `SiteNotFound` for a site of another organisation: it is not even said
        to exist.
        """
        holder = await self._holder(connection)
        staff = holder if isinstance(holder, Integration) else await self.staff(connection)
        await self.permit_at(staff, action, site_id)
        return staff

    async def member_for(self, connection: HTTPConnection, action: str, site_id: int | None = None) -> Staff:
        """Return the signed-in member of staff, as `staff_for` does; no API key is good for this."""
        staff = await self.staff_for(connection, action, site_id)
        if not isinstance(staff, Staff):
            raise NotAllowed(action=action, role=staff.role)
        return staff

    @judged
    async def permit_at(self, staff: Staff | Integration, action: str, site_id: int | None) -> None:
        """Raise unless they may do ``action`` at a site: `NotAllowed`, `SiteNotFound`."""
        if not roles.may(staff.role, action):
            raise NotAllowed(action=action, role=staff.role)
        if site_id is None:
            return
        elsewhere = isinstance(staff, Integration) and staff.site_id not in (None, site_id)
        if elsewhere or await self._organisation_of(site_id) != staff.organisation_id:
            raise SiteNotFound(site_id=site_id)

    async def caller(self, connection: HTTPConnection) -> Staff | Integration | Bearer:
        """Return who sends a command: a member of staff, another system by its API key, a kiosk, or a patient by their
        ticket's token. Raises `NotSignedIn`."""
        holder = await self._holder(connection)
        if isinstance(holder, Integration) or (isinstance(holder, Bearer) and holder.kind != "display"):
            return holder
        return await self.staff(connection)

    async def _holder(self, connection: HTTPConnection) -> Integration | Bearer | None:
        """Return whose token the bearer is, if it is no session's. It is looked up once for each request."""
        found: Integration | Bearer | None
        if "holder" in connection.scope:
            found = connection.scope["holder"]
        else:
            found = connection.scope["holder"] = await self._look_up(_bearer(connection))
        return found

    async def _look_up(self, token: str | None) -> Integration | Bearer | None:
        if token is None:
            return None
        if token.startswith(KEY_PREFIX):
            return await self._integration(token)
        if _TICKET_TOKEN.fullmatch(token):
            try:
                return await self.ticket(token)
            except TicketNotFound:
                return None
        if _DEVICE_TOKEN.fullmatch(token):
            return await self.device(token)
        return None

    async def device(self, token: str) -> Bearer | None:
        """Return the device with this token."""
        found = await self.identities.device(self.vault.keyed_hash(token))
        return None if found is None else Bearer(*found)

    async def _integration(self, token: str) -> Integration | None:
        key = await self.identities.api_key(self.vault.keyed_hash(token))
        if key is None:
            return None
        if key.unused > TOUCH_MICROSECONDS:
            async with self.identities.database.write() as writing:
                await api_keys.touch(writing, key.id, key.now)
        return Integration(key.id, key.organisation_id, key.site_id)

    @judged_bearer
    async def permit(self, caller: Staff | Integration | Bearer, command: Command) -> None:
        """Raise unless ``caller`` may do ``command``: `NotAllowed`, `SiteNotFound`, and for a patient `EntryNotFound` of
        any entry but their own."""
        name = command.name_on_wire()
        if isinstance(caller, Staff | Integration):
            await self.permit_at(caller, name, command.site_id)
            return
        if caller.kind == "kiosk":
            if not roles.may(caller.role, name):
                raise NotAllowed(action=name, role=caller.role)
            if command.site_id != site_of(caller.id):
                raise SiteNotFound(site_id=command.site_id)
            return
        entry_id = getattr(command, "entry_id", None)
        if entry_id is None or not roles.may(caller.role, name):
            raise NotAllowed(action=name, role=caller.role)
        if await self.identities.visit_of(entry_id) != caller.id:
            raise EntryNotFound(entry_id=entry_id)

    async def _organisation_of(self, site_id: int) -> int | None:
        if site_id > MAX_ID:  # no column could hold it
            return None
        known = self._organisations.get(site_id)
        if known is None:
            known = await self.identities.organisation_of(site_id)
            if known is not None:
                self._organisations[site_id] = known
        return known

    async def display(self, connection: HTTPConnection, display_id: int, board: BoardOf = _no_board) -> Bearer:
        """Return the display that asks, which must be ``display_id``. Raises `NotSignedIn`, `NotAllowed`.

        ``board`` finds the board of a site that this process follows, which says so without the database, if it does: for
        whoever is ended when the board says otherwise.
        """
        token = _bearer(connection) or connection.query_params.get("token")
        if not token:
            raise NotSignedIn()
        token_hash = self.vault.keyed_hash(token)
        here = board(site_of(display_id))
        known = here.displays.get(display_id) if here is not None else None
        if known is None or known.token_hash != token_hash:
            found = await self.identities.display(token_hash)
            if found is None:
                raise NotSignedIn()
            if found != display_id:
                raise NotAllowed(display_id=display_id)
        return Bearer("display", display_id, token_hash)

    async def ticket(self, token: str, board: BoardOf = _no_board) -> Bearer:
        """Return the ticket that a token opens. Raises `TicketNotFound`: nothing more is ever said of a wrong one.

        ``board`` is as for `display`; the token names its site.
        """
        earliest = time.time_ns() // 1000 - TICKET_LIFE_MICROSECONDS
        token_hash = self.vault.keyed_hash(token)
        named = _TICKET_TOKEN.fullmatch(token)
        here = board(int(named[1])) if named is not None else None
        visit = here.visit_of(token_hash) if here is not None else None
        if visit is not None and visit.opened_at > earliest:
            return Bearer("ticket", visit.id)
        found = await self.identities.ticket(token_hash, earliest)
        if found is None:
            raise TicketNotFound()
        return Bearer("ticket", found)


def address_of(connection: HTTPConnection) -> str:
    """Return where a request comes from, as it is counted: an IPv6 network of 64 bits is one customer's, and one address."""
    host = connection.client.host if connection.client else ""
    try:
        six = IPv6Address(host.partition("%")[0])
    except AddressValueError:
        return host
    inner: IPv4Address | None = six.ipv4_mapped
    return str(inner) if inner is not None else f"{IPv6Address(int(six) >> 64 << 64)}/64"


def _access_token(connection: HTTPConnection) -> tuple[str | None, bool]:
    """Return the token that is to be a session's, and whether a cookie brought it: a bearer goes before the cookie."""
    token = _bearer(connection)
    return (token, False) if token is not None else (connection.cookies.get(ACCESS_COOKIE), True)


def _bearer(connection: HTTPConnection) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def refuse_foreign_origin(connection: HTTPConnection) -> None:
    """Raise `ForeignOrigin` when a browser says that another site's page sent this change, or opened this WebSocket."""
    changes = connection.scope["type"] == "websocket" or connection.scope["method"] not in _SAFE_METHODS
    origin = connection.headers.get("origin")
    if changes and origin is not None and urlsplit(origin).netloc != connection.headers.get("host"):
        connection.app.state.context.audit.note("foreign-origin", NOBODY, allowed=False)
        raise ForeignOrigin()
