"""Take the screenshots of the README and the docs: ``make pictures``, or ``python docs/pictures.py``.

The script starts a demo in a temporary folder, waits until its day is lively, and then starts a server for a first run. It
writes ``docs/pictures/*.webp``. ``python docs/pictures.py insights`` takes those of the figures for managers alone.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from server.transport.poster import Poster, compiler_of
from tests.browser.conftest import ARGUMENTS
from tests.browser.states import KIOSK, LAPTOP, PHONE, TELEVISION, live
from tests.support.demo import demo
from tests.support.first_run import PASSWORD, printed_address
from tests.support.processes import program
from tests.support.server import Server, bare_environment, serving

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
LIVELY_SECONDS = 45  # by then the demo has waiting, called and served patients
QUALITY = 82
POSTER_PPI = 72
PAST_DAYS = 28
PAST_SECONDS = 900.0  # for living them on a busy machine


def main() -> None:
    """Take all screenshots."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=program("chromium", "chromium"), args=ARGUMENTS)
        if sys.argv[1:] == ["insights"]:
            past_days(browser, folder)
            return
        with demo(folder) as base:
            time.sleep(LIVELY_SECONDS)
            doors = httpx.get(f"{base}/demo/doors").json()
            staff = {each["role"]: each for each in doors["staff"]}
            take_doors(browser, base, doors)  # first: the reception would show a kiosk that has never been on
            take_screens(browser, base, doors, staff)
            take_appointments(browser, base, doors, staff["receptionist"])
            take_administration(browser, base, staff["admin"])
        past_days(browser, folder)
        env = bare_environment(NOWSERVING_DATABASE_URL=f"sqlite+aiosqlite:///{folder / 'nowserving.db'}")
        with serving(env | {"NOWSERVING_DRAIN_DELAY_SECONDS": "0"}, folder) as server:
            take_first_run(browser, server)
        take_poster(browser)
        browser.close()


def take_screens(browser: Browser, base: str, doors: dict[str, Any], staff: dict[str, dict[str, str]]) -> None:
    """Take the screens of a day: the display, the reception, a room, a patient's phone, and the index."""
    display = doors["display"]
    page = somebody(browser, base, TELEVISION, "dark").new_page()
    page.goto(f"/display/{display['id']}?token={display['token']}")
    calls = live(page).locator("[data-call]")
    while True:  # until a called patient has not come yet
        calls.first.wait_for()
        take(page, "display")
        if calls.count():
            break

    page = at_work(browser, base, (1440, 900), staff["receptionist"]).new_page()
    page.goto("/reception")
    live(page).select_option("[data-point-select]", label=doors["yours"])
    page.keyboard.press("Escape")
    page.locator('[data-action="call-next"]').click()
    page.locator('[data-action="start"]:not([disabled])').wait_for()
    take(page, "reception")

    page = at_work(browser, base, PHONE, staff["clinician"]).new_page()
    if page.goto("/room").status == 200:  # type: ignore[union-attr]  # a page navigation has an answer
        page.get_by_role("button", name=doors["yours"]).click()
        take(live(page), "room")

    for theme in ("light", "dark"):
        page = somebody(browser, base, PHONE, theme).new_page()
        page.goto(f"/t/{doors['ticket']}")
        take(live(page), f"patient-{theme}")

    page = somebody(browser, base, LAPTOP, "light").new_page()
    page.goto("/")
    page.locator("body.is-loaded").wait_for()
    take(page, "index")


def take_doors(browser: Browser, base: str, doors: dict[str, Any]) -> None:
    """Take the ways into a queue: the kiosk, upright in Arabic and wide at night, and the page for joining."""
    kiosk = doors["kiosk"]
    address = f"/kiosk/{kiosk['id']}?token={kiosk['token']}"
    for name, size, theme, language in (
        ("kiosk-arabic", KIOSK, "light", "ar"),
        ("kiosk-dark", TELEVISION, "dark", "en"),
    ):
        page = somebody(browser, base, size, theme).new_page()
        page.goto(f"{address}&lang={language}")
        live(page).locator("[data-join-code]").wait_for()
        take(page, name)

    screen = httpx.get(
        f"{base}/api/v1/devices/{kiosk['id']}/join-code", headers={"Authorization": f"Bearer {kiosk['token']}"}
    ).json()
    page = somebody(browser, base, PHONE, "light").new_page()
    page.goto(screen["address"])
    page.locator(".join-queue").first.click()
    take(page, "join")


def take_appointments(browser: Browser, base: str, doors: dict[str, Any], desk: dict[str, str]) -> None:
    """Take the calendar, the page for booking, and a patient's own appointment."""
    page = at_work(browser, base, (1440, 900), desk).new_page()
    page.goto("/calendar")
    live(page).locator("[data-appointment]").first.wait_for()
    take(page, "calendar")
    page = somebody(browser, base, PHONE, "light").new_page()
    page.goto(f"/book/{doors['site_id']}")
    page.locator(".times label").first.wait_for()
    take(page, "book")
    page = somebody(browser, base, PHONE, "light").new_page()
    page.goto(f"/a/{doors['appointment']}")
    live(page).locator(".appointment [data-time]").wait_for()
    take(page, "appointment")


def take_administration(browser: Browser, base: str, admin: dict[str, str]) -> None:
    """Take sections of the administrator's pages."""
    for section, theme in (
        ("clinic", "light"),
        ("appointments", "light"),
        ("screens", "dark"),
        ("figures", "light"),
    ):
        page = at_work(browser, base, LAPTOP, admin, theme).new_page()
        page.goto(f"/admin/{section}")
        live(page).locator("[data-section]:not([aria-busy=true])").wait_for()
        take(page, f"admin-{section}")


def past_days(browser: Browser, folder: Path) -> None:
    """Take the figures of a demo with a month behind it."""
    (folder / "past").mkdir()
    with demo(folder / "past", "--past-days", f"{PAST_DAYS}", seconds=PAST_SECONDS) as base:
        staff = {each["role"]: each for each in httpx.get(f"{base}/demo/doors").json()["staff"]}
        take_insights(browser, base, staff["admin"])


def take_insights(browser: Browser, base: str, admin: dict[str, str]) -> None:
    """Take the figures for managers, of a month of past days, and the load of the week at night."""
    to = date.today() - timedelta(days=1)
    period = f"period=own&from={to - timedelta(days=PAST_DAYS - 1)}&to={to}"
    page = at_work(browser, base, (1280, 1000), admin).new_page()
    page.goto(f"/insights?{period}")
    live(page).locator(".card canvas").nth(1).wait_for()
    take(page, "insights")
    page = at_work(browser, base, LAPTOP, admin, "dark").new_page()
    page.goto(f"/insights?{period}")
    live(page).locator("#load").scroll_into_view_if_needed()
    page.locator("#load").evaluate("each => each.scrollIntoView()")
    take(page, "insights-load")


def take_first_run(browser: Browser, server: Server) -> None:
    """Take the choice of the services in the first run, and the checklist after it."""
    page = somebody(browser, server.url, LAPTOP, "light").new_page()
    page.goto(printed_address(server))
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Name of the clinic").fill("Riverside Clinic")
    page.keyboard.press("Enter")
    page.locator(".plan-row").first.wait_for()
    take(page, "welcome")
    page.get_by_role("button", name="Open the clinic").click()
    page.locator("[data-step=screen_paired]").wait_for()
    take(live(page), "admin-start")


def take_poster(browser: Browser) -> None:
    """Take the poster for joining by phone, as the administrator prints it."""
    poster = Poster("Riverside Clinic", ("en", "ar", "es", "fr"), "https://queue.riverside.example/join/1")
    drawn = compiler_of(poster).compile(format="png", ppi=POSTER_PPI)
    assert isinstance(drawn, bytes)
    page = browser.new_page()
    page.set_content(f'<img src="data:image/png;base64,{base64.b64encode(drawn).decode()}">')
    page.add_style_tag(content="body { margin: 0 } img { display: block }")
    width, height = page.locator("img").evaluate("async each => (await each.decode(), [each.width, each.height])")
    page.set_viewport_size({"width": width, "height": height})
    take(page, "poster")


def somebody(browser: Browser, base: str, size: tuple[int, int], theme: str) -> BrowserContext:
    """Return a browser context with a window of this size and this theme."""
    viewport = {"width": size[0], "height": size[1]}
    dark = theme == "dark"
    return browser.new_context(base_url=base, viewport=viewport, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]


def at_work(
    browser: Browser, base: str, size: tuple[int, int], member: dict[str, str], theme: str = "light"
) -> BrowserContext:
    """Return a browser context with a window of this size and this theme, signed in as this member of staff."""
    context = somebody(browser, base, size, theme)
    context.request.post("/api/v1/session", data={"username": member["username"], "password": member["password"]})
    return context


def take(page: Page, name: str) -> None:
    """Save a screenshot of a page that has come to rest. The page stays open: a closed display would alarm the reception."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(800)
    session = page.context.new_cdp_session(page)
    picture = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path = FOLDER / f"{name}.webp"
    path.write_bytes(base64.b64decode(picture["data"]))
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
