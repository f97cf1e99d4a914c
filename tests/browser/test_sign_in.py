"""Signing in: what is wrong is said where it is wrong, and one gets to where one wanted to go, and nowhere else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from server.domain import roles
from server.seeding import Seed, StaffSeed
from tests.browser.conftest import Open
from tests.browser.states import SECONDS
from tests.support.server import Server

# The browser itself writes these lines, for answers that the tests ask for.
UNAUTHORISED = ("401 (Unauthorized)",)
LOCKED = (*UNAUTHORISED, "429 (Too Many Requests)")
HOMES = {"admin": "/reception", "manager": "/reception", "receptionist": "/reception", "clinician": "/room"}


def member(seeded: Seed, role: str) -> StaffSeed:
    return next(each for each in seeded["staff"] if each["role"] == role)


def fill(page: Page, username: str, password: str) -> None:
    page.fill("[name=username]", username)
    page.fill("[name=password]", password)
    page.click("[type=submit]")


def at_work(page: Page) -> None:
    """Wait until a screen is live. A room's is not before it has been said which room it is."""
    if page.url.endswith("/room"):
        page.locator("[data-choose]").first.click()
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=20 * SECONDS)


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_is_led_to_its_screen(open_page: Open, seeded: Seed, server: Server, role: str) -> None:
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    who = member(seeded, role)
    fill(page, who["username"], who["password"])
    page.wait_for_url(f"{server.url}{HOMES[role]}")
    at_work(page)
    page.goto("/")
    expect(page.locator("[data-who]")).to_contain_text(who["username"])
    expect(page.locator("[data-home]")).to_have_attribute("href", HOMES[role])
    page.click("[data-sign-out]")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_one_comes_back_to_where_one_wanted_to_go(open_page: Open, seeded: Seed, server: Server) -> None:
    """A page that needs a session sends one here, and gets one back with all of its address."""
    page = open_page("/reception?from=bookmark", allowed=UNAUTHORISED)
    page.wait_for_url("**/sign-in?next=%2Freception%3Ffrom%3Dbookmark")
    who = member(seeded, "clinician")
    fill(page, who["username"], who["password"])
    page.wait_for_url(f"{server.url}/reception?from=bookmark")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/%5Cevil.example", "javascript:alert(1)"])
def test_no_address_leads_away(open_page: Open, seeded: Seed, server: Server, wanted: str) -> None:
    page = open_page(f"/sign-in?next={wanted}", allowed=UNAUTHORISED)
    who = member(seeded, "receptionist")
    fill(page, who["username"], who["password"])
    page.wait_for_url(f"{server.url}/reception")


def test_what_is_missing_is_said_beside_its_field(open_page: Open) -> None:
    page = open_page("/sign-in")
    page.press("[name=username]", "Enter")
    expect(page.locator("#username-error")).to_have_text("Enter your user name.")
    expect(page.locator("#password-error")).to_have_text("Enter your password.")
    expect(page.locator("[name=username]")).to_be_focused()
    expect(page.locator("[name=username]")).to_have_attribute("aria-invalid", "true")
    expect(page).to_have_title("Error: Sign in")
    page.keyboard.type("somebody")
    page.keyboard.press("Enter")
    expect(page.locator("#username-error")).to_be_empty()
    expect(page.locator("[name=password]")).to_be_focused()


def test_a_lock_out_is_explained(open_page: Open, seeded: Seed) -> None:
    """After five wrong passwords one is told for how long, and it is nobody's field that is wrong."""
    page = open_page("/sign-in", allowed=LOCKED)
    who = member(seeded, "manager")
    wrong = page.locator("#password-error")
    for _ in range(5):
        fill(page, who["username"], "not it")
        expect(wrong).to_have_text("The user name or the password is wrong.")
        expect(page.locator("[type=submit]")).not_to_have_attribute("aria-busy", "true")
    fill(page, who["username"], who["password"])
    expect(page.locator("[data-form-error]")).to_have_text(re.compile(r"Too many wrong passwords.* for \d+ minutes?\."))
    expect(wrong).to_be_empty()
    expect(page.locator("[name=password]")).to_be_focused()


def test_a_server_that_cannot_be_reached_is_no_wrong_password(open_page: Open, seeded: Seed) -> None:
    page = open_page("/sign-in", allowed=("net::ERR_INTERNET_DISCONNECTED",))
    expect(page.locator("[type=submit]")).to_be_enabled()
    page.context.set_offline(True)
    who = member(seeded, "manager")
    fill(page, who["username"], who["password"])
    expect(page.locator("[data-form-error]")).to_contain_text("cannot be reached")
    expect(page.locator("#password-error")).to_be_empty()
    page.context.set_offline(False)


def test_the_password_can_be_looked_at(open_page: Open) -> None:
    """By keyboard too; before it is sent it is covered again."""
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    password = page.locator("[name=password]")
    page.fill("[name=username]", "nobody")
    page.fill("[name=password]", "correct horse")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(password).to_have_attribute("type", "text")
    expect(password).to_be_focused()
    expect(page.get_by_role("button", name="Hide the password")).to_have_text("Hide")
    page.keyboard.press("Enter")
    expect(page.locator("#password-error")).not_to_be_empty()
    expect(password).to_have_attribute("type", "password")
    expect(page.get_by_role("button", name="Show the password")).to_have_text("Show")


def test_whoever_is_signed_in_already_can_go_on(open_page: Open, seeded: Seed, server: Server) -> None:
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    who = member(seeded, "receptionist")
    fill(page, who["username"], who["password"])
    page.wait_for_url("**/reception")
    page.goto("/sign-in?next=/docs")
    expect(page.locator("[data-already]")).to_contain_text(who["username"])
    page.click("[data-go-on]")
    page.wait_for_url(f"{server.url}/docs")


def test_the_index_leads_to_pages_that_are_there(open_page: Open) -> None:
    page = open_page("/")
    links = page.locator("main a")
    addresses = [links.nth(each).get_attribute("href") or "" for each in range(links.count())]
    assert {"/reception", "/room", "/display", "/docs", "/sign-in"} <= set(addresses)
    for address in addresses:
        assert page.request.get(address).status == 200, address


def test_the_demo_opens_all_its_doors(open_page: Open, demo_base: str) -> None:
    """From its index, one touch leads into each screen, and each of them shows the same living clinic."""
    page = open_page(f"{demo_base}/", allowed=UNAUTHORISED)
    for name, there in {
        "Waiting-room display": "/display/",
        "A patient\u2019s page": "/t/",
        "Reception": "/reception",
        "Room": "/room",
    }.items():
        page.goto(f"{demo_base}/")
        expect(page.locator("body.is-loaded")).to_have_count(1)
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(re.compile(re.escape(demo_base + there)))
        at_work(page)


def test_only_the_demo_tells_its_doors(server: Server) -> None:
    with server.client() as client:
        assert client.get("/demo/doors").status_code == 404
        assert 'data-as="receptionist"' not in client.get("/").text
