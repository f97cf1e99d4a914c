"""Plain HTTP to the tests' own servers, without loading certificates."""

from __future__ import annotations

import ssl

import httpx

# The `verify` argument of clients. Without it each client loads all root certificates: nearly the whole cost of a client.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def answers(url: str) -> bool:
    """Return whether a server answers a request for ``url`` with 200."""
    try:
        return httpx.get(url, timeout=2, verify=PLAIN).status_code == 200
    except httpx.HTTPError:
        return False
