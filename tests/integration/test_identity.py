"""Passwords, sessions, staff and API keys, with a real server on each database engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from server.identity.hashing import at_once_here
from server.seeding import Seed, StaffSeed
from tests.support.engines import installed
from tests.support.passwords import REAL_PASSWORDS
from tests.support.processes import forget_peak, peak_mib
from tests.support.refusals import refused
from tests.support.rows import change, rows
from tests.support.screens import sse
from tests.support.server import Server, seed, serving

pytestmark = pytest.mark.measured

MINUTE = 60_000_000
SESSION, SESSIONS, STAFF, KEYS = "/api/v1/session", "/api/v1/sessions", "/api/v1/staff", "/api/v1/api-keys"
_addresses = count(1)


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with installed(request, request.param, tmp_path_factory.mktemp("identity-database")) as env:
        yield env


@pytest.fixture(scope="module")
def server(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    seed(env, points=1, tickets=0)
    with serving(env, tmp_path_factory.mktemp("identity")) as server:
        yield server


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """An organisation of its own for each test."""
    return seed(env, points=1, tickets=2, displays=1)


@pytest.fixture
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A browser without cookies, at an address that has sent no request before."""
    number = next(_addresses)
    with server.client() as client:
        client.headers["X-Forwarded-For"] = f"198.51.{number // 250}.{number % 250 + 1}"
        yield client


def member_of(seeded: Seed, role: str) -> StaffSeed:
    return next(each for each in seeded["staff"] if each["role"] == role)


def sign_in(client: httpx.Client, username: str, password: str) -> httpx.Response:
    return client.post(SESSION, json={"username": username, "password": password})


def bearer(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


# Lock-out


@pytest.mark.parametrize("exists", [True, False])
def test_five_failures_lock_sign_in_for_a_growing_time(
    env: dict[str, str], seeded: Seed, client: httpx.Client, *, exists: bool
) -> None:
    """The answers do not reveal whether the user exists."""
    who = member_of(seeded, "receptionist") if exists else {"username": f"nobody-{seeded['site_id']}", "password": "x"}
    for expected in (1, 2, 4, 8, 16, 32, 60, 60):
        first = expected == 1
        for _ in range(5 if first else 1):
            error = refused(sign_in(client, who["username"], "wrong"), 401, "sign_in_failed")
            assert error["details"] == {}
        for password in ("wrong", who["password"]):
            answer = sign_in(client, who["username"], password)
            error = refused(answer, 429, "sign_in_locked")
            seconds = int(answer.headers["retry-after"])
            assert error["details"] == {"retry_after": seconds}
            assert expected * 60 - 20 <= seconds <= expected * 60
        change(env, "UPDATE lockouts SET locked_until = locked_until - :past", past=expected * MINUTE)
    if not exists:
        return
    assert sign_in(client, who["username"], who["password"]).status_code == 200
    client.cookies.clear()
    for _ in range(5):  # the count starts again at zero
        refused(sign_in(client, who["username"], "wrong"), 401, "sign_in_failed")
    refused(sign_in(client, who["username"], who["password"]), 429, "sign_in_locked")


def spellings(name: str) -> Iterator[str]:
    """Yield the spellings of a user name that sign-in accepts: spaces without end, capitals, full-width letters."""
    wide = "".join(chr(ord(each) + 0xFEE0) if each.isascii() else each for each in name)
    for number in count(1):
        yield name + " " * number
        yield name.upper() + "\u00a0" * number
        yield " " * number + wide


@pytest.mark.parametrize("exists", [True, False])
def test_every_spelling_of_a_name_counts_for_one_lock(
    env: dict[str, str], seeded: Seed, client: httpx.Client, *, exists: bool
) -> None:
    """The attack adds one more space to the name for each guess. The answers do not reveal whether the user exists."""
    who = member_of(seeded, "receptionist")
    name = who["username"] if exists else f"nobody-{seeded['site_id']}"
    before = rows(env, "SELECT COUNT(*) FROM lockouts")[0][0]
    typed = spellings(name)
    for _ in range(5):
        error = refused(sign_in(client, next(typed), "wrong"), 401, "sign_in_failed")
        assert error["details"] == {}
    for _ in range(6):
        refused(sign_in(client, next(typed), who["password"]), 429, "sign_in_locked")
    assert rows(env, "SELECT COUNT(*) FROM lockouts")[0][0] == before + 1


def test_name_as_a_phone_types_it_signs_in(seeded: Seed, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    typed = spellings(who["username"])
    for username in (who["username"].capitalize(), f"{who['username'].title()} ", *(next(typed) for _ in range(3))):
        client.cookies.clear()
        answer = sign_in(client, username, who["password"])
        assert answer.status_code == 200, username
        assert answer.json()["user"]["username"] == who["username"]
        assert sign_in(client, username + "\u200b", who["password"]).status_code == 401
    # The browser is known by the member, not by the spelling.
    for _ in range(5):
        refused(sign_in(client, next(typed), "wrong"), 401, "sign_in_failed")
    client.cookies.clear()
    refused(sign_in(client, next(typed), "wrong"), 401, "sign_in_failed")


def test_lock_out_is_for_one_user_at_one_address(server: Server, seeded: Seed, client: httpx.Client) -> None:
    locked, other = member_of(seeded, "receptionist"), member_of(seeded, "clinician")
    for _ in range(6):
        sign_in(client, locked["username"], "wrong")
    refused(sign_in(client, locked["username"], locked["password"]), 429, "sign_in_locked")
    assert sign_in(client, other["username"], other["password"]).status_code == 200
    with server.client() as elsewhere:
        elsewhere.headers["X-Forwarded-For"] = "203.0.113.77"
        assert sign_in(elsewhere, locked["username"], locked["password"]).status_code == 200


def test_lock_out_spares_known_browsers_and_open_sessions(server: Server, seeded: Seed, client: httpx.Client) -> None:
    who, colleague = member_of(seeded, "receptionist"), member_of(seeded, "clinician")
    address = {"X-Forwarded-For": client.headers["X-Forwarded-For"]}
    with server.client() as known, server.client() as colleagues:
        for browser, user in ((known, who), (colleagues, colleague)):
            browser.headers.update(address)
            token = bearer(sign_in(browser, user["username"], user["password"]))
            if user is who:
                headers = token
        for _ in range(6):
            sign_in(client, who["username"], "wrong")
        refused(sign_in(client, who["username"], who["password"]), 429, "sign_in_locked")
        # A browser that is known for a colleague only is locked out too.
        refused(sign_in(colleagues, who["username"], who["password"]), 429, "sign_in_locked")
        assert known.get(SESSION, headers=headers | address).status_code == 200
        assert known.post(f"{SESSION}/refresh", json={}).status_code == 200
        assert sign_in(known, who["username"], who["password"]).status_code == 200
        # The known browser has its own counter.
        for _ in range(5):
            refused(sign_in(known, who["username"], "wrong"), 401, "sign_in_failed")
        refused(sign_in(known, who["username"], who["password"]), 429, "sign_in_locked")


def test_forged_browser_cookie_is_not_a_known_browser(seeded: Seed, server: Server, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    token = bearer(sign_in(client, who["username"], who["password"]))["Authorization"].removeprefix("Bearer ")
    for forged in ("nonsense", "e30.e30.e30", token):
        client.cookies.clear()
        client.cookies.set("nowserving_browser", forged)
        assert sign_in(client, who["username"], "wrong").status_code == 401
    client.cookies.clear()
    for _ in range(2):
        sign_in(client, who["username"], "wrong")
    refused(sign_in(client, who["username"], who["password"]), 429, "sign_in_locked")


def test_concurrent_wrong_passwords_get_five_attempts(server: Server, seeded: Seed, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: sign_in(client, who["username"], "wrong"), range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7
    refused(sign_in(client, who["username"], who["password"]), 429, "sign_in_locked")


def test_concurrent_right_passwords_all_succeed(server: Server, seeded: Seed, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: sign_in(client, who["username"], who["password"]), range(12)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.fixture
def slow_server(env: dict[str, str], seeded: Seed, tmp_path: Path) -> Iterator[Server]:
    """Yield another server, which hashes passwords as in an installation."""
    with serving(env | REAL_PASSWORDS, tmp_path, name="slow") as server:
        yield server


def test_sixty_sign_ins_at_once_are_bounded_and_delay_no_command(seeded: Seed, slow_server: Server) -> None:
    """Each hash takes 64 MiB. Streams open and commands run before the last hash is done."""
    server = slow_server
    token = server.sign_in(seeded, "receptionist")
    pid = server.process.pid
    ends: list[float] = []
    with server.client() as strangers, server.client(token) as desk, ThreadPoolExecutor(60) as threads:
        strangers.timeout = httpx.Timeout(60)
        sign_in(strangers, "nobody", "wrong")
        forget_peak(pid)
        before = peak_mib(pid)

        def attack(number: int) -> httpx.Response:
            answer = sign_in(strangers, f"nobody-{seeded['site_id']}-{number}", "wrong")
            ends.append(time.monotonic())
            return answer

        attacks = [threads.submit(attack, number) for number in range(60)]
        while not ends:
            time.sleep(0.01)
        commands = [desk.post("/api/v1/commands/issue-ticket", json={"queue_id": seeded["queue_ids"][0]}) for _ in range(5)]
        display = seeded["displays"][0]
        with sse(f"{server.url}/live/displays/{display['id']}", display["token"]) as screen:
            screen.wait(lambda screen: bool(screen.cells), what="a snapshot")
        served = time.monotonic()
        answers = [each.result() for each in attacks]
    assert [each.status_code for each in commands] == [200] * 5
    assert served < max(ends), "the sign-ins were done before the commands"
    assert peak_mib(pid) - before < (at_once_here() + 1) * 64 + 32
    for answer in answers:
        if answer.status_code == 503:  # on a busy machine: the wait would be longer than ten seconds
            error = refused(answer, 503, "sign_in_busy")
            assert answer.headers["retry-after"] == str(error["details"]["retry_after"])
        else:
            refused(answer, 401, "sign_in_failed")
    assert sum(answer.status_code == 401 for answer in answers) >= 5


def test_lock_outs_store_no_plain_name_or_address(env: dict[str, str], seeded: Seed, client: httpx.Client) -> None:
    sign_in(client, "somebody-in-particular", "wrong")
    kept = str(rows(env, "SELECT * FROM lockouts"))
    assert "somebody" not in kept
    assert client.headers["X-Forwarded-For"] not in kept


# Sessions


def test_sign_in_sets_strict_http_only_cookies(seeded: Seed, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    answer = sign_in(client, who["username"], who["password"])
    cookies = {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}
    assert set(cookies) == {"nowserving_access", "nowserving_refresh", "nowserving_browser"}
    for cookie in cookies.values():
        assert "httponly" in cookie.lower()
        assert "samesite=strict" in cookie.lower()
    assert "Max-Age=34560000" in cookies["nowserving_browser"]
    assert who["username"] not in cookies["nowserving_browser"]


def test_session_ends_after_an_hour_without_use(env: dict[str, str], seeded: Seed, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    headers = bearer(signed_in := sign_in(client, who["username"], who["password"]))
    idle = "UPDATE sessions SET used_at = used_at - :idle WHERE id = :id"
    session_id = signed_in.json()["refresh_token"].partition(".")[0]
    assert change(env, idle, idle=59 * MINUTE, id=session_id) == 1
    assert client.get(SESSION, headers=headers).status_code == 200
    change(env, idle, idle=59 * MINUTE, id=session_id)
    assert client.get(SESSION, headers=headers).status_code == 200, "the last use was not recorded"
    change(env, idle, idle=61 * MINUTE, id=session_id)
    refused(client.get(SESSION, headers=headers), 401, "not_signed_in")
    refused(client.post(f"{SESSION}/refresh", json={}), 401, "not_signed_in")


def test_session_use_is_recorded_once_a_minute(env: dict[str, str], seeded: Seed, admin: httpx.Client) -> None:
    used = "SELECT used_at FROM sessions ORDER BY created_at DESC LIMIT 1"
    (before,) = rows(env, used)
    for _ in range(3):
        admin.get(SESSION)
    assert rows(env, used) == [before]


def refresh(client: httpx.Client, token: str) -> httpx.Response:
    client.cookies.clear()
    return client.post(f"{SESSION}/refresh", json={"refresh_token": token})


def age_exchanges(env: dict[str, str], token: str, seconds: int) -> None:
    """Move the instants of all exchanged refresh tokens of a session into the past."""
    session_id = token.partition(".")[0]
    ((spent,),) = rows(env, "SELECT spent FROM sessions WHERE id = :id", id=session_id)
    parts = (each.partition("@") for each in spent.split())
    older = " ".join(f"{hashed}@{int(at) - seconds * 1_000_000}" for hashed, _, at in parts)
    assert change(env, "UPDATE sessions SET spent = :spent WHERE id = :id", spent=older, id=session_id) == 1


def test_reused_refresh_token_ends_the_session(env: dict[str, str], seeded: Seed, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    first = sign_in(client, who["username"], who["password"]).json()["refresh_token"]
    second = refresh(client, first).json()
    # Shortly after the exchange, the old token comes from another page of the same browser that lost a race.
    refused(refresh(client, first), 401, "not_signed_in")
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert client.get(SESSION, headers=headers).status_code == 200
    # An invented token does not end the session.
    session_id = first.partition(".")[0]
    age_exchanges(env, first, 11)
    another = first[:40] + ("B" if first[40] == "A" else "A") + first[41:]
    for invented in (f"{session_id}.", f"{session_id}.x.y", first[:-1] + "~", another):
        refused(refresh(client, invented), 401, "not_signed_in")
    assert client.get(SESSION, headers=headers).status_code == 200
    # Later, either this client or the other one has stolen the token.
    refused(refresh(client, first), 401, "not_signed_in")
    refused(client.get(SESSION, headers=headers), 401, "not_signed_in")
    refused(refresh(client, second["refresh_token"]), 401, "not_signed_in")


def test_thief_who_refreshes_every_three_seconds_is_detected(
    env: dict[str, str], seeded: Seed, server: Server, client: httpx.Client
) -> None:
    """The thief's last exchange is always recent. The owner's token is nevertheless spent since its own exchange."""
    who = member_of(seeded, "receptionist")
    owner = sign_in(client, who["username"], who["password"]).json()
    stolen = owner["refresh_token"]
    with server.client() as thief:
        thief.headers.update(client.headers)
        for _ in range(4):
            answer = refresh(thief, stolen)
            assert answer.status_code == 200, answer.text
            stolen = answer.json()["refresh_token"]
            age_exchanges(env, stolen, 3)
        refused(refresh(client, owner["refresh_token"]), 401, "not_signed_in")
        refused(refresh(thief, stolen), 401, "not_signed_in")
        refused(thief.get(SESSION, headers=bearer(answer)), 401, "not_signed_in")
    subject = f"staff:{owner['user']['id']}"
    until = time.monotonic() + 60
    while not rows(env, "SELECT n FROM audit WHERE action = 'refresh-again' AND subject = :who", who=subject):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_pages_of_one_browser_refresh_at_the_same_moment(seeded: Seed, client: httpx.Client) -> None:
    """Of twelve pages with one token, one gets new tokens. The session goes on, also when an old request comes late."""
    who = member_of(seeded, "receptionist")
    first = sign_in(client, who["username"], who["password"]).json()["refresh_token"]
    client.cookies.clear()

    def one(token: str) -> httpx.Response:
        return client.post(f"{SESSION}/refresh", json={"refresh_token": token})

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(one, [first] * 12))
    assert sorted(each.status_code for each in answers) == [200] + [401] * 11
    (second,) = (each.json() for each in answers if each.status_code == 200)
    third = refresh(client, second["refresh_token"])
    for late in (first, second["refresh_token"], first):
        refused(refresh(client, late), 401, "not_signed_in")
    assert refresh(client, third.json()["refresh_token"]).status_code == 200


def test_session_in_use_ends_after_twelve_hours(
    env: dict[str, str], seeded: Seed, server: Server, client: httpx.Client
) -> None:
    """Its access token, its list entry and its streams end with it."""
    who = member_of(seeded, "receptionist")
    tokens = sign_in(client, who["username"], who["password"]).json()
    session_id = tokens["refresh_token"].partition(".")[0]
    older = "UPDATE sessions SET created_at = created_at - :older WHERE id = :id"
    change(env, older, older=12 * 60 * MINUTE - 5 * MINUTE, id=session_id)
    renewed = refresh(client, tokens["refresh_token"])
    headers = bearer(renewed)
    assert 240 <= renewed.json()["expires_in"] <= 300
    cookie = next(each for each in renewed.headers.get_list("set-cookie") if each.startswith("nowserving_access"))
    assert f"Max-Age={renewed.json()['expires_in']};" in cookie
    claims = jwt.decode(renewed.json()["access_token"], options={"verify_signature": False})
    assert claims["exp"] - time.time() <= 300
    token = renewed.json()["access_token"]
    with sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token) as screen:
        screen.wait(lambda screen: bool(screen.cells), what="a snapshot")
        assert client.get(SESSIONS, headers=headers).json()["pagination"]["total"] == 1
        change(env, older, older=5 * MINUTE, id=session_id)
        screen.wait(lambda screen: "bye" in screen.kinds(), what="the end")
    refused(client.get(SESSION, headers=headers), 401, "not_signed_in")
    refused(refresh(client, renewed.json()["refresh_token"]), 401, "not_signed_in")
    headers = bearer(sign_in(client, who["username"], who["password"]))
    assert client.get(SESSIONS, headers=headers).json()["pagination"]["total"] == 1


def test_session_of_an_administrator_ends_after_half_an_hour(
    env: dict[str, str], seeded: Seed, server: Server, client: httpx.Client
) -> None:
    """A page that refreshes by itself does not count as use."""
    idle = "UPDATE sessions SET used_at = used_at - :idle WHERE id = :id"
    for role, minutes in (("admin", 31), ("receptionist", 61)):
        who = member_of(seeded, role)
        client.cookies.clear()
        tokens = sign_in(client, who["username"], who["password"]).json()
        session_id = tokens["refresh_token"].partition(".")[0]
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        change(env, idle, idle=(minutes - 2) * MINUTE, id=session_id)
        assert client.get(SESSION, headers=headers).status_code == 200
        change(env, idle, idle=(minutes - 2) * MINUTE, id=session_id)
        tokens = refresh(client, tokens["refresh_token"]).json()
        change(env, idle, idle=2 * MINUTE, id=session_id)
        expected = 401 if role == "admin" else 200
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert client.get(SESSION, headers=headers).status_code == expected
        change(env, idle, idle=minutes * MINUTE, id=session_id)
        refused(client.get(SESSION, headers=headers), 401, "not_signed_in")


def test_sessions_are_listed_and_ended(seeded: Seed, server: Server, admin: httpx.Client) -> None:
    tokens = [server.sign_in(seeded, "receptionist") for _ in range(3)]
    with server.client(tokens[0]) as first, server.client(tokens[1]) as second:
        who = first.get(SESSION).json()["user"]["id"]
        page = first.get(SESSIONS).json()
        assert page["pagination"] == {"page_size": 50, "next": None, "total": 3, "total_is_capped": False}
        assert {each["staff_id"] for each in page["data"]} == {who}
        (current,) = (each["id"] for each in page["data"] if each["current"])
        now = time.time() * 1000
        assert all(abs(each["created_at"] - now) < 60_000 and abs(each["used_at"] - now) < 60_000 for each in page["data"])
        one = first.get(SESSIONS, params={"page_size": 2}).json()
        two = first.get(SESSIONS, params={"page_size": 2, "after": one["pagination"]["next"]}).json()
        assert [*one["data"], *two["data"]] == page["data"]
        assert two["pagination"]["next"] is None
        # Another session of the same user
        assert second.delete(f"{SESSIONS}/{current}").status_code == 204
        refused(first.get(SESSION), 401, "not_signed_in")
        refused(second.delete(f"{SESSIONS}/{current}"), 404, "session_not_found")
        # A session of a colleague
        refused(second.get(SESSIONS, params={"staff_id": who + 1_000_000}), 403, "not_allowed")
        (own,) = (each["id"] for each in admin.get(SESSIONS).json()["data"])
        refused(second.delete(f"{SESSIONS}/{own}"), 404, "session_not_found")
        seen = admin.get(SESSIONS, params={"staff_id": who}).json()["data"]
        assert len(seen) == 2
        assert not any(each["current"] for each in seen)
        for each in seen:
            assert admin.delete(f"{SESSIONS}/{each['id']}").status_code == 204
        refused(second.get(SESSION), 401, "not_signed_in")
    for wrong in ("x", "0", "-1", "1.5", "9" * 30, ""):
        refused(admin.get(SESSIONS, params={"staff_id": wrong}), 422, "invalid_field")
        refused(admin.get(SESSIONS, params={"page_size": wrong}), 422, "invalid_field")
    refused(admin.get(SESSIONS, params={"page_size": "201"}), 422, "invalid_field")


def test_stream_of_an_ended_session_ends(env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client) -> None:
    token = server.sign_in(seeded, "receptionist")
    with server.client(token) as desk, sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token) as screen:
        screen.wait(lambda screen: bool(screen.cells), what="a snapshot")
        who = desk.get(SESSION).json()["user"]["id"]
        assert admin.patch(f"{STAFF}/{who}", json={"active": False}).status_code == 200
        screen.wait(lambda screen: "bye" in screen.kinds(), what="the end")
    assert next(body for kind, _, body in screen.messages if kind == "bye")["reason"] == "revoked"


def test_password_change_ends_the_other_sessions(
    env: dict[str, str], seeded: Seed, server: Server, client: httpx.Client
) -> None:
    who = member_of(seeded, "receptionist")
    path = f"{SESSION}/password"
    other = bearer(sign_in(client, who["username"], who["password"]))
    headers = bearer(sign_in(client, who["username"], who["password"]))
    change_to = {"old_password": who["password"], "new_password": "quite another one"}
    client.cookies.clear()
    refused(client.post(path, json=change_to), 401, "not_signed_in")
    refused(client.post(path, json=change_to | {"new_password": "short"}, headers=headers), 422, "invalid_body")
    assert client.post(path, json=change_to, headers=headers).status_code == 204
    assert client.get(SESSION, headers=headers).status_code == 200
    refused(client.get(SESSION, headers=other), 401, "not_signed_in")
    refused(sign_in(client, who["username"], who["password"]), 401, "sign_in_failed")
    assert sign_in(client, who["username"], "quite another one").status_code == 200
    # Guessing the password in an open session counts like failed sign-ins.
    for _ in range(5):
        refused(client.post(path, json=change_to, headers=headers), 403, "wrong_password")
    refused(
        client.post(path, json=change_to | {"old_password": "quite another one"}, headers=headers), 429, "sign_in_locked"
    )
    assert client.get(SESSION, headers=headers).status_code == 200


# Staff


def test_staff_are_added_changed_and_listed(seeded: Seed, server: Server, admin: httpx.Client, client: httpx.Client) -> None:
    name = f"ada-{seeded['site_id']}"
    new = {"username": name, "password": "her blue raincoat", "role": "clinician"}
    added = admin.post(STAFF, json=new)
    assert added.status_code == 201, added.text
    ada = added.json()
    account = {"id": ada["id"], "username": name, "active": True, "second_factor": False}
    assert ada == account | {"role": "clinician", "signed_in_at": None}
    error = refused(admin.post(STAFF, json=new), 409, "name_taken")
    assert error["details"] == {"name": name}
    page = admin.get(STAFF).json()
    assert page["pagination"]["total"] == 5
    assert ada in page["data"]
    assert "password" not in admin.get(STAFF).text
    parts = [admin.get(STAFF, params={"page_size": 3}).json()]
    parts.append(admin.get(STAFF, params={"page_size": 3, "after": parts[0]["pagination"]["next"]}).json())
    assert [*parts[0]["data"], *parts[1]["data"]] == page["data"]

    for body, password in (
        ({"role": "manager"}, "her blue raincoat"),
        ({"password": "seven quiet lamps outside"}, "seven quiet lamps outside"),
    ):
        before = time.time()
        headers = bearer(sign_in(client, name, "her blue raincoat"))
        changed = admin.patch(f"{STAFF}/{ada['id']}", json=body).json()
        assert before - 1 <= changed.pop("signed_in_at") / 1000 <= time.time() + 1
        assert changed == account | {"role": "manager"}
        client.cookies.delete("nowserving_access")
        refused(client.get(SESSION, headers=headers), 401, "not_signed_in")
        assert sign_in(client, name, password).json()["user"]["role"] == "manager"
    headers = bearer(sign_in(client, name, "seven quiet lamps outside"))
    unchanged = admin.patch(f"{STAFF}/{ada['id']}", json={}).json()
    assert unchanged == account | {"role": "manager", "signed_in_at": unchanged["signed_in_at"]}  # so no session ends
    assert client.get(SESSION, headers=headers).status_code == 200
    assert admin.patch(f"{STAFF}/{ada['id']}", json={"active": False}).json()["active"] is False
    refused(client.get(SESSION, headers=headers), 401, "not_signed_in")
    refused(sign_in(client, name, "seven quiet lamps outside"), 401, "sign_in_failed")
    assert admin.patch(f"{STAFF}/{ada['id']}", json={"active": True}).json()["active"] is True
    assert sign_in(client, name, "seven quiet lamps outside").status_code == 200


def test_invalid_staff_field_is_named(admin: httpx.Client) -> None:
    good = {"username": "good", "password": "river candle ninety moss", "role": "manager"}
    wrong: tuple[dict[str, Any], ...] = (
        {"role": "emperor"}, {"role": "integration"}, {"username": ""}, {"username": "x" * 81},
        {"password": "12345678901"}, {"password": None}, {"id": 1}, {"active": True},
    )  # fmt: skip
    for body in wrong:
        error = refused(admin.post(STAFF, json=good | body), 422, "invalid_body")
        assert [each["field"] for each in error["details"]["fields"]] == list(body)
    own = admin.get(SESSION).json()["user"]["id"]
    unfit: tuple[tuple[dict[str, str], str], ...] = (
        ({"username": "a\nb"}, "user_name_not_visible"), ({"username": "good\u200b"}, "user_name_not_visible"),
        ({"username": "g\u043e\u043ed"}, "user_name_mixes_scripts"),
        ({"password": "password1234"}, "password_too_common"), ({"username": "night-shift-2", "password": "Night-Shift-2!"},
        "password_like_user_name"),
    )  # fmt: skip
    for body, code in unfit:
        error = refused(admin.post(STAFF, json=good | body), 422, code)
        assert error["details"] == {"field": list(body)[-1]}
    refused(admin.patch(f"{STAFF}/{own}", json={"password": "password1234"}), 422, "password_too_common")
    assert admin.get(STAFF).json()["pagination"]["total"] == 4
    assert admin.get(SESSION).status_code == 200


def test_user_name_is_stored_in_its_normal_form_and_unique_in_it(seeded: Seed, admin: httpx.Client) -> None:
    name = f"eva-{seeded['site_id']}"
    new = {"password": "river candle ninety moss", "role": "clinician"}
    assert admin.post(STAFF, json=new | {"username": f" {name.upper()}  "}).json()["username"] == name
    for spelling in (name, name.title(), f"{name} ", f"\u3000{name}"):
        refused(admin.post(STAFF, json=new | {"username": spelling}), 409, "name_taken")


def test_password_change_refuses_a_common_password(seeded: Seed, server: Server, client: httpx.Client) -> None:
    who = member_of(seeded, "receptionist")
    headers = bearer(sign_in(client, who["username"], who["password"]))
    for password, code in (("qwertyuiop12", "password_too_common"), (f"{who['username']}!", "password_like_user_name")):
        body = {"old_password": who["password"], "new_password": password}
        error = refused(client.post(f"{SESSION}/password", json=body, headers=headers), 422, code)
        assert error["details"] == {"field": "new_password"}
    assert sign_in(client, who["username"], who["password"]).status_code == 200


def test_only_administrators_manage_staff_of_their_organisation(
    env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client
) -> None:
    foreign = seed(env, points=1, tickets=0)
    with server.client(server.sign_in(foreign, "admin")) as stranger:
        (stranger_id, *_) = (each["id"] for each in stranger.get(STAFF).json()["data"])
    error = refused(admin.patch(f"{STAFF}/{stranger_id}", json={"active": False}), 404, "staff_not_found")
    assert error["details"] == {"staff_id": stranger_id}
    refused(admin.get(SESSIONS, params={"staff_id": stranger_id}), 404, "staff_not_found")
    (stranger_session,) = rows(env, "SELECT id FROM sessions WHERE staff_id = :id", id=stranger_id)
    refused(admin.delete(f"{SESSIONS}/{stranger_session[0]}"), 404, "session_not_found")
    for role in ("manager", "receptionist", "clinician"):
        with server.client(server.sign_in(seeded, role)) as colleague:
            for answer in (
                colleague.get(STAFF),
                colleague.post(STAFF, json={"username": "x", "password": "long enough for all", "role": "admin"}),
                colleague.patch(f"{STAFF}/1", json={"role": "admin"}),
                colleague.get(KEYS),
                colleague.post(KEYS, json={"name": "x"}),
                colleague.delete(f"{KEYS}/1"),
                colleague.post("/api/v1/pairings/ACDEFG", json={"device_id": seeded["displays"][0]["id"]}),
            ):
                refused(answer, 403, "not_allowed")


@pytest.mark.parametrize("body", [{"role": "manager"}, {"active": False}])
def test_last_administrator_cannot_be_removed(
    seeded: Seed, server: Server, admin: httpx.Client, body: dict[str, Any]
) -> None:
    own = admin.get(SESSION).json()["user"]["id"]
    refused(admin.patch(f"{STAFF}/{own}", json=body), 409, "last_admin")
    assert admin.get(SESSION).status_code == 200
    second = {"username": f"second-{seeded['site_id']}", "password": "her blue raincoat", "role": "admin"}
    second_id = admin.post(STAFF, json=second).json()["id"]
    with server.client() as client:
        client.headers.update(bearer(sign_in(client, second["username"], second["password"])))
        client.cookies.clear()
        # Both administrators try to remove each other at the same time: one of them succeeds.
        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(lambda: admin.patch(f"{STAFF}/{second_id}", json=body).status_code)
            two = threads.submit(lambda: client.patch(f"{STAFF}/{own}", json=body).status_code)
        assert sorted((one.result(), two.result())) in ([200, 401], [200, 403], [200, 409])
    survivors = [admin.get(STAFF), sign_in_and_list_staff(server, second)]
    assert sum(answer.status_code == 200 for answer in survivors) == 1


def sign_in_and_list_staff(server: Server, who: dict[str, str]) -> httpx.Response:
    with server.client() as client:
        answer = sign_in(client, who["username"], who["password"])
        return answer if answer.status_code != 200 else client.get(STAFF)


# API keys


def test_api_key_gives_the_rights_of_an_integration_until_revoked(
    env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client
) -> None:
    made = admin.post(KEYS, json={"name": "Practice software"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    secret = key.pop("key")
    assert secret.startswith("nk_")
    assert len(secret) == 3 + 43
    assert key == {"id": key["id"], "name": "Practice software", "site_id": None, "created_at": key["created_at"],
                   "last_used_at": None, "revoked_at": None}  # fmt: skip
    assert admin.get(KEYS).json()["data"] == [key]
    assert secret not in str(rows(env, "SELECT * FROM api_keys"))
    site_id = seeded["site_id"]
    with server.client(secret) as other_system:
        assert [each["id"] for each in other_system.get("/api/v1/sites").json()["data"]] == [site_id]
        assert other_system.get(f"/api/v1/sites/{site_id}/board").json()["cells"]["site"]
        commands = "/api/v1/commands/"
        issued = other_system.post(commands + "issue-ticket", json={"queue_id": seeded["queue_ids"][0]})
        entry = issued.json()["entry"]["id"]
        assert other_system.post(commands + "running-late", json={"entry_id": entry, "minutes": 5}).status_code == 200
        assert other_system.post(commands + "cancel", json={"entry_id": entry, "reason": "asked for"}).status_code == 200
        log = rows(env, "SELECT DISTINCT actor FROM events WHERE site_id = :id", id=site_id)
        assert (f"key:{key['id']}",) in log
        for answer in (
            other_system.post(commands + "call-next", json={"point_id": seeded["point_ids"][0]}),
            other_system.post(commands + "add-display", json={"site_id": site_id, "name": "x"}),
            other_system.get(f"/live/sites/{site_id}/desk"),
            other_system.get(STAFF),
            other_system.get(KEYS),
        ):
            refused(answer, 403, "not_allowed")
        refused(other_system.get(SESSION), 401, "not_signed_in")
        (used,) = rows(env, "SELECT last_used_at FROM api_keys WHERE id = :id", id=key["id"])
        assert admin.get(KEYS).json()["data"][0]["last_used_at"] == used[0] // 1000
        other_system.get("/api/v1/sites")
        assert rows(env, "SELECT last_used_at FROM api_keys WHERE id = :id", id=key["id"]) == [used]
        assert admin.delete(f"{KEYS}/{key['id']}").status_code == 204
        refused(other_system.get("/api/v1/sites"), 401, "not_signed_in")
    refused(admin.delete(f"{KEYS}/{key['id']}"), 404, "api_key_not_found")
    assert admin.get(KEYS).json()["data"][0]["revoked_at"] is not None


def test_api_key_of_one_site_is_refused_at_other_sites(
    env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client
) -> None:
    foreign = seed(env, points=1, tickets=0)
    (organisation,) = rows(env, "SELECT organisation_id FROM sites WHERE id = :id", id=seeded["site_id"])
    (foreign_organisation,) = rows(env, "SELECT organisation_id FROM sites WHERE id = :id", id=foreign["site_id"])
    second = foreign["site_id"]
    refused(admin.post(KEYS, json={"name": "x", "site_id": second}), 404, "site_not_found")
    wide = admin.post(KEYS, json={"name": "Everywhere"}).json()["key"]
    narrow = admin.post(KEYS, json={"name": "One site", "site_id": seeded["site_id"]}).json()["key"]
    board = f"/api/v1/sites/{second}/board"
    issue = {"queue_id": foreign["queue_ids"][0]}
    with server.client(wide) as everywhere, server.client(narrow) as one_site:
        for key in (everywhere, one_site):
            refused(key.get(board), 404, "site_not_found")
            refused(key.post("/api/v1/commands/issue-ticket", json=issue), 404, "site_not_found")
        assert one_site.get(f"/api/v1/sites/{seeded['site_id']}/board").status_code == 200
    # A third site moves into the same organisation: only the key without a site gives access to it.
    move = "UPDATE sites SET organisation_id = :organisation WHERE id = :id"
    third = seed(env, points=1, tickets=0)
    change(env, move, organisation=organisation[0], id=third["site_id"])
    with server.client(wide) as everywhere, server.client(narrow) as one_site:
        assert len(everywhere.get("/api/v1/sites").json()["data"]) == 2
        assert [each["id"] for each in one_site.get("/api/v1/sites").json()["data"]] == [seeded["site_id"]]
        assert everywhere.get(f"/api/v1/sites/{third['site_id']}/board").status_code == 200
        refused(one_site.get(f"/api/v1/sites/{third['site_id']}/board"), 404, "site_not_found")
        answer = one_site.post("/api/v1/commands/issue-ticket", json={"queue_id": third["queue_ids"][0]})
        refused(answer, 404, "site_not_found")
    assert organisation != foreign_organisation


def test_administrator_cannot_see_keys_of_another_organisation(
    env: dict[str, str], seeded: Seed, server: Server, admin: httpx.Client
) -> None:
    key_id = admin.post(KEYS, json={"name": "Ours"}).json()["id"]
    foreign = seed(env, points=1, tickets=0)
    with server.client(server.sign_in(foreign, "admin")) as stranger:
        refused(stranger.delete(f"{KEYS}/{key_id}"), 404, "api_key_not_found")
        assert stranger.get(KEYS).json()["data"] == []
    refused(admin.delete(f"{KEYS}/{10**15}"), 404, "api_key_not_found")
    for wrong in ({}, {"name": ""}, {"name": " x"}, {"name": "x", "site_id": 0}, {"name": "x", "key": "y"}):
        refused(admin.post(KEYS, json=wrong), 422, "invalid_body")


# The audit


def test_audit_records_identity_actions_without_names(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, client: httpx.Client
) -> None:
    """The audit records lock-outs, password changes, ended sessions and reused tokens without user names and addresses."""
    who = member_of(seeded, "receptionist")
    first = sign_in(client, who["username"], who["password"])
    staff_id, headers = first.json()["user"]["id"], bearer(first)
    old = first.json()["refresh_token"]
    client.post(f"{SESSION}/refresh", json={"refresh_token": old})
    age_exchanges(env, old, 11)
    client.post(
        f"{SESSION}/password", json={"old_password": "wrong", "new_password": "long enough for all"}, headers=headers
    )
    client.post(f"{SESSION}/refresh", json={"refresh_token": old})
    client.cookies.clear()
    for _ in range(6):
        sign_in(client, who["username"], "wrong")
    headers = bearer(sign_in(admin, who["username"], who["password"]))
    change_to = {"old_password": who["password"], "new_password": "long enough for all"}
    assert client.post(f"{SESSION}/password", json=change_to, headers=headers).status_code == 204
    own = client.get(SESSIONS, headers=headers).json()["data"][0]["id"]
    assert client.delete(f"{SESSIONS}/{own}", headers=headers).status_code == 204
    expected = {
        ("refresh-again", "nobody", f"staff:{staff_id}", 0),
        ("change-password", f"staff:{staff_id}", "", 0),
        ("change-password", f"staff:{staff_id}", "", 1),
        ("end-session", f"staff:{staff_id}", f"staff:{staff_id}", 1),
        ("sign-in", "nobody", f"staff:{staff_id}", 0),
        ("sign-in", "nobody", "", 0),
        ("sign-in", f"staff:{staff_id}", f"staff:{staff_id}", 1),
    }
    until = time.monotonic() + 60
    noted: set[tuple[Any, ...]] = set()
    while not expected <= noted:
        assert time.monotonic() < until, expected - noted
        noted = set(rows(env, "SELECT action, actor, subject, allowed FROM audit"))
        time.sleep(0.1)
    assert who["username"] not in str(noted)
