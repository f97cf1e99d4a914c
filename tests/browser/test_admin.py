"""The administrator's pages: changes save field by field, and every administrator sees them at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import APIResponse, Page, Route, expect

from server.seeding import Seed
from tests.browser.conftest import Open, sign_in_as
from tests.support.server import Server

# Parts of the browser's own console messages, for answers that the tests cause.
REFUSED = ("404 (Not Found)", "409 (Conflict)", "422 (Unprocessable")


LEFT_EARLY = "WebSocket is closed before the connection is established"  # a section that was left while it connected


def open_section(open_page: Open, seeded: Seed, section: str = "", *, width: int = 1280, height: int = 800) -> Page:
    """Open a section of the administrator's pages, signed in as the site's administrator."""
    page = open_page("/docs", width=width, height=height, allowed=(*REFUSED, LEFT_EARLY))
    sign_in_as(page.request, seeded, "admin", page.url.rsplit("/", 1)[0])
    page.goto(f"/admin/{section}" if section else "/admin")
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def test_administrators_see_each_others_changes_at_once(open_page: Open, seeded: Seed) -> None:
    one, other = open_section(open_page, seeded, "clinic"), open_section(open_page, seeded, "clinic")
    name = other.get_by_label("Name", exact=True)
    before = name.input_value()
    one.get_by_label("Name", exact=True).fill("Hill Practice")
    one.keyboard.press("Tab")
    expect(name).to_have_value("Hill Practice")
    expect(one.locator("[data-toast-text]")).to_have_text("Saved.")
    one.get_by_role("button", name="Undo").click()
    expect(name).to_have_value(before)
    expect(one.get_by_label("Name", exact=True)).to_have_value(before)


def test_typed_text_stays_when_somebody_else_changes_the_field(open_page: Open, seeded: Seed) -> None:
    one, other = open_section(open_page, seeded, "clinic"), open_section(open_page, seeded, "clinic")
    name = other.get_by_label("Name", exact=True)
    name.fill("Half a na")
    one.get_by_label("Name", exact=True).fill("Hill Practice")
    one.keyboard.press("Enter")
    expect(other.locator(".field-note").first).to_contain_text("Hill Practice")
    expect(name).to_have_value("Half a na")
    name.press("Escape")
    expect(name).to_have_value("Hill Practice")
    expect(other.locator(".field-note").first).to_be_empty()


def test_missing_value_shows_an_error_beside_its_field(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "clinic")
    name = page.get_by_label("Name", exact=True)
    name.fill("")
    name.press("Tab")
    expect(page.locator(".field", has=name).locator(".field-error")).to_have_text("Enter a value.")
    expect(name).to_have_attribute("aria-invalid", "true")


def test_change_that_affects_people_lists_them_before_it_is_made(open_page: Open, seeded: Seed, server: Server) -> None:
    """The seeded site has six patients in two queues; pausing a queue and closing the clinic concern them."""
    page = open_section(open_page, seeded, "clinic")
    page.fill("#closed-day", f"{datetime.now(UTC):%Y-%m-%d}")
    page.get_by_role("button", name="Add", exact=True).click()
    dialog = page.locator("dialog[open]")
    labels = [ticket["label"] for ticket in seeded["tickets"]]
    expect(dialog.locator('[data-affects="closed"] strong')).to_have_text(
        "6 patients are here while the clinic counts as closed"
    )
    expect(dialog.locator('[data-affects="closed"] span')).to_have_text(f"{', '.join(labels[:5])} and 1 more")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".closed-days li")).to_have_count(0)
    page.get_by_role("button", name="Add", exact=True).click()
    dialog.get_by_role("button", name="Change it").click()
    expect(page.locator(".closed-days li")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".closed-days li")).to_have_count(0)


def test_queue_with_patients_is_not_removed_and_they_are_listed(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "queues")
    row = page.locator(f'[data-record="{seeded["queue_ids"][0]}"]')
    row.locator("summary").click()
    row.get_by_role("button", name="Remove").click()
    listed = page.locator('dialog[open] [data-affects="users"]')
    first = next(ticket["label"] for ticket in seeded["tickets"] if ticket["label"].startswith("A"))
    expect(listed).to_contain_text(first)
    expect(listed).to_contain_text("Room 1")
    page.locator("dialog[open]").get_by_role("button", name="Close").click()
    expect(row).to_be_visible()


def test_records_are_added_arranged_and_removed_by_keyboard(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "queues"), open_section(open_page, seeded, "queues")
    page.get_by_label("Name of the queue").first.focus()
    page.keyboard.type("Forms")
    page.keyboard.press("Enter")  # the free letter is the usual one
    names = other.locator("section:has(#list-queue) .record-name")
    expect(names).to_have_text(["Service A", "Service B", "Forms"])
    expect(page.locator("[data-toast-text]")).not_to_have_text("")  # its answer may come later than the event
    forms = page.locator(".record", has_text="Forms")
    forms.locator("summary").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(names).to_have_text(["Service A", "Forms", "Service B"])
    page.keyboard.press("Control+z")
    expect(names).to_have_text(["Service A", "Service B", "Forms"])
    page.keyboard.press("Enter")
    forms.get_by_role("button", name="Remove").focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").get_by_role("button", name="Remove").focus()
    page.keyboard.press("Enter")
    expect(names).to_have_text(["Service A", "Service B"])


def test_undo_key_during_a_change_undoes_that_change(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "queues"), open_section(open_page, seeded, "queues")
    answers: list[tuple[Route, APIResponse]] = []

    def keep_the_first_answer(route: Route) -> None:
        answer = route.fetch()
        if answers:
            route.fulfill(response=answer)
        else:
            answers.append((route, answer))

    page.route("**/commands/arrange", keep_the_first_answer)
    names = other.locator("section:has(#list-queue) .record-name")
    page.locator(".record", has_text="Service B").locator("summary").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(names).to_have_text(["Service B", "Service A"])
    page.keyboard.press("Control+z")  # the other page knows of the change, this one still waits for the answer
    [(route, answer)] = answers
    route.fulfill(response=answer)
    expect(names).to_have_text(["Service A", "Service B"])


def test_row_is_dragged_to_another_place(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "queues"), open_section(open_page, seeded, "queues")
    grips = page.locator("section:has(#list-queue) [data-grip]")
    start, end = grips.nth(0).bounding_box(), grips.nth(1).bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 10, start["y"] + 20)
    page.mouse.down()
    page.mouse.move(end["x"] + 10, end["y"] + end["height"] - 4, steps=8)
    page.mouse.up()
    names = other.locator("section:has(#list-queue) .record-name")
    expect(names).to_have_text(["Service B", "Service A"])


def test_thumbnail_shows_what_the_display_shows(open_page: Open, seeded: Seed, server: Server) -> None:
    display = seeded["displays"][0]
    screen = open_page(f"/display/{display['id']}?token={display['token']}", width=1920, height=1080)
    expect(screen.locator("body")).to_have_attribute("data-live", "live")
    page = open_section(open_page, seeded, "screens")
    thumbnail = page.locator(f'[data-thumbnail="{display["id"]}"]')
    with server.client(server.sign_in(seeded, "receptionist")) as desk:
        label = desk.post("/api/v1/commands/call-next", json={"point_id": seeded["point_ids"][0]}).json()["entry"]["label"]
    expect(screen.locator(f'[data-call="{label}"]')).to_be_visible()
    expect(thumbnail.locator(f'[data-call="{label}"]')).to_be_visible()
    for part in ("[data-calls]", "[data-next-up]"):
        expect(thumbnail.locator(part)).to_have_text(screen.locator(part).inner_text(), use_inner_text=True)
    expect(page.locator(".record-notes").first).to_contain_text("Live since")


def test_staff_who_watch_a_display_are_no_sign_of_its_health(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "screens")
    expect(page.locator("[data-thumbnail]")).to_have_attribute("data-state", "live")
    expect(page.locator(".record-warning").first).to_have_text("Has never been on")


def test_address_opens_its_section_and_the_back_button_returns(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded)
    page.get_by_role("link", name="Services and queues").click()
    expect(page).to_have_url(re.compile("/admin/queues$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Services and queues")
    expect(page.locator("#section")).to_be_focused()
    page.get_by_role("link", name="Screens").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Screens")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Services and queues")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Services and queues")


def test_phone_has_every_section_behind_one_button(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "queues", width=320, height=640)
    expect(page.locator("[data-sections]")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Clinic and rules").click()
    expect(page.locator("[data-sections]")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("Clinic and rules")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_opening_hours_are_saved_by_the_day(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "clinic"), open_section(open_page, seeded, "clinic")
    page.get_by_role("button", name="Set opening hours").click()
    monday, question = page.locator('[data-day="0"]'), page.locator("dialog[open]")
    expect(monday.get_by_label("From").or_(question)).to_be_visible()
    if question.is_visible():  # the clinic is closed at this hour of the day, with patients in it
        question.get_by_role("button", name="Change it").click()
    expect(monday.get_by_label("From")).to_have_value("08:00")
    monday.get_by_label("Until").fill("07:00")
    expect(monday.locator(".field-error")).to_have_text("The end must be later than the start.")
    # Not an end that closes the clinic now: the page would ask again.
    monday.get_by_label("Until").fill("23:30")
    expect(other.locator('[data-day="0"]').get_by_label("Until")).to_have_value("23:30")


def test_ways_of_messages_are_in_order_and_reminders_are_ticked(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "clinic"), open_section(open_page, seeded, "clinic")
    first, second = page.get_by_label("Messages go by"), page.get_by_label("Otherwise by")
    expect(first).to_have_value("")
    first.select_option("sms")
    expect(other.get_by_label("Messages go by")).to_have_value("sms")
    second.select_option("email")
    expect(other.get_by_label("Otherwise by")).to_have_value("email")
    first.select_option("email")  # the two change places
    expect(other.get_by_label("Otherwise by")).to_have_value("sms")
    first.select_option("")
    expect(other.get_by_label("Messages go by")).to_have_value("sms")
    reminders = page.get_by_role("group", name="Reminders")
    expect(reminders.get_by_label("3 days before")).to_be_checked()
    reminders.get_by_label("2 hours before").check()
    expect(other.get_by_role("group", name="Reminders").get_by_label("2 hours before")).to_be_checked()
    page.get_by_label("Quiet hours until").fill("07:30")
    page.keyboard.press("Tab")
    expect(other.get_by_label("Quiet hours until")).to_have_value("07:30")


def test_new_key_is_shown_once_and_a_revoked_one_is_refused(open_page: Open, seeded: Seed, server: Server) -> None:
    page = open_section(open_page, seeded, "keys")
    page.get_by_label("Name of the system").fill("Practice software")
    page.get_by_role("button", name="Add key").click()
    key = page.locator(".key-text").input_value()
    with server.client(key) as other_system:
        assert other_system.get("/api/v1/sites").status_code == 200
        row = page.locator(".record", has_text="Practice software")
        row.get_by_role("button", name="Revoke").click()
        page.locator("dialog[open]").get_by_role("button", name="Revoke").click()
        expect(row.locator(".record-warning")).to_contain_text("Revoked")
        assert other_system.get("/api/v1/sites").status_code == 401
    page.reload()
    expect(page.locator(".record", has_text="Practice software")).to_be_visible()
    assert key not in page.content()


def test_audit_is_filtered_exported_and_verified(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "audit")
    rows = page.locator(".table tbody tr")
    expect(rows.first).to_contain_text("ticket-issued")
    page.get_by_label("Action").fill("queue-added")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("queue-added")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("at,actor,action,subject")
    assert [line.split(",")[2] for line in lines[1:]] == ["queue-added"] * 2
    page.request.post("/api/v1/commands/pause-queue", data={"queue_id": seeded["queue_ids"][0]})
    page.get_by_label("Action").fill("queue-paused")
    page.get_by_role("button", name="Show", exact=True).click()
    admin = next(each["username"] for each in seeded["staff"] if each["role"] == "admin")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text(re.compile(rf"{admin}staff:\d+"))
    page.get_by_role("button", name="Verify the log").click()
    expect(page.locator(".verified")).to_contain_text("The log is whole")


def test_system_shows_each_check_with_its_remedy(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "system")
    expect(page.locator('[data-check="database"]')).to_have_attribute("data-state", "ok")
    backup = page.locator('[data-check="backup"]')
    expect(backup).to_contain_text("There is no verified backup.")
    expect(backup.locator(".check-remedy")).to_contain_text("Set NOWSERVING_BACKUP_FOLDER")
    for part in ("servers", "channels", "webhooks", "screens", "disk", "audit", "pool", "watchdog"):
        expect(page.locator(f'[data-check="{part}"] h2')).not_to_have_text(part)
    expect(page.locator('[data-check="servers"]')).to_contain_text("Server processes that run: 1.")


def test_system_shows_a_change_by_itself(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "system")
    page.clock.install()
    page.reload()
    channels = page.locator('[data-check="channels"]')
    expect(channels).to_have_attribute("data-state", "ok")
    mail = {
        "host": "127.0.0.1",
        "port": 9,
        "security": "none",
        "sender": "desk@clinic.example",
        "username": "",
        "password": "",
    }
    assert page.request.put("/api/v1/channels/email/smtp", data=mail).ok
    try:
        assert page.request.post("/api/v1/channels/email/test", data={"to": "ada@clinic.example"}).ok
        page.clock.fast_forward(30_500)
        expect(channels).to_have_attribute("data-state", "broken")
        expect(channels.locator(".check-remedy")).to_contain_text("send a test message")
    finally:
        page.request.delete("/api/v1/channels/email")


def test_chart_has_a_table_with_the_same_numbers(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "figures")
    expect(page.locator(".chart canvas").first).to_be_visible()
    waits = page.get_by_role("region", name="Median wait by day, in minutes")
    expect(waits).to_contain_text("No number yet.")
    expect(waits.locator(".chart")).to_have_count(0)
    page.get_by_text("Show as a table").first.click()
    expect(page.locator(".chart-table").first.locator("tbody tr").last.locator("td")).to_have_text("6")


def test_screen_is_paired_by_its_code(open_page: Open, seeded: Seed) -> None:
    screen = open_page("/display", width=1920, height=1080)
    code = screen.locator("[data-code]")
    expect(code).not_to_be_empty()
    page = open_section(open_page, seeded, "screens")
    displays = page.locator("section:has(#list-display)")
    displays.get_by_label("Name of the screen").last.fill("Hall")
    displays.get_by_label("Code on the screen (optional)").fill(code.inner_text())
    displays.get_by_role("button", name="Add display").click()
    expect(screen.locator("body")).to_have_attribute("data-live", "live")
    hall = displays.locator(".record", has_text="Hall")
    expect(hall.locator(".record-notes")).to_contain_text("Live since")
    hall.locator("summary").click()
    hall.get_by_role("button", name="Sign the screen out").click()
    listed = page.locator('dialog[open] [data-affects="screens_dark"]')
    expect(listed).to_contain_text("Hall")
    page.locator("dialog[open]").get_by_role("button", name="Sign the screen out").click()
    expect(hall.locator(".record-notes")).to_have_text("Not set up yet")
