"""``GET /api/v1/system``: the state of the installation, for administrators."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.queries.system import State
from server.transport.context import Context
from server.transport.http import paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Instant


class _Check(TypedDict):
    name: Annotated[str, Field(description="The part of the installation: `database`, `backup`, ...")]
    code: Annotated[str, Field(description="The finding, for a client with texts of its own.")]
    state: State
    since: Annotated[
        Instant, Field(description="The start of the finding. After the watchdog's next look, all processes tell the same.")
    ]
    text: Annotated[str, Field(description="The finding in words.")]
    remedy: Annotated[str, Field(description="What to do; empty if there is nothing to do.")]
    values: Annotated[dict[str, str], Field(description="The values in the texts.")]


class _System(TypedDict):
    """Every check, in a fixed order."""

    checks: list[_Check]


ENDPOINTS = Endpoints(Tag.OPERATION)


@ENDPOINTS.add("GET", paths.SYSTEM, "read-system", "The checks.", may="read-system")
async def get_system(request: Request) -> _System:
    """Return the state of each part of the installation, its start, and its remedy: the list of `nowserving check`."""
    context = Context.of(request)
    await context.gate.member_for(request, "read-system")
    found = await context.system.checks(encrypted=request.url.scheme == "https")
    return {
        "checks": [
            {
                "name": each.name,
                "code": each.code,
                "state": each.state,
                "since": since // 1000,
                "text": each.text,
                "remedy": each.remedy,
                "values": each.values,
            }
            for each, since in found
        ]
    }
