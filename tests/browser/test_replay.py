"""The page of past screens in a real browser: the screen of then, steps, playing, keys, and a day with changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from server.domain.model.local_time import MINUTE
from server.domain.model.tickets import business_day, next_turn
from server.seeding import Seed
from server.store.database import Database
from tests.browser.conftest import Do, Open, sign_in_as
from tests.support.appointments import Day
from tests.support.past_days import store
from tests.support.server import SECRETS, Server, environment, seed, serving, vault
from tests.support.worlds import HOUR, SITE_ID, World, a_site

pytestmark = pytest.mark.long

OpenReplay = Callable[..., tuple[Page, FrameLocator]]


@pytest.fixture
def replay(open_page: Open, seeded: Seed) -> OpenReplay:
    """Return a function that shows a kind of screen as it is a second ago, and returns the page and its frame.

    Also: parts of console messages that the test expects.
    """

    def replay(kind: str, *allowed: str) -> tuple[Page, FrameLocator]:
        page = open_page("/", allowed=allowed)
        sign_in_as(page.request, seeded, "admin")
        page.goto("/replay")
        option = page.locator(f"[data-screen] option[value^='{kind}']").last
        expect(page.locator("[data-screen] option[value^='point']").first).to_be_attached()
        page.locator("[data-screen]").select_option(option.get_attribute("value"))
        # The whole second that a second ago began in is then after every event so far, however quickly the page opens.
        page.wait_for_timeout(2_000)
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
    rows = page.locator("[data-waits] table").first.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("<5")


def test_kiosk_and_calendar_of_then(replay: OpenReplay, do: Do, seeded: Seed, server: Server) -> None:
    with server.client(server.sign_in(seeded, "admin")) as admin:
        answer = admin.post("/api/v1/commands/add-kiosk", json={"site_id": seeded["site_id"], "name": "Door"})
        assert answer.status_code == 200, answer.text
        queue = admin.get(f"/api/v1/sites/{seeded['site_id']}").json()["queues"][0]
    do("pause-queue", queue_id=queue["id"])
    page, frame = replay("kiosk", "409 (Conflict)")
    closed = frame.locator('.queue-item[data-closed="paused"]')
    expect(closed).to_have_count(1)
    expect(closed).to_contain_text(queue["name"])
    expect(page.locator("[data-lacking]")).to_contain_text("The log does not have what people touched")
    page.locator("[data-back]").click()
    expect(closed).to_have_count(0)
    expect(frame.locator("button:enabled")).to_have_count(0)
    page.locator("[data-screen]").select_option("calendar")
    page.locator("[data-show]").click()
    expect(frame.locator(".calendar-page.is-replayed")).to_be_visible()
    expect(frame.locator("[data-dates]")).not_to_be_empty()
    expect(frame.locator("button:visible")).to_have_count(0)
    page.locator("[data-calendar-date]").fill("2001-01-01")
    page.locator("[data-show]").click()
    expect(page.locator("[data-trouble]")).to_contain_text("A past calendar begins on the business day")


def test_past_calendar_shows_the_appointments_of_then(open_page: Open, day: Day, server: Server) -> None:
    page = open_page("/")
    sign_in_as(page.request, day.seeded, "admin")
    page.wait_for_timeout(2_000)  # the page offers the time a second before it loads
    page.goto("/replay")
    expect(page.locator("[data-screen] option[value^='point']").first).to_be_attached()
    page.locator("[data-screen]").select_option("calendar")
    page.locator("[data-show]").click()
    shown = page.frame_locator("iframe").locator("[data-appointment]")
    expect(shown.first).to_be_visible()
    count = shown.count()
    assert count > 1
    page.locator("[data-back]").click()
    expect(shown).to_have_count(count - 1)


def test_keys_step_and_change_the_speed(replay: OpenReplay, do: Do, seeded: Seed) -> None:
    label = called_label(do, seeded)
    page, frame = replay("display")
    call = frame.locator(f'[data-call="{label}"]')
    expect(call).to_be_visible()
    page.locator("[data-back]").focus()
    page.keyboard.press("ArrowLeft")
    expect(call).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(call).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("[data-speed]")).to_have_value("10")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("[data-speed]")).to_have_value("60")
    page.keyboard.press("ArrowLeft")
    expect(call).to_have_count(0)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    expect(call).to_be_visible()
    # In a field the arrows belong to the field.
    page.locator("[data-speed]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-speed]")).to_have_value("10")
    expect(call).to_be_visible()


def test_link_shows_the_same_instant_and_asks_for_the_right(
    replay: OpenReplay, open_page: Open, do: Do, seeded: Seed
) -> None:
    label = called_label(do, seeded)
    page, frame = replay("display")
    expect(frame.locator(f'[data-call="{label}"]')).to_be_visible()
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copied]")).not_to_be_empty()
    link, moment = page.url, page.locator("[data-moment]").inner_text()
    assert "screen=display" in link
    other = open_page("/")
    sign_in_as(other.request, seeded, "manager")
    other.goto(link)
    expect(other.locator("[data-moment]")).to_have_text(moment)
    expect(other.frame_locator("iframe").locator(f'[data-call="{label}"]')).to_be_visible()
    receptionist = open_page("/")
    sign_in_as(receptionist.request, seeded, "receptionist")
    receptionist.goto(link)
    expect(receptionist.locator("[data-trouble]")).to_have_text("Past screens are for managers and administrators.")
    foreign = open_page("/")
    sign_in_as(foreign.request, seeded, "manager")
    foreign.goto(f"/replay?site={seeded['site_id'] + 1000}&screen=desk&at=2026-01-01T00:00:00Z")
    expect(foreign.locator("[data-trouble]")).to_have_text("This link is about a site that you have no access to.")


def test_several_changes_give_one_answer(replay: OpenReplay, do: Do, seeded: Seed) -> None:
    called_label(do, seeded)
    page, _ = replay("desk")
    page.locator("[data-closed] input").first.check()
    page.locator("[data-queues-of]").select_option(index=2)
    page.locator("[data-compute]").click()
    expect(page.locator("[data-computing]")).to_have_text("Choose the queues of the point.")
    page.locator("[data-other-queues] input").first.check()
    page.locator("#begins").fill("999")
    page.locator("[data-compute]").click()
    expect(page.locator("[data-computing]")).to_have_text("Enter whole minutes from -240 to 240.")
    page.locator("#begins").fill("-15")
    page.locator("#return").fill("0")
    page.locator("#intake-until").fill("00:00")
    page.locator("[data-compute]").click()
    expect(page.locator("[data-waits]")).to_contain_text("got no ticket in the replay with the changes")
    page.locator("details summary").first.click()
    expect(page.locator("details tbody tr").first).to_contain_text("As it was")
    expect(page.locator("[data-waits] table")).to_have_count(3)


class Autumn(NamedTuple):
    """A server with a site in Berlin whose log has the night in which the clocks went back."""

    server: Server
    seeded: Seed
    site_id: int


@pytest.fixture
def autumn(tmp_path: Path) -> Iterator[Autumn]:
    env = environment(f"sqlite+aiosqlite:///{tmp_path / 'autumn.db'}")
    seeded = seed(env, points=1, tickets=0)
    begin = 1_792_888_200_000_000 - 5 * MINUTE  # 2026-10-25T02:25+02:00
    day = business_day(begin, "Europe/Berlin", 240)
    turn = next_turn(day, "Europe/Berlin", 240)
    world = World(a_site(business_day=day, turns_at=turn, next_tick_at=turn, quoted_at=begin, last_event_at=begin))
    world.now = begin
    queue_id = world.queue()
    world.ticket(queue_id, after=MINUTE)
    world.ticket(queue_id, after=HOUR)

    async def fill() -> None:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        try:
            await store(database, vault({**SECRETS, **env}), world, organisation=False)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as other:  # the browser's loop runs in this thread
        other.submit(asyncio.run, fill()).result()
    with serving(env, tmp_path) as server:
        yield Autumn(server, seeded, SITE_ID)


def test_times_are_those_of_the_site_when_the_clocks_change(browser: Browser, autumn: Autumn) -> None:
    """The browser is in Tokyo. The doubled hour of the site has two instants, and the missing hour none."""
    context = browser.new_context(base_url=autumn.server.url, timezone_id="Asia/Tokyo")
    page = context.new_page()
    sign_in_as(page.request, autumn.seeded, "admin", autumn.server.url)
    page.goto(f"/replay?site={autumn.site_id}")
    page.locator("[data-date]").fill("2026-10-25")
    page.locator("[data-time]").fill("02:30:00")
    fold, waiting = page.locator("[data-fold]"), page.frame_locator("iframe").locator("[data-entry]")
    expect(fold.locator("option")).to_have_text(["UTC+2", "UTC+1"])
    for option, count in (("UTC+2", 1), ("UTC+1", 2), ("UTC+2", 1)):
        fold.select_option(label=option)
        page.locator("[data-show]").click()
        expect(page.locator("[data-moment]")).to_contain_text(f"02:30:00 ({option})")
        expect(waiting).to_have_count(count)
        expect(fold.locator("option:checked")).to_have_text(option)
    assert "%2B02%3A00" in page.url
    page.reload()
    expect(page.locator("[data-moment]")).to_contain_text("02:30:00 (UTC+2)")
    expect(fold.locator("option:checked")).to_have_text("UTC+2")
    page.locator("[data-date]").fill("2026-03-29")
    page.locator("[data-show]").click()
    expect(page.locator("[data-trouble]")).to_contain_text("did not show 02:30 on this day")
    expect(page.locator("[data-player]")).to_be_hidden()
    expect(page.locator("[data-fold-field]")).to_be_hidden()
    # Of a replay with changes, too.
    page.locator("#intake-from").fill("02:30")
    page.locator("[data-compute]").click()
    expect(page.locator("[data-computing]")).to_contain_text("did not show 02:30 on this day")
    context.close()
