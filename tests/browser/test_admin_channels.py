"""The section of channels: an administrator connects a real mail server and sees the trial message arrive."""

from __future__ import annotations

from playwright.sync_api import expect

from server.seeding import Seed
from tests.browser.conftest import Open
from tests.browser.test_admin import open_section
from tests.support.providers import MailServer


def test_trial_message_arrives_and_the_password_is_never_shown_again(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "channels")
    email = page.locator('[data-way="email"]')
    expect(email).to_contain_text("Nobody gets an e-mail.")
    with MailServer(password="right horse") as server:
        email.get_by_role("button", name="Set up").click()
        dialog = page.locator("dialog[open]")
        dialog.get_by_label("Server", exact=True).fill("127.0.0.1")
        dialog.get_by_label("Encryption").select_option("none")
        dialog.get_by_label("Port").fill(str(server.port))
        dialog.get_by_label("Sender's address").fill("desk@clinic.example")
        dialog.get_by_label("Sender's name").fill("Hill Practice")
        dialog.get_by_label("User name").fill("desk")
        dialog.get_by_label("Password").fill("wrong")
        dialog.get_by_role("button", name="Save").click()
        expect(email).to_contain_text("Mail server · 127.0.0.1 · desk@clinic.example")
        expect(email).to_contain_text("No message sent with these settings yet.")

        email.get_by_role("button", name="Send me a test").click()
        dialog.get_by_label("E-mail address").fill("nora@example.com")
        dialog.get_by_role("button", name="Send").click()
        expect(dialog.get_by_role("status")).to_have_text(
            "The provider refuses the sign-in. Check the user name, the password or the key."
        )
        dialog.get_by_role("button", name="Close").click()
        expect(email).to_contain_text("The provider refuses the sign-in.")

        email.get_by_role("button", name="Change").click()
        expect(dialog.get_by_label("Password")).to_have_value("")
        dialog.get_by_label("Password").fill("right horse")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        email.get_by_role("button", name="Send me a test").click()
        dialog.get_by_label("E-mail address").fill("nora@example.com")
        dialog.get_by_role("button", name="Send").click()
        expect(dialog.get_by_role("status")).to_contain_text("The provider has accepted the message.")
    (mail,) = server.accepted
    assert (mail["To"], mail["Subject"]) == ("nora@example.com", "Test message")
    dialog.get_by_role("button", name="Close").click()

    email.get_by_role("button", name="Change").click()
    assert "right horse" not in page.content()
    dialog.get_by_label("Sender's name").fill("Lake Practice")  # an empty password keeps the one that is set
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    email.get_by_role("button", name="Change").click()
    dialog.get_by_label("Server", exact=True).fill("elsewhere.example")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("Password: type it again. It is not sent to another server by itself.")
    dialog.get_by_role("button", name="Cancel").click()

    email.get_by_role("button", name="Remove").click()
    page.locator("#confirm").get_by_role("button", name="Remove").click()
    expect(email).to_contain_text("Nobody gets an e-mail.")


def test_form_shows_the_settings_of_the_chosen_service(open_page: Open, seeded: Seed) -> None:
    page = open_section(open_page, seeded, "channels")
    sms = page.locator('[data-way="sms"]')
    sms.get_by_role("button", name="Set up").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_label("Token of the account")).to_be_visible()
    dialog.get_by_label("Service", exact=True).select_option("infobip")
    dialog.get_by_label("Address of the API").fill("https://xyz.api.infobip.com")
    dialog.get_by_label("API key of the account").fill("a key")
    dialog.get_by_label("Sender", exact=True).fill("Clinic")
    dialog.get_by_label("Infobip has enabled idempotency").check()
    dialog.get_by_role("button", name="Save").click()
    expect(sms).to_contain_text("Infobip · Clinic")
    expect(sms).to_contain_text("never sends the same message twice")

    sms.get_by_role("button", name="Change").click()
    dialog.get_by_label("Service", exact=True).select_option("apprise")
    dialog.get_by_label("Apprise address").fill("nothing://x")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    dialog.get_by_label("Apprise address").fill("json://127.0.0.1:9/{to}")
    dialog.get_by_role("button", name="Save").click()
    expect(sms).to_contain_text("Other service (Apprise) · json")
    expect(sms).to_contain_text("This service sends no receipts.")
