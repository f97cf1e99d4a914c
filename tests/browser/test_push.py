"""Messages to a phone in a real browser: the page subscribes, the server sends, the service worker shows and opens."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, HEARTBEAT, Open, launched
from tests.support.appointments import Day
from tests.support.certificate import certificate
from tests.support.processes import wait_until
from tests.support.providers import PushService, serving
from tests.support.server import Server, environment

# The push services of browsers are on the internet: this one stands for them. The keys are those of the service.
SUBSCRIBING = """
(() => {
  const json = %s;
  let now = JSON.parse(localStorage.getItem("subscribed by the browser") ?? "null");
  const made = () => ({...json, options: {applicationServerKey: null}, toJSON: () => json, unsubscribe: async () => true});
  PushManager.prototype.getSubscription = async () => now && made();
  PushManager.prototype.subscribe = async function (options) {
    window.asked = options;
    now = json;
    localStorage.setItem("subscribed by the browser", JSON.stringify(json));
    return made();
  };
})();
"""
NO_PUSH = """
delete window.PushManager;
navigator.standalone = false;
"""
SHOWN = """async () => {
  const worker = await navigator.serviceWorker.getRegistration();
  return (await worker.getNotifications()).map(({ title, body, tag, data, lang }) => ({ title, body, tag, data, lang }));
}"""
# A real touch may open a window. The test only notes which.
TOUCH = """async () => {
  const [notification] = await registration.getNotifications();
  return new Promise((resolve) => {
    self.clients.openWindow = async (address) => resolve(address);
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  });
}"""
ACTIVE = "async () => { await navigator.serviceWorker.ready; }"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The whole browser: the headless shell shows no notifications."""
    with launched("chromium") as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("push")


@pytest.fixture(scope="module")
def files(folder: Path) -> tuple[Path, Path]:
    return certificate(folder)


@pytest.fixture(scope="module")
def service(files: tuple[Path, Path]) -> Iterator[PushService]:
    """Yield a push service with a phone, in a thread of its own. It ends after the server, which keeps connections."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*files)
    service, ready, loop = PushService(), threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    async def run() -> None:
        async with serving(service.http, tls):
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(60)
    yield service
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def env(folder: Path, files: tuple[Path, Path], service: PushService) -> dict[str, str]:
    more = {"NOWSERVING_HEARTBEAT_SECONDS": str(HEARTBEAT), "NOWSERVING_PUSH_SERVICES": "127.0.0.1"}
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", **more, SSL_CERT_FILE=str(files[0]))


@pytest.fixture
def phone(service: PushService) -> PushService:
    service.accepted.clear()
    return service


def offer(server: Server, seeded: Seed) -> None:
    """Let the clinic send messages to phones."""
    with server.client(server.sign_in(seeded, "admin")) as admin:
        ways = {"site_id": seeded["site_id"], "message_ways": ["push"], "quiet_from": 0, "quiet_until": 0}
        assert admin.post("/api/v1/commands/change-site", json=ways).status_code == 200
        assert admin.put("/api/v1/channels/push/push", json={"contact": "it@clinic.example"}).status_code == 200


def call(server: Server, seeded: Seed) -> None:
    with server.client(server.sign_in(seeded, "receptionist")) as desk:
        answer = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]})
    assert answer.status_code == 200, answer.text


def open_on_phone(open_page: Open, path: str, phone: PushService, *, more: str = "") -> Page:
    script = SUBSCRIBING % phone.subscription() + more
    page = open_page(path, allowed=AWAY, width=390, height=844, script=script)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


class Worker:
    """The service worker of a page, to which the test delivers messages as a push service does."""

    def __init__(self, page: Page) -> None:
        self._origin = "/".join(page.url.split("/")[:3])
        self._session = page.context.new_cdp_session(page)
        self._registrations: list[str] = []
        self._session.on("ServiceWorker.workerRegistrationUpdated", self._note)
        self._session.send("ServiceWorker.enable")
        page.evaluate(ACTIVE)

    def _note(self, found: dict[str, Any]) -> None:
        self._registrations += [each["registrationId"] for each in found["registrations"] if not each["isDeleted"]]

    def deliver(self, message: dict[str, Any]) -> None:
        about = {"origin": self._origin, "registrationId": self._registrations[-1], "data": json.dumps(message)}
        self._session.send("ServiceWorker.deliverPushMessage", about)


def shown(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(SHOWN)
    return found


def rung(page: Page, worker: Worker, message: dict[str, Any]) -> dict[str, Any]:
    """Deliver a message until its notification alone is shown; return this. A push service may deliver twice, too."""
    found: list[dict[str, Any]] = []
    for turn in range(600):
        if turn % 100 == 0:  # a busy browser may lose a message that comes from its debugger
            worker.deliver(message)
        found = shown(page)
        if [each["title"] for each in found] == [message["title"]]:
            return found[0]
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(found)} notifications: {found}")


def test_subscribed_phone_rings_while_the_page_is_closed(
    open_page: Open, server: Server, seeded: Seed, phone: PushService
) -> None:
    offer(server, seeded)
    ticket = seeded["tickets"][0]
    page = open_on_phone(open_page, f"/t/{ticket['token']}", phone)
    page.context.grant_permissions(["notifications"])
    button = page.locator("[data-alerts]")
    expect(button).to_have_text("Ring this phone when it is my turn")
    button.click()
    expect(button).to_have_text("This phone rings when it is your turn")
    expect(button).to_have_attribute("aria-pressed", "true")
    asked = page.evaluate("() => asked")
    assert asked["userVisibleOnly"] is True
    assert re.fullmatch("[A-Za-z0-9_-]{87}", asked["applicationServerKey"])
    page.reload()
    expect(button).to_have_text("This phone rings when it is your turn")
    page.goto(f"/t/{seeded['tickets'][1]['token']}")  # the ticket of somebody else
    call(server, seeded)
    wait_until(lambda: "called" in [each["kind"] for each in phone.accepted], "the message")
    worker = Worker(page)
    notification = rung(page, worker, phone.accepted[-1])
    assert ticket["label"] in notification["body"]
    assert notification["tag"] == "turn"
    assert notification["data"] == {"path": f"/t/{ticket['token']}"}
    opened = page.context.service_workers[0].evaluate(TOUCH)
    assert opened == f"/t/{ticket['token']}"
    assert shown(page) == []
    rung(page, worker, phone.accepted[-1])
    rung(page, worker, phone.accepted[-1] | {"title": "Again"})  # a later message replaces the former


def test_page_in_sight_shows_no_second_notification(
    open_page: Open, server: Server, seeded: Seed, phone: PushService
) -> None:
    offer(server, seeded)
    ticket = seeded["tickets"][0]
    page = open_on_phone(open_page, f"/t/{ticket['token']}", phone)
    page.context.grant_permissions(["notifications"])
    worker = Worker(page)
    message = {"title": "Nearly", "body": "2", "url": f"https://clinic.example/t/{ticket['token']}", "language": "en"}
    message |= {"tag": "x", "kind": "almost-your-turn"}
    worker.deliver(message)
    page.wait_for_timeout(1500)
    assert shown(page) == []
    notification = rung(page, worker, message | {"url": "https://clinic.example/t/1-another", "kind": "reminder"})
    assert notification["tag"] == "x"


def test_phone_is_taken_off_again(open_page: Open, server: Server, seeded: Seed, phone: PushService) -> None:
    offer(server, seeded)
    token = seeded["tickets"][1]["token"]
    page = open_on_phone(open_page, f"/t/{token}", phone)
    page.context.grant_permissions(["notifications"])
    button = page.locator("[data-alerts]")
    expect(button).to_have_text("Ring this phone when it is my turn")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_text("Ring this phone when it is my turn")
    expect(button).to_have_attribute("aria-pressed", "false")
    with server.client() as client:
        assert client.get(f"/api/v1/tickets/{token}/push").json()["subscribed"] is False


def test_phone_of_an_appointment_gets_its_messages(open_page: Open, server: Server, day: Day, phone: PushService) -> None:
    offer(server, day.seeded)
    about = {"site_id": day.seeded["site_id"], "service_id": day.seeded["service_ids"][0], "name": "Nora Canary"}
    about |= {"provider_id": day.seeded["provider_ids"][0], "local_start": day.local(90), "anyway": True}
    with server.client(server.sign_in(day.seeded, "receptionist")) as desk:
        token = desk.post("/api/v1/commands/book", json=about).json()["token"]
    page = open_on_phone(open_page, f"/a/{token}", phone)
    page.context.grant_permissions(["notifications"])
    button = page.locator("[data-alerts]")
    expect(button).to_have_text("Send messages to this phone")
    button.click()
    expect(button).to_have_text("This phone gets reminders and changes")
    answer = page.request.get(page.locator("link[rel=manifest]").get_attribute("href") or "")
    assert answer.json()["start_url"] == f"/a/{token}"


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (NO_PUSH, "Add to Home Screen"),
        ("Object.defineProperty(Notification, 'permission', {get: () => 'denied'});", "Allow notifications in its settings"),
        ("PushManager.prototype.subscribe = async () => { throw new Error('away'); };", "could not be registered"),
    ],
    ids=["iphone", "denied", "failed"],
)
def test_page_says_why_the_phone_cannot_ring(
    open_page: Open, server: Server, seeded: Seed, phone: PushService, script: str, text: str
) -> None:
    offer(server, seeded)
    page = open_on_phone(open_page, f"/t/{seeded['tickets'][1]['token']}", phone, more=script)
    page.context.grant_permissions(["notifications"])
    if "could not" in text:
        expect(page.locator("[data-alerts]")).to_have_text("Ring this phone when it is my turn")
        page.click("[data-alerts]")
    expect(page.locator("[data-alerts-hint]")).to_contain_text(text)
    expect(page.locator("[data-alerts]")).to_be_visible()


def test_clinic_without_messages_to_phones_offers_the_sound(open_page: Open, seeded: Seed, phone: PushService) -> None:
    page = open_on_phone(open_page, f"/t/{seeded['tickets'][1]['token']}", phone)
    expect(page.locator("[data-alerts]")).to_have_text("Tell me aloud when it is my turn")
    expect(page.locator("[data-alerts-hint]")).to_be_hidden()
