"""The page of figures for managers: periods, filters, definitions, tables, exports and the report, on true visits."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from server.seeding import Seed
from tests.browser.conftest import Do, Open, sign_in_as
from tests.support import insights as figures
from tests.support.providers import MailServer
from tests.support.server import Server

SERVED = 7
FAILED = "500 (Internal Server Error)"


@pytest.fixture
def served(do: Do, seeded: Seed) -> Seed:
    """Return a site at which seven patients were served, and six wait. One of the calls was out of order."""
    point, queue = seeded["point_ids"][0], seeded["queue_ids"][0]
    for _ in range(SERVED):
        do("issue-ticket", queue_id=queue)
    for _ in range(SERVED):
        entry = do("call-next", point_id=point)["entry"]
        do("start", entry_id=entry["id"])
        do("complete", entry_id=entry["id"])
    return seeded


def open_insights(open_page: Open, seeded: Seed, query: str = "", *, role: str = "manager", **size: int) -> Page:
    """Open the page, signed in, and wait for its figures."""
    page = open_page("/docs", allowed=(FAILED,), **size)
    sign_in_as(page.request, seeded, role, page.url.rsplit("/", 1)[0])
    page.goto(f"/insights{query}")
    expect(page.locator("[data-cards]")).not_to_have_attribute("aria-busy", "true")
    return page


def tile(page: Page, card: str, name: str) -> Any:
    """Return the value of a figure."""
    return page.locator(f"#{card} .tile", has=page.locator("dt", has_text=re.compile(f"^{name}"))).locator(".tile-value")


def asked(page: Page, action: Any) -> str:
    """Return the address that the page asks for after an action."""
    with page.expect_request(re.compile(r"/insights\?")) as request:
        action()
    expect(page.locator("[data-cards]")).not_to_have_attribute("aria-busy", "true")
    return request.value.url


def test_figures_of_today_are_those_of_the_visits(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    expect(page.locator("body")).to_have_attribute("data-live", "live")
    expect(tile(page, "waits", "Called")).to_have_text(str(SERVED))
    expect(tile(page, "waits", "Waiting now").first).to_have_text("6")
    expect(tile(page, "arrivals", "Arrivals")).to_have_text(str(SERVED + 6))
    expect(tile(page, "arrivals", "Served")).to_have_text(str(SERVED))
    expect(page.locator("[data-state]")).to_contain_text("As of")


def test_small_group_has_no_number(open_page: Open, do: Do, seeded: Seed) -> None:
    do("call-next", point_id=seeded["point_ids"][0])
    page = open_insights(open_page, seeded, "?period=today")
    expect(tile(page, "waits", "Called")).to_have_text("<5")
    expect(tile(page, "waits", "Wait: median")).to_have_text("<5")


def test_period_and_filter_are_kept_in_the_address(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served)
    address = asked(page, lambda: page.get_by_label("Today", exact=True).check())
    day = re.search(r"from=([0-9-]+)&to=\1", address)
    assert day is not None, address
    queue = served["queue_ids"][0]
    assert f"queue_id={queue}" in asked(page, lambda: page.get_by_label("Show figures of").select_option(f"queue:{queue}"))
    page.reload()
    expect(page.get_by_label("Today", exact=True)).to_be_checked()
    expect(page.get_by_label("Show figures of")).to_have_value(f"queue:{queue}")
    expect(page.locator("#messages")).to_contain_text("whole site only")


def test_period_before_stands_beside_each_figure(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    expect(page.locator(".tile-before")).to_have_count(0)
    asked(page, lambda: page.get_by_label("Compare with the period before").check())
    expect(page.locator("#waits .tile-before").first).to_have_text(re.compile("^before: "))
    expect(page.locator("[data-span-before]")).to_contain_text("Compared with")


def test_own_dates_are_checked_beside_their_fields(open_page: Open, seeded: Seed) -> None:
    page = open_insights(open_page, seeded)
    page.get_by_label("Other dates").check()
    expect(page.get_by_label("From", exact=True)).not_to_have_value("")
    last = date.fromisoformat(page.get_by_label("To", exact=True).input_value())
    page.get_by_label("From", exact=True).fill((last + timedelta(days=1)).isoformat())
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#dates-error")).to_have_text("The first date must not be after the last one.")
    expect(page.get_by_label("From", exact=True)).to_be_focused()
    page.get_by_label("From", exact=True).fill((last - timedelta(days=2)).isoformat())
    address = asked(page, lambda: page.keyboard.press("Enter"))
    assert f"from={last - timedelta(days=2)}&to={last}" in address
    expect(page.locator("#dates-error")).to_be_empty()


def test_definition_opens_by_keyboard_and_gives_the_focus_back(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    button = page.locator("#waits").get_by_role("button", name="Definition: Wait: median")
    button.focus()
    page.keyboard.press("Enter")
    definition = page.get_by_role("dialog", name="Wait: median")
    expect(definition).to_contain_text("Half of the patients had at most this time.")
    expect(definition).to_be_focused()
    page.keyboard.press("Escape")
    expect(definition).to_be_hidden()
    expect(button).to_be_focused()


def test_every_figure_and_heading_of_figures_has_a_definition(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    for figure in page.locator(".tile dt, .plot-title").all():
        assert figure.locator(".definition-button").count() == 1, figure.inner_text()


def test_chart_is_a_table_too(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    plot = page.locator("#arrivals .plot.has-chart")
    plot.scroll_into_view_if_needed()
    expect(plot.locator("canvas")).to_be_visible()
    expect(plot.locator(".chart-box")).to_have_attribute("aria-hidden", "true")
    # The table is there for a screen reader before anybody asks for it.
    expect(plot.get_by_role("table")).to_have_count(1)
    assert sum(float(each) for each in plot.locator("tbody td:nth-child(2)").all_inner_texts() if each != "<5") <= SERVED + 6
    button = plot.get_by_role("button", name=re.compile("^Table"))
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(plot.locator("canvas")).to_be_hidden()
    expect(plot.get_by_role("rowheader").first).to_be_in_viewport()
    asked(page, lambda: page.locator("[data-refresh]").click())
    expect(plot.get_by_role("button", name=re.compile("^Table"))).to_have_attribute("aria-pressed", "true")


def test_export_has_the_figures_and_their_definitions(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    with page.expect_download() as download:
        page.locator("#arrivals").get_by_role("link", name=re.compile("^Export as CSV")).click()
    files = zipfile.ZipFile(Path(download.value.path()))
    assert sorted(files.namelist()) == ["definitions.csv", "hours.csv"]
    lines = list(csv.DictReader(io.StringIO(files.read("hours.csv").decode("utf-8-sig"))))
    assert sum(int(each["entries"]) for each in lines if each["entries"].isdecimal()) in {0, SERVED + 6}  # two hours: hidden


@pytest.mark.parametrize("language", ["en", "ar"])
def test_report_is_a_pdf_in_the_language_of_the_page(open_page: Open, served: Seed, language: str) -> None:
    page = open_insights(open_page, served, f"?period=today&lang={language}")
    address = page.locator("[data-report]").get_attribute("href")
    assert address is not None
    assert f"language={language}" in address
    answer = page.request.get(address)
    assert answer.ok, answer.text()
    assert answer.body().startswith(b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"


def test_failed_refresh_keeps_the_figures_and_says_how_old_they_are(open_page: Open, served: Seed) -> None:
    page = open_insights(open_page, served, "?period=today")
    page.route("**/insights?*from=*", lambda route: route.fulfill(status=500))
    page.locator("[data-refresh]").click()
    expect(page.locator(".notice")).to_contain_text("These figures are from")
    expect(page.locator("body")).to_have_attribute("data-live", "stale")
    expect(tile(page, "waits", "Called")).to_have_text(str(SERVED))
    page.unroute("**/insights?*from=*")
    asked(page, lambda: page.locator("[data-refresh]").click())
    expect(page.locator(".notice")).to_be_hidden()
    expect(page.locator("body")).to_have_attribute("data-live", "live")


def test_clinician_is_led_to_the_own_screen(open_page: Open, seeded: Seed) -> None:
    page = open_insights(open_page, seeded, role="clinician")
    expect(page.locator("[data-trouble]")).to_contain_text("for managers and administrators")
    expect(page.get_by_role("link", name="Go to my screen")).to_have_attribute("href", "/room")
    expect(page.locator("[data-choice]")).to_be_hidden()


def test_site_without_visits_says_so(open_page: Open, seeded: Seed) -> None:
    page = open_insights(open_page, seeded, "?period=last-month")
    expect(page.locator("[data-cards]")).to_contain_text("Nobody came in this period.")


@pytest.fixture
def full(open_page: Open, seeded: Seed) -> Page:
    """Return the page with every card; its figures are made up."""
    page = open_page("/docs", width=1100, height=900)
    sign_in_as(page.request, seeded, "admin", page.url.rsplit("/", 1)[0])
    page.route("**/insights?*from=*", lambda route: route.fulfill(json=figures.answer()))
    page.route("**/insights/third-next", lambda route: route.fulfill(json=figures.free_times()))
    page.goto("/insights")
    expect(page.locator(".card")).to_have_count(10)
    return page


def test_doubled_hour_is_marked(full: Page) -> None:
    expect(full.locator("#load thead th").last).to_have_text("02*")
    expect(full.locator(".insights-note")).to_contain_text("the hour 02 came twice")


def test_page_prints_white_and_without_its_controls(full: Page) -> None:
    full.emulate_media(color_scheme="dark", media="print")
    for part in ("[data-choice]", "[data-actions]", ".definition-button", ".plot-toggle", ".card-export", "[data-parts]"):
        expect(full.locator(part).first).to_be_hidden()
    assert full.locator(".card").first.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(255, 255, 255)"
    expect(full.locator("#waits .tile-value").first).to_be_visible()
    expect(full.locator("#load td").first).to_be_visible()


def test_charts_are_light_while_the_page_prints(full: Page) -> None:
    full.emulate_media(color_scheme="dark")
    full.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert full.evaluate("document.documentElement.dataset.theme") == "light"
    expect(full.locator("#feedback canvas")).to_have_count(1)  # it was out of sight, so it was not drawn before
    full.evaluate("dispatchEvent(new Event('afterprint'))")
    assert full.evaluate("document.documentElement.dataset.theme ?? null") is None


def test_managers_find_the_page(open_page: Open, seeded: Seed, server: Server) -> None:
    for path, role in (("/reception", "manager"), ("/admin", "admin"), ("/calendar", "manager")):
        page = open_page("/docs")
        sign_in_as(page.request, seeded, role, server.url)
        page.goto(path)
        page.get_by_role("link", name="Insights").click()
        expect(page).to_have_url(re.compile("/insights$"))


# Reports by mail


@pytest.fixture
def post(server: Server, seeded: Seed) -> Iterator[MailServer]:
    """Return the mail server that the clinic has connected."""
    with MailServer() as made, server.client(server.sign_in(seeded, "admin")) as admin:
        settings = {"host": "127.0.0.1", "port": made.port, "security": "none", "sender": "desk@clinic.example"}
        channel = settings | {"sender_name": "", "username": "", "password": ""}
        assert admin.put("/api/v1/channels/email/smtp", json=channel).is_success
        yield made


def open_mails(page: Page) -> Locator:
    """Open the dialog of reports by mail."""
    page.get_by_role("button", name="Send by e-mail").click()
    dialog = page.get_by_role("dialog", name="Report by e-mail")
    expect(dialog.get_by_role("heading", name="Who gets the report each month")).to_be_visible()
    return dialog


def test_manager_mails_a_report_by_keyboard(open_page: Open, served: Seed, post: MailServer) -> None:
    page = open_insights(open_page, served, "?period=today")
    dialog = open_mails(page)
    expect(dialog.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type("boss")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Type a full e-mail address")
    expect(dialog.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type("@example.org")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_contain_text("The report for boss@example.org is on its way.")
    expect(dialog.locator(".mails-last li")).to_contain_text("Sent", timeout=60_000)
    (mail,) = post.accepted
    assert mail["To"] == "boss@example.org"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Send by e-mail")).to_be_focused()


def test_reader_of_each_month_is_added_and_removed(open_page: Open, seeded: Seed, post: MailServer) -> None:
    page = open_insights(open_page, seeded)
    dialog = open_mails(page)
    expect(dialog.get_by_label("Time")).to_be_hidden()
    dialog.get_by_label("Each month").check()
    dialog.get_by_label("E-mail address").fill("each@example.org")
    dialog.get_by_label("Language of the report").select_option("fr")
    dialog.get_by_label("Time").select_option("17")
    dialog.get_by_role("button", name="Send each month").click()
    reader = dialog.locator(".mails-readers li")
    expect(reader).to_contain_text("each@example.org")
    expect(reader).to_contain_text("French")
    page.reload()
    dialog = open_mails(page)
    dialog.get_by_role("button", name="Remove each@example.org").press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("each@example.org gets no more reports.")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    expect(dialog.locator(".mails-readers")).to_have_count(0)
    assert post.accepted == []


def test_refused_mail_shows_its_remedy(open_page: Open, seeded: Seed, post: MailServer) -> None:
    post.mood = "refuses"
    dialog = open_mails(open_insights(open_page, seeded))
    dialog.get_by_label("E-mail address").fill("nobody@example.org")
    dialog.get_by_role("button", name="Send", exact=True).click()
    last = dialog.locator(".mails-last li")
    expect(last).to_contain_text("Not sent", timeout=60_000)
    expect(last).to_contain_text("The mail server refuses the address. Check it, and send the report again.")


@pytest.mark.parametrize(("role", "links"), [("manager", 0), ("admin", 1)])
def test_dialog_says_that_there_is_no_channel(open_page: Open, seeded: Seed, role: str, links: int) -> None:
    dialog = open_mails(open_insights(open_page, seeded, role=role, width=320, height=640))
    expect(dialog).to_contain_text("There is no mail server yet.")
    expect(dialog.get_by_role("link", name="Connect a mail server")).to_have_count(links)
    assert dialog.evaluate("each => each.scrollWidth <= each.clientWidth && each.getBoundingClientRect().right <= 320")


# Several sites


@pytest.fixture
def both(served: Seed, server: Server) -> Seed:
    """Return a site with figures whose organisation has a second one, without patients."""
    with server.client(server.sign_in(served, "admin")) as admin:
        made = admin.post("/api/v1/sites", json={"name": "Harbour", "time_zone": "Europe/Berlin", "language": "en"})
        assert made.status_code == 201, made.text
    return served


def compared(open_page: Open, seeded: Seed, *, width: int = 1280, height: int = 800) -> Page:
    """Open the page, and choose several sites by keyboard."""
    page = open_insights(open_page, seeded, "?period=today", width=width, height=height)
    page.locator("[data-site-select]").focus()
    page.keyboard.press("End")
    page.wait_for_url(re.compile("sites=all"))
    expect(page.locator("[data-cards]")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#sites")).to_be_visible()
    return page


def test_two_sites_are_compared_by_keyboard(open_page: Open, both: Seed) -> None:
    page = compared(open_page, both)
    rows = page.locator("#sites > .plot").last.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.last).to_contain_text("All together")
    expect(page.locator("#sites .tile-value").first).not_to_be_empty()
    for part in ("[data-filter]", "[data-report]", "[data-mail]"):
        expect(page.locator(part)).to_be_hidden()
    page.get_by_label("All my sites").focus()
    page.keyboard.press("Tab")
    address = asked(page, lambda: page.keyboard.press("Space"))
    assert re.search(r"[?&]sites=[0-9]+(&|$)", address), address
    expect(page.get_by_label("All my sites")).not_to_be_checked()
    expect(rows).to_have_count(2)
    page.reload()
    expect(rows).to_have_count(2)
    with page.expect_download() as download:
        page.locator("#sites .card-export").click()
    assert zipfile.ZipFile(download.value.path()).namelist()


def test_comparison_fits_a_small_phone_and_prints(open_page: Open, both: Seed) -> None:
    page = compared(open_page, both, width=320, height=640)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.emulate_media(color_scheme="dark", media="print")
    for part in ("[data-sites]", "[data-choice]", "[data-actions]", ".card-export", ".plot-toggle"):
        expect(page.locator(part).first).to_be_hidden()
    expect(page.locator("#sites td").first).to_be_visible()
    assert page.locator(".card").first.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(255, 255, 255)"
