"""Measure the pages in a browser: bytes, requests, first paint and first use on the demo; a display's memory over a day.

    python loadtests/bench_pages.py                     each page of the demo, cold: the median of some loads
    python loadtests/bench_pages.py --heap              a display's heap before and after 10,000 changes

Both start their server in a temporary folder and stop it. The first ends with status 1 when a page is larger than 100 KB
without its typefaces. It also does when a page needs more than a second to its largest paint (LCP) or until it is usable.
The second ends with status 1 when the heap has grown by more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from server.seeding import Seed
from tests.browser.conftest import ARGUMENTS
from tests.browser.scales import Scales, largest_at, note_paints, useful_at
from tests.browser.states import PAGES
from tests.support.demo import demo
from tests.support.processes import program
from tests.support.server import Server, environment, seed, serving

BUDGET_BYTES = 100 * 1024
BUDGET_MILLISECONDS = 1000
GROWTH = 1.1
WORKERS = 8
COUNT_PAINTS = """() => {
    window.painted = 0;
    new MutationObserver(() => window.painted++).observe(document.body, {subtree: true, childList: true});
}"""


def measure_pages(browser: Browser, folder: Path, loads: int) -> bool:
    """Print a line for each page; return whether all pages keep to the budgets."""
    good = True
    with demo(folder) as base:
        doors = httpx.get(f"{base}/demo/doors").json()
        display = doors["display"]
        addresses = {
            "demo": "/",
            "sign-in": "/sign-in",
            "display": f"/display/{display['id']}?token={display['token']}",
            "reception": "/reception",
            "room": "/room",
            "patient": f"/t/{doors['ticket']}",
            "docs": "/docs",
            "not-found": "/nowhere",
        }
        print(f"{'page':<12}{'bytes':>9}{'typefaces':>12}{'requests':>10}{'first paint':>13}{'largest':>11}{'of use':>9}")
        for name, path in addresses.items():
            if name not in PAGES:
                continue
            rows = [_load(browser, base, name, path) for _ in range(loads)]
            medians = (statistics.median(column) for column in zip(*rows, strict=True))
            weight, fonts, requests, first, largest, useful = medians
            kept = weight < BUDGET_BYTES and max(largest, useful) < BUDGET_MILLISECONDS
            good &= kept
            mark = "" if kept else "  over the budget"
            paints = f"{first:>10.0f} ms{largest:>8.0f} ms{useful:>6.0f} ms"
            print(f"{name:<12}{weight:>9.0f}{fonts:>12.0f}{requests:>10.0f}{paints}{mark}")
    return good


def _load(browser: Browser, base: str, name: str, path: str) -> tuple[float, ...]:
    """Load a page with a cold cache; return its bytes, the bytes of typefaces, requests and paints."""
    context = browser.new_context(base_url=base, viewport={"width": 1920, "height": 1080})
    if name in ("reception", "room"):
        context.request.post("/api/v1/session", data={"username": "reception", "password": "clinic-demo-day"})
    note_paints(context, name)
    page = context.new_page()
    scales = Scales(page)
    page.goto(path)
    first, useful = useful_at(page)
    page.wait_for_timeout(500)
    largest = largest_at(page)
    apart = ("Media", "Image", "EventSource")
    weight, fonts = scales.bytes(*apart, "Font"), scales.bytes(*apart) - scales.bytes(*apart, "Font")
    context.close()
    return weight, fonts, scales.requests, first, largest, useful


def measure_heap(browser: Browser, folder: Path, changes: int) -> bool:
    """Print a display's heap and nodes before and after many changes; return whether the heap is stable."""
    env = environment(f"sqlite+aiosqlite:///{folder / 'heap.db'}")
    seeded = seed(env, points=WORKERS, tickets=30, displays=1)
    with serving(env, folder) as server:
        screen = seeded["displays"][0]
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(f"{server.url}/display/{screen['id']}?token={screen['token']}")
        page.wait_for_selector("body[data-live=live]")
        session = page.context.new_cdp_session(page)
        page.evaluate(COUNT_PAINTS)
        _change(server, seeded, page, min(1000, changes))  # now all one-time objects exist
        before = _heap(session)
        page.evaluate("window.painted = 0")
        done = _change(server, seeded, page, changes)
        page.wait_for_timeout(2000)
        after = _heap(session)
        painted = page.evaluate("window.painted")
        page.close()
    print(f"{done} changes, {painted} of them painted apart")
    for what in before:
        print(f"{what:<12}{before[what]:>12}  ->{after[what]:>12}")
    return after["heap bytes"] < before["heap bytes"] * GROWTH


def _heap(session: CDPSession) -> dict[str, int]:
    """Return the size of the page's heap after a full garbage collection."""
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    dom = session.send("Memory.getDOMCounters")
    return {"heap bytes": round(used["usedSize"]), "nodes": dom["nodes"], "listeners": dom["jsEventListeners"]}


def _change(server: Server, seeded: Seed, page: Page, changes: int) -> int:
    """Issue, call and serve tickets until the site has had the given number of changes; return their number."""
    token = server.sign_in(seeded, "receptionist")
    counted = 0

    async def at(point_id: int, client: httpx.AsyncClient) -> None:
        nonlocal counted

        async def do(command: str, /, **body: Any) -> Any:
            nonlocal counted
            answer = await client.post(f"/api/v1/commands/{command}", json=body)
            if answer.status_code == 409:
                return None
            answer.raise_for_status()
            counted += len(answer.json()["events"])
            return answer.json()

        turn = 0
        while counted < changes:
            turn += 1
            await do("issue-ticket", queue_id=seeded["queue_ids"][turn % len(seeded["queue_ids"])], name="Somebody")
            called = await do("call-next", point_id=point_id)
            if called is not None:
                await do("start", entry_id=called["entry"]["id"])
                await do("complete", entry_id=called["entry"]["id"])

    async def all_of_them() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
            await asyncio.gather(*(at(point_id, client) for point_id in seeded["point_ids"]))

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    thread.start()
    while thread.is_alive():
        page.wait_for_timeout(500)  # time for the browser
    return counted


def main() -> None:
    """Measure and print; the exit status tells the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heap", action="store_true", help="a display's heap, and not the pages")
    parser.add_argument("--loads", type=int, default=5, help="loads of each page")
    parser.add_argument("--changes", type=int, default=10_000, help="changes that the display sees")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium", "chromium"), args=ARGUMENTS)
        good = (
            measure_heap(browser, Path(folder), asked.changes)
            if asked.heap
            else measure_pages(browser, Path(folder), asked.loads)
        )
        browser.close()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
