"""The speech of a display and the QR code of a ticket, from a running server, and the rights to them."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import segno

from server.seeding import Seed
from tests.support.screens import sse
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.measured

PUBLIC = "https://queue.example.org/"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('spoken') / 'x.db'}")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=2, tickets=3, displays=2)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(env, tmp_path_factory.mktemp("spoken-server")) as server:
        yield server


@pytest.fixture
def display(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(seeded["displays"][0]["token"]) as client:
        yield client


def speech(seeded: Seed, index: int = 0) -> str:
    return f"/api/v1/displays/{seeded['displays'][index]['id']}/speech"


def seconds_of(answer: httpx.Response) -> float:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["cache-control"] == "no-store"
    with wave.open(io.BytesIO(answer.content)) as opened:
        return float(opened.getnframes() / opened.getframerate())


def test_only_an_open_call_is_spoken(server: Server, seeded: Seed, display: httpx.Client) -> None:
    """The answer is the same with and without an open stream of the site in this process."""
    with server.client(server.sign_in(seeded, "receptionist")) as floor:

        def do(name: str, **body: Any) -> Any:
            answer = floor.post(f"/api/v1/commands/{name}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        called = do("call-next", point_id=seeded["point_ids"][0])["entry"]
        alone = display.get(speech(seeded), params={"entry": called["id"], "language": "es"})
        assert seconds_of(alone) > 1
        url = f"{server.url}/live/displays/{seeded['displays'][0]['id']}"
        with sse(url, seeded["displays"][0]["token"]) as screen:
            screen.wait(lambda each: each.cells)
            followed = display.get(speech(seeded), params={"entry": called["id"], "language": "es"})
            assert followed.content == alone.content
            do("start", entry_id=called["id"])
            screen.wait(lambda each: f"entry:{called['id']}" not in each.cells)
            assert display.get(speech(seeded), params={"entry": called["id"]}).status_code == 204
        assert display.get(speech(seeded), params={"entry": called["id"]}).status_code == 204


def test_sound_check_speaks_the_chosen_language(seeded: Seed, display: httpx.Client) -> None:
    assert len({seconds_of(display.get(speech(seeded), params={"language": each})) for each in ("en", "fr", "ar")}) == 3


def test_speech_is_refused_to_other_devices_and_for_invalid_queries(
    server: Server, seeded: Seed, display: httpx.Client
) -> None:
    assert display.get(speech(seeded, 1)).status_code == 403
    with server.client() as nobody:
        assert nobody.get(speech(seeded)).status_code == 401
    for wrong in ({"language": "tlh"}, {"entry": "x"}, {"entry": "99000000001"}):
        answer = display.get(speech(seeded), params=wrong)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "invalid_field"


def test_server_without_a_voice_answers_no_content(env: dict[str, str], seeded: Seed, tmp_path: Path) -> None:
    quiet = env | {"PATH": str(tmp_path)}
    with serving(quiet, tmp_path) as server, server.client(seeded["displays"][0]["token"]) as display:
        answer = display.get(speech(seeded))
    assert (answer.status_code, answer.content) == (204, b"")


def qr_code(address: str) -> bytes:
    found = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        found, kind="svg", border=4, light="#fff", xmldecl=False, nl=False, omitsize=True
    )
    return found.getvalue()


def test_qr_code_contains_the_address_of_the_ticket_page(server: Server, seeded: Seed) -> None:
    """Without a public address of the installation, the code has the host of the request."""
    token = seeded["tickets"][0]["token"]
    answer = httpx.get(f"{server.url}/api/v1/tickets/{token}/qr.svg")
    assert answer.content == qr_code(f"{server.url}/t/{token}")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "no-store"
    unknown = httpx.get(f"{server.url}/api/v1/tickets/{token[:-1]}_/qr.svg")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ticket_not_found")
    assert token not in server.log.read_text()


def test_qr_code_slip_and_answer_use_the_public_address(env: dict[str, str], seeded: Seed, tmp_path: Path) -> None:
    token = seeded["tickets"][0]["token"]
    with serving(env | {"NOWSERVING_PUBLIC_URL": PUBLIC}, tmp_path) as server:
        answer = httpx.get(f"{server.url}/api/v1/tickets/{token}/qr.svg")
        with server.client(server.sign_in(seeded, "receptionist")) as desk:
            entry_id = desk.get(f"/api/v1/sites/{seeded['site_id']}/entries").json()["data"][0]["id"]
            slip = desk.get(f"/api/v1/entries/{entry_id}/slip").json()
            issued = desk.post("/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0]}).json()
    assert answer.content == qr_code(f"{PUBLIC}t/{token}")
    assert slip["address"] == f"{PUBLIC}t/{slip['token']}"
    assert issued["address"] == f"{PUBLIC}t/{issued['token']}"
