"""Every page in each of its states, reached by the actions of a user. A new page is a row in `ALL`."""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import APIRequestContext, Browser, BrowserContext, FilePayload, Page, Route, expect

from server.identity.presence import present_code
from server.seeding import Seed
from server.vault import Vault
from tests.browser import broken
from tests.browser.conftest import sign_in_as
from tests.browser.tabs import Watch
from tests.support import insights as figures
from tests.support.appointments import Day, appointments_today
from tests.support.authenticator import code_at
from tests.support.outages import outage_noted
from tests.support.plain import answers
from tests.support.processes import free_port, running, wait_until
from tests.support.server import KEYS, Server, seed

WEB = Path(__file__).parents[2] / "web"
AXE = Path(__file__).parents[1] / "npm/node_modules/axe-core/axe.min.js"
PAGES = {path.stem for path in (WEB / "pages").glob("*.html") if path.stat().st_size > 0}
LANGUAGES = tuple(sorted(path.stem for path in (WEB / "locales").glob("*.json")))
SECONDS = 1000
VAULT = Vault(KEYS.encryption_keys, KEYS.secret_key)
LAPTOP = (1280, 800)
TELEVISION = (1920, 1080)
KIOSK = (1080, 1920)
WAITING = '[data-entry][data-state="waiting"]'
PHONE = (390, 844)
# Parts of the browser's own console messages for answers that a state needs.
EXPECTED = (
    "401 (Unauthorized)",
    "403 (Forbidden)",
    "404 (Not Found)",
    "409 (Conflict)",
    "429 (Too Many Requests)",
    "500 (Internal Server Error)",
)


@dataclass
class Stage:
    """The servers and sites of the states: a busy site, an empty site, the demo, and an address that fails.

    ``welcome`` is the printed address of a server without an administrator. The ``newcomer`` has no site yet, and the site
    of ``unfurnished`` has no queues.
    """

    browser: Browser
    server: Server
    busy: Seed
    empty: Seed
    demo: str
    failing: str
    welcome: str
    newcomer: Seed
    unfurnished: Seed
    labels: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    shut: Seed | None = None  # a site that is closed today
    booked: Day | None = None  # a site with appointments today
    planned: Seed | None = None  # a site whose clinicians have hours
    bookable: Seed | None = None  # a site on whose page patients book
    doubtful: Seed | None = None  # a site after an outage: patients are called to two points, and one is in service
    words: dict[str, str] = field(default_factory=dict)  # the addresses of pages with words about waits
    appointments: dict[str, str] = field(default_factory=dict)  # the tokens of its appointments by their state
    colleagues: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the busy site, for the states of accounts
    watch: Watch = field(default_factory=lambda: Watch(allowed=EXPECTED))  # of all its pages
    _contexts: dict[tuple[int, str], BrowserContext] = field(default_factory=dict)
    _kiosks: dict[str, tuple[int, str]] = field(default_factory=dict)  # by site and settings
    _free: dict[tuple[BrowserContext, str], list[Page]] = field(default_factory=dict)  # unused tabs, by context and origin

    def at(self, server: Server) -> Stage:
        """Return a stage with the same sites at another server, and with browsers of its own."""
        return replace(self, server=server, watch=Watch(allowed=EXPECTED), _contexts={}, _free={})

    def context(self, seeded: Seed | None = None, role: str = "") -> BrowserContext:
        """Return the browser context of a staff member with a role, signed in, or of an anonymous visitor."""
        key = (seeded["site_id"] if seeded else 0, role)
        if key not in self._contexts:
            context = self._contexts[key] = self.browser.new_context(base_url=self.server.url)
            context.set_default_timeout(30 * SECONDS)
            # Half a megabyte: sent to the browser once, not for every page, and idle on the empty page between two states.
            context.add_init_script(f"if (location.href !== 'about:blank') {{ {AXE.read_text(encoding='utf-8')} }}")
            if seeded is not None and role:
                sign_in_as(context.request, seeded, role)
        return self._contexts[key]

    def kiosk(self, seeded: Seed, **settings: Any) -> tuple[int, str]:
        """Return the id and the token of a kiosk with these settings."""
        key = f"{seeded['site_id']} {settings}"
        if key not in self._kiosks:
            admin = self.context(seeded, "admin").request
            body = {"site_id": seeded["site_id"], "name": f"Kiosk {len(self._kiosks) + 1}"}
            made = admin.post("/api/v1/commands/add-kiosk", data=body).json()
            kiosk_id = made["events"][-1]["kiosk_id"]
            if settings:
                admin.post("/api/v1/commands/change-kiosk", data={"kiosk_id": kiosk_id} | settings)
            self._kiosks[key] = (kiosk_id, made["token"])
        return self._kiosks[key]

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
        page.unroute_all(behavior="ignoreErrors")
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
    path, mark, fragment = path.partition("#")
    return f"{path}{'&' if '?' in path else '?'}lang={language}{mark}{fragment}"


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
    with server.client(server.sign_in(seeded, "admin")) as client:

        def do(command: str, /, **body: Any) -> Any:
            answer = client.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, (command, answer.text)
            return answer.json()

        # The states are opened for a quarter of an hour, and the call has to stand.
        do("change-site", site_id=seeded["site_id"], minutes_call_stands=240)
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


def site_after_outage(env: dict[str, str], server: Server) -> Seed:
    """Return a site with two called patients and one in service, all from before an outage."""
    seeded = seed(env, points=3, tickets=6, displays=1)
    with server.client(server.sign_in(seeded, "receptionist")) as client:
        for point_id in seeded["point_ids"]:
            answer = client.post("/api/v1/commands/call-next", json={"point_id": point_id})
            assert answer.status_code == 200, answer.text
        answer = client.post("/api/v1/commands/start", json={"entry_id": answer.json()["entry"]["id"]})
        assert answer.status_code == 200, answer.text
    outage_noted(env, seeded["site_id"])
    return seeded


def closed_site(env: dict[str, str], server: Server) -> Seed:
    """Return a site that opens in two days."""
    seeded = seed(env, points=1, tickets=0)
    weekday = (time.gmtime().tm_wday + 2) % 7
    with server.client(server.sign_in(seeded, "admin")) as client:
        body = {"site_id": seeded["site_id"], "hours": [[weekday, 480, 1020]]}
        answer = client.post("/api/v1/commands/change-site", json=body)
        assert answer.status_code == 200, answer.text
    return seeded


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
    expect(page.locator("[data-form-error]")).not_to_be_empty()
    return page


def colleague(stage: Stage, name: str) -> tuple[APIRequestContext, dict[str, Any]]:
    """Return the administrator's requests, and a member of the busy site's staff of their own for some states."""
    admin = stage.context(stage.busy, "admin").request
    if name not in stage.colleagues:
        username = f"{name}-{stage.busy['site_id']}"
        new = {"username": username, "password": "seven quiet lamps outside", "role": "receptionist"}
        answer = admin.post("/api/v1/staff", data=new)
        assert answer.ok, answer.text()
        stage.colleagues[name] = new | {"id": answer.json()["id"]}
    return admin, stage.colleagues[name]


def account(name: str) -> Arrange:
    """Return the page of an account without a second factor."""

    def arrange(stage: Stage, language: str) -> Page:
        _, who = colleague(stage, name)
        context = stage.context(role=name)
        credentials = {key: who[key] for key in ("username", "password")}
        if context.request.get("/api/v1/session").status != 200:
            assert context.request.post("/api/v1/session", data=credentials).ok
        page = stage.open("/account", language, size=PHONE, role=name)
        expect(page.locator("[data-parts]")).to_be_visible()
        return page

    return arrange


def account_password(stage: Stage, language: str) -> Page:
    page = dialog(account("without"), "factor", '[data-factor="set-up"]')(stage, language)
    page.locator("#factor [data-password-submit]").click()
    expect(page.locator("#own_password-error")).not_to_be_empty()
    return page


def account_scan(stage: Stage, language: str) -> Page:
    page = dialog(account("without"), "factor", '[data-factor="set-up"]')(stage, language)
    page.fill("#own_password", colleague(stage, "without")[1]["password"])
    page.locator("#factor [data-password-submit]").click()
    expect(page.locator("[data-secret]")).not_to_be_empty()
    page.fill("#factor [name=code]", "123")
    page.locator("#factor [data-pane=scan] [type=submit]").click()
    expect(page.locator("#code-error")).not_to_be_empty()
    return page


def with_factor(stage: Stage, name: str) -> str:
    """Give a colleague a second factor, once; return the secret."""
    _, who = colleague(stage, name)
    if "secret" not in who:
        requests = stage.context(role=name).request
        assert requests.post("/api/v1/session", data={key: who[key] for key in ("username", "password")}).ok
        begun = requests.post("/api/v1/session/second-factor", data={"password": who["password"]}).json()
        code = code_at(begun["secret"], time.time_ns() // 1000)
        assert requests.post("/api/v1/session/second-factor/confirm", data={"code": code}).ok
        who["secret"] = begun["secret"]
    secret: str = who["secret"]
    return secret


def account_codes(stage: Stage, language: str) -> Page:
    with_factor(stage, "with")
    page = dialog(account("with"), "factor", '[data-factor="renew"]')(stage, language)
    page.fill("#own_password", colleague(stage, "with")[1]["password"])
    page.locator("#factor [data-password-submit]").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    return page


def account_with_factor(stage: Stage, language: str) -> Page:
    with_factor(stage, "with")
    return account("with")(stage, language)


def sign_in_code(stage: Stage, language: str) -> Page:
    """The second step of a sign-in, with a wrong code."""
    with_factor(stage, f"coded-{language}")
    _, who = colleague(stage, f"coded-{language}")
    page = stage.open("/sign-in", language, size=PHONE)
    page.fill("[name=username]", who["username"])
    page.fill("[name=password]", who["password"])
    page.click("[data-password-form] [type=submit]")
    page.fill("[name=code]", "12")
    page.click("[data-code-form] [type=submit]")
    expect(page.locator("#code-error")).not_to_be_empty()
    return page


def sign_in_recovery(stage: Stage, language: str) -> Page:
    page = stage.open("/sign-in?step=code", language, size=PHONE)
    page.click("[data-other-kind]")
    expect(page.locator("[data-code-hint]")).to_contain_text("ACDEF")
    return page


def invitation(name: str | None) -> Arrange:
    def arrange(stage: Stage, language: str) -> Page:
        admin, _ = colleague(stage, "without")
        new = {"role": "clinician"} | ({} if name is None else {"username": f"{name}-{secrets.token_hex(3)}"})
        address = admin.post("/api/v1/invitations", data=new).json()["address"]
        path, _, secret = address.partition("#")
        page = stage.open("/sign-in", language, size=PHONE)
        page.goto(f"{with_language(path.removeprefix(origin(path)), language)}#{secret}")
        expect(page.locator("main[data-state=open]")).to_be_visible()
        if name is None:
            page.click("[data-submit]")
            expect(page.locator("#password-error")).not_to_be_empty()
        else:
            page.fill("[name=password]", "twelve letters")
            expect(page.locator("[data-strength]:not([data-score='-1'])")).to_be_visible()
        return page

    return arrange


def reset_link(stage: Stage, language: str) -> Page:
    admin, who = colleague(stage, "without")
    address = admin.post(f"/api/v1/staff/{who['id']}/reset-link").json()["address"]
    path, _, secret = address.partition("#")
    page = stage.open("/sign-in", language, size=LAPTOP)
    page.goto(f"{with_language(path.removeprefix(origin(path)), language)}#{secret}")
    expect(page.locator("main[data-state=open]")).to_be_visible()
    return page


def link_ended(stage: Stage, language: str) -> Page:
    page = stage.open("/account/invitation", language, size=PHONE)
    expect(page.locator("main[data-state=ended]")).to_be_visible()
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


def in_doubt(page: str, shown: str, size: tuple[int, int], role: str = "") -> Arrange:
    """Return an arrangement that opens a page of the site after an outage, and waits for what it shows of it."""

    def arrange(stage: Stage, language: str) -> Page:
        assert stage.doubtful is not None
        screen, token = stage.doubtful["displays"][0], stage.doubtful["tickets"][0]["token"]
        path = page.format(screen=f"{screen['id']}?token={screen['token']}", token=token)
        opened = live(stage.open(path, language, size=size, seeded=stage.doubtful if role else None, role=role))
        expect(opened.locator(shown)).to_be_visible()
        return opened

    return arrange


def room_in_doubt(stage: Stage, language: str) -> Page:
    page = room_at(0, "doubtful")(stage, language)
    expect(page.locator("[data-doubt]")).to_be_visible()
    return page


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


def patient_asked(stage: Stage, language: str) -> Page:
    """Ask a patient how the visit was."""
    admin = stage.context(stage.busy, "admin").request
    site = {"site_id": stage.busy["site_id"]}
    admin.post("/api/v1/commands/change-site", data=site | {"feedback": "on"})
    try:
        page = patient_in("completed")(stage, language)
        expect(page.locator(".feedback form")).to_be_visible()
    finally:
        admin.post("/api/v1/commands/change-site", data=site | {"feedback": "off"})
    return page


def patient_away(stage: Stage, language: str) -> Page:
    page = live(stage.open(f"/t/{stage.tokens['away']}", language, size=PHONE))
    expect(page.locator("[data-here]")).to_be_visible()
    return page


def with_words(name: str, *shown: str) -> Arrange:
    """Return an arrangement that opens a page with words about waits. The clock tells them within half a minute."""

    def arrange(stage: Stage, language: str) -> Page:
        size = TELEVISION if name == "delay" else PHONE
        page = live(stage.open(stage.words[name], language, size=size))
        for selector in shown:
            line = page.locator(selector).first
            expect(line).to_be_visible(timeout=60 * SECONDS)
            expect(line).not_to_be_empty()
        return page

    return arrange


def patient_refused(stage: Stage, language: str) -> Page:
    page = stage.open("/t/1-AAAAAAAAAAAAAAAAAAAAAA", language, size=PHONE)
    expect(page.locator("body")).to_have_attribute("data-live", "refused", timeout=30 * SECONDS)
    return page


def staff_page(path: str, role: str, name: str) -> Arrange:
    def arrange(stage: Stage, language: str) -> Page:
        seeded: Seed = getattr(stage, name)
        return live(stage.open(path, language, size=LAPTOP, seeded=seeded, role=role))

    return arrange


def admin_section(section: str, name: str = "busy", size: tuple[int, int] = LAPTOP) -> Arrange:
    """Return an arrangement that opens a section of the administrator's pages."""

    def arrange(stage: Stage, language: str) -> Page:
        seeded: Seed = getattr(stage, name)
        page = live(stage.open(f"/admin/{section}", language, size=size, seeded=seeded, role="admin"))
        expect(page.locator("[data-section]")).not_to_have_attribute("aria-busy", "true")
        return page

    return arrange


def admin_record(section: str) -> Arrange:
    """Return an arrangement that opens the first record of a section."""

    def arrange(stage: Stage, language: str) -> Page:
        page = admin_section(section)(stage, language)
        page.locator(".record summary").first.click()
        expect(page.locator(".record-body input").first).to_be_visible()
        return page

    return arrange


def admin_hours(stage: Stage, language: str) -> Page:
    """Open the opening hours of a clinic that has some."""
    page = admin_section("clinic", "empty")(stage, language)
    first = page.locator(".hours-day input").first
    if not first.is_visible():
        page.locator(".group .button:visible").first.click()
    expect(first).to_be_visible()
    return page


def admin_affected(stage: Stage, language: str) -> Page:
    """Close a clinic with patients in it: the page lists them, and asks."""
    page = admin_section("clinic")(stage, language)
    page.fill("#closed-day", f"{datetime.now(UTC):%Y-%m-%d}")  # the seeded site is in UTC
    page.locator(".add-row [type=submit]").click()
    expect(page.locator("dialog[open] [data-affects]").first).to_be_visible()
    return page


def admin_in_use(stage: Stage, language: str) -> Page:
    """Try to remove a queue that points serve and in which patients wait."""
    page = admin_record("queues")(stage, language)
    page.locator(".record-actions button").last.click()
    expect(page.locator('dialog[open] [data-affects="users"]')).to_be_visible()
    return page


def admin_planned(stage: Stage, language: str) -> Page:
    """Open the week of a clinician with an appointment, closed times and an extra time."""
    assert stage.planned is not None
    site = {"site_id": stage.planned["site_id"]}
    about = site | {"provider_id": stage.planned["provider_ids"][0]}
    service_id = stage.planned["service_ids"][0]
    soon, later = next_monday(), next_monday(2)
    closed = {"date": soon, "kind": "closed", "from": "12:00", "until": "13:00", "reason": "Training"}
    extra = {"date": soon, "kind": "extra", "from": "18:00", "until": "20:00", "reason": "Flu"}
    commands: list[tuple[str, dict[str, Any]]] = [
        ("change-site", site | {"region": "DE", "booking": "on"}),
        ("book", about | {"service_id": service_id, "local_start": f"{soon}T09:00", "name": "Ada Lovelace"}),
        ("add-exception", about | closed),
        ("add-exception", site | {"date": later, "kind": "closed", "reason": "Works in the building"}),
        ("add-exception", about | extra | {"service_ids": [service_id], "slot_minutes": 15}),
    ]
    admin = stage.context(stage.planned, "admin").request
    for index, (command, body) in enumerate(commands):
        # A second state sends the same requests with the same keys, and changes nothing.
        admin.post(f"/api/v1/commands/{command}", data=body, headers={"Idempotency-Key": f"planned {index}"})
    page = admin_section("appointments", "planned")(stage, language)
    expect(page.locator(".exceptions li").nth(2)).to_be_visible()
    return page


def next_monday(weeks: int = 1) -> str:
    """Return the Monday some weeks after this one."""
    today = datetime.now(UTC).date()
    return (today + timedelta(days=7 * weeks - today.weekday())).isoformat()


def admin_form(*steps: str, before: Arrange = admin_planned) -> Arrange:
    """Return an arrangement that opens a form of a section by clicking the ``steps``."""

    def arrange(stage: Stage, language: str) -> Page:
        page = before(stage, language)
        for step in steps:
            page.locator(step).first.click()
        expect(page.locator("dialog[data-form][open]").first).to_be_visible()
        return page

    return arrange


def admin_stranded(stage: Stage, language: str) -> Page:
    """Close a day with an appointment: the page asks what happens to it."""
    page = admin_form(".button-row .button")(stage, language)
    page.locator("dialog[open] [type=date]").first.fill(next_monday())
    page.locator("dialog[open] [minlength]").fill("Conference")
    page.locator("dialog[open] [type=submit]").click()
    expect(page.locator("dialog[open] .stranded a")).to_be_visible()
    return page


def admin_feed(stage: Stage, language: str) -> Page:
    """Make an address for the calendar of a clinician. The page shows it once."""
    page = dialog(admin_planned, "feed", ".calendar-feeds .group-head .button")(stage, language)
    expect(page.locator(".calendar-feeds .record").first).to_be_attached()
    return page


def admin_feeds(stage: Stage, language: str) -> Page:
    """List the addresses for the calendar of a clinician."""
    page = admin_feed(stage, language)
    page.locator("#feed .dialog-actions .button").first.click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    return page


def admin_feeds_none(stage: Stage, language: str) -> Page:
    """Choose the clinician without an address."""
    page = admin_planned(stage, language)
    page.locator("[name=provider]").last.check()
    expect(page.locator(".calendar-feeds .records-empty")).to_be_visible()
    return page


def admin_feeds_trouble(stage: Stage, language: str) -> Page:
    """Choose a clinician whose addresses cannot be read."""
    page = admin_planned(stage, language)
    page.route("**/calendar-feeds", lambda route: route.fulfill(status=500))
    page.locator("[name=provider]").last.check()
    expect(page.locator(".calendar-feeds [role=alert]")).not_to_be_empty()
    return page


def admin_import(stage: Stage, language: str) -> Page:
    """Choose a file of appointments: the page shows how it understands the columns and the first rows."""
    page = admin_section("import", "planned")(stage, language)
    rows = ["Id;Name;Date;Time;Service;Doctor;Phone"]
    rows += [f"T-{index};Patient {index};15.01.2027;{9 + index}:00;Service A;Dr 1;+49 30 90182{index}" for index in range(5)]
    rows += ["T-9;Nobody;soon;9:00;Service A;Dr 1;"]
    text = "\r\n".join([rows[0], rows[-1], *rows[1:-1]])
    file: FilePayload = {"name": "appointments.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.set_input_files("input[type=file]", file)
    expect(page.locator(".import-work .table tbody tr").nth(4)).to_be_visible()
    return page


def admin_channels(stage: Stage, language: str) -> Page:
    """Show channels that are set up, with the outcome of a trial message, beside ways that are not."""
    admin = stage.context(stage.busy, "admin").request
    mail = {
        "host": "127.0.0.1",
        "port": 9,
        "security": "none",
        "sender": "desk@clinic.example",
        "username": "",
        "password": "",
    }
    assert admin.put("/api/v1/channels/email/smtp", data=mail).ok
    assert admin.post("/api/v1/channels/email/test", data={"to": "ada@clinic.example"}).ok
    assert admin.put("/api/v1/channels/push/push", data={"contact": "it@clinic.example"}).ok
    page = admin_section("channels")(stage, language)
    expect(page.locator('[data-way="email"] .channel-notes li')).to_have_count(1)
    return page


def admin_channel_tried(stage: Stage, language: str) -> Page:
    """Send a trial message to a mail server that is not there."""
    page = admin_form('[data-way="email"] .button:nth-child(2)', before=admin_channels)(stage, language)
    page.locator("dialog[open] input").fill("ada@clinic.example")
    page.locator("dialog[open] [type=submit]").click()
    expect(page.locator("dialog[open] .channel-result.is-bad")).to_be_visible()
    return page


def admin_webhooks(stage: Stage, language: str) -> Page:
    """Show a webhook that fails, with the outcome of a test, beside one that is off."""
    admin = stage.context(stage.busy, "admin").request
    for each in admin.get("/api/v1/webhooks").json()["data"]:
        assert admin.delete(f"/api/v1/webhooks/{each['id']}").ok
    failing, off = (
        admin.post("/api/v1/webhooks", data={"url": f"http://127.0.0.1:9/{each}"}).json() for each in ("events", "old")
    )
    assert admin.put(f"/api/v1/webhooks/{off['id']}", data={"url": "http://127.0.0.1:9/old", "on": False}).ok
    replayed = {"site_id": stage.busy["site_id"], "number": 1}
    assert admin.post(f"/api/v1/webhooks/{failing['id']}/replay", data=replayed).ok
    assert admin.post(f"/api/v1/webhooks/{failing['id']}/secret").ok
    for _ in range(100):
        (first, _) = admin.get("/api/v1/webhooks").json()["data"]
        if any(each["error"] for each in first["sites"]):
            break
        time.sleep(0.1)
    page = admin_section("webhooks")(stage, language)
    expect(page.locator("[data-webhook] .channel-notes .is-bad")).to_have_count(1)
    page.locator("[data-webhook] .button").first.click()
    expect(page.locator(".channel-result.is-bad")).to_be_visible()
    return page


def admin_system_troubled(stage: Stage, language: str) -> Page:
    """Show the list of the system with parts that are in trouble: a channel that fails, and a dark screen."""
    stage.done(admin_channels(stage, language))
    page = admin_section("system")(stage, language)
    expect(page.locator('[data-check="channels"]')).to_have_attribute("data-state", "broken")
    expect(page.locator('[data-check="screens"]')).to_have_attribute("data-state", "warning")
    return page


def admin_webhook_made(stage: Stage, language: str) -> Page:
    """Connect a system: its secret is shown once."""
    page = admin_form(".button.is-primary", before=admin_webhooks)(stage, language)
    page.locator("dialog[open] input").fill("https://clinic.example/events")
    page.locator("dialog[open] [type=submit]").click()
    expect(page.locator("dialog#webhook-secret[open]")).to_be_visible()
    return page


def admin_messages(stage: Stage, language: str) -> Page:
    """Show a message of unknown outcome, its repeat being possible, beside planned reminders."""
    assert stage.planned is not None
    site = {"site_id": stage.planned["site_id"]}
    about = site | {"provider_id": stage.planned["provider_ids"][0], "service_id": stage.planned["service_ids"][0]}
    admin = stage.context(stage.planned, "admin").request
    assert admin.put("/api/v1/channels/sms/apprise", data={"address": "json://127.0.0.1:9/{to}"}).ok
    patient = {"name": "Ada Lovelace", "phone": "+49 30 901820"}
    commands: list[tuple[str, dict[str, Any]]] = [
        ("change-site", site | {"message_ways": ["sms"], "quiet_from": 0, "quiet_until": 0}),
        ("book", about | patient | {"local_start": f"{next_monday(3)}T09:00"}),
    ]
    for index, (command, body) in enumerate(commands):
        admin.post(f"/api/v1/commands/{command}", data=body, headers={"Idempotency-Key": f"messages {index}"})
    address = f"/api/v1/sites/{site['site_id']}/messages?state=unknown"
    wait_until(lambda: admin.get(address).json()["data"], "a message of unknown outcome")
    page = admin_section("messages", "planned")(stage, language)
    expect(page.locator("[data-message] .button").first).to_be_visible()
    return page


def admin_texts(stage: Stage, language: str) -> Page:
    """Show an own text of the clinic as a manager, among the shipped ones."""
    manager = stage.context(stage.busy, "manager").request
    address = f"/api/v1/sites/{stage.busy['site_id']}/message-texts"
    assert manager.put(f"{address}/booked/es", data={"text": "{clinic}: el {date}, {time}. {link}"}).ok
    page = live(stage.open("/admin/texts", language, size=LAPTOP, seeded=stage.busy, role="manager"))
    expect(page.locator(".text-bubble")).not_to_be_empty()
    page.locator('[data-language="es"]').click()
    expect(page.locator(".text-bubble")).to_contain_text(": el ")
    return page


def admin_texts_problem(stage: Stage, language: str) -> Page:
    page = admin_texts(stage, language)
    page.locator("#message-text").fill("{clinic} {room}")
    expect(page.locator("#message-text-problem")).not_to_be_empty()
    return page


def admin_message_figures(stage: Stage, language: str) -> Page:
    """Show the figures of messages at a clinic that has sent some."""
    stage.done(admin_messages(stage, language))
    page = admin_section("figures", "planned")(stage, language)
    expect(page.locator("section.group .table-room")).to_be_visible()
    return page


def admin_feedback(stage: Stage, language: str) -> Page:
    """Show the answers of three weeks; the answers are made up, because the weeks are over."""
    page = stage.open("/admin/clinic", language, size=LAPTOP, seeded=stage.busy, role="admin")
    weeks = [
        {"first_day": "2026-01-05", "answers": 12, "scores": [0, 1, 2, 5, 4], "texts": ["Friendly", "Too warm in the hall"]},
        {"first_day": "2026-01-12", "answers": None, "scores": None, "texts": []},
        {"first_day": "2026-01-19", "answers": 7, "scores": [1, 0, 1, 2, 3], "texts": []},
    ]
    body = {"from": "2026-01-01", "to": "2026-01-25", "weeks": weeks}
    page.route("**/feedback?*", lambda route: route.fulfill(json=body))
    page.goto(with_language("/admin/figures", language))
    expect(page.locator("section .field-hint").last).to_be_visible()
    return live(page)


def admin_menu(stage: Stage, language: str) -> Page:
    page = admin_section("clinic", size=PHONE)(stage, language)
    page.locator(".admin-menu-button").click()
    expect(page.locator("[data-sections] a").first).to_be_visible()
    return page


def admin_staff(stage: Stage, language: str) -> Page:
    admin, _ = colleague(stage, "without")
    with_factor(stage, "with")
    if not admin.get("/api/v1/invitations").json()["data"]:
        admin.post("/api/v1/invitations", data={"role": "clinician"})
    page = admin_section("staff")(stage, language)
    expect(page.locator("[data-member] .is-factor").first).to_be_visible()
    return page


def admin_link(stage: Stage, language: str) -> Page:
    page = dialog(admin_staff, "invite", "[data-invite]")(stage, language)
    page.locator("#invite [type=submit]").click()
    expect(page.locator("dialog#link[open]")).to_be_visible()
    return page


def admin_forbidden(stage: Stage, language: str) -> Page:
    page = stage.open("/admin", language, size=LAPTOP, seeded=stage.busy, role="clinician")
    expect(page.locator("[data-section] a")).to_be_visible()
    return page


def insights(path: str = "/insights", size: tuple[int, int] = LAPTOP) -> Arrange:
    """Return an arrangement that opens the figures for managers with every card; the figures are made up."""

    def arrange(stage: Stage, language: str) -> Page:
        page = stage.open("/admin/clinic", language, size=size, seeded=stage.busy, role="manager")
        page.route("**/insights?*from=*", lambda route: route.fulfill(json=figures.answer()))
        page.route("**/insights/third-next", lambda route: route.fulfill(json=figures.free_times()))
        page.goto(with_language(path, language))
        expect(page.locator(".card")).to_have_count(10)
        if size == LAPTOP:  # a chart is drawn shortly before it comes into sight
            expect(page.locator(".card canvas").first).to_be_visible()
        return live(page)

    return arrange


def insights_of(name: str, role: str = "manager") -> Arrange:
    """Return an arrangement that opens the true figures of a site."""

    def arrange(stage: Stage, language: str) -> Page:
        page = stage.open("/insights", language, size=LAPTOP, seeded=getattr(stage, name), role=role)
        expect(page.locator("[data-cards]")).not_to_have_attribute("aria-busy", "true")
        return page

    return arrange


def insights_after(shown: str, *steps: str, path: str = "/insights", size: tuple[int, int] = LAPTOP) -> Arrange:
    """Return an arrangement that clicks the ``steps`` on the page of figures, until ``shown`` is visible."""

    def arrange(stage: Stage, language: str) -> Page:
        page = insights(path, size)(stage, language)
        for step in steps:
            page.locator(step).first.click()
        expect(page.locator(shown).first).to_be_visible()
        return page

    return arrange


def insights_mails(size: tuple[int, int] = LAPTOP, channel: str = "ready") -> Arrange:
    """Return an arrangement that opens the dialog of reports by mail, with every outcome of a mail."""

    def arrange(stage: Stage, language: str) -> Page:
        page = insights(size=size)(stage, language)
        page.route("**/insights/mails", lambda route: route.fulfill(json=figures.mails(channel)))
        page.locator("[data-mail]").click()
        expect(page.locator(".mails .mails-last li")).to_have_count(len(figures.mails()["mails"]))
        return page

    return arrange


def insights_sites(size: tuple[int, int] = LAPTOP) -> Arrange:
    """Return an arrangement that compares sites; the figures are made up."""

    def arrange(stage: Stage, language: str) -> Page:
        page = stage.open("/admin/clinic", language, size=size, seeded=stage.busy, role="manager")
        more = [
            {"id": each["site_id"], "name": each["name"], "time_zone": "Europe/Berlin", "language": "en"}
            for each in figures.compared()["sites"]
        ]

        def session(route: Route) -> None:
            answer = route.fetch()
            body = answer.json()
            route.fulfill(response=answer, json=body | {"sites": body["sites"] + more})

        page.route("**/api/v1/session", session)
        page.route("**/api/v1/insights?*", lambda route: route.fulfill(json=figures.compared()))
        page.goto(with_language("/insights?sites=all", language))
        expect(page.locator("#sites > .plot").last.locator("tbody tr")).to_have_count(4)
        return live(page)

    return arrange


def insights_dates(stage: Stage, language: str) -> Page:
    """Show the error of a missing date."""
    page = insights_after("[data-own] button", '[value="own"]')(stage, language)
    page.fill("[data-to]", "")
    page.locator("[data-own] button").click()
    expect(page.locator("#dates-error")).not_to_be_empty()
    return page


def insights_stale(stage: Stage, language: str) -> Page:
    """Show figures that the server does not refresh."""
    page = insights()(stage, language)
    page.route("**/insights?*from=*", lambda route: route.fulfill(status=500))
    page.locator("[data-refresh]").click()
    expect(page.locator(".notice")).to_be_visible()
    return page


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


def delay_counted(stage: Stage, language: str) -> Page:
    """Show how many patients would get a message about a delay."""
    admin = stage.context(stage.busy, "admin").request
    site = {"site_id": stage.busy["site_id"]}
    admin.post("/api/v1/commands/change-site", data=site | {"message_ways": ["sms"]})
    try:
        page = dialog(staff_page("/reception", "receptionist", "busy"), "delay", "[data-open-delay]")(stage, language)
        expect(page.locator("#delay [role=status]")).to_have_text(re.compile(r"[\d\u0660-\u0669]"))  # how many patients
    finally:
        admin.post("/api/v1/commands/change-site", data=site | {"message_ways": []})  # the site has no channel
    return page


def delay_announced(stage: Stage, language: str) -> Page:
    """Show the delay that the site has announced."""
    admin = stage.context(stage.busy, "admin").request
    site = {"site_id": stage.busy["site_id"]}
    admin.post("/api/v1/commands/change-site", data=site | {"message_ways": ["push"]})  # patients have no address for it
    try:
        assert admin.post("/api/v1/commands/announce-delay", data=site | {"minutes": 30}).ok
        page = staff_page("/reception", "receptionist", "busy")(stage, language)
        expect(page.locator("[data-delay-text]")).to_be_visible()
    finally:
        admin.post("/api/v1/commands/change-site", data=site | {"message_ways": []})
    return page


def booked_page(path: str, role: str = "receptionist", size: tuple[int, int] = LAPTOP) -> Arrange:
    """Return a page of the staff at the site with appointments."""

    def arrange(stage: Stage, language: str) -> Page:
        assert stage.booked is not None
        page = stage.open(path, language, size=size, seeded=stage.booked.seeded, role=role)
        expect(page.locator("[data-appointment]").first).to_be_visible()
        return live(page)

    return arrange


# The address of the module that a page has loaded, with its version: another address would be another module.
REACH = "performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/desk/reach.js')).name"


def replay(kind: str = "") -> Arrange:
    """Return the page of past screens at the busy site, with a screen of a kind as it is now, or before the choice."""

    def arrange(stage: Stage, language: str) -> Page:
        if kind == "kiosk":
            stage.kiosk(stage.busy)
            time.sleep(2)  # only instants that are past can be shown
        page = stage.open("/replay", language, size=LAPTOP, seeded=stage.busy, role="manager")
        choice = page.locator(f"[data-screen] option[value^='{kind}']").last
        expect(page.locator("[data-screen] option[value^='point']").first).to_be_attached()
        if kind:
            page.locator("[data-screen]").select_option(choice.get_attribute("value"))
            page.locator("[data-show]").click()
            expect(page.frame_locator("iframe").locator("body.is-replayed")).to_be_attached()
            expect(page.locator("[data-moment]")).not_to_be_empty()
        return page

    return arrange


def replay_with_changes(stage: Stage, language: str) -> Page:
    """Compute a replay with changes, and show its tables by queue and by hour."""
    page = replay()(stage, language)
    page.locator("[data-queues-of]").select_option(index=1)
    page.locator("[data-other-queues] input").first.check()
    page.locator("[data-compute]").click()
    expect(page.locator("[data-waits] table")).to_have_count(3)
    for fold in page.locator(".replay-fold > summary").all():
        fold.click()
    return page


def replay_refused(stage: Stage, language: str) -> Page:
    """Open the page of past screens without the right to it."""
    page = stage.open("/replay", language, size=LAPTOP, seeded=stage.busy, role="receptionist")
    expect(page.locator("[data-home]")).to_be_visible()
    return page


def calendar_phone_list(stage: Stage, language: str) -> Page:
    """Show patients to phone, with and without a number, as after a move of a day."""
    page = dialog(booked_page("/calendar"), "move-day", "[data-move-day]")(stage, language)
    patients = [
        {"appointment_id": 1, "local_start": "2027-01-15T09:00", "reason": "no-address", "name": "Ada Lovelace",
         "phone": "+4930901820", "phone_shown": "030 901820"},
        {"appointment_id": 2, "local_start": "2027-01-15T09:30", "reason": "no-way", "name": "Nora", "phone": None,
         "phone_shown": None},
    ]  # fmt: skip
    page.keyboard.press("Escape")
    page.evaluate(f"async (all) => (await import({REACH})).showPhoneList(all)", patients)
    page.locator("#phone-1").check()
    return page


BOOKED = '[data-appointment][data-stage="due"], [data-appointment][data-stage="booked"]'


def booked_dialog(path: str, name: str, *keys: str) -> Arrange:
    """Return a page at the site with appointments, with a dialog that some keys open."""

    def arrange(stage: Stage, language: str) -> Page:
        page = booked_page(path)(stage, language)
        row = page.locator(BOOKED).last
        if path == "/calendar":
            row.focus()  # the page scrolls to the present time while it loads: a click could meet a free time
        else:
            row.click()
        for key in keys:
            page.keyboard.press(key)
        expect(page.locator(f"dialog#{name}[open]")).to_be_visible()
        return page

    return arrange


def unreached(path: str, row: str) -> Arrange:
    """Return an arrangement that chooses a row whose patient has not received a message."""

    def arrange(stage: Stage, language: str) -> Page:
        page = booked_page(path)(stage, language)
        page.locator(row).first.focus()
        expect(page.locator('[data-action="clear-unreached"]')).to_be_enabled()
        page.locator("header :is(a, button, input):visible").first.focus()  # the row stays chosen, and Tab begins at the top
        return page

    return arrange


def amend_known(stage: Stage, language: str) -> Page:
    page = booked_dialog("/calendar", "amend-appointment", "e")(stage, language)
    expect(page.locator("#amend-appointment [name=phone]")).to_be_enabled()
    return page


def amend_unreachable(stage: Stage, language: str) -> Page:
    """Open the dialog while the server does not answer the request for the patient's data."""
    page = booked_page("/reception")(stage, language)
    page.route(re.compile(r"/appointments/\d+$"), lambda route: route.fulfill(status=500))
    page.locator(BOOKED).last.click()
    page.keyboard.press("e")
    expect(page.locator("#amend-appointment[open] .request-line button")).to_be_visible()
    return page


def history_of_appointment(path: str) -> Arrange:
    """Return an arrangement that opens the history of an appointment."""

    def arrange(stage: Stage, language: str) -> Page:
        page = booked_dialog(path, "history", "w")(stage, language)
        expect(page.locator("#history .history-step").first).to_be_visible()
        return page

    return arrange


def book_refused(stage: Stage, language: str) -> Page:
    page = booked_dialog("/calendar", "book", "f")(stage, language)
    page.locator("#book .free-time").first.wait_for()
    page.locator("#book [type=submit]").click()
    expect(page.locator("#book .field-error:not(:empty)").first).to_be_visible()
    return page


def room_with_appointments(stage: Stage, language: str) -> Page:
    assert stage.booked is not None
    seeded = stage.booked.seeded
    desk = stage.context(seeded, "receptionist").request
    place = {"point_id": seeded["point_ids"][0], "provider_id": seeded["provider_ids"][0]}
    desk.post("/api/v1/commands/staff-point", data=place)
    page = stage.open("/room", language, size=PHONE, seeded=seeded, role="clinician")
    # A page that comes back remembers its room.
    first = page.locator("[data-choose], [data-console]:not([hidden])").first
    first.wait_for()
    if page.locator("[data-choose]").count():
        page.locator("[data-choose]").first.click()
    expect(page.locator("[data-today] [data-appointment]").first).to_be_attached()
    return live(page)


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


def welcome_account(stage: Stage, language: str) -> Page:
    address, _, code = stage.welcome.partition("#")
    page = stage.open(address, language, size=LAPTOP)
    page.goto(f"{with_language(address, language)}#{code}")  # a new fragment alone loads nothing
    page.reload()
    expect(page.locator("form[data-account]")).to_be_visible()
    return page


def welcome_errors(stage: Stage, language: str) -> Page:
    page = stage.open(stage.welcome.partition("#")[0], language, size=PHONE)
    expect(page.locator("form[data-account]")).to_be_visible()
    page.fill("[name=password]", "password")
    page.locator("form[data-account] [type=submit]").click()
    expect(page.locator("#code-error")).not_to_be_empty()
    page.locator(".welcome-restore summary").click()
    return page


def welcome_clinic(stage: Stage, language: str) -> Page:
    page = stage.open("/welcome", language, size=LAPTOP, seeded=stage.newcomer, role="admin")
    page.locator("form[data-clinic] [type=submit]").click()
    expect(page.locator("#clinic-name-error")).not_to_be_empty()
    page.locator("[data-change-zone]").click()
    page.fill("#zone-text", "new")
    expect(page.locator("[data-zones] input").first).to_be_visible()
    return page


def welcome_services(stage: Stage, language: str) -> Page:
    page = stage.open("/welcome", language, size=LAPTOP, seeded=stage.unfurnished, role="admin")
    expect(page.locator(".plan-row").first).to_be_visible()
    return page


def welcome_empty_plan(stage: Stage, language: str) -> Page:
    page = welcome_services(stage, language)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.check("[value=empty]")
    page.locator("form[data-services] [type=submit]").click()
    expect(page.locator("[data-group=queues] .field-error").first).not_to_be_empty()
    return page


def pairing(stage: Stage, language: str) -> Page:
    page = stage.open("/display", language, size=TELEVISION, role="an unpaired screen")
    expect(page.locator("main[data-pairing]")).to_be_visible()
    expect(page.locator("[data-code]")).not_to_be_empty(timeout=30 * SECONDS)
    return page


def join(stage: Stage, language: str, site_id: int, code: str = "") -> Page:
    """Open the page for joining as a phone that the server does not know."""
    page = stage.open(f"/join/{site_id}{code and '#'}{code}", language, size=PHONE, role="a phone")
    expect(page.locator("body:not([data-state=loading])")).to_have_count(1)
    return page


def join_in(state: str) -> Arrange:
    """Return an arrangement that opens the page for joining in a state."""

    def arrange(stage: Stage, language: str) -> Page:
        stage.context(role="a phone").clear_cookies()
        site_id = stage.busy["site_id"]
        if state == "off":
            return join(stage, language, 4711)
        if state == "closed":
            assert stage.shut is not None
            return join(stage, language, stage.shut["site_id"])
        if state == "code":
            return join(stage, language, site_id)
        if state == "old":
            page = join(stage, language, site_id, present_code(VAULT, site_id, time.time_ns() // 1000 - 10**9).code)
            expect(page.locator("#code-error")).not_to_be_empty()
            return page
        page = join(stage, language, site_id, present_code(VAULT, site_id, time.time_ns() // 1000).code)
        expect(page.locator("[data-queue-form]")).to_be_visible()
        page.locator(".join-queue").first.click()
        return page

    return arrange


def book_in(state: str) -> Arrange:
    """Return an arrangement that opens the page for booking in a state."""

    def arrange(stage: Stage, language: str) -> Page:
        # One visitor keeps one time: a new visitor for each state would soon reach the limit of holds from one address.
        assert stage.bookable is not None
        site_id = 4711 if state == "off" else stage.bookable["site_id"]
        page = stage.open(f"/book/{site_id}", language, size=PHONE, role="a visitor")
        expect(page.locator("body")).not_to_have_attribute("data-step", "loading", timeout=30 * SECONDS)
        if state in ("service", "off"):
            return page
        page.locator(".book-service").first.click()
        expect(page.locator(".free-time").first).to_be_visible()
        if state == "time":
            return page
        page.locator(".free-time").nth(2).click()
        page.locator("[data-go]").click()
        expect(page.locator("[data-kept]")).to_have_text(re.compile("10|9"))
        if state == "errors":
            page.locator("[data-take]").click()
            expect(page.locator("#name-error")).not_to_be_empty()
        return page

    return arrange


def own_appointment(state: str) -> Arrange:
    """Return an arrangement that opens the page of an appointment in a state."""

    def arrange(stage: Stage, language: str) -> Page:
        key = {"ticket": "ticket", "cancelled": "cancelled", "unknown": ""}.get(state, "booked")
        token = stage.appointments[key] if key else "a1-AAAAAAAAAAAAAAAAAAAAAA"
        page = stage.open(f"/a/{token}", language, size=PHONE, role="a patient")
        if state == "unknown":
            expect(page.locator("body")).to_have_attribute("data-live", "refused", timeout=30 * SECONDS)
            return page
        live(page)
        expect(page.locator(".ticket-label" if state == "ticket" else ".appointment-title")).to_be_visible()
        if key == "booked":
            expect(page.locator("[data-letters]")).not_to_be_empty()
            expect(page.locator("[data-alerts-hint]")).not_to_be_empty()  # this browser allows no notifications
        return page

    return arrange


WAYS = [
    {"way": "sms", "recipient": "…67", "opted_out": True, "source": "reply"},
    {"way": "email", "recipient": "n…@example.org", "opted_out": False, "source": None},
]


def told_ways(page: Page, ways: list[dict[str, Any]]) -> None:
    """Answer requests for the ways to a patient: the clinic of the page sends no messages."""
    page.route(re.compile(r"/contact$"), lambda route: route.fulfill(json={"ways": ways}))


def with_contact(arrange: Arrange, *, reached: bool = True) -> Arrange:
    """Return a patient's page that shows how the clinic reaches the patient."""

    def arranged(stage: Stage, language: str) -> Page:
        page = arrange(stage, language)
        told_ways(page, WAYS if reached else [{**WAYS[0], "source": "patient"}, {**WAYS[1], "recipient": None}])
        page.reload()
        live(page)
        page.locator(".contact summary").click()
        expect(page.locator(".contact [role=switch]").first).to_be_visible()
        return page

    return arranged


def amend_with_contact(arrange: Arrange, key: str, name: str) -> Arrange:
    """Return a page of the staff, with the dialog of a patient whose number takes no SMS."""

    def arranged(stage: Stage, language: str) -> Page:
        page = arrange(stage, language)
        told_ways(page, WAYS)
        page.keyboard.press(key)
        expect(page.locator(f"#{name} .contact-lines")).to_be_visible()
        return page

    return arranged


def chosen_booking(stage: Stage, language: str) -> Page:
    page = booked_page("/reception")(stage, language)
    page.locator(BOOKED).last.click()
    return page


def booking_site(env: dict[str, str], server: Server) -> tuple[Seed, dict[str, str]]:
    """Return a site on whose page patients book, and tokens of appointments by their state."""
    day = appointments_today(env, starts=(), points=2, tickets=2, providers=2)
    seeded = day.seeded
    tokens: dict[str, str] = {}
    with server.client(server.sign_in(seeded, "admin")) as client:

        def do(command: str, /, **body: Any) -> Any:
            answer = client.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, (command, answer.text)
            return answer.json()

        do("change-site", site_id=seeded["site_id"], booking="on", message_ways=["push"])
        assert client.put("/api/v1/channels/push/push", json={"contact": "it@clinic.example"}).status_code == 200
        kiosk_id = do("add-kiosk", site_id=seeded["site_id"], name="Door")["events"][-1]["kiosk_id"]
        do("change-kiosk", kiosk_id=kiosk_id, check_in="code")
        for state, minutes in (("booked", 300), ("cancelled", 240), ("ticket", 15)):
            body = {"service_id": seeded["service_ids"][0], "local_start": day.local(minutes), "name": "Ada Lovelace"}
            made = do("book", site_id=seeded["site_id"], **body)
            tokens[state] = made["token"]
            if state == "cancelled":
                do("cancel-appointment", appointment_id=made["appointment"]["id"], version=1)
            if state == "ticket":
                do("check-in", appointment_id=made["appointment"]["id"])
    return seeded, tokens


def kiosk(name: str = "busy", size: tuple[int, int] = KIOSK, role: str = "a kiosk", **settings: Any) -> Arrange:
    """Return an arrangement that opens a kiosk with settings of its own."""

    def arrange(stage: Stage, language: str) -> Page:
        seeded: Seed = getattr(stage, name)
        kiosk_id, token = stage.kiosk(seeded, **settings)
        page = live(stage.open(f"/kiosk/{kiosk_id}?token={token}", language, size=size, role=role))
        expect(page.locator('[data-screen="idle"] .info')).to_be_visible()
        return page

    return arrange


def kiosk_after(*steps: str, shown: str, **settings: Any) -> Arrange:
    """Return an arrangement that touches buttons of a kiosk, one after the other."""

    def arrange(stage: Stage, language: str) -> Page:
        page = kiosk(**settings)(stage, language)
        for step in steps:
            page.locator(step).first.click()
        expect(page.locator(shown)).to_be_visible()
        return page

    return arrange


def kiosk_in_high_contrast(stage: Stage, language: str) -> Page:
    contrast, large = '[data-mode="contrast"]', '[data-mode="large"]'
    return kiosk_after(contrast, large, shown=f'{large}[aria-pressed="true"]')(stage, language)


def kiosk_refused_check_in(stage: Stage, language: str) -> Page:
    page = kiosk_after("[data-appointment]", shown="[data-keys]", check_in="code")(stage, language)
    for _ in range(4):
        page.locator(".key").first.click()
    page.locator("[data-confirm]").click()
    expect(page.locator('[data-screen="desk"] .info')).to_be_visible()
    return page


def kiosk_away(stage: Stage, language: str) -> Page:
    """Let the answers to the kiosk's questions come from another server, as in a network that wants a sign-in."""
    page = kiosk(role="a kiosk without a network")(stage, language)
    page.route("**/kiosk/*", lambda route: route.fulfill(status=200))
    expect(page.locator('[data-screen="away"] .info')).to_be_visible()
    return page


def kiosk_warning(stage: Stage, language: str) -> Page:
    """Leave a kiosk alone for a minute, by the page's clock."""
    stage.context(role="an idle kiosk").clock.install()
    page = kiosk(role="an idle kiosk")(stage, language)
    page.locator('[data-mode="large"]').click()
    page.clock.fast_forward(60_500)
    expect(page.locator("[data-warning]")).to_be_visible()
    return page


def kiosk_paused(stage: Stage, language: str) -> Page:
    """Open a kiosk whose only queue issues no tickets."""
    queue_id = stage.empty["queue_ids"][1]
    stage.context(stage.empty, "admin").request.post("/api/v1/commands/pause-queue", data={"queue_id": queue_id})
    page = kiosk("empty", queue_ids=[queue_id])(stage, language)
    expect(page.locator('[data-closed="paused"]')).to_be_visible()
    return page


def kiosk_closed(stage: Stage, language: str) -> Page:
    page = kiosk("shut")(stage, language)
    expect(page.locator("[data-queues]")).to_be_hidden()
    return page


def kiosk_panel(stage: Stage, language: str) -> Page:
    page = kiosk()(stage, language)
    for _ in range(5):
        page.locator("[data-site]").click()
    expect(page.locator("[data-panel]")).to_be_visible()
    return page


def kiosk_pairing(stage: Stage, language: str) -> Page:
    page = stage.open("/kiosk", language, size=KIOSK, role="an unpaired kiosk")
    expect(page.locator("[data-code]")).not_to_be_empty(timeout=30 * SECONDS)
    return page


ALL = [
    State("index", "signed-out", index),
    State("index", "signed-in", index_signed_in),
    State("demo", "open", demo_index),
    State("sign-in", "empty", sign_in),
    State("sign-in", "errors", sign_in_empty),
    State("sign-in", "locked", sign_in_locked),
    State("sign-in", "code", sign_in_code, part="data-code-form"),
    State("sign-in", "recovery", sign_in_recovery, part="data-code-form"),
    State("account", "without-factor", account("without")),
    State("account", "password", account_password, part='id="factor"'),
    State("account", "scan", account_scan, part='id="factor"'),
    State("account", "codes", account_codes, part='id="factor"'),
    State("account", "with-factor", account_with_factor),
    State("account-link", "invitation", invitation("ada")),
    State("account-link", "errors", invitation(None)),
    State("account-link", "reset", reset_link),
    State("account-link", "ended", link_ended),
    State("welcome", "account", welcome_account),
    State("welcome", "errors", welcome_errors),
    State("welcome", "clinic", welcome_clinic),
    State("welcome", "services", welcome_services),
    State("welcome", "empty-plan", welcome_empty_plan),
    State("not-found", "shown", not_found),
    State("error", "shown", error),
    # The API reference is long and English. Arabic covers the other direction of its frame.
    State("docs", "read", docs, languages=("en", "ar")),
    State("display", "busy", display_of("busy")),
    State("display", "late", with_words("delay", ".next-up-late")),
    State("display", "empty", display_of("empty")),
    State("display", "doubtful", in_doubt("/display/{screen}", "[data-doubtful-calls]", TELEVISION)),
    State("display", "refused", display_refused),
    State("display", "pairing", pairing, part="data-pairing"),
    State("kiosk", "idle", kiosk()),
    State("kiosk", "low", kiosk_after('[data-mode="low"]', shown='[data-mode="low"][aria-pressed="true"]')),
    State("kiosk", "high-contrast", kiosk_in_high_contrast),
    State("kiosk", "ticket", kiosk_after('[data-do="queue"]', shown='[data-screen="ticket"] .info')),
    State("kiosk", "help", kiosk_after('[data-do="help"]', shown='[data-screen="help"] .info')),
    State("kiosk", "check-in", kiosk_after("[data-appointment]", shown="[data-ways]", check_in="birth")),
    State("kiosk", "code", kiosk_after("[data-appointment]", shown="[data-keys]", check_in="code")),
    State("kiosk", "desk", kiosk_refused_check_in),
    State("kiosk", "away", kiosk_away),
    State("kiosk", "warning", kiosk_warning),
    State("kiosk", "paused", kiosk_paused),
    State("kiosk", "closed", kiosk_closed),
    State("kiosk", "panel", kiosk_panel),
    State("kiosk", "pairing", kiosk_pairing, part="data-pairing"),
    *(State("patient", each, patient_in(each)) for each in ("waiting", "called", "serving", "held", "completed", "no_show")),
    State("patient", "doubtful", in_doubt("/t/{token}", '.ticket[data-state="doubt"]', PHONE)),
    State("patient", "away", patient_away),
    State("patient", "feedback", patient_asked),
    State("patient", "contact", with_contact(patient_in("waiting"))),
    State("patient", "contact-called", with_contact(patient_in("called"), reached=False)),
    State("patient", "moved", with_words("moved", "[data-moved]", "[data-leave-until]")),
    State("patient", "earlier", with_words("leave", "[data-moved]", "[data-leave-until]")),
    State("patient", "refused", patient_refused),
    State("patient", "late", dialog(patient_in("waiting"), "late", "[data-late]"), part='id="late"'),
    State("patient", "need", dialog(patient_in("called"), "late", "[data-late]"), part='id="late"'),
    State("patient", "leave", dialog(patient_in("waiting"), "leave", "[data-leave]"), part='id="leave"'),
    *(State("join", each, join_in(each)) for each in ("code", "old", "open", "closed", "off")),
    *(State("book", each, book_in(each)) for each in ("service", "time", "about", "errors", "off")),
    *(State("appointment", each, own_appointment(each)) for each in ("booked", "cancelled", "ticket", "unknown")),
    State("appointment", "moved", with_words("appointment", "[data-moved]")),
    State("appointment", "contact", with_contact(own_appointment("booked"))),
    State("appointment", "unreached", with_contact(own_appointment("ticket"), reached=False)),
    State("appointment", "move", dialog(own_appointment("booked"), "move", "[data-move]"), part='id="move"'),
    State("appointment", "cancel", dialog(own_appointment("booked"), "cancel", "[data-cancel]"), part='id="cancel"'),
    State("appointment", "late", dialog(own_appointment("ticket"), "late", "[data-late]"), part='id="late"'),
    State("appointment", "leave", dialog(own_appointment("ticket"), "leave", "[data-leave]"), part='id="leave"'),
    State("admin", "start", admin_section("start", "empty")),
    State("admin", "clinic", admin_section("clinic")),
    State("admin", "hours", admin_hours),
    State("admin", "queues", admin_section("queues")),
    State("admin", "queue", admin_record("queues")),
    State("admin", "points", admin_record("points")),
    State("admin", "screens", admin_record("screens")),
    *(State("admin", each, admin_section(each)) for each in ("figures", "keys", "audit", "system")),
    State("admin", "system-troubled", admin_system_troubled),
    State("admin", "empty", admin_section("queues", "empty")),
    State("admin", "affected", admin_affected),
    State("admin", "in-use", admin_in_use),
    State("admin", "appointments", admin_planned),
    State("admin", "appointments-none", admin_section("appointments", "empty")),
    State("admin", "schedule", admin_form(".week-time", ".dialog-more summary")),
    State("admin", "schedule-end", admin_form(".week-time", "dialog[open] .is-apart")),
    State("admin", "copy-day", admin_form(".week-head .week-button:not([hidden])")),
    State("admin", "close-time", admin_form(".button-row .button", "dialog[open] .check")),
    State("admin", "extra-time", admin_form(".button-row .button:nth-child(2)")),
    State("admin", "holidays", admin_form(".button-row .button:nth-child(3)")),
    State("admin", "move-list", admin_form(".group-head .button")),
    State("admin", "stranded", admin_stranded),
    State("admin", "feed", admin_feed),
    State("admin", "feeds", admin_feeds),
    State("admin", "feeds-none", admin_feeds_none),
    State("admin", "feeds-trouble", admin_feeds_trouble),
    State("admin", "feed-end", dialog(admin_feeds, "confirm", ".calendar-feeds .record .button")),
    State("admin", "import", admin_section("import", "planned")),
    State("admin", "import-file", admin_import),
    State("admin", "channels", admin_channels),
    State("admin", "channels-none", admin_section("channels", "empty")),
    State("admin", "channel", admin_form('[data-way="email"] .button', before=admin_channels)),
    State("admin", "channel-new", admin_form('[data-way="sms"] .button', before=admin_channels)),
    State("admin", "channel-test", admin_channel_tried),
    State("admin", "channel-remove", dialog(admin_channels, "confirm", '[data-way="email"] .button:nth-child(3)')),
    State("admin", "webhooks", admin_webhooks),
    State("admin", "webhooks-none", admin_section("webhooks", "empty")),
    State("admin", "webhook-new", admin_form(".button.is-primary", before=admin_webhooks)),
    State("admin", "webhook-secret", admin_webhook_made),
    State("admin", "webhook-replay", admin_form("[data-webhook] .button:nth-child(5)", before=admin_webhooks)),
    State("admin", "webhook-remove", dialog(admin_webhooks, "confirm", "[data-webhook] .button:nth-child(7)")),
    State("admin", "messages", admin_messages),
    State("admin", "feedback-figures", admin_feedback),
    State("admin", "message-figures", admin_message_figures),
    State("admin", "messages-none", admin_section("messages", "empty")),
    State("admin", "texts", admin_texts),
    State("admin", "texts-problem", admin_texts_problem),
    State("admin", "texts-reset", dialog(admin_texts, "confirm", ".text-form .button-row:last-child .button:nth-child(2)")),
    State("admin", "message-again", dialog(admin_messages, "confirm", "[data-message] .button")),
    State("admin", "menu", admin_menu),
    State("admin", "staff", admin_staff),
    State("admin", "invite", dialog(admin_staff, "invite", "[data-invite]")),
    State("admin", "link", admin_link),
    State("admin", "member", dialog(admin_staff, "member", '[data-member^="without-"] button')),
    State(
        "admin", "confirm-staff", dialog(admin_staff, "confirm", '[data-member^="without-"] button', '[data-change="off"]')
    ),
    State("admin", "unknown", admin_section("no-such-section")),
    State("admin", "forbidden", admin_forbidden),
    State("insights", "figures", insights("/insights?compare=1")),
    State("insights", "site", insights_of("busy")),
    State("insights", "empty", insights_of("empty")),
    State("insights", "refused", insights_of("busy", "clinician")),
    State("insights", "stale", insights_stale),
    State("insights", "tables", insights_after(".plot[data-as=table] table", ".plot-toggle")),
    State("insights", "definition", insights_after("#definition", ".definition-button")),
    State("insights", "dates", insights_dates),
    State("insights", "mails", insights_mails()),
    State("insights", "mails on a phone", insights_mails(PHONE, "no-channel")),
    State("insights", "sites", insights_sites()),
    State("insights", "menu", insights_after("#insights-menu", ".insights-menu-button", size=PHONE)),
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
    State("reception", "delay", delay_counted),
    State("reception", "delayed", delay_announced),
    State("reception", "keys", dialog(reception_with_guest, "keys", '[data-action="keys"]'), part='id="keys"'),
    State("reception", "appointments", booked_page("/reception")),
    State("reception", "doubtful", in_doubt("/reception", "[data-doubts]", LAPTOP, "receptionist")),
    State("reception", "unreached", unreached("/reception", "[data-entry]:has(.is-unreached)")),
    State("reception", "reschedule", booked_dialog("/reception", "reschedule", "m")),
    State("reception", "amend-appointment", booked_dialog("/reception", "amend-appointment", "e")),
    State("reception", "contact-appointment", amend_with_contact(chosen_booking, "e", "amend-appointment")),
    State("reception", "amend-appointment-unknown", amend_unreachable),
    State("reception", "history", history_of_appointment("/reception")),
    State("reception", "cancel-appointment", booked_dialog("/reception", "confirm", "d")),
    State("replay", "choose", replay()),
    State("replay", "desk", replay("desk")),
    State("replay", "display", replay("display")),
    State("replay", "room", replay("point")),
    State("replay", "calendar", replay("calendar")),
    State("replay", "kiosk", replay("kiosk")),
    State("replay", "what-if", replay_with_changes),
    State("replay", "refused", replay_refused),
    State("calendar", "day", booked_page("/calendar")),
    State("calendar", "unreached", unreached("/calendar", "[data-appointment].is-unreached")),
    State("calendar", "week", booked_page("/calendar?days=7")),
    State("calendar", "phone", booked_page("/calendar", size=PHONE)),
    State("calendar", "manager", booked_page("/calendar", "manager")),
    State("calendar", "book", book_refused),
    State("calendar", "amend-appointment", amend_known),
    State("calendar", "history", history_of_appointment("/calendar")),
    State("calendar", "phone-list", calendar_phone_list),
    State("calendar", "move-day", dialog(booked_page("/calendar"), "move-day", "[data-move-day]")),
    State("calendar", "keys", dialog(booked_page("/calendar"), "keys", '[data-action="keys"]'), part='id="keys"'),
    State("room", "doubtful", room_in_doubt),
    State("room", "appointments", room_with_appointments),
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
