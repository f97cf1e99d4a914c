"""Joining a queue by phone, over two server processes of one installation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, ClassVar

import httpx
import pytest

from server.identity.phones import phone_from
from server.identity.presence import CHANGES_MICROSECONDS, present_code
from server.seeding import Seed
from server.vault import Vault
from tests.support.server import KEYS, Server, environment, seed, serving

pytestmark = pytest.mark.measured

SECOND = 1_000_000
DAY = 86_400 * SECOND
VAULT = Vault(KEYS.encryption_keys, KEYS.secret_key)
Json = dict[str, Any]
_addresses = count(1)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("joining")
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_RATE_LIMITS="on")


@pytest.fixture(scope="module")
def servers(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    seed(env, points=1, tickets=0)
    with (
        serving(env, tmp_path_factory.mktemp("joining-one")) as one,
        serving(env, tmp_path_factory.mktemp("joining-two")) as other,
    ):
        yield one, other


@pytest.fixture
def seeded(env: dict[str, str], servers: tuple[Server, Server]) -> Seed:
    """A new site for each test. Its displays are paired."""
    return seed(env, points=2, tickets=0, displays=1)


@pytest.fixture
def change(servers: tuple[Server, Server], seeded: Seed) -> Callable[..., None]:
    """Return a function that changes the rules of the site."""
    token = servers[0].sign_in(seeded, "admin")

    def change(command: str = "change-site", /, **fields: Any) -> None:
        body = {"site_id": seeded["site_id"]} | fields
        with servers[0].client(token) as admin:
            answer = admin.post(f"/api/v1/commands/{command}", json=body)
        assert answer.status_code == 200, answer.text

    return change


@pytest.fixture(autouse=True)
def _phones_end() -> Iterator[None]:
    yield
    while Phone.opened:
        Phone.opened.pop().client.close()


def an_address() -> str:
    """Return an address that no other test has used."""
    number = next(_addresses)
    return f"198.18.{number // 250}.{number % 250 + 1}"


class Phone:
    """A phone with a browser of its own. The test closes it at its end."""

    opened: ClassVar[list[Phone]] = []

    def __init__(self, server: Server, seeded: Seed, address: str | None = None) -> None:
        self.client = server.client()
        self.opened.append(self)
        self.client.headers["X-Forwarded-For"] = address or an_address()
        self.site_id, self.queue_ids = seeded["site_id"], seeded["queue_ids"]
        self.here = f"/api/v1/sites/{self.site_id}/joining"

    def move_to(self, server: Server) -> None:
        """Send the next requests to another server process. The cookies stay: a browser knows one address."""
        self.client.base_url = server.url

    def look(self) -> Json:
        answer = self.client.get(self.here)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def enter(self, code: str | None) -> httpx.Response:
        return self.client.post(f"{self.here}/pass", json={"code": code})

    def ask(self, key: str | None = None, **about: Any) -> httpx.Response:
        body = {"queue_id": self.queue_ids[0]} | about
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(f"{self.here}/ticket", json=body, headers=headers)

    def join(self, key: str | None = None, **about: Any) -> Json:
        answer = self.ask(key, **about)
        assert answer.status_code == 200, answer.text
        joined: Json = answer.json()
        return joined

    def leave(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.client.base_url, headers=headers) as patient:
            entry_id = next(self._entries(patient, token))
            answer = patient.post("/api/v1/commands/leave", json={"entry_id": entry_id})
        assert answer.status_code == 200, answer.text

    def _entries(self, patient: httpx.Client, token: str) -> Iterator[int]:
        with patient.stream("GET", f"/live/tickets/{token}") as stream:
            text = ""
            for chunk in stream.iter_text():
                text += chunk
                if found := re.search(r'"entry":(\d+)', text):
                    yield int(found[1])


def now() -> int:
    return time.time_ns() // 1000


def code_at(site_id: int, instant: int) -> str:
    return present_code(VAULT, site_id, instant).code


def here(phone: Phone) -> Phone:
    """Give a phone a pass."""
    answer = phone.enter(code_at(phone.site_id, now()))
    assert answer.status_code == 200, answer.text
    return phone


def refusal_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def desk_entries(server: Server, seeded: Seed) -> list[Json]:
    """Return the entries on the desk of the site."""
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        cells = client.get(f"/api/v1/sites/{seeded['site_id']}/board").json()["cells"]
    return [cell for key, cell in cells.items() if key.startswith("entry:")]


def test_phone_sees_the_wait_then_joins_and_the_desk_sees_that_it_was_a_phone(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    change(languages=["ar"])
    phone = Phone(servers[0], seeded)
    seen = phone.look()
    assert (seen["state"], seen["code_needed"], seen["ticket"], seen["phone"]) == ("open", True, None, "none")
    assert seen["site"]["languages"] == [seen["site"]["language"], "ar"]
    assert [each["id"] for each in seen["queues"]] == seeded["queue_ids"]
    assert all(each["room"] == "open" and each["waiting"] == 0 for each in seen["queues"])
    assert seen["queues"][0]["expect_from"] is not None, "the page shows a range before the patient joins"
    assert refusal_of(phone.ask()) == (403, "join_code_needed")
    here(phone)
    assert phone.look()["code_needed"] is False
    joined = phone.join(language="ar")
    assert joined["new"] is True
    assert joined["address"].endswith(f"/t/{joined['token']}")
    assert phone.look()["ticket"] == joined["token"]
    assert phone.look()["queues"][0]["waiting"] == 1
    (entry,) = desk_entries(servers[1], seeded)
    assert (entry["by_phone"], entry["language"], entry["priority"], entry["name"]) == (True, "ar", "standard", None)
    with servers[1].client(servers[1].sign_in(seeded, "admin")) as admin:
        (visit,) = admin.get(f"/api/v1/sites/{seeded['site_id']}/entries").json()["data"]
        (issued,) = admin.get(f"/api/v1/entries/{visit['id']}/history").json()["steps"]
    assert issued["type"] == "ticket-issued"
    assert re.fullmatch("phone:[0-9a-f]{8}", issued["actor"])


def test_code_is_good_for_five_minutes_in_every_process(servers: tuple[Server, Server], seeded: Seed) -> None:
    site_id = seeded["site_id"]
    begins_at = now() // CHANGES_MICROSECONDS * CHANGES_MICROSECONDS
    shown = {"now": begins_at, "two changes ago": begins_at - CHANGES_MICROSECONDS}
    for server in servers:
        for instant in shown.values():
            assert Phone(server, seeded).enter(code_at(site_id, instant).lower()).status_code == 200
        for earlier in (3 * CHANGES_MICROSECONDS, DAY):
            answer = Phone(server, seeded).enter(code_at(site_id, begins_at - earlier))
            assert refusal_of(answer) == (403, "join_code_old")
            assert answer.json()["error"]["message"] == "This code was shown earlier. Please use the code on the screen now."
            assert "set-cookie" not in answer.headers
        for wrong in (code_at(site_id + 1, begins_at), code_at(site_id, begins_at - 9 * DAY), "AAAAAA", "x" * 40):
            assert refusal_of(Phone(server, seeded).enter(wrong)) == (403, "join_code_wrong")
        for nothing in ("", None):
            assert refusal_of(Phone(server, seeded).enter(nothing)) == (403, "join_code_needed")


def test_pass_belongs_to_its_browser_and_its_site(env: dict[str, str], servers: tuple[Server, Server], seeded: Seed) -> None:
    began = time.time()
    phone = here(Phone(servers[0], seeded))
    cookie = next(iter(phone.client.cookies.jar))
    assert cookie.name == "nowserving_phone"
    assert cookie.path == "/api/"
    assert {"httponly", "samesite"} <= {name.lower() for name in cookie._rest}  # type: ignore[attr-defined]
    assert cookie.value is not None
    known = phone_from(cookie.value, KEYS.secret_key, time.time())
    assert known is not None
    assert began + 899 <= known.passes[seeded["site_id"]] <= time.time() + 900
    assert refusal_of(Phone(servers[0], seeded).ask()) == (403, "join_code_needed")
    elsewhere = seed(env, points=1, tickets=0)
    other = Phone(servers[0], elsewhere)
    other.client.cookies = phone.client.cookies
    assert other.look()["code_needed"] is True
    assert refusal_of(other.ask()) == (403, "join_code_needed")
    # A queue of another site gives no ticket through this site's page.
    assert refusal_of(phone.ask(queue_id=elsewhere["queue_ids"][0])) == (404, "site_not_found")
    forged = Phone(servers[0], seeded)
    forged.client.cookies.set("nowserving_phone", cookie.value[:-2] + "xx")
    assert refusal_of(forged.ask()) == (403, "join_code_needed")


def test_repeated_and_double_requests_give_one_ticket(servers: tuple[Server, Server], seeded: Seed) -> None:
    phone = here(Phone(servers[0], seeded))

    def tap(server: Server, key: str) -> Json:
        again = Phone(server, seeded)
        again.client.cookies = httpx.Cookies(phone.client.cookies)
        return again.join(key)

    with ThreadPoolExecutor(8) as together:
        found = list(together.map(lambda n: tap(servers[n % 2], f"key-{n // 6}"), range(12)))
    assert len({each["token"] for each in found}) == 1
    assert sum(each["new"] for each in found) == 1
    assert len(desk_entries(servers[0], seeded)) == 1
    assert phone.join(queue_id=seeded["queue_ids"][1])["token"] == found[0]["token"], "led to the ticket that it has"


def test_one_phone_gets_three_tickets_an_hour_whichever_process_serves_it(
    servers: tuple[Server, Server], seeded: Seed
) -> None:
    phone = here(Phone(servers[0], seeded))
    began = time.time()
    for number in range(3):
        phone.move_to(servers[number % 2])
        joined = phone.join()
        assert joined["new"] is True
        phone.leave(joined["token"])
    refused = set()
    for number in range(27):
        phone.move_to(servers[number % 2])
        answer = phone.ask()
        refused.add(refusal_of(answer))
        assert answer.json()["error"]["details"]["limit"] == 3
        assert 3_599 - (time.time() - began) <= int(answer.headers["retry-after"]) <= 3_600
    assert refused == {(409, "joined_too_often")}
    with pytest.raises(AssertionError, match="joined_too_often"):
        phone.join("one more")


def test_limit_holds_when_many_requests_of_a_phone_race(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    change(joins_per_hour=4)
    phones = [here(Phone(servers[number % 2], seeded)) for number in range(12)]
    with ThreadPoolExecutor(12) as together:
        answers = list(together.map(lambda each: each.ask(), phones))
    codes = sorted(answer.json().get("error", {}).get("code", "joined") for answer in answers)
    assert codes == ["joined"] * 4 + ["joining_too_many"] * 8


def test_sixty_phones_behind_one_address_join_within_a_minute(servers: tuple[Server, Server], seeded: Seed) -> None:
    address = an_address()
    phones = [Phone(servers[number % 2], seeded, address) for number in range(60)]

    def all_of_it(phone: Phone) -> Json:
        phone.look()
        here(phone)
        phone.look()
        return phone.join()

    with ThreadPoolExecutor(6) as together:
        joined = list(together.map(all_of_it, phones))
    assert len({each["token"] for each in joined}) == 60
    assert all(each["new"] for each in joined)


def test_phone_that_forgets_itself_is_bounded_by_its_address(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    """A new private window is a new phone. Each process without Redis counts for itself, so this test uses one."""
    change(joins_per_hour=1000)
    address = an_address()
    codes = []
    for _ in range(101):
        answer = here(Phone(servers[0], seeded, address)).ask()
        codes.append(answer.json().get("error", {}).get("code", "joined"))
    assert codes == ["joined"] * 100 + ["too_many_joined"]
    assert here(Phone(servers[0], seeded)).join()["new"] is True


def test_guesses_are_bounded_by_address(servers: tuple[Server, Server], seeded: Seed) -> None:
    address = an_address()
    answers = [Phone(servers[0], seeded, address).enter("AAAAAA") for _ in range(121)]
    assert [refusal_of(each) for each in answers] == [(403, "join_code_wrong")] * 120 + [(429, "too_many_requests")]
    # A phone with a pass goes on, and has no more guesses.
    known = here(Phone(servers[0], seeded))
    known.client.headers["X-Forwarded-For"] = address
    assert refusal_of(known.enter("AAAAAA")) == (429, "too_many_requests")
    assert known.join()["new"] is True


def test_page_says_closed_and_when_the_clinic_opens(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    phone = here(Phone(servers[0], seeded))
    weekday = (time.gmtime().tm_wday + 2) % 7
    change(hours=[[weekday, 480, 720]], joining="anywhere")
    seen = phone.look()
    assert (seen["state"], seen["queues"], seen["code_needed"]) == ("closed", [], False)
    assert seen["now"] < seen["opens_at"] < seen["now"] + 4 * DAY // 1000
    assert refusal_of(phone.ask()) == (409, "site_closed")


def test_site_without_joining_tells_nothing(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    """The answer is the same for a site that does not exist: nobody can list the clinics of an installation."""
    change(joining="off")
    phone, nowhere = Phone(servers[1], seeded), Phone(servers[1], seeded)
    nowhere.here = "/api/v1/sites/4711/joining"
    far = Phone(servers[1], seeded)
    far.here = f"/api/v1/sites/{2**53 - 1}/joining"
    for each in (phone, nowhere, far):
        for answer in (each.client.get(each.here), each.enter("AAAAAA"), each.ask()):
            assert refusal_of(answer) == (404, "joining_is_off")
            assert answer.json()["error"]["details"] == {}


def test_anywhere_needs_no_code_and_keeps_the_limit(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    change(joining="anywhere", joins_per_phone=1, phone_when_joining="required", region="DE")
    phone = Phone(servers[0], seeded)
    assert phone.look()["code_needed"] is False
    assert phone.enter(None).status_code == 200
    assert refusal_of(phone.ask()) == (422, "phone_number_needed")
    assert refusal_of(phone.ask(phone="12")) == (422, "invalid_field")
    joined = phone.join(phone="030 901820")
    phone.leave(joined["token"])
    assert refusal_of(phone.ask(phone="030 901820")) == (409, "joined_too_often")


def test_devices_show_the_code_of_their_own_site(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., None]
) -> None:
    display, site_id = seeded["displays"][0], seeded["site_id"]
    address = f"/api/v1/devices/{display['id']}/join-code"
    with servers[1].client(display["token"]) as screen:
        before = code_at(site_id, now())
        shown = screen.get(address).json()
        assert shown["code"] in (before, code_at(site_id, now()))
        assert shown["address"] == f"{servers[1].url}/join/{site_id}#{shown['code']}"
        assert shown["typed"] == f"{servers[1].url}/join/{site_id}"
        assert shown["changes_at"] - shown["now"] <= 120_000
        assert shown["ends_at"] - shown["changes_at"] == 180_000
        assert Phone(servers[0], seeded).enter(shown["code"]).status_code == 200
        change(joining="anywhere")
        anywhere = screen.get(address).json()
        assert (anywhere["code"], anywhere["address"]) == (None, shown["typed"])
        change(joining="off")
        nothing = screen.get(address).json()
        assert (nothing["code"], nothing["address"], nothing["qr"], nothing["modules"]) == (None, None, None, 0)
        assert refusal_of(screen.get(f"/api/v1/devices/{display['id'] + 1}/join-code")) == (403, "not_allowed")
    with servers[1].client() as nobody:
        assert refusal_of(nobody.get(address)) == (401, "not_signed_in")
        assert refusal_of(nobody.get(f"{address}?token={display['token']}")) == (422, "invalid_field")


def test_administrator_gets_a_poster_with_the_address_of_the_page(servers: tuple[Server, Server], seeded: Seed) -> None:
    address = f"/api/v1/sites/{seeded['site_id']}/poster.pdf"
    with servers[0].client(servers[0].sign_in(seeded, "admin")) as admin:
        for paper in ("a4", "letter"):
            answer = admin.get(address, params={"paper": paper})
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == "application/pdf"
            assert answer.headers["content-disposition"] == f'inline; filename="poster-{seeded["site_id"]}-{paper}.pdf"'
            assert answer.content.startswith(b"%PDF")
        assert refusal_of(admin.get(address, params={"paper": "a3"})) == (422, "invalid_field")
