"""The waiting-room display in a real browser: its board, its sound, outages, updates and pairing."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Error, Page, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, HEARTBEAT, Open, sign_in_as
from tests.browser.states import LANGUAGES
from tests.support.plain import answers
from tests.support.processes import end, free_port, running, wait_until
from tests.support.relay import Relay
from tests.support.screens import sse
from tests.support.server import Server

pytestmark = pytest.mark.long

SECONDS = 1000
ROOT = Path(__file__).parents[2]
# Records each sound of a page for the test. A ring consists of two tones, speech is a buffer.
EARS = """
window.heard = [];
for (const kind of [AudioScheduledSourceNode, AudioBufferSourceNode]) {
  const { start } = kind.prototype;
  kind.prototype.start = function (...when) {
    const tone = this instanceof OscillatorNode;
    if (!tone || this.frequency.value > 600) window.heard.push(tone ? "ring" : "words");
    return start.apply(this, when);
  };
}
"""


def open_display(open_page: Open, seeded: Seed, *, ears: bool = False, at: str = "") -> Page:
    display = seeded["displays"][0]
    address = f"{at}/display/{display['id']}?token={display['token']}"
    page = open_page(address, width=1920, height=1080, allowed=AWAY, script=EARS if ears else "")
    if ears:
        until_silenced(page)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


SILENCED = "document.querySelector('[data-sound-hint]')?.hidden === false"


def until_silenced(page: Page) -> None:
    """Wait until the page has found that it may not play sound before a touch.

    Each evaluation by Playwright counts as a touch and allows sound. The debugger's own evaluation does not.
    """
    session = page.context.new_cdp_session(page)
    wait_until(lambda: session.send("Runtime.evaluate", {"expression": SILENCED})["result"].get("value") is True, "the hint")
    session.detach()


@pytest.fixture
def floor(server: Server, seeded: Seed) -> Iterator[httpx.Client]:
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        yield client


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """Yield the network between a screen and the server."""
    relay = Relay(server.port)
    yield relay
    relay.close()


def do(client: httpx.Client, name: str, **body: Any) -> Any:
    answer = client.post(f"/api/v1/commands/{name}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def spoken_languages(page: Page) -> list[str]:
    """Return the languages of the announcements that the page requested from the server."""
    return [re.findall(r"language=(\w+)", url)[0] for url in page.evaluate(ASKED)]


ASKED = """() => performance.getEntriesByType("resource").map(({ name }) => name)
  .filter((each) => each.includes("/speech?"))"""


def until(page: Page, holds: str, argument: Any = None, seconds: float = 60) -> None:
    """Wait until a function, which may be asynchronous, returns true in the page. The page may reload meanwhile."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with suppress(Error):
            if page.evaluate(holds, argument):
                return
        page.wait_for_timeout(100)
    raise AssertionError(f"{holds} never held; heard: {page.evaluate('() => window.heard')}")


def wait_for_further_sounds(page: Page) -> None:
    """Wait longer than any pending sound needs to begin."""
    page.wait_for_timeout(1500)


# The board


def test_board_shows_calls_last_calls_and_next_patients(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """Open calls are shown, the newest first. Ended calls become last calls. Queues show next patients and the wait."""
    first, second = (each["label"] for each in seeded["tickets"][:2])
    page = open_display(open_page, seeded)
    queue = page.locator(f'[data-queue="{seeded["queue_ids"][0]}"]')
    expect(queue).to_contain_text(first)
    expect(queue.locator(".next-up-wait")).to_have_text(re.compile(r"\d+\u2013\d+ min"))
    expect(page.locator("[data-no-calls]")).to_be_visible()
    expect(page.locator("[data-last-calls]")).to_be_hidden()
    called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    do(floor, "call-next", point_id=seeded["point_ids"][1])
    expect(page.locator("[data-call]").first).to_have_attribute("data-call", second)
    assert page.locator("[data-call]").evaluate_all("all => all.map((each) => each.dataset.call)") == [second, first]
    expect(page.locator("[data-said]")).to_have_text(f"{second}, please go to Room 2")
    do(floor, "recall", entry_id=called["id"])
    expect(page.locator("[data-call]").first).to_have_attribute("data-call", first)
    do(floor, "start", entry_id=called["id"])
    expect(page.locator("[data-call]")).to_have_count(1)
    expect(page.locator("[data-last-calls]")).to_contain_text(f"{first}Room 1")
    do(floor, "broadcast-message", site_id=seeded["site_id"], message="The lift is being mended.")
    expect(page.locator("[data-message]")).to_have_text("The lift is being mended.")
    expect(page.locator(".clock")).to_have_text(re.compile(r"^\d\d:\d\d$"))


def test_undone_call_is_not_a_last_call(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    page = open_display(open_page, seeded)
    called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    expect(page.locator("[data-call]")).to_have_count(1)
    do(floor, "undo", entry_id=called["id"])
    expect(page.locator("[data-call]")).to_have_count(0)
    expect(page.locator("[data-last-calls]")).to_be_hidden()


CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = rgb(colour).map((each) => (each /= 255) <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const { backgroundColor } = getComputedStyle(each);
      if (rgb(backgroundColor)[3] === 255) return backgroundColor;
    }
    return "white";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (text === "" || !element.checkVisibility() || element.closest(".hidden, option")) continue;
    const [one, other] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
    found.push([`${element.className} ${text}`, (one + 0.05) / (other + 0.05)]);
  }
  return found;
}"""
CAPITALS = """() => {
  const ticket = document.querySelector(".call:first-child .call-ticket");
  return parseFloat(getComputedStyle(ticket).fontSize) * 0.727; // Inter's capitals
}"""


SIZES = ((1366, 768), (1920, 1080), (3840, 2160), (1080, 1920))


def test_display_is_legible_from_eight_metres(open_page: Open, seeded: Seed, floor: httpx.Client, relay: Relay) -> None:
    """The newest call's capitals have 7.5 % of the screen's shorter side, and all texts a contrast of 7:1."""
    page = open_display(open_page, seeded, at=relay.url)
    do(floor, "broadcast-message", site_id=seeded["site_id"], message="Please mind the step.")
    for point_id in seeded["point_ids"]:
        do(floor, "call-next", point_id=point_id)
    expect(page.locator("[data-call]")).to_have_count(2)
    expect(page.locator("[data-message]")).to_be_visible()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(CAPITALS) >= 0.075 * min(width, height)
        html = page.locator("html")
        assert html.evaluate("each => [each.scrollWidth, each.scrollHeight]") == [width, height], (
            "a part overflows the screen"
        )
    for state in ("live", "stale"):
        if state == "stale":
            relay.take_away()
            expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=HEARTBEAT * 30 * SECONDS)
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.setAttribute('data-theme', theme)", theme)
            found = page.evaluate(CONTRASTS)
            assert len(found) > 15
            assert [each for each in found if each[1] < 7] == [], f"{state}, {theme}"


@pytest.mark.parametrize(("language", "words", "direction"), [("ar", "النداء الآن", "rtl"), ("fr", "Appel en cours", "ltr")])
def test_display_uses_the_language_of_the_site(
    open_page: Open, server: Server, seeded: Seed, language: str, words: str, direction: str
) -> None:
    with server.client(server.sign_in(seeded, "admin")) as admin:
        page = open_display(open_page, seeded)
        do(admin, "change-site", site_id=seeded["site_id"], language=language)
        expect(page.locator("#calls-title")).to_have_text(words)
        expect(page.locator("html")).to_have_attribute("dir", direction)
        page.evaluate("() => document.fonts.ready")
    fonts = page.evaluate(
        "() => [...document.fonts].filter(({ status }) => status === 'loaded').map(({ family }) => family)"
    )
    assert ("Noto Sans Arabic" in {each.strip('"') for each in fonts}) is (language == "ar"), (
        "the Arabic font is for Arabic alone"
    )


CUT = """() => [...document.querySelectorAll(".next-up-name")]
    .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).map(({ textContent }) => textContent)"""


def test_names_of_queues_fit_beside_a_long_range(open_page: Open, server: Server, seeded: Seed, floor: httpx.Client) -> None:
    """On a television, in each language, with a range of three figures."""
    queue_id = seeded["queue_ids"][0]
    with server.client(server.sign_in(seeded, "admin")) as admin:
        body = {"queue_id": queue_id, "name": "Registration desk"}
        assert admin.post("/api/v1/commands/change-queue", json=body).status_code == 200
    for _ in range(30):
        do(floor, "issue-ticket", queue_id=queue_id)
    page = open_display(open_page, seeded)
    for language in LANGUAGES:
        page.goto(f"/display/{seeded['displays'][0]['id']}?lang={language}")
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator(".next-up-wait").first).to_contain_text(re.compile(r"\d{3}|[\u0660-\u0669]{3}"))
        page.evaluate("() => document.fonts.ready")
        assert page.evaluate(CUT) == [], language


# Sound


def test_names_of_the_site_are_shown_in_the_language_of_the_reader(
    open_page: Open, server: Server, seeded: Seed, floor: httpx.Client
) -> None:
    """The display and the patient's page: the only Latin letters are those of tickets and of the site's own name."""
    with server.client(server.sign_in(seeded, "admin")) as admin:

        def do(name: str, /, **body: Any) -> Any:
            answer = admin.post(f"/api/v1/commands/{name}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        site_id = seeded["site_id"]
        do("change-site", site_id=site_id, languages=["ar"])
        service = do("add-service", site_id=site_id, name="Blood", public_name="Blood", names={"ar": "مختبر"})
        for queue_id in seeded["queue_ids"]:
            service_id = service["events"][-1]["service_id"]
            do("change-queue", queue_id=queue_id, service_id=service_id, names={"ar": "تحاليل"})
        for number, point_id in enumerate(seeded["point_ids"], 1):
            do("change-point", point_id=point_id, names={"ar": f"غرفة {number}"})
        called = do("issue-ticket", queue_id=seeded["queue_ids"][0], language="ar")
        do("call", entry_id=called["entry"]["id"], point_id=seeded["point_ids"][0])
        display = seeded["displays"][0]
        board = open_page(f"/display/{display['id']}?token={display['token']}&lang=ar", width=1920, height=1080)
        expect(board.locator(".call").first).to_contain_text("غرفة 1")
        expect(board.locator(".next-up-name").first).to_have_text("تحاليل")
        for part in ("[data-calls]", "[data-next-up]"):
            assert not re.search("[A-Za-z]{2}", board.locator(part).inner_text()), part
        ticket = open_page(f"/t/{called['token']}", width=390, height=844)
        expect(ticket.locator("html")).to_have_attribute("lang", "ar")
        expect(ticket.locator(".ticket-queue")).to_have_text("مختبر")
        expect(ticket.locator(".ticket-headline")).to_contain_text("غرفة 1")
        do("leave", entry_id=called["entry"]["id"])


def test_each_call_is_announced_once(open_page: Open, seeded: Seed, floor: httpx.Client) -> None:
    """A call and a recall are announced, also in the patient's language. A reload and earlier calls are not."""
    before = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    page = open_display(open_page, seeded, ears=True)
    expect(page.locator(f'[data-call="{before["label"]}"]')).to_be_visible()
    expect(page.locator("[data-sound-hint]")).to_be_visible()
    page.click("h1")
    expect(page.locator("[data-sound-hint]")).to_be_hidden()
    entry = do(floor, "issue-ticket", queue_id=seeded["queue_ids"][0], priority="emergency", language="es")["entry"]
    do(floor, "call", entry_id=entry["id"], point_id=seeded["point_ids"][1])
    until(page, "() => heard.length >= 3")
    wait_for_further_sounds(page)
    assert page.evaluate("() => heard") == ["ring", "words", "words"]
    assert spoken_languages(page) == ["en", "es"]
    do(floor, "recall", entry_id=before["id"])
    until(page, "() => heard.length >= 5")
    wait_for_further_sounds(page)
    assert page.evaluate("() => heard") == ["ring", "words", "words", "ring", "words"]
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    page.click("h1")
    expect(page.locator("[data-sound-hint]")).to_be_hidden()
    wait_for_further_sounds(page)
    assert page.evaluate("() => heard") == []


def test_calls_during_an_outage_are_announced_after_it(
    open_page: Open, server: Server, seeded: Seed, floor: httpx.Client, relay: Relay
) -> None:
    """Each call that is still open is announced once, in the order of last announcements, also after a recall."""
    page = open_display(open_page, seeded, ears=True, at=relay.url)
    page.click("h1")
    expect(page.locator("[data-sound-hint]")).to_be_hidden()
    relay.take_away()
    expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=HEARTBEAT * 30 * SECONDS)
    expect(page.locator(".notice")).to_have_text(re.compile(r"Not live since \d\d:\d\d\."))
    over = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    do(floor, "no-show", entry_id=over["id"])
    second, first = (do(floor, "call-next", point_id=each)["entry"] for each in reversed(seeded["point_ids"]))
    do(floor, "recall", entry_id=second["id"])
    # The server collects changes for a moment. A screen that connected within it would correctly announce the call and then
    # the recall. So wait until a new stream shows both.
    display = seeded["displays"][0]
    with sse(f"{server.url}/live/displays/{display['id']}", display["token"]) as other:
        other.wait(lambda each: each.cells.get(f"entry:{second['id']}", {}).get("calls") == 2)
    relay.bring_back()
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)
    until(page, "() => heard.length >= 4")
    wait_for_further_sounds(page)
    assert page.evaluate("() => heard") == ["ring", "words"] * 2
    asked = [int(re.findall(r"entry=(\d+)", each)[0]) for each in page.evaluate(ASKED)]
    assert asked == [first["id"], second["id"]]


def test_sound_can_be_tested_and_desk_shows_muted(open_page: Open, server: Server, seeded: Seed) -> None:
    display = seeded["displays"][0]["id"]
    token = server.sign_in(seeded, "receptionist")
    with sse(f"{server.url}/live/sites/{seeded['site_id']}/desk", token) as desk:
        page = open_display(open_page, seeded, ears=True)
        desk.wait(lambda each: each.cells.get(f"display:{display}", {}).get("muted") is True)
        assert re.fullmatch(r"[0-9a-f]{12}", desk.cells[f"display:{display}"]["version"])
        expect(page.locator("[data-panel]")).to_be_hidden()
        page.mouse.move(300, 300)
        page.click("[data-sound-test]")
        until(page, "() => heard.length >= 2")
        assert page.evaluate("() => heard") == ["ring", "words"]
        desk.wait(lambda each: each.cells[f"display:{display}"]["muted"] is False)


# Without staff


@contextmanager
def own_server(env: dict[str, str], folder: Path, root: Path = ROOT) -> Iterator[Any]:
    """Yield a function that starts a server on a fixed port. Its processes end with this context."""
    port = free_port()
    started: list[Any] = []

    @contextmanager
    def start() -> Iterator[Server]:
        log = folder / f"own-{port}.log"
        command = [
            sys.executable,
            "-P",
            "-m",
            "server.cli",
            "serve",
            "--port",
            str(port),
        ]  # -P: from PYTHONPATH, not from this folder
        with running(command, log, env | {"PYTHONPATH": str(root)}) as process:
            server = Server(port, process, log)
            started.append(process)
            wait_until(lambda: answers(f"{server.url}/health/ready"), "the server", process)
            yield server

    try:
        yield start
    finally:
        for process in started:
            end(process, signal.SIGKILL)


def open_at(open_page: Open, server: Server, seeded: Seed) -> Page:
    display = seeded["displays"][0]
    page = open_page(f"{server.url}/display/{display['id']}?token={display['token']}", allowed=AWAY)
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    return page


def test_board_turns_stale_and_recovers_after_a_server_crash(
    env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path
) -> None:
    """The stale board stays visible with the time of its last message. After a restart it is live again."""
    with own_server(env, tmp_path) as start:
        with start() as server:
            page = open_at(open_page, server, seeded)
            with server.client(server.sign_in(seeded, "receptionist")) as floor:
                called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
            expect(page.locator(f'[data-call="{called["label"]}"]')).to_be_visible()
            server.process.kill()
        expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=HEARTBEAT * 30 * SECONDS)
        expect(page.locator(".notice")).to_have_text(re.compile(r"Not live since \d\d:\d\d\."))
        expect(page.locator(f'[data-call="{called["label"]}"]')).to_be_visible()
        with start() as server:
            with server.client(server.sign_in(seeded, "receptionist")) as floor:
                do(floor, "start", entry_id=called["id"])
            expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)
            expect(page.locator("[data-call]")).to_have_count(0)
            page.close()


def test_forgotten_call_is_a_past_call_and_staff_are_asked(
    env: dict[str, str], open_page: Open, seeded: Seed, floor: httpx.Client, tmp_path: Path
) -> None:
    """A room called 113 minutes ago, and the server has started since. The display shows a last call, and does not speak it.

    Desk and room ask whether it still stands. A recall renews it, and a return frees the room.
    """
    called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
    with sqlite3.connect(env["NOWSERVING_DATABASE_URL"].partition("///")[2]) as database:
        changed = database.execute(
            "UPDATE entries SET called_at = called_at - :ago, announced_at = announced_at - :ago, since = since - :ago"
            " WHERE id = :id",
            {"ago": 113 * 60 * 1_000_000, "id": called["id"]},
        )
        assert changed.rowcount == 1
    database.close()
    asked = re.compile(r"Called 113 min ago\. Does the call still stand\?")
    with own_server(env, tmp_path) as start, start() as server:
        page = open_page(
            f"{server.url}/display/{seeded['displays'][0]['id']}?token={seeded['displays'][0]['token']}",
            allowed=AWAY,
            script=EARS,
        )
        until_silenced(page)
        expect(page.locator("[data-last-calls]")).to_contain_text(f"{called['label']}Room 1")
        expect(page.locator("[data-call]")).to_have_count(0)
        page.click(".display-site")
        wait_for_further_sounds(page)
        assert page.evaluate("window.heard") == []
        desk = open_page(f"{server.url}/", allowed=AWAY)
        sign_in_as(desk.request, seeded, "receptionist", server.url)
        desk.goto(f"{server.url}/reception")
        row = desk.locator(f'.entry-row[data-entry="{called["id"]}"]')
        expect(row.locator(".note.is-past-call")).to_have_text(asked)
        row.click()
        expect(desk.locator(".guest-state")).to_contain_text(asked)
        expect(desk.locator('[data-action="no-show"]')).to_be_enabled()
        expect(desk.locator('[data-action="return"]')).to_be_enabled()
        room = open_page(f"{server.url}/", allowed=AWAY)
        sign_in_as(room.request, seeded, "clinician", server.url)
        room.goto(f"{server.url}/room")
        room.click(f'[data-choose="{seeded["point_ids"][0]}"]')
        expect(room.locator(".room-state")).to_have_text(asked)
        room.click('[data-action="recall"]')
        expect(page.locator(f'[data-call="{called["label"]}"]')).to_be_visible()
        expect(page.locator("[data-last-calls]")).to_be_hidden()
        expect(room.locator("[data-past-call]")).to_be_hidden()
        expect(row.locator(".note.is-past-call")).to_have_count(0)
        desk.click('[data-action="return"]')
        expect(row).to_have_attribute("data-state", "waiting")
        expect(room.locator(".room-guest")).to_have_attribute("data-state", "free")
        expect(page.locator("[data-call]")).to_have_count(0)
        for each in (page, desk, room):
            each.close()


def test_last_board_survives_a_reload_without_the_server(
    env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path
) -> None:
    with own_server(env, tmp_path) as start:
        with start() as server:
            page = open_at(open_page, server, seeded)
            with server.client(server.sign_in(seeded, "receptionist")) as floor:
                called = do(floor, "call-next", point_id=seeded["point_ids"][0])["entry"]
            expect(page.locator(f'[data-call="{called["label"]}"]')).to_be_visible()
            until(page, KEPT, "/display")
        page.reload()
        expect(page.locator(f'[data-call="{called["label"]}"]')).to_be_visible()
        expect(page.locator("body")).to_have_attribute("data-live", "stale", timeout=30 * SECONDS)
        expect(page.locator(".notice")).to_have_text(re.compile(r"Not live since \d\d:\d\d\."))
        assert page.evaluate(CACHED_WITH_TEXT, seeded["displays"][0]["token"]) == []
        with start():
            expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)
            page.close()


KEPT = "async kind => (await caches.match(kind)) !== undefined && navigator.serviceWorker.controller !== null"
# Returns the cached addresses with a text in the address or in the content.
CACHED_WITH_TEXT = """async (text) => {
  const cache = await caches.open("now-serving");
  const found = [];
  for (const request of await cache.keys()) {
    const body = await (await cache.match(request)).text();
    if (request.url.includes(text) || body.includes(text)) found.push(request.url);
  }
  return found;
}"""


def test_display_updates_itself_to_a_new_version(env: dict[str, str], open_page: Open, seeded: Seed, tmp_path: Path) -> None:
    """A new version is installed while the display is open."""
    installed = tmp_path / "installed"
    for folder in ("server", "web"):
        shutil.copytree(ROOT / folder, installed / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with own_server(env, tmp_path, installed) as start:
        with start() as server:
            page = open_at(open_page, server, seeded)
            before = page.evaluate(VERSION)
            server.process.kill()
        page.evaluate("window.before = true")
        style = installed / "web" / "css" / "display.css"
        style.write_text(style.read_text() + "\n:root { --newer: 1 }\n")
        with start():
            until(page, "() => window.before === undefined", seconds=90)
            expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=60 * SECONDS)
            assert page.evaluate(VERSION) != before
            assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--newer')") == "1"
            page.close()


VERSION = """() => document.querySelector("script[src*='pages/display.js']").src.split("/").at(-4)"""


def test_display_is_paired_by_its_code(open_page: Open, server: Server, seeded: Seed) -> None:
    display = seeded["displays"][0]["id"]
    page = open_page("/display", width=1920, height=1080)
    code = page.locator("[data-code]")
    expect(code).to_have_text(re.compile(r"^\w{3} \w{3}$"))
    assert [each for each in page.evaluate(CONTRASTS) if each[1] < 7] == []
    with server.client(server.sign_in(seeded, "admin")) as admin:
        answer = admin.post(f"/api/v1/pairings/{code.inner_text()}", json={"device_id": display})
    assert answer.status_code == 200, answer.text
    page.wait_for_url(f"**/display/{display}")
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    expect(page.locator("[data-pairing]")).to_be_hidden()
    page.goto("/display")
    page.wait_for_url(f"**/display/{display}")
    expect(page.locator("body")).to_have_attribute("data-live", "live")


def test_display_with_revoked_token_can_be_paired_again(open_page: Open, server: Server, seeded: Seed) -> None:
    display = seeded["displays"][0]["id"]
    page = open_page("about:blank", width=1920, height=1080, allowed=("401 (Unauthorized)", *AWAY))
    page.goto(f"/display/{display}?token={seeded['displays'][0]['token']}")
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    with server.client(server.sign_in(seeded, "admin")) as admin:
        do(admin, "revoke-token", device_id=display)
        code = page.locator("[data-code]")
        expect(code).to_have_text(re.compile(r"^\w{3} \w{3}$"), timeout=30 * SECONDS)
        expect(page.locator("main.display")).to_be_hidden()
        assert admin.post(f"/api/v1/pairings/{code.inner_text()}", json={"device_id": display}).status_code == 200
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=30 * SECONDS)
    expect(page.locator("main.display")).to_be_visible()


STORED = "id => [localStorage.getItem(`display:${id}`), localStorage.getItem(`display-given:${id}`)]"


def test_token_in_the_address_replaces_the_own_one_only_if_it_is_accepted(
    open_page: Open, server: Server, seeded: Seed
) -> None:
    display = seeded["displays"][0]["id"]
    own = seeded["displays"][0]["token"]
    page = open_page(f"/display/{display}?token={own}", allowed=("401 (Unauthorized)", *AWAY))
    body, refused = page.locator("body"), page.locator("[data-token-refused]")
    expect(body).to_have_attribute("data-live", "live")
    wrong = f"{own[:-4]}AAAA"
    page.goto(f"/display/{display}?token={wrong}")
    expect(refused).to_be_visible()
    expect(body).to_have_attribute("data-live", "live")
    assert page.url == f"{server.url}/display/{display}"
    assert page.evaluate(STORED, display) == [own, None]
    page.reload()
    expect(body).to_have_attribute("data-live", "live")
    expect(refused).to_be_hidden()
    # Without an answer of the server the own token stays, and the page tries the other one later.
    page.route("**/live/displays/*", lambda route: route.fulfill(status=401, body="<html>"))
    page.goto(f"/display/{display}?token={wrong}")
    expect(body).to_have_attribute("data-live", "live")
    assert page.evaluate(STORED, display) == [own, wrong]
    page.unroute("**/live/displays/*")
    page.reload()
    expect(refused).to_be_visible()
    assert page.evaluate(STORED, display) == [own, None]
    with server.client(server.sign_in(seeded, "admin")) as admin:
        new = do(admin, "renew-token", device_id=display)["token"]
    page.goto(f"/display/{display}?token={new}")
    expect(body).to_have_attribute("data-live", "live")
    assert page.evaluate(STORED, display) == [new, None]


LOCKS = """
window.locks = [];
const { request } = WakeLock.prototype;
WakeLock.prototype.request = async function (...kind) {
  const lock = await request.apply(this, kind);
  window.locks.push(lock);
  return lock;
};
"""


def test_wake_lock_that_the_browser_releases_is_requested_again(open_page: Open) -> None:
    page = open_page("/docs", script=LOCKS)
    page.context.grant_permissions(["screen-wake-lock"])  # the headless shell refuses it otherwise
    page.goto("/display")
    until(page, "() => locks.length === 1")
    page.evaluate("() => locks[0].release()")
    until(page, "() => locks.length === 2 && !locks[1].released")


# Long operation

CHANGES = """async (changes) => {
  const base = document.querySelector("script[src*='pages/display.js']").src.replace("pages/display.js", "");
  const { EMPTY, apply } = await import(base + "live/view.js");
  const { showBoard } = await import(base + "components/display-board.js");
  const { Announcer } = await import(base + "components/announcer.js");
  const announcer = (window.announcer ??= new Announcer());
  const site = { name: "Clinic", time_zone: "UTC", language: "en", business_day: "2025-03-03", message: null };
  const cells = { site };
  for (let n = 1; n <= 4; n += 1) {
    cells[`queue:${n}`] = { name: `Queue ${n}`, prefix: "ABCD"[n - 1], position: n, waiting: 9, next: [], expect_from: null,
      expect_until: null, estimating: true };
    cells[`point:${n}`] = { name: `Room ${n}` };
  }
  let view = apply(window.view ?? EMPTY, "snapshot", { seq: 1, heartbeat_ms: 15000, cells });
  let next = (window.next ??= 1);
  for (let step = 0; step < changes; step += 1) {
    const id = next++;
    const label = `A${String(id % 1000).padStart(3, "0")}`;
    const call = { label, point: 1 + (id % 4), at: id, calls: 1, name: null, language: "en" };
    const announcement = { entry: id, label, point: call.point, kind: "call", at: id };
    const set = { [`entry:${id}`]: call, [`announcement:${id}`]: announcement };
    const labels = [1, 2, 3, 4, 5].map((each) => `B${String((id + each) % 1000).padStart(3, "0")}`);
    set[`queue:${1 + (id % 4)}`] = { ...cells["queue:1"], position: id % 4, waiting: id % 40, next: labels,
      expect_from: id * 1000, expect_until: id * 2000 };
    view = apply(view, "change", { seq: step, set, del: [`entry:${id - 4}`, `announcement:${id - 10}`] });
    announcer.take(view.cells);
    showBoard(view.cells, id * 500);
    if (step % 500 === 0) await new Promise(requestAnimationFrame);
  }
  window.view = view;
  window.next = next;
  return document.querySelectorAll("*").length;
}"""


def test_ten_thousand_changes_do_not_grow_the_heap(open_page: Open, server: Server) -> None:
    page = open_page("/display")
    expect(page.locator("[data-code]")).not_to_be_empty()
    session = page.context.new_cdp_session(page)

    def heap() -> int:
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        used: int = session.send("Runtime.getHeapUsage")["usedSize"]
        return used

    elements = page.evaluate(CHANGES, 500)
    before = heap()
    assert page.evaluate(CHANGES, 10_000) == elements
    after = heap()
    assert after - before < 300_000, f"{before} bytes before, {after} bytes after"


def test_queue_says_how_late_it_runs(open_page: Open, seeded: Seed, server: Server) -> None:
    """A delay that staff announce shows at each queue, in the language of the site, until they withdraw it."""
    with server.client(server.sign_in(seeded, "admin")) as admin:
        site = {"site_id": seeded["site_id"]}
        assert admin.post("/api/v1/commands/change-site", json=site | {"message_ways": ["email"]}).status_code == 200
        page = open_display(open_page, seeded)
        late = page.locator(".next-up-late")
        expect(page.locator(".next-up").first).to_be_visible()
        expect(late.first).to_be_hidden()
        assert admin.post("/api/v1/commands/announce-delay", json=site | {"minutes": 20}).status_code == 200
        expect(late.first).to_have_text("Running about 20 minutes late")
        assert admin.post("/api/v1/commands/withdraw-delay", json=site).status_code == 200
        expect(late.first).to_be_hidden()
