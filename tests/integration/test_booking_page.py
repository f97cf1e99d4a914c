"""Booking with a patient's own browser, the patient's own appointment, and the calendars, over two server processes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import cache
from itertools import count
from typing import Any, ClassVar

import httpx
import pytest
from icalendar import Calendar

from server.seeding import Seed
from tests.support import databases
from tests.support.refusals import refused
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.measured

Json = dict[str, Any]
SECRET = "Follow-up of a rare disease"
PATIENT, PHONE, EMAIL = "Quintessa Zylbersztejn", "+49 30 5550143", "quintessa@canary.example"
TRACES = re.compile("Quintessa|Zylbersztejn|5550143|canary|rare disease")
_addresses = count(1)


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    limits = {"NOWSERVING_RATE_LIMITS": "on", "NOWSERVING_LIMIT_SIGN_IN": "1000", "NOWSERVING_LIMIT_TICKET": "1000"}
    if request.param == "sqlite":
        yield environment(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('booking') / 'x.db'}", **limits)
        return
    with databases.fresh_database(request.getfixturevalue("database_server")) as url:
        yield environment(url, request.getfixturevalue("redis_url"), **limits)


@pytest.fixture(scope="module")
def servers(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    seed(env, points=1, tickets=0)
    folders = (tmp_path_factory.mktemp(each) for each in ("booking-one", "booking-two"))
    with serving(env, next(folders)) as one, serving(env, next(folders)) as other:
        yield one, other


@pytest.fixture
def seeded(env: dict[str, str], servers: tuple[Server, Server]) -> Seed:
    """A new site for each test, whose patients book on its page."""
    seeded = seed(env, points=1, tickets=0, displays=0, providers=2)
    with servers[0].client(servers[0].sign_in(seeded, "admin")) as admin:
        for command, body in (
            ("change-site", {"site_id": seeded["site_id"], "booking": "on"}),
            ("change-service", {"service_id": seeded["service_ids"][0], "name": SECRET, "public_name": "Service A"}),
        ):
            answer = admin.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, answer.text
    return seeded


@pytest.fixture
def change(servers: tuple[Server, Server], seeded: Seed) -> Callable[..., Json]:
    """Return a function that sends a command as the administrator."""
    token = servers[0].sign_in(seeded, "admin")

    def change(command: str, /, **fields: Any) -> Json:
        with servers[0].client(token) as admin:
            answer = admin.post(f"/api/v1/commands/{command}", json=fields)
        assert answer.status_code == 200, answer.text
        done: Json = answer.json()
        return done

    return change


@pytest.fixture(autouse=True)
def _visitors_end() -> Iterator[None]:
    yield
    while Visitor.opened:
        Visitor.opened.pop().client.close()


@cache  # the same one until the end: midnight may come in the middle of a test
def monday() -> str:
    """Return a Monday that is one to two weeks away."""
    today = date.today()
    return (today + timedelta(days=14 - today.weekday())).isoformat()


class Visitor:
    """A visitor with a browser of their own. The test closes it at its end."""

    opened: ClassVar[list[Visitor]] = []

    def __init__(self, server: Server, seeded: Seed, address: str | None = None) -> None:
        self.client = server.client()
        self.opened.append(self)
        number = next(_addresses)
        self.client.headers["X-Forwarded-For"] = address or f"198.19.{number // 250}.{number % 250 + 1}"
        self.seeded = seeded
        self.here = f"/api/v1/sites/{seeded['site_id']}/booking"

    def wish(self, time: str = "10:00", **more: Any) -> Json:
        service_id, provider_id = self.seeded["service_ids"][0], self.seeded["provider_ids"][0]
        return {"service_id": service_id, "provider_id": provider_id, "local_start": f"{monday()}T{time}"} | more

    def free(self, **more: Any) -> list[str]:
        """Return the free times of the Monday at the first provider."""
        query = {"service_id": self.seeded["service_ids"][0], "provider_id": self.seeded["provider_ids"][0]}
        answer = self.client.get(f"{self.here}/slots", params=query | {"from": monday(), "until": monday()} | more)
        assert answer.status_code == 200, answer.text
        return [each["local_start"][11:] for each in answer.json()["data"]]

    def hold(self, time: str = "10:00", **more: Any) -> httpx.Response:
        return self.client.post(f"{self.here}/hold", json=self.wish(time, **more))

    def held(self, time: str = "10:00", **more: Any) -> Json:
        answer = self.hold(time, **more)
        assert answer.status_code == 200, answer.text
        held: Json = answer.json()
        return held

    def book(self, time: str = "10:00", key: str | None = None, **more: Any) -> httpx.Response:
        about = {"name": PATIENT, "phone": PHONE, "email": EMAIL}
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(f"{self.here}/book", json=self.wish(time, **about) | more, headers=headers)

    def booked(self, time: str = "10:00", **more: Any) -> Json:
        answer = self.book(time, **more)
        assert answer.status_code == 200, answer.text
        booked: Json = answer.json()
        return booked


def test_visitor_sees_the_free_times_keeps_one_and_books_it(servers: tuple[Server, Server], seeded: Seed) -> None:
    one, other = servers
    visitor, stranger = Visitor(one, seeded), Visitor(other, seeded)
    seen = visitor.client.get(visitor.here).json()
    assert [each["id"] for each in seen["services"]] == seeded["service_ids"]
    assert seen["services"][0]["provider_ids"] == seeded["provider_ids"]
    assert {each["id"] for each in seen["providers"]} == set(seeded["provider_ids"])
    assert SECRET not in str(seen)
    assert "10:00" in visitor.free()
    held = visitor.held()
    assert 595_000 <= held["held_until"] - held["now"] <= 600_000
    assert "10:00" in visitor.free(), "a visitor's own hold is free to that visitor"
    assert "10:00" not in stranger.free()
    error = refused(stranger.book(), 409, "slot_taken")
    assert error["details"] == {"local_start": f"{monday()}T10:00", "reason": "held"}
    booked = visitor.booked(hold_token=held["hold_token"])
    assert booked["token"] == held["hold_token"]
    assert booked["address"].endswith(f"/a/{booked['token']}")
    assert refused(stranger.book(), 409, "slot_taken")["details"]["reason"] == "booked"
    slots = stranger.client.get(
        f"{stranger.here}/slots",
        params={"service_id": seeded["service_ids"][0], "from": monday(), "until": monday()},
    )
    fields = {"local_start", "fold", "offset_minutes", "starts_at", "minutes", "provider_id", "left"}
    assert all(each.keys() == fields for each in slots.json()["data"]), "no answer names who has a taken time"


def test_two_visitors_race_for_one_time(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitors = [Visitor(servers[number % 2], seeded) for number in range(8)]
    with ThreadPoolExecutor(8) as together:
        answers = list(together.map(lambda each: each.hold(), visitors))
    assert sorted(each.status_code for each in answers) == [200] + [409] * 7
    assert {each.json()["error"]["code"] for each in answers if each.status_code == 409} == {"slot_taken"}
    winner = next(index for index, each in enumerate(answers) if each.status_code == 200)
    token = answers[winner].json()["hold_token"]
    with ThreadPoolExecutor(8) as together:
        booked = list(together.map(lambda each: each.book(hold_token=token if each is visitors[winner] else None), visitors))
    assert [each.status_code for each in booked].count(200) == 1
    assert booked[winner].status_code == 200


def test_visitor_keeps_one_time_and_extends_it_once(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitor, stranger = (Visitor(each, seeded) for each in servers)
    first = visitor.held("10:00")
    visitor.held("11:00")
    free = stranger.free()
    assert "10:00" in free, "the next choice gives the earlier one back"
    assert "11:00" not in free
    refused(visitor.book("10:00", hold_token=first["hold_token"]), 409, "hold_expired")
    third = visitor.held("12:00")
    longer = visitor.held("12:00", hold_token=third["hold_token"])
    assert longer["hold_token"] == third["hold_token"]
    assert longer["held_until"] >= third["held_until"]
    refused(visitor.hold("12:00", hold_token=third["hold_token"]), 409, "hold_not_extended")
    body = {"hold_token": third["hold_token"]}
    assert visitor.client.post(f"{visitor.here}/release", json=body).status_code == 204
    refused(visitor.client.post(f"{visitor.here}/release", json=body), 409, "hold_expired")
    assert "12:00" in stranger.free()
    # Whoever comes late books the time without the hold, as long as nobody else has it.
    refused(visitor.book("12:00", hold_token=third["hold_token"]), 409, "hold_expired")
    visitor.booked("12:00")


def test_one_address_keeps_three_times(servers: tuple[Server, Server], seeded: Seed) -> None:
    address = f"198.18.7.{next(_addresses) % 250}"
    for number in range(3):
        Visitor(servers[number % 2], seeded, address).held(f"1{number}:00")
    error = refused(Visitor(servers[0], seeded, address).hold("13:00"), 409, "too_many_holds")
    assert 0 < error["details"]["retry_after"] <= 600
    Visitor(servers[0], seeded).held("13:00")


def test_repeat_of_a_booking_gives_the_same_appointment(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitor = Visitor(servers[0], seeded)
    held = visitor.held()
    again = Visitor(servers[1], seeded)
    again.client.cookies = visitor.client.cookies
    answers = [each.book(key="one touch", hold_token=held["hold_token"]) for each in (visitor, again, visitor)]
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["token"] for each in answers}) == 1
    # The same key of another visitor is another touch.
    refused(Visitor(servers[0], seeded).book(key="one touch", hold_token=held["hold_token"]), 409, "hold_expired")


def test_bookings_of_a_browser_and_of_an_address_are_bounded(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitor = Visitor(servers[0], seeded)
    visitor.held("09:00")
    quarters = [f"{9 + index // 4:02}:{index % 4 * 15:02}" for index in range(1, 12)]
    began = time.time()
    answers = [visitor.book(each) for each in quarters]
    assert [each.status_code for each in answers] == [200] * 10 + [429]
    error = refused(answers[-1], 429, "too_many_booked")
    assert 3_599 - (time.time() - began) <= error["details"]["retry_after"] <= 3_600


@pytest.mark.parametrize(
    "body", [{"phone": None, "email": None}, {"phone": "call me"}, {"email": "no address"}, {"name": ""}]
)
def test_patient_can_be_reached_and_has_a_name(servers: tuple[Server, Server], seeded: Seed, body: Json) -> None:
    visitor = Visitor(servers[0], seeded)
    answer = visitor.book(**body)
    assert answer.status_code == 422
    assert not TRACES.search(answer.text)
    assert "10:00" in visitor.free()


def test_site_without_booking_tells_nothing(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., Json]
) -> None:
    """The answer is the same for a site that does not exist: nobody can list the clinics of an installation."""
    change("change-site", site_id=seeded["site_id"], booking="off")
    visitor, nowhere, far = (Visitor(servers[1], seeded) for _ in range(3))
    nowhere.here, far.here = "/api/v1/sites/4711/booking", f"/api/v1/sites/{2**53 - 1}/booking"
    for each in (visitor, nowhere, far):
        answers = [
            each.client.get(each.here),
            each.hold(),
            each.book(),
            each.client.post(f"{each.here}/release", json={"hold_token": "a7-x"}),
        ]
        for answer in answers:
            assert refused(answer, 404, "booking_is_off")["details"] == {}


def test_services_and_providers_of_another_site_are_refused(
    env: dict[str, str], servers: tuple[Server, Server], seeded: Seed
) -> None:
    visitor, elsewhere = Visitor(servers[0], seeded), seed(env, points=1, tickets=0, providers=1)
    others: list[dict[str, Any]] = [
        {"service_id": elsewhere["service_ids"][0]},
        {"provider_id": elsewhere["provider_ids"][0]},
    ]
    for more in others:
        refused(visitor.hold(**more), 404, "site_not_found")
        refused(visitor.book(**more), 404, "site_not_found")


# The own appointment


def state_of(visitor: Visitor, token: str) -> Json:
    answer = visitor.client.get(f"/api/v1/appointments/{token}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_no_get_or_head_changes_anything(servers: tuple[Server, Server], seeded: Seed, change: Callable[..., Json]) -> None:
    """A mail scanner opens every link of a message."""
    visitor = Visitor(servers[0], seeded)
    token = visitor.booked()["token"]
    before, seq = state_of(visitor, token), state_of(visitor, token)["seq"]
    dates = f"from={monday()}&until={monday()}"
    own = f"/api/v1/appointments/{token}"
    for address in (f"/a/{token}", own, f"{own}/calendar.ics", f"{own}/qr.svg", f"{own}/slots?{dates}"):
        for method in ("GET", "HEAD"):
            for _ in range(20):
                assert visitor.client.request(method, address).status_code == 200, address
    assert state_of(visitor, token) == before
    assert state_of(visitor, token)["seq"] == seq
    assert change("change-site", site_id=seeded["site_id"], cancel_until=90)["seq"] == seq + 1


def test_own_appointment_tells_the_patient_alone(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitor = Visitor(servers[0], seeded)
    token = visitor.booked()["token"]
    found = state_of(visitor, token)
    cell = found["cells"]["appointment"]
    assert (cell["state"], cell["local_start"]) == ("booked", f"{monday()}T10:00")
    assert re.fullmatch("[ACDEFGHJKMNPQRTUVWXY34679]{6}", found["code"])
    assert found["code"] == state_of(Visitor(servers[1], seeded), token)["code"], "derived, the same in every process"
    assert found["booking_page"].endswith(f"/book/{seeded['site_id']}")
    assert not TRACES.search(str(found))
    own = f"/api/v1/appointments/{token}/slots"
    answer = visitor.client.get(own, params={"from": monday(), "until": monday()})
    assert f"{monday()}T10:00" in {each["local_start"] for each in answer.json()["data"]}, "its own time counts as free"
    released = visitor.held("14:00")["hold_token"]  # the next choice gives it back
    held = visitor.held("15:00")["hold_token"]
    for unknown in (f"a{seeded['site_id']}-AAAAAAAAAAAAAAAAAAAAAA", released, held, "nonsense"):
        for path in ("", "/slots", "/calendar.ics"):
            answer = visitor.client.get(f"/api/v1/appointments/{unknown}{path}")
            assert refused(answer, 404, "appointment_not_found")["details"] == {}


def test_calendar_entry_moves_and_ends_with_the_appointment(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitor = Visitor(servers[0], seeded)
    token = visitor.booked()["token"]
    appointment_id = state_of(visitor, token)["cells"]["appointment"]["appointment"]

    def entry() -> Any:
        answer = visitor.client.get(f"/api/v1/appointments/{token}/calendar.ics")
        assert answer.headers["content-type"].startswith("text/calendar")
        assert "attachment" in answer.headers["content-disposition"]
        assert not TRACES.search(answer.text)
        (event,) = Calendar.from_ical(answer.text).walk("VEVENT")
        assert re.search(r"DTSTART:\d{8}T\d{6}Z", answer.text)
        event["method"] = Calendar.from_ical(answer.text)["method"]
        return event

    def command(name: str, **body: Any) -> None:
        with servers[0].client(token) as patient:
            answer = patient.post(f"/api/v1/commands/{name}", json={"appointment_id": appointment_id} | body)
        assert answer.status_code == 200, answer.text

    first = entry()
    assert (first["sequence"], str(first["status"]), first["method"]) == (1, "CONFIRMED", "PUBLISH")
    assert str(first["url"]).endswith(f"/a/{token}")
    command("want-earlier", wants=True)
    command("reschedule", version=1, local_start=f"{monday()}T11:00")
    moved = entry()
    assert (moved["uid"], moved["sequence"]) == (first["uid"], 2)
    assert moved["dtstart"].dt - first["dtstart"].dt == timedelta(hours=1)
    command("cancel-appointment", version=2)
    ended = entry()
    assert (ended["uid"], ended["sequence"], str(ended["status"])) == (first["uid"], 3, "CANCELLED")
    assert ended["method"] == "CANCEL"


def test_providers_calendar_has_times_and_no_names(servers: tuple[Server, Server], seeded: Seed) -> None:
    visitor = Visitor(servers[0], seeded)
    token = visitor.booked()["token"]
    mine, colleague = seeded["provider_ids"]
    addresses = {}
    with servers[0].client(servers[0].sign_in(seeded, "manager")) as manager:
        for provider_id in (mine, colleague):
            made = manager.post(f"/api/v1/providers/{provider_id}/calendar-feeds")
            assert made.status_code == 201, made.text
            addresses[provider_id] = made.json()
        listed = manager.get(f"/api/v1/providers/{mine}/calendar-feeds").json()["data"]
        assert [each.keys() for each in listed] == [{"id", "made_by", "made_at"}], "the list has no address"
        with servers[1].client() as program:
            answer = program.get(addresses[mine]["address"])
            (event,) = Calendar.from_ical(answer.text).walk("VEVENT")
            assert str(event["summary"]) == "Appointment"
            assert f"{event.decoded('dtstart'):%Y-%m-%dT%H:%M}" == f"{monday()}T10:00"
            assert not TRACES.search(answer.text)
            assert token not in answer.text
            own = visitor.client.get(f"/api/v1/appointments/{token}/calendar.ics").text
            assert str(event["uid"]) not in own, "the two calendars cannot be joined"
            empty = Calendar.from_ical(program.get(addresses[colleague]["address"]).text)
            assert empty.walk("VEVENT") == []
            revoke = f"/api/v1/providers/{mine}/calendar-feeds/{addresses[mine]['id']}"
            wrong = f"/api/v1/providers/{colleague}/calendar-feeds/{addresses[mine]['id']}"
            refused(manager.delete(wrong), 404, "calendar_feed_not_found")
            assert manager.delete(revoke).status_code == 204
            refused(manager.delete(revoke), 404, "calendar_feed_not_found")
            refused(program.get(addresses[mine]["address"]), 404, "calendar_feed_not_found")


def test_calendar_of_a_removed_provider_is_refused(
    servers: tuple[Server, Server], seeded: Seed, change: Callable[..., Json]
) -> None:
    provider_id = change("add-provider", site_id=seeded["site_id"], name="Dr Locum")["events"][-1]["provider_id"]
    with servers[0].client(servers[0].sign_in(seeded, "manager")) as manager, servers[0].client() as program:
        address = manager.post(f"/api/v1/providers/{provider_id}/calendar-feeds").json()["address"]
        assert program.get(address).status_code == 200
        change("remove", site_id=seeded["site_id"], record_id=provider_id)
        refused(program.get(address), 404, "calendar_feed_not_found")
