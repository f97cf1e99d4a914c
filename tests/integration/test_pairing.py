"""Pairing: a device shows a code, an administrator enters it, and the device gets its token once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from server.seeding import Seed
from tests.support.engines import installed
from tests.support.refusals import refused
from tests.support.rows import change, rows
from tests.support.screens import sse
from tests.support.server import Server, seed, serving

pytestmark = pytest.mark.measured

PAIRINGS = "/api/v1/pairings"
TEN_MINUTES = 600_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairing")


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, str]]:
    with installed(request, request.param, folder) as env:
        yield env


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=1, tickets=0, displays=2)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


@pytest.fixture
def device(server: Server) -> Iterator[httpx.Client]:
    """A screen without a token."""
    with server.client() as client:
        yield client


def begin(device: httpx.Client) -> tuple[str, str]:
    """Begin a pairing; return its code and its secret."""
    answer = device.post(PAIRINGS)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"code", "secret", "expires_at"}
    assert abs(body["expires_at"] / 1000 - time.time() - 600) < 20
    assert len(body["code"]) == 6
    assert not set(body["code"]) & set("B8O0I1LZ2S5")
    return body["code"], body["secret"]


def test_display_gets_a_token_by_pairing(
    env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client, device: httpx.Client
) -> None:
    display = seeded["displays"][0]
    code, secret = begin(device)
    pending = device.get(f"{PAIRINGS}/{secret}")
    assert pending.json() == {"state": "pending"}
    kept = str(rows(env, "SELECT * FROM pairings"))
    assert code not in kept
    assert secret not in kept
    paired = admin.post(f"{PAIRINGS}/{code[:3].lower()}-{code[3:]}", json={"device_id": display["id"]})
    assert paired.json() == {"device_id": display["id"], "kind": "display"}, "only the device gets the token"
    assert device.head(f"{PAIRINGS}/{secret}").status_code == 200  # a HEAD request does not use up the token
    collected = device.get(f"{PAIRINGS}/{secret}")
    assert collected.headers["cache-control"] == "no-store"
    token = collected.json().pop("token")
    assert collected.json() == {"state": "paired", "device_id": display["id"], "kind": "display", "token": token}
    assert token not in kept
    refused(device.get(f"{PAIRINGS}/{secret}"), 404, "pairing_not_found")
    assert device.head(f"{PAIRINGS}/{secret}").status_code == 404
    live = f"{server.url}/live/displays/{display['id']}"
    with sse(live, token) as screen:
        screen.wait(lambda screen: bool(screen.cells), what="a snapshot")
    with httpx.stream("GET", live, headers={"Authorization": f"Bearer {display['token']}"}) as before:
        assert before.status_code == 401, "the previous token has ended"


def test_kiosk_gets_a_token_by_pairing(seeded: Seed, server: Server, admin: httpx.Client, device: httpx.Client) -> None:
    made = admin.post("/api/v1/commands/add-kiosk", json={"site_id": seeded["site_id"], "name": "Door"}).json()
    kiosk_id = made["events"][-1]["kiosk_id"]
    code, secret = begin(device)
    assert admin.post(f"{PAIRINGS}/{code}", json={"device_id": kiosk_id}).json()["kind"] == "kiosk"
    token = device.get(f"{PAIRINGS}/{secret}").json()["token"]
    with server.client(token) as kiosk:
        issued = kiosk.post("/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0]})
        assert issued.status_code == 200, issued.text


def test_one_of_many_concurrent_requests_gets_the_token(
    seeded: Seed, server: Server, admin: httpx.Client, device: httpx.Client
) -> None:
    code, secret = begin(device)
    assert admin.post(f"{PAIRINGS}/{code}", json={"device_id": seeded["displays"][0]["id"]}).status_code == 200

    def ask(_: int) -> httpx.Response:
        return httpx.get(f"{server.url}{PAIRINGS}/{secret}", timeout=30)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7


def test_code_pairs_only_one_device(seeded: Seed, env: dict[str, str], server: Server, admin: httpx.Client) -> None:
    """Two administrators enter the code at once for different devices: one gets a token, the other keeps its own."""
    with server.client() as device:
        code, secret = begin(device)
        ids = [each["id"] for each in seeded["displays"]]
        before = dict(rows(env, "SELECT id, token_hash FROM displays"))
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(lambda each: admin.post(f"{PAIRINGS}/{code}", json={"device_id": each}), ids))
        assert sorted(answer.status_code for answer in answers) == [200, 404]
        got = device.get(f"{PAIRINGS}/{secret}").json()
    after = dict(rows(env, "SELECT id, token_hash FROM displays"))
    assert {each for each in ids if before[each] != after[each]} == {got["device_id"]}


def test_invalid_pairings_are_refused_and_keep_the_code(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, device: httpx.Client
) -> None:
    code, secret = begin(device)
    foreign = seed(env, points=1, tickets=0, displays=1)
    path = f"{PAIRINGS}/{code}"
    refused(admin.post(path, json={"device_id": foreign["displays"][0]["id"]}), 404, "site_not_found")
    answer = admin.post(path, json={"device_id": seeded["queue_ids"][0]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "device_not_found"), answer.text
    for body in ({}, {"device_id": 0}, {"device_id": "1"}, {"device_id": 1, "x": 1}):
        refused(admin.post(path, json=body), 422, "invalid_body")
    refused(device.post(path, json={"device_id": seeded["displays"][0]["id"]}), 401, "not_signed_in")
    for wrong in ("ACDEFG", "x", "ACDEF%00", secret, "%F0%9F%98%80" * 6, "A" * 5_000):
        answer = admin.post(f"{PAIRINGS}/{wrong}", json={"device_id": seeded["displays"][0]["id"]})
        refused(answer, 404, "pairing_not_found")
    for wrong in (code, secret[:-1], secret + "x", "x"):
        refused(device.get(f"{PAIRINGS}/{wrong}"), 404, "pairing_not_found")
    # The code is still valid.
    assert admin.post(path, json={"device_id": seeded["displays"][0]["id"]}).status_code == 200


def test_pairing_expires_after_ten_minutes(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, device: httpx.Client
) -> None:
    code, secret = begin(device)
    late, late_secret = begin(device)
    assert admin.post(f"{PAIRINGS}/{late}", json={"device_id": seeded["displays"][0]["id"]}).status_code == 200
    change(env, "UPDATE pairings SET expires_at = expires_at - :past", past=TEN_MINUTES)
    refused(admin.post(f"{PAIRINGS}/{code}", json={"device_id": seeded["displays"][0]["id"]}), 404, "pairing_not_found")
    for each in (secret, late_secret):
        refused(device.get(f"{PAIRINGS}/{each}"), 404, "pairing_not_found")
    begin(device)
    assert len(rows(env, "SELECT id FROM pairings")) == 1, "expired pairings are deleted"


def test_interrupted_pairing_can_be_completed(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, device: httpx.Client
) -> None:
    """The process died after it took the code: the code still pairs the same device, but no other."""
    code, secret = begin(device)
    first, second = (each["id"] for each in seeded["displays"])
    change(env, "UPDATE pairings SET device_id = :device", device=first)
    refused(admin.post(f"{PAIRINGS}/{code}", json={"device_id": second}), 404, "pairing_not_found")
    assert admin.post(f"{PAIRINGS}/{code}", json={"device_id": first}).status_code == 200
    assert device.get(f"{PAIRINGS}/{secret}").json()["device_id"] == first


def test_code_entered_again_gets_the_same_answer(
    env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client, device: httpx.Client
) -> None:
    """An administrator repeats after a lost answer, before or after the device gets its token: it gets only one."""
    code, secret = begin(device)
    first, second = (each["id"] for each in seeded["displays"])

    def enter(device_id: int) -> httpx.Response:
        return admin.post(f"{PAIRINGS}/{code}", json={"device_id": device_id})

    answers = [enter(first), enter(first)]
    collected = device.get(f"{PAIRINGS}/{secret}").json()
    answers.append(enter(first))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    refused(enter(second), 404, "pairing_not_found")
    refused(device.get(f"{PAIRINGS}/{secret}"), 404, "pairing_not_found")
    with sse(f"{server.url}/live/displays/{first}", collected["token"]) as screen:
        screen.wait(lambda screen: bool(screen.cells), what="a snapshot")
    # After a revocation the device is no longer paired, and the code has no effect.
    assert admin.post("/api/v1/commands/revoke-token", json={"device_id": first}).status_code == 200
    refused(enter(first), 404, "pairing_not_found")


def test_guessing_is_limited(env: dict[str, str], seeded: Seed, folder: Path) -> None:
    with (
        serving(env | {"NOWSERVING_RATE_LIMITS": "on"}, folder, name="limited") as server,
        server.client() as device,
        server.client(server.sign_in(seeded, "admin")) as admin,
    ):
        answers = [admin.post(f"{PAIRINGS}/ACDEFG", json={"device_id": 1}) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [404] * 10 + [429]
        assert admin.get("/api/v1/sites").status_code == 200
        answers = [device.post(PAIRINGS) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [201] * 10 + [429]
        secrets = [answer.json()["secret"] for answer in answers[:2]]
        # Each waiting device has a count of its own: ten devices behind one address do not block each other.
        for secret in secrets:
            asked = [device.get(f"{PAIRINGS}/{secret}") for _ in range(60)]
            assert {answer.status_code for answer in asked} == {200}
            assert asked[-1].headers["x-ratelimit-remaining"] == "0"
        assert device.get(f"{PAIRINGS}/{secrets[0]}").status_code == 429
        invented = [device.get(f"{PAIRINGS}/{'x' * 43}") for _ in range(61)]
        assert [answer.status_code for answer in invented] == [404] * 60 + [429]
