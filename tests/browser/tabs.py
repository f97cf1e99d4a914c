"""Browser tabs that several tests use, one after the other.

A new tab is a new process of the browser, which takes twice the work of the page in it. So an emptied tab serves the next
test. Nobody has to remember this: a tab is closed if its test did anything that lasts longer than a page.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Error, Page, Request

# What lasts longer than a page. A context has more of this, and so a test that takes the context spoils its tab.
LASTING = (
    *("add_init_script", "add_locator_handler", "clock", "context", "expose_binding", "expose_function", "on"),
    *("once", "pause", "remove_listener", "route_from_har", "route_web_socket", "screencast"),
    *("set_default_navigation_timeout", "set_default_timeout", "set_extra_http_headers"),
)
# The storage of a tab and its name outlive a page; a page that was frozen or killed cannot be asked.
EMPTY = "sessionStorage.clear(); window.name = ''"
_spoilt: WeakSet[Page] = WeakSet()


def spoil(page: Page) -> None:
    """Let no other test use the tab of this page."""
    _spoilt.add(page)


def _spoiling(member: Any) -> Any:
    """Return a method or a property of a page that also spoils its tab."""
    if isinstance(member, property):
        return property(_spoiling(member.fget))

    @functools.wraps(member)
    def spoiling(page: Page, *arguments: Any, **more: Any) -> Any:
        spoil(page)
        return member(page, *arguments, **more)

    return spoiling


for name in LASTING:
    setattr(Page, name, _spoiling(getattr(Page, name)))


@dataclass
class Watch:
    """Collects the violations of pages: console messages, errors and requests to other hosts."""

    complaints: list[str] = field(default_factory=list)
    allowed: tuple[str, ...] = ()

    def over(self, page: Page, own: str) -> None:
        """Watch a page. Requests to other origins than ``own`` are violations."""
        page.on("console", self.console)
        page.on("pageerror", self.error)
        page.on("request", lambda each: self.request(each, own))

    def console(self, message: ConsoleMessage) -> None:
        if not any(part in message.text for part in self.allowed):
            self.complaints.append(f"console {message.type}: {message.text}")

    def error(self, error: Error) -> None:
        self.complaints.append(f"error: {error}")

    def request(self, request: Request, own: str) -> None:
        if not request.url.startswith((own, "data:", "blob:")):
            self.complaints.append(f"a request to another host: {request.url}")


class Tab:
    """A tab in a context of its own, for the pages of one server, and the watch over it."""

    def __init__(self, browser: Browser, base: str, own: str) -> None:
        self.origin = own
        self.watch = Watch()
        self._context: BrowserContext = browser.new_context(base_url=base)
        self.page = self._context.new_page()
        self._session: CDPSession = self._context.new_cdp_session(self.page)
        self.watch.over(self.page, own)
        _spoilt.discard(self.page)

    def emptied(self) -> bool:
        """Empty the tab and its context. Return whether the next test can use them."""
        if self.page in _spoilt or self.page.is_closed() or self._context.pages != [self.page]:
            return False
        try:
            self.page.unroute_all(behavior="ignoreErrors")
            self.page.evaluate(EMPTY)
            self.page.goto("about:blank")
            self.page.mouse.move(0, 0)
            self.page.emulate_media(
                media="null", color_scheme="null", reduced_motion="null", forced_colors="null", contrast="null"
            )
            self._session.send("Page.resetNavigationHistory")
            self._session.send("Storage.clearDataForOrigin", {"origin": self.origin, "storageTypes": "all"})
            self._context.clear_cookies()
        except Error:  # it shows no page of the server
            return False
        return True

    def close(self) -> None:
        """Close the tab and its context."""
        self._context.close()


@dataclass
class Tabs:
    """The tabs of a browser that are empty.

    An empty tab has no cookies, storage, service workers or history. Only the browser's cache of files stays: the names of
    these files change with their content, and pages are always asked for again.
    """

    browser: Browser
    _free: dict[tuple[str, str], list[Tab]] = field(default_factory=dict)

    def take(self, base: str, own: str, width: int, height: int, *, new: bool) -> Tab:
        """Return an empty tab for pages with the origin ``own``; paths are those of ``base``."""
        free = self._free.setdefault((base, own), [])
        tab = free.pop() if free and not new else Tab(self.browser, base, own)
        tab.page.set_viewport_size({"width": width, "height": height})
        return tab

    def give_back(self, tab: Tab, base: str) -> None:
        """Keep the tab of a test for the next one if it can be emptied."""
        if tab.emptied():
            self._free[base, tab.origin].append(tab)
        else:
            tab.close()
