"""Rules for issuing tickets and correcting visits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.domain.commands import AmendVisit, Call, ChangeQueue, ChangeSite, IssueTicket, Leave, Recall, RunningLate
from server.domain.errors import (
    AlreadyQueued,
    InvalidField,
    NamesNotShown,
    NotAllowed,
    NothingChanged,
    QueueFull,
    SiteClosed,
)
from server.domain.events import TicketIssued
from server.domain.model import Entry, Personal
from server.domain.ranking import head_start
from server.domain.rules import Patients, decide
from server.domain.views import DeskView, DisplayView, TicketView, draw
from tests.support.one_entry import OTHER_QUEUE, QUEUE, board_with
from tests.support.whole_clinic import BLOOD, ONE, TWO, X_RAY, refusal, whole_clinic
from tests.support.worlds import DAY, HOUR, PRIORITIES, SITE_ID, START, a_site, an_id, facts, open_sealed, small_clinic


def test_labels_count_up_and_grow_beyond_three_digits() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    labels = []
    for _ in range(1001):
        entry = world.ticket(queue_id, after=0)
        labels.append(world.label(entry))
        world.do(Leave(entry_id=entry.id), after=0)  # the number stays in use; many waiting entries would make the test slow
    assert labels[:2] == ["A001", "A002"]
    assert labels[998:] == ["A999", "A1000", "A1001"]
    assert len(set(labels)) == len(labels)


def test_queues_with_the_same_prefix_share_their_numbers() -> None:
    world = small_clinic()
    blood, x_ray, forms = sorted(world.board.queues)
    labels = [world.label(world.ticket(queue_id)) for queue_id in (blood, forms, x_ray, blood, forms)]
    assert labels == ["A001", "A002", "B001", "A003", "A004"]


@pytest.mark.parametrize("priority", PRIORITIES)
def test_issued_ticket_has_all_fields_of_the_command(priority: Any) -> None:
    board, now = board_with("waiting"), START + HOUR
    command = IssueTicket(
        queue_id=OTHER_QUEUE,
        priority=priority,
        party_size=3,
        language="tr",
        name="Ada King Lovelace",
        phone="+49 30 123",
        name_on_display=True,
    )
    assert decide(board, command, now, "the hash") == [
        TicketIssued(
            visit_id=an_id(11),
            entry_id=an_id(12),
            queue_id=OTHER_QUEUE,
            label="B001",
            prefix="B",
            number=1,
            priority=priority,
            party_size=3,
            language="tr",
            display_name="Ada L.",
            band=0 if priority == "emergency" else 1,
            place=now - head_start(priority, a_site().rules),
            due_at=now,
            expect_from=None,  # no point serves this queue
            expect_until=None,
            estimating=True,
            token_hash="the hash",
            personal=Personal(name="Ada King Lovelace", phone="+49 30 123"),
            quoted_ahead=0,
            quoted_points=0,
        )
    ]


@pytest.mark.parametrize(
    ("name", "on_display", "shown"),
    [
        (None, True, None),
        ("Ada", True, "A."),
        ("王小明", True, "○明"),
        ("Ada Lovelace", True, "Ada L."),
        ("Ada King  Lovelace", True, "Ada L."),
        ("Øystein Åse", True, "Øystein Å."),
        ("Ada Lovelace", False, None),
        ("", True, None),
    ],
)
def test_display_name_is_given_name_and_initial(name: str | None, on_display: bool, shown: str | None) -> None:
    [event] = decide(board_with("waiting"), IssueTicket(queue_id=QUEUE, name=name, name_on_display=on_display), START)
    assert isinstance(event, TicketIssued)
    assert event.display_name == shown


def test_language_defaults_to_that_of_the_site() -> None:
    [event] = decide(board_with("waiting"), IssueTicket(queue_id=QUEUE), START)
    assert isinstance(event, TicketIssued)
    assert event.language == "de"


def test_language_is_any_tag_in_its_usual_case() -> None:
    world = whole_clinic()
    entry = world.ticket(BLOOD, language="ZH-hant")
    assert world.board.visits[entry.visit_id].language == "zh-Hant"
    assert refusal(world, AmendVisit(entry_id=entry.id, language="zh-HANT")).code == "nothing_changed"
    world.do(AmendVisit(entry_id=entry.id, language="es-419"))
    assert world.board.visits[entry.visit_id].language == "es-419"
    world.do(ChangeSite(site_id=SITE_ID, language="ar-eg"))
    assert world.board.site.language == "ar-EG"


def test_display_name_needs_the_permission_of_the_site() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=False))
    entry = world.ticket(BLOOD, name="Ada Lovelace", name_on_display=True)
    assert world.board.visits[entry.visit_id].display_name is None
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=True))
    entry = world.ticket(BLOOD, name="Ada Lovelace", name_on_display=True)
    assert world.board.visits[entry.visit_id].display_name == "Ada L."


def test_closed_site_issues_tickets_only_with_the_right_to_overrule() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, hours=((4, 9 * 60, 12 * 60),)))  # Fridays; it is Friday, 8 in the morning
    error = refusal(world, IssueTicket(queue_id=BLOOD))
    assert isinstance(error, SiteClosed)
    assert error.message == "Clinic is closed now."
    command = IssueTicket(queue_id=BLOOD, overrule=True)
    assert decide(world.board, command, world.now, "hash", lambda action: action == "overrule-limits")
    with pytest.raises(NotAllowed):
        decide(world.board, command, world.now, "hash", lambda action: action != "overrule-limits")
    assert decide(world.board, IssueTicket(queue_id=BLOOD), START + HOUR)
    with pytest.raises(SiteClosed):
        decide(world.board, IssueTicket(queue_id=BLOOD), START + 4 * HOUR)
    world.do(ChangeSite(site_id=SITE_ID, closed_on=(DAY,)))
    with pytest.raises(SiteClosed):
        decide(world.board, IssueTicket(queue_id=BLOOD), START + HOUR)
    world.do(ChangeSite(site_id=SITE_ID, hours=(), closed_on=()))
    assert decide(world.board, IssueTicket(queue_id=BLOOD), world.now)


def test_full_queue_issues_no_ticket_and_counts_absent_patients() -> None:
    world = whole_clinic()
    world.do(ChangeQueue(queue_id=BLOOD, capacity=2))
    first = world.ticket(BLOOD)
    world.ticket(BLOOD)
    world.do(RunningLate(entry_id=first.id, minutes=30))
    error = refusal(world, IssueTicket(queue_id=BLOOD))
    assert isinstance(error, QueueFull)
    assert error.message == "The queue Blood is full: 2 patients are already waiting."
    world.ticket(BLOOD, overrule=True)
    world.call(ONE)
    world.call(TWO)  # one absent patient is left
    assert world.ticket(BLOOD).state == "waiting"
    world.ticket(X_RAY)
    world.do(ChangeQueue(queue_id=BLOOD, capacity=0))
    for _ in range(5):
        world.ticket(BLOOD)


def test_ticket_with_a_priority_needs_the_right_to_reprioritise() -> None:
    world = whole_clinic()
    for priority in ("assisted", "urgent", "emergency"):
        with pytest.raises(NotAllowed):
            decide(world.board, IssueTicket(queue_id=BLOOD, priority=priority), START, "hash", lambda _: False)
    assert decide(world.board, IssueTicket(queue_id=BLOOD), START, "hash", lambda _: False)


def test_amend_visit_changes_party_language_and_needs() -> None:
    world = whole_clinic()
    entry = world.ticket(BLOOD)
    assert refusal(world, AmendVisit(entry_id=entry.id)).code == "nothing_changed"
    world.do(AmendVisit(entry_id=entry.id, party_size=4, language="ar", needs=("interpreter", "chaperone", "interpreter")))
    visit = world.board.visits[entry.visit_id]
    assert (visit.party_size, visit.language, visit.needs) == (4, "ar", ("chaperone", "interpreter"))
    cell = draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]
    assert (cell["party"], cell["language"], cell["needs"]) == (4, "ar", ["chaperone", "interpreter"])
    for view in (DisplayView(), TicketView(entry.visit_id)):
        assert "chaperone" not in str(draw(view, world.board)), "only staff see needs"


def test_amend_visit_corrects_or_removes_name_and_phone() -> None:
    """Omitted fields stay, empty ones are removed. The display name follows only if the patient had agreed to it."""
    world = whole_clinic()
    entry = world.ticket(BLOOD, name="Nora Canari", phone="+49 30 901820", name_on_display=True)
    quiet = world.ticket(BLOOD, name="Bo Lind")

    def personal_of(entry: Entry) -> tuple[str | None, str | None, str | None]:
        visit = world.board.visits[entry.visit_id]
        personal = open_sealed(visit)
        return personal.name, personal.phone, visit.display_name

    world.do(AmendVisit(entry_id=entry.id, name="Nora Canary-Blue"))
    assert personal_of(entry) == ("Nora Canary-Blue", "+49 30 901820", "Nora C.")
    assert draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]["name"] == "Nora Canary-Blue"
    world.do(AmendVisit(entry_id=entry.id, phone="030 1234567", party_size=2))
    assert personal_of(entry) == ("Nora Canary-Blue", "030 1234567", "Nora C.")
    world.do(AmendVisit(entry_id=entry.id, party_size=3))
    assert personal_of(entry) == ("Nora Canary-Blue", "030 1234567", "Nora C.")
    world.do(AmendVisit(entry_id=entry.id, name="", phone=""))
    assert personal_of(entry) == (None, None, None)
    world.do(AmendVisit(entry_id=quiet.id, name="Bo Lindh"))
    assert personal_of(quiet) == ("Bo Lindh", None, None)
    assert facts(world.loaded()) == facts(world.board)


def test_display_name_hides_and_returns_with_the_rule_of_the_site() -> None:
    """The view checks the site's rule at each drawing, also for a patient who was called before the rule changed."""
    world = whole_clinic()
    entry = world.ticket(BLOOD, name="Nora Canari", name_on_display=True)
    world.do(Call(entry_id=entry.id, point_id=ONE))

    def shown() -> str | None:
        name: str | None = draw(DisplayView(), world.board)[f"entry:{entry.id}"]["name"]
        return name

    assert shown() == "Nora C."
    changed = world.do(ChangeSite(site_id=SITE_ID, names_on_display=False))
    assert shown() is None
    assert "Nora" not in str(draw(DisplayView(), world.board))
    world.do(Recall(entry_id=entry.id))
    assert shown() is None
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=True))
    assert shown() == "Nora C."
    assert len(changed) == 1


def test_consent_is_withdrawn_and_given_by_amend_visit() -> None:
    """A withdrawal deletes the short name. A later consent makes it from the sealed name."""
    world = whole_clinic()
    entry = world.ticket(BLOOD, name="Nora Canari", name_on_display=True)
    world.do(Call(entry_id=entry.id, point_id=ONE))

    def shown() -> tuple[str | None, str | None, str | None]:
        visit = world.board.visits[entry.visit_id]
        return draw(DisplayView(), world.board)[f"entry:{entry.id}"]["name"], visit.display_name, open_sealed(visit).name

    world.do(AmendVisit(entry_id=entry.id, name_on_display=False))
    assert shown() == (None, None, "Nora Canari")
    world.do(AmendVisit(entry_id=entry.id, name="Nora Canary"))
    assert shown() == (None, None, "Nora Canary"), "a correction gives no consent"
    world.do(AmendVisit(entry_id=entry.id, name_on_display=True))
    assert shown() == ("Nora C.", "Nora C.", "Nora Canary")
    with pytest.raises(NothingChanged):
        world.do(AmendVisit(entry_id=entry.id, name_on_display=True))
    world.do(AmendVisit(entry_id=entry.id, language="hu"))
    assert shown() == ("N. C.", "N. C.", "Nora Canary"), "Hungarian names begin with the family name"
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=False))
    world.do(AmendVisit(entry_id=entry.id, name_on_display=False))
    with pytest.raises(NamesNotShown):
        world.do(AmendVisit(entry_id=entry.id, name_on_display=True))
    world.do(ChangeSite(site_id=SITE_ID, names_on_display=True))
    assert shown() == (None, None, "Nora Canary")
    assert facts(world.loaded()) == facts(world.board)


@pytest.mark.parametrize(
    ("born", "problem"),
    [("2024-03-30", "future"), ("2099-01-01", "future"), ("1893-12-31", "130 years"), ("1900-01-01", "")],
)
def test_impossible_dates_of_birth_are_refused(born: str, problem: str) -> None:
    world = whole_clinic()
    entry = world.ticket(BLOOD, date_of_birth="1985-12-10")
    for command in (IssueTicket(queue_id=BLOOD, date_of_birth=born), AmendVisit(entry_id=entry.id, date_of_birth=born)):
        if not problem:
            assert decide(world.board, command, START)
            continue
        with pytest.raises(InvalidField, match=problem) as refused:
            decide(world.board, command, START)
        assert refused.value.details["field"] == "date_of_birth"


def test_today_is_the_day_of_the_site() -> None:
    """At eleven at night in UTC it is tomorrow in Berlin."""
    world, command = whole_clinic(), IssueTicket(queue_id=BLOOD, date_of_birth="2024-03-30", overrule=True)
    with pytest.raises(InvalidField):
        decide(world.board, command, START + 14 * HOUR)
    assert decide(world.board, command, START + 16 * HOUR)


def test_amend_visit_corrects_and_removes_the_date_of_birth() -> None:
    world = whole_clinic()
    entry = world.ticket(BLOOD, name="Nora Canari", date_of_birth="1985-12-10")
    for told, known, year in (("1958-12-10", "1958-12-10", 1958), ("", None, None)):
        world.do(AmendVisit(entry_id=entry.id, date_of_birth=told))
        assert open_sealed(world.board.visits[entry.visit_id]).date_of_birth == known
        assert draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]["born"] == year


ADA: dict[str, Any] = {"name": "Ada Lovelace", "phone": "+4930901820", "date_of_birth": "1985-12-10"}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ADA, True),
        (ADA | {"name": "LOVELACE, Ada"}, True),
        (ADA | {"phone": "+4930901821"}, True),
        (ADA | {"phone": None}, True),
        (ADA | {"date_of_birth": None}, True),
        (ADA | {"date_of_birth": "2015-12-10"}, False),
        (ADA | {"phone": "+4930901821", "date_of_birth": None}, False),
        (ADA | {"name": "Ida Lovelace"}, False),
        ({"name": "Ada Lovelace"}, False),
        ({}, False),
    ],
)
def test_second_ticket_of_a_patient_needs_a_confirmation(other: dict[str, Any], same: bool) -> None:
    world = whole_clinic()
    first = world.ticket(BLOOD, **ADA)
    command = IssueTicket(queue_id=X_RAY, **other)
    if same:
        with pytest.raises(AlreadyQueued) as refused:
            world.do(command)
        assert (refused.value.details["entry_id"], refused.value.details["label"]) == (first.id, world.label(first))
    else:
        world.do(command)
    world.do(replace(command, second_ticket=True))


def test_second_ticket_is_fine_after_the_first_ended() -> None:
    world = whole_clinic()
    world.do(Leave(entry_id=world.ticket(BLOOD, **ADA).id))
    world.ticket(BLOOD, **ADA)


def test_caller_without_the_right_to_names_learns_of_no_other_ticket() -> None:
    """A kiosk issues the second ticket: a refusal would tell a stranger that this person is here."""
    world = whole_clinic()
    world.ticket(BLOOD, **ADA)
    patients = Patients(open_sealed, lambda _: world.board.visits.values())
    assert decide(world.board, IssueTicket(queue_id=BLOOD, **ADA), START, "hash", lambda _: False, patients)


def test_amendment_that_makes_two_tickets_of_one_patient_needs_a_confirmation() -> None:
    world = whole_clinic()
    world.ticket(BLOOD, **ADA)
    other = world.ticket(BLOOD, name="Ada", phone="+4930901820")
    with pytest.raises(AlreadyQueued):
        world.do(AmendVisit(entry_id=other.id, name="Ada Lovelace"))
    world.do(AmendVisit(entry_id=other.id, name="Ada Lovelace", second_ticket=True))
    world.do(AmendVisit(entry_id=other.id, party_size=2))
    world.do(AmendVisit(entry_id=other.id, date_of_birth="1985-12-10"))  # confirmed before
