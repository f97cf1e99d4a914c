"""WCAG 2.2 AA on every page in every state: by axe-core, in both themes and every language, at 320 pixels, by keyboard."""

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
    display_of,
    failing,
    furnish,
    html_of,
    live,
    patient_in,
    room_at,
    staff_page,
)
from tests.support.extent import sample
from tests.support.server import Server, seed, serving

pytestmark = pytest.mark.long

JUDGE = (Path(__file__).parent / "judge.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a theme may spoil: all other rules are about the same document. And the other way round: of what a language may
# spoil, colours depend only on which way it is written.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
BOTH_WAYS = {"en", "ar"}
NARROW = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def stage(
    browser: Browser, env: dict[str, str], server: Server, demo_base: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    busy, labels, tokens = furnish(env, server)
    with failing(env, folder) as failing_page:
        stage = Stage(
            browser, server, busy, seed(env, points=2, tickets=0, displays=1), demo_base, failing_page, labels, tokens
        )
        yield stage
        stage.close()


def test_every_page_and_every_dialog_is_judged() -> None:
    assert {state.page for state in STATES} == PAGES
    for page in PAGES:
        for each in re.findall(r'<dialog (id="[a-z-]+")', html_of(page)):
            assert any(state.page == page and state.part == each for state in STATES), f"{page}: the dialog {each}"


@pytest.mark.parametrize("state", STATES, ids=str)
def test_a_page_has_no_violation(stage: Stage, state: State) -> None:
    """No violation, nothing lost at 320 pixels, all of it by keyboard, and nothing that no page may do.

    In every language of the state; in a sample, in one that changes every day.
    """
    found: list[str] = []
    for language in sample(state.languages, 1, str(state)):
        stage.watch.complaints.clear()
        page = state.arrange(stage, language)
        said = page.evaluate("document.documentElement.lang")
        assert said == language, f"asked for {language}, the page speaks {said}"
        wrong = judged(page, with_colours=language in BOTH_WAYS) + too_wide(page)
        if language == "en" and state.page != "display":  # nobody stands at a display with a keyboard
            wrong += not_by_keyboard(page)
        stage.done(page)
        found += [f"{language}: {each}" for each in (*wrong, *stage.watch.complaints)]
    assert not found, "\n".join(["", *found])


def test_screens_whose_server_is_away(stage: Stage, env: dict[str, str], tmp_path: Path) -> None:
    """The server freezes: what each page says then, and how, is judged like all else."""
    found: list[str] = []
    with serving(env, tmp_path, name="away") as other:
        # A browser of its own for each language: it keeps six connections to a server, and each page holds one.
        stages = {
            language: Stage(
                stage.browser, other, stage.busy, stage.empty, stage.demo, stage.failing, stage.labels, stage.tokens
            )
            for language in LANGUAGES
        }
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
                found += [f"{row}, {language}: {each}" for each in judged(page, language in BOTH_WAYS) + too_wide(page)]
        finally:
            for _, _, page in pages:
                page.close()
            other.process.send_signal(signal.SIGCONT)
        for each in stages.values():
            each.close()
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_call_is_read_from_eight_metres(stage: Stage, theme: Any) -> None:
    """The ink of the newest call's ticket is 7.5 % of the screen's height and stands out 7:1, as do all words there."""
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


def judged(page: Page, with_colours: bool) -> list[str]:
    """Return what axe-core finds; with colours, in the light and in the dark."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate("document.fonts.ready")
    # Behind a dialog nothing can be reached: the page itself is a state of its own.
    run = "options => axe.run(document.querySelector('dialog[open]') ?? document, {...options, resultTypes: ['violations']})"
    left_out = {} if with_colours else {"rules": {each: {"enabled": False} for each in OF_COLOURS}}
    light = page.evaluate(run, {"runOnly": {"type": "tag", "values": TAGS}} | left_out)
    found = [f"light: {each}" for each in described(light["violations"])]
    if with_colours:
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        dark = page.evaluate(run, {"runOnly": {"type": "rule", "values": OF_COLOURS}})
        found += [f"dark: {each}" for each in described(dark["violations"])]
    return found


def not_by_keyboard(page: Page) -> list[str]:
    """Go through the page by Tab; return what it does not come to, and what does not look focused when it has the focus."""
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
            found.add(f"nobody sees the focus on {at['name']}")
    return [*found, *(f"Tab does not come to {name}" for key, name in wanted.items() if key not in reached)]


def described(violations: list[dict[str, Any]]) -> list[str]:
    """Return violations in words."""
    return [
        f"{each['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for each in violations
        for node in each["nodes"][:4]
    ]


def too_wide(page: Page) -> list[str]:
    """Return what lies outside of a screen of 320 pixels, out of reach of any scrolling but up and down."""
    before = page.viewport_size
    page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
    page.evaluate(JUDGE)
    found: list[str] = page.evaluate("judge.outside()")
    if before is not None:
        page.set_viewport_size(before)
    return [f"at 320 pixels: {each}" for each in found]
