"""A newcomer's first minutes, from the printed address to a called ticket: for a test, and for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

from tests.support.first_run import PASSWORD

Seen = Callable[[str, Page], object]


@dataclass
class Newcomer:
    """A person at one or more screens. Each touch, text and key that the person needs is an action."""

    actions: list[str] = field(default_factory=list)

    def goes_to(self, page: Page, address: str) -> None:
        """Type or open an address."""
        self._act("open", address.partition("#")[0], lambda: page.goto(address))

    def types(self, target: Locator, text: str) -> None:
        """Write into a field, wherever the focus is."""
        self._act("write", text, lambda: target.fill(text))

    def clicks(self, target: Locator) -> None:
        """Click or touch."""
        self._act("click", target.inner_text(), target.click)

    def chooses(self, target: Locator, label: str) -> None:
        """Choose from a list."""
        self._act("choose", label, lambda: target.select_option(label=label))

    def presses(self, page: Page, key: str) -> None:
        """Press a key."""
        self._act("press", key, lambda: page.keyboard.press(key))

    def _act(self, kind: str, what: str, action: Callable[[], object]) -> None:
        self.actions.append(f"{kind}: {what}")
        action()

    def opens_a_clinic(self, desk: Page, hall: Page, address: str, seen: Seen = lambda *_: None) -> None:
        """Set up a clinic at ``desk``, pair the screen ``hall``, issue a ticket, and call it until the screen shows it.

        ``seen`` gets the name of each stage, and the page that shows it.
        """
        self.goes_to(desk, address)
        self.types(desk.locator("[name=username]"), "ada")
        self.types(desk.locator("[name=password]"), PASSWORD)
        seen("account", desk)
        self.presses(desk, "Enter")
        self.types(desk.get_by_label("Name of the clinic"), "Riverside Clinic")
        seen("clinic", desk)
        self.presses(desk, "Enter")
        self.clicks(desk.get_by_text("Blood tests", exact=True).first)
        seen("services", desk)
        # Open at any hour: the run then does not depend on the time of day.
        self.clicks(desk.get_by_text("Always open"))
        self.clicks(desk.get_by_role("button", name="Open the clinic"))
        expect(desk.locator("[data-step=screen_paired]")).to_be_visible()
        seen("first-steps", desk)
        self.goes_to(hall, "/display")
        code = hall.locator("[data-code]")
        expect(code).not_to_be_empty()
        seen("pairing", hall)
        self.types(desk.locator("#first-code"), code.inner_text())
        self.presses(desk, "Enter")
        expect(hall.locator("body")).to_have_attribute("data-live", "live")
        expect(desk.locator("[data-step=screen_paired].is-done")).to_be_visible()
        seen("paired", desk)
        self.clicks(desk.locator("[data-step=ticket_issued] a"))
        expect(desk.locator("body")).to_have_attribute("data-live", "live")
        self.presses(desk, "i")
        expect(desk.locator("dialog#issue[open]")).to_be_visible()
        seen("issue", desk)
        self.presses(desk, "Enter")
        expect(desk.locator("[data-entry]")).to_have_count(1)
        self.presses(desk, "Escape")
        expect(desk.locator("dialog[open]")).to_have_count(0)
        self.chooses(desk.locator("[data-point-select]"), "Chair 1")
        self.presses(desk, "n")
        expect(hall.locator('.call[data-call="A001"] .call-point')).to_have_text("Chair 1")
        seen("reception", desk)
        seen("called", hall)
