"""WCAG 2.2 AA on every page in every state: axe-core in both themes and every language, 320 pixels, and the keyboard."""

from __future__ import annotations

import base64
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import HEARTBEAT
from tests.browser.states import (
    LANGUAGES,
    PAGES,
    SECONDS,
    STATES,
    Stage,
    State,
    booking_site,
    closed_site,
    display_of,
    failing,
    furnish,
    html_of,
    live,
    patient_in,
    room_at,
    site_after_outage,
    staff_page,
)
from tests.support.appointments import appointments_today
from tests.support.extent import sample
from tests.support.first_run import newcomer, printed_address
from tests.support.rows import rows
from tests.support.server import Server, seed, serving
from tests.support.unreached import message_ended
from tests.support.words import site_with_words

pytestmark = pytest.mark.long

JUDGE = (Path(__file__).parent / "judge.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Themes affect only these rules, since the document stays the same. Languages affect these rules only by their direction.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
BOTH_WAYS = {"en", "ar"}
NARROW = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def stage(
    browser: Browser, env: dict[str, str], server: Server, demo_base: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    busy, labels, tokens = furnish(env, server)
    fresh = env | {"NOWSERVING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'fresh.db'}"}
    with (
        failing(env, folder) as failing_page,
        serving(fresh, folder, name="fresh") as without_admin,
        site_with_words(env, folder) as (wordy, words),
    ):
        stage = Stage(
            browser,
            server,
            busy,
            seed(env, points=2, tickets=0, displays=1),
            demo_base,
            failing_page,
            printed_address(without_admin),
            newcomer(env, with_site=False),
            newcomer(env, with_site=True),
            labels,
            tokens,
        )
        stage.words = {name: f"{wordy.url}{path}" for name, path in words.items()}
        stage.shut = closed_site(env, server)
        stage.booked = appointments_today(env)
        site_id, marked = stage.booked.seeded["site_id"], max(stage.booked.appointments.values(), key=begin_of)
        message_ended(env, site_id, "reminder", appointment_id=marked["id"])
        ((entry_id,), *_) = rows(env, "SELECT id FROM entries WHERE site_id = :id AND state = 'waiting'", id=site_id)
        message_ended(env, site_id, "almost-your-turn", entry_id=entry_id, version=0)
        stage.doubtful = site_after_outage(env, server)
        stage.planned = seed(env, points=2, tickets=0, displays=0, providers=2)
        stage.bookable, stage.appointments = booking_site(env, server)
        yield stage
        stage.close()


def test_every_page_and_dialog_has_a_state() -> None:
    assert {state.page for state in STATES} == PAGES
    for page in PAGES:
        for each in re.findall(r'<dialog (id="[a-z-]+")', html_of(page)):
            assert any(state.page == page and state.part == each for state in STATES), (
                f"{page}: the dialog {each} has no state"
            )


@pytest.mark.parametrize("state", sample(STATES, 80, "states"), ids=str)
def test_page_has_no_violation(stage: Stage, state: State) -> None:
    """Check axe-core, 320 pixels, the keyboard, and the watch of the page, in every language of the state.

    A sample checks half of the states, in one language. They change every day.
    """
    found: list[str] = []
    for language in sample(state.languages, 1, str(state)):
        stage.watch.complaints.clear()
        page = state.arrange(stage, language)
        spoken = page.evaluate("document.documentElement.lang")
        assert spoken == language, f"the page speaks {spoken} instead of {language}"
        wrong = axe_violations(page, with_colours=language in BOTH_WAYS) + overflowing_texts(page)
        if language == "en" and state.page != "display":  # a display has no keyboard
            wrong += keyboard_problems(page)
        stage.done(page)
        found += [f"{language}: {each}" for each in (*wrong, *stage.watch.complaints)]
    assert not found, "\n".join(["", *found])


def test_stale_page_has_no_violation(stage: Stage, env: dict[str, str], tmp_path: Path) -> None:
    """The pages are checked while their server is frozen."""
    found: list[str] = []
    with serving(env, tmp_path, name="away") as other:
        # Each language has its own browser contexts: a browser allows six connections to a server, and each page holds one.
        stages = {language: stage.at(other) for language in sample(LANGUAGES, 2, "away")}
        rows = [
            State("display", "away", display_of("busy")),
            State("patient", "away", patient_in("waiting")),
            State("reception", "away", staff_page("/reception", "receptionist", "busy")),
            *(State("room", "away", room_at(1)) for _ in PAGES & {"room"}),
        ]
        pages = [(row, language, live(row.arrange(each, language))) for row in rows for language, each in stages.items()]
        other.process.send_signal(signal.SIGSTOP)
        try:
            for row, language, page in pages:
                expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=HEARTBEAT * 20 * SECONDS)
                found += [
                    f"{row}, {language}: {each}"
                    for each in axe_violations(page, language in BOTH_WAYS) + overflowing_texts(page)
                ]
        finally:
            for _, _, page in pages:
                page.close()
            other.process.send_signal(signal.SIGCONT)
        for each in stages.values():
            each.close()
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_call_is_legible_from_eight_metres(stage: Stage, theme: Any) -> None:
    """The letters of the newest call's ticket have 7.5 % of the screen's height. All texts have a contrast of 7:1."""
    page = display_of("busy")(stage, "en")
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.evaluate("document.fonts.ready")
    page.evaluate(JUDGE)
    box = page.evaluate("label => judge.ticketBox(label)", stage.labels["called"])
    picture = page.screenshot(clip=box, animations="disabled")
    ink = page.evaluate("png => judge.letters(png)", base64.b64encode(picture).decode())
    enhanced = page.evaluate("axe.run(document, {runOnly: ['color-contrast-enhanced'], resultTypes: ['violations']})")
    page.close()
    assert ink["height"] >= 0.075 * 1080, ink
    assert ink["contrast"] >= 7, ink
    assert not described(enhanced["violations"])


def axe_violations(page: Page, with_colours: bool) -> list[str]:
    """Return the violations that axe-core finds. With colours, check the light and the dark theme."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate("document.fonts.ready")
    # An open dialog makes the page behind it inert. That page has its own state.
    run = "options => axe.run(document.querySelector('dialog[open]') ?? document, {...options, resultTypes: ['violations']})"
    left_out = {} if with_colours else {"rules": {each: {"enabled": False} for each in OF_COLOURS}}
    light = page.evaluate(run, {"runOnly": {"type": "tag", "values": TAGS}} | left_out)
    found = [f"light: {each}" for each in described(light["violations"])]
    if with_colours:
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        dark = page.evaluate(run, {"runOnly": {"type": "rule", "values": OF_COLOURS}})
        found += [f"dark: {each}" for each in described(dark["violations"])]
    return found


def begin_of(appointment: dict[str, Any]) -> int:
    """Return the start of an appointment (milliseconds)."""
    return int(appointment["starts_at"])


def keyboard_problems(page: Page) -> list[str]:
    """Press Tab through the page; return the elements without a visible focus, and the elements that Tab misses."""
    page.evaluate(JUDGE)
    wanted = page.evaluate("judge.reachable()")
    reached: set[str] = set()
    found: set[str] = set()
    for _ in range(2 * len(wanted) + 4):
        page.keyboard.press("Tab")
        at = page.evaluate("judge.focused()")
        if at is None:
            continue
        if at["key"] in reached and set(wanted) <= reached:
            break
        reached.add(at["key"])
        if not at["seen"]:
            found.add(f"the focus is invisible on {at['name']}")
    return [*found, *(f"Tab does not reach {name}" for key, name in wanted.items() if key not in reached)]


def described(violations: list[dict[str, Any]]) -> list[str]:
    """Return violations as text."""
    return [
        f"{each['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for each in violations
        for node in each["nodes"][:4]
    ]


def overflowing_texts(page: Page) -> list[str]:
    """Return the texts that vertical scrolling cannot reach on a screen of 320 pixels."""
    before = page.viewport_size
    page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
    page.evaluate(JUDGE)
    found: list[str] = page.evaluate("judge.outside()")
    if before is not None:
        page.set_viewport_size(before)
    return [f"at 320 pixels: {each}" for each in found]
