"""A newcomer's first minutes: from one command to a called ticket on a paired screen, with every action counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.newcomer import Newcomer
from tests.browser.tabs import Watch
from tests.support.first_run import printed_address
from tests.support.server import Server, bare_environment, serving

MOST_ACTIONS = 40
MOST_SECONDS = 180
# The browser's own console messages, for requests before the sign-in and the pairing.
EXPECTED = ("401 (Unauthorized)", "404 (Not Found)")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """Yield a server that an operator has started in an empty folder, without any other setting."""
    env = bare_environment(
        NOWSERVING_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path / 'var' / 'nowserving.db'}",
        NOWSERVING_DRAIN_DELAY_SECONDS="0",
    )
    with serving(env, tmp_path, name="fresh") as server:
        yield server


def test_newcomer_calls_a_ticket_on_a_paired_screen_within_three_minutes_and_forty_actions(
    fresh: Server, browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    desk, hall = (browser.new_context(base_url=fresh.url, locale="en").new_page() for _ in range(2))
    watch = Watch(allowed=EXPECTED)
    for page in (desk, hall):
        watch.over(page, fresh.url)
    person = Newcomer()
    person.opens_a_clinic(desk, hall, printed_address(fresh))
    seconds = time.monotonic() - began
    record_property("actions", len(person.actions))
    record_property("seconds", round(seconds, 1))
    print(f"\n{len(person.actions)} actions in {seconds:.1f} s:", *person.actions, sep="\n  ")
    assert len(person.actions) <= MOST_ACTIONS
    assert seconds < MOST_SECONDS
    desk.goto("/admin")
    for step in ("screen_paired", "ticket_issued", "ticket_called"):
        expect(desk.locator(f"[data-step={step}].is-done")).to_be_visible()
    for page in (desk, hall):
        page.context.close()
    assert watch.complaints == []
