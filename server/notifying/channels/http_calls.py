"""Calls to the HTTP API of a provider: each failure becomes what the contract of channels says about it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from server.notifying.channels.channel import ChannelBusy, ChannelRefused, ChannelUnreachable

BUSY = (429, 503)
REFUSED = {400: "invalid", 401: "credentials", 403: "forbidden", 404: "address"}


class AnswerUnclear(Exception):
    """The provider has the request, and its answer does not tell whether the provider accepted the message."""


def client(limit_seconds: float, **options: Any) -> httpx.AsyncClient:
    """Return a client that gives up a connection at half of the limit: then it is certain that no request was sent."""
    half = limit_seconds / 2
    return httpx.AsyncClient(timeout=httpx.Timeout(limit_seconds, connect=half, pool=half), **options)


async def post(
    calling: httpx.AsyncClient, url: str, limit_seconds: float, *, gone: Collection[int] = (), **request: Any
) -> httpx.Response:
    """Send a request; return the answer if its status is one of success.

    ``gone`` are the statuses which say that the patient's address has ended. Raises `ChannelUnreachable`, `ChannelBusy`,
    `ChannelRefused` with the reason of the status, and `AnswerUnclear` if the provider may have accepted the message. No
    error contains the address or the body.
    """
    try:
        async with asyncio.timeout(limit_seconds):
            answer = await calling.post(url, **request)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
        raise ChannelUnreachable("certificate" if untrusted else "no-connection") from None
    except (httpx.HTTPError, TimeoutError) as error:
        raise AnswerUnclear(type(error).__name__) from None
    if answer.status_code in BUSY:
        raise ChannelBusy(retry_after_seconds(answer))
    if answer.status_code in gone:
        raise ChannelRefused("gone", gone=True)
    if answer.status_code in REFUSED:
        raise ChannelRefused(REFUSED[answer.status_code])
    if not answer.is_success:
        raise AnswerUnclear(f"status {answer.status_code}")
    return answer


def json_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the object in an answer. Raises `AnswerUnclear` if the answer is none."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise AnswerUnclear("the answer is no JSON object")
    return found


def retry_after_seconds(answer: httpx.Response) -> float | None:
    """Return the wait that an answer asks for. A date counts from the provider's own clock, in the same answer."""
    asked = answer.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
