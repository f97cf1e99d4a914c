"""A kiosk through a running server: its health and its help at the desk, its tickets, and its check-in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from server.identity.readable_codes import derived_code
from server.seeding import Seed
from server.vault import Vault
from tests.support.appointments import Day, appointments_today
from tests.support.refusals import refused
from tests.support.screens import Screen, sse
from tests.support.server import KEYS, Server, environment, seed, serving

pytestmark = [pytest.mark.long, pytest.mark.measured]


@pytest.fixture(scope="module")
def server_and_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("kiosk")
    limits = {"NOWSERVING_RATE_LIMITS": "on", "NOWSERVING_LIMIT_SIGN_IN": "1000"}
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS="0.5", **limits)
    seed(env, points=1, tickets=0, displays=0)
    with serving(env, folder) as server:
        yield server, env


class Clinic:
    """A site with a kiosk, and clients of its administrator and the kiosk."""

    def __init__(self, server: Server, seeded: Seed) -> None:
        self.server, self.seeded = server, seeded
        self.admin = server.client(server.sign_in(seeded, "admin"))
        added = self.do("add-kiosk", site_id=seeded["site_id"], name="Door")
        self.kiosk_id, self.token = added["events"][-1]["kiosk_id"], added["token"]
        self.kiosk = server.client(self.token)
        self.live = f"/live/kiosks/{self.kiosk_id}"

    def do(self, name: str, /, **body: Any) -> Any:
        answer = self.admin.post(f"/api/v1/commands/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def issue(self, key: str = "touch", valid_until: int | None = None) -> httpx.Response:
        return self.kiosk.post(
            "/api/v1/commands/issue-ticket",
            json={"queue_id": self.seeded["queue_ids"][0], "valid_until": valid_until},
            headers={"Idempotency-Key": key},
        )


@pytest.fixture
def clinic(server_and_env: tuple[Server, dict[str, str]]) -> Iterator[Clinic]:
    server, env = server_and_env
    clinic = Clinic(server, seed(env, points=1, tickets=2, displays=0))
    yield clinic
    clinic.admin.close()
    clinic.kiosk.close()


@pytest.fixture
def desk(clinic: Clinic) -> Iterator[Screen]:
    token = clinic.server.sign_in(clinic.seeded, "receptionist")
    with sse(f"{clinic.server.url}/live/sites/{clinic.seeded['site_id']}/desk", token) as desk:
        desk.wait(lambda each: each.cells)
        yield desk


def test_desk_shows_health_and_help_of_a_kiosk(clinic: Clinic, desk: Screen) -> None:
    key = f"kiosk:{clinic.kiosk_id}"
    clinic.do("change-kiosk", kiosk_id=clinic.kiosk_id, place="Main entrance", printing="escpos")
    with sse(f"{clinic.server.url}{clinic.live}", clinic.token) as screen:
        screen.wait(lambda each: each.cells)
        assert {each.partition(":")[0] for each in screen.cells} == {"site", "queue", "kiosk"}
        ack = {"seq": screen.seq, "printer": "no_paper", "version": "7"}
        assert clinic.kiosk.post(f"{clinic.live}/ack", json=ack).status_code == 204
        desk.wait(lambda each: each.cells[key]["connected"] and each.cells[key]["printer"] == "no_paper")
        assert clinic.kiosk.post("/api/v1/commands/ask-help", json={"kiosk_id": clinic.kiosk_id}).status_code == 200
        desk.wait(lambda each: each.cells[key]["help_asked"] is not None)
        assert desk.cells[key]["place"] == "Main entrance"
        clinic.do("answer-help", kiosk_id=clinic.kiosk_id, name="Maria")
        screen.wait(lambda each: each.cells[key]["help_by"] == "Maria")
        desk.wait(lambda each: each.cells[key]["help_asked"] is None)
    desk.wait(lambda each: not each.cells[key]["connected"])


def test_kiosk_follows_and_acts_for_itself_alone(clinic: Clinic) -> None:
    other = clinic.do("add-kiosk", site_id=clinic.seeded["site_id"], name="Side door")["events"][-1]["kiosk_id"]
    assert clinic.kiosk.head(f"/live/kiosks/{other}").status_code == 403
    assert clinic.kiosk.post("/api/v1/commands/ask-help", json={"kiosk_id": other}).status_code == 403
    assert clinic.kiosk.post(f"/api/v1/kiosks/{other}/check-in", json={"code": "K7M3QX"}).status_code == 403
    clinic.do("revoke-token", device_id=clinic.kiosk_id)
    assert clinic.kiosk.head(clinic.live).status_code == 401


def test_repeated_touch_gets_one_ticket_with_its_place_and_range(clinic: Clinic) -> None:
    soon = int(time.time() * 1000) + 60_000
    first, again = clinic.issue(valid_until=soon), clinic.issue(valid_until=soon)
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    quote = first.json()["quote"]
    assert quote["ahead"] == 2
    assert quote.keys() == {"ahead", "expect_from", "expect_until", "estimating"}


def test_late_touch_makes_no_ticket_and_a_repeat_in_time_still_tells(clinic: Clinic) -> None:
    late = clinic.issue("late", int(time.time() * 1000) - 1)
    assert (late.status_code, late.json()["error"]["code"]) == (409, "request_expired")
    soon = int(time.time() * 1000) + 60_000
    issued = clinic.issue("in time", soon).json()
    assert clinic.issue("in time", soon).json() == issued


# The check-in


@dataclass
class Practice:
    """A site at about noon with a kiosk, at which patients with appointments check in."""

    clinic: Clinic
    day: Day

    def book(self, minutes: int, **about: Any) -> tuple[int, str]:
        """Book an appointment that many minutes from now; return its id and its token."""
        body = {
            "site_id": self.day.seeded["site_id"],
            "service_id": self.day.seeded["service_ids"][0],
            "local_start": self.day.local(minutes),
            "name": "Quintessa Zylbersztejn",
        }
        made = self.clinic.do("book", **body | about)
        return made["appointment"]["id"], made["token"]

    def check_in(self, key: str | None = None, /, **claim: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.clinic.kiosk.post(f"/api/v1/kiosks/{self.clinic.kiosk_id}/check-in", json=claim, headers=headers)

    def allow(self, ways: str) -> None:
        self.clinic.do("change-kiosk", kiosk_id=self.clinic.kiosk_id, check_in=ways)

    def waiting(self) -> int:
        """Return how many patients wait at the site."""
        board = self.clinic.admin.get(f"/api/v1/sites/{self.day.seeded['site_id']}/board").json()
        return sum(each["state"] == "waiting" for key, each in board["cells"].items() if key.startswith("entry:"))


def code_of(appointment_id: int) -> str:
    """Return the code that the page of an appointment shows."""
    return derived_code(Vault(KEYS.encryption_keys, KEYS.secret_key).keyed_hash(f"check-in:{appointment_id}"), 6)


@pytest.fixture
def practice(server_and_env: tuple[Server, dict[str, str]]) -> Iterator[Practice]:
    server, env = server_and_env
    day = appointments_today(env, starts=(), points=1, tickets=0, providers=2)
    clinic = Clinic(server, day.seeded)
    practice = Practice(clinic, day)
    practice.allow("birth")
    yield practice
    clinic.admin.close()
    clinic.kiosk.close()


def test_code_address_and_birthday_give_the_ticket(practice: Practice) -> None:
    """The answer has what the kiosk shows and prints, and no name."""
    born = {"date_of_birth": "1931-02-17", "initials": "ZQ"}
    by_code, _ = practice.book(15)
    _, token = practice.book(30)
    practice.book(45, date_of_birth="1931-02-17")
    labels: set[str] = set()
    for claim in (
        {"code": f"{code_of(by_code)[:3]} {code_of(by_code)[3:].lower()}"},
        {"code": f"https://x/a/{token}"},
        born,
    ):
        answer = practice.check_in(**claim)
        assert answer.status_code == 200, answer.text
        done = answer.json()
        assert done["address"].endswith(f"/t/{done['token']}")
        assert done["quote"]["ahead"] == len(labels)
        assert done["queue"]["name"]
        assert "Quintessa" not in answer.text
        labels.add(done["entry"]["label"])
    assert len(labels) == practice.waiting() == 3
    history = practice.clinic.admin.get(f"/api/v1/entries/{done['entry']['id']}/history").json()["steps"]
    assert history[0]["actor"] == f"kiosk:{practice.clinic.kiosk_id}"


def test_repeated_touch_gives_one_ticket_and_a_second_scan_the_same(practice: Practice) -> None:
    appointment_id, token = practice.book(15)
    first, again = (practice.check_in("one touch", code=code_of(appointment_id)) for _ in range(2))
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    scanned = practice.check_in("another touch", code=f"https://clinic.test/a/{token}")
    assert scanned.json()["entry"] == first.json()["entry"], "the address of the page is the patient's own"
    refused(practice.check_in("a third touch", code=code_of(appointment_id)), 409, "check_in_refused")
    assert practice.waiting() == 1


def test_late_touch_checks_nobody_in_and_a_repeat_in_time_still_tells(practice: Practice) -> None:
    code = code_of(practice.book(15)[0])
    past, soon = int(time.time() * 1000) - 1, int(time.time() * 1000) + 60_000
    refused(practice.check_in(code=code, valid_until=past), 409, "request_expired")
    refused(practice.check_in(code="AAAAAA", valid_until=past), 409, "request_expired")
    assert practice.waiting() == 0
    done = practice.check_in("in time", code=code, valid_until=soon)
    assert done.status_code == 200, done.text
    assert practice.check_in("in time", code=code, valid_until=soon).json() == done.json()


def test_right_code_at_the_wrong_time_hears_the_hours_of_the_check_in(practice: Practice) -> None:
    """Only who has the code or the address hears them: a birthday is known to many."""
    early, token = practice.book(240, date_of_birth="1931-02-17")
    for claim in ({"code": code_of(early)}, {"code": f"https://clinic.test/a/{token}"}):
        answer = practice.check_in(**claim)
        error = refused(answer, 409, "check_in_not_now")
        start = practice.day.local(240)
        assert error["details"].keys() == {"local_from", "local_until", "opens_at", "closes_at"}
        assert error["details"]["closes_at"] - error["details"]["opens_at"] == (120 + 15) * 60_000
        assert error["details"]["local_from"] < start < error["details"]["local_until"]
        assert "Quintessa" not in answer.text
    refused(practice.check_in(date_of_birth="1931-02-17", initials="QZ"), 409, "check_in_refused")


NOT_COMPARED = {"date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"}


def test_refusals_of_check_in_are_byte_identical_and_five_a_minute(practice: Practice) -> None:
    """Check-in that is off, an unknown code, an unknown patient, two patients that fit, and a patient at the wrong time."""
    code = code_of(practice.book(15)[0])
    for minutes in (15, 30):
        practice.book(minutes, date_of_birth="1985-12-10", name="Ada Lovelace")
    practice.book(240, date_of_birth="1931-02-17")
    practice.allow("off")
    answers = [practice.check_in(code=code)]
    practice.allow("birth")
    answers += [
        practice.check_in(code="K7M3QX"),
        practice.check_in(date_of_birth="1950-01-01", initials="X"),
        practice.check_in(date_of_birth="1985-12-10", initials="AL"),
        practice.check_in(date_of_birth="1931-02-17", initials="QZ"),
    ]
    seen = {
        (
            each.status_code,
            each.content.replace(each.headers["x-request-id"].encode(), b"").split(b'"timestamp"')[0],
            len(each.content),
            tuple(sorted((name, value) for name, value in each.headers.items() if name not in NOT_COMPARED)),
        )
        for each in answers
    }
    assert len(seen) == 1, seen
    assert answers[0].json()["error"]["code"] == "check_in_refused"
    assert practice.check_in(code=code).status_code == 429
    assert practice.clinic.issue("after").status_code == 200, "the limit of check-in takes no tickets away"


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": "A", "initials": "B"}, {"initials": "AL"}, {"code": "A" * 201}])
def test_check_in_needs_one_whole_claim(clinic: Clinic, body: dict[str, str]) -> None:
    assert clinic.kiosk.post(f"/api/v1/kiosks/{clinic.kiosk_id}/check-in", json=body).status_code == 422
