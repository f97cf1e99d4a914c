"""The cookie by which a browser is known again."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.identity.browsers import Browser, browser_from, browser_text
from server.transport.access.cookies import BROWSER

LIFE_SECONDS = 400 * 86_400  # the longest life that browsers allow


@dataclass(frozen=True, slots=True)
class Browsers:
    """Reads and writes the cookie, signed with the installation's secret key."""

    secret_key: str

    def of(self, connection: HTTPConnection) -> Browser | None:
        """Return the browser that sends a request, or None if its cookie is missing or not ours."""
        cookie = BROWSER.of(connection)
        return None if cookie is None else browser_from(cookie, self.secret_key)

    def remember(self, connection: HTTPConnection, response: Response, browser: Browser) -> None:
        """Set the cookie of ``browser`` in ``response``, the answer to ``connection``."""
        BROWSER.set(connection, response, browser_text(browser, self.secret_key), LIFE_SECONDS)
