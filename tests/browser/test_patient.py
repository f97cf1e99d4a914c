"""The patient's page in a real browser: its states, its actions, and its notice without the network."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, HEARTBEAT, Open, launched
from tests.support.relay import Relay
from tests.support.server import Server

SECONDS = 1000
EARS = """
window.rings = 0;
const { start } = AudioScheduledSourceNode.prototype;
AudioScheduledSourceNode.prototype.start = function (...when) {
  if (this.frequency?.value > 600) window.rings += 1;
  return start.apply(this, when);
};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The whole browser: the headless shell shows no notifications."""
    with launched("chromium") as browser:
        yield browser


@pytest.fixture
def floor(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        yield client


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """Yield the network between a phone and the server."""
    relay = Relay(server.port)
    yield relay
    relay.close()


def do(client: httpx.Client, name: str, **body: Any) -> Any:
    answer = client.post(f"/api/v1/commands/{name}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def open_ticket(open_page: Open, token: str, *, at: str = "", query: str = "", **options: Any) -> Page:
    size = {"width": 390, "height": 844} | options
    page = open_page(f"{at}/t/{token}{query}", allowed=AWAY, script=EARS, **size)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def expect_state(page: Page, expected: str) -> None:
    expect(page.locator(".ticket")).to_have_attribute("data-state", expected)


def until(page: Page, holds: str, argument: Any = None, seconds: float = 60) -> None:
    """Wait until a function, which may be asynchronous, returns true in the page."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with suppress(Error):
            if page.evaluate(holds, argument):
                return
        page.wait_for_timeout(100)
    raise AssertionError(f"{holds} never held")


def test_ahead_falls_until_the_call(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """The page shows label, ahead, range and progress. A call shows an alarm, which ends when the patient confirms it."""
    tickets = seeded["tickets"]
    page = open_ticket(open_page, tickets[2]["token"])
    page.context.grant_permissions(["notifications"])
    expect(page.locator("[data-ticket]")).to_have_text(tickets[2]["label"])
    expect(page.locator("[data-ahead]")).to_have_attribute("data-ahead", "2")
    expect(page.locator("[data-expected]")).to_have_text(re.compile(r"between \d\d:\d\d and \d\d:\d\d"))
    expect(page.locator(".progress-dot")).to_have_count(3)
    expect(page.locator("[data-progress]")).to_have_attribute("aria-label", re.compile("^0 of 2"))
    page.click("[data-alerts]")
    expect(page.locator("[data-alerts]")).to_have_attribute("aria-pressed", "true")
    until(page, "async () => (await navigator.serviceWorker.getRegistration())?.active !== undefined")
    for ahead, point_id in ((1, seeded["point_ids"][0]), (0, seeded["point_ids"][0])):
        called = do(floor, "call-next", point_id=point_id)["entry"]
        expect(page.locator("[data-ahead]")).to_have_attribute("data-ahead", str(ahead))
        do(floor, "start", entry_id=called["id"])
        do(floor, "complete", entry_id=called["id"])
    expect(page.locator(".progress-dot.is-past")).to_have_count(2)
    expect(page.locator(".ticket-headline")).to_have_text("You are next")
    rings = page.evaluate("() => rings")
    mine = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    expect_state(page, "called")
    expect(page.locator(".ticket-headline")).to_contain_text("Room 1")
    until(page, "before => rings > before", rings)
    until(page, "() => document.title.includes('Room 1')")
    until(page, NOTIFIED)
    colours = page.evaluate("() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert colours == ["rgb(27, 75, 176)", "rgb(255, 255, 255)"]
    page.click("[data-coming]")
    expect(page.locator("[data-coming]")).to_be_hidden()
    until(page, f"async () => !(await ({NOTIFIED})())")
    do(floor, "recall", entry_id=mine["id"])
    expect(page.locator("[data-coming]")).to_be_visible()
    do(floor, "start", entry_id=mine["id"])
    expect_state(page, "serving")
    expect(page.locator("[data-coming]")).to_be_hidden()
    do(floor, "complete", entry_id=mine["id"])
    expect_state(page, "completed")


def test_page_says_that_nobody_serves_the_queue(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """The first patient in the line is not "next" while no open point may call them."""
    page = open_ticket(open_page, seeded["tickets"][0]["token"])
    expect(page.locator(".ticket-headline")).to_have_text("You are next")
    for point_id in seeded["point_ids"]:
        do(floor, "close-point", point_id=point_id)
    expect(page.locator(".ticket-headline")).to_have_text("Nobody is serving this queue yet")
    do(floor, "open-point", point_id=seeded["point_ids"][0])
    expect(page.locator(".ticket-headline")).to_have_text("You are next")


NOTIFIED = """async () => {
  const worker = await navigator.serviceWorker.getRegistration();
  return (await worker.getNotifications()).some(({ title }) => title.includes("Room 1"));
}"""


def test_patient_can_be_late_return_and_leave(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """Each action has a button. Leaving needs a confirmation, and ends all actions."""
    page = open_ticket(open_page, seeded["tickets"][0]["token"])
    page.click("[data-late]")
    expect(page.locator("#late")).to_be_visible()
    page.click("#late [data-minutes='15']")
    expect(page.locator(".ticket-headline")).to_have_text(re.compile(r"Away until \d\d:\d\d: your place is kept"))
    expect(page.locator("[data-told]")).to_have_text(re.compile(r"Thank you"))
    called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    assert called["label"] != seeded["tickets"][0]["label"], "a late patient was called"
    page.click("[data-here]")
    expect(page.locator("[data-here]")).to_be_hidden()
    expect(page.locator("[data-told]")).to_contain_text("Welcome back")
    page.click("[data-leave]")
    page.click("#leave [data-close]")
    expect_state(page, "waiting")
    page.click("[data-leave]")
    page.keyboard.press("Escape")
    expect(page.locator("#leave")).to_be_hidden()
    expect(page.locator("[data-leave]")).to_be_focused()
    page.click("[data-leave]")
    page.click("[data-leave-now]")
    expect_state(page, "left")
    expect(page.locator(".ticket-actions .button:visible")).to_have_count(0)


def test_called_patient_can_ask_for_minutes_or_leave(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """The call is withdrawn, the room is free and says why. The patient comes back earlier, is called again, and leaves."""
    point_id = seeded["point_ids"][0]
    page = open_ticket(open_page, seeded["tickets"][0]["token"])
    mine = do(floor, "call-next", point_id=point_id)["entry"]
    label = mine["label"]
    assert label == seeded["tickets"][0]["label"]
    expect_state(page, "called")
    page.get_by_role("button", name="I need a few minutes").click()
    expect(page.locator("#late h2")).to_have_text("How many minutes do you need?")
    page.click("#late [data-minutes='5']")
    expect_state(page, "held")
    expect(page.locator(".ticket-headline")).to_have_text(re.compile(r"Away until \d\d:\d\d: your place is kept"))
    expect(page.locator(".ticket-advice")).to_contain_text("The time away is added to your wait")
    expect(page.locator("[data-coming]")).to_be_hidden()
    second = do(floor, "call-next", point_id=point_id)["entry"]
    assert second["label"] != label, "the room is free for the next patient"
    do(floor, "no-show", entry_id=second["id"])
    page.get_by_role("button", name="I am back").click()
    expect_state(page, "waiting")
    expect(page.locator("[data-told]")).to_have_text("Welcome back.")
    do(floor, "call", entry_id=mine["id"], point_id=point_id)
    expect_state(page, "called")
    page.get_by_role("button", name="Leave the queue").click()
    expect(page.locator("#leave")).to_be_visible()
    page.click("#leave [data-close]")
    expect_state(page, "called")
    page.click("[data-leave]")
    page.click("[data-leave-now]")
    expect_state(page, "left")
    assert do(floor, "call-next", point_id=point_id)["entry"]["label"] != label


def test_outdated_action_shows_a_message(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """The patient leaves at the moment when the service begins."""
    page = open_page(f"/t/{seeded['tickets'][0]['token']}", allowed=("409 (Conflict)", *AWAY), width=390, height=844)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    page.click("[data-leave]")
    called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    do(floor, "start", entry_id=called["id"])
    expect_state(page, "serving")
    page.click("[data-leave-now]")
    expect(page.locator("[data-told]")).to_have_text("That is not possible any more.")


def test_page_uses_the_visit_s_language_until_the_patient_chooses(
    open_page: Open, seeded: Seed, floor: httpx.Client
) -> None:
    token = do(floor, "issue-ticket", queue_id=seeded["queue_ids"][0], language="ar")["token"]
    page = open_ticket(open_page, token)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator(".ticket-yours")).to_have_text("رقمك")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    page.select_option(".language-choice", "fr")
    expect(page.locator(".ticket-yours")).to_have_text("Votre ticket")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.reload()
    expect(page.locator(".ticket-yours")).to_have_text("Votre ticket")
    page.goto(f"/t/{token}?lang=es")
    expect(page.locator(".ticket-yours")).to_have_text("Su número")


def test_page_survives_a_network_outage(open_page: Open, seeded: Seed, floor: httpx.Client, relay: Relay) -> None:
    """The page shows the time of its data, survives a reload and recovers by itself. No cache contains the token."""
    ticket = seeded["tickets"][2]
    page = open_ticket(open_page, ticket["token"], at=relay.url)
    until(page, "async () => (await caches.match('/t')) !== undefined && navigator.serviceWorker.controller !== null")
    relay.take_away()
    expect(page.locator(".notice")).to_have_text(re.compile(r"\d\d:\d\d"), timeout=HEARTBEAT * 30 * SECONDS)
    expect(page.locator(".notice")).to_contain_text("Your place is safe")
    page.click("[data-late]")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("[data-ticket]")).to_have_text(ticket["label"], timeout=30 * SECONDS)
    expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=30 * SECONDS)
    assert page.evaluate(STORED_WITH_TEXT, ticket["token"]) == []
    called = do(floor, "call", entry_id=entry_of(floor, seeded, ticket["label"]), point_id=seeded["point_ids"][0])["entry"]
    relay.bring_back()
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)
    assert called["label"] == ticket["label"]
    expect_state(page, "called")


STORED_WITH_TEXT = """async (text) => {
  const found = Object.entries(localStorage).filter((pair) => pair.join().includes(text)).map(([key]) => key);
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const body = await (await cache.match(request)).text();
      if (request.url.includes(text) || body.includes(text)) found.push(request.url);
    }
  }
  return found;
}"""


def entry_of(floor: httpx.Client, seeded: Seed, label: str) -> int:
    found = floor.get(f"/api/v1/sites/{seeded['site_id']}/entries", params={"label": label}).json()["data"]
    entry_id: int = found[0]["id"]
    return entry_id


def test_ticket_page_is_installable_and_prints_a_slip(open_page: Open, seeded: Seed, server: Server) -> None:
    token = seeded["tickets"][1]["token"]
    page = open_ticket(open_page, token)
    address = page.locator("link[rel=manifest]").get_attribute("href")
    answer = httpx.get(f"{server.url}{address}")
    assert answer.headers["cache-control"] == "no-store"
    manifest = answer.json()
    assert manifest["start_url"] == f"/t/{token}"
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        assert httpx.get(f"{server.url}{icon['src']}").status_code == 200
    assert httpx.get(f"{server.url}/t/nonsense/app.webmanifest").status_code == 404
    page.evaluate("() => { window.printed = 0; window.print = () => { window.printed += 1; } }")
    page.click("[data-print]")
    until(page, "() => printed === 1")
    page.emulate_media(media="print")
    expect(page.locator("[data-code]")).to_be_visible()
    assert page.locator("[data-code]").evaluate("each => each.complete && each.naturalWidth > 0")
    expect(page.locator("[data-printed]")).to_have_text(re.compile(r"\d\d:\d\d$"))
    expect(page.locator(".ticket-actions")).to_be_hidden()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar"])
def test_ticket_page_reflows_on_the_smallest_phone(open_page: Open, seeded: Seed, language: str) -> None:
    page = open_ticket(open_page, seeded["tickets"][3]["token"], query=f"?lang={language}", width=320, height=568)
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 320
    page.click("[data-late]")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 320
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


def test_theme_button_is_remembered(open_page: Open, seeded: Seed) -> None:
    """The chosen theme outlasts a reload and wins over the device's setting."""
    page = open_ticket(open_page, seeded["tickets"][1]["token"])
    light = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.click(".theme-button")
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert light != dark
    expect(page.locator(".theme-button")).to_have_attribute("aria-label", "Light")
    page.reload()
    expect(page.locator(".ticket")).to_be_visible()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == dark


def test_patient_tells_once_how_the_visit_was(open_page: Open, seeded: Seed, floor: httpx.Client, server: Server) -> None:
    with server.client(server.sign_in(seeded, "admin")) as admin:
        do(admin, "change-site", site_id=seeded["site_id"], feedback="on")
    issued = do(floor, "issue-ticket", queue_id=seeded["queue_ids"][0])
    page = open_ticket(open_page, issued["token"])
    do(floor, "call", entry_id=issued["entry"]["id"], point_id=seeded["point_ids"][0])
    do(floor, "start", entry_id=issued["entry"]["id"])
    expect_state(page, "serving")
    expect(page.locator(".feedback")).to_have_count(0)
    do(floor, "complete", entry_id=issued["entry"]["id"])
    form = page.locator(".feedback form")
    form.locator("[type=submit]").click()
    expect(form.locator("[role=alert]")).to_have_text("Please choose an answer.")
    form.locator("label", has_text="Very good").click()
    form.locator("textarea").fill("Short wait,\nfriendly people ")
    form.locator("[type=submit]").click()
    expect(page.locator(".feedback")).to_have_text("Thank you for your answer.")
    address = f"{server.url}/api/v1/tickets/{issued['token']}/feedback"
    assert httpx.get(address).json() == {"wanted": False}
    page.reload()
    expect_state(page, "completed")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".feedback")).to_have_count(0)


NEWS = """() => {
  window.news = [];
  const place = document.querySelector(".ticket-news");
  const seen = () => window.news.push(place.innerText.trim());
  new MutationObserver(seen).observe(place, { childList: true, characterData: true, subtree: true });
}"""


def test_page_says_once_why_the_wait_became_longer(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """The sentence comes with a tick of the clock, names nobody, and does not come again: a screen reader hears it once."""
    page = open_ticket(open_page, seeded["tickets"][5]["token"])
    expect(page.locator("[data-moved]")).to_be_hidden()
    page.evaluate(NEWS)
    queue = seeded["queue_ids"][0]
    for _ in range(4):
        do(floor, "issue-ticket", queue_id=queue, priority="emergency", second_ticket=True)
    expect(page.locator("[data-moved]")).to_have_text("An emergency goes first.", timeout=90 * SECONDS)
    expect(page.locator(".ticket-news")).to_have_attribute("role", "status")
    page.wait_for_timeout(16 * SECONDS)  # the page paints every quarter of a minute, as time passes
    assert page.evaluate("() => window.news") == ["An emergency goes first."]
