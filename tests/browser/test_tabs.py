"""A tab that a test used has nothing of it for the next test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.tabs import Tab, Tabs
from tests.support.server import Server

PATH = "/sign-in"
LEAVE = """async () => {
  localStorage.left = sessionStorage.left = window.name = document.cookie = "left=1";
  await caches.open("left");
  await new Promise(done => { indexedDB.open("left").onsuccess = ({target}) => { target.result.close(); done(); }; });
  await navigator.serviceWorker.register("/service-worker.js");
}"""
LEFT = """async () => [
  Object.keys(localStorage), Object.keys(sessionStorage), window.name, document.cookie, await caches.keys(),
  (await indexedDB.databases()).map(each => each.name),
  (await navigator.serviceWorker.getRegistrations()).map(each => each.scope),
  matchMedia("(prefers-color-scheme: dark)").matches, innerWidth, history.length,
]"""
SPOILING: dict[str, Callable[[Page], object]] = {
    "a context": lambda page: page.context,
    "a clock": lambda page: page.clock,
    "a script": lambda page: page.add_init_script("0"),
    "a listener": lambda page: page.on("response", lambda _: None),
    "a function": lambda page: page.expose_function("left", lambda: 0),
    "headers": lambda page: page.set_extra_http_headers({"X-Left": "1"}),
    "a second tab": lambda page: page.evaluate("open('about:blank') && 0"),
    "a closed tab": lambda page: page.close(),
}


def take(tabs: Tabs, server: Server, width: int = 800, *, new: bool = False) -> Tab:
    return tabs.take(server.url, server.url, width, 600, new=new)


def test_used_tab_equals_a_new_one(tabs: Tabs, server: Server) -> None:
    found = []
    used = take(tabs, server, 400, new=True)
    used.page.route("**/*", lambda route: route.continue_())
    used.page.goto(PATH)
    used.page.emulate_media(color_scheme="dark")
    used.page.evaluate(LEAVE)
    before = used.page.evaluate(LEFT)
    tabs.give_back(used, server.url)
    for tab in (again := take(tabs, server), take(tabs, server, new=True)):
        tab.page.goto(PATH)
        tab.page.goto("/docs")
        tab.page.go_back()
        found.append(tab.page.evaluate(LEFT))
    assert again is used
    assert found[0] == found[1]
    assert all(left != now for left, now in zip(before[:9], found[0][:9], strict=True)), before


@pytest.mark.parametrize("what", SPOILING)
def test_what_lasts_longer_than_a_page_spoils_its_tab(tabs: Tabs, server: Server, what: str) -> None:
    tab = take(tabs, server)
    tab.page.goto(PATH)
    SPOILING[what](tab.page)
    tabs.give_back(tab, server.url)
    assert take(tabs, server) is not tab
