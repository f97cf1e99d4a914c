"""The own account, links with which people set a password, and the staff of the administrator's pages."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from server.identity.codes import STEP_MICROSECONDS
from server.seeding import Seed
from tests.browser.conftest import Open, sign_in_as
from tests.support.authenticator import code_at

UNAUTHORISED = ("401 (Unauthorized)",)
PASSWORD = "seven quiet lamps outside"


def code(secret: str, steps: int = 0) -> str:
    """Return the code of an app at this moment, or of a step beside it."""
    return code_at(secret, time.time_ns() // 1000 + steps * STEP_MICROSECONDS)


def sign_in(page: Page, username: str, password: str) -> None:
    page.goto("/sign-in")
    page.fill("[name=username]", username)
    page.fill("[name=password]", password)
    page.click("[data-password-form] [type=submit]")


def test_invited_colleague_sets_up_a_second_factor_and_signs_in_with_it(open_page: Open, seeded: Seed) -> None:
    """An administrator invites a colleague. The colleague makes the account, sets a phone up, and uses each kind of code."""
    admin = open_page("/sign-in")
    sign_in_as(admin.request, seeded, "admin")
    admin.goto("/admin/staff")
    admin.click("[data-invite]")
    admin.fill("#invite-name", f"bo-{seeded['site_id']}")
    admin.click("#invite [type=submit]")
    address = admin.input_value("#link-address")
    assert re.search(r"/account/invitation#[\w-]{43}$", address)
    admin.click("#link .dialog-actions button >> nth=0")

    phone = open_page(address, width=390, height=844, allowed=UNAUTHORISED)
    requested = []
    phone.on("request", lambda each: requested.append(each.url))
    expect(phone.locator("[name=username]")).to_have_value(f"bo-{seeded['site_id']}")
    phone.fill("[name=password]", "password1234")
    expect(phone.locator("[data-strength-text]")).to_contain_text("easy to guess")
    phone.fill("[name=password]", PASSWORD)
    expect(phone.locator("[data-strength-text]")).to_contain_text("good password")
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/reception")
    secret_of_link = address.partition("#")[2]
    assert not [each for each in requested if secret_of_link in each.partition("#")[0]]

    phone.goto("/account")
    phone.click('[data-factor="set-up"]')
    phone.fill("#own_password", PASSWORD)
    phone.keyboard.press("Enter")
    expect(phone.locator("[data-secret]")).to_have_text(re.compile("[A-Z2-7]{4}"))
    secret = phone.locator("[data-secret]").inner_text().replace(" ", "")
    phone.fill("#factor [name=code]", code(secret))
    phone.keyboard.press("Enter")
    expect(phone.locator(".recovery-codes li")).to_have_count(10)
    codes = phone.locator(".recovery-codes li").all_inner_texts()
    phone.click("[data-pane=codes] [data-close]")
    expect(phone.locator("[data-factor-state]")).to_have_attribute("data-on", "true")
    expect(phone.locator("[data-codes] li")).to_have_count(0)
    phone.request.delete("/api/v1/session")

    sign_in(phone, f"bo-{seeded['site_id']}", PASSWORD)
    expect(phone.locator("[name=code]")).to_be_focused()
    expect(phone.locator("[name=code]")).to_have_attribute("autocomplete", "one-time-code")
    phone.keyboard.type("000000")
    phone.keyboard.press("Enter")
    expect(phone.locator("#code-error")).to_contain_text("wrong")
    phone.fill("[name=code]", code(secret, 1))  # each step is accepted once, and the next one early
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/reception")
    phone.request.delete("/api/v1/session")
    sign_in(phone, f"bo-{seeded['site_id']}", PASSWORD)
    phone.click("[data-other-kind]")
    phone.fill("[name=code]", codes[0].lower())
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/reception")
    phone.goto("/account")
    expect(phone.locator("[data-factor-more]")).to_contain_text("9 recovery codes are left")

    # The administrator sees the member, removes the factor, and the member's session ends.
    row = admin.locator(f'[data-member="bo-{seeded["site_id"]}"]')
    expect(row.locator(".is-factor")).to_be_visible()
    row.locator("button").click()
    admin.click('#member [data-change="remove_factor"]')
    expect(admin.locator("#confirm [data-affects=session]")).to_contain_text("1 session ends")
    expect(admin.locator("#confirm [data-affects=session]")).to_contain_text("Chrome on Linux")
    admin.click("#confirm [value=yes]")
    expect(row.locator(".is-factor")).to_have_count(0)
    assert phone.request.get("/api/v1/session").status == 401
    row.locator("button").click()
    admin.click('#member [data-change="reset"]')
    reset = admin.input_value("#link-address")
    admin.click("#link .dialog-actions button >> nth=0")

    phone.goto("about:blank")
    phone.goto(reset)
    expect(phone.locator("[name=username]")).to_have_attribute("readonly", "")
    phone.fill("[name=password]", "eight loud lamps inside")
    phone.click("[data-submit]")
    phone.wait_for_url("**/reception")


def test_last_administrator_stays(open_page: Open, seeded: Seed) -> None:
    """The page refuses to switch the last administrator off, and says what to do. The role stays too."""
    page = open_page("/sign-in", allowed=("409 (Conflict)",))
    sign_in_as(page.request, seeded, "admin")
    page.goto("/admin/staff")
    row = page.locator("[data-member^=admin]")
    row.locator("button").click()
    page.click('#member [data-change="off"]')
    page.click("#confirm [value=yes]")
    expect(page.locator("[data-toast-text]")).to_contain_text("Make a colleague administrator first")
    expect(row.locator(".is-off")).to_have_count(0)
    row.locator("button").click()
    page.check("#member [value=manager]")
    page.get_by_role("button", name="Change the role").click()
    page.click("#confirm [value='']")
    expect(row).to_contain_text("administrator")


def test_member_changes_the_password_and_ends_other_sessions(open_page: Open, seeded: Seed) -> None:
    who = next(each for each in seeded["staff"] if each["role"] == "clinician")
    page, other = (
        open_page("/sign-in", allowed=("403 (Forbidden)", *UNAUTHORISED)),
        open_page("/sign-in", allowed=UNAUTHORISED),
    )
    for each in (page, other):
        sign_in_as(each.request, seeded, "clinician")
    page.goto("/account")
    expect(page.locator(".session-row")).to_have_count(2)
    expect(page.locator(".session-row").first).to_contain_text("This browser")
    page.locator("[data-end]").click()
    expect(page.locator(".session-row")).to_have_count(1)
    assert other.request.get("/api/v1/session").status == 401
    page.fill("#old_password", "not it")
    page.fill("#new_password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#old_password-error")).to_contain_text("wrong")
    expect(page.locator("#old_password")).to_be_focused()
    page.fill("#old_password", who["password"])
    page.keyboard.press("Enter")
    expect(page.locator("[data-password-done]")).to_contain_text("new password")
    assert page.request.get("/api/v1/session").ok
    page.request.delete("/api/v1/session")
    sign_in(page, who["username"], PASSWORD)
    page.wait_for_url("**/room")
