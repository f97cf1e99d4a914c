"""Preflights of pages of another origin."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from server.transport.http.cors import ACCEPTED, Cors
from server.transport.spec import openapi

ORIGIN = "https://portal.example"


async def preflight(origin: str = ORIGIN, method: str = "POST", headers: str | None = None) -> httpx.Response:
    app = Starlette(middleware=[Middleware(Cors, origins=[ORIGIN])])
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    asked |= {} if headers is None else {"Access-Control-Request-Headers": headers}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        return await client.options("/api/v1/sites", headers=asked)


async def test_preflight_may_name_every_header_that_the_api_reads() -> None:
    parameters = [
        each
        for path in openapi.document()["paths"].values()
        for operation in path.values()
        for each in operation.get("parameters", [])
    ]
    described = {each["name"] for each in parameters if each.get("in") == "header"}
    assert described <= set(ACCEPTED)
    answer = await preflight(headers=", ".join({*described, *ACCEPTED, "X-Request-ID"}))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"origin": "https://evil.example"}, "the origin"),
        ({"method": "PUT"}, "the method"),
        ({"headers": "X-Odd"}, "the headers"),
        ({"origin": "http://[", "headers": "X-Odd"}, "the origin, headers"),
    ],
)
async def test_refused_preflight_has_the_shape_of_errors(asked: dict[str, str], problem: str) -> None:
    answer = await preflight(**asked)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("preflight_refused", {"problem": problem})
    assert "access-control-allow-origin" not in answer.headers
