"""The cookies of browsers. Scripts cannot read them, and requests from other sites do not carry them.

Over TLS a cookie is ``Secure`` and its name begins with ``__Host-``: only this host can set such a cookie, over TLS. The
server then reads no other name, because anybody on the network could plant a plain cookie over HTTP. Over plain HTTP, in a
clinic's own network, browsers refuse such cookies, so the names are plain.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.transport.http import paths

PREFIX = "__Host-"


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie with the name and path of plain HTTP. Over TLS its path is ``/``, which `PREFIX` demands."""

    name: str
    path: str = "/"

    def of(self, connection: HTTPConnection) -> str | None:
        """Return the value that a request carries, or None."""
        return connection.cookies.get(self._name_for(connection))

    def set(self, connection: HTTPConnection, response: Response, value: str, max_age: int | None = None) -> None:
        """Set the cookie in ``response``, the answer to ``connection``, for ``max_age`` seconds or for a session."""
        secure = over_tls(connection)
        response.set_cookie(
            self._name_for(connection),
            value,
            max_age,
            path="/" if secure else self.path,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        self._clear_plain(connection, response)

    def delete(self, connection: HTTPConnection, response: Response) -> None:
        """Delete the cookie in ``response``, the answer to ``connection``."""
        if over_tls(connection):
            response.delete_cookie(PREFIX + self.name, path="/", secure=True, httponly=True, samesite="strict")
            self._clear_plain(connection, response)
        else:
            response.delete_cookie(self.name, path=self.path, httponly=True, samesite="strict")

    def _name_for(self, connection: HTTPConnection) -> str:
        return PREFIX + self.name if over_tls(connection) else self.name

    def _clear_plain(self, connection: HTTPConnection, response: Response) -> None:
        """Over TLS, delete the plain cookie that a request carries: from before TLS, or planted."""
        if over_tls(connection) and self.name in connection.cookies:
            response.delete_cookie(self.name, path=self.path, httponly=True, samesite="strict")


ACCESS = Cookie("nowserving_access")
REFRESH = Cookie("nowserving_refresh", paths.SESSION)
PENDING = Cookie("nowserving_pending", paths.SESSION)  # of a sign-in that waits for a code
BROWSER = Cookie("nowserving_browser")  # pages carry it too: nginx counts them for it
PHONE = Cookie("nowserving_phone", "/api/")


def over_tls(connection: HTTPConnection) -> bool:
    """Return whether the browser sent a request over TLS. A trusted proxy in front of the server may have ended the TLS."""
    return connection.scope.get("scheme") in ("https", "wss")
