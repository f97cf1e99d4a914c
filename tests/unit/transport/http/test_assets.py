"""The files of the pages: version, compression and browser caching."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from server.transport.http import assets
from server.transport.http.assets import VERSION_HEADER, Assets, without_comments

PAGE = '<!doctype html><link rel="stylesheet" href="/static/css/x.css" />' + " " * 2000


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": pairs})


@pytest.fixture
def web(tmp_path: Path) -> Path:
    for name, text in (("pages/x.html", PAGE), ("css/x.css", "a { color: red }\n" * 100), ("js/service-worker.js", "//")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_page_names_its_files_with_the_version(web: Path) -> None:
    kept = Assets(web)
    answer = kept.page(request(), "x")
    assert f'href="/static/{kept.version}/css/x.css"'.encode() in bytes(answer.body)
    assert answer.headers[VERSION_HEADER] == kept.version
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.media_type == "text/html"
    assert kept.page(request(), "x", 404).status_code == 404


def test_only_a_file_of_this_version_may_be_kept_for_ever(web: Path) -> None:
    kept = Assets(web)
    assert "immutable" in kept.file(request(), f"{kept.version}/css/x.css").headers["cache-control"]
    for path in ("css/x.css", "0123456789ab/css/x.css"):
        answer = kept.file(request(), path)
        assert answer.headers["cache-control"] == "no-cache"
        assert bytes(answer.body).startswith(b"a {")


def test_text_is_compressed_for_a_client_that_accepts_gzip(web: Path) -> None:
    plain = Assets(web).file(request(), "css/x.css")
    packed = Assets(web).file(request(accept_encoding="gzip, br"), "css/x.css")
    assert gzip.decompress(bytes(packed.body)) == bytes(plain.body)
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_unchanged_file_is_not_sent_again(web: Path) -> None:
    kept = Assets(web)
    etag = kept.file(request(), "css/x.css").headers["etag"]
    again = kept.file(request(if_none_match=f"W/{etag}"), "css/x.css")
    assert (again.status_code, again.body) == (304, b"")
    assert kept.file(request(if_none_match='"other"'), "css/x.css").status_code == 200
    page = kept.page(request(), "x")
    assert kept.page(request(if_none_match=page.headers["etag"]), "x").headers[VERSION_HEADER] == kept.version
    assert kept.page(request(if_none_match=page.headers["etag"]), "x", 404).status_code == 404


def test_version_follows_the_content_and_not_the_time_of_change(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "CHECKED_SECONDS", 0)
    kept = Assets(web)
    first = kept.version
    os.utime(web / "css/x.css", (1, 1))
    assert kept.version == first
    (web / "css/x.css").write_text("b {}")
    assert kept.version != first
    assert bytes(kept.file(request(), "css/x.css").body) == b"b {}"
    assert kept.file(request(), f"{first}/css/x.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["", "css", "css/y.css", "../secret", "0123456789ab/", "/css/x.css", "css/../css/x.css"])
def test_other_paths_are_not_found(web: Path, path: str) -> None:
    with pytest.raises(HTTPException) as caught:
        Assets(web).file(request(), path)
    assert caught.value.status_code == 404


def test_worker_is_served_from_the_root_and_revalidated(web: Path) -> None:
    answer = Assets(web).worker(request())
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.media_type == "text/javascript"


MODULE = """/** What it is for. */
import { a } from "./a.js";

/**
 * @param {string} url  such as `https://clinic.example`
 */
export function b(url) {
  // why
  const c = /** @type {HTMLElement} */ (a(url)); // as it is
  /** @type {HTMLElement | null} */ (c.firstElementChild)?.focus();
  return "// no comment" + `${c} /** none */`;
}
"""


def test_module_is_sent_without_comments_and_keeps_its_line_numbers() -> None:
    sent = without_comments(MODULE.encode()).decode().split("\n")
    kept = {2: 'import { a } from "./a.js";', 9: "  const c = /** @type {HTMLElement} */ (a(url)); // as it is"}
    kept |= dict.fromkeys((1, 4, 5, 6, 8), "")
    assert len(sent) == len(MODULE.split("\n"))
    assert {number: sent[number - 1] for number in kept} == kept
    assert sent[9:] == MODULE.split("\n")[9:]
