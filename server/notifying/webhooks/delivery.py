"""One call to a webhook: a signed request, and the word for what became of it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass

import httpx

from server.notifying.channels import http_calls
from server.notifying.channels.channel import TIME_LIMIT_SECONDS
from server.notifying.webhooks.signing import Secrets

DELIVERED = "delivered"
GONE = "gone"  # 410: the receiver wants no more events, ever
BUSY = (429, 502, 503, 504)
# Of an answer, so that its connection can be used again.
_READ_BYTES = 16_384
_READ_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: ``delivered``, or the word for a failure. ``wait_seconds`` is the receiver's own wish."""

    word: str
    wait_seconds: float | None = None


def client(limit_seconds: float = TIME_LIMIT_SECONDS, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """Return a client for the calls to one webhook. It follows no redirect."""
    return http_calls.client(limit_seconds, verify=tls or True, follow_redirects=False)


async def deliver(
    calling: httpx.AsyncClient,
    url: str,
    secrets: Secrets,
    message_id: str,
    body: bytes,
    *,
    now: int,
    limit_seconds: float = TIME_LIMIT_SECONDS,
) -> Outcome:
    """Send a payload once, signed at ``now`` (microseconds); return what became of it. Never raises an error of the call."""
    timestamp = now // 1_000_000
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "nowserving-webhooks",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": secrets.signature(message_id, timestamp, body, now),
    }
    calling.cookies.clear()  # each call stands alone
    outcome: Outcome | None = None
    try:
        async with asyncio.timeout(limit_seconds):
            async with calling.stream("POST", url, content=body, headers=headers) as answer:
                outcome = _outcome_of(answer)  # the status decides, even if the rest of the answer never comes
                with suppress(httpx.HTTPError, TimeoutError):
                    await _drain(answer)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return Outcome("certificate" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "no-connection")
    except (httpx.TimeoutException, TimeoutError):
        return outcome or Outcome("no-answer")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return outcome or Outcome("broken")
    return outcome


async def _drain(answer: httpx.Response) -> None:
    """Read a small answer to its end. A longer one ends with its connection: nobody reads it."""
    read = 0
    async with asyncio.timeout(_READ_SECONDS):
        async for chunk in answer.aiter_raw():
            read += len(chunk)
            if read > _READ_BYTES:
                return


def _outcome_of(answer: httpx.Response) -> Outcome:
    status = answer.status_code
    if answer.is_success:
        return Outcome(DELIVERED)
    if status == 410:
        return Outcome(GONE)
    if status in BUSY:
        return Outcome("busy", http_calls.retry_after_seconds(answer))
    if answer.has_redirect_location or 300 <= status < 400:
        return Outcome("redirect")
    return Outcome("refused" if status < 500 else "error")
