"""Measure the cost of a change for the browser at a very full desk: 500 entries, and every step that moves rows.

    python loadtests/bench_desk.py

The bench uses a real server, a real Chromium and the unchanged reception page. Another client sends the commands. For each
`change`, the bench measures the time from the message's arrival to the end of layout: parsing, drawing, style and layout.
Changes of more than a hundred cells renew the quotes of all waiting patients, every half minute. The bench ends with status
1 when one in twenty changes takes 16 ms, the length of a frame, or longer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Page, sync_playwright

from server.seeding import Seed
from tests.browser.conftest import ARGUMENTS
from tests.support.processes import program
from tests.support.server import Server, environment, seed, serving

FRAME_MILLISECONDS = 16
MANY = 100
# The script times the work of each change, and the layout that its work causes.
TIMED = """
window.taken = [];
window.cells = [];
const { set: listen, ...rest } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
const timed = (hear) => (event) => {
    const { type, set } = JSON.parse(event.data);
    const begun = performance.now();
    hear(event);
    if (type !== "change") return;
    void document.body.offsetHeight;
    window.taken.push(performance.now() - begun);
    window.cells.push(Object.keys(set).length);
};
Object.defineProperty(WebSocket.prototype, "onmessage", {
    ...rest,
    set(hear) { listen.call(this, hear && timed(hear)); },
});
"""


def measure(page: Page, server: Server, seeded: Seed, rounds: int) -> list[float]:
    """Return the milliseconds of each change at a desk that shows the seeded site; ``page`` is a new page."""
    page.add_init_script(TIMED)
    member = next(each for each in seeded["staff"] if each["role"] == "receptionist")
    credentials = {"username": member["username"], "password": member["password"]}
    assert page.request.post(f"{server.url}/api/v1/session", data=credentials).ok
    page.goto(f"{server.url}/reception")
    page.select_option("[data-point-select]", str(seeded["point_ids"][0]))
    page.wait_for_function(f"() => document.querySelectorAll('[data-entry]').length === {len(seeded['tickets'])}")
    page.evaluate("() => { window.taken = []; window.cells = []; }")
    changes = 0
    with server.client(server.sign_in(seeded, "receptionist")) as client:

        def do(command: str, **body: Any) -> dict[str, Any]:
            """Run a command and wait until its change has reached the page, so that each change stays separate."""
            nonlocal changes
            answer = client.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, answer.text
            changes += 1
            page.wait_for_function(f"() => window.taken.length >= {changes}")
            told: dict[str, Any] = answer.json()
            return told

        for _ in range(rounds):
            entry = do("call-next", point_id=seeded["point_ids"][0])["entry"]
            do("start", entry_id=entry["id"])
            do("complete", entry_id=entry["id"])
            issued = do("issue-ticket", queue_id=seeded["queue_ids"][0], name="Ada Berg", priority="urgent")["entry"]
            do("move", entry_id=issued["id"], behind_entry_id=None, reason="to be measured")
            do("hold", entry_id=issued["id"])
            do("return", entry_id=issued["id"])
            do("transfer", entry_id=issued["id"], queue_id=seeded["queue_ids"][1])
    taken: list[float] = page.evaluate("() => window.taken")
    return taken


def main(entries: int, rounds: int) -> int:
    """Seed, measure and print; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="nowserving-desk-") as name:
        folder = Path(name)
        env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")
        seeded = seed(env, points=3, tickets=entries)
        with serving(env, folder) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program("chromium", "chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1920, "height": 1080})
            taken = measure(page, server, seeded, rounds)
            cells: list[int] = page.evaluate("() => window.cells")
            browser.close()
    print(f"{entries} entries, {len(taken)} changes: {told(taken)}")
    quoted = [each for each, count in zip(taken, cells, strict=True) if count > MANY]
    if quoted:
        print(f"of them {len(quoted)} that quote everybody anew: {told(quoted)}")
    return 0 if late(taken) < FRAME_MILLISECONDS else 1


def late(taken: list[float]) -> float:
    """Return the 95th percentile of the changes' times, in milliseconds."""
    return sorted(taken)[int(len(taken) * 0.95)]


def told(taken: list[float]) -> str:
    """Return a line of text about these times."""
    return f"median {statistics.median(taken):.1f} ms, 95 % in {late(taken):.1f} ms, worst {max(taken):.1f} ms"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a change costs the browser at a very full desk.")
    parser.add_argument("--entries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    sys.exit(main(arguments.entries, arguments.rounds))
