"""After an outage: the question "Still valid?" at reception and in the room, and the words for the patient and the hall."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open, sign_in_as
from tests.support.outages import outage_noted
from tests.support.server import Server, seed

pytestmark = pytest.mark.long

OpenDesk = Callable[..., Page]


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """Return a new site with four points for each test."""
    return seed(env, points=4, tickets=8, displays=1)


@pytest.fixture
def open_desk(open_page: Open, seeded: Seed) -> OpenDesk:
    """Return a function that opens a page of the staff, signed in."""

    def open_desk(path: str = "/reception", role: str = "receptionist", width: int = 1440) -> Page:
        page = open_page("/", width=width, height=900, allowed=("409 (Conflict)",))
        sign_in_as(page.request, seeded, role)
        page.goto(path)
        return page

    return open_desk


def live(page: Page) -> Page:
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def question(page: Page, label: str) -> Locator:
    return page.locator("[data-doubt]", has_text=label)


def test_reception_answers_each_question_with_one_touch_or_key(
    open_desk: OpenDesk, do: Do, seeded: Seed, env: dict[str, str]
) -> None:
    points = seeded["point_ids"]
    called = [do("call-next", point_id=point_id)["entry"] for point_id in points[:3]]
    serving = do("call-next", point_id=points[3])["entry"]
    do("start", entry_id=serving["id"])
    desk, other = live(open_desk()), live(open_desk())
    band = desk.locator("[data-doubts]")
    expect(band).to_have_count(0)
    outage_noted(env, seeded["site_id"])
    expect(band).to_be_visible()
    expect(band.locator("[data-doubt]")).to_have_count(4)
    expect(band.get_by_role("heading", name="Still valid?")).to_be_visible()
    expect(band.locator("[role=status]")).to_have_text(re.compile(r"^We were offline from \d\d:\d\d to \d\d:\d\d\."))
    expect(question(desk, serving["label"]).get_by_role("button")).to_have_text(["Still here", "Finished"])
    first = question(desk, called[0]["label"])
    expect(first.get_by_role("button")).to_have_text(["Still here", "Call again", "Back in line, same place", "Not here"])

    # By key: the focus goes on to the next question.
    first.get_by_role("button", name="Still here").focus()
    desk.keyboard.press("Enter")
    expect(first).to_have_count(0)
    expect(desk.locator("[data-message]")).to_have_text(f"{called[0]['label']} is still here.")
    expect(question(desk, called[1]["label"]).get_by_role("button", name="Still here")).to_be_focused()
    expect(question(other, called[0]["label"])).to_have_count(0)

    question(desk, called[1]["label"]).get_by_role("button", name="Call again").click()
    expect(question(desk, called[1]["label"])).to_have_count(0)
    question(desk, called[2]["label"]).get_by_role("button", name="Back in line").click()
    expect(question(desk, called[2]["label"])).to_have_count(0)
    expect(desk.locator(f'[data-entry="{called[2]["id"]}"]')).to_have_attribute("data-state", "waiting")

    # A usual step answers, too.
    do("complete", entry_id=serving["id"])
    expect(band).to_be_hidden()
    expect(other.locator("[data-doubts]")).to_be_hidden()


def test_all_questions_have_one_answer(open_desk: OpenDesk, do: Do, seeded: Seed, env: dict[str, str]) -> None:
    called = [do("call-next", point_id=point_id)["entry"] for point_id in seeded["point_ids"][:2]]
    serving = do("call-next", point_id=seeded["point_ids"][2])["entry"]
    do("start", entry_id=serving["id"])
    outage_noted(env, seeded["site_id"])
    desk = live(open_desk())
    desk.get_by_role("button", name="All called patients back in line").click()
    for entry in called:
        expect(desk.locator(f'[data-entry="{entry["id"]}"]')).to_have_attribute("data-state", "waiting")
    expect(desk.locator("[data-doubt]")).to_have_count(1)
    expect(desk.get_by_role("button", name="All are still here")).to_be_hidden()
    question(desk, serving["label"]).get_by_role("button", name="Still here").click()
    expect(desk.locator("[data-doubts]")).to_be_hidden()


def test_room_asks_about_its_own_patient(open_desk: OpenDesk, do: Do, seeded: Seed, env: dict[str, str]) -> None:
    called = do("call-next", point_id=seeded["point_ids"][0])["entry"]
    room = open_desk("/room", "clinician", width=800)
    room.locator(f'[data-choose="{seeded["point_ids"][0]}"]').click()
    live(room)
    outage_noted(env, seeded["site_id"])
    box = room.locator("[data-doubt]")
    expect(box).to_contain_text(f"Is {called['label']} still here?")
    box.get_by_role("button", name="Still here").click()
    expect(box).to_be_hidden()
    expect(room.locator('[data-action="start"]')).to_be_focused()


def test_display_and_patient_are_not_sent_to_the_room(open_page: Open, do: Do, seeded: Seed, env: dict[str, str]) -> None:
    called = do("call-next", point_id=seeded["point_ids"][0])["entry"]
    token = next(each["token"] for each in seeded["tickets"] if each["label"] == called["label"])
    screen = seeded["displays"][0]
    outage_noted(env, seeded["site_id"])
    display = live(open_page(f"/display/{screen['id']}?token={screen['token']}", width=1920, height=1080))
    phone = live(open_page(f"/t/{token}", width=390, height=844))
    line = display.locator("[data-doubtful-calls]")
    expect(line).to_contain_text("please ask at reception")
    expect(line.get_by_role("listitem")).to_have_text([called["label"]])
    expect(display.locator("[data-call]")).to_have_count(0)
    expect(display.locator("[data-last-calls]")).to_be_hidden()
    expect(phone.locator(".ticket-headline")).to_have_text("Please ask at reception")
    expect(phone.locator(".ticket-advice")).to_have_text(re.compile(r"^We were offline from \d\d:\d\d to \d\d:\d\d\."))
    expect(phone.locator("[data-coming]")).to_be_hidden()
    do("recall", entry_id=called["id"])
    expect(display.locator(f'[data-call="{called["label"]}"]')).to_be_visible()
    expect(line).to_be_hidden()
    expect(phone.locator(".ticket")).to_have_attribute("data-state", "called")
    expect(phone.locator("[data-coming]")).to_be_visible()
