"""Client processes that send ``call-next`` concurrently, as the staff of several rooms would."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import cycle

import httpx

from tests.support.crowd import command
from tests.support.plain import PLAIN


@dataclass(frozen=True)
class Outcome:
    """The answer to one ``call-next``."""

    status: int
    point_id: int
    entry_id: int | None
    seq: int | None
    code: str | None


def burst(urls: list[str], token: str, point_ids: list[int], count: int) -> list[Outcome]:
    """Send ``count`` concurrent ``call-next`` from this process, spread over servers and points; return their outcomes."""
    return asyncio.run(_burst(urls, token, point_ids, count))


async def _burst(urls: list[str], token: str, point_ids: list[int], count: int) -> list[Outcome]:
    limits = httpx.Limits(max_connections=count)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60, verify=PLAIN) as client:

        async def call(url: str, point_id: int) -> Outcome:
            answer = await command(client, url, "call-next", {"point_id": point_id})
            body = answer.json()
            if answer.status_code == 200:
                return Outcome(200, point_id, body["entry"]["id"], body["seq"], None)
            return Outcome(answer.status_code, point_id, None, None, body["error"]["code"])

        pairs = zip(cycle(urls), cycle(point_ids), strict=False)
        return await asyncio.gather(*(call(url, point) for _, (url, point) in zip(range(count), pairs, strict=False)))
