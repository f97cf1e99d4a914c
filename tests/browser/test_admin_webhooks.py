"""The section of webhooks: an administrator connects a real receiver, tests it, repeats events and ends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from server.seeding import Seed
from tests.browser.conftest import Open
from tests.browser.test_admin import open_section
from tests.support.processes import wait_until
from tests.support.webhook_receiver import Receiver, receiving_in_thread


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving_in_thread() as receiver:
        yield receiver


def test_administrator_connects_tests_and_repeats(open_page: Open, seeded: Seed, receiver: Receiver) -> None:
    page = open_section(open_page, seeded, "webhooks")
    expect(page.locator(".records-empty")).to_have_text("No system is connected.")
    page.get_by_role("button", name="Connect a system").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Address").fill("http://example.org/")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("begins with https")
    dialog.get_by_label("Address").fill(receiver.url)
    dialog.get_by_role("button", name="Save").click()
    secret = page.locator("#webhook-secret").get_by_label("Secret", exact=True).input_value()
    page.locator("#webhook-secret").get_by_role("button", name="Done").click()

    group = page.locator("[data-webhook]")
    expect(group).to_contain_text("all events are delivered")
    group.get_by_role("button", name="Send a test").click()
    expect(group.get_by_role("status")).to_have_text("The receiver refuses the event. Check the secret there.")
    receiver.secrets.append(secret)
    group.get_by_role("button", name="Send a test").click()
    expect(group.get_by_role("status")).to_have_text("The receiver has accepted the event.")
    assert secret not in page.content()

    group.get_by_role("button", name="Repeat events").click()
    dialog.get_by_label("First number").fill("900000")
    dialog.get_by_role("button", name="Repeat").click()
    expect(dialog.get_by_role("alert")).to_have_text("This clinic has no event with this number yet.")
    dialog.get_by_label("First number").fill("1")
    dialog.get_by_role("button", name="Repeat").click()
    expect(dialog).to_have_count(0)
    wait_until(lambda: 1 in [each.get("number") for each in receiver.events], "the first event")

    group.get_by_role("button", name="Switch off").click()
    expect(group).to_contain_text("Off. Events wait until somebody switches it on.")
    group.get_by_role("button", name="Switch on").click()
    expect(group.locator(".group-lead")).to_have_text("On")
    group.get_by_role("button", name="New secret").click()
    page.locator("#confirm").get_by_role("button", name="New secret").click()
    renewed = page.locator("#webhook-secret").get_by_label("Secret", exact=True).input_value()
    assert renewed != secret
    page.locator("#webhook-secret").get_by_role("button", name="Done").click()
    expect(group).to_contain_text("The former secret is valid until")
    group.get_by_role("button", name="Remove").click()
    page.locator("#confirm").get_by_role("button", name="Remove").click()
    expect(page.locator(".records-empty")).to_be_visible()
