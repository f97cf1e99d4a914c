"""Client processes that send many different commands concurrently, as the staff of a busy site may do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.plain import PLAIN


@dataclass(frozen=True)
class Asked:
    """A command to send to one server, or with the same idempotency key to several servers."""

    name: str
    body: dict[str, Any]
    key: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """The answer of one server to a command."""

    asked: Asked
    status: int
    body: dict[str, Any]


async def command(
    client: httpx.AsyncClient, url: str, name: str, body: dict[str, Any], headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send a command, and repeat it while the server refuses it as ``busy``: nothing was done then. Return the answer."""
    while True:
        answer = await client.post(f"{url}/api/v1/commands/{name}", json=body, headers=headers)
        if answer.status_code != 503 or answer.json()["error"]["code"] != "busy":
            return answer
        await asyncio.sleep(1)


def ask_at_once(token: str, asked: list[Asked]) -> list[Answered]:
    """Send all commands concurrently from this process; return their answers."""
    return asyncio.run(_ask_at_once(token, asked))


async def _ask_at_once(token: str, asked: list[Asked]) -> list[Answered]:
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {token}"}, limits=httpx.Limits(max_connections=None), timeout=60, verify=PLAIN
    ) as client:

        async def send(each: Asked, url: str) -> Answered:
            headers = {"Idempotency-Key": each.key}
            answer = await command(client, url, each.name, each.body, headers)
            return Answered(each, answer.status_code, answer.json())

        return await asyncio.gather(*(send(each, url) for each in asked for url in each.urls))
