"""The kiosk: tickets with one touch, for whatever a finger, a proxy or the network does, and no trace of the last person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from server.seeding import Seed
from tests.browser.conftest import AWAY, Open, sign_in_as
from tests.support.appointments import Day, appointments_today
from tests.support.server import Server

pytestmark = pytest.mark.long

PORTRAIT = {"width": 1080, "height": 1920}
LANDSCAPE = {"width": 1920, "height": 1080}
TABLET = {"width": 1280, "height": 800}
UPRIGHT_TABLET = {"width": 768, "height": 1024}
LEAST_PX = 64
ISSUE = "**/api/v1/commands/issue-ticket"


@dataclass
class Kiosk:
    """A kiosk at a site of its own, and its administrator."""

    server: Server
    seeded: Seed
    admin: httpx.Client
    id: int
    token: str

    @property
    def path(self) -> str:
        return f"/kiosk/{self.id}?token={self.token}"

    def do(self, name: str, /, **body: Any) -> Any:
        answer = self.admin.post(f"/api/v1/commands/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def change(self, **settings: Any) -> None:
        self.do("change-kiosk", kiosk_id=self.id, **settings)

    def waiting(self) -> int:
        """Return how many patients wait at the site."""
        board = self.admin.get(f"/api/v1/sites/{self.seeded['site_id']}/board").json()
        return sum(each["state"] == "waiting" for key, each in board["cells"].items() if key.startswith("entry:"))


@pytest.fixture
def kiosk(server: Server, seeded: Seed) -> Iterator[Kiosk]:
    admin = server.client(server.sign_in(seeded, "admin"))
    added = admin.post("/api/v1/commands/add-kiosk", json={"site_id": seeded["site_id"], "name": "Door"}).json()
    yield Kiosk(server, seeded, admin, added["events"][-1]["kiosk_id"], added["token"])
    admin.close()


@pytest.fixture
def open_kiosk(kiosk: Kiosk, open_page: Open) -> Callable[..., Page]:
    def opened(size: dict[str, int] = PORTRAIT, **more: Any) -> Page:
        page = open_page("/docs", **size, **more) if more.pop("clock", False) else open_page(kiosk.path, **size, **more)
        expect(screen(page, "idle")).to_be_visible()
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        return page

    return opened


def screen(page: Page, name: str) -> Locator:
    """Return the first part of a screen, which has a box of its own."""
    return page.locator(f'[data-screen="{name}"] .info')


def button(page: Page, queue: int = 0) -> Locator:
    return page.locator('[data-do="queue"]').nth(queue)


def middle(target: Locator) -> tuple[float, float]:
    box = target.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_one_touch_gives_a_number_with_its_place_and_code(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk()
    expect(page.locator('[data-do="queue"]')).to_have_count(2)
    button(page).click()
    expect(page.locator("[data-label]")).to_have_text("A004")
    expect(page.locator("[data-ahead]")).to_have_text("6 people before you")
    expect(page.locator("[data-ticket-code]")).to_have_js_property("complete", True)
    assert page.locator("[data-ticket-code]").evaluate("code => code.naturalWidth") > 0
    assert kiosk.waiting() == before + 1


def test_kiosk_with_one_queue_needs_one_touch_too(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    kiosk.change(queue_ids=[kiosk.seeded["queue_ids"][1]])
    page = open_kiosk(TABLET)
    expect(page.locator('[data-do="queue"]')).to_have_count(1)
    button(page).click()
    expect(page.locator("[data-label]")).to_have_text("B004")


def test_nothing_of_a_ticket_stays_after_done(open_kiosk: Callable[..., Page]) -> None:
    page = open_kiosk()
    with page.expect_response(ISSUE) as answered:
        button(page).click()
    token = answered.value.json()["token"]
    expect(screen(page, "ticket")).to_be_visible()
    page.locator('[data-screen="ticket"] [data-do="done"]').click()
    expect(screen(page, "idle")).to_be_visible()
    kept = page.evaluate(
        "[document.documentElement.outerHTML, JSON.stringify({...localStorage, ...sessionStorage}), location.href]"
    )
    assert not any(token in each or "A004" in each for each in kept)


def test_double_touch_gives_one_ticket(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk()
    held: list[Route] = []
    page.route(ISSUE, lambda route: held.append(route))  # noqa: PLW0108  Playwright takes no built-in method
    expect(page.locator("[data-join-code]")).to_be_visible()  # it moves the buttons when it comes
    page.mouse.move(*middle(button(page)))
    for _ in range(2):
        page.mouse.down()
        page.mouse.up()
    expect(screen(page, "issuing")).to_be_visible()
    while not held:
        page.wait_for_timeout(20)
    for each in held:
        each.continue_()
    expect(screen(page, "ticket")).to_be_visible()
    assert kiosk.waiting() == before + 1


# Touch the button of the ticket's screen in the moment in which this screen appears.
TOUCH_DONE_AT_ONCE = """() => new MutationObserver((_, observer) => {
  if (document.body.dataset.state !== "ticket") return;
  observer.disconnect();
  const done = document.querySelector('[data-screen="ticket"] [data-do="done"]');
  for (const type of ["pointerdown", "pointerup"])
    done.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, clientX: 1, clientY: 1 }));
  window.touched = true;
}).observe(document.body, { attributes: true, attributeFilter: ["data-state"] })"""


def test_second_touch_that_meets_the_ticket_does_not_end_it(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk()
    page.evaluate(TOUCH_DONE_AT_ONCE)
    button(page).click()
    expect(screen(page, "ticket")).to_be_visible()
    assert page.evaluate("window.touched")
    done = page.locator('[data-screen="ticket"] [data-do="done"]')
    expect(done).not_to_have_attribute("aria-disabled", "true")
    expect(screen(page, "ticket")).to_be_visible()
    assert kiosk.waiting() == before + 1


def test_request_that_a_proxy_repeats_gives_one_ticket(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk()
    labels: list[str] = []

    def repeat(route: Route) -> None:
        answers = [route.fetch(), route.fetch()]
        labels.extend(each.json()["entry"]["label"] for each in answers)
        route.fulfill(response=answers[1])

    page.route(ISSUE, repeat)
    button(page).click()
    expect(page.locator("[data-label]")).to_have_text("A004")
    assert labels == ["A004", "A004"]
    assert kiosk.waiting() == before + 1


def test_lost_answer_is_asked_for_with_the_same_id(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk(allowed=AWAY)
    ids: list[str | None] = []

    def lose_the_first(route: Route) -> None:
        ids.append(route.request.headers.get("idempotency-key"))
        answer = route.fetch()
        if len(ids) == 1:
            route.abort()
        else:
            route.fulfill(response=answer)

    page.route(ISSUE, lose_the_first)
    button(page).click()
    expect(page.locator("[data-label]")).to_have_text("A004")
    assert ids == [ids[0]] * 2
    assert kiosk.waiting() == before + 1


def test_drift_of_a_finger_is_a_touch_and_a_swipe_is_nothing(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk()

    def draw(target: Locator, dx: float, dy: float) -> None:
        x, y = middle(target)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + dx, y + dy, steps=4)
        page.mouse.up()

    expect(page.locator("[data-join-code]")).to_be_visible()  # it moves the buttons when it comes
    draw(button(page), 0, 60)
    draw(button(page), -300, 0)
    page.mouse.move(*middle(button(page)))
    page.mouse.down(button="right")
    page.mouse.up(button="right")
    expect(screen(page, "idle")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == ""
    assert kiosk.waiting() == before
    draw(button(page), 22, 22)
    expect(screen(page, "ticket")).to_be_visible()
    assert kiosk.waiting() == before + 1


def test_reload_in_the_middle_shows_the_number(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    before = kiosk.waiting()
    page = open_kiosk(allowed=AWAY)
    seen: list[int] = []

    def hold(route: Route) -> None:
        seen.append(route.fetch().status)  # the server has issued it; the page learns nothing
        route.abort()

    page.route(ISSUE, hold)
    button(page).click()
    expect(screen(page, "issuing")).to_be_visible()
    while not seen:
        page.wait_for_timeout(20)
    page.unroute(ISSUE)
    page.reload()
    expect(page.locator("[data-label]")).to_have_text("A004")
    assert kiosk.waiting() == before + 1


def test_without_the_network_it_promises_nothing_and_makes_no_ticket_later(
    kiosk: Kiosk, open_kiosk: Callable[..., Page]
) -> None:
    before = kiosk.waiting()
    page = open_kiosk(allowed=(*AWAY, "409 (Conflict)"))
    held: list[Route] = []
    page.route("**/*", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    button(page).click()  # in the moment before the page knows
    page.route("**/*", lambda route: route.fallback() if route.request.method == "POST" else route.abort())
    expect(page.locator("h1:visible")).to_have_text("Please go to the desk")
    assert kiosk.waiting() == before
    page.unroute_all(behavior="ignoreErrors")
    for each in held:
        late = each.request
        answer = httpx.post(late.url, content=late.post_data or "", headers={**late.headers})  # the network delivers it now
        assert answer.json()["error"]["code"] == "request_expired"
    expect(screen(page, "idle")).to_be_visible(timeout=60_000)
    assert kiosk.waiting() == before


def test_idle_screen_warns_and_then_belongs_to_the_next_person(kiosk: Kiosk, open_page: Open) -> None:
    kiosk.do("change-site", site_id=kiosk.seeded["site_id"], languages=["ar", "es"])
    page = open_page("/nowhere", **PORTRAIT, allowed=("404 (Not Found)", "WebSocket connection to"))
    page.clock.install()
    page.goto(kiosk.path)
    root = page.locator("html")
    page.locator('[data-language="ar"]').click()
    page.locator('[data-mode="contrast"]').click()
    page.locator('[data-mode="large"]').click()
    expect(root).to_have_attribute("lang", "ar")
    page.clock.fast_forward(60_500)
    expect(page.locator("[data-warning]")).to_be_visible()
    page.locator('[data-do="stay"]').click()
    expect(page.locator("[data-warning]")).to_be_hidden()
    expect(root).to_have_attribute("lang", "ar")
    page.clock.fast_forward(60_500)
    expect(page.locator("[data-warning]")).to_be_visible()
    page.clock.fast_forward(31_000)
    expect(page.locator("[data-warning]")).to_be_hidden()
    expect(root).to_have_attribute("lang", "en")
    assert page.evaluate("Object.keys(document.documentElement.dataset)") == []


def test_help_is_seen_at_the_desk_and_answered_with_a_name(
    kiosk: Kiosk, open_kiosk: Callable[..., Page], open_page: Open
) -> None:
    kiosk.change(place="Main entrance")
    page, desk = open_kiosk(), open_page("/sign-in", allowed=("ERR_FAILED",))
    sign_in_as(desk.request, kiosk.seeded, "receptionist")
    desk.route("**/help-calls.js", lambda route: route.abort(), times=1)  # a fault at the start loses no request later
    desk.goto("/reception")
    expect(desk.locator(f'[data-kiosk="{kiosk.id}"]')).to_contain_text("Live")
    page.locator('[data-do="help"]').click()
    expect(page.locator("[data-help]")).to_have_text("We have told reception")
    band = desk.locator("[data-help-calls]")
    expect(band).to_contain_text("Door, Main entrance")
    band.locator("button").click()
    expect(band).to_be_hidden()
    name = next(each["username"] for each in kiosk.seeded["staff"] if each["role"] == "receptionist")
    expect(page.locator("[data-help]")).to_have_text(f"{name} has seen your request")


def test_closed_full_and_paused_say_the_condition_and_the_next_step(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    first, second, *_ = kiosk.seeded["queue_ids"]
    page = open_kiosk()
    kiosk.do("change-queue", queue_id=first, capacity=1)
    expect(page.locator('[data-closed="full"]')).to_contain_text("All places are taken. Please ask at the desk.")
    kiosk.do("pause-queue", queue_id=second)
    expect(page.locator('[data-closed="paused"]')).to_contain_text("Please ask at the desk.")
    expect(page.locator("[data-welcome]")).to_have_text("There are no numbers here at the moment")
    kiosk.do("change-site", site_id=kiosk.seeded["site_id"], hours=[[0, 0, 1], [1, 0, 1], [2, 0, 1], [3, 0, 1], [4, 0, 1]])
    expect(page.locator("[data-welcome]")).to_have_text("We are closed now")
    expect(page.locator("[data-welcome-lead]")).to_contain_text("Please come back on")
    kiosk.do("revoke-token", device_id=kiosk.id)
    expect(page.locator("[data-code]")).not_to_be_empty()


def test_check_in_is_refused_kindly_and_without_a_reason(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    page = open_kiosk(TABLET, allowed=("409 (Conflict)",))
    expect(page.locator("[data-appointment]")).to_be_hidden()
    kiosk.change(check_in="birth")
    page.locator("[data-appointment]").click()
    page.locator('[data-step="birth"][data-do]').click()
    for digit in "24121985":
        page.locator(f'[data-key="{digit}"]').click()
    page.locator("[data-confirm]").click()
    for letter in "AL":
        page.locator(f'[data-key="{letter}"]').click()
    page.locator("[data-confirm]").click()
    expect(page.locator("[data-desk]")).to_have_text("Please go to the desk")
    expect(page.locator("[data-desk-lead]")).to_have_text("Our colleagues will check you in there.")


@dataclass
class Practice:
    """A kiosk at a site at about noon, and its appointments."""

    kiosk: Kiosk
    day: Day

    def book(self, minutes: int) -> tuple[str, str]:
        """Book an appointment that many minutes from now; return its code and its token."""
        seeded = self.day.seeded
        body = {"service_id": seeded["service_ids"][0], "local_start": self.day.local(minutes), "name": "Ada Lovelace"}
        token = self.kiosk.do("book", site_id=seeded["site_id"], **body)["token"]
        return self.kiosk.admin.get(f"/api/v1/appointments/{token}").json()["code"], token


@pytest.fixture
def practice(env: dict[str, str], server: Server) -> Iterator[Practice]:
    day = appointments_today(env, starts=(), points=1, tickets=2, providers=2)
    with server.client(server.sign_in(day.seeded, "admin")) as admin:
        body = {"site_id": day.seeded["site_id"], "name": "Door"}
        added = admin.post("/api/v1/commands/add-kiosk", json=body).json()
        kiosk = Kiosk(server, day.seeded, admin, added["events"][-1]["kiosk_id"], added["token"])
        kiosk.change(check_in="code")
        yield Practice(kiosk, day)


def test_code_of_an_appointment_gives_its_number(practice: Practice, open_page: Open) -> None:
    code, _ = practice.book(30)
    page = open_page(practice.kiosk.path, **TABLET)
    page.locator("[data-appointment]").click()
    for sign in code:
        page.locator(f'[data-key="{sign}"]').click()
    page.locator("[data-confirm]").click()
    expect(screen(page, "ticket")).to_be_visible()
    expect(page.locator("[data-ticket-title]")).to_have_text("You are checked in")
    expect(page.locator("[data-label]")).to_have_text(re.compile("A00[0-9]"))
    expect(page.locator("[data-ticket-queue]")).not_to_be_empty()
    assert practice.kiosk.waiting() == 3
    page.locator('[data-screen="ticket"] [data-do="done"]').click()
    expect(screen(page, "idle")).to_be_visible()
    kept = page.evaluate("[document.documentElement.outerHTML, JSON.stringify({...localStorage, ...sessionStorage})]")
    assert not any(code in each or "Lovelace" in each for each in kept)


def test_address_that_a_scanner_reads_twice_gives_one_number(practice: Practice, open_page: Open) -> None:
    _, token = practice.book(30)
    page = open_page(practice.kiosk.path, **TABLET)
    expect(page.locator("[data-appointment]")).to_be_visible()
    for _ in range(2):
        page.keyboard.type(f"https://clinic.test/a/{token}")
        page.keyboard.press("Enter")
    expect(screen(page, "ticket")).to_be_visible()
    assert practice.kiosk.waiting() == 3


def test_early_patient_hears_when_the_check_in_opens(practice: Practice, open_page: Open) -> None:
    _, token = practice.book(240)
    page = open_page(practice.kiosk.path, **TABLET, allowed=("409 (Conflict)",))
    expect(page.locator("[data-appointment]")).to_be_visible()
    page.keyboard.type(f"https://clinic.test/a/{token}")
    page.keyboard.press("Enter")
    expect(page.locator("[data-desk]")).to_have_text("You are early")
    expect(page.locator("[data-desk-lead]")).to_have_text(re.compile(r"You can check in from \d\d:\d\d to \d\d:\d\d\."))


BUSY = """
() => setInterval(() => {
  const until = performance.now() + 250;
  while (performance.now() < until);
}, 260)
"""


@pytest.mark.parametrize(
    ("delay_ms", "busy"), [(0, False), (150, False), (0, True)], ids=["at once", "slowly", "while the page is busy"]
)
def test_code_from_a_scanner_needs_no_touch(
    kiosk: Kiosk, open_kiosk: Callable[..., Page], delay_ms: int, busy: bool
) -> None:
    kiosk.change(check_in="code")
    page = open_kiosk(TABLET, allowed=("409 (Conflict)",))
    expect(page.locator("[data-appointment]")).to_be_visible()
    if busy:
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.evaluate(BUSY)
    with page.expect_request("**/check-in") as sent:
        page.keyboard.type("K7M3QX", delay=delay_ms)
        page.keyboard.press("Enter")
    assert (sent.value.post_data_json or {}).keys() == {"code", "valid_until"}
    assert (sent.value.post_data_json or {})["code"] == "K7M3QX"
    expect(screen(page, "desk")).to_be_visible()


MEASURED = """
() => [...document.querySelectorAll("button, select")]
  .filter((each) => each.checkVisibility() && each.closest("[inert]") === null)
  .map((each) => ({name: each.textContent.trim().slice(0, 30), ...each.getBoundingClientRect().toJSON()}))
"""


def measured(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(MEASURED)
    assert found
    size = page.viewport_size
    assert size is not None
    for each in found:
        assert each["width"] >= LEAST_PX - 0.01, each
        assert each["height"] >= LEAST_PX - 0.01, each
        assert each["left"] >= 0, each
        assert each["right"] <= size["width"], each
        assert each["bottom"] <= size["height"], each
    return found


def in_every_screen(page: Page, look: Callable[[Page], object]) -> None:
    """Bring a kiosk to each of its screens, and look."""
    look(page)
    button(page).click()
    expect(screen(page, "ticket")).to_be_visible()
    look(page)
    page.locator('[data-screen="ticket"] [data-do="done"]').click()
    page.locator("[data-appointment]").click()
    look(page)
    for step in ("code", "birth"):
        page.locator(f'[data-step="{step}"][data-do]').click()
        look(page)
        page.locator('[data-screen="check-in"] [data-do="done"]').click()
        expect(screen(page, "idle")).to_be_visible()
        page.locator("[data-appointment]").click()
    page.locator('[data-do="help"]').click()
    expect(screen(page, "help")).to_be_visible()
    look(page)


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE, TABLET], ids=["portrait", "landscape", "tablet"])
def test_targets_have_64_pixels(kiosk: Kiosk, open_kiosk: Callable[..., Page], size: dict[str, int]) -> None:
    kiosk.do("change-site", site_id=kiosk.seeded["site_id"], languages=["ar", "es", "fr"])
    kiosk.change(check_in="birth")
    in_every_screen(open_kiosk(size), measured)


COVERED = """
() => [...document.querySelectorAll("button")]
  .filter((each) => each.checkVisibility() && each.closest("[inert]") === null)
  .filter((each) => {
    const { x, y, width, height } = each.getBoundingClientRect();
    return [y + 2, y + height - 2].some((at) => document.elementFromPoint(x + width / 2, at)?.closest("button") !== each);
  })
  .map((each) => each.textContent.trim())
"""


@pytest.mark.parametrize(
    ("size", "modes"),
    [
        (PORTRAIT, ["large"]),
        (LANDSCAPE, ["large"]),
        (TABLET, ["large"]),
        (UPRIGHT_TABLET, ["large"]),
        (PORTRAIT, ["large", "low"]),
        (UPRIGHT_TABLET, ["large", "low"]),
    ],
    ids=["portrait", "landscape", "tablet", "upright-tablet", "portrait-low", "upright-tablet-low"],
)
def test_large_text_covers_no_button_of_the_check_in(
    kiosk: Kiosk, open_kiosk: Callable[..., Page], size: dict[str, int], modes: list[str]
) -> None:
    kiosk.do("change-site", site_id=kiosk.seeded["site_id"], languages=["ar", "es", "fr"])
    kiosk.change(check_in="birth")
    page = open_kiosk(size)

    def begin(step: str) -> None:
        for mode in modes:
            page.locator(f'[data-mode="{mode}"]').click()
        page.locator("[data-appointment]").click()
        assert page.evaluate(COVERED) == []
        page.locator(f'[data-step="{step}"][data-do]').click()
        assert page.evaluate(COVERED) == []

    begin("code")
    page.locator('[data-screen="check-in"] [data-do="done"]').click()
    expect(screen(page, "idle")).to_be_visible()
    begin("birth")
    for digit in "24121985":
        page.locator(f'[data-key="{digit}"]').click()
    page.locator("[data-confirm]").click()
    assert page.evaluate(COVERED) == []


def test_low_mode_has_all_targets_in_the_lower_third(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    kiosk.do("change-site", site_id=kiosk.seeded["site_id"], languages=["ar", "es", "fr"])
    kiosk.change(check_in="birth", low=True)
    page = open_kiosk()

    def look(page: Page) -> None:
        for each in measured(page):
            assert each["top"] >= PORTRAIT["height"] * 2 / 3 - 0.01, each

    in_every_screen(page, look)


RASTER = """
async ([slip, now]) => {
  const base = document.querySelector("script[src*='/js/pages/kiosk.js']").src.replace("pages/kiosk.js", "kiosk/");
  const { drawSlip } = await import(base + "slip-canvas.js");
  const { printBytes, rasterOf } = await import(base + "escpos.js");
  const canvas = await drawSlip(slip, now);
  const { width, height } = canvas;
  const picture = canvas.getContext("2d").getImageData(0, 0, width, height);
  const bytes = printBytes(rasterOf(picture));
  let rows = 0, at = 0, wrong = 0, ink = 0;
  while (at < bytes.length) {
    if (bytes[at] !== 0x1d || bytes[at + 1] !== 0x76) { at += 1; continue; }
    const line = bytes[at + 4] + 256 * bytes[at + 5], count = bytes[at + 6] + 256 * bytes[at + 7];
    at += 8;
    for (let row = 0; row < count; row += 1, rows += 1, at += line) {
      for (let x = 0; x < width; x += 1) {
        const printed = (bytes[at + (x >> 3)] >> (7 - (x & 7))) & 1;
        const [r, g, b] = picture.data.subarray(4 * (rows * width + x));
        const drawn = 0.299 * r + 0.587 * g + 0.114 * b < 128 ? 1 : 0;
        wrong += printed !== drawn;
        ink += printed;
      }
    }
  }
  return { width, height, rows, wrong, ink, picture: canvas.toDataURL() };
}
"""


def test_slips_print_as_they_are_drawn_in_four_languages(kiosk: Kiosk, open_kiosk: Callable[..., Page]) -> None:
    page = open_kiosk(TABLET)
    ticket = kiosk.seeded["tickets"][0]
    pictures = set()
    for language in ("en", "es", "fr", "ar"):
        slip = {
            "label": "A012", "token": ticket["token"], "address": f"http://clinic.test/t/{ticket['token']}",
            "site": "Riverside Clinic", "time_zone": "Europe/Berlin", "queue": "Blood test",
            "queue_names": {"ar": "تحليل الدم"},
            "language": language, "site_language": "en", "party": 2, "opened_at": 1_800_000_000_000, "ahead": 3,
            "expect_from": 1_800_003_600_000, "expect_until": 1_800_004_200_000,
        }  # fmt: skip
        made = page.evaluate(RASTER, [slip, 1_800_000_000_000])
        assert made["width"] == 576
        assert made["rows"] == made["height"]
        assert made["wrong"] == 0
        assert made["ink"] > 20_000, "the code and the texts"
        pictures.add(made["picture"])
    assert len(pictures) == 4


USB = """
(() => {
  const device = new EventTarget();
  const endpoints = [{ endpointNumber: 1, direction: "out", type: "bulk" }];
  const face = { interfaceNumber: 0, alternates: [{ interfaceClass: 7, endpoints }] };
  window.printed = [];
  window.portStatus = 0x18;
  Object.assign(device, {
    opened: true, configuration: {}, configurations: [{ interfaces: [face] }],
    claimInterface: async () => {},
    transferOut: async (_, bytes) => (window.printed.push(...bytes), { status: "ok" }),
    controlTransferIn: async () => ({ data: new DataView(Uint8Array.of(window.portStatus).buffer) }),
  });
  const usb = Object.assign(new EventTarget(), { getDevices: async () => [device] });
  Object.defineProperty(navigator, "usb", { value: usb });
})()
"""


def test_receipt_printer_prints_and_its_faults_keep_no_ticket_back(
    kiosk: Kiosk, open_kiosk: Callable[..., Page], open_page: Open
) -> None:
    """The USB device is simulated; its bytes are those that a printer would get."""
    kiosk.change(printing="escpos")
    page, desk = open_kiosk(TABLET, script=USB), open_page("/sign-in")
    sign_in_as(desk.request, kiosk.seeded, "receptionist")
    desk.goto("/reception")
    button(page).click()
    expect(page.locator("[data-label]")).to_have_text("A004")
    expect(page.locator("[data-slip-note]")).to_have_text("Please take your slip.")
    while page.evaluate("window.printed.length") < 10_000:
        page.wait_for_timeout(50)
    assert page.evaluate("window.printed.slice(0, 2)") == [0x1B, 0x40]
    page.evaluate("window.portStatus = 0x38; navigator.usb.dispatchEvent(new Event('connect'))")
    expect(desk.locator(f'[data-kiosk="{kiosk.id}"]')).to_contain_text("No paper")
    page.locator('[data-screen="ticket"] [data-do="done"]').click()
    button(page, 1).click()
    expect(page.locator("[data-label]")).to_have_text("B004")
    expect(page.locator("[data-slip-note]")).to_contain_text("take a picture of it")
