"""Chat, and every other service that Apprise knows (https://appriseit.com): one address describes service and account."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from server.notifying.channels.channel import TIME_LIMIT_SECONDS, Accepted, ChannelRefused, Message, Reaches

TO = "{to}"  # stands in the address for the patient's own


class AppriseFailed(Exception):
    """Apprise reports a failure, and does not tell whether the service accepted the message."""


class AppriseChannel:
    """Sends to an Apprise address (``whatsapp://token@id/{to}``), which contains ``{to}`` for the patient's own address.

    Apprise has no receipts, and reports no reason for a failure: only True is certain.
    """

    name = "apprise"
    honours_key = False

    def __init__(self, *, address: str, reaches: Reaches, limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        self.reaches: Reaches = reaches
        self._address = address
        self._limit_seconds = limit_seconds

    def receipt_name(self, key: str) -> None:
        """There are no receipts."""

    def circuit(self, to: str) -> None:
        """There is one service."""

    async def send(self, message: Message) -> Accepted:
        """Send a message; return when the service has accepted it. Raises `ChannelRefused` for an address that names no
        service, and else `AppriseFailed` or `TimeoutError`."""
        address = self._address.replace(TO, quote(message.to, safe=""))
        # The thread ends by itself later: the library limits each of its own connections.
        async with asyncio.timeout(self._limit_seconds):
            done = await asyncio.to_thread(_notify, address, message)
        if done is None:
            raise ChannelRefused("invalid", asked=False)
        if not done:
            raise AppriseFailed()
        return Accepted()

    async def close(self) -> None:
        """Do nothing: no connection outlives its message."""


def _notify(address: str, message: Message) -> bool | None:
    """Return whether the service of an address accepted a message; None if there is no such service."""
    service = _service(address)
    return None if service is None else bool(service.notify(body=message.text, title=message.subject))


def is_known(address: str) -> bool:
    """Return whether an Apprise address names a service, and has a place for the patient's own address.

    The first call reads all services of the library: call it in a thread.
    """
    return TO in address and _service(address.replace(TO, "15550100")) is not None


def _service(address: str) -> Any:
    """Return the library's service for an address, or None."""
    import apprise  # noqa: PLC0415 - it loads its services, which few installations use

    asset = apprise.AppriseAsset(
        app_id="nowserving", app_desc="nowserving", async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    return apprise.Apprise.instantiate(address, asset=asset)
