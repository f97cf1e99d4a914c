"""The section of messages: a reminder is planned, moved and withdrawn; a message of unknown outcome is sent again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from server.seeding import Seed
from tests.browser.conftest import HEARTBEAT, Open
from tests.browser.test_admin import open_section
from tests.support.processes import wait_until
from tests.support.server import Server, environment, seed

PHONE = "+49 170 0000067"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the recording channel. Until it exists, the outcome of each message is unknown."""
    return tmp_path_factory.mktemp("messages") / "later"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> dict[str, str]:
    return environment(
        f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('browser') / 'x.db'}",
        NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT),
        NOWSERVING_RECORDING_PATH=str(folder / "sent.jsonl"),
    )


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    return seed(env, points=1, tickets=0, displays=0, providers=1)


def noon(days: int) -> str:
    """Return the noon of the first Wednesday that is at least so many days from now, as a local time."""
    then = datetime.now(UTC) + timedelta(days=days)
    return (then + timedelta(days=(2 - then.weekday()) % 7)).date().isoformat() + "T12:00"


def shown(page: Page, kind: str, state: str) -> Locator:
    """Return the rows of a kind in a state."""
    return page.locator(f'[data-message="{kind}"][data-state="{state}"]')


def test_reminder_is_seen_planned_moved_withdrawn_and_sent(
    open_page: Open, seeded: Seed, server: Server, folder: Path
) -> None:
    site_id = seeded["site_id"]
    with server.client(server.sign_in(seeded, "admin")) as admin:

        def do(command: str, **body: Any) -> Any:
            answer = admin.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        def states(kind: str) -> list[str]:
            found = admin.get(f"/api/v1/sites/{site_id}/messages", params={"kind": kind}).json()["data"]
            return [each["state"] for each in found]

        page = open_section(open_page, seeded, "messages")
        expect(page.locator(".records-empty")).to_have_text("No message has been planned yet.")
        refresh = page.get_by_role("button", name="Refresh")

        never_quiet = {"quiet_from": 0, "quiet_until": 0}
        do("change-site", site_id=site_id, message_ways=["sms"], reminders=[24], **never_quiet)
        of = {"service_id": seeded["service_ids"][0], "provider_id": seeded["provider_ids"][0]}
        booked = do("book", site_id=site_id, **of, local_start=noon(20), name="Nora Canary", phone=PHONE)["appointment"]
        wait_until(lambda: states("booked") == ["unknown"], "the first message")
        refresh.click()
        expect(shown(page, "reminder", "due")).to_contain_text("Reminder, 1 day before")
        expect(shown(page, "reminder", "due")).to_contain_text("Planned")
        expect(shown(page, "reminder", "due")).to_contain_text("…67")
        expect(page.locator("[data-message] button")).to_have_count(1)

        folder.mkdir()
        unknown = shown(page, "booked", "unknown")
        expect(unknown).to_contain_text("Perhaps sent")
        unknown.get_by_role("button", name="Send again").click()
        question = page.locator("dialog[open]")
        expect(question).to_contain_text("The patient may get it twice.")
        question.get_by_role("button", name="Cancel").click()
        assert states("booked") == ["unknown"]
        unknown.get_by_role("button", name="Send again").click()
        question.get_by_role("button", name="Send again").click()
        expect(page.locator("[data-toast-text]")).to_have_text("The message goes out now.")
        wait_until(lambda: sorted(states("booked")) == ["sent", "unknown"], "the repeat")
        refresh.click()
        expect(shown(page, "booked", "sent")).to_contain_text("Sent again by staff")
        expect(page.locator("[data-message] button")).to_have_count(0)

        do("reschedule", appointment_id=booked["id"], version=1, local_start=noon(27))
        wait_until(lambda: states("moved") == ["sent"], "the message about the move")
        refresh.click()
        expect(shown(page, "reminder", "withdrawn")).to_have_count(1)
        expect(shown(page, "reminder", "due")).to_have_count(1)
        do("cancel-appointment", appointment_id=booked["id"], version=2)
        wait_until(lambda: states("cancelled") == ["sent"], "the message about the cancellation")
        refresh.click()
        expect(shown(page, "reminder", "withdrawn")).to_have_count(2)
        expect(shown(page, "reminder", "due")).to_have_count(0)
        expect(shown(page, "cancelled", "sent")).to_have_count(1)

        page.get_by_label("State").select_option("withdrawn")
        expect(page.locator("[data-message]")).to_have_count(2)
        page.get_by_label("State").select_option("failed")
        expect(page.locator(".records-empty")).to_have_text("No message is in this state.")
    sent = [json.loads(line) for line in (folder / "sent.jsonl").read_text().splitlines()]
    assert [each["to"] for each in sent] == ["+491700000067"] * 3
