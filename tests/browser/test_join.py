"""Joining a queue with a phone: from the code on the screen to the ticket."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from server.identity.presence import CHANGES_MICROSECONDS, present_code
from server.seeding import Seed
from server.vault import Vault
from tests.browser.conftest import AWAY, Open
from tests.support.server import KEYS, Server

VAULT = Vault(KEYS.encryption_keys, KEYS.secret_key)
PHONE = {"width": 390, "height": 844}
OLD = ("403 (Forbidden)",)
REFUSED = ("409 (Conflict)",)
TICKET = re.compile(r"/t/[0-9]+-[A-Za-z0-9_-]{22}$")


@pytest.fixture
def admin(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "admin")) as client:
        yield client


@pytest.fixture
def change(admin: httpx.Client, seeded: Seed) -> Callable[..., None]:
    """Return a function that changes the rules of the site."""

    def change(**rules: Any) -> None:
        answer = admin.post("/api/v1/commands/change-site", json={"site_id": seeded["site_id"], **rules})
        assert answer.status_code == 200, answer.text

    return change


def code_of(seeded: Seed, ago: int = 0) -> str:
    return present_code(VAULT, seeded["site_id"], time.time_ns() // 1000 - ago).code


def entries(admin: httpx.Client, seeded: Seed) -> list[Any]:
    cells = admin.get(f"/api/v1/sites/{seeded['site_id']}/board").json()["cells"]
    return [cell for key, cell in cells.items() if key.startswith("entry:") and cell["by_phone"]]


def again(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    return page


def test_scan_shows_the_wait_and_one_touch_gives_the_ticket(
    open_page: Open, server: Server, seeded: Seed, admin: httpx.Client
) -> None:
    """The code of the display's QR code opens the queues. The ticket's page replaces the page in the history."""
    display = seeded["displays"][0]
    screen = open_page(f"/display/{display['id']}?token={display['token']}", width=1920, height=1080)
    expect(screen.locator(".join-code")).to_be_visible()
    letters = screen.locator(".join-code-letters").inner_text().replace(" ", "")
    assert letters in (code_of(seeded), code_of(seeded, CHANGES_MICROSECONDS))
    expect(screen.locator(".join-code-address")).to_have_text(f"{server.url.partition('://')[2]}/join/{seeded['site_id']}")
    # A module of the code has 6 pixels or more at 1080 lines, and the QR code is dark on white.
    side = screen.locator(".join-code-qr").evaluate(
        "each => each.getBoundingClientRect().width / each.viewBox.baseVal.width"
    )
    assert side >= 6

    page = open_page(f"/join/{seeded['site_id']}#{letters}", **PHONE)
    expect(page.locator("[data-queue-form]")).to_be_visible()
    assert page.url.endswith(f"/join/{seeded['site_id']}"), "the code is gone from the address"
    row = page.locator(".join-queue").first
    expect(row.locator(".join-queue-wait")).to_have_text(re.compile(r"\d+\u2013\d+ min"))
    expect(row.locator(".join-queue-waiting")).to_have_text(re.compile(r"\d waiting"))
    row.click()
    page.locator("[data-take]").dblclick()
    page.wait_for_url(TICKET)
    expect(page.locator(".ticket-label")).to_be_visible()
    (entry,) = entries(admin, seeded)
    expect(page.locator(".ticket-label")).to_have_text(entry["label"])
    ticket = page.url
    assert page.evaluate("history.length") == 2, "back leads to the page before, not to a second ticket"
    # The phone is led to its ticket, with or without a code.
    other = again(page.context, f"/join/{seeded['site_id']}")
    other.wait_for_url(ticket)
    assert len(entries(admin, seeded)) == 1


def test_code_of_yesterday_gets_a_kind_answer_and_a_place_for_the_present_code(open_page: Open, seeded: Seed) -> None:
    page = open_page(f"/join/{seeded['site_id']}#{code_of(seeded, 86_400 * 10**6)}", **PHONE, allowed=OLD)
    expect(page.locator("#code-error")).to_have_text("This code was shown earlier. Please use the code on the screen now.")
    expect(page.locator("#code")).to_be_focused()
    page.fill("#code", "ZZZ")
    page.keyboard.press("Enter")
    expect(page.locator("#code-error")).to_have_text(re.compile("not the code on the screen"))
    code = code_of(seeded)
    page.fill("#code", f" {code[:3].lower()}-{code[3:]}")
    page.keyboard.press("Enter")
    expect(page.locator("[data-queue-form]")).to_be_visible()


def test_phone_that_had_its_tickets_is_told_when_to_try_again(
    open_page: Open, seeded: Seed, change: Callable[..., None]
) -> None:
    change(joining="anywhere", joins_per_phone=1)
    page = open_page(f"/join/{seeded['site_id']}", **PHONE, allowed=REFUSED)
    page.locator(".join-queue").first.click()
    page.click("[data-take]")
    page.wait_for_url(TICKET)
    page.click("[data-leave]")
    page.click("[data-leave-now]")
    expect(page.locator("[data-state=left]")).to_be_visible()
    page.goto(f"/join/{seeded['site_id']}")
    page.locator(".join-queue").first.click()
    page.click("[data-take]")
    expect(page.locator("[data-title]")).to_have_text("This phone has had several tickets")
    expect(page.locator("[data-lead]")).to_have_text(re.compile(r"ask at the desk, or try again at \d\d:\d\d"))


def test_paused_and_full_queues_say_so_and_a_phone_number_is_asked_for(
    open_page: Open, seeded: Seed, admin: httpx.Client, change: Callable[..., None]
) -> None:
    change(joining="anywhere", phone_when_joining="required", region="DE")
    first, second = seeded["queue_ids"][:2]
    admin.post("/api/v1/commands/pause-queue", json={"queue_id": first}).raise_for_status()
    page = open_page(f"/join/{seeded['site_id']}", **PHONE)
    expect(page.locator(".join-queue").first).to_contain_text("No tickets at the moment")
    expect(page.locator(f"[name=queue][value='{first}']")).to_be_disabled()
    expect(page.locator(f"[name=queue][value='{second}']")).to_be_checked()
    page.click("[data-take]")
    expect(page.locator("#phone-error")).to_have_text("Enter a phone number with its area code.")
    page.fill("#phone", "030 901820")
    page.click("[data-take]")
    page.wait_for_url(TICKET)
    assert len(entries(admin, seeded)) == 1


def test_lost_answer_and_a_network_that_comes_back_give_one_ticket(
    open_page: Open, seeded: Seed, admin: httpx.Client, change: Callable[..., None]
) -> None:
    change(joining="anywhere")
    page = open_page(f"/join/{seeded['site_id']}", **PHONE, allowed=AWAY)
    page.locator(".join-queue").first.click()
    lost: list[str] = []

    def lose(route: Any) -> None:
        """Let the server carry the request out, and lose its answer."""
        route.fetch()
        lost.append(route.request.headers["idempotency-key"])
        route.abort()

    page.route("**/joining/ticket", lose)
    page.click("[data-take]")
    expect(page.locator("[data-notice]")).to_have_text("No connection. We keep trying.")
    assert len(lost) == 2
    assert len(set(lost)) == 1
    page.unroute("**/joining/ticket")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_url(TICKET)
    assert len(entries(admin, seeded)) == 1


def test_page_is_arabic_from_right_to_left(open_page: Open, seeded: Seed, change: Callable[..., None]) -> None:
    change(languages=["ar"])
    page = open_page(f"/join/{seeded['site_id']}?lang=ar#{code_of(seeded)}", **PHONE)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("[data-title]")).to_have_text("انضم إلى الطابور")
    page.locator(".join-queue").first.click()
    page.click("[data-take]")
    page.wait_for_url(re.compile(r"/t/.*lang=ar"))
    expect(page.locator("html")).to_have_attribute("lang", "ar")


def test_display_shows_no_code_while_it_is_stale_or_joining_is_off(
    open_page: Open, seeded: Seed, change: Callable[..., None]
) -> None:
    display = seeded["displays"][0]
    page = open_page(f"/display/{display['id']}?token={display['token']}", width=1920, height=1080, allowed=AWAY)
    code = page.locator(".join-code")
    expect(code).to_be_visible()
    change(joining="off")
    expect(code).to_be_hidden()
    change(joining="anywhere")
    expect(code).to_be_visible()
    expect(page.locator(".join-code-letters")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("body")).to_have_attribute("data-live", "stale")
    expect(code).to_be_hidden()
