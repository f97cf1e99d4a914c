"""Appointments on the administrator's pages: weeks, closed days, stranded appointments, calendars, and an imported file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from icalendar import Calendar
from playwright.sync_api import Locator, Page, expect

from server.seeding import Seed
from tests.browser.conftest import Open
from tests.browser.test_admin import open_section
from tests.support.server import Server, seed

Do = Callable[..., Any]


@cache  # the same one until the end: midnight may come in the middle of a test
def monday() -> date:
    """Return a Monday that is one to two weeks away."""
    today = date.today()
    return today + timedelta(days=14 - today.weekday())


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """Return a new site with two clinicians, who see patients from Monday to Friday from 9 to 17."""
    return seed(env, points=2, tickets=0, displays=0, providers=2)


@pytest.fixture
def do(server: Server, seeded: Seed) -> Iterator[Do]:
    """Yield a function that sends a command as the administrator."""

    def send(command: str, /, **body: Any) -> Any:
        answer = client.post(f"/api/v1/commands/{command}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    with server.client(server.sign_in(seeded, "admin")) as client:
        yield send


def span(begin: str, end: str) -> str:
    """Return the text of a time from one clock to another."""
    return f"{begin} \u2013 {end}"


def day(page: Page, number: int) -> Locator:
    """Return the column of a weekday: 0 is Monday."""
    return page.locator(f'.week-day[data-day="{number}"]')


def book(do: Do, seeded: Seed, clock: str, provider: int = 0) -> int:
    """Book a patient on the Monday; return the id of the appointment."""
    made = do(
        "book",
        site_id=seeded["site_id"],
        service_id=seeded["service_ids"][0],
        provider_id=seeded["provider_ids"][provider],
        local_start=f"{monday()}T{clock}",
        name="Ada Lovelace",
    )
    return int(made["appointment"]["id"])


def states(server: Server, seeded: Seed) -> dict[str, tuple[str, int]]:
    """Return the state and the clinician of the Monday's appointments, by their time."""
    with server.client(server.sign_in(seeded, "admin")) as client:
        found = client.get(f"/api/v1/sites/{seeded['site_id']}/appointments?date={monday()}").json()["data"]
    return {each["local_start"][11:]: (each["state"], each["provider_id"]) for each in found}


def test_week_is_planned_by_keyboard_and_seen_live_on_another_page(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "appointments"), open_section(open_page, seeded, "appointments")
    expect(day(other, 0).locator("strong")).to_have_text(span("09:00", "17:00"))
    day(page, 5).get_by_role("button", name="Add a time: Saturday").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_label("Weekday")).to_be_focused()
    dialog.get_by_label("From", exact=True).fill("10:00")
    dialog.get_by_label("Until", exact=True).fill("13:00")
    page.keyboard.press("Enter")
    expect(day(other, 5).locator("strong")).to_have_text(span("10:00", "13:00"))
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(day(other, 5).locator(".week-time")).to_have_count(0)


def test_change_of_a_time_keeps_earlier_days_and_can_be_undone(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "appointments")
    day(page, 0).locator(".week-time").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator(".dialog-lead")).to_contain_text("Earlier days stay")
    dialog.get_by_label("Until", exact=True).fill("12:00")
    dialog.get_by_label("The change begins on").fill(str(monday()))
    dialog.get_by_role("button", name="Change from this day on").click()
    expect(day(page, 0).locator("strong")).to_have_text([span("09:00", "17:00"), span("09:00", "12:00")])
    page.get_by_role("button", name="Undo").click()
    expect(day(page, 0).locator("strong").last).to_have_text(span("09:00", "17:00"))


def test_emptied_last_day_and_room_are_removed_and_come_back_with_undo(open_page: Open, seeded: Seed, do: Do) -> None:
    saturday = monday() + timedelta(days=5)
    do(
        "add-schedule",
        site_id=seeded["site_id"],
        provider_id=seeded["provider_ids"][0],
        service_ids=seeded["service_ids"],
        weekday=5,
        slot_minutes=15,
        valid_from=f"{saturday}",
        valid_until=f"{saturday + timedelta(days=70)}",
        point_id=seeded["point_ids"][0],
        **{"from": "10:00", "until": "13:00"},
    )
    page = open_section(open_page, seeded, "appointments")
    day(page, 5).locator(".week-time").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_label("Room", exact=True).locator("option:checked")).to_have_text("Room 1")
    dialog.get_by_label("Last day").fill("")
    dialog.get_by_label("Room", exact=True).select_option("")
    dialog.get_by_role("button", name="Change from this day on").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    for room, last in (("", ""), (str(seeded["point_ids"][0]), f"{saturday + timedelta(days=70)}")):
        day(page, 5).locator(".week-time").click()
        expect(dialog.get_by_label("Room", exact=True)).to_have_value(room)
        expect(dialog.get_by_label("Last day")).to_have_value(last)
        dialog.get_by_role("button", name="Cancel", exact=True).click()
        if not room:
            page.get_by_role("button", name="Undo").click()
            expect(page.locator("[data-toast-text]")).to_have_text("Undone.")


def test_day_is_copied_to_others(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "appointments")
    day(page, 0).get_by_role("button", name="Copy Monday to other days").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("button", name="Copy", exact=True).click()
    expect(dialog.locator(".field-error")).to_have_text("Choose at least one day.")
    dialog.get_by_label("Saturday").check()
    dialog.get_by_label("Sunday").check()
    dialog.get_by_role("button", name="Copy", exact=True).click()
    for weekend in (5, 6):
        expect(day(page, weekend).locator("strong")).to_have_text(span("09:00", "17:00"))


def test_closing_lists_stranded_appointments_and_cancels_them_when_asked(
    open_page: Open, seeded: Seed, server: Server, do: Do
) -> None:
    for clock in ("09:00", "09:15", "09:30", "09:45", "10:00", "10:15", "10:30"):
        book(do, seeded, clock)
    page = open_section(open_page, seeded, "appointments")
    page.get_by_role("button", name="Close a time…").click()
    closing = page.locator("dialog[open]").last
    closing.get_by_label("Day", exact=True).fill(str(monday()))
    closing.get_by_label("Reason").fill("Conference")
    closing.get_by_role("button", name="Close", exact=True).click()
    stranded = page.locator("dialog[open]").first
    expect(stranded.locator("h2")).to_have_text("Booked appointments outside of the new hours: 7")
    expect(stranded.locator("li")).to_have_count(6)
    expect(stranded.locator("li").last).to_have_text("and 2 more")
    expect(stranded.locator("a").first).to_have_attribute("href", f"/calendar?date={monday()}")
    stranded.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("dialog[open]")).to_have_count(1)
    assert {state for state, _ in states(server, seeded).values()} == {"booked"}
    closing.get_by_role("button", name="Close", exact=True).click()
    stranded.get_by_label("Cancel them").check()
    expect(stranded.locator(".reach-line")).to_have_text("7 patients: 7 to phone")
    stranded.get_by_role("button", name="Continue").click()
    expect(page.locator("#phone-list .phone-row")).to_have_count(7)
    page.locator("#phone-list").get_by_role("button", name="Done").click()
    expect(page.locator(".exceptions li")).to_contain_text("Conference")
    expect(page.locator("[data-toast-undo]")).to_be_hidden()
    assert {state for state, _ in states(server, seeded).values()} == {"cancelled"}


def test_list_of_an_absent_clinician_moves_after_a_preview(open_page: Open, seeded: Seed, server: Server, do: Do) -> None:
    for clock in ("09:00", "09:15"):
        book(do, seeded, clock)
    page = open_section(open_page, seeded, "appointments")
    page.get_by_role("button", name="Close a time…").click()
    closing = page.locator("dialog[open]").last
    closing.get_by_label("Day", exact=True).fill(str(monday()))
    closing.get_by_label("Reason").fill("Ill today")
    closing.get_by_role("button", name="Close", exact=True).click()
    page.get_by_label("Move the list").check()
    page.get_by_role("button", name="Continue").click()
    moving = page.locator("dialog[open]").first
    expect(moving.locator(".move-preview th")).to_have_text(["09:00", "09:15"])
    expect(moving.locator(".move-preview td").first).to_have_text("to Dr 2")
    expect(moving.locator(".reach-line")).to_have_text("2 patients: 2 to phone")
    moving.get_by_role("button", name="Move them").click()
    page.locator("#phone-list").get_by_role("button", name="Done").click()
    expect(page.locator(".exceptions li")).to_contain_text("Ill today")
    expect(page.locator("dialog[open]")).to_have_count(0)
    other = seeded["provider_ids"][1]
    assert states(server, seeded) == {"09:00": ("booked", other), "09:15": ("booked", other)}


def test_several_days_are_closed_and_opened_again(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "appointments"), open_section(open_page, seeded, "appointments")
    page.get_by_role("button", name="Close a time…").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("For").select_option("The whole clinic")
    dialog.get_by_label("Day", exact=True).fill(str(monday()))
    dialog.get_by_label("Last day").fill(str(monday() + timedelta(days=4)))
    dialog.get_by_label("Reason").fill("Summer")
    dialog.get_by_role("button", name="Close", exact=True).click()
    expect(other.locator(".exceptions li")).to_have_count(5)
    expect(page.locator("[data-toast-text]")).to_have_text("Dates changed: 5")
    page.get_by_role("button", name="Undo").click()
    expect(other.locator(".exceptions li")).to_have_count(0)


def test_public_holidays_are_proposed_and_the_chosen_ones_close_the_clinic(open_page: Open, seeded: Seed, do: Do) -> None:
    do("change-site", site_id=seeded["site_id"], region="FR")
    page = open_section(open_page, seeded, "appointments")
    page.get_by_role("button", name="Public holidays…").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator(".dialog-lead")).to_contain_text("France")
    dialog.get_by_label("Year").select_option(str(date.today().year + 1))
    bastille = dialog.locator(f'input[value="{date.today().year + 1}-07-14"]')
    bastille.check()
    dialog.get_by_role("button", name="Close on these days").click()
    expect(page.locator(".exceptions li")).to_contain_text("14 July")
    page.get_by_role("button", name="Remove: ").click()
    expect(page.locator(".exceptions li")).to_have_count(0)


def test_rules_for_booking_are_with_the_rules_of_the_clinic(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "clinic")
    address = page.get_by_role("link", name=f"/book/{seeded['site_id']}")
    expect(address).to_be_hidden()
    page.get_by_label("Booking page").select_option("On: patients book themselves")
    expect(address).to_be_visible()
    page.get_by_label("Patients cancel until").fill("1440")
    page.keyboard.press("Tab")
    expect(page.locator("[data-toast-text]")).to_have_text("Saved.")


def test_clinician_is_a_person_of_the_organisation(open_page: Open, seeded: Seed) -> None:
    page, other = open_section(open_page, seeded, "points"), open_section(open_page, seeded, "points")
    for each in (page, other):
        each.locator(f'[data-record="{seeded["provider_ids"][0]}"] summary').click()
    page.get_by_label("Also works at another site").select_option("Another person…")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Name", exact=True).fill("Dr Ada Byron")
    dialog.get_by_role("button", name="Add", exact=True).click()
    for each in (page, other):
        expect(each.get_by_label("Also works at another site").locator("option:checked")).to_have_text("Dr Ada Byron")


def feeds(page: Page) -> Locator:
    """Return the part of the page with the addresses for calendar programs."""
    return page.locator(".calendar-feeds")


def new_address(page: Page) -> str:
    """Make an address for the chosen clinician; return it."""
    feeds(page).get_by_role("button", name="Make an address").click()
    dialog = page.locator("dialog#feed[open]")
    address = dialog.get_by_label("Secret address").input_value()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
    return address


def test_calendar_address_is_shown_once_and_an_ended_one_is_refused(open_page: Open, seeded: Seed, do: Do) -> None:
    book(do, seeded, "09:00")
    page = open_section(open_page, seeded, "appointments")
    expect(feeds(page).locator(".records-empty")).to_be_visible()
    address, other = new_address(page), new_address(page)
    program = httpx.get(address)
    assert program.headers["content-type"].startswith("text/calendar")
    (event,) = Calendar.from_ical(program.text).walk("VEVENT")
    assert f"{event.decoded('dtstart'):%Y-%m-%dT%H:%M}" == f"{monday()}T09:00"
    assert "Lovelace" not in program.text
    page.reload()
    rows = feeds(page).locator(".record")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(f"{date.today():%Y}")
    expect(rows.first).to_contain_text("by admin")
    assert address.split("/")[-2] not in page.content()
    rows.first.get_by_role("button", name="End this address").click()
    question = page.locator("dialog#confirm[open]")
    expect(question.locator(".dialog-lead")).to_contain_text("get no more appointments of Dr 1")
    question.get_by_role("button", name="Cancel").click()
    expect(rows).to_have_count(2)
    assert httpx.get(address).status_code == 200
    rows.first.get_by_role("button", name="End this address").click()
    question.get_by_role("button", name="End this address").click()
    expect(page.locator("[data-toast-text]")).to_have_text("The address has ended.")
    expect(rows).to_have_count(1)
    expect(feeds(page).get_by_role("button", name="Make an address")).to_be_focused()
    assert httpx.get(address).status_code == 404
    assert httpx.get(other).status_code == 200


def test_calendar_addresses_are_those_of_the_chosen_clinician(open_page: Open, seeded: Seed, do: Do) -> None:
    book(do, seeded, "09:00", provider=1)
    page = open_section(open_page, seeded, "appointments")
    first = new_address(page)
    expect(feeds(page).locator(".record")).to_have_count(1)
    page.get_by_label("Dr 2").check()
    expect(feeds(page).locator("h2")).to_have_text("Private calendar: Dr 2")
    expect(feeds(page).locator(".records-empty")).to_be_visible()
    expect(feeds(page).locator(".record")).to_have_count(0)
    second = new_address(page)
    assert [len(Calendar.from_ical(httpx.get(each).text).walk("VEVENT")) for each in (first, second)] == [0, 1]


def test_address_that_a_colleague_ended_leaves_the_list(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "appointments")
    new_address(page)
    other = open_section(open_page, seeded, "appointments")
    for each in (other, page):
        each.locator(".calendar-feeds .record").get_by_role("button", name="End this address").click()
        each.locator("dialog#confirm[open]").get_by_role("button", name="End this address").click()
        expect(feeds(each).locator(".records-empty")).to_be_visible()
    expect(page.locator("[data-toast-text]")).to_contain_text("has ended already. Make a new one")


def test_unreadable_list_of_addresses_can_be_read_again(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "appointments")
    new_address(page)
    page.route("**/calendar-feeds", lambda route: route.fulfill(status=409))

    def list_is_read() -> AbstractContextManager[Any]:
        return page.expect_response(lambda each: each.request.method == "GET" and "/calendar-feeds" in each.url)

    for name in ("Dr 2", "Dr 1"):
        with list_is_read():
            page.get_by_label(name).check()
    expect(feeds(page).get_by_role("alert")).to_contain_text("The addresses cannot be shown. The server cannot be reached")
    expect(feeds(page).locator(".records-empty")).to_be_hidden()
    with list_is_read():  # again, after the refusal: while it still fails
        feeds(page).get_by_role("button", name="Make an address").click()
    expect(page.locator("[data-toast-text]")).to_contain_text("The server cannot be reached")
    page.unroute_all()
    feeds(page).get_by_role("button", name="Try again").click()
    expect(feeds(page).locator(".record")).to_have_count(1)
    expect(feeds(page).get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("allowed", [True, False])
def test_calendar_address_is_copied_or_selected(open_page: Open, seeded: Seed, allowed: bool) -> None:
    page = open_section(open_page, seeded, "appointments")
    page.evaluate(
        """allowed => Object.defineProperty(navigator, "clipboard", {
            value: {writeText: async (text) => { if (!allowed) throw new Error(); window.copied = text; }},
        })""",
        allowed,
    )
    feeds(page).get_by_role("button", name="Make an address").click()
    dialog = page.locator("dialog#feed[open]")
    field = dialog.get_by_label("Secret address")
    dialog.get_by_role("button", name="Copy the address").click()
    if allowed:
        expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("window.copied") == field.input_value()
        return
    expect(dialog.get_by_role("status")).to_contain_text("copy it yourself")
    assert page.evaluate("String(getSelection())") == field.input_value()


def a_file(folder: Path, count: int) -> Path:
    """Write a file of appointments as an older German system exports it; return it. Row 3 has no time."""
    lines = ["Termin-Nr;Patient;Datum;Uhrzeit;Leistung;Arzt;Telefon"]
    for index in range(count):
        minute = 9 * 60 + index * 15
        clock = "soon" if index == 2 else f"{minute // 60}:{minute % 60:02}"
        lines.append(f"T-{index};Müller, {index};{monday():%d.%m.%Y};{clock};Service A;Dr 1;+49 30 901820")
    file = folder / "termine.csv"
    file.write_bytes("\r\n".join(lines).encode("cp1252"))
    return file


def test_file_is_understood_imported_and_can_be_sent_again(
    open_page: Open, seeded: Seed, server: Server, tmp_path: Path
) -> None:
    page = open_section(open_page, seeded, "import")
    page.set_input_files("input[type=file]", a_file(tmp_path, 20))
    expect(page.get_by_label("Characters")).to_have_value("windows-1252")
    expect(page.get_by_label("Dates in the file")).to_have_value("dmy")
    preview = page.get_by_role("group", name="The first rows")
    expect(preview.locator("tbody tr").first).to_contain_text("Müller, 0")
    expect(preview.locator(".is-refused")).to_contain_text("Not understood or not possible")
    page.get_by_role("button", name="Import 20 rows").click()
    expect(page.locator(".import-said")).to_contain_text("Done. Rows: 20")
    expect(page.locator(".is-booked dd")).to_have_text("19")
    expect(page.locator("dl .is-refused dd")).to_have_text("1")
    assert len(states(server, seeded)) == 19
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the refused rows").click()
    text = saved.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert text[0].endswith("Line,Reason")
    assert text[1].startswith("T-2,")
    assert "4,Not understood or not possible: Date and time" in text[1]
    page.get_by_role("button", name="Import again").click()
    expect(page.locator(".is-unchanged dd")).to_have_text("19")
    assert len(states(server, seeded)) == 19


def test_import_needs_a_column_for_the_time(open_page: Open, seeded: Seed, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("Id,Name\n1,Ada\n", encoding="utf-8")
    page = open_section(open_page, seeded, "import")
    page.set_input_files("input[type=file]", file)
    start = page.get_by_role("button", name="Import 1 rows")
    expect(page.get_by_text("Choose a column for: Date and time in one")).to_be_visible()
    expect(start).to_be_disabled()
    page.get_by_label("Date and time in one").select_option("Name")
    expect(start).to_be_enabled()


def test_pages_fit_a_phone(open_page: Open, seeded: Seed, tmp_path: Path) -> None:
    for section in ("appointments", "import"):
        page = open_section(open_page, seeded, section, width=320, height=640)
        if section == "import":
            page.set_input_files("input[type=file]", a_file(tmp_path, 5))
            expect(page.get_by_role("button", name="Import 5 rows")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 320
