"""The main job of each page in a real browser."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx
from playwright.sync_api import Page, Route, expect

from server.seeding import Seed
from tests.browser.conftest import Open
from tests.support.server import Server, serving

# Part of the browser's own console message before the sign-in.
UNAUTHORISED = ("401 (Unauthorized)",)
# The same, and the message for a refused command.
REFUSED = ("401 (Unauthorized)", "409 (Conflict)")
SECONDS = 1000


def sign_in(open_page: Open, seeded: Seed, role: str = "receptionist") -> Page:
    """Open the reception, sign in at the page that it redirects to, and return the reception."""
    page = open_page("/reception", width=1440, height=900, allowed=REFUSED)
    member = next(each for each in seeded["staff"] if each["role"] == role)
    page.wait_for_url("**/sign-in**")
    page.fill("[name=username]", member["username"])
    page.fill("[name=password]", member["password"])
    page.click("[type=submit]")
    page.wait_for_url("**/reception")
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def open_display(open_page: Open, seeded: Seed) -> Page:
    display = seeded["displays"][0]
    page = open_page(f"/display/{display['id']}?token={display['token']}", width=1920, height=1080)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def open_ticket(open_page: Open, seeded: Seed, index: int) -> Page:
    page = open_page(f"/t/{seeded['tickets'][index]['token']}", width=390, height=844)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def test_call_next_changes_the_display_and_the_ticket_page(open_page: Open, seeded: Seed, server: Server) -> None:
    """A step at reception changes the desk, the display and the tickets."""
    first, second = seeded["tickets"][0]["label"], seeded["tickets"][1]["label"]
    display = open_display(open_page, seeded)
    expect(display.locator(f'[data-queue="{seeded["queue_ids"][0]}"]')).to_contain_text(first)
    expect(display.locator("[data-call]")).to_have_count(0)
    patient = open_ticket(open_page, seeded, 0)
    expect(patient.locator("[data-state]").first).to_have_attribute("data-state", "waiting")
    other = open_ticket(open_page, seeded, 1)
    expect(other.locator("[data-ahead]")).to_contain_text("1")

    desk = sign_in(open_page, seeded)
    desk.select_option("[data-point-select]", str(seeded["point_ids"][0]))
    desk.keyboard.press("Escape")
    desk.click('[data-action="call-next"]')

    expect(display.locator(f'[data-call="{first}"]')).to_contain_text("Room 1")
    expect(patient.locator("[data-state]").first).to_have_attribute("data-state", "called")
    expect(patient.locator("[data-point]")).to_contain_text("Room 1")
    expect(desk.locator(f'[data-label="{first}"]')).to_have_attribute("data-state", "called")
    expect(other.locator("[data-ahead]")).not_to_contain_text("1")
    expect(display.locator(f'[data-call="{second}"]')).to_have_count(0)

    desk.click('[data-action="start"]')
    expect(display.locator("[data-call]")).to_have_count(0)
    expect(patient.locator("[data-state]").first).to_have_attribute("data-state", "serving")
    desk.click('[data-action="complete"]')
    expect(desk.locator(f'[data-label="{first}"]')).to_have_count(0)
    expect(patient.locator("[data-state]").first).to_have_attribute("data-state", "completed")


def test_reception_works_by_keyboard_alone(open_page: Open, seeded: Seed) -> None:
    """Next, recall, start, complete and no-show have keys. A ticket is issued without the mouse."""
    desk = sign_in(open_page, seeded)
    desk.select_option("[data-point-select]", str(seeded["point_ids"][1]))
    desk.locator("h1").first.click()
    desk.keyboard.press("n")
    called = desk.locator('[data-entry][data-state="called"]')
    expect(called).to_have_count(1)
    label = called.get_attribute("data-label")
    desk.keyboard.press("r")
    desk.keyboard.press("s")
    expect(desk.locator(f'[data-label="{label}"]')).to_have_attribute("data-state", "serving")
    desk.keyboard.press("c")
    expect(desk.locator(f'[data-label="{label}"]')).to_have_count(0)
    desk.keyboard.press("n")
    expect(called).to_have_count(1)
    absent = called.get_attribute("data-label")
    desk.keyboard.press("x")
    expect(desk.locator(f'[data-label="{absent}"]')).to_have_attribute("data-state", "no_show")
    desk.keyboard.press("i")
    expect(desk.locator("dialog[open]")).to_be_visible()
    desk.locator("dialog[open] [name=name]").fill("Nils Holm")
    desk.keyboard.press("Enter")
    issued = desk.locator("[data-issued]")
    expect(issued).to_contain_text(re.compile(r"[AB]\d{3}"))
    label = re.findall(r"[AB]\d{3}", issued.inner_text())[0]
    expect(desk.locator(f'[data-label="{label}"]')).to_contain_text("Nils Holm")


def test_concurrent_calls_to_a_room_call_one_patient(open_page: Open, seeded: Seed) -> None:
    """Two receptionists press "next" for the same room. One patient is called, and both desks show the call."""
    desks = [sign_in(open_page, seeded) for _ in range(2)]
    for desk in desks:
        desk.select_option("[data-point-select]", str(seeded["point_ids"][0]))
        # The button is disabled when the other desk's call arrives, so both clicks come first.
    for desk in desks:
        desk.evaluate("() => document.querySelector('[data-action=\"call-next\"]').click()")
    for desk in desks:
        expect(desk.locator('[data-entry][data-state="called"]')).to_have_count(1)
    labels = {desk.locator('[data-entry][data-state="called"]').get_attribute("data-label") for desk in desks}
    assert labels == {seeded["tickets"][0]["label"]}


def test_refused_command_shows_a_message(open_page: Open, seeded: Seed, server: Server) -> None:
    """A refused call shows a text, and no entry changes."""
    desk = sign_in(open_page, seeded)
    desk.select_option("[data-point-select]", str(seeded["point_ids"][0]))
    desk.route(
        "**/api/v1/commands/call-next",
        lambda route: route.fulfill(
            status=409,
            json={"error": {"code": "point_busy", "message": "Room 1 still has A001.", "details": {}, "request_id": "x"}},
        ),
    )
    desk.click('[data-action="call-next"]')
    expect(desk.locator("[data-message]").first).not_to_be_empty()
    expect(desk.locator('[data-entry][data-state="called"]')).to_have_count(0)


def test_wrong_password_shows_an_error(open_page: Open, server: Server) -> None:
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    page.fill("[name=username]", "nobody")
    page.fill("[name=password]", "nothing")
    page.click("[type=submit]")
    expect(page.get_by_text(re.compile("wrong|not right|incorrect", re.IGNORECASE)).first).to_be_visible()
    assert "/sign-in" in page.url


def test_sign_in_form_waits_until_the_page_is_ready(open_page: Open, server: Server) -> None:
    """While the texts load, the form sends nothing. Afterwards it still contains the typed values."""
    page = open_page("/", allowed=UNAUTHORISED)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/locales/*.json", hold)
    page.goto(f"{server.url}/sign-in")
    page.fill("[name=username]", "nobody")
    page.fill("[name=password]", "nothing")
    page.press("[name=password]", "Enter")
    expect(page.locator("[type=submit]")).to_be_disabled()
    assert held, "the page did not request its texts"
    for each in held:
        each.continue_()
    page.click("[type=submit]")
    expect(page.get_by_text(re.compile("wrong|not right|incorrect", re.IGNORECASE)).first).to_be_visible()


def test_display_recovers_from_a_frozen_server(env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path) -> None:
    """While the server is frozen, the display is stale and shows the time. Then it is live again."""
    with serving(env, tmp_path, name="restarted") as other:
        display = seeded["displays"][0]
        page = open_page(f"{other.url}/display/{display['id']}?token={display['token']}")
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        other.process.send_signal(signal.SIGSTOP)
        try:
            expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=60 * SECONDS)
            expect(page.get_by_text(re.compile("not live since", re.IGNORECASE)).first).to_be_visible()
        finally:
            other.process.send_signal(signal.SIGCONT)
        expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=30 * SECONDS)
        page.close()  # before its server stops: the page would report to a closed port


def test_ticket_is_legible_from_eight_metres(open_page: Open, seeded: Seed, server: Server) -> None:
    """The newest call's capitals have at least 7.5 % of the screen's height."""
    display = open_display(open_page, seeded)
    token = server.sign_in(seeded, "receptionist")
    with server.client(token) as client:
        called = client.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()
    call = display.locator(f'[data-call="{called["entry"]["label"]}"]')
    expect(call).to_be_visible()
    size = call.evaluate(
        """element => Math.max(...[element, ...element.querySelectorAll('*')]
            .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
            .map(each => parseFloat(getComputedStyle(each).fontSize)))"""
    )
    assert size * 0.727 >= 0.075 * 1080, "Inter's capitals have 0.727 of the font size"


def test_unknown_ticket_and_unknown_page_are_refused(open_page: Open, server: Server) -> None:
    page = open_page("/t/1-nonsense", allowed=("404",))
    expect(page.locator("body")).to_have_attribute("data-live", "refused", timeout=60 * SECONDS)
    for path in ("/nowhere", "/display/x"):
        answer = httpx.get(f"{server.url}{path}", headers={"Accept": "text/html,*/*"})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
    assert httpx.get(f"{server.url}/nowhere").json()["error"]["code"] == "not_found"


def test_index_links_to_the_screens(open_page: Open, seeded: Seed) -> None:
    page = open_page("/")
    expect(page.locator("a[href*='reception'], a[href*='sign-in']").first).to_be_visible()


def test_security_headers_of_pages_and_files(server: Server) -> None:
    answer = httpx.get(f"{server.url}/")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'; script-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    for path, content in (
        ("js/shared/dom.js", False),
        ("css/base.css", False),
        ("locales/en.json", False),
        ("icon.svg", True),
    ):
        file = httpx.get(f"{server.url}/static/{path}")
        assert file.headers["x-content-type-options"] == "nosniff"
        # An SVG opened as a document could run scripts. On all other files the header would only cost bytes.
        assert ("content-security-policy" in file.headers) == content, path
