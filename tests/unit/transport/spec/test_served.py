"""A document as it is served."""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import Any

import pytest
from starlette.requests import Request

from server.transport.spec.served import Served
from tests.support.documents import api_document

Json = dict[str, Any]


async def test_concurrent_requests_make_the_document_once() -> None:
    made = []

    def make() -> Json:
        made.append(1)
        time.sleep(0.05)  # in which all the others ask
        return {"openapi": "3.1.0"}

    served = Served(make)
    request = Request({"type": "http", "headers": []})
    answers = await asyncio.gather(*(served.answer(request) for _ in range(20)))
    answers.append(await served.answer(request))
    assert len(made) == 1
    assert {bytes(each.body) for each in answers} == {b'{"openapi":"3.1.0"}'}


async def test_document_is_compressed_on_request_and_not_sent_again_if_unchanged() -> None:
    served = Served(api_document)
    plain = await served.answer(Request({"type": "http", "headers": []}))
    asked = Request({"type": "http", "headers": [(b"accept-encoding", b"br, gzip")]})
    compressed = await served.answer(asked)
    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == compressed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(bytes(compressed.body)) == plain.body
    assert len(compressed.body) * 8 < len(plain.body)
    known = Request({"type": "http", "headers": [(b"if-none-match", plain.headers["etag"].encode())]})
    again = await served.answer(known)
    assert (again.status_code, again.body) == (304, b"")


async def test_failed_document_is_made_again_at_the_next_request() -> None:
    def make() -> Json:
        made.append(1)
        if len(made) == 1:
            raise OSError("not now")
        return {}

    made: list[int] = []
    served = Served(make)
    request = Request({"type": "http", "headers": []})
    with pytest.raises(OSError, match="not now"):
        await served.answer(request)
    assert (await served.answer(request)).body == b"{}"
