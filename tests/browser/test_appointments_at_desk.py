"""Reception's day of appointments and the room's list in a real browser: by keyboard, by drag, and with two desks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open, sign_in_as
from tests.support.appointments import Day
from tests.support.server import Server, seed

pytestmark = pytest.mark.long

REFUSED = ("409 (Conflict)",)
FAILED = (*REFUSED, "ERR_INTERNET_DISCONNECTED", "ERR_FAILED")
KNOWN = {
    "phone": "+44 20 7946 0018",
    "email": "edith@clinic.example",
    "date_of_birth": "1985-12-10",
    "note": "asks for a chair",
}
OpenDesk = Callable[..., Page]


@pytest.fixture
def seeded(day: Day) -> Seed:
    return day.seeded


@pytest.fixture
def open_desk(open_page: Open, seeded: Seed) -> OpenDesk:
    """Return a function that opens a page of the staff, signed in."""

    def open_desk(path: str = "/reception", role: str = "receptionist", width: int = 1440, height: int = 900) -> Page:
        page = open_page("/", width=width, height=height, allowed=FAILED)
        sign_in_as(page.request, seeded, role)
        page.goto(path)
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        expect(page.locator("[data-appointment]").first).to_be_visible()
        return page

    return open_desk


def row(desk: Page, name: str) -> Locator:
    return desk.locator("[data-day] [data-appointment]", has_text=name)


def expect_message(desk: Page, text: str | re.Pattern[str]) -> None:
    expect(desk.locator("[data-message]")).to_have_text(text)


def test_patient_is_checked_in_with_one_key(open_desk: OpenDesk) -> None:
    """The row shows the ticket and leads to it. The undo gives the ticket back. A late patient is asked about first."""
    desk = open_desk()
    press = desk.keyboard.press
    expect(row(desk, "Amina")).to_have_attribute("data-stage", "too_late")
    expect(desk.locator("[data-day-counts]")).to_have_text("5 to come · 1 late")
    press("j")
    expect(row(desk, "Amina")).to_be_focused()
    expect(desk.locator(".guest-name")).to_have_text("Amina Haddad")
    press("k")
    confirm = desk.locator("#confirm[open]")
    expect(confirm.locator("h2")).to_have_text("Amina Haddad is too late")
    press("Enter")
    expect_message(desk, "Amina Haddad is checked in: A003.")
    press("ArrowDown")
    expect(desk.locator(".guest-name")).to_have_text("Bo Lindqvist")
    press("k")
    expect_message(desk, "Bo Lindqvist is checked in: B003.")
    expect(row(desk, "Bo")).to_have_attribute("data-stage", "checked_in")
    expect(row(desk, "Bo").locator(".day-state")).to_have_text("B003")
    expect(desk.locator(".guest-ticket")).to_have_text("B003")
    press("Enter")
    expect(desk.locator('[data-label="B003"]')).to_be_focused()
    press("u")
    expect_message(desk, "The last step of B003 is taken back.")
    expect(row(desk, "Bo")).not_to_have_attribute("data-stage", "checked_in")
    expect(desk.locator('[data-label="B003"]')).to_have_count(0)
    press("?")
    keys = desk.locator("#keys[open] .keys-row")
    expect(keys.filter(has_text="Check in")).to_contain_text("k")
    expect(keys.filter(has_text=re.compile("^Book"))).to_contain_text("f")


def test_appointment_is_booked_moved_amended_and_cancelled_by_keyboard(open_desk: OpenDesk, do: Do, day: Day) -> None:
    """The chosen time is held while the name is typed, and another desk sees that. Closing the dialog gives it back."""
    desk, other = open_desk(), open_desk()
    press = desk.keyboard.press
    press("f")
    book = desk.locator("#book")
    expect(book.locator(".free-time input").first).to_be_focused()
    press("Space")
    expect(book.locator(".slot-kept")).to_contain_text("is kept while you type")
    held = row(other, "Being booked")
    expect(held).to_be_visible()
    press("Escape")
    expect(held).to_have_count(0)
    press("f")
    expect(book.locator(".free-time input").first).to_be_focused()
    press("ArrowRight")
    expect(book.locator(".slot-kept")).to_contain_text("is kept while you type")
    press("Enter")
    expect(book.locator('[data-error="name"]')).to_have_text("Enter the patient\u2019s name.")
    desk.keyboard.type("Zoe Quist")
    press("Enter")
    expect_message(desk, re.compile(r"Booked: Zoe Quist, .*, with Dr \d\."))
    expect(row(other, "Zoe")).to_be_visible()
    row(desk, "Zoe").focus()
    press("m")
    move = desk.locator("#reschedule")
    expect(move.locator(".free-time input").first).to_be_focused()
    wanted = "17:00"
    move.locator("[name=wish]").fill(wanted)
    expect(move.locator(f'.free-time input[value$="{wanted}/0"]')).to_be_checked()
    press("Enter")
    expect_message(desk, re.compile(f"The appointment of Zoe Quist is moved: .*{wanted}"))
    expect(row(other, "Zoe").locator(".day-time")).to_have_text(wanted)
    press("e")
    amend = desk.locator("#amend-appointment")
    amend.locator("[name=name]").fill("Zoe Quist-Berg")
    amend.get_by_text("Interpreter").click()
    amend.locator("[name=phone]").fill("nonsense")
    press("Enter")
    expect(amend.locator('[data-error="phone"]')).to_contain_text("Enter a phone number")
    amend.locator("[name=phone]").fill("+44 20 7946 0018")
    press("Enter")
    expect_message(desk, "The details of Zoe Quist-Berg are changed.")
    expect(row(other, "Zoe Quist-Berg")).to_contain_text("Interpreter")
    press("d")
    confirm = desk.locator("#confirm[open]")
    expect(confirm).to_contain_text(wanted)
    press("Enter")
    expect_message(desk, "The appointment of Zoe Quist-Berg is cancelled.")
    expect(row(other, "Zoe")).to_have_count(0)


def test_details_are_requested_corrected_and_removed(open_desk: OpenDesk, do: Do, day: Day, server: Server) -> None:
    """The dialog shows what the server knows, and sends what has changed alone. An emptied field removes its value."""
    appointment_id = day.appointments["Edith Okafor"]["id"]
    do("amend-appointment", appointment_id=appointment_id, **KNOWN)
    desk = open_desk()
    row(desk, "Edith").click()
    desk.keyboard.press("e")
    amend = desk.locator("#amend-appointment")
    expect(amend.locator("[name=phone]")).to_have_value(re.compile("7946"))
    for name in ("email", "date_of_birth", "note"):
        expect(amend.locator(f"[name={name}]")).to_have_value(KNOWN[name])
    expect(amend.locator(".request-line")).to_contain_text("A field that you empty is removed.")
    amend.locator("[name=note]").fill("")
    amend.locator("[name=email]").fill("okafor@clinic.example")
    with desk.expect_request("**/commands/amend-appointment") as sent:
        desk.keyboard.press("Enter")
    assert sent.value.post_data_json == {"appointment_id": appointment_id, "email": "okafor@clinic.example", "note": ""}
    expect_message(desk, "The details of Edith Okafor are changed.")
    with server.client(server.sign_in(day.seeded, "receptionist")) as client:
        now = client.get(f"/api/v1/sites/{day.seeded['site_id']}/appointments/{appointment_id}").json()
    assert (now["email"], now["note"], now["phone"]) == ("okafor@clinic.example", None, "+442079460018")


def test_details_that_do_not_arrive_stay_and_nothing_typed_is_lost(open_desk: OpenDesk, do: Do, day: Day) -> None:
    appointment_id = day.appointments["Edith Okafor"]["id"]
    do("amend-appointment", appointment_id=appointment_id, **KNOWN)
    desk = open_desk()
    own = f"**/appointments/{appointment_id}"
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    desk.route(own, hold)
    row(desk, "Edith").click()
    desk.keyboard.press("e")
    amend = desk.locator("#amend-appointment")
    line = amend.locator(".request-line")
    expect(line).to_contain_text("Loading phone")
    expect(amend.locator("[name=phone]")).to_be_disabled()
    amend.locator("[name=name]").fill("Edith Okafor-Bell")
    held[0].abort()
    expect(line).to_contain_text("did not arrive. They stay as they are.")
    expect(amend.locator("[name=name]")).to_have_value("Edith Okafor-Bell")
    desk.unroute(own)
    line.get_by_role("button", name="Try again").press("Enter")
    expect(amend.locator("[name=note]")).to_have_value(KNOWN["note"])
    expect(amend.locator("[name=name]")).to_have_value("Edith Okafor-Bell")
    expect(amend.locator("[name=name]")).to_be_focused()
    desk.route(own, lambda route: route.abort())
    desk.keyboard.press("Escape")
    desk.keyboard.press("e")
    expect(line).to_contain_text("did not arrive")
    amend.locator("[name=name]").fill("Edith Bell")
    with desk.expect_request("**/commands/amend-appointment") as sent:
        desk.keyboard.press("Enter")
    assert sent.value.post_data_json == {"appointment_id": appointment_id, "name": "Edith Bell"}
    expect_message(desk, "The details of Edith Bell are changed.")


def test_dialog_that_opens_again_at_once_gets_its_data(open_desk: OpenDesk) -> None:
    """The browser reports the end of a dialog late, when the next request is on its way already."""
    desk = open_desk()
    row(desk, "Edith").click()
    desk.keyboard.press("e")
    note = desk.locator("#amend-appointment [name=note]")
    expect(note).to_be_enabled()
    desk.evaluate(
        "document.querySelector('#amend-appointment').close(), document.querySelector('[data-action=amend-visit]').click()"
    )
    expect(note).to_be_enabled()


def test_history_tells_who_did_what(open_desk: OpenDesk, do: Do, day: Day) -> None:
    """Reception reads user names, a clinician does not. A patient with a ticket keeps the history. A manager has none."""
    booked = day.appointments["Carla Mendes"]
    do("reschedule", appointment_id=booked["id"], version=1, local_start=f"{day.date}T18:00")
    do("amend-appointment", appointment_id=booked["id"], note="asks for a chair")
    label = do("check-in", appointment_id=booked["id"], anyway=True)["entry"]["label"]
    desk = open_desk()
    row(desk, "Carla").click()
    desk.get_by_role("button", name=re.compile("^More")).click()
    desk.locator("[data-more]").get_by_role("button", name=re.compile("^History")).click()
    history = desk.locator("#history[open]")
    expect(history.locator("h2")).to_have_text("History of Carla Mendes")
    what = history.locator(".history-what")
    expect(what.filter(has_text=re.compile("Booked: .*, with Dr 1"))).to_have_count(1)
    expect(what.filter(has_text=re.compile("Moved from .* to .*18:00"))).to_have_count(1)
    expect(what.filter(has_text="Details changed")).to_have_count(1)
    last = history.locator(".history-step").last
    expect(last).to_contain_text(f"Checked in: {label}")
    expect(last.locator(".history-who")).to_contain_text("by receptionist-")
    expect(history.locator(".history-who").first).to_have_text("by the system")
    desk.keyboard.press("Escape")
    desk.locator(f'[data-label="{label}"]').focus()
    desk.keyboard.press("w")
    expect(history.locator(".history-step").last).to_contain_text("Checked in")
    clinician = open_desk(role="clinician")
    clinician.locator(f'[data-label="{label}"]').focus()
    clinician.keyboard.press("w")
    expect(clinician.locator("#history .history-who").last).to_have_text("by a member of staff")
    manager = open_desk(role="manager")
    manager.locator("[data-day] [data-appointment]").first.click()
    manager.keyboard.press("w")
    expect(manager.locator('[data-action="history"]')).to_be_hidden()
    expect(manager.locator("#history")).to_have_count(0)


def test_history_that_does_not_arrive_is_requested_again(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.route("**/history", lambda route: route.abort())
    row(desk, "Edith").click()
    desk.keyboard.press("w")
    history = desk.locator("#history[open]")
    expect(history.locator(".request-line")).to_contain_text("The history did not arrive.")
    desk.unroute("**/history")
    history.get_by_role("button", name="Try again").click()
    expect(history.locator(".history-what").first).to_contain_text("Booked")


def test_loser_of_two_desks_reads_what_has_changed(open_desk: OpenDesk, do: Do, day: Day) -> None:
    """A colleague moves the appointment while the dialog is open. The dialog says where it is now, and can go on."""
    desk = open_desk()
    booked = day.appointments["Edith Okafor"]
    row(desk, "Edith").click()
    desk.keyboard.press("m")
    move = desk.locator("#reschedule")
    expect(move.locator(".free-time").first).to_be_visible()
    do("reschedule", appointment_id=booked["id"], version=1, local_start=f"{day.date}T18:00")
    move.locator("[name=wish]").fill("18:30")
    expect(move.locator('.free-time input[value$="18:30/0"]')).to_be_checked()
    desk.keyboard.press("Enter")
    expect(move.locator('[data-error="form"]')).to_contain_text("Somebody has changed this appointment meanwhile")
    expect(move.locator('[data-error="form"]')).to_contain_text("18:00")
    expect(move.locator("[data-lead]")).to_contain_text("18:00")
    desk.keyboard.press("Enter")
    expect_message(desk, re.compile("is moved: .*18:30"))


def test_taken_time_explains_itself_and_is_overbooked_with_a_reason(open_desk: OpenDesk, day: Day) -> None:
    desk = open_desk()
    desk.keyboard.press("f")
    book = desk.locator("#book")
    expect(book.locator(".free-time").first).to_be_visible()
    taken = day.appointments["Dmitri Volkov"]
    book.locator("[name=provider]").select_option(str(taken["provider_id"]))
    book.locator("[name=wish]").fill(taken["local_start"][11:])
    expect(book.locator(".slot-why")).to_contain_text("It is taken.")
    book.locator("[name=name]").fill("Urgent Case")
    desk.keyboard.press("Enter")
    expect(book.locator('[data-error="overbook"]')).to_contain_text("Give a reason")
    book.locator("[name=overbook]").fill("an emergency")
    desk.keyboard.press("Enter")
    expect(row(desk, "Urgent Case")).to_contain_text("Overbooked: an emergency")


def test_time_chosen_while_the_list_loads_stays_chosen(open_desk: OpenDesk, day: Day) -> None:
    desk = open_desk()
    desk.keyboard.press("f")
    book = desk.locator("#book")
    expect(book.locator(".free-time").first).to_be_visible()
    answers: list[Route] = []
    desk.route("**/slots?**", lambda route: answers.append(route))  # noqa: PLW0108 - Playwright marks the function
    book.locator("[name=provider]").select_option(str(day.seeded["provider_ids"][1]))
    while not answers:
        desk.wait_for_timeout(10)
    chosen = book.locator('.free-time input[value$="18:00/0"]')
    chosen.check()
    expect(book.locator(".slot-kept")).to_contain_text("18:00 with Dr 2")  # the list comes later, and lacks this time
    answers.pop().continue_()
    expect(book.locator(".free-times")).not_to_have_attribute("aria-busy", "true")
    expect(chosen).to_be_checked()
    expect(book.locator(".slot-kept")).to_contain_text("18:00 with Dr 2")


def test_second_appointment_of_a_phone_is_asked_about(open_desk: OpenDesk, do: Do, day: Day) -> None:
    """The same phone number at the same time needs a tick. A walk-in ticket for it offers the check-in instead."""
    first, second = day.seeded["provider_ids"][:2]
    at = f"{day.date}T18:00"
    service = day.seeded["service_ids"][0]
    do(
        "book",
        site_id=day.seeded["site_id"],
        service_id=service,
        provider_id=first,
        local_start=at,
        name="Ada",
        phone="+44 20 7946 0018",
    )
    desk = open_desk()
    desk.keyboard.press("f")
    book = desk.locator("#book")
    expect(book.locator(".free-time").first).to_be_visible()
    book.locator("[name=provider]").select_option(str(second))
    book.locator("[name=wish]").fill("18:00")
    expect(book.locator(".slot-kept")).to_contain_text("18:00")
    book.locator("[name=name]").fill("Ada Again")
    book.locator("[name=phone]").fill("+44 20 7946 0018")
    desk.keyboard.press("Enter")
    expect(book.locator('[data-error="form"]')).to_contain_text("already has an appointment at this time")
    expect(book.locator("[name=anyway]")).to_be_focused()
    desk.keyboard.press("Space")
    desk.keyboard.press("Enter")
    expect(row(desk, "Ada Again")).to_be_visible()
    desk.keyboard.press("i")
    issue = desk.locator("#issue")
    issue.locator("[name=phone]").fill("+44 20 7946 0018")
    desk.keyboard.press("Enter")
    expect(issue.locator('[data-error="form"]')).to_contain_text("has an appointment today at 18:00")
    issue.get_by_role("button", name="Check in instead").click()
    expect(desk.locator("#confirm[open]")).to_contain_text("is early")
    desk.keyboard.press("Enter")
    expect_message(desk, re.compile("is checked in: [AB]00"))


def test_row_is_dragged_onto_a_queue_and_onto_another_time(open_desk: OpenDesk, day: Day) -> None:
    """A drop on a queue checks the patient in there. A drop on another appointment asks for a time near it."""
    desk = open_desk()
    row(desk, "Bo").drag_to(desk.locator(f'[data-queue="{day.seeded["queue_ids"][0]}"] .queue-column-body'))
    expect_message(desk, re.compile("Bo Lindqvist is checked in: A003"))
    row(desk, "Edith").drag_to(row(desk, "Dmitri"))
    move = desk.locator("#reschedule[open]")
    expect(move.locator(".slot-why")).to_contain_text("It is taken.")
    expect(move.locator("[name=wish]")).to_have_value(day.appointments["Dmitri Volkov"]["local_start"][11:])


def test_search_finds_appointments_by_name(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.keyboard.press("/")
    desk.keyboard.type("carla")
    expect(desk.locator("[data-search-status]")).to_have_text("1 found")
    expect(row(desk, "Amina")).to_have_count(0)
    desk.keyboard.press("Enter")
    expect(row(desk, "Carla")).to_be_focused()


def test_desk_without_appointments_loads_nothing_of_them(open_page: Open, env: dict[str, str], server: Server) -> None:
    page = open_page("/", width=1440)
    sign_in_as(page.request, seed(env, points=1, tickets=2), "receptionist")
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto("/reception")
    expect(page.locator("[data-entry]").first).to_be_visible()
    expect(page.locator("[data-day]")).to_be_hidden()
    expect(page.locator('[data-action="book"]')).to_be_hidden()
    assert not [url for url in loaded if re.search(r"/day\.|appointments/|appointment-", url)]


def test_room_lists_the_appointments_of_its_clinician(open_page: Open, do: Do, day: Day) -> None:
    """The list changes at once with a check-in, and with the clinician at the point."""
    point = day.seeded["point_ids"][0]
    first, second = day.seeded["provider_ids"][:2]
    do("staff-point", point_id=point, provider_id=first)
    page = open_page("/", width=390, height=844)
    sign_in_as(page.request, day.seeded, "clinician")
    page.goto("/room")
    page.get_by_role("button", name=re.compile("Room 1")).click()
    today = page.locator("[data-today]")
    expect(today.locator("[data-appointment]")).to_have_count(3)
    expect(today.locator("[data-appointment]").first).to_contain_text("Amina Haddad")
    expect(today.locator("[data-appointment]").first).to_have_attribute("data-stage", "too_late")
    do("check-in", appointment_id=day.appointments["Carla Mendes"]["id"])
    expect(today.locator("[data-appointment]", has_text="Carla")).to_contain_text(re.compile("here: [AB]00"))
    do("staff-point", point_id=point, provider_id=second)
    expect(today.locator("[data-appointment]")).to_have_count(2)
    expect(today).to_contain_text("Bo Lindqvist")
