"""Measure the time until a day of 400 appointments is on the screen, in the calendar and at reception.

    python loadtests/bench_calendar.py --appointments 400 --rounds 5

The bench uses a real server, a real Chromium and the unchanged pages. The browser has the files of the page already, as on
every day but the first. It measures the milliseconds from the navigation to the frame that shows the last appointment, and
from a click on "earlier" or "today" to the same frame of the other view. It ends with status 1 when a median is above one
second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, sign_in_as
from tests.support.appointments import Day, appointments_today
from tests.support.processes import program
from tests.support.server import Server, environment, serving

LIMIT_MILLISECONDS = 1_000
# Notes when the page first shows so many appointments. A frame after that, they are on the screen.
NOTED = """count => {
    const look = () => {
        if (document.querySelectorAll("[data-appointment]").length < count) return requestAnimationFrame(look);
        requestAnimationFrame(() => { window.shownAt = performance.now(); });
    };
    look();
}"""


def open_day(page: Page, path: str) -> float:
    """Return the milliseconds from a navigation until a page shows all appointments."""
    page.goto(path, wait_until="commit")
    return shown_at(page)


def shown_at(page: Page) -> float:
    page.wait_for_function("() => window.shownAt !== undefined", polling=20)
    found: float = page.evaluate("window.shownAt")
    return found


def back_to_today(page: Page, count: int) -> float:
    """Return the milliseconds from a click on "today" until the page shows all appointments of the day again."""
    page.click("[data-previous]")
    page.wait_for_function("() => document.querySelectorAll('[data-appointment]').length === 0", polling=20)
    begun: float = page.evaluate(f"() => {{ delete window.shownAt; ({NOTED})({count}); return performance.now(); }}")
    page.click("[data-today]")
    return shown_at(page) - begun


def measure(server: Server, day: Day, count: int, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each round, by what was measured."""
    taken: dict[str, list[float]] = {"calendar": [], "today": [], "reception": []}
    with sync_playwright() as playwright:
        name = "chromium-headless-shell"
        browser = playwright.chromium.launch(executable_path=program(name, name), args=ARGUMENTS)
        context = browser.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
        sign_in_as(context.request, day.seeded, "receptionist", server.url)
        context.add_init_script(f"({NOTED})({count})")
        for _ in range(rounds + 1):
            for path in ("calendar", "reception"):
                page = context.new_page()
                taken[path].append(open_day(page, f"/{path}"))
                if path == "calendar":
                    taken["today"].append(back_to_today(page, count))
                page.close()
        browser.close()
    return {what: values[1:] for what, values in taken.items()}  # the first round fills the browser's cache


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--appointments", type=int, default=400)
    parser.add_argument("--providers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    per_provider = -(-arguments.appointments // arguments.providers)
    starts = [15 * (1 + index // arguments.providers) for index in range(per_provider * arguments.providers)]
    with tempfile.TemporaryDirectory() as folder:
        env = environment(f"sqlite+aiosqlite:///{folder}/x.db")
        day = appointments_today(env, starts, tickets=50, providers=arguments.providers)
        with serving(env, Path(folder)) as server:
            taken = measure(server, day, len(starts), arguments.rounds)
    print(f"{len(starts)} appointments of {arguments.providers} providers, milliseconds until all are shown:")
    for what, values in taken.items():
        print(f"  {what:10} median {statistics.median(values):6.0f}, longest {max(values):6.0f}")
    return int(any(statistics.median(values) > LIMIT_MILLISECONDS for values in taken.values()))


if __name__ == "__main__":
    sys.exit(main())
