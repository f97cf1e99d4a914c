"""The section of message texts: a manager writes the clinic's own text, sees it as its patients do, and resets it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from server.notifying.texts import TEXTS
from server.seeding import Seed
from tests.browser.conftest import Open, sign_in_as
from tests.browser.test_admin import LEFT_EARLY, REFUSED


def open_as(open_page: Open, seeded: Seed, role: str, path: str) -> Page:
    """Open a page, signed in as the site's member of staff with a role."""
    page = open_page("/docs", allowed=(*REFUSED, LEFT_EARLY))
    sign_in_as(page.request, seeded, role, page.url.rsplit("/", 1)[0])
    page.goto(path)
    return page


def open_texts(open_page: Open, seeded: Seed) -> Page:
    page = open_as(open_page, seeded, "manager", "/admin/texts")
    expect(page.locator(".text-bubble")).not_to_be_empty()
    return page


def test_manager_writes_previews_saves_and_resets_a_text(open_page: Open, seeded: Seed) -> None:
    page = open_texts(open_page, seeded)
    links = page.locator("[data-sections] a")
    expect(links).to_have_text(["Messages", "Message texts", "Figures"])
    page.get_by_role("button", name="Reminder").click()
    page.get_by_role("tab", name="Français").click()
    field, save = page.get_by_label("Text", exact=True), page.get_by_role("button", name="Save this text")
    expect(field).to_have_value(TEXTS["reminder"]["fr"])
    expect(save).to_be_disabled()

    field.fill("À demain, {clinic}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("{date}, {link}, {time} is missing")
    expect(save).to_be_disabled()
    for name in ("Date", "Time", "Link"):
        field.press("End")
        field.press(" ")
        page.get_by_role("group", name="Insert").get_by_role("button", name=name).click()
    expect(field).to_have_value("À demain, {clinic} {date} {time} {link}")
    expect(page.locator(".text-bubble")).to_contain_text("10:30 http")
    expect(page.locator(".text-bubble")).to_have_attribute("lang", "fr")
    expect(page.locator(".text-subject")).to_contain_text("Rappel de votre rendez-vous")
    expect(page.locator(".text-count")).to_contain_text("Special characters make a part shorter. 2 SMS parts.")

    page.get_by_role("tab", name="English").click()  # what was typed waits
    page.get_by_role("tab", name="Français").click()
    expect(field).to_have_value("À demain, {clinic} {date} {time} {link}")
    save.click()
    expect(page.locator("[data-toast-text]")).to_have_text("Saved.")
    expect(page.locator('[data-template="reminder"] .text-note')).to_have_text("Own text: Français")
    page.reload()
    page.get_by_role("button", name="Reminder").click()
    page.get_by_role("tab", name="Français").click()
    expect(field).to_have_value("À demain, {clinic} {date} {time} {link}")

    page.get_by_role("button", name="Use the product's text").click()
    page.locator("#confirm").get_by_role("button", name="Use the product's text").click()
    expect(field).to_have_value(TEXTS["reminder"]["fr"])
    page.get_by_role("button", name="Undo").click()
    expect(field).to_have_value("À demain, {clinic} {date} {time} {link}")


def test_text_that_is_too_long_is_not_saved(open_page: Open, seeded: Seed) -> None:
    page = open_texts(open_page, seeded)
    page.get_by_label("Text", exact=True).fill("{date} {time} {link} " + "long " * 60)
    expect(page.get_by_role("alert")).to_have_text("This text can need 3 SMS parts. Shorten it: two are the most.")
    expect(page.get_by_role("button", name="Save this text")).to_be_disabled()


def test_tabs_follow_the_arrow_keys_in_the_direction_of_reading(open_page: Open, seeded: Seed) -> None:
    page = open_texts(open_page, seeded)
    first = page.get_by_role("tab").first
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab").nth(1)).to_be_focused()
    expect(page.get_by_role("tab").nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    expect(page.get_by_role("tab").last).to_be_focused()
    page.get_by_role("tab", name="العربية").click()
    for part in ("#message-text", ".text-bubble", ".text-subject", ".text-mail"):
        expect(page.locator(part)).to_have_attribute("dir", "rtl")


def test_reception_sees_messages_alone_and_a_clinician_nothing(open_page: Open, seeded: Seed) -> None:
    desk = open_as(open_page, seeded, "receptionist", "/reception")
    desk.get_by_role("link", name="Messages to patients").click()
    expect(desk.locator("[data-sections] a")).to_have_text(["Messages"])
    expect(desk.locator(".records-empty")).to_have_text("No message has been planned yet.")
    clinician = open_as(open_page, seeded, "clinician", "/admin/texts")
    expect(clinician.locator("[data-lead]")).to_contain_text("Nothing here is for your role.")
