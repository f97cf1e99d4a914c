"""The cost of a page: bytes on the wire as Chromium counts them, and the time until the page is useful."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page

# A page is useful when an element with its selector is visible. Without a selector here, the heading counts.
USEFUL = {
    "display": "[data-call], [data-queue]",
    "patient": "[data-state]",
    "reception": "[data-entry]",
    "room": "[data-choose], [data-console]",
    "calendar": "[data-appointment]",
    "insights": ".card",
    "demo": "body.is-loaded",
    "docs": "main h2",
}
SPEECH = "/speech?"
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
    """Counts the bytes that one page loads. Create it before the page loads its first address."""

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
        """The number of requests."""
        return len(self.sizes)

    def bytes(self, *without: str) -> int:
        """Return the received bytes with headers, ``without`` some of Chromium's resource types.

        The audio of an announcement never counts: it comes when somebody is called.
        """
        return round(
            sum(
                size
                for key, size in self.sizes.items()
                if self.kinds.get(key) not in without and SPEECH not in self.addresses.get(key, "")
            )
        )

    def _sent(self, event: Any) -> None:
        self.kinds[event["requestId"]] = event.get("type", "Other")
        self.addresses[event["requestId"]] = event["request"]["url"]

    def _grows(self, event: Any) -> None:
        size = event["response"]["encodedDataLength"] if "response" in event else event["encodedDataLength"]
        self.sizes[event["requestId"]] = self.sizes.get(event["requestId"], 0) + size

    def _ended(self, event: Any) -> None:
        self.sizes[event["requestId"]] = event["encodedDataLength"]


def note_paints(context: BrowserContext, name: str) -> None:
    """Make the pages of a context record the time at which they become useful."""
    context.add_init_script(f"({_NOTE_IT})({USEFUL.get(name, 'h1')!r})")


def useful_at(page: Page) -> tuple[float, float]:
    """Return the milliseconds from the start to the first paint, and to the moment when the page is useful."""
    while not page.evaluate("window.usefulAt !== undefined && window.paints !== undefined"):
        page.wait_for_timeout(20)
    first: float = page.evaluate("Math.min(...window.paints.map(each => each.startTime))")
    useful: float = page.evaluate("window.usefulAt")
    return first, useful


def largest_at(page: Page) -> float:
    """Return the milliseconds from the start to the largest contentful paint so far (LCP)."""
    while not page.evaluate("window.largest !== undefined"):
        page.wait_for_timeout(20)
    largest: float = page.evaluate("window.largest")
    return largest
