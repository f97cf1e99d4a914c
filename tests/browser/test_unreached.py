"""The mark of a patient who has not received a message, at reception and in the calendar."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open, sign_in_as
from tests.support.appointments import Day
from tests.support.unreached import message_ended

pytestmark = pytest.mark.long

OpenDesk = Callable[..., Page]


@pytest.fixture
def seeded(day: Day) -> Seed:
    return day.seeded


@pytest.fixture
def open_desk(open_page: Open, seeded: Seed) -> OpenDesk:
    """Return a function that opens a page of the staff, signed in."""

    def open_desk(path: str = "/reception", role: str = "receptionist") -> Page:
        page = open_page("/", width=1440, height=900, allowed=("409 (Conflict)",))
        sign_in_as(page.request, seeded, role)
        page.goto(path)
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        return page

    return open_desk


def test_mark_of_a_waiting_patient_appears_live_and_is_told_with_one_key(
    open_desk: OpenDesk, seeded: Seed, env: dict[str, str]
) -> None:
    """The row names the message, the bar the way and the reason. Undo brings the mark back, on every desk."""
    desk, other = open_desk(), open_desk()
    row = desk.locator('[data-entry][data-state="waiting"]').first
    entry_id = int(row.get_attribute("data-entry") or 0)
    told = desk.locator('[data-action="clear-unreached"]')
    row.click()
    expect(told).to_be_hidden()
    message_ended(env, seeded["site_id"], "almost-your-turn", entry_id=entry_id, version=0)
    mark = row.locator(".note.is-unreached")
    expect(mark).to_have_text("Almost your turn: message not received")
    expect(desk.locator(".guest-marks .is-unreached")).to_have_text(
        "The SMS about the turn that comes soon did not arrive: wrong number or address."
    )
    expect(told).to_be_enabled()
    desk.keyboard.press("g")
    expect(desk.locator("[data-message]")).to_have_text(re.compile("knows: told by phone"))
    there = other.locator(f'[data-entry="{entry_id}"]')
    for shown in (row, there):
        expect(shown.locator(".note.is-told")).to_have_text("Told by phone")
        expect(shown.locator(".note.is-unreached")).to_have_count(0)
    expect(told).to_be_hidden()
    desk.keyboard.press("u")
    expect(mark).to_be_visible()
    expect(there.locator(".note.is-unreached")).to_be_visible()


def test_cancelled_patient_who_does_not_know_stays_in_the_list_until_told(
    open_desk: OpenDesk, day: Day, env: dict[str, str], do: Do
) -> None:
    desk, calendar = open_desk(), open_desk("/calendar")
    name, appointment = max(day.appointments.items(), key=lambda each: each[1]["starts_at"])
    do("cancel-appointment", appointment_id=appointment["id"], version=1)
    row = desk.locator("[data-day] [data-appointment]", has_text=name)
    block = calendar.locator("[data-grid] [data-appointment]", has_text=name)
    expect(row).to_have_count(0)
    expect(block).to_have_count(0)
    message_ended(env, day.seeded["site_id"], "cancelled", appointment_id=appointment["id"], version=2)
    expect(row.locator(".note.is-unreached")).to_have_text("Cancellation: message not received")
    expect(block).to_have_class(re.compile("is-unreached"))
    expect(block.locator(".booking-state")).to_have_text("cancelled · not reached")
    block.focus()
    expect(calendar.locator("[data-chosen-facts]")).to_contain_text("did not arrive: wrong number or address")
    calendar.keyboard.press("g")
    expect(calendar.locator("[data-message]")).to_have_text(f"{name} knows: told by phone.")
    expect(row).to_have_count(0)
    expect(block).to_have_count(0)
    calendar.keyboard.press("u")
    expect(calendar.locator("[data-message]")).to_have_text(f"The last step of {name} is taken back.")
    expect(row).to_be_visible()
    expect(block).to_be_visible()
