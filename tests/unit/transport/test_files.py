from __future__ import annotations

import gzip
import os
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from server.transport.files import Files, takes_gzip

TEXT = ".a { color: red; }\n" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.css").write_text(TEXT)
    (tmp_path / "small.css").write_text("a{}")
    (tmp_path / "font.woff2").write_bytes(bytes(range(256)) * 16)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> httpx.AsyncClient:
    app = Starlette(routes=[Mount("/static", Files(folder))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://files")


async def test_a_text_comes_compressed_to_whoever_takes_it(client: httpx.AsyncClient) -> None:
    packed = await client.get("/static/a.css", headers={"Accept-Encoding": "br, gzip"})
    plain = await client.get("/static/a.css", headers={"Accept-Encoding": "identity"})
    assert packed.text == plain.text == TEXT
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(gzip.compress(TEXT.encode())) < len(TEXT) / 10
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers["etag"] != plain.headers["etag"], "a cache must not take one for the other"
    assert packed.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("name", ["small.css", "font.woff2"])
async def test_what_would_not_get_smaller_stays_as_it_is(client: httpx.AsyncClient, folder: Path, name: str) -> None:
    answer = await client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.content == (folder / name).read_bytes()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_what_a_browser_has_is_not_sent_again_until_it_changes(
    client: httpx.AsyncClient, folder: Path, encoding: str
) -> None:
    first = await client.get("/static/a.css", headers={"Accept-Encoding": encoding})
    again = {"Accept-Encoding": encoding, "If-None-Match": first.headers["etag"]}
    assert (await client.get("/static/a.css", headers=again)).status_code == 304
    (folder / "a.css").write_text(TEXT.replace("red", "blue"))
    os.utime(folder / "a.css", (1, 1))
    changed = await client.get("/static/a.css", headers=again)
    assert changed.status_code == 200
    assert "blue" in changed.text


async def test_a_look_has_the_headers_and_no_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/static/a.css", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("*", True), ("gzip; q=0", False), ("gzip;q=0.0, br", False), ("", False),
     ("identity", False)],
)  # fmt: skip
def test_what_a_browser_says_that_it_takes(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken
