"""The gate: takes credentials and addresses from a connection, and asks `server.identity` whose they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal

from starlette.requests import HTTPConnection

from server.audit import NOBODY, Audit
from server.domain.commands import Command
from server.domain.errors import NotAllowed, NotSignedIn
from server.identity.callers import Bearer, Integration, Staff
from server.identity.credentials import BoardOf, no_board
from server.identity.identity import Identity
from server.identity.lockout import Origin
from server.identity.user_agents import device_of
from server.transport.access.browsers import Browsers
from server.transport.access.cookies import ACCESS, BROWSER, PREFIX, REFRESH
from server.transport.access.phones import Phones
from server.transport.http import paths
from server.transport.http.errors import ForeignOrigin
from server.vault import Vault

_PAIRING_SECRET = re.compile(rf"{paths.PAIRINGS}/([A-Za-z0-9_-]{{43}})")
# The names of the cookies by which nginx counts a request; it reads them with and without the prefix of TLS.
_COUNTED = frozenset({ACCESS.name, REFRESH.name, BROWSER.name})
PHONE_PATH = re.compile(r"/api/v1/sites/[0-9]+/(joining|booking)(/[a-z]+)?")
_OF_PATIENT = re.compile(
    r"/live/(?:tickets|appointments)/([^/]+)/[^/]+|/api/v1/(?:tickets|appointments|unsubscribe)/([^/]+)(?:/.*)?"
)
_LIVE_DEVICE = re.compile(r"/live/(displays|kiosks)/[^/]+/[^/]+")
_ORIGIN = re.compile(r"https?://([^/?#@\\\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A verified credential that rate limits count a request for. ``name`` is unique: ``staff:12``.

    All sessions of a member are one: a further sign-in gives no further requests.
    """

    kind: Literal["staff", "session", "key", "device", "ticket", "appointment", "pairing", "browser", "phone"]
    id: str

    @property
    def name(self) -> str:
        """The name under which a limit counts."""
        return f"{self.kind}:{self.id}"


class Gate:
    """Decides who may come in. One for each process.

    ``trusted_origins`` are the other sites whose pages may send changes, without our cookies; ``*`` is any.
    """

    def __init__(
        self,
        identity: Identity,
        browsers: Browsers,
        phones: Phones,
        vault: Vault,
        audit: Audit,
        trusted_origins: Sequence[str] = (),
    ) -> None:
        self.phones = phones
        self._trusted_origins = frozenset(trusted_origins)
        self.browsers = browsers
        self._credentials = identity.credentials
        self._permissions = identity.permissions
        self._vault = vault
        self._audit = audit

    async def voucher(self, connection: HTTPConnection) -> Voucher | None:
        """Return the verified credential that a request is counted for, or None.

        The signature of a token proves a session, without the database; `staff` checks whether the session has ended.
        Raises `Unavailable`.
        """
        token, _ = _access_token(connection)
        if token is not None:
            owner = self._credentials.owner_of(token)
            if owner is not None:
                return Voucher(*owner)
        match await self._holder(connection) or await self._credentials.holder(_token_in_address(connection)):
            case Integration(id=key_id):
                return Voucher("key", str(key_id))
            case Bearer(kind="ticket" | "appointment" as kind, id=holder_id):
                return Voucher(kind, str(holder_id))
            case Bearer(id=device_id):
                return Voucher("device", str(device_id))
        pairing = _PAIRING_SECRET.fullmatch(connection.scope["path"])
        if pairing is not None:
            pairing_id = await self._credentials.pairing(pairing[1])
            if pairing_id is not None:
                return Voucher("pairing", str(pairing_id))
        if PHONE_PATH.fullmatch(connection.scope["path"]):  # everybody can be a new phone: it counts for nothing else
            phone = self.phones.of(connection)
            return None if phone is None else Voucher("phone", phone.id)
        browser = self.browsers.of(connection)
        return None if browser is None else Voucher("browser", browser.id)

    def claims_in_vain(self, connection: HTTPConnection) -> bool:
        """Return whether a request for a page has a credential by which a proxy counts it, and none that we signed.

        The database is not asked. A browser in which somebody has signed in has a signed cookie beside its refresh token.
        """
        claimed = "authorization" in connection.headers or any(
            name.removeprefix(PREFIX) in _COUNTED for name in connection.cookies
        )
        if not claimed:
            return False
        token, _ = _access_token(connection)
        if token is not None and self._credentials.owner_of(token) is not None:
            return False
        return self.browsers.of(connection) is None

    async def staff(self, connection: HTTPConnection) -> Staff:
        """Return the signed-in member of staff who sends a request.

        Raises `NotSignedIn`, and `ForeignOrigin` when a page of another site opens a WebSocket with our cookie.
        """
        token, from_cookie = _access_token(connection)
        if token is None:
            raise NotSignedIn()
        if from_cookie and connection.scope["type"] == "websocket":
            self.refuse_foreign_origin(connection)
        return await self._credentials.staff(token)

    async def staff_for(
        self, connection: HTTPConnection, action: str, site_id: int | None = None, *, doing: str | None = None
    ) -> Staff | Integration:
        """Return the caller who may do ``action`` (at ``site_id``): a member of staff, or another system by its API key.

        Raises `NotSignedIn`, `NotAllowed`, and `SiteNotFound` for a site of another organisation: the answer does not
        reveal that the site exists. ``doing`` is the name in the audit, if it is not ``action``.
        """
        holder = await self._holder(connection)
        staff = holder if isinstance(holder, Integration) else await self.staff(connection)
        await self.permit_at(staff, action, site_id, doing=doing)
        return staff

    async def member_for(
        self, connection: HTTPConnection, action: str, site_id: int | None = None, *, doing: str | None = None
    ) -> Staff:
        """Return the signed-in member of staff, as `staff_for` does. An API key raises `NotAllowed`."""
        staff = await self.staff_for(connection, action, site_id, doing=doing)
        if not isinstance(staff, Staff):
            raise NotAllowed(action=action, role=staff.role)
        return staff

    async def permit_at(
        self, staff: Staff | Integration, action: str, site_id: int | None, *, doing: str | None = None
    ) -> None:
        """Raise unless ``staff`` may do ``action`` at a site: `NotAllowed`, `SiteNotFound`."""
        await self._permissions.check_action(staff, action, site_id, doing)

    async def caller(self, connection: HTTPConnection) -> Staff | Integration | Bearer:
        """Return the sender of a command: a member of staff, another system by its API key, a kiosk, or a patient by a
        ticket's token. Raises `NotSignedIn`."""
        holder = await self._holder(connection)
        if isinstance(holder, Integration) or (isinstance(holder, Bearer) and holder.kind != "display"):
            return holder
        return await self.staff(connection)

    async def permit(self, caller: Staff | Integration | Bearer, command: Command) -> None:
        """Raise unless ``caller`` may do ``command``: `NotAllowed`, `SiteNotFound`, and for a patient `EntryNotFound` for
        every entry of another visit."""
        await self._permissions.check_command(caller, command)

    async def display(self, connection: HTTPConnection, display_id: int, board: BoardOf = no_board) -> Bearer:
        """Return the display that sends a request, which must be ``display_id``. Raises `NotSignedIn`, `NotAllowed`.

        ``board`` is as for `Credentials.screen`.
        """
        token = _bearer(connection) or connection.query_params.get("token")
        return await self._credentials.screen("display", token, display_id, board)

    async def kiosk(self, connection: HTTPConnection, kiosk_id: int, board: BoardOf = no_board) -> Bearer:
        """Return the kiosk that sends a request, which must be ``kiosk_id``. Raises `NotSignedIn`, `NotAllowed`.

        ``board`` is as for `Credentials.screen`.
        """
        token = _bearer(connection) or connection.query_params.get("token")
        return await self._credentials.screen("kiosk", token, kiosk_id, board)

    async def device(self, connection: HTTPConnection, device_id: int) -> Bearer:
        """Return the display or kiosk that sends a request, which must be ``device_id``.

        Raises `NotSignedIn`, `NotAllowed`.
        """
        token = _bearer(connection)
        device = None if token is None else await self._credentials.device(token)
        if device is None:
            raise NotSignedIn()
        if device.id != device_id:
            raise NotAllowed(device_id=device_id)
        return device

    def shows_session(self, connection: HTTPConnection) -> bool:
        """Return whether a connection shows a session, and no token of a display in its address.

        The session may have ended: `staff` decides.
        """
        token, _ = _access_token(connection)
        return token is not None and "token" not in connection.query_params and self._credentials.owner_of(token) is not None

    async def appointment(self, token: str) -> Bearer:
        """Return the appointment of a token. Raises `AppointmentNotFound`, which never gives a reason."""
        return await self._credentials.appointment(token)

    async def ticket(self, token: str, board: BoardOf = no_board) -> Bearer:
        """Return the ticket of a token. Raises `TicketNotFound`, which never gives a reason.

        ``board`` is as for `Credentials.screen`.
        """
        return await self._credentials.ticket(token, board)

    def origin(self, connection: HTTPConnection) -> Origin:
        """Return the source of a sign-in: the client's address and, if known, its browser with its names."""
        device = device_of(connection.headers.get("user-agent", ""))
        return Origin(address_of(connection), self.browsers.of(connection), device)

    def address_name(self, connection: HTTPConnection) -> str:
        """Return the name under which limits count a client's address: a keyed hash."""
        return f"address:{self._vault.keyed_hash(address_of(connection))}"

    def refuse_foreign_origin(self, connection: HTTPConnection) -> None:
        """Raise `ForeignOrigin` when a browser says that a page of another site sends this change or WebSocket.

        A client that is no browser says nothing, and may pass.
        """
        if self._is_foreign(connection):
            self._audit.note("foreign-origin", NOBODY, allowed=False)
            raise ForeignOrigin()

    def _is_foreign(self, connection: HTTPConnection) -> bool:
        headers = connection.headers
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        named = _ORIGIN.fullmatch(origin)
        if named is not None and named[1].lower() == headers.get("host", "").lower():
            return False
        trusted = origin in self._trusted_origins or "*" in self._trusted_origins
        return not trusted or any(cookie.of(connection) is not None for cookie in (ACCESS, REFRESH))

    async def _holder(self, connection: HTTPConnection) -> Integration | Bearer | None:
        """Return the holder of the bearer token, unless it is a session's. Each request looks it up once."""
        found: Integration | Bearer | None
        if "holder" in connection.scope:
            found = connection.scope["holder"]
        else:
            found = connection.scope["holder"] = await self._credentials.holder(_bearer(connection))
        return found


def address_of(connection: HTTPConnection) -> str:
    """Return the client's address for counting. For IPv6 this is the network of 64 bits, which one customer has."""
    host = connection.client.host if connection.client else ""
    try:
        six = IPv6Address(host.partition("%")[0])
    except AddressValueError:
        return host
    inner: IPv4Address | None = six.ipv4_mapped
    return str(inner) if inner is not None else f"{IPv6Address(int(six) >> 64 << 64)}/64"


def _access_token(connection: HTTPConnection) -> tuple[str | None, bool]:
    """Return the access token, and whether it is from the cookie. A bearer token takes precedence."""
    token = _bearer(connection)
    return (token, False) if token is not None else (ACCESS.of(connection), True)


def _token_in_address(connection: HTTPConnection) -> str | None:
    """Return the token in an address: of a patient's page, or in a screen's report of the ticket or the device."""
    path = connection.scope["path"]
    patient = _OF_PATIENT.fullmatch(path)
    if patient is not None:
        return patient[1] or patient[2]
    return connection.query_params.get("token") if _LIVE_DEVICE.fullmatch(path) else None


def _bearer(connection: HTTPConnection) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
