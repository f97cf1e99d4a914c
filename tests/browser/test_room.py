"""The console of a room in a real browser: all steps of a visit by one button, and by keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, Open, sign_in_as
from tests.browser.states import LANGUAGES
from tests.browser.test_display import KEPT, until
from tests.support.server import Server, serving

pytestmark = pytest.mark.long

REFUSED = ("409 (Conflict)",)

OpenRoom = Callable[..., Page]


@pytest.fixture
def open_room(open_page: Open, seeded: Seed) -> OpenRoom:
    """Return a function that signs in as a clinician, and opens the console of the seed's first room."""

    def open_room(*, width: int = 390, height: int = 844) -> Page:
        page = open_page("/", width=width, height=height, allowed=REFUSED)
        sign_in_as(page.request, seeded, "clinician")
        page.goto("/room")
        page.click(f'[data-choose="{seeded["point_ids"][0]}"]')
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        return page

    return open_room


def expect_message(room: Page, text: str) -> None:
    expect(room.locator("[data-message]")).to_have_text(text)


def test_one_button_leads_from_the_call_to_the_end(open_room: OpenRoom) -> None:
    room = open_room()
    primary, ticket = room.locator(".room-primary:visible"), room.locator(".room-ticket")
    expect(primary).to_contain_text("Call A001")
    expect(room.locator("[data-next]").first).to_have_attribute("data-next", "A001")
    expect(room.locator(".room-waiting")).to_have_text("6 waiting for this room")
    primary.click()
    expect_message(room, "A001 is called to Room 1.")
    expect(ticket).to_have_text("A001")
    expect(primary).to_contain_text("Start")
    primary.click()
    expect_message(room, "A001 has come to Room 1.")
    expect(primary).to_contain_text("Finish")
    primary.click()
    expect_message(room, "A001 is done.")
    expect(room.locator(".room-guest")).to_have_attribute("data-state", "free")
    expect(room.locator("[data-day]")).to_have_text("1 seen today")
    expect(primary).to_contain_text("Call B001")
    room.get_by_role("button", name="Undo").click()
    expect_message(room, "The last step of A001 is taken back.")
    expect(ticket).to_have_text("A001")
    expect(room.locator("[data-day]")).to_have_text("0 seen today")


LINES = """() => [...document.querySelectorAll(".room-row .button")].map(button => {
    const range = document.createRange();
    range.selectNodeContents(button.firstElementChild);
    return [button.textContent, range.getClientRects().length, button.scrollWidth <= button.clientWidth];
})"""


def test_actions_have_one_line_in_every_language(open_room: OpenRoom) -> None:
    room = open_room(width=1024, height=768)
    room.keyboard.press("n")
    expect(room.locator('[data-action="recall"]')).to_be_enabled()  # a page that is left sends no more
    for language in LANGUAGES:
        room.goto(f"/room?lang={language}")
        expect(room.locator('[data-action="recall"]')).to_be_enabled()
        found = room.evaluate(LINES)
        assert len(found) == 4
        assert [each for each in found if each[1:] != [1, True]] == [], language


def test_other_steps_have_keys(open_room: OpenRoom) -> None:
    """Recall, no-show, transfer and undo have keys. The browser remembers the room."""
    room = open_room(width=1280, height=800)
    press = room.keyboard.press
    press("n")
    expect_message(room, "A001 is called to Room 1.")
    press("r")
    expect_message(room, "A001 is called to Room 1 once more.")
    press("x")
    expect_message(room, "A001 did not come.")
    expect(room.locator("[data-day]")).to_have_text("0 seen today · 1 no-show")
    press("n")
    expect_message(room, "B001 is called to Room 1.")
    press("s")
    expect_message(room, "B001 has come to Room 1.")
    press("t")
    expect(room.locator("#transfer[open]")).to_be_visible()
    press("1")
    expect_message(room, "B001 now waits for Service A.")
    expect(room.locator("[data-day]")).to_have_text("1 seen today · 1 no-show")
    press("u")
    expect_message(room, "The last step of B001 is taken back.")
    expect(room.locator(".room-ticket")).to_have_text("B001")
    room.reload()
    expect(room.locator("[data-room]")).to_have_text("Room 1")
    expect(room.locator(".room-ticket")).to_have_text("B001")
    press("?")
    expect(room.locator("#keys[open] [data-change]")).to_have_count(8)


def test_room_on_a_break_refuses_a_late_call(open_room: OpenRoom, server: Server, seeded: Seed) -> None:
    room = open_room(width=1280, height=800)
    room.get_by_role("button", name="Take a break").click()
    expect_message(room, "Room 1 is on a break.")
    expect(room.locator(".room-state")).to_have_text("On a break")
    room.get_by_role("button", name="Open the room").click()
    expect_message(room, "Room 1 is open.")
    # Reception pauses the room before the console receives that change.
    token = server.sign_in(seeded, "receptionist")

    def pause_first(route: object) -> None:
        with server.client(token) as reception:
            answer = reception.post("/api/v1/commands/break-point", json={"point_id": seeded["point_ids"][0]})
            assert answer.status_code == 200
        route.continue_()  # type: ignore[attr-defined]

    room.route("**/api/v1/commands/call-next", pause_first)
    room.keyboard.press("n")
    expect_message(room, "Room 1 is on a break. Open it first.")


def test_needs_are_visible_before_the_call(open_room: OpenRoom, server: Server, seeded: Seed) -> None:
    with server.client(server.sign_in(seeded, "receptionist")) as reception:
        body = {
            "queue_id": seeded["queue_ids"][0],
            "priority": "emergency",
            "needs": ["interpreter"],
            "language": "fr",
            "name": "Ada Berg",
        }
        assert reception.post("/api/v1/commands/issue-ticket", json=body).status_code == 200
    room = open_room()
    first = room.locator("[data-next]").first
    for text in ("A004", "Ada Berg", "Emergency", "Interpreter", "French"):
        expect(first).to_contain_text(text)
    room.locator(".room-primary:visible").click()
    for text in ("Ada Berg", "Emergency", "Interpreter", "French"):
        expect(room.locator(".room-guest")).to_contain_text(text)


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (1024, 768)])
def test_console_fits_and_has_large_buttons(open_room: OpenRoom, width: int, height: int) -> None:
    room = open_room(width=width, height=height)
    room.locator(".room-primary:visible").click()
    expect(room.locator(".room-ticket")).to_have_text(re.compile("A001"))
    assert room.evaluate("() => document.documentElement.scrollWidth") <= width
    sizes = room.evaluate(
        """() => [...document.querySelectorAll('button')].filter(each => each.checkVisibility())
            .map(each => [each.textContent.trim(), each.getBoundingClientRect().height])"""
    )
    assert sizes
    assert [each for each in sizes if each[1] < 64] == []
    action = room.locator(".room-primary:visible").bounding_box()
    assert action is not None
    assert action["y"] + action["height"] <= height, "the main button is visible only after scrolling"


@pytest.mark.parametrize("lost", ["/api/v1/session", "/api/v1/sites/*"])
def test_choice_of_rooms_appears_when_the_server_answers(open_page: Open, seeded: Seed, lost: str) -> None:
    """A page opened during an outage recovers by itself, without a reload."""
    page = open_page("/", allowed=AWAY)
    sign_in_as(page.request, seeded, "clinician")
    page.route(f"**{lost}", lambda route: route.abort())
    page.goto("/room")
    expect(page.locator("[data-trouble]")).to_contain_text("cannot be reached")
    expect(page.locator("[data-no-rooms]")).to_be_hidden()
    page.unroute(f"**{lost}")
    expect(page.locator(f'[data-choose="{seeded["point_ids"][0]}"]')).to_be_visible()
    expect(page.locator("[data-trouble]")).to_have_text("")


def test_choice_of_rooms_keeps_the_focus_while_a_site_does_not_answer(open_page: Open, seeded: Seed) -> None:
    """The page asks the silent site again and again. The rooms of the other site stay as they are."""
    page = open_page("/", allowed=AWAY)
    sign_in_as(page.request, seeded, "clinician")
    session = page.request.get("/api/v1/session").json()
    silent = session["sites"][0] | {"id": 999_999, "name": "Annexe"}
    page.route("**/api/v1/session", lambda route: route.fulfill(json=session | {"sites": [silent, *session["sites"]]}))
    asked: list[str] = []

    def abort(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route("**/api/v1/sites/999999", abort)
    page.goto("/room")
    choice = page.locator(f'[data-choose="{seeded["point_ids"][1]}"]')
    choice.focus()
    choice.evaluate("each => { window.before = each; getSelection().selectAllChildren(each.firstChild); }")
    page.wait_for_function(
        "count => performance.getEntriesByName(location.origin + '/api/v1/sites/999999').length >= count", arg=3
    )
    assert len(asked) >= 3
    expect(page.locator("[data-trouble]")).to_contain_text("cannot be reached")
    assert page.evaluate("() => document.activeElement === window.before")
    assert page.evaluate("() => String(getSelection())") == "Room 2"


def test_reception_appears_when_the_server_answers(open_page: Open, seeded: Seed) -> None:
    page = open_page("/", allowed=AWAY)
    sign_in_as(page.request, seeded, "receptionist")
    page.route("**/api/v1/session", lambda route: route.abort())
    page.goto("/reception")
    expect(page.locator("[data-message]")).to_contain_text("cannot be reached")
    page.unroute("**/api/v1/session")
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    expect(page.locator("[data-message]")).to_have_text("")


@pytest.mark.parametrize(("path", "role"), [("/room", "clinician"), ("/reception", "receptionist")])
def test_last_view_survives_a_reload_without_the_server(
    env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path, path: str, role: str
) -> None:
    """The service worker caches the page, and the tab keeps the view. The cache contains no patient data."""
    with serving(env, tmp_path, name="own") as own:
        page = open_page(f"{own.url}/", allowed=AWAY)
        sign_in_as(page.request, seeded, role, own.url)
        page.goto(f"{own.url}{path}")
        if path == "/room":
            page.click(f'[data-choose="{seeded["point_ids"][0]}"]')
        expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=30_000)
        expect(page.get_by_text("A001").first).to_be_visible()
        until(page, KEPT, path)
    page.reload()
    expect(page.get_by_text("A001").first).to_be_visible(timeout=30_000)
    expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=60_000)
    expect(page.locator(".notice")).to_contain_text("Not live since")
    assert not page.evaluate("async name => (await (await caches.match(name)).text()).includes('A001')", path)
