"""The page of past screens in a real browser: the screen of then, steps, playing, keys, and a day with changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open, sign_in_as

pytestmark = pytest.mark.long

OpenReplay = Callable[[str], tuple[Page, FrameLocator]]


@pytest.fixture
def replay(open_page: Open, seeded: Seed) -> OpenReplay:
    """Return a function that shows a kind of screen as it is a second ago, and returns the page and its frame."""

    def replay(kind: str) -> tuple[Page, FrameLocator]:
        page = open_page("/")
        sign_in_as(page.request, seeded, "admin")
        page.goto("/replay")
        option = page.locator(f"[data-screen] option[value^='{kind}']").last
        expect(page.locator("[data-screen] option[value^='point']").first).to_be_attached()
        page.locator("[data-screen]").select_option(option.get_attribute("value"))
        page.wait_for_timeout(1_500)  # only instants that are past can be shown
        moment = "new Date(Date.now() - 1000).toISOString().slice(11, 19)"  # the seeded site is in UTC
        page.evaluate(f"document.querySelector('[data-time]').value = {moment}")
        page.locator("[data-show]").click()
        expect(page.locator("[data-moment]")).not_to_be_empty()
        return page, page.frame_locator("iframe")

    return replay


def called_label(do: Do, seeded: Seed) -> str:
    """Call a new patient to the first point; return the label of the ticket."""
    issued = do("issue-ticket", queue_id=seeded["queue_ids"][0], priority="emergency")
    do("call", entry_id=issued["entry"]["id"], point_id=seeded["point_ids"][0])
    label: str = issued["events"][-1]["label"]
    return label


def test_display_shows_the_calls_of_then(replay: OpenReplay, do: Do, seeded: Seed) -> None:
    label = called_label(do, seeded)
    page, frame = replay("display")
    expect(frame.locator(f'[data-call="{label}"]')).to_be_visible()
    expect(page.locator(".replay-mark")).to_contain_text("Replay")
    expect(frame.locator(".live-mark")).to_be_hidden()
    # Steps: before the call nobody is called, after it the call is there again.
    page.locator("[data-back]").click()
    expect(frame.locator(f'[data-call="{label}"]')).to_have_count(0)
    expect(page.locator("[data-coming] li").first).to_contain_text(f"{label}")
    page.locator("[data-forward]").press("Enter")
    expect(frame.locator(f'[data-call="{label}"]')).to_be_visible()
    expect(page.locator("[data-passed] li").first).to_contain_text("Called")
    # A later call is no part of this screen.
    do("issue-ticket", queue_id=seeded["queue_ids"][0])
    expect(page.locator("[data-coming] li")).to_have_count(0)


def test_replay_plays_to_the_last_event(replay: OpenReplay, do: Do, seeded: Seed) -> None:
    label = called_label(do, seeded)
    page, frame = replay("desk")
    row = frame.locator("[data-entry]", has_text=label)
    expect(row).to_have_attribute("data-state", "called")
    for _ in range(2):
        page.locator("[data-back]").click()
        page.wait_for_timeout(500)
    expect(row).to_have_count(0)
    page.locator("[data-speed]").select_option("60")
    page.locator("[data-play]").click()
    expect(row).to_have_attribute("data-state", "called")
    expect(page.locator("[data-play]")).to_have_text("Play")
    # Nothing in the frame sends a command.
    expect(frame.locator("button:visible")).to_have_count(0)


def test_room_shows_the_guest_of_then(replay: OpenReplay, do: Do, seeded: Seed) -> None:
    label = called_label(do, seeded)
    page, frame = replay(f"point:{seeded['point_ids'][0]}")
    expect(frame.locator(".room-ticket")).to_have_text(label)
    page.locator("[data-back]").click()
    expect(frame.locator(".room-ticket")).to_have_text("\u2013")


def test_day_is_replayed_with_one_point_more(replay: OpenReplay, do: Do, seeded: Seed) -> None:
    called_label(do, seeded)
    page, _ = replay("desk")
    page.locator("[data-like]").select_option(index=1)
    page.locator("[data-compute]").click()
    expect(page.locator("[data-computing]")).to_have_text("Choose from when until when the point is open.")
    page.locator("[data-from]").fill("00:00")
    page.locator("[data-until]").fill("23:59")
    page.locator("[data-compute]").click()
    expect(page.locator("[data-waits] tbody tr")).to_have_count(3)
    expect(page.locator("[data-waits] tbody tr").first).to_contain_text("<5")
