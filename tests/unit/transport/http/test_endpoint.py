"""Endpoints: one object gives the route and the description."""

from __future__ import annotations

import inspect
import json
import re
from typing import TypedDict

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import InvalidField, NotAllowed, NotSignedIn, PointNotFound
from server.transport.http import parameters
from server.transport.http.bodies import Body
from server.transport.http.endpoint import BODY, Answer, Endpoint, Endpoints, Tag, data
from server.transport.http.errors import EXCEPTION_HANDLERS, ForeignOrigin
from server.transport.spec import openapi

DOCUMENTED = [endpoint for module in openapi.MODULES for endpoint in module]
IN_THE_API = [each for each in DOCUMENTED if each.in_api and not each.any_query]
WITH_A_RIGHT = [each for each in DOCUMENTED if each.may and each.tag is not Tag.LIVE]


class _Said(TypedDict):
    word: str


class _Word(Body):
    word: str


async def test_a_handler_that_returns_data_is_answered_as_json_in_no_cache() -> None:
    endpoints = Endpoints(Tag.SITES)

    @endpoints.add("GET", "/said", "say", "What was said.")
    async def say(_: Request) -> _Said:
        return {"word": "hello"}

    transport = httpx.ASGITransport(Starlette(routes=endpoints.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/said")
    assert (answer.status_code, answer.json()) == (200, {"word": "hello"})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


async def test_a_decorated_handler_is_the_handler_itself() -> None:
    endpoints = Endpoints(Tag.SITES)

    async def say(_: Request) -> Response:
        """Say a word."""
        return Response(json.dumps({"word": "hello"}))

    assert endpoints.add("GET", "/said", "say", Answer("What was said.", _Said))(say) is say
    (endpoint,) = endpoints
    assert (endpoint.handler, endpoint.about, endpoint.tag) == (say, "Say a word.", Tag.SITES)


@pytest.mark.parametrize("endpoint", IN_THE_API, ids=lambda each: f"{each.method} {each.path}")
async def test_unknown_parameter_of_the_query_is_refused_by_name(endpoint: Endpoint) -> None:
    """The refusal comes before the handler, which has no context here. The name of a parameter may be a secret."""
    app = Starlette(routes=list(endpoint.routes()), exception_handlers=EXCEPTION_HANDLERS)
    path = re.sub(r"\{\w+:id\}", "7", endpoint.path).replace("{name}", "recall")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        for query, field in (("page=2", "page"), ("Page_size=2", "Page_size"), ("d7-secret=1", "(unknown)"), ("x", "x")):
            answer = await client.request(endpoint.method, f"{path}?api_version=1&{query}=")
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_field")
            assert answer.json()["error"]["details"]["field"] == field


def test_refusals_follow_from_the_right_the_body_and_the_parameters() -> None:
    async def say(_: Request) -> Response:
        return Response()

    endpoint = Endpoint(
        method="POST",
        path="/said",
        name="say",
        tag=Tag.SITES,
        handler=say,
        about="Say a word.",
        answers=(data("What was said."),),
        may="read-sites",
        parameters=(parameters.Day("day", "The day."),),
        body=_Word,
        refused=(PointNotFound,),
    )
    assert endpoint.errors() == [NotSignedIn, NotAllowed, ForeignOrigin, *BODY, PointNotFound, InvalidField]


@pytest.mark.parametrize("endpoint", WITH_A_RIGHT, ids=lambda each: each.name)
def test_a_handler_asks_the_gate_for_the_right_that_it_declares(endpoint: Endpoint) -> None:
    module = inspect.getsource(inspect.getmodule(endpoint.handler))  # type: ignore[arg-type]
    assert f'may="{endpoint.may}"' in module
    assert f', "{endpoint.may}"' in module.replace(f'may="{endpoint.may}"', "")


@pytest.mark.parametrize("endpoint", DOCUMENTED, ids=lambda each: each.name)
def test_every_endpoint_has_a_text_of_whole_sentences(endpoint: Endpoint) -> None:
    about = inspect.cleandoc(endpoint.about)
    assert about[:1].isupper()
    assert about.endswith(".")
