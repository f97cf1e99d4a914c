"""Signing in: errors appear beside their field, and the user returns to the requested page of this server alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from server.domain import roles
from server.seeding import Seed, StaffSeed
from tests.browser.conftest import Open
from tests.browser.states import SECONDS
from tests.support.server import Server

# Parts of the browser's own console messages, for answers that the tests cause.
UNAUTHORISED = ("401 (Unauthorized)",)
LOCKED = (*UNAUTHORISED, "429 (Too Many Requests)")
HOMES = {"admin": "/admin", "manager": "/reception", "receptionist": "/reception", "clinician": "/room"}


def member(seeded: Seed, role: str) -> StaffSeed:
    return next(each for each in seeded["staff"] if each["role"] == role)


def fill(page: Page, username: str, password: str) -> None:
    page.fill("[name=username]", username)
    page.fill("[name=password]", password)
    page.click("[type=submit]")


def expect_live(page: Page) -> None:
    """Wait until a screen is live. The room page first needs a choice of its room."""
    if page.url.endswith("/room"):
        page.locator("[data-choose]").first.click()
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_gets_its_home_page(open_page: Open, seeded: Seed, server: Server, role: str) -> None:
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    who = member(seeded, role)
    fill(page, who["username"], who["password"])
    page.wait_for_url(f"{server.url}{HOMES[role]}")
    expect_live(page)
    page.goto("/")
    expect(page.locator("[data-who]")).to_contain_text(who["username"])
    expect(page.locator("[data-home]")).to_have_attribute("href", HOMES[role])
    page.click("[data-sign-out]")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_user_name_as_a_phone_types_it_signs_in(open_page: Open, seeded: Seed, server: Server) -> None:
    """A phone begins a word with a capital, and its suggestions end with a space."""
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    who = member(seeded, "receptionist")
    fill(page, f"{who['username'].capitalize()} ", who["password"])
    page.wait_for_url(f"{server.url}/reception")


def test_sign_in_returns_to_the_requested_page(open_page: Open, seeded: Seed, server: Server) -> None:
    """A page that needs a session redirects to the sign-in, which returns to the full address."""
    page = open_page("/reception?from=bookmark", allowed=UNAUTHORISED)
    page.wait_for_url("**/sign-in?next=%2Freception%3Ffrom%3Dbookmark")
    who = member(seeded, "clinician")
    fill(page, who["username"], who["password"])
    page.wait_for_url(f"{server.url}/reception?from=bookmark")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/.//evil.example/x", "/%5Cevil.example", "javascript:alert(1)"]
)
def test_sign_in_never_redirects_to_another_host(open_page: Open, seeded: Seed, server: Server, wanted: str) -> None:
    page = open_page(f"/sign-in?next={wanted}", allowed=UNAUTHORISED)
    who = member(seeded, "receptionist")
    fill(page, who["username"], who["password"])
    page.wait_for_url(f"{server.url}/reception")


def test_missing_value_shows_an_error_beside_its_field(open_page: Open) -> None:
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


def test_lock_out_shows_its_duration(open_page: Open, seeded: Seed) -> None:
    """After five wrong passwords the form shows the minutes of the lock-out, and no field has an error."""
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


def test_unreachable_server_is_not_a_wrong_password(open_page: Open, seeded: Seed) -> None:
    page = open_page("/sign-in", allowed=("net::ERR_INTERNET_DISCONNECTED",))
    expect(page.locator("[type=submit]")).to_be_enabled()
    page.context.set_offline(True)
    who = member(seeded, "manager")
    fill(page, who["username"], who["password"])
    expect(page.locator("[data-form-error]")).to_contain_text("cannot be reached")
    expect(page.locator("#password-error")).to_be_empty()
    page.context.set_offline(False)


def test_password_can_be_shown(open_page: Open) -> None:
    """The button works by keyboard. The password is hidden again before the form is sent."""
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    password = page.locator("[name=password]")
    expect(page.locator("[data-show]")).to_be_enabled()
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


def test_signed_in_user_can_continue(open_page: Open, seeded: Seed, server: Server) -> None:
    page = open_page("/sign-in", allowed=UNAUTHORISED)
    who = member(seeded, "receptionist")
    fill(page, who["username"], who["password"])
    page.wait_for_url("**/reception")
    page.goto("/sign-in?next=/docs")
    expect(page.locator("[data-already]")).to_contain_text(who["username"])
    page.click("[data-go-on]")
    page.wait_for_url(f"{server.url}/docs")


def test_index_links_to_existing_pages(open_page: Open) -> None:
    page = open_page("/")
    links = page.locator("main a")
    addresses = [links.nth(each).get_attribute("href") or "" for each in range(links.count())]
    assert {"/reception", "/room", "/display", "/docs", "/sign-in"} <= set(addresses)
    for address in addresses:
        assert page.request.get(address).status == 200, address


def test_demo_index_opens_every_screen(open_page: Open, demo_base: str) -> None:
    """Each link of the demo's index opens a live screen of the same clinic."""
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
        expect_live(page)


def test_only_the_demo_publishes_its_credentials(server: Server) -> None:
    with server.client() as client:
        assert client.get("/demo/doors").status_code == 404
        assert 'data-as="receptionist"' not in client.get("/").text
