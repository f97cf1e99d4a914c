"""HTTP as it is spoken to the tests' own servers: nothing is encrypted, so nothing is read that encryption would need."""

from __future__ import annotations

import ssl

import httpx

# Given to a client as `verify`. Else each reads the certificates of the world, and that is nearly all that making it costs.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def answers(url: str) -> bool:
    """Return whether there is a server at ``url`` that answers with 200."""
    try:
        return httpx.get(url, timeout=2, verify=PLAIN).status_code == 200
    except httpx.HTTPError:
        return False
