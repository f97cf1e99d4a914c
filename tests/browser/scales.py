"""What a page costs: bytes on the wire by Chromium's own count, and how soon there is something to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page

# By when the page shows what it is for; what has no selector of its own here shows it with its heading.
USEFUL = {
    "display": "[data-call], [data-queue]",
    "patient": "[data-state]",
    "reception": "[data-entry]",
    "room": "[data-choose], [data-console]",
    "demo": "body.is-loaded",
    "docs": "main h2",
}
_NOTE_IT = """selector => {
    const look = () => {
        const shown = [...document.querySelectorAll(selector)].some(each => each.checkVisibility());
        if (!shown) return requestAnimationFrame(look);
        requestAnimationFrame(() => { window.usefulAt = performance.now(); });
    };
    look();
    new PerformanceObserver(list => { window.paints = list.getEntries(); }).observe({type: "paint", buffered: true});
    new PerformanceObserver(list => { window.largest = list.getEntries().at(-1).startTime; })
        .observe({type: "largest-contentful-paint", buffered: true});
}"""


@dataclass
class Scales:
    """Weighs what one page loads. Make it before the page goes anywhere."""

    page: Page
    kinds: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        session = self.page.context.new_cdp_session(self.page)
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._grows)
        session.on("Network.dataReceived", self._grows)
        session.on("Network.loadingFinished", self._ended)
        session.send("Network.enable")

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return len(self.sizes)

    def bytes(self, *without: str) -> int:
        """What came over the wire, headers too; without the kinds that Chromium calls so."""
        return round(sum(size for key, size in self.sizes.items() if self.kinds.get(key) not in without))

    def _sent(self, event: Any) -> None:
        self.kinds[event["requestId"]] = event.get("type", "Other")
        self.addresses[event["requestId"]] = event["request"]["url"]

    def _grows(self, event: Any) -> None:
        size = event["response"]["encodedDataLength"] if "response" in event else event["encodedDataLength"]
        self.sizes[event["requestId"]] = self.sizes.get(event["requestId"], 0) + size

    def _ended(self, event: Any) -> None:
        self.sizes[event["requestId"]] = event["encodedDataLength"]


def note_paints(context: BrowserContext, name: str) -> None:
    """Let the pages that a context opens note when they are of use."""
    context.add_init_script(f"({_NOTE_IT})({USEFUL.get(name, 'h1')!r})")


def useful_at(page: Page) -> tuple[float, float]:
    """Return the milliseconds from the start until the first paint of anything, and until the page is of use."""
    while not page.evaluate("window.usefulAt !== undefined && window.paints !== undefined"):
        page.wait_for_timeout(20)
    first: float = page.evaluate("Math.min(...window.paints.map(each => each.startTime))")
    useful: float = page.evaluate("window.usefulAt")
    return first, useful


def largest_at(page: Page) -> float:
    """Return the milliseconds until the largest thing that the page has painted so far (its LCP)."""
    while not page.evaluate("window.largest !== undefined"):
        page.wait_for_timeout(20)
    largest: float = page.evaluate("window.largest")
    return largest
