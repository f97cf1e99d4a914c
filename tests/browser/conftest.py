"""Fixtures for a real browser and a running server. Playwright drives Debian's Chromium without its window.

The headless shell has no tabs and toolbars to draw, so a test takes a third less of a processor.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import APIRequestContext, Browser, Error, Page, expect, sync_playwright

from server.seeding import Seed
from tests.browser.tabs import Tab, Tabs, Watch, spoil
from tests.support.appointments import Day, appointments_today
from tests.support.demo import demo
from tests.support.processes import program
from tests.support.server import Server, environment, seed, serving

Do = Callable[..., dict[str, Any]]
# Without these options, Debian's Chromium sends requests of its own at every start.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    # A page may play sound only after a touch, not because other pages of this address played sound before.
    "--disable-features=MediaEngagementBypassAutoplayPolicies",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
HEARTBEAT = 1.0
# Parts of console messages from the browser itself while the network or the server is away.
AWAY = ("net::ERR", "WebSocket connection to", "503 (Service Unavailable)", "when fetching the script", "Failed to fetch")


expect.set_options(timeout=30_000)  # only ends a test that fails: the default of five seconds is short on a busy machine


@contextmanager
def launched(name: str) -> Iterator[Browser]:
    """Run a browser whose program and Debian package are called ``name``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(name, name), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched("chromium-headless-shell") as browser:
        yield browser


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("browser")
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS=str(HEARTBEAT))


@pytest.fixture(scope="module")
def server(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    seed(env, points=1, tickets=0)
    with serving(env, tmp_path_factory.mktemp("browser-server")) as server:
        yield server


@pytest.fixture(scope="module")
def demo_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a demo that runs as long as the module."""
    with demo(tmp_path_factory.mktemp("demo")) as base:
        yield base


@pytest.fixture
def seeded(env: dict[str, str], server: Server) -> Seed:
    """Return a new site for each test."""
    return seed(env, points=2, tickets=6, displays=1)


@pytest.fixture
def day(env: dict[str, str], server: Server) -> Day:
    """Return a site with a day of appointments for each test. A module about it has the day's site as ``seeded``."""
    return appointments_today(env, (-120, 30, 45, 60, 120))


@pytest.fixture
def do(server: Server, seeded: Seed) -> Do:
    """Return a function that does a command as a receptionist at another screen."""
    token = server.sign_in(seeded, "receptionist")

    def do(command: str, **body: Any) -> dict[str, Any]:
        with server.client(token) as client:
            answer = client.post(f"/api/v1/commands/{command}", json=body)
        assert answer.status_code == 200, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    return do


Open = Callable[..., Page]
OPENED = pytest.StashKey[list[tuple[Page, Watch]]]()


@pytest.fixture(scope="module")
def tabs(browser: Browser) -> Tabs:
    """Return the tabs that the tests of the module use one after the other."""
    return Tabs(browser)


@pytest.fixture
def open_page(tabs: Tabs, server: Server, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Yield a function that opens a page in its own browser context. At the end no page may have a violation.

    ``allowed`` names parts of console messages that the test expects from the browser itself. ``script`` runs before the
    scripts of the page.
    """
    opened = request.node.stash.setdefault(OPENED, [])
    used: list[Tab] = []

    def open_page(
        path: str, *, width: int = 1280, height: int = 800, allowed: tuple[str, ...] = (), script: str = ""
    ) -> Page:
        own = "/".join((path if path.startswith("http") else server.url).split("/")[:3])
        tab = tabs.take(server.url, own, width, height, new=bool(script))
        used.append(tab)
        if script:
            tab.page.add_init_script(script)
        tab.watch.complaints.clear()
        tab.watch.allowed = allowed
        opened.append((tab.page, tab.watch))
        tab.page.goto(path)
        return tab.page

    yield open_page
    for tab in used:
        if not tab.page.is_closed():
            tab.page.wait_for_timeout(0)  # what the page has said arrives first
        complaints, url = [*tab.watch.complaints], tab.page.url  # without those of the end: a module may still load then
        tabs.give_back(tab, server.url)
        assert complaints == [], url


def sign_in_as(request: APIRequestContext, seeded: Seed, role: str, base: str = "") -> None:
    """Sign a browser in as the seeded staff member with a role: at ``base``, else at its own server."""
    member = next(each for each in seeded["staff"] if each["role"] == role)
    credentials = {"username": member["username"], "password": member["password"]}
    answer = request.post(f"{base}/api/v1/session", data=credentials)
    assert answer.ok, answer.text()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the text of each open page to a failure's report: a failure of a busy machine may be hard to repeat."""
    report = yield
    if call.when == "call" and report.failed:
        for page, watch in item.stash.get(OPENED, []):
            spoil(page)
            report.sections.append((f"shown at {page.url}", "\n".join((_shown(page), *watch.complaints))))
    return report


def _shown(page: Page) -> str:
    try:
        return page.locator("body").inner_text(timeout=2_000)
    except Error as error:
        return f"({error.message})"
