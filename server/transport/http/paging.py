"""Lists by the page: ``?page_size=`` and ``?after=``. A cursor is opaque, signed, and valid for its own list only."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Annotated, Generic, TypedDict, TypeVar

import orjson
from pydantic import Field
from starlette.requests import Request

from server.domain.errors import InvalidField
from server.queries.keyset import COUNTED_AT_MOST, Key, Page
from server.transport.http import parameters
from server.vault import Vault

DEFAULT_SIZE = 50
MOST = 200
_SIGNATURE = 32  # hexadecimal digits of the keyed hash: 128 bits
_Row = TypeVar("_Row")

SIZE = parameters.Whole("page_size", "The number of rows on a page.", 1, MOST, DEFAULT_SIZE)
AFTER = parameters.Parameter("after", "The `next` of the page before. A cursor of another list is refused.")
PARAMETERS = (SIZE, AFTER)


class Pagination(TypedDict):
    """The place of a page in its list."""

    page_size: Annotated[int, Field(ge=1, le=MOST)]
    next: Annotated[str | None, Field(description="Send it as `after` to get the next page. Null on the last page.")]
    total: Annotated[int, Field(ge=0, le=COUNTED_AT_MOST, description="The number of rows in the list.")]
    total_is_capped: Annotated[bool, Field(description="True: the list has more rows than `total`.")]


class Paged(TypedDict, Generic[_Row]):
    """A page of a list."""

    data: Annotated[list[_Row], Field(max_length=MOST)]
    pagination: Pagination


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one list. ``name`` is unique to the list; ``kinds`` are the types of its key."""

    vault: Vault
    name: str
    kinds: tuple[type, ...]

    def write(self, key: Key) -> str:
        """Return the cursor of the rows after ``key``."""
        text = base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()
        return f"{text}.{self._signature(text)}"

    def read(self, cursor: str) -> Key:
        """Return the key of a cursor. Raises `InvalidField` for a cursor that this list has not written."""
        text, _, signature = cursor.partition(".")
        if not cursor.isascii() or not hmac.compare_digest(signature, self._signature(text)):
            raise self._refused()
        try:
            key = tuple(orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        except (binascii.Error, ValueError):
            raise self._refused() from None
        if tuple(map(type, key)) != self.kinds:  # a cursor of another version of this list
            raise self._refused()
        return key

    def _signature(self, text: str) -> str:
        return self.vault.keyed_hash(f"cursor:{self.name}:{text}")[:_SIGNATURE]

    @staticmethod
    def _refused() -> InvalidField:
        return AFTER.wrong("a cursor that this list returned as `next`")


def asked(request: Request, cursors: Cursors) -> tuple[int, Key | None]:
    """Return the number of rows and the key after which to read, as the request asks. Raises `InvalidField`."""
    after = AFTER.given(request)
    size = SIZE.read(request)
    return size, None if after is None else cursors.read(after)


def answer(page: Page[_Row], size: int, cursors: Cursors) -> Paged[_Row]:
    """Return a page as the API writes it; ``next`` is null on the last one."""
    return {
        "data": list(page.rows),
        "pagination": {
            "page_size": size,
            "next": None if page.last is None else cursors.write(page.last),
            "total": page.total,
            "total_is_capped": page.total_is_capped,
        },
    }
