"""The calendar in a real browser: dates, keys, dragging, a provider who is ill, other languages and narrow screens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open, sign_in_as
from tests.browser.states import REACH
from tests.support.appointments import Day

pytestmark = pytest.mark.long

OpenCalendar = Callable[..., Page]
REFUSED = ("409 (Conflict)",)


@pytest.fixture
def seeded(day: Day) -> Seed:
    return day.seeded


@pytest.fixture
def open_calendar(open_page: Open, seeded: Seed) -> OpenCalendar:
    """Return a function that opens the calendar, signed in."""

    def open_calendar(role: str = "receptionist", query: str = "", width: int = 1440, height: int = 1800) -> Page:
        page = open_page("/", width=width, height=height, allowed=REFUSED)
        sign_in_as(page.request, seeded, role)
        page.goto(f"/calendar{query}")
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        expect(page.locator("[data-grid]")).to_have_attribute("aria-busy", "false")
        return page

    return open_calendar


def booking(page: Page, name: str) -> Locator:
    return page.locator("[data-grid] [data-appointment]", has_text=name)


def column(page: Page, provider_id: int) -> Locator:
    return page.locator(f'[data-column$=" {provider_id}"]')


def expect_message(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("[data-message]")).to_have_text(text)


def drag(page: Page, source: Locator, column: Locator, hour: float) -> None:
    """Drag an appointment by its top edge to a time of a column, whose hours begin at seven."""
    source.scroll_into_view_if_needed()
    begin, body = source.bounding_box(), column.locator(".column-body").bounding_box()
    length = float(column.locator(".column-body").evaluate("each => each.style.getPropertyValue('--length')"))
    assert begin is not None
    assert body is not None
    page.mouse.move(begin["x"] + 30, begin["y"] + 2)
    page.mouse.down()
    to = body["y"] + (hour - 7) * 60 / length * body["height"] + 6
    page.mouse.move(body["x"] + 40, to - 30, steps=4)
    page.mouse.move(body["x"] + 40, to, steps=4)


def test_appointment_is_dragged_to_another_provider_and_time(open_calendar: OpenCalendar, day: Day) -> None:
    """The target is shown and read out. Another calendar shows the move at once. The name of a refused rule is shown."""
    page, other = open_calendar(), open_calendar()
    first, second = day.seeded["provider_ids"]
    moved = booking(page, "Edith Okafor")
    drag(page, moved, column(page, second), 16)
    expect(page.locator("[data-announce]")).to_have_text("16:00, Dr 2")
    expect(column(page, second).locator(".column-ghost")).to_have_text("16:00")
    page.mouse.up()
    expect_message(page, re.compile("The appointment of Edith Okafor is moved: .*16:00"))
    expect(column(other, second).locator("[data-appointment]", has_text="Edith")).to_contain_text("16:00")
    drag(page, booking(page, "Edith Okafor"), column(page, first), 18.9)
    page.mouse.up()
    expect(column(page, first).locator("[data-appointment]", has_text="Edith")).to_contain_text("18:45")
    taken = day.appointments["Bo Lindqvist"]["local_start"]
    hour = int(taken[11:13]) + int(taken[14:]) / 60
    drag(page, booking(page, "Edith Okafor"), column(page, second), hour)
    page.mouse.up()
    expect_message(page, re.compile("taken|booked"))
    expect(column(page, first).locator("[data-appointment]", has_text="Edith")).to_contain_text("18:45")
    expect(page.locator(".column-ghost:not([hidden])")).to_have_count(0)


def test_calendar_works_by_keyboard_alone(open_calendar: OpenCalendar, day: Day) -> None:
    page = open_calendar()
    press = page.keyboard.press
    press("j")
    expect(booking(page, "Amina")).to_be_focused()
    press("ArrowDown")
    expect(booking(page, "Carla")).to_be_focused()
    press("ArrowRight")
    expect(page.locator("[data-chosen-name]")).to_have_text(re.compile("Bo Lindqvist|Dmitri Volkov"))
    press("ArrowLeft")
    expect(page.locator("[data-chosen-name]")).to_have_text("Carla Mendes")
    press("m")
    move = page.locator("#reschedule")
    expect(move.locator(".free-time input").first).to_be_focused()
    move.locator("[name=wish]").fill("17:15")
    expect(move.locator('.free-time input[value$="17:15/0"]')).to_be_checked()
    press("Enter")
    expect_message(page, re.compile("Carla Mendes is moved: .*17:15"))
    press("Enter")
    amend = page.locator("#amend-appointment[open]")
    expect(amend.locator("[name=name]")).to_have_value("Carla Mendes")
    press("Escape")
    press("k")
    page.locator("#confirm[open]").wait_for()
    press("Enter")
    expect_message(page, re.compile("Carla Mendes is checked in: [AB]00"))
    expect(booking(page, "Carla")).to_have_attribute("data-stage", "checked_in")
    press("u")
    expect_message(page, re.compile("is taken back"))
    expect(booking(page, "Carla")).not_to_have_attribute("data-stage", "checked_in")
    press("d")
    page.locator("#confirm[open]").wait_for()
    press("Enter")
    expect_message(page, "The appointment of Carla Mendes is cancelled.")
    expect(booking(page, "Carla")).to_have_count(0)


def test_history_and_details_of_an_appointment_open_by_key(open_calendar: OpenCalendar, do: Do, day: Day) -> None:
    """The details come from the server. A manager has neither button."""
    booked = day.appointments["Carla Mendes"]
    do("amend-appointment", appointment_id=booked["id"], note="asks for a chair")
    page = open_calendar()
    booking(page, "Carla").focus()
    page.keyboard.press("e")
    expect(page.locator("#amend-appointment[open] [name=note]")).to_have_value("asks for a chair")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    history = page.locator("#history[open]")
    expect(history.locator("h2")).to_have_text("History of Carla Mendes")
    expect(history.locator(".history-step").last).to_contain_text("Details changed")
    page.keyboard.press("Enter")
    expect(history).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("#keys[open] .keys-row", has_text="History")).to_contain_text("w")
    manager = open_calendar("manager")
    manager.locator("[data-appointment]").first.focus()
    for action in ("history", "amend-visit"):
        expect(manager.locator(f'[data-action="{action}"]')).to_be_hidden()


def test_click_on_a_free_time_books_it(open_calendar: OpenCalendar, day: Day) -> None:
    page = open_calendar()
    second = column(page, day.seeded["provider_ids"][1])
    body = second.locator(".column-body")
    body.scroll_into_view_if_needed()
    box = body.bounding_box()
    length = float(body.evaluate("each => each.style.getPropertyValue('--length')"))
    assert box is not None
    body.click(position={"x": box["width"] / 2, "y": (17.5 - 7) * 60 / length * box["height"] + 4})
    book = page.locator("#book[open]")
    expect(book.locator('.free-time input[value$="17:30/0"]')).to_be_checked()
    expect(book.locator("[name=name]")).to_be_focused()
    expect(book.locator(".slot-kept")).to_contain_text("17:30 with Dr 2")
    page.keyboard.type("Zoe Quist")
    page.keyboard.press("Enter")
    expect(second.locator("[data-appointment]", has_text="Zoe")).to_contain_text("17:30")


def test_list_of_an_ill_provider_is_moved_after_a_preview(open_calendar: OpenCalendar, do: Do, day: Day) -> None:
    """The preview names who goes where, and who has no place. Those stay, or are cancelled."""
    first, second = day.seeded["provider_ids"]
    taken = day.appointments["Edith Okafor"]["local_start"]
    do(
        "book",
        site_id=day.seeded["site_id"],
        service_id=day.seeded["service_ids"][0],
        provider_id=second,
        local_start=taken,
        name="Other",
    )
    page = open_calendar()
    column(page, first).get_by_role("button", name=re.compile("Move the day of Dr 1")).click()
    dialog = page.locator("#move-day[open]")
    expect(dialog.locator(".move-row")).to_have_count(2)
    expect(dialog.locator(".move-row", has_text="Carla")).to_contain_text("Dr 2")
    expect(dialog.locator(".move-row", has_text="Edith")).to_contain_text("no free provider")
    expect(dialog.locator(".move-summary")).to_have_text("1 goes to a colleague · 1 has no free provider")
    expect(column(page, first).locator("[data-appointment]", has_text="Carla")).to_be_visible()
    expect(dialog.locator(".reach-line")).to_have_text(re.compile("^1 patient: 1 to phone$"))
    by_sms = {"way": "sms", "patients": 31, "parts": 44}
    mixed = {"patients": 37, "ways": [by_sms, {"way": "email", "patients": 4, "parts": 0}], "phone": [{}, {}]}
    told = page.evaluate(f"async (all) => (await import({REACH})).summaryOf(all)", [mixed])
    assert told == "37 patients: 31 by SMS in 44 parts, 4 by e-mail, 2 to phone"
    dialog.get_by_label("Are cancelled").check()
    expect(dialog.locator(".reach-line")).to_have_text("2 patients: 2 to phone")
    dialog.locator("[type=submit]").click()
    expect_message(page, "1 appointment is moved.")
    calls = page.locator("#phone-list")
    expect(calls.get_by_role("heading")).to_have_text("Phone 2 patients")
    expect(calls.locator(".phone-row", has_text="Edith")).to_contain_text("The clinic sends no messages.")
    calls.get_by_label("Carla").check()
    expect(calls.get_by_role("status")).to_have_text("1 of 2 told")
    calls.get_by_role("button", name="Done").click()
    expect(calls).to_have_count(0)
    expect(column(page, second).locator("[data-appointment]", has_text="Carla")).to_be_visible()
    expect(booking(page, "Edith")).to_have_count(0)


def test_dates_change_without_a_reload_and_the_address_keeps_them(open_calendar: OpenCalendar, day: Day) -> None:
    page = open_calendar()
    page.evaluate("window.same = true")
    page.locator("[data-next]").click()
    expect(page.locator("[data-grid]")).to_have_attribute("aria-busy", "false")
    expect(page.locator("[data-appointment]")).to_have_count(0)
    page.locator("[data-today]").click()
    expect(booking(page, "Bo")).to_be_visible()
    page.locator('[data-days="7"]').click()
    expect(page.locator("[data-column]")).to_have_count(7)
    expect(booking(page, "Amina")).to_be_attached()
    expect(booking(page, "Bo")).to_have_count(0)
    page.locator("[data-provider]").select_option(label="Dr 2")
    expect(booking(page, "Bo")).to_be_attached()
    assert page.evaluate("window.same")
    page.reload()
    expect(page.locator("[data-column]")).to_have_count(7)
    expect(booking(page, "Bo")).to_be_attached()


def test_manager_sees_no_names_and_changes_nothing(open_calendar: OpenCalendar, day: Day) -> None:
    page = open_calendar("manager")
    expect(page.locator("[data-appointment]").first).to_contain_text("Service")
    assert not any(name.split()[0] in page.locator("body").inner_text() for name in day.appointments)
    for action in ("book", "check-in", "move", "cancel"):
        expect(page.locator(f'[data-action="{action}"]')).to_be_hidden()
    expect(page.locator("[data-appointment]").first).to_have_attribute("draggable", "false")
    page.locator("[data-appointment]").first.focus()
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_arabic_calendar_runs_from_right_to_left(open_calendar: OpenCalendar, day: Day) -> None:
    page = open_calendar(query="?lang=ar")
    first, second = (column(page, each).bounding_box() for each in day.seeded["provider_ids"])
    assert first is not None
    assert second is not None
    assert first["x"] > second["x"]
    booking(page, "Amina").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-chosen-name]")).to_have_text(re.compile("Bo Lindqvist|Dmitri Volkov"))


def test_narrow_calendar_is_a_list(open_calendar: OpenCalendar) -> None:
    """On 320 pixels nothing is cut off, and each appointment is a target for a finger."""
    page = open_calendar(width=320, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    boxes = [each.bounding_box() for each in page.locator("[data-appointment]").all()]
    assert boxes
    assert all(box is not None and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 320 for box in boxes)
    booking(page, "Bo").click()
    page.get_by_role("button", name="Move", exact=False).first.click()
    expect(page.locator("#reschedule[open]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
