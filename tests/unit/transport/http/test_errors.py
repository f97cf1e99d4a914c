"""Errors on the wire: one shape, the right status, and nothing internal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import (
    CommandIdReused,
    EntryNotCalled,
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    NowServingError,
    PointBusy,
    Refused,
    SignInFailed,
    SiteNotFound,
    Unavailable,
)
from server.transport.http.assets import Assets
from server.transport.http.errors import (
    EXCEPTION_HANDLERS,
    BodyTooLarge,
    ForeignOrigin,
    InvalidBody,
    MalformedBody,
    PreflightRefused,
    UnknownCommand,
    UnsupportedMediaType,
    error_response,
    on_http,
    on_known,
    on_unknown,
    refusal,
    status_of,
)


def a_request() -> Request:
    return Request({"type": "http", "method": "POST", "path": "/secret/path", "headers": [], "request_id": "r-1"})


def body_of(response: Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    body = json.loads(bytes(response.body))
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "details", "request_id", "timestamp"}
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize("error", [NotSignedIn(), NotAllowed(), SiteNotFound(), Unavailable(), UnknownCommand()])
def test_every_refusal_is_marked_with_its_code(error: NowServingError) -> None:
    """A page tells it by this header from a proxy's answer of the same status."""
    response = refusal(a_request(), error)
    assert response.headers["x-nowserving-refusal"] == error.code == body_of(response)["code"]


def below(kind: type[NowServingError]) -> list[type[NowServingError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in below(child))]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (MalformedBody, 400),
        (PreflightRefused, 400),
        (NotSignedIn, 401),
        (SignInFailed, 401),
        (NotAllowed, 403),
        (ForeignOrigin, 403),
        (NotFound, 404),
        (SiteNotFound, 404),
        (UnknownCommand, 404),
        (Refused, 409),
        (EntryNotCalled, 409),
        (PointBusy, 409),
        (BodyTooLarge, 413),
        (UnsupportedMediaType, 415),
        (CommandIdReused, 422),
        (InvalidField, 422),
        (InvalidBody, 422),
        (Unavailable, 503),
        (NowServingError, 500),
    ],
)
def test_class_of_error_has_its_status(kind: type[NowServingError], status: int) -> None:
    assert status_of(kind()) == status


def test_every_error_except_the_root_has_the_status_of_its_branch() -> None:
    for kind in below(NowServingError)[1:]:
        if kind.__module__.startswith("server."):
            assert status_of(kind()) != 500, kind


def test_new_class_has_the_status_of_its_branch() -> None:
    class KeyLost(Refused):
        """The key is lost."""

    assert status_of(KeyLost()) == 409


async def test_known_error_is_answered_in_the_common_shape() -> None:
    before = datetime.now(UTC)
    response = await on_known(a_request(), EntryNotCalled(entry_id=7_000_000_005, label="A012", state="held"))
    assert response.status_code == 409
    error = body_of(response)
    assert error["code"] == "entry_not_called"
    assert error["message"] == "A012 is held, not called."
    assert error["details"] == {"entry_id": 7_000_000_005, "label": "A012", "state": "held"}
    assert error["request_id"] == "r-1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", error["timestamp"])
    assert abs((datetime.fromisoformat(error["timestamp"]) - before).total_seconds()) < 5
    assert "retry-after" not in response.headers
    assert "www-authenticate" not in response.headers


async def test_refusal_has_the_headers_that_a_client_needs() -> None:
    away = await on_known(a_request(), Unavailable())
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    for kind in (NotSignedIn, SignInFailed):
        stranger = await on_known(a_request(), kind())
        assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Bearer")
    assert "retry-after" not in (await on_known(a_request(), NotAllowed())).headers


async def test_invalid_body_names_its_fields() -> None:
    fields = [{"field": "name", "message": "too long"}]
    error = body_of(await on_known(a_request(), InvalidBody(problem="name: too long", fields=fields)))
    assert (error["code"], error["message"]) == ("invalid_body", "name: too long")
    assert error["details"]["fields"] == fields


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (405, "method_not_allowed"), (400, "bad_request")])
async def test_refusal_of_starlette_has_the_same_shape(status: int, code: str) -> None:
    response = await on_http(a_request(), HTTPException(status, headers={"Allow": "GET"}))
    assert response.status_code == status
    assert response.headers["allow"] == "GET"
    error = body_of(response)
    assert (error["code"], error["details"]) == (code, {})
    assert error["message"]


async def test_internal_details_do_not_leak() -> None:
    try:
        raise RuntimeError("SELECT password FROM staff at /srv/app.py")
    except RuntimeError as error:
        response = await on_unknown(a_request(), error)
    assert response.status_code == 500
    body = body_of(response)
    assert body["code"] == "internal_error"
    assert body["details"] == {}
    assert not any(word in bytes(response.body).decode() for word in ("password", "RuntimeError", "app.py", "secret"))


class _Parts:
    def __init__(self, web: Path) -> None:
        self.assets = Assets(web)


def from_a_browser(path: str, web: Path, accept: str = "text/html,application/xhtml+xml,*/*;q=0.8") -> Request:
    """Return a browser's request to an application with the pages of ``web``."""
    (web / "pages").mkdir(exist_ok=True)
    for name in ("not-found", "error"):
        (web / "pages" / f"{name}.html").write_text(name)
    app = Starlette()
    app.state.context = _Parts(web)
    headers = [(b"accept", accept.encode()), (b"host", b"x")]
    return Request({"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers, "app": app})


@pytest.mark.parametrize("path", ["/", "/reception", "/t/7-secret", "/apix"])
async def test_browser_at_an_unknown_path_gets_a_page(path: str, tmp_path: Path) -> None:
    request = from_a_browser(path, tmp_path)
    lost = await on_http(request, HTTPException(404))
    broken = await on_unknown(request, RuntimeError("inside"))
    for response, status, name in ((lost, 404, "not-found"), (broken, 500, "error")):
        assert response.status_code == status
        assert response.body == name.encode()
        assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api/v1/nothing", "text/html"),
        ("/live/nothing", "text/html"),
        ("/static/nothing.js", "text/html"),
        ("/health/nothing", "text/html"),
        ("/metrics", "text/html"),
        ("/reception", "application/json"),
        ("/reception", "*/*"),
        ("/reception", ""),
    ],
)
async def test_program_at_an_unknown_path_gets_the_common_shape(path: str, accept: str, tmp_path: Path) -> None:
    request = from_a_browser(path, tmp_path, accept)
    assert body_of(await on_http(request, HTTPException(404)))["code"] == "not_found"
    assert body_of(await on_unknown(request, RuntimeError("inside")))["code"] == "internal_error"


async def test_only_not_found_is_answered_with_a_page(tmp_path: Path) -> None:
    response = await on_http(from_a_browser("/reception", tmp_path), HTTPException(405))
    assert body_of(response)["code"] == "method_not_allowed"


def test_error_without_a_request_id_has_the_common_shape() -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    response = error_response(request, 418, "teapot", "Short and stout.", details=[1], headers={"X-Tea": "yes"})
    assert response.status_code == 418
    assert response.headers["x-tea"] == "yes"
    assert body_of(response)["request_id"] == ""
    assert body_of(response)["details"] == [1]


def test_handlers_cover_every_class_of_error() -> None:
    assert {NowServingError: on_known, HTTPException: on_http} == EXCEPTION_HANDLERS
