"""Lists by the page: ``?page_size=`` and ``?after=``, a cursor that is opaque, signed, and good for its own list alone."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from server.domain.errors import InvalidField
from server.queries.keyset import Key, Page
from server.transport.http import parameters
from server.vault import Vault

DEFAULT_SIZE = 50
MOST = 200
_SIGNATURE = 32  # of the keyed hash's hexadecimal digits: 128 bits


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads the cursors of one list. ``name`` tells the list from all others; ``kinds`` are its key's types."""

    vault: Vault
    name: str
    kinds: tuple[type, ...]

    def write(self, key: Key) -> str:
        """Return the cursor that goes on after ``key``."""
        text = base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()
        return f"{text}.{self._signature(text)}"

    def read(self, cursor: str) -> Key:
        """Return the key that a cursor goes on after. Raises `InvalidField` for any that this list has not made."""
        text, _, signature = cursor.partition(".")
        if not cursor.isascii() or not hmac.compare_digest(signature, self._signature(text)):
            raise self._refused()
        try:
            key = tuple(orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        except (binascii.Error, ValueError):
            raise self._refused() from None
        if tuple(map(type, key)) != self.kinds:  # of another version of this list
            raise self._refused()
        return key

    def _signature(self, text: str) -> str:
        return self.vault.keyed_hash(f"cursor:{self.name}:{text}")[:_SIGNATURE]

    @staticmethod
    def _refused() -> InvalidField:
        return InvalidField(field="after", problem="a cursor that this list gave as `next`")


def asked(request: Request, cursors: Cursors) -> tuple[int, Key | None]:
    """Return how many rows are asked for, and after which key. Raises `InvalidField`."""
    after = request.query_params.get("after")
    size = parameters.whole(request, "page_size", DEFAULT_SIZE, 1, MOST)
    return size, None if after is None else cursors.read(after)


def answer(page: Page[Any], size: int, cursors: Cursors) -> dict[str, Any]:
    """Return a page as the API tells it; ``next`` is null on the last one."""
    return {
        "data": list(page.rows),
        "pagination": {
            "page_size": size,
            "next": None if page.last is None else cursors.write(page.last),
            "total": page.total,
            "total_is_capped": page.total_is_capped,
        },
    }
