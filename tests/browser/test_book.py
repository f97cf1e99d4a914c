"""Booking an appointment, and the page of the appointment: from the service to the ticket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, Open
from tests.support.appointments import Day, appointments_today
from tests.support.server import Server, seed

PHONE = {"width": 390, "height": 844}
SMALL = {"width": 320, "height": 640}
# Less than a minute of a hold is left, so that the page asks for more, and the request is not yet given up.
A_MINUTE_LEFT = 9 * 60_000 + 5_000
CONFLICT = ("409 (Conflict)", "404 (Not Found)")  # a time that is gone, and a hold that is no appointment
APPOINTMENT = re.compile(r"/a/a[0-9]+-[A-Za-z0-9_-]{22}$")


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """Return a new site, on whose page patients book."""
    seeded = seed(env, points=2, tickets=0, displays=0, providers=2)
    with server.client(server.sign_in(seeded, "admin")) as admin:
        answer = admin.post("/api/v1/commands/change-site", json={"site_id": seeded["site_id"], "booking": "on"})
        assert answer.status_code == 200, answer.text
    return seeded


@pytest.fixture
def staff(server: Server, seeded: Seed) -> Iterator[Callable[..., Any]]:
    """Return a function that sends a command as reception."""
    with server.client(server.sign_in(seeded, "receptionist")) as client:

        def do(command: str, /, **body: Any) -> Any:
            answer = client.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield do


def choose(page: Page, time: int = 3) -> str:
    """Choose the first service and a time; return the time."""
    page.locator(".book-service").first.click()
    label = page.locator(".free-time").nth(time)
    shown = label.inner_text()
    label.click()
    expect(page.locator("[data-go]")).to_have_text(f"Continue with {shown}")
    page.click("[data-go]")
    return shown


def fill(page: Page) -> None:
    expect(page.locator("[data-kept]")).to_have_text(re.compile("We keep this time for you for (10|9) more minutes"))
    page.fill("#name", "Ada Lovelace")
    page.fill("#phone", "+49 30 901820")


def hold_token(page: Page) -> str:
    """Return the token of the hold that the tab remembers."""
    found: str = page.evaluate("JSON.parse(Object.values(sessionStorage)[0]).hold.token")
    return found


def release(server: Server, seeded: Seed, page: Page) -> None:
    """End the hold of a page behind its back, as if ten minutes were over."""
    body = {"hold_token": hold_token(page)}
    answer = httpx.post(f"{server.url}/api/v1/sites/{seeded['site_id']}/booking/release", json=body)
    assert answer.status_code == 204, answer.text


def test_visitor_books_and_the_page_of_the_appointment_follows(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/book/{seeded['site_id']}", **PHONE)
    expect(page.locator(".book-service")).to_have_count(2)
    time = choose(page)
    expect(page.locator("[data-title]")).to_be_focused()
    fill(page)
    page.locator("[data-take]").dblclick()
    page.wait_for_url(re.compile("/a/"))
    expect(page.locator("[data-headline]")).to_have_text("Your appointment is booked")
    expect(page.locator(".appointment [data-time]")).to_have_text(time)
    assert APPOINTMENT.search(page.url), "the address is only the key"
    assert page.evaluate("sessionStorage.length") == 0, "nothing of what was typed stays"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.reload()
    expect(page.locator("[data-headline]")).to_have_text("Your appointment")


def test_empty_fields_say_what_is_missing(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/book/{seeded['site_id']}", **SMALL)
    choose(page)
    page.click("[data-take]")
    expect(page.locator("#name-error")).to_have_text("Enter the patient\u2019s name.")
    expect(page.locator("#phone-error")).to_have_text("Enter a phone number or an e-mail address.")
    expect(page.locator("#name")).to_be_focused()
    page.fill("#name", "Ada")
    page.fill("#email", "nowhere")
    page.click("[data-take]")
    expect(page.locator("#email-error")).to_contain_text("ada@example.org")
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]


def test_two_visitors_race_for_one_time(open_page: Open, seeded: Seed) -> None:
    pages = [open_page(f"/book/{seeded['site_id']}", **PHONE, allowed=CONFLICT) for _ in range(2)]
    for page in pages:
        page.locator(".book-service").first.click()
        page.locator("[data-provider]").select_option(index=1)
        expect(page.locator(".free-times")).not_to_have_attribute("aria-busy", "true")
        page.locator(".free-time").nth(3).click()
    first, second = pages
    first.click("[data-go]")
    expect(first.locator("[data-about-form]")).to_be_visible()
    second.click("[data-go]")
    expect(second.locator("[data-warning]")).to_have_text(re.compile(r"Somebody else has just taken \d\d:\d\d"))
    fill(first)
    first.click("[data-take]")
    first.wait_for_url(re.compile("/a/"))
    expect(second.locator(".free-time").first).to_be_visible()


def test_hold_that_lapses_while_typing_loses_nothing(open_page: Open, server: Server, seeded: Seed) -> None:
    page = open_page(f"/book/{seeded['site_id']}", **PHONE, allowed=CONFLICT)
    choose(page)
    fill(page)
    release(server, seeded, page)
    page.click("[data-take]")  # the time is still free: it is kept and booked
    page.wait_for_url(re.compile("/a/"))


def test_time_that_somebody_took_meanwhile_leads_to_the_other_times(open_page: Open, server: Server, seeded: Seed) -> None:
    """The visitor may choose another time before the list is fresh."""
    page = open_page(f"/book/{seeded['site_id']}", **PHONE, allowed=CONFLICT)
    time = choose(page)
    fill(page)
    slot = page.evaluate("JSON.parse(Object.values(sessionStorage)[0]).slot")
    release(server, seeded, page)
    body = {"service_id": seeded["service_ids"][0], "name": "Bo", "email": "bo@example.org"}
    body |= {key: slot[key] for key in ("provider_id", "local_start", "fold")}
    answer = httpx.post(f"{server.url}/api/v1/sites/{seeded['site_id']}/booking/book", json=body)
    assert answer.status_code == 200, answer.text
    answers: list[Route] = []
    page.route("**/slots?**", lambda route: answers.append(route))  # noqa: PLW0108 - Playwright marks the function
    page.click("[data-take]")
    expect(page.locator("[data-warning]")).to_contain_text(f"Somebody else has just taken {time}")
    while not answers:
        page.wait_for_timeout(10)
    page.locator(".free-time").nth(5).click()
    answers.pop().continue_()
    expect(page.locator(".free-times")).not_to_have_attribute("aria-busy", "true")
    page.click("[data-go]")
    expect(page.locator("#name")).to_have_value("Ada Lovelace")
    page.click("[data-take]")
    page.wait_for_url(re.compile("/a/"))


def test_hold_is_kept_longer_once_by_itself_and_then_says_that_it_is_over(open_page: Open, seeded: Seed) -> None:
    page = open_page("/docs", **PHONE, allowed=CONFLICT)
    page.clock.install()
    page.goto(f"/book/{seeded['site_id']}")
    choose(page)
    expect(page.locator("[data-kept]")).to_contain_text("minutes")
    with page.expect_response("**/booking/hold") as longer:
        page.clock.run_for(A_MINUTE_LEFT)
    assert longer.value.status == 200
    assert (longer.value.request.post_data_json or {})["hold_token"] == hold_token(page)
    expect(page.locator("[data-kept]")).to_have_text("We keep this time for you for 10 more minutes.")
    page.clock.run_for(10 * 60_000 + 5_000)
    expect(page.locator("[data-kept]")).to_have_text(re.compile("We no longer keep this time for you"))


def test_lost_answer_of_a_longer_hold_takes_no_time_away(open_page: Open, seeded: Seed) -> None:
    page = open_page("/docs", **PHONE, allowed=(*CONFLICT, *AWAY))
    page.clock.install()
    page.goto(f"/book/{seeded['site_id']}")
    choose(page)
    expect(page.locator("[data-kept]")).to_contain_text("minutes")
    lost: list[int] = []

    def lose(route: Route) -> None:
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/booking/hold", lose, times=1)
    page.clock.run_for(A_MINUTE_LEFT)
    expect(page.locator("[data-kept]")).to_have_text(re.compile("We keep this time for you for (10|9) more minutes"))
    assert lost == [200]


def test_reload_and_back_keep_the_state_of_the_tab(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/book/{seeded['site_id']}", **PHONE)
    time = choose(page)
    fill(page)
    held = hold_token(page)
    page.reload()
    expect(page.locator("#name")).to_have_value("Ada Lovelace")
    expect(page.locator("[data-kept]")).to_contain_text("We keep this time")
    assert hold_token(page) == held
    page.go_back()
    expect(page.locator("[data-time-form]")).to_be_visible()
    expect(page.locator("[data-go]")).to_have_text(f"Continue with {time}")
    page.go_back()
    expect(page.locator(".book-service").first).to_be_visible()
    page.go_forward()
    page.go_forward()
    expect(page.locator("#name")).to_have_value("Ada Lovelace")
    expect(page.locator("[data-kept]")).to_contain_text("We keep this time")
    page.click("[data-take]")
    page.wait_for_url(re.compile("/a/"))


def test_keyboard_alone_books(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/book/{seeded['site_id']}")
    page.locator(".book-service").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".free-time").first).to_be_visible()
    page.locator(".week-list :checked").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-go]")).to_contain_text("Continue with")
    page.keyboard.press("Enter")
    expect(page.locator("[data-kept]")).to_contain_text("We keep this time")
    page.locator("#name").focus()
    page.keyboard.type("Ada")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.type("ada@example.org")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/a/"))


def test_pages_are_arabic_from_right_to_left(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/book/{seeded['site_id']}?lang=ar", **PHONE)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator(".book-service").first.click()
    page.locator(".free-time").nth(2).click()
    page.click("[data-go]")
    expect(page.locator("[data-kept]")).to_contain_text("نحجز لك")
    page.fill("#name", "أمينة حداد")
    page.fill("#email", "amina@example.org")
    page.click("[data-take]")
    page.wait_for_url(re.compile("/a/.*lang=ar"))
    expect(page.locator("[data-headline]")).to_have_text("تم حجز موعدك")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_site_without_booking_names_the_next_step(open_page: Open) -> None:
    page = open_page("/book/4711", **PHONE, allowed=("404 (Not Found)",))
    expect(page.locator("[data-title]")).to_have_text("Please call the clinic")


# The page of the appointment


@pytest.fixture
def day(env: dict[str, str], server: Server) -> Day:
    """Return a site at about noon."""
    return appointments_today(env, starts=(), points=1, tickets=2, providers=2)


@pytest.fixture
def book(server: Server, day: Day) -> Iterator[Callable[..., Any]]:
    """Return a function that books an appointment so many minutes from now, as reception."""
    with server.client(server.sign_in(day.seeded, "receptionist")) as client:

        def book(minutes: int, **about: Any) -> Any:
            seeded = day.seeded
            body = {"site_id": seeded["site_id"], "service_id": seeded["service_ids"][0], "local_start": day.local(minutes)}
            answer = client.post("/api/v1/commands/book", json=body | {"name": "Ada Lovelace"} | about)
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield book


def test_check_in_on_the_page_shows_the_ticket(open_page: Open, book: Callable[..., Any]) -> None:
    page = open_page(f"/a/{book(30)['token']}", **PHONE)
    expect(page.locator("[data-arrival-text]")).to_have_text("You can check in here now.")
    page.click("[data-check-in]")
    expect(page.locator(".ticket-label")).to_be_visible()
    expect(page.locator(".ticket-headline")).to_contain_text("before you")
    expect(page.locator("[data-counts]")).to_have_text(re.compile(r"Your place counts from \d\d:\d\d"))
    # The appointment's own token also opens the ticket's actions.
    page.click("[data-late]")
    page.click("[data-minutes='5']")
    expect(page.locator("[data-here]")).to_be_visible()
    page.reload()
    expect(page.locator(".ticket-label")).to_be_visible()
    expect(page.locator(".appointment")).to_be_hidden()


def test_patient_moves_and_cancels_and_sees_a_change_of_the_clinic(
    open_page: Open, server: Server, day: Day, book: Callable[..., Any]
) -> None:
    made = book(300)
    page = open_page(f"/a/{made['token']}", **PHONE)
    expect(page.locator("[data-arrival-text]")).to_have_text(re.compile(r"From \d\d:\d\d you can check in here"))
    page.click("[data-move]")
    choice = page.locator("#move .free-time").last
    time = choice.inner_text()
    choice.click()
    page.click("[data-move-go]")
    expect(page.locator(".appointment [data-time]")).to_have_text(time)
    expect(page.locator("[data-appointment-told]")).to_have_text("Your appointment is moved.")
    page.check("[data-earlier]")
    expect(page.locator("[data-appointment-told]")).to_contain_text("We offer you earlier times")
    page.click("[data-cancel]")
    page.click("#cancel [data-close]")
    expect(page.locator("[data-headline]")).to_have_text("Your appointment")
    with server.client(server.sign_in(day.seeded, "receptionist")) as staff:
        body = {"appointment_id": made["appointment"]["id"], "version": 2}
        assert staff.post("/api/v1/commands/cancel-appointment", json=body).status_code == 200
    expect(page.locator("[data-headline]")).to_have_text("Your appointment is cancelled")
    expect(page.locator("[data-lead]")).to_contain_text("The clinic had to cancel it")
    expect(page.locator("[data-actions]")).to_be_hidden()


def test_patient_cancels(open_page: Open, book: Callable[..., Any]) -> None:
    page = open_page(f"/a/{book(300)['token']}", **PHONE)
    page.click("[data-cancel]")
    page.click("[data-cancel-now]")
    expect(page.locator("[data-headline]")).to_have_text("Your appointment is cancelled")
    expect(page.locator("[data-lead]")).to_contain_text("Thank you for telling us")


def test_page_without_a_network_says_so_and_an_unknown_address_too(open_page: Open, book: Callable[..., Any]) -> None:
    page = open_page(f"/a/{book(30)['token']}", **PHONE, allowed=AWAY)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    page.context.set_offline(True)
    expect(page.locator(".notice")).to_contain_text("Your appointment is safe")
    page.context.set_offline(False)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    unknown = open_page("/a/a1-AAAAAAAAAAAAAAAAAAAAAA", **PHONE, allowed=("404 (Not Found)", "WebSocket connection to"))
    expect(unknown.locator(".notice")).to_contain_text("We do not know this appointment")
