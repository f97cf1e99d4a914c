"""Second factors, invitations and reset links, with a real server on each database engine."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import pytest

from server.identity.codes import STEP_MICROSECONDS
from server.seeding import Seed, StaffSeed
from tests.support.authenticator import code_at
from tests.support.engines import installed
from tests.support.processes import wait_until
from tests.support.refusals import refused
from tests.support.rows import change, rows
from tests.support.server import Server, command_line, seed, serving

pytestmark = pytest.mark.measured

SESSION, SESSIONS, STAFF = "/api/v1/session", "/api/v1/sessions", "/api/v1/staff"
CODE, FACTOR, LINKS, INVITATIONS = (
    f"{SESSION}/code", f"{SESSION}/second-factor", "/api/v1/account-links", "/api/v1/invitations",
)  # fmt: skip
NEW_PASSWORD = "seven quiet lamps outside"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_numbers = count(1)
Json = dict[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with installed(request, request.param, tmp_path_factory.mktemp("accounts-database")) as env:
        yield env


@pytest.fixture(scope="module")
def server(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    seed(env, points=1, tickets=0)
    with serving(env, tmp_path_factory.mktemp("accounts")) as server:
        yield server


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """An organisation of its own for each test."""
    return seed(env, points=1, tickets=0, displays=0)


@pytest.fixture
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


Browser = Callable[[], httpx.Client]


@pytest.fixture
def browser(server: Server) -> Iterator[Browser]:
    """Returns new browsers, each at an address that has sent no request before."""
    opened: list[httpx.Client] = []

    def browser() -> httpx.Client:
        client = server.client()
        number = next(_numbers)
        client.headers["X-Forwarded-For"] = f"198.51.{number // 250}.{number % 250 + 1}"
        opened.append(client)
        return client

    yield browser
    for each in opened:
        each.close()


def member(seeded: Seed, role: str) -> StaffSeed:
    return next(each for each in seeded["staff"] if each["role"] == role)


def sign_in(client: httpx.Client, who: StaffSeed, **more: str) -> httpx.Response:
    return client.post(SESSION, json={"username": who["username"], "password": who["password"]} | more)


class Phone:
    """An authenticator app. Its codes are of the time of its set-up, or of the last call of `fresh`."""

    def __init__(self, env: dict[str, str], secret: str) -> None:
        self._env = env
        self._now = time.time_ns() // 1000
        self.secret = secret

    def code(self, steps: int = 0) -> str:
        """Return the code of the step of that time, or of a step beside it."""
        return code_at(self.secret, self._now + steps * STEP_MICROSECONDS)

    def fresh(self, staff_id: int) -> str:
        """Return the code of the present step, after the member's earlier codes are forgotten."""
        change(self._env, "UPDATE second_factors SET last_step = 0 WHERE id = :id", id=staff_id)
        self._now = time.time_ns() // 1000
        return self.code()


def set_up(env: dict[str, str], client: httpx.Client, who: StaffSeed) -> tuple[Phone, list[str]]:
    """Set a second factor up for the signed-in member; return the phone and the recovery codes."""
    begun = client.post(FACTOR, json={"password": who["password"]})
    assert begun.status_code == 200, begun.text
    phone = Phone(env, begun.json()["secret"])
    confirmed = client.post(f"{FACTOR}/confirm", json={"code": phone.code()})
    assert confirmed.status_code == 200, confirmed.text
    return phone, confirmed.json()["recovery_codes"]


def audited(admin: httpx.Client, action: str, least: int = 1, *, allowed: tuple[bool, ...] = (True, False)) -> list[Json]:
    """Return the audit's rows of an action, done or refused, as soon as it has so many."""
    found: list[Json] = []

    def look() -> bool:
        rows_now = admin.get("/api/v1/audit?page_size=200").json()["data"]
        found[:] = [each for each in rows_now if each["action"] == action and each["allowed"] in allowed]
        return len(found) >= least

    wait_until(look, f"the audit of {action}")
    return found


# The second factor


def test_second_factor_is_set_up_and_needed_from_then_on(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser
) -> None:
    who, here, elsewhere = member(seeded, "receptionist"), browser(), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    assert sign_in(elsewhere, who).status_code == 200
    assert here.get(FACTOR).json() == {"on": False, "since": None, "recovery_codes_left": 0}
    refused(here.post(FACTOR, json={"password": "not it"}), 403, "own_password_wrong")
    refused(here.post(f"{FACTOR}/confirm", json={"code": "000000"}), 409, "second_factor_not_begun")
    refused(here.post(f"{FACTOR}/recovery-codes", json={"password": who["password"]}), 409, "second_factor_off")

    begun = here.post(FACTOR, json={"password": who["password"]}).json()
    assert begun["secret"] in begun["address"]
    assert begun["qr_code"].startswith("data:image/svg+xml")
    assert sign_in(browser(), who).status_code == 200, "nothing is in force before the confirmation"
    phone = Phone(env, begun["secret"])
    refused(here.post(f"{FACTOR}/confirm", json={"code": "12345"}), 403, "code_wrong")
    codes = here.post(f"{FACTOR}/confirm", json={"code": phone.code()}).json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[A-Z0-9]{5}-[A-Z0-9]{5}", each) for each in codes)
    assert here.get(FACTOR).json()["recovery_codes_left"] == 10
    refused(elsewhere.get(SESSION), 401, "not_signed_in")  # signed in without a code before

    client = browser()
    needed = sign_in(client, who)
    assert (needed.status_code, needed.json()["state"]) == (202, "second_factor_needed")
    assert "nowserving_access" not in client.cookies
    assert "nowserving_refresh" not in client.cookies
    refused(client.get(SESSION), 401, "not_signed_in")
    refused(client.post(f"{SESSION}/refresh", json={}), 401, "not_signed_in")
    done = client.post(CODE, json={"code": f" {phone.fresh(staff_id)[:3]} {phone.code()[3:]} "})
    assert done.status_code == 200, done.text
    assert client.get(SESSION).json()["user"]["id"] == staff_id
    # The code also goes along with the password, for programs.
    assert sign_in(browser(), who, code=phone.fresh(staff_id)).status_code == 200
    listed = {each["id"]: each for each in admin.get(f"{STAFF}?page_size=200").json()["data"]}
    assert listed[staff_id]["second_factor"]
    assert listed[staff_id]["signed_in_at"] > 1_600_000_000_000
    for action in ("set-up-second-factor", "confirm-second-factor"):
        assert {each["allowed"] for each in audited(admin, action, least=2)} == {True, False}

    assert here.post(f"{FACTOR}/remove", json={"password": who["password"]}).status_code == 204
    assert sign_in(browser(), who).status_code == 200
    ((sealed, confirmed_at),) = rows(env, "SELECT sealed, confirmed_at FROM second_factors WHERE id = :id", id=staff_id)
    assert (sealed, confirmed_at) == (None, None)


def test_time_step_is_accepted_once(env: dict[str, str], seeded: Seed, browser: Browser) -> None:
    """Twelve browsers send the same code at the same moment: one gets a session. The code before it is refused too."""
    who, here = member(seeded, "receptionist"), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    phone, _ = set_up(env, here, who)
    browsers = [browser() for _ in range(12)]
    for each in browsers:
        assert sign_in(each, who).status_code == 202
    code = phone.fresh(staff_id)
    with ThreadPoolExecutor(len(browsers)) as pool:
        answers = list(pool.map(lambda each: each.post(CODE, json={"code": code}).status_code, browsers))
    assert answers.count(200) == 1, answers
    assert set(answers) <= {200, 401, 429}, answers
    change(env, "DELETE FROM lockouts")
    late = browser()
    assert sign_in(late, who).status_code == 202
    refused(late.post(CODE, json={"code": phone.code(-1)}), 401, "second_factor_failed")
    assert late.post(CODE, json={"code": phone.code(1)}).status_code == 200


def test_recovery_code_is_accepted_once(env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser) -> None:
    who, here = member(seeded, "receptionist"), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    _, codes = set_up(env, here, who)
    browsers = [browser() for _ in range(4)]
    for each in browsers:
        assert sign_in(each, who).status_code == 202
    with ThreadPoolExecutor(len(browsers)) as pool:
        answers = list(pool.map(lambda each: each.post(CODE, json={"code": codes[0]}).status_code, browsers))
    assert sorted(answers) == [200, 401, 401, 401]
    assert sign_in(browser(), who, code=codes[1].replace("-", " ").lower()).status_code == 200
    assert here.get(FACTOR).json()["recovery_codes_left"] == 8
    assert [each["allowed"] for each in audited(admin, "use-recovery-code", least=2)] == [True, True]

    refused(here.post(f"{FACTOR}/recovery-codes", json={"password": "not it"}), 403, "own_password_wrong")
    fresh = here.post(f"{FACTOR}/recovery-codes", json={"password": who["password"]}).json()["recovery_codes"]
    refused(sign_in(browser(), who, code=codes[2]), 401, "second_factor_failed")
    assert sign_in(browser(), who, code=fresh[0]).status_code == 200
    stored = [each[0] for each in rows(env, "SELECT code_hash FROM recovery_codes")]
    assert not {each.replace("-", "") for each in (*codes, *fresh)} & set(stored)
    noted = audited(admin, "make-recovery-codes", least=2)
    assert sorted(each["allowed"] for each in noted) == [False, True]
    assert {(each["actor"], each["subject"], each["detail"]) for each in noted} == {(f"staff:{staff_id}",) * 2 + (None,)}


def test_wrong_codes_lock_strangers_together_and_spare_the_own_browser(
    env: dict[str, str], seeded: Seed, browser: Browser
) -> None:
    """An attacker has the password and many addresses. Right passwords in between give no further guesses."""
    who, here = member(seeded, "receptionist"), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    phone, codes = set_up(env, here, who)
    for _ in range(5):
        thief = browser()
        assert sign_in(thief, who).status_code == 202
        refused(thief.post(CODE, json={"code": "000000"}), 401, "second_factor_failed")
    thief = browser()
    refused(sign_in(thief, who), 429, "sign_in_locked")
    refused(sign_in(thief, who, code=codes[0]), 429, "sign_in_locked")
    assert sign_in(here, who).status_code == 202
    assert here.post(CODE, json={"code": phone.fresh(staff_id)}).status_code == 200


def test_pending_sign_in_belongs_to_one_browser_and_one_password(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser
) -> None:
    who, here = member(seeded, "receptionist"), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    phone, _ = set_up(env, here, who)
    client, other = browser(), browser()
    refused(client.post(CODE, json={"code": phone.code()}), 401, "sign_in_expired")
    assert sign_in(client, who).status_code == 202
    assert sign_in(other, member(seeded, "clinician")).status_code == 200
    for cookie in client.cookies.jar:
        if cookie.name == "nowserving_pending":
            other.cookies.jar.set_cookie(cookie)
    refused(other.post(CODE, json={"code": phone.fresh(staff_id)}), 401, "sign_in_expired")
    pending = next(each.value for each in client.cookies.jar if each.name == "nowserving_pending")
    refused(client.get(SESSION, headers={"Authorization": f"Bearer {pending}"}), 401, "not_signed_in")
    assert admin.patch(f"{STAFF}/{staff_id}", json={"password": NEW_PASSWORD}).status_code == 200
    refused(client.post(CODE, json={"code": phone.fresh(staff_id)}), 401, "sign_in_expired")


def test_administrator_removes_the_factor_of_a_lost_phone(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser
) -> None:
    who, here = member(seeded, "receptionist"), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    refused(admin.delete(f"{STAFF}/{staff_id}/second-factor"), 409, "second_factor_off")
    set_up(env, here, who)
    refused(here.delete(f"{STAFF}/{staff_id}/second-factor"), 403, "not_allowed")
    assert admin.delete(f"{STAFF}/{staff_id}/second-factor").status_code == 204
    refused(here.get(SESSION), 401, "not_signed_in")
    assert sign_in(here, who).status_code == 200
    assert admin.delete(f"{STAFF}/{staff_id}/sessions").status_code == 204
    refused(here.get(SESSION), 401, "not_signed_in")
    refused(admin.delete(f"{STAFF}/{10**12}/sessions"), 404, "staff_not_found")


def test_sessions_are_named_by_browser_and_ended_together(seeded: Seed, browser: Browser) -> None:
    who, here = member(seeded, "clinician"), browser()
    here.headers["User-Agent"] = FIREFOX
    sign_in(here, who)
    others = [browser() for _ in range(2)]
    for each in others:
        sign_in(each, who)
    listed = here.get(SESSIONS).json()["data"]
    named = {(each["browser"], each["platform"], each["current"]) for each in listed}
    assert named == {("Firefox", "Linux", True), (None, None, False)}
    assert here.delete(SESSIONS).status_code == 204
    assert [each["current"] for each in here.get(SESSIONS).json()["data"]] == [True]
    refused(others[0].get(SESSION), 401, "not_signed_in")


# Links


def secret_of(made: httpx.Response) -> str:
    assert made.status_code == 201, made.text
    address: str = made.json()["address"]
    return address.partition("#")[2]


def test_invitation_makes_an_account_once(env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser) -> None:
    """Four browsers use the link at the same moment: one gets the account, the others learn that the link has ended."""
    made = admin.post(INVITATIONS, json={"role": "receptionist"})
    secret = secret_of(made)
    body = made.json()
    assert "/account/invitation#" in body["address"]
    assert body["expires_at"] - body["made_at"] == 7 * 86_400_000
    assert rows(env, "SELECT COUNT(*) FROM account_links WHERE secret_hash = :secret", secret=secret) == [(0,)]
    shown = browser().post(f"{LINKS}/open", json={"secret": secret}).json()
    assert (shown["kind"], shown["role"], shown["username"]) == ("invitation", "receptionist", None)
    client = browser()
    weak = {"secret": secret, "username": "bo", "password": "password1234"}
    refused(client.post(f"{LINKS}/use", json=weak), 422, "password_too_common")
    assert client.post(f"{LINKS}/strength", json=weak).json()["refusal"] == "password_too_common"
    taken = weak | {"username": member(seeded, "admin")["username"], "password": NEW_PASSWORD}
    refused(client.post(f"{LINKS}/use", json=taken), 409, "name_taken")
    refused(client.post(f"{LINKS}/use", json={"secret": secret, "password": NEW_PASSWORD}), 422, "user_name_not_visible")

    name = f"bo-{seeded['site_id']}"

    def use(number: int) -> httpx.Response:
        own = {"secret": secret, "username": f"{name}-{number}", "password": NEW_PASSWORD}
        return browser().post(f"{LINKS}/use", json=own)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(use, range(4)))
    assert sorted(each.status_code for each in answers) == [200, 404, 404, 404], [each.text for each in answers]
    done = next(each for each in answers if each.status_code == 200).json()
    assert done["user"]["role"] == "receptionist"
    names = [each["username"] for each in admin.get(f"{STAFF}?page_size=200").json()["data"]]
    assert [each for each in names if each.startswith(name)] == [done["user"]["username"]]
    refused(browser().post(f"{LINKS}/open", json={"secret": secret}), 404, "link_not_found")
    (used,) = audited(admin, "use-invitation", allowed=(True,))
    assert used["actor"] == f"staff:{done['user']['id']}"


def test_invitation_is_listed_revoked_and_expires(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser
) -> None:
    name = f"eve-{seeded['site_id']}"
    made = admin.post(INVITATIONS, json={"role": "manager", "username": f" {name.upper()} "})
    secret = secret_of(made)
    refused(admin.post(INVITATIONS, json={"role": "manager", "username": name}), 409, "name_taken")
    (listed,) = admin.get(INVITATIONS).json()["data"]
    assert (listed["username"], listed["role"]) == (name, "manager")
    assert "secret" not in str(listed)
    fixed = {"secret": secret, "username": "somebody-else", "password": NEW_PASSWORD}
    assert admin.delete(f"{INVITATIONS}/{listed['id']}").status_code == 204
    refused(admin.delete(f"{INVITATIONS}/{listed['id']}"), 404, "invitation_not_found")
    refused(browser().post(f"{LINKS}/use", json=fixed), 404, "link_not_found")
    assert admin.get(INVITATIONS).json()["data"] == []

    again = secret_of(admin.post(INVITATIONS, json={"role": "manager", "username": name}))
    change(env, "UPDATE account_links SET expires_at = 1 WHERE revoked_at IS NULL")
    refused(browser().post(f"{LINKS}/use", json=fixed | {"secret": again}), 404, "link_not_found")
    third = secret_of(admin.post(INVITATIONS, json={"role": "manager", "username": name}))
    change(env, "UPDATE account_links SET role = 'admin' WHERE used_at IS NULL AND revoked_at IS NULL AND expires_at > 1")
    refused(browser().post(f"{LINKS}/use", json=fixed | {"secret": third}), 404, "link_not_found")  # changed by hand
    change(env, "UPDATE account_links SET role = 'manager' WHERE role = 'admin'")
    used = browser().post(f"{LINKS}/use", json=fixed | {"secret": third})
    assert (used.status_code, used.json()["user"]["username"]) == (200, name)


def test_reset_link_ends_the_sessions_and_keeps_the_factor(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser
) -> None:
    who, here = member(seeded, "receptionist"), browser()
    staff_id = sign_in(here, who).json()["user"]["id"]
    phone, _ = set_up(env, here, who)
    older = secret_of(admin.post(f"{STAFF}/{staff_id}/reset-link"))
    made = admin.post(f"{STAFF}/{staff_id}/reset-link")
    newer = secret_of(made)
    assert made.json()["expires_at"] - made.json()["made_at"] == 86_400_000
    assert here.get(SESSION).status_code == 200, "the link alone ends nothing"
    refused(browser().post(f"{LINKS}/open", json={"secret": older}), 404, "link_not_found")
    for _ in range(5):
        sign_in(here, who | {"password": "forgotten"})  # locked out, as people are who forget
    client = browser()
    with ThreadPoolExecutor(3) as pool:
        body = {"secret": newer, "password": NEW_PASSWORD}
        answers = list(pool.map(lambda each: each.post(f"{LINKS}/use", json=body), [client, browser(), browser()]))
    assert sorted(each.status_code for each in answers) == [202, 404, 404], [each.text for each in answers]
    refused(here.get(SESSION), 401, "not_signed_in")
    refused(sign_in(here, who), 401, "sign_in_failed")
    assert sign_in(here, who | {"password": NEW_PASSWORD}).status_code == 202
    assert here.post(CODE, json={"code": phone.fresh(staff_id)}).status_code == 200
    third = secret_of(admin.post(f"{STAFF}/{staff_id}/reset-link"))
    changed = {"old_password": NEW_PASSWORD, "new_password": who["password"]}
    assert here.post(f"{SESSION}/password", json=changed).status_code == 204
    refused(browser().post(f"{LINKS}/open", json={"secret": third}), 404, "link_not_found")
    assert admin.patch(f"{STAFF}/{staff_id}", json={"active": False}).status_code == 200
    refused(admin.post(f"{STAFF}/{staff_id}/reset-link"), 404, "staff_not_found")
    for action in ("make-reset-link", "use-reset-link"):
        assert audited(admin, action)


@pytest.mark.parametrize("change_of_rights", [{"active": False}, {"role": "receptionist"}])
def test_links_end_with_the_rights_of_their_administrator(
    seeded: Seed, admin: httpx.Client, browser: Browser, change_of_rights: Json
) -> None:
    """The administrator knows the secrets, and would come back by a link."""
    name = f"leaving-{seeded['site_id']}-{next(_numbers)}"
    added = admin.post(STAFF, json={"username": name, "password": NEW_PASSWORD, "role": "admin"}).json()
    leaving = browser()
    assert leaving.post(SESSION, json={"username": name, "password": NEW_PASSWORD}).status_code == 200
    colleague = browser()
    colleague_id = sign_in(colleague, member(seeded, "receptionist")).json()["user"]["id"]
    invitation = secret_of(leaving.post(INVITATIONS, json={"role": "admin", "username": f"{name}-again"}))
    reset = secret_of(leaving.post(f"{STAFF}/{colleague_id}/reset-link"))
    kept = secret_of(admin.post(INVITATIONS, json={"role": "manager"}))
    assert admin.patch(f"{STAFF}/{added['id']}", json={"password": NEW_PASSWORD[::-1]}).status_code == 200
    for secret in (invitation, reset):
        assert browser().post(f"{LINKS}/open", json={"secret": secret}).status_code == 200, "the rights are the same"

    assert admin.patch(f"{STAFF}/{added['id']}", json=change_of_rights).status_code == 200
    for secret in (invitation, reset):
        refused(browser().post(f"{LINKS}/open", json={"secret": secret}), 404, "link_not_found")
        refused(browser().post(f"{LINKS}/use", json={"secret": secret, "password": NEW_PASSWORD}), 404, "link_not_found")
    assert browser().post(f"{LINKS}/open", json={"secret": kept}).status_code == 200
    assert [each["username"] for each in admin.get(INVITATIONS).json()["data"]] == [None]
    assert admin.post(INVITATIONS, json={"role": "manager", "username": f"{name}-again"}).status_code == 201
    assert colleague.get(SESSION).status_code == 200
    (ended,) = audited(admin, "end-links")
    assert (ended["subject"], ended["detail"]) == (f"staff:{added['id']}", "links: 2")


@pytest.mark.parametrize("kind", ["invitation", "account", "change", "key"])
def test_request_that_outlives_the_rights_changes_nothing(
    env: dict[str, str], seeded: Seed, admin: httpx.Client, browser: Browser, kind: str
) -> None:
    """The administrator loses the rights after the server has checked the session, and before it reads the body."""
    name = f"slow-{seeded['site_id']}-{next(_numbers)}"
    added = admin.post(STAFF, json={"username": name, "password": NEW_PASSWORD, "role": "admin"}).json()
    leaving = browser()
    assert leaving.post(SESSION, json={"username": name, "password": NEW_PASSWORD}).status_code == 200
    method, path, asked = {
        "invitation": ("POST", INVITATIONS, {"role": "admin"}),
        "account": ("POST", STAFF, {"username": f"late-{name}", "password": NEW_PASSWORD, "role": "admin"}),
        "change": ("PATCH", f"{STAFF}/{added['id']}", {"role": "admin", "active": True}),
        "key": ("POST", "/api/v1/api-keys", {"name": f"late-{name}"}),
    }[kind]
    body = json.dumps(asked).encode()

    def slowly() -> Iterator[bytes]:
        yield body[:5]
        time.sleep(0.5)
        assert admin.patch(f"{STAFF}/{added['id']}", json={"active": False}).status_code == 200
        yield body[5:]

    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    answer = leaving.request(method, path, content=slowly(), headers=headers)
    assert answer.status_code in (401, 403), answer.text
    open_links = "SELECT COUNT(*) FROM account_links WHERE made_by = :actor AND used_at IS NULL AND revoked_at IS NULL"
    assert rows(env, open_links, actor=f"staff:{added['id']}") == [(0,)]
    assert rows(env, "SELECT COUNT(*) FROM staff WHERE username = :name", name=f"late-{name}") == [(0,)]
    assert rows(env, "SELECT active FROM staff WHERE id = :id", id=added["id"]) == [(0,)]
    assert rows(env, "SELECT COUNT(*) FROM api_keys WHERE name = :name", name=f"late-{name}") == [(0,)]


def test_unknown_link_is_audited_without_its_secret(env: dict[str, str], browser: Browser) -> None:
    def found() -> list[tuple[Any, ...]]:
        return rows(env, "SELECT actor, subject, allowed, detail FROM audit WHERE action = 'open-link'")

    before = len(found())
    guessed = "Zx0cT9mUo2d1v4RkqWbN7yLs8fHgJpAeIiOuYtRrEwQ"
    refused(browser().post(f"{LINKS}/open", json={"secret": guessed}), 404, "link_not_found")
    refused(browser().post(f"{LINKS}/strength", json={"secret": guessed, "password": NEW_PASSWORD}), 404, "link_not_found")
    refused(browser().post(f"{LINKS}/use", json={"secret": guessed, "password": NEW_PASSWORD}), 404, "link_not_found")
    wait_until(lambda: len(found()) == before + 3, "the audit of three unknown links")
    assert set(found()) == {("nobody", "", 0, None)}
    assert rows(env, "SELECT COUNT(*) FROM audit WHERE detail LIKE :secret", secret=f"%{guessed}%") == [(0,)]


def test_administrator_of_another_organisation_gets_no_link(env: dict[str, str], admin: httpx.Client) -> None:
    other = seed(env, points=1, tickets=0, displays=0)
    ((staff_id,),) = rows(env, "SELECT id FROM staff WHERE username = :name", name=member(other, "receptionist")["username"])
    refused(admin.post(f"{STAFF}/{staff_id}/reset-link"), 404, "staff_not_found")
    refused(admin.delete(f"{STAFF}/{staff_id}/second-factor"), 404, "staff_not_found")
    refused(admin.delete(f"{STAFF}/{staff_id}/sessions"), 404, "staff_not_found")


# The terminal


def test_terminal_solves_a_lost_phone_of_the_last_administrator(env: dict[str, str], seeded: Seed, browser: Browser) -> None:
    who, here = member(seeded, "admin"), browser()
    sign_in(here, who)
    set_up(env, here, who)
    assert sign_in(browser(), who).status_code == 202
    unknown = command_line(env | {"NOWSERVING_NEW_PASSWORD": NEW_PASSWORD}, "reset-password", "nobody-here")
    assert unknown.returncode == 1
    assert "no user with the name nobody-here" in unknown.stderr
    done = command_line(
        env | {"NOWSERVING_NEW_PASSWORD": NEW_PASSWORD}, "reset-password", who["username"].upper(), "--second-factor"
    )
    assert done.returncode == 0, done.stderr
    refused(here.get(SESSION), 401, "not_signed_in")
    signed_in = sign_in(here, who | {"password": NEW_PASSWORD})
    assert signed_in.status_code == 200
    printed = command_line(env, "reset-password", who["username"], "--link")
    found = re.search(r"/account/reset#(\S+)", printed.stdout)
    assert found, printed.stdout + printed.stderr
    used = browser().post(f"{LINKS}/use", json={"secret": found[1], "password": who["password"]})
    assert used.status_code == 200, used.text
    here.cookies.clear()
    with httpx.Client(base_url=here.base_url, headers={"Authorization": f"Bearer {used.json()['access_token']}"}) as client:
        for action in ("set-password", "remove-second-factor", "make-reset-link"):
            assert "operator" in {each["actor"] for each in audited(client, action)}
    verified = command_line(env, "audit", "verify")
    assert "second_factors" in verified.stdout + verified.stderr
