"""How a clinic reaches a patient: the switches on the patient's page, and the marks and buttons at the desk."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open
from tests.browser.test_reception import OpenDesk, open_desk
from tests.support.server import Server

__all__ = ["open_desk"]
PHONE = "+49 170 0000067"


@pytest.fixture
def ticket(server: Server, seeded: Seed, do: Do) -> dict[str, str]:
    """Return the token and the label of a patient at a clinic that sends SMS and e-mails."""
    with server.client(server.sign_in(seeded, "admin")) as admin:
        ways = {"site_id": seeded["site_id"], "message_ways": ["sms", "email"]}
        assert admin.post("/api/v1/commands/change-site", json=ways).status_code == 200
    made = do("issue-ticket", queue_id=seeded["queue_ids"][0], phone=PHONE)
    return {"token": made["token"], "label": made["entry"]["label"]}


def opened(page: Page) -> Page:
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    page.get_by_text("How we reach you").click()
    return page


def sources(server: Server, token: str) -> dict[str, str | None]:
    ways = httpx.get(f"{server.url}/api/v1/tickets/{token}/contact").json()["ways"]
    return {each["way"]: each["source"] for each in ways}


def test_patient_stops_messages_and_the_desk_sees_and_undoes_it(
    open_page: Open, open_desk: OpenDesk, server: Server, ticket: dict[str, str]
) -> None:
    page = opened(open_page(f"/t/{ticket['token']}", width=390, height=844))
    switch = page.get_by_role("switch", name="SMS to …67")
    expect(switch).to_be_checked()
    expect(page.get_by_text("E-mail: we have no address")).to_be_visible()
    expect(page.get_by_text("No message reaches you")).to_be_hidden()
    switch.focus()
    page.keyboard.press("Space")
    expect(page.locator(".contact-told")).to_have_text("You get no more SMS from us.")
    expect(page.get_by_text("No message reaches you")).to_be_visible()
    expect(switch).to_be_focused()
    assert sources(server, ticket["token"]) == {"sms": "patient", "email": None}

    desk = open_desk()
    desk.locator(f'[data-label="{ticket["label"]}"]').click()
    desk.keyboard.press("e")
    lines = desk.locator("#amend .contact-lines")
    expect(lines.get_by_role("listitem")).to_have_count(1)
    expect(lines).to_contain_text("SMS to …67 · The patient has stopped them")
    lines.get_by_role("button", name="Allow again").click()
    stop = lines.get_by_role("button", name="No SMS to this number")
    expect(stop).to_be_focused()
    assert sources(server, ticket["token"]) == {"sms": None, "email": None}
    stop.click()
    expect(lines).to_contain_text("Stopped by staff")

    page.reload()
    opened(page)
    expect(switch).not_to_be_checked()
    switch.click()
    expect(page.locator(".contact-told")).to_have_text("You get SMS again.")
    assert sources(server, ticket["token"]) == {"sms": None, "email": None}


def test_failed_change_leaves_the_switch_as_it_was(open_page: Open, ticket: dict[str, str]) -> None:
    page = opened(open_page(f"/t/{ticket['token']}", width=390, height=844, allowed=("503",)))
    page.route(re.compile("/contact/sms$"), lambda route: route.fulfill(status=503))
    switch = page.get_by_role("switch")
    switch.click()
    expect(page.locator(".contact-told")).to_have_text("This did not work. Please try again.")
    expect(switch).to_be_checked()


def test_part_follows_the_language_of_the_page(open_page: Open, ticket: dict[str, str]) -> None:
    page = opened(open_page(f"/t/{ticket['token']}", width=390, height=844))
    page.locator("[data-tools] select").select_option("ar")
    expect(page.locator(".contact summary")).to_have_text("كيف نتواصل معك")
    expect(page.get_by_role("switch")).to_be_visible()


def test_clinic_without_messages_shows_no_part(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/t/{seeded['tickets'][0]['token']}", width=390, height=844)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    expect(page.locator(".contact")).to_be_attached()
    expect(page.locator(".contact")).to_be_hidden()
