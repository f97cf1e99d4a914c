"""The cookie by which a phone that joins a queue is known again, for a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.identity.phones import LIFE_SECONDS, Phone, phone_from, phone_text
from server.transport.access.cookies import PHONE


@dataclass(frozen=True, slots=True)
class Phones:
    """Reads and writes the cookie, signed with the installation's secret key. ``seconds`` is the time since 1970."""

    secret_key: str
    seconds: Callable[[], float]

    def of(self, connection: HTTPConnection) -> Phone | None:
        """Return the phone that sends a request, or None if its cookie is missing, not ours, or of yesterday."""
        cookie = PHONE.of(connection)
        return None if cookie is None else phone_from(cookie, self.secret_key, self.seconds())

    def remember(self, connection: HTTPConnection, response: Response, phone: Phone) -> None:
        """Set the cookie of ``phone`` in ``response``, the answer to ``connection``."""
        PHONE.set(connection, response, phone_text(phone, self.secret_key), LIFE_SECONDS)
