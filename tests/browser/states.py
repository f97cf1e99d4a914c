"""Every page in each of its states, reached by the actions of a user. A new page is a row in `ALL`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from server.seeding import Seed
from tests.browser import broken
from tests.browser.conftest import Watch, sign_in_as
from tests.support.plain import answers
from tests.support.processes import free_port, running, wait_until
from tests.support.server import Server, seed

WEB = Path(__file__).parents[2] / "web"
AXE = Path(__file__).parents[1] / "npm/node_modules/axe-core/axe.min.js"
PAGES = {path.stem for path in (WEB / "pages").glob("*.html") if path.stat().st_size > 0}
LANGUAGES = tuple(sorted(path.stem for path in (WEB / "locales").glob("*.json")))
SECONDS = 1000
LAPTOP = (1280, 800)
TELEVISION = (1920, 1080)
WAITING = '[data-entry][data-state="waiting"]'
PHONE = (390, 844)
# Parts of the browser's own console messages for answers that a state needs.
EXPECTED = ("401 (Unauthorized)", "404 (Not Found)", "429 (Too Many Requests)", "500 (Internal Server Error)")


@dataclass
class Stage:
    """The servers and sites of the states: a busy site, an empty site, the demo, and an address that fails."""

    browser: Browser
    server: Server
    busy: Seed
    empty: Seed
    demo: str
    failing: str
    labels: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    watch: Watch = field(default_factory=lambda: Watch(allowed=EXPECTED))  # of all its pages
    _contexts: dict[tuple[int, str], BrowserContext] = field(default_factory=dict)
    _free: dict[tuple[BrowserContext, str], list[Page]] = field(default_factory=dict)  # unused tabs, by context and origin

    def context(self, seeded: Seed | None = None, role: str = "") -> BrowserContext:
        """Return the browser context of a staff member with a role, signed in, or of an anonymous visitor."""
        key = (seeded["site_id"] if seeded else 0, role)
        if key not in self._contexts:
            context = self._contexts[key] = self.browser.new_context(base_url=self.server.url)
            context.set_default_timeout(30 * SECONDS)
            context.add_init_script(path=AXE)  # half a megabyte: sent to the browser once, not for every page
            if seeded is not None and role:
                sign_in_as(context.request, seeded, role)
        return self._contexts[key]

    def open(self, path: str, language: str, *, size: tuple[int, int], seeded: Seed | None = None, role: str = "") -> Page:
        """Open an address in a language. Call `done` after its checks."""
        context = self.context(seeded, role)
        own = origin(self.server.url if path.startswith("/") else path)
        free = self._free.setdefault((context, own), [])
        page = free.pop() if free else self._tab(context, own)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(with_language(path, language))
        expect(page.locator("html")).to_have_attribute("lang", language)  # the page then has its texts
        return page

    def done(self, page: Page) -> None:
        """Reset a page and keep its tab: a new tab takes two thirds of the time of a page."""
        own = origin(page.url)
        page.evaluate("sessionStorage.clear()")
        page.goto("about:blank")
        page.emulate_media(color_scheme="null", reduced_motion="null")
        self._free[page.context, own].append(page)

    def _tab(self, context: BrowserContext, own: str) -> Page:
        page = context.new_page()
        self.watch.over(page, own)
        return page

    def close(self) -> None:
        """Close all browsers."""
        for context in self._contexts.values():
            context.close()


Arrange = Callable[[Stage, str], Page]


@dataclass(frozen=True)
class State:
    """A page in a state. ``arrange`` opens it in a language and brings it there."""

    page: str
    name: str
    arrange: Arrange
    languages: Sequence[str] = LANGUAGES
    part: str = ""  # a part of the page's HTML that the state needs

    def __str__(self) -> str:
        return f"{self.page}-{self.name}"


def origin(url: str) -> str:
    """Return the part of an address that names the server."""
    return "/".join(url.split("/")[:3])


def with_language(path: str, language: str) -> str:
    """Return an address that asks for a language."""
    return f"{path}{'&' if '?' in path else '?'}lang={language}"


@contextmanager
def failing(env: dict[str, str], folder: Path) -> Iterator[str]:
    """Run a server that fails at one address; yield the address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.browser.broken", str(port)]
    with running(command, folder / "broken.log", env) as process:
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{base}/health/live"), "the server that fails", process)
        yield base + broken.PATH


def furnish(env: dict[str, str], server: Server) -> tuple[Seed, dict[str, str], dict[str, str]]:
    """Return a busy site, and the labels and ticket tokens of its patients by state."""
    seeded = seed(env, points=3, tickets=9, displays=1)
    labels: dict[str, str] = {}
    tokens = {each["label"]: each["token"] for each in seeded["tickets"]}
    with server.client(server.sign_in(seeded, "receptionist")) as client:

        def do(command: str, /, **body: Any) -> Any:
            answer = client.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, (command, answer.text)
            return answer.json()

        points = seeded["point_ids"]
        for state, steps in (("no_show", ("no-show",)), ("completed", ("start", "complete"))):
            entry = do("call-next", point_id=points[2])["entry"]
            for step in steps:
                do(step, entry_id=entry["id"])
            labels[state] = entry["label"]
        called = do("call-next", point_id=points[0])["entry"]
        serving = do("call-next", point_id=points[1])["entry"]
        do("start", entry_id=serving["id"])
        labels |= {"called": called["label"], "serving": serving["label"]}
        held = do("call-next", point_id=points[2])["entry"]
        do("hold", entry_id=held["id"])
        labels["held"] = held["label"]
        away = do("call-next", point_id=points[2])["entry"]
        do("running-late", entry_id=away["id"], minutes=30)
        labels["away"] = away["label"]
        queue = seeded["queue_ids"][0]
        about: list[dict[str, Any]] = [
            {"name": "Amina Haddad", "priority": "urgent", "needs": ["interpreter"], "party_size": 3},
            {"name": "Maximiliane Oberhuber-Dimitropoulou", "priority": "assisted", "needs": ["step_free"]},
            {"name": "Bo"},
        ]
        for each in about:
            ticket = do("issue-ticket", queue_id=queue, **each)
            tokens[ticket["entry"]["label"]] = ticket["token"]
            labels["waiting"] = ticket["entry"]["label"]
    return seeded, labels, {state: tokens[label] for state, label in labels.items()}


# The actions that reach each state.


def live(page: Page) -> Page:
    """Wait until a page is live."""
    expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=30 * SECONDS)
    return page


def sign_in_wrongly(page: Page, name: str, password: str) -> None:
    """Fill the form and send it; wait for an error message."""
    page.fill("[name=username]", name)
    page.fill("[name=password]", password)
    page.click("[type=submit]")
    expect(page.locator(".field-error:not(:empty), .form-error:not(:empty)").first).to_be_visible()


def index(stage: Stage, language: str) -> Page:
    page = stage.open("/", language, size=LAPTOP)
    expect(page.locator("a[href='/sign-in']")).to_be_visible()
    return page


def index_signed_in(stage: Stage, language: str) -> Page:
    member = next(each for each in stage.busy["staff"] if each["role"] == "clinician")
    page = stage.open(f"/sign-in?next=/%3Flang%3D{language}", language, size=LAPTOP, role="visitor")
    page.fill("[name=username]", member["username"])
    page.fill("[name=password]", member["password"])
    page.click("[type=submit]")
    expect(page.locator("[data-home]")).to_be_visible()
    return page


def demo_index(stage: Stage, language: str) -> Page:
    page = stage.open(f"{stage.demo}/", language, size=LAPTOP)
    expect(page.locator("body.is-loaded")).to_have_count(1)
    return page


def sign_in(stage: Stage, language: str) -> Page:
    page = stage.open("/sign-in", language, size=LAPTOP)
    expect(page.locator("[type=submit]")).to_be_enabled()
    return page


def sign_in_empty(stage: Stage, language: str) -> Page:
    page = sign_in(stage, language)
    sign_in_wrongly(page, "", "")
    return page


def sign_in_locked(stage: Stage, language: str) -> Page:
    page = sign_in(stage, language)
    name = f"locked-{language}"
    for _ in range(5):
        stage.context().request.post("/api/v1/session", data={"username": name, "password": "wrong"})
    sign_in_wrongly(page, name, "wrong")
    expect(page.locator(".form-error")).not_to_be_empty()
    return page


def not_found(stage: Stage, language: str) -> Page:
    page = stage.open("/nowhere", language, size=PHONE)
    expect(page.locator("[data-tools] select")).to_be_visible()
    return page


def error(stage: Stage, language: str) -> Page:
    page = stage.open(stage.failing, language, size=PHONE)
    expect(page.locator("a[href='']")).to_be_visible()
    expect(page.locator("[data-tools] select")).to_be_visible()
    return page


def docs(stage: Stage, language: str) -> Page:
    page = stage.open("/docs", language, size=LAPTOP)
    page.wait_for_load_state("networkidle")
    return page


def display_of(name: str) -> Arrange:
    def arrange(stage: Stage, language: str) -> Page:
        seeded: Seed = getattr(stage, name)
        screen = seeded["displays"][0]
        page = live(stage.open(f"/display/{screen['id']}?token={screen['token']}", language, size=TELEVISION))
        if name == "busy":
            expect(page.locator(f'[data-call="{stage.labels["called"]}"]')).to_be_visible()
        return page

    return arrange


def display_refused(stage: Stage, language: str) -> Page:
    page = stage.open("/display/1000000999?token=d1-AAAAAAAAAAAAAAAAAAAAAA", language, size=TELEVISION)
    expect(page.locator("body")).to_have_attribute("data-live", "refused", timeout=30 * SECONDS)
    return page


def patient_in(state: str) -> Arrange:
    def arrange(stage: Stage, language: str) -> Page:
        page = live(stage.open(f"/t/{stage.tokens[state]}", language, size=PHONE))
        expect(page.locator("[data-state]").first).to_have_attribute("data-state", state)
        return page

    return arrange


def patient_away(stage: Stage, language: str) -> Page:
    page = live(stage.open(f"/t/{stage.tokens['away']}", language, size=PHONE))
    expect(page.locator("[data-here]")).to_be_visible()
    return page


def patient_refused(stage: Stage, language: str) -> Page:
    page = stage.open("/t/1-AAAAAAAAAAAAAAAAAAAAAA", language, size=PHONE)
    expect(page.locator("body")).to_have_attribute("data-live", "refused", timeout=30 * SECONDS)
    return page


def staff_page(path: str, role: str, name: str) -> Arrange:
    def arrange(stage: Stage, language: str) -> Page:
        seeded: Seed = getattr(stage, name)
        return live(stage.open(path, language, size=LAPTOP, seeded=seeded, role=role))

    return arrange


def reception_with_guest(stage: Stage, language: str) -> Page:
    page = staff_page("/reception", "receptionist", "busy")(stage, language)
    page.select_option("[data-point-select]", str(stage.busy["point_ids"][0]))
    return page


def dialog(before: Arrange, name: str, *steps: str) -> Arrange:
    """Return an arrangement that opens a dialog by clicking the ``steps`` one after the other."""

    def arrange(stage: Stage, language: str) -> Page:
        page = before(stage, language)
        for step in steps:
            page.locator(step).first.click()
        expect(page.locator(f"dialog#{name}[open]")).to_be_visible()
        return page

    return arrange


issue_dialog = dialog(reception_with_guest, "issue", '[data-action="issue-ticket"]')


def issue_refused(stage: Stage, language: str) -> Page:
    page = issue_dialog(stage, language)
    page.locator("dialog[open] [name=phone]").fill("x")
    page.locator("dialog[open] [type=submit]").click()
    expect(page.locator("dialog[open] .field-error:not(:empty)").first).to_be_visible()
    return page


def more_menu(stage: Stage, language: str) -> Page:
    page = reception_with_guest(stage, language)
    page.locator(WAITING).first.click()
    page.locator('[data-action="more"]').click()
    expect(page.locator("[data-more]")).to_be_visible()
    return page


def cancel_refused(stage: Stage, language: str) -> Page:
    page = dialog(more_menu, "cancel", '[data-action="cancel"]')(stage, language)
    page.locator("#cancel [value=other]").check()
    page.locator("#cancel [type=submit]").click()
    expect(page.locator("#cancel .field-error")).not_to_be_empty()
    return page


def display_choice(stage: Stage, language: str) -> Page:
    """Open the dialog of the calls that a display shows, as an administrator."""
    of_display = dialog(staff_page("/reception", "admin", "busy"), "pair", ".display-button")
    return dialog(of_display, "display", "[data-choose-calls]")(stage, language)


def pair_refused(stage: Stage, language: str) -> Page:
    """Open the pairing dialog as an administrator, and enter a code that no screen shows."""
    page = dialog(staff_page("/reception", "admin", "busy"), "pair", ".display-button")(stage, language)
    page.fill("#pair [name=code]", "ACD EFG")
    page.locator("#pair [type=submit]").click()
    expect(page.locator('#pair [data-error="code"]')).not_to_be_empty()
    return page


def room_at(index: int, name: str = "busy", size: tuple[int, int] = PHONE) -> Arrange:
    """Return an arrangement that opens a room's console by choosing its room."""

    def arrange(stage: Stage, language: str) -> Page:
        page = room_choice(stage, language, name)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.locator(f'[data-choose="{getattr(stage, name)["point_ids"][index]}"]').click()
        return live(page)

    return arrange


def room_choice(stage: Stage, language: str, name: str = "busy") -> Page:
    seeded: Seed = getattr(stage, name)
    page = stage.open("/room", language, size=PHONE, seeded=seeded, role="clinician")
    page.evaluate("localStorage.clear()")  # the browser remembers the room
    page.reload()
    expect(page.locator("[data-choose]").first).to_be_visible(timeout=30 * SECONDS)
    return page


def pairing(stage: Stage, language: str) -> Page:
    page = stage.open("/display", language, size=TELEVISION, role="an unpaired screen")
    expect(page.locator("main[data-pairing]")).to_be_visible()
    expect(page.locator("[data-code]")).not_to_be_empty(timeout=30 * SECONDS)
    return page


ALL = [
    State("index", "signed-out", index),
    State("index", "signed-in", index_signed_in),
    State("demo", "open", demo_index),
    State("sign-in", "empty", sign_in),
    State("sign-in", "errors", sign_in_empty),
    State("sign-in", "locked", sign_in_locked),
    State("not-found", "shown", not_found),
    State("error", "shown", error),
    # The API reference is long and English. Arabic covers the other direction of its frame.
    State("docs", "read", docs, languages=("en", "ar")),
    State("display", "busy", display_of("busy")),
    State("display", "empty", display_of("empty")),
    State("display", "refused", display_refused),
    State("display", "pairing", pairing, part="data-pairing"),
    *(State("patient", each, patient_in(each)) for each in ("waiting", "called", "serving", "held", "completed", "no_show")),
    State("patient", "away", patient_away),
    State("patient", "refused", patient_refused),
    State("patient", "late", dialog(patient_in("waiting"), "late", "[data-late]"), part='id="late"'),
    State("patient", "need", dialog(patient_in("called"), "late", "[data-late]"), part='id="late"'),
    State("patient", "leave", dialog(patient_in("waiting"), "leave", "[data-leave]"), part='id="leave"'),
    State("reception", "busy", reception_with_guest),
    State("reception", "empty", staff_page("/reception", "receptionist", "empty")),
    State("reception", "manager", staff_page("/reception", "manager", "busy")),
    State("reception", "issue", issue_dialog, part='id="issue"'),
    State("reception", "issue-refused", issue_refused, part='id="issue"'),
    State(
        "reception",
        "transfer",
        dialog(reception_with_guest, "transfer", '[data-action="transfer"]'),
        part='id="transfer"',
    ),
    State("reception", "more", more_menu),
    State("reception", "amend", dialog(more_menu, "amend", '[data-action="amend-visit"]'), part='id="amend"'),
    State("reception", "priority", dialog(more_menu, "priority", '[data-action="reprioritise"]'), part='id="priority"'),
    State("reception", "late", dialog(more_menu, "late", '[data-action="running-late"]'), part='id="late"'),
    State("reception", "cancel", cancel_refused, part='id="cancel"'),
    State("reception", "pair", pair_refused, part='id="pair"'),
    State("reception", "display", display_choice, part='id="display"'),
    State(
        "reception",
        "move",
        dialog(reception_with_guest, "move", WAITING, '[data-action="move"]'),
        part='id="move"',
    ),
    State("reception", "point", dialog(reception_with_guest, "point", ".point-button"), part='id="point"'),
    State("reception", "message", dialog(reception_with_guest, "message", "[data-open-message]"), part='id="message"'),
    State("reception", "keys", dialog(reception_with_guest, "keys", '[data-action="keys"]'), part='id="keys"'),
    State("room", "choice", room_choice),
    State("room", "called", room_at(0)),
    State("room", "serving", room_at(1)),
    State("room", "next", room_at(2)),
    State("room", "empty", room_at(0, "empty")),
    State("room", "transfer", dialog(room_at(1), "transfer", '[data-action="transfer"]'), part='id="transfer"'),
    State("room", "keys", dialog(room_at(1, size=LAPTOP), "keys", '[data-action="keys"]'), part='id="keys"'),
]


def html_of(page: str) -> str:
    """Return the HTML of a page, or an empty text."""
    path = WEB / "pages" / f"{page}.html"
    return path.read_text() if path.exists() else ""


STATES = [state for state in ALL if state.page in PAGES and state.part in html_of(state.page)]
