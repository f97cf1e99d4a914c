"""The first run in a browser, from the printed address to the administrator's page: by keyboard alone, and in Arabic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from server.seeding import Seed
from tests.browser.conftest import Open, sign_in_as
from tests.browser.tabs import Watch
from tests.support.first_run import PASSWORD, newcomer, printed_address
from tests.support.server import Server, environment, serving

# Parts of the browser's own console messages, for answers that the tests cause.
REFUSED = ("401 (Unauthorized)", "403 (Forbidden)", "404 (Not Found)", "409 (Conflict)", "422 (Unprocessable")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """Yield a server without an administrator."""
    with serving(environment(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}"), tmp_path, name="fresh") as server:
        yield server


@pytest.fixture
def page(browser: Browser, fresh: Server) -> Iterator[Page]:
    """Yield a browser in Cairo that has never been here."""
    context = browser.new_context(base_url=fresh.url, timezone_id="Africa/Cairo", locale="en")
    page = context.new_page()
    watch = Watch(allowed=REFUSED)
    watch.over(page, fresh.url)
    yield page
    context.close()
    assert watch.complaints == []


def at(page: Page, step: str) -> None:
    """Wait until the page shows a step, and no other one."""
    expect(page.locator("body")).to_have_attribute("data-step", step)
    expect(page.locator("[data-at]:visible")).to_have_attribute("data-at", step)
    expect(page.locator("[aria-current=step]")).to_have_attribute("data-mark", step)


def test_newcomer_opens_a_clinic_by_keyboard_and_keeps_the_place_after_a_reload(fresh: Server, page: Page) -> None:
    address = printed_address(fresh)
    page.goto("/reception")
    expect(page).to_have_url(f"{fresh.url}/welcome")
    expect(page.locator("#code")).to_be_visible()  # the address has no code: the page asks for it
    page.goto("about:blank")
    page.goto(address)
    at(page, "account")
    expect(page.locator("#code")).to_be_hidden()
    page.reload()
    expect(page.locator("[name=username]")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("password1234")
    expect(page.locator("[data-strength]")).to_have_attribute("data-score", "1")
    page.keyboard.press("Enter")
    expect(page.locator("#password-error")).to_contain_text("easy to guess")
    expect(page.locator("[name=password]")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type(PASSWORD)
    expect(page.locator("[data-rule].is-kept")).to_have_count(3)
    expect(page.locator("#password-error")).to_be_empty()
    page.keyboard.press("Enter")
    at(page, "clinic")
    assert "#" not in page.url, "the address has no code any more"
    page.reload()
    at(page, "clinic")
    expect(page.locator("[name=name]")).to_be_focused()
    expect(page.locator("[data-zone-name]")).to_contain_text("Cairo")
    page.keyboard.type("Riverside Clinic")
    page.locator("[data-change-zone]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#zone-text")).to_be_focused()
    page.keyboard.type("buenos")
    expect(page.locator("[data-zones] label")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("[data-zone-name]")).to_contain_text("Buenos Aires")
    page.locator("[name=name]").focus()
    page.keyboard.press("Enter")
    at(page, "services")
    page.reload()
    at(page, "services")
    page.locator("[name=template]:checked").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[name=template]:checked")).to_have_value("blood-tests")
    queues = page.locator("[data-group=queues] [data-record-name]")
    count = queues.count()
    page.locator("[data-group=queues] [data-add]").focus()
    page.keyboard.press("Enter")
    expect(queues).to_have_count(count + 1)
    expect(queues.last).to_be_focused()
    page.keyboard.type("Vaccines")
    page.keyboard.press("Enter")
    expect(page.locator("[data-group=rooms] .plan-row").first).to_contain_text("Vaccines")  # Enter ends the name
    page.locator("form[data-services] [type=submit]").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{fresh.url}/admin")
    expect(page.locator("[data-step]")).to_have_count(5)
    site = page.request.get("/api/v1/session").json()["sites"][0]
    assert site["name"] == "Riverside Clinic"
    assert site["time_zone"].endswith("/Buenos_Aires")
    configured = page.request.get(f"/api/v1/sites/{site['id']}").json()
    assert [queue["name"] for queue in configured["queues"]][-1] == "Vaccines"
    assert len(configured["points"]) == 5
    assert [display["name"] for display in configured["displays"]] == ["Waiting room"]
    page.goto("/welcome")  # nothing is left to do there
    expect(page).to_have_url(f"{fresh.url}/admin")


def test_wrong_code_and_a_second_person_are_refused_with_the_next_step(fresh: Server, page: Page, browser: Browser) -> None:
    page.goto("/welcome")
    page.fill("#code", "aaaa aaaa")
    page.fill("[name=username]", "mallory")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#code-error")).to_contain_text("4 more tries")
    expect(page.locator("#code")).to_be_focused()
    code = printed_address(fresh).rpartition("=")[2]
    other = browser.new_context(base_url=fresh.url)
    made = other.request.post("/api/v1/setup", data={"code": code, "username": "ada", "password": PASSWORD})
    assert made.status == 201
    other.close()
    page.fill("#code", code)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{fresh.url}/sign-in?next=%2Fwelcome")


def test_set_up_in_arabic_names_the_queues_in_arabic(open_page: Open, env: dict[str, str]) -> None:
    seeded = newcomer(env, with_site=False)
    page = open_page("/docs", width=390, height=844, allowed=("404 (Not Found)",))
    sign_in_as(page.request, seeded, "admin", page.url.rsplit("/", 1)[0])
    page.goto("/welcome?lang=ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("[name=language]")).to_have_value("ar")
    page.fill("[name=name]", "عيادة النهر")
    page.check("[data-languages] [value=en]")
    page.locator("form[data-clinic] [type=submit]").click()
    at(page, "services")
    page.locator("[data-back]").click()  # the step can be repeated
    at(page, "clinic")
    page.fill("[name=name]", "عيادة البحر")
    page.locator("form[data-clinic] [type=submit]").click()
    at(page, "services")
    page.locator("form[data-services] [type=submit]").click()
    expect(page).to_have_url(re.compile("/admin$"))
    site = page.request.get("/api/v1/session").json()["sites"][0]
    assert (site["name"], site["language"]) == ("عيادة البحر", "ar")
    queue = page.request.get(f"/api/v1/sites/{site['id']}").json()["queues"][0]
    assert queue["name"] != queue["names"]["en"] == "Doctor"


def test_first_steps_tick_themselves_and_the_trial_is_marked(open_page: Open, seeded: Seed) -> None:
    """The screen is paired on the page, and shows the test patients of the trial as such."""
    page = open_page("/docs", allowed=REFUSED)
    sign_in_as(page.request, seeded, "admin", page.url.rsplit("/", 1)[0])
    page.goto("/admin")
    step = page.locator("[data-step=screen_paired]")
    expect(step).not_to_have_class("is-done")
    screen = open_page("/display", width=1280, height=720, allowed=("404 (Not Found)",))
    code = screen.locator("[data-code]")
    expect(code).not_to_be_empty()
    page.fill("#first-code", "AAAAAA")
    page.keyboard.press("Enter")
    expect(page.locator("#first-code-error")).not_to_be_empty()
    page.fill("#first-code", code.inner_text())
    page.keyboard.press("Enter")
    expect(page.locator("[data-step=screen_paired].is-done")).to_be_visible()
    expect(screen.locator("body")).to_have_attribute("data-live", "live")
    page.locator(".trial .is-primary").click()
    expect(page.locator(".trial-patient")).to_have_count(3)
    expect(screen.locator(".call.is-trial .call-name")).to_have_text("Test patient")
    page.get_by_role("button", name="End the trial").click()
    expect(screen.locator(".call")).to_have_count(0)
    expect(page.locator("[data-step=ticket_called].is-done")).to_have_count(0)
    queue = seeded["queue_ids"][0]
    base = page.url.rsplit("/", 1)[0]
    assert page.request.post(f"{base}/api/v1/commands/issue-ticket", data={"queue_id": queue}).ok
    expect(page.locator("[data-step=ticket_issued].is-done")).to_be_visible()
    member = {"username": f"bea-{seeded['site_id']}", "password": PASSWORD, "role": "clinician"}
    assert page.request.post(f"{base}/api/v1/staff", data=member).ok
    expect(page.locator("[data-step=colleague_added].is-done")).to_be_visible()
    with page.expect_popup() as poster:
        page.locator("[data-step=poster_printed] a").click()
    expect(page.locator("[data-step=poster_printed].is-done")).to_be_visible()
    poster.value.close()
