"""Take the screenshots of the README from a running demo: ``make pictures``, or ``python docs/pictures.py``.

The script starts a demo in a temporary folder, waits until its day is lively, and writes ``docs/pictures/*.webp``.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.conftest import ARGUMENTS
from tests.browser.states import LAPTOP, PHONE, TELEVISION, live
from tests.support.demo import demo
from tests.support.processes import program

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
LIVELY_SECONDS = 45  # by then the demo has waiting, called and served patients
QUALITY = 82


def main() -> None:
    """Take all screenshots."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder)) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium", "chromium"), args=ARGUMENTS)
        time.sleep(LIVELY_SECONDS)
        doors = httpx.get(f"{base}/demo/doors").json()
        staff = {each["role"]: each for each in doors["staff"]}
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
        browser.close()


def somebody(browser: Browser, base: str, size: tuple[int, int], theme: str) -> BrowserContext:
    """Return a browser context with a window of this size and this theme."""
    viewport = {"width": size[0], "height": size[1]}
    dark = theme == "dark"
    return browser.new_context(base_url=base, viewport=viewport, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]


def at_work(browser: Browser, base: str, size: tuple[int, int], member: dict[str, str]) -> BrowserContext:
    """Return a light browser context with a window of this size, signed in as this member of staff."""
    context = somebody(browser, base, size, "light")
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
