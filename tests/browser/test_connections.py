"""The connections of all live pages in a real browser: many tabs, sleep, and proxies in the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, Open, sign_in_as
from tests.browser.test_display import KEPT, until
from tests.support.nginx import nginx
from tests.support.processes import wait_until
from tests.support.relay import Relay
from tests.support.screens import sse
from tests.support.server import Server

pytestmark = pytest.mark.long

SECONDS = 1000
PAGES = ("patient", "display", "reception", "room")
ANSWERED = ("the server responded with a status of", *AWAY)
# The clock goes on while the timers of the page stand still, as on a device that sleeps.
CLOCK = "window.sleptMs = 0; const { now } = Date; Date.now = () => now() + window.sleptMs;"
WAKE = """([target, type]) => {
  window.sleptMs += 600_000;
  (target === "window" ? window : document).dispatchEvent(new Event(type));
  return document.body.dataset.live;
}"""
WAKES = [
    ("window", "online"),
    ("window", "pageshow"),
    ("window", "focus"),
    ("document", "visibilitychange"),
    ("document", "resume"),
]

# The number of requests for addresses that match; a WebSocket is none.
REQUESTED = "text => performance.getEntriesByType('resource').filter(({ name }) => RegExp(text).test(name)).length"

OpenLive = Callable[..., Page]


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    relay = Relay(server.port)
    yield relay
    relay.close()


def path_of(name: str, seeded: Seed) -> str:
    """Return the address of a live page. Staff must be signed in."""
    display = seeded["displays"][0]
    return {
        "patient": f"/t/{seeded['tickets'][2]['token']}",
        "display": f"/display/{display['id']}?token={display['token']}",
    }.get(name, f"/{name}")


@pytest.fixture
def open_live(open_page: Open, seeded: Seed, server: Server) -> OpenLive:
    """Return a function that opens a live page by its name."""

    def open_live(name: str, at: str = server.url, script: str = "") -> Page:
        page = open_page(f"{at}/sign-in", allowed=ANSWERED, script=script)
        if name in ("reception", "room"):
            sign_in_as(page.request, seeded, "receptionist", at)
        if name == "room":
            choice = f"{seeded['site_id']}:{seeded['point_ids'][0]}"
            page.evaluate("choice => localStorage.setItem('room', choice)", choice)
        page.goto(at + path_of(name, seeded))
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        return page

    return open_live


def expect_live(page: Page) -> None:
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)


def test_twelve_live_tabs_of_one_browser_work(open_live: OpenLive, seeded: Seed) -> None:
    """Over HTTP/1.1 a browser has six connections for requests. The streams take none of them."""
    desk = open_live("reception")
    context = desk.context
    desk.evaluate("choice => localStorage.setItem('room', choice)", f"{seeded['site_id']}:{seeded['point_ids'][0]}")
    tabs = [desk]
    for number in range(11):
        tab = context.new_page()
        tab.goto(path_of(PAGES[number % len(PAGES)], seeded))
        expect_live(tab)
        tabs.append(tab)
    desk.select_option("[data-point-select]", str(seeded["point_ids"][0]))
    desk.locator("h1").click()
    desk.keyboard.press("n")
    expect(desk.locator("[data-message]")).to_have_text("A001 is called to Room 1.")
    for tab in tabs:
        expect(tab.locator("body")).to_have_attribute("data-live", "live")
        if "/display/" in tab.url:
            expect(tab.locator("[data-call]")).to_have_attribute("data-call", "A001")
        assert tab.evaluate(REQUESTED, "/live/(sites|points|displays|tickets)/") == 0


@pytest.mark.parametrize("name", PAGES)
def test_page_that_wakes_judges_its_view_by_its_age(open_live: OpenLive, name: str) -> None:
    """After ten minutes without timers, the view is stale before anybody sees it. Then the page is live again."""
    page = open_live(name, script=CLOCK)
    for target, kind in WAKES:
        assert page.evaluate(WAKE, [target, kind]) == "stale", kind
        expect_live(page)


@pytest.mark.parametrize(("name", "status"), [("patient", 404), ("display", 401), ("reception", 401), ("room", 403)])
def test_answer_of_a_proxy_ends_no_stream(open_live: OpenLive, relay: Relay, name: str, status: int) -> None:
    """A proxy answers itself while the server restarts. No page takes it for a refusal, and each comes back."""
    page = open_live(name, at=relay.url)
    address = page.url
    relay.answer_itself(status)
    wait_until(lambda: relay.answered >= 3, "the proxy's answers")  # the page has read the second, and asked again
    assert page.locator("body").get_attribute("data-live") in ("connecting", "stale")
    relay.bring_back()
    expect_live(page)
    assert page.url == address


def test_proxy_s_page_does_not_replace_the_ticket(open_live: OpenLive, relay: Relay, seeded: Seed) -> None:
    """A patient who reloads meanwhile sees the cached page, and the last state of the ticket."""
    page = open_live("patient", at=relay.url)
    until(page, KEPT, "/t")
    relay.answer_itself(404)
    page.reload()
    expect(page.locator("[data-ticket]")).to_have_text(seeded["tickets"][2]["label"])
    relay.bring_back()
    expect_live(page)


def test_command_that_a_proxy_answers_is_not_reported_as_refused(open_live: OpenLive, relay: Relay) -> None:
    page = open_live("patient", at=relay.url)
    relay.answer_itself(404)
    page.click("[data-late]")
    page.click("#late [data-minutes='15']")
    expect(page.locator("[data-told]")).to_have_text("That was not done: there is no connection. Please try again.")
    relay.bring_back()
    expect_live(page)


@pytest.mark.parametrize("upgrades", [True, False])
def test_pages_work_behind_nginx_with_and_without_websocket(
    open_live: OpenLive, server: Server, seeded: Seed, tmp_path: Path, upgrades: bool
) -> None:
    """Where a proxy blocks WebSocket, server-sent events take over, and the browser remembers it."""
    with nginx(tmp_path, [server.port], upgrades=upgrades) as proxy:
        page = open_live("display", at=proxy.url)
        assert page.evaluate("() => localStorage.getItem('websocket-blocked') === null") is upgrades
        with server.client(server.sign_in(seeded, "receptionist")) as floor:
            floor.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]})
        expect(page.locator("[data-call]")).to_have_attribute("data-call", "A001")
        assert (page.evaluate(REQUESTED, "/live/displays/") == 0) is upgrades
        page.close()


def test_display_acknowledges_over_websocket(open_live: OpenLive, server: Server, seeded: Seed) -> None:
    display = f"display:{seeded['displays'][0]['id']}"
    page = open_live("display")
    token = server.sign_in(seeded, "receptionist")
    with sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token) as desk:
        desk.wait(lambda each: re.fullmatch(r"[0-9a-f]{12}", each.cells.get(display, {}).get("version") or "") is not None)
    assert page.evaluate(REQUESTED, "/ack") == 0


# Notes every change in the page, and the elements that can have the focus.
WATCHED = """() => {
  window.changes = 0;
  const watched = { subtree: true, childList: true, characterData: true };
  new MutationObserver(() => (window.changes += 1)).observe(document.body, watched);
  const all = [...document.querySelectorAll("button, a[href], select, input, [tabindex]")];
  window.able = all.filter((each) => each.checkVisibility() && !each.disabled && each.closest("dialog") === null);
  return window.able.length;
}"""
FOCUS = "index => { window.changes = 0; window.able[index].focus(); return document.activeElement === window.able[index]; }"
KEPT_FOCUS = """index => {
  const { top, bottom } = window.able[index].getBoundingClientRect();
  return [document.activeElement === window.able[index], bottom > 0 && top < innerHeight];
}"""


PAINTED = "() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"


@pytest.mark.parametrize("name", ["patient", "reception", "room"])
def test_repaints_keep_the_focus_in_view(open_live: OpenLive, server: Server, seeded: Seed, name: str) -> None:
    """Each change of the queues draws the page again, while somebody is at one of its buttons or rows."""
    page = open_live(name)
    page.set_viewport_size({"width": 390, "height": 500})
    count = page.evaluate(WATCHED)
    assert count > 3
    with server.client(server.sign_in(seeded, "receptionist")) as floor:
        for index in range(0, count, max(1, count // 8)):
            if not page.evaluate(FOCUS, index):
                continue
            body = {"queue_id": seeded["queue_ids"][0], "priority": "urgent"}
            assert floor.post("/api/v1/commands/issue-ticket", json=body).status_code == 200
            page.wait_for_function("() => window.changes > 0")
            page.evaluate(PAINTED)
            assert page.evaluate(KEPT_FOCUS, index) == [True, True], index
