"""Every page keeps to a budget of bytes, and sends no request to other hosts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Error

from tests.browser.scales import USEFUL, Scales
from tests.browser.states import LANGUAGES, PAGES, SECONDS, with_language
from tests.browser.tabs import Watch
from tests.support.server import Server, environment, serving

pytestmark = pytest.mark.long

BUDGET_BYTES = 100 * 1024
# What a page loads beside itself: the day's appointments, at a clinic that has some today as the demo has.
LATER_BYTES = {"reception": 12 * 1024}
# The page of the API loads the document that describes it, which grows with every operation. It has a budget of its own.
DOCUMENT = "/api/openapi.json"
OPERATION_BYTES = 480
# The charts' library, which a page of charts loads after its figures, when a chart comes into sight.
CHARTS = "/vendor/uplot/uPlot.esm.js"
# The budget covers the page itself, without media, fonts and the messages of its stream.
APART = ("Media", "Image", "Font", "EventSource")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server without an administrator, which leads to the first run."""
    folder = tmp_path_factory.mktemp("fresh")
    with serving(environment(f"sqlite+aiosqlite:///{folder / 'x.db'}"), folder, name="fresh") as server:
        yield server


@pytest.fixture(scope="module")
def addresses(demo_base: str, fresh: Server) -> dict[str, str]:
    """Return the address of each page: on the demo, which has the fullest pages, but for the first run."""
    doors = httpx.get(f"{demo_base}/demo/doors").json()
    display, kiosk = doors["display"], doors["kiosk"]
    # The demo books the next free time: shortly before midnight, that is tomorrow.
    booked = httpx.get(f"{demo_base}/api/v1/appointments/{doors['appointment']}").json()["cells"]["appointment"]
    return {
        "base": demo_base,
        "display": f"{demo_base}/display/{display['id']}?token={display['token']}",
        "patient": f"{demo_base}/t/{doors['ticket']}",
        "join": f"{demo_base}/join/{display['id'] // 1_000_000_000}",
        "book": f"{demo_base}/book/{display['id'] // 1_000_000_000}",
        "appointment": f"{demo_base}/a/{doors['appointment']}",
        "demo": f"{demo_base}/",
        "not-found": f"{demo_base}/nowhere",
        "kiosk": f"{demo_base}/kiosk/{kiosk['id']}?token={kiosk['token']}",
        "account-link": f"{demo_base}/invitation",
        "welcome": f"{fresh.url}/welcome",
        "calendar": f"{demo_base}/calendar?date={booked['local_start'][:10]}",
    } | {
        name: f"{demo_base}/{name}"
        for name in ("sign-in", "reception", "room", "docs", "account", "admin", "insights", "replay")
    }


# The demo does not serve these pages, or only after an error. They load fewer of the same files.
SAME_AS_OTHERS = {"index", "error"}


def test_every_page_has_a_weight_test(addresses: dict[str, str]) -> None:
    assert {*addresses, *SAME_AS_OTHERS} >= PAGES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(PAGES - SAME_AS_OTHERS))
def test_page_is_within_its_budget(browser: Browser, addresses: dict[str, str], name: str, language: str) -> None:
    """The browser's cache is empty, and headers count."""
    context = browser.new_context(base_url=addresses["base"])
    member = {
        "reception": "reception",
        "room": "reception",
        "calendar": "reception",
        "account": "admin",
        "admin": "admin",
        "replay": "admin",
        "insights": "admin",
    }.get(name)
    if member is not None:
        context.request.post("/api/v1/session", data={"username": member, "password": "clinic-demo-day"})
    page = context.new_page()
    watch = Watch(allowed=("404 (Not Found)",) if name in ("not-found", "account-link") else ())
    watch.over(page, "/".join(addresses[name].split("/")[:3]))
    scales = Scales(page)
    page.goto(with_language(addresses[name], language))
    try:
        page.locator(USEFUL.get(name, "h1")).filter(visible=True).first.wait_for(timeout=30 * SECONDS)
    except Error as error:
        raise AssertionError(f"{error.message}\n{page.locator('body').inner_text()}\n{watch.complaints}") from error
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(300)  # for later requests of the page
    weight = scales.bytes(*APART)
    apart = (DOCUMENT, CHARTS) if name == "insights" else (DOCUMENT,)
    document = sum(size for key, size in scales.sizes.items() if scales.addresses.get(key, "").endswith(apart))
    if name == "docs":
        described = httpx.get(f"{addresses['base']}{DOCUMENT}").json()
        operations = sum(len(methods) for methods in described["paths"].values())
        assert 0 < document < OPERATION_BYTES * operations, (document, operations)
    heaviest = sorted(((size, scales.addresses.get(key, "")) for key, size in scales.sizes.items()), reverse=True)[:8]
    context.close()
    assert 0 < weight - document < BUDGET_BYTES + LATER_BYTES.get(name, 0), (weight, heaviest)
    assert watch.complaints == []
