"""Planned messages: the cases of the specification with their exact times, and the properties of every plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.commands import (
    AppointmentNoShow,
    BookSeries,
    Call,
    CancelAppointment,
    ChangeSite,
    Complete,
    IssueTicket,
    NoShow,
    Reschedule,
    Rezone,
    Start,
    Transfer,
    Undo,
)
from server.domain.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentHeld,
    AppointmentMissed,
    AppointmentMoved,
)
from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, Kind
from server.domain.model import Appointment, Rules, Site
from server.domain.model.local_time import MINUTE, instant_of
from server.domain.ranking import ahead
from server.domain.rules.messages import (
    ALMOST_AHEAD,
    LEAST_LEAD,
    SPREAD,
    PlannedMessage,
    PlannedRow,
    calls,
    planned,
    reminder_time,
    reminders,
    repeat_until,
    replanned,
    tried_again_at,
    waiting,
)
from tests.support.extent import examples
from tests.support.worlds import HOUR, SITE_ID, Step, World, a_day, a_site, almost_next, perform, scripts, small_clinic
from tests.unit.domain.board.test_applying import a_clinic_opens
from tests.unit.domain.rules.test_booking import FRIDAY, MONDAY, ZONE, Clinic

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
NEVER_QUIET: dict[str, Any] = {"quiet_from": 0, "quiet_until": 0}
ZONES = (NEW_YORK, BERLIN, "Pacific/Apia", "Pacific/Kiritimati", "America/Adak", "Australia/Lord_Howe", "UTC")


def a_sending_site(zone: str = BERLIN, **rules: Any) -> Site:
    return replace(a_site(), time_zone=zone, rules=Rules(**{"message_ways": ("sms",)} | rules))


BOOKED = Clinic().book(f"{MONDAY}T09:00")


def appointment_at(starts_at: int) -> Appointment:
    """Return a booked appointment at an instant."""
    return replace(BOOKED, starts_at=starts_at, ends_at=starts_at + 15 * MINUTE)


def utc(text: str) -> int:
    """Return an instant from a text in UTC."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def plan_of(site: Site, start: str, booked: int | str = 0) -> dict[int, PlannedMessage]:
    """Return the reminders of a local start by their offset, planned at a local time or an instant."""
    now = instant_of(booked, site.time_zone) if isinstance(booked, str) else booked
    found = reminders(appointment_at(instant_of(start, site.time_zone)), site, now)
    return {each.ahead: each for each in found}


# The cases of the specification


def test_offset_that_is_past_at_the_booking_is_skipped() -> None:
    found = plan_of(a_sending_site(), "2026-04-22T12:00", booked="2026-04-21T10:00")
    assert (found[72].state, found[24].state) == ("skipped", "due")
    assert found[24].due_at == instant_of("2026-04-21T12:00", BERLIN)


def test_changed_rule_leaves_one_reminder_at_the_new_time() -> None:
    now, start = instant_of("2026-04-01T10:00", BERLIN), instant_of("2026-04-22T12:00", BERLIN)
    appointment = appointment_at(start)
    rows = rows_of(reminders(appointment, a_sending_site(reminders=(24,)), now))
    changes = replanned(rows, appointment, a_sending_site(reminders=(48,)), now)
    assert [each.ahead for each in changes.withdraw] == [24]
    assert [(each.ahead, each.state) for each in changes.add] == [(48, "due")]
    assert changes.add[0].due_at == instant_of("2026-04-20T12:00", BERLIN)
    assert changes.move == ()


def test_workers_that_return_after_the_start_find_an_expired_reminder() -> None:
    for rules in (NEVER_QUIET, {"quiet_from": 1260, "quiet_until": 420}):
        found = plan_of(a_sending_site(reminders=(2,), **rules), "2026-07-01T09:30")[2]
        assert found.due_at == instant_of("2026-07-01T07:30", BERLIN)
        assert found.due_at < found.not_after <= instant_of("2026-07-01T09:00", BERLIN)


def test_day_before_is_the_same_wall_clock_when_the_clocks_go_forward() -> None:
    found = plan_of(a_sending_site(NEW_YORK), "2026-03-08T09:00")[24]
    assert found.due_at == instant_of("2026-03-07T09:00", NEW_YORK) == utc("2026-03-07T14:00+00:00")


def test_day_before_in_a_gap_moves_to_its_end() -> None:
    found = plan_of(a_sending_site(NEW_YORK, **NEVER_QUIET), "2026-03-09T02:30")[24]
    assert found.due_at == instant_of("2026-03-08T03:00", NEW_YORK) == utc("2026-03-08T07:00+00:00")


def test_quiet_hours_until_after_the_start_bring_the_reminder_to_the_evening_before() -> None:
    found = plan_of(a_sending_site(NEW_YORK, reminders=(2,)), "2026-03-09T07:30")[2]
    assert found.due_at == instant_of("2026-03-08T20:59", NEW_YORK) == utc("2026-03-09T00:59+00:00")
    assert found.spread().due_at < instant_of("2026-03-08T21:00", NEW_YORK)


# Reminders


def test_day_before_in_a_repeated_hour_is_the_first_of_the_two() -> None:
    start = instant_of("2026-10-26T02:30", BERLIN)
    assert reminder_time(start, 24, BERLIN) == instant_of("2026-10-25T02:30", BERLIN, 0) == utc("2026-10-25T00:30+00:00")


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-03-29T09:00", 24, "2026-03-28T08:00+00:00"),  # 23 hours before
        ("2026-03-29T09:00", 23, "2026-03-28T08:00+00:00"),
        ("2026-10-25T09:00", 24, "2026-10-24T07:00+00:00"),  # 25 hours before
        ("2026-10-25T09:00", 25, "2026-10-24T07:00+00:00"),
        ("2026-10-25T09:00", 336, "2026-10-11T07:00+00:00"),
        ("2026-10-25T03:00", 2, "2026-10-25T00:00+00:00"),  # two hours that passed, of which the clock shows one
    ],
)
def test_whole_days_follow_the_wall_clock_and_hours_the_elapsed_time(start: str, hours: int, expected: str) -> None:
    assert reminder_time(instant_of(start, BERLIN), hours, BERLIN) == utc(expected)


def test_date_that_a_zone_left_out_counts_as_its_end() -> None:
    start = instant_of("2011-12-31T09:00", "Pacific/Apia")
    assert reminder_time(start, 24, "Pacific/Apia") == instant_of("2011-12-31T00:00", "Pacific/Apia")
    found = plan_of(a_sending_site("Pacific/Apia"), "2011-12-31T09:00")
    assert found[24].due_at == instant_of("2011-12-31T08:00", "Pacific/Apia")
    assert found[72].due_at == instant_of("2011-12-28T09:00", "Pacific/Apia")


def test_quiet_hours_that_leave_the_lead_put_the_reminder_off_to_their_end() -> None:
    found = plan_of(a_sending_site(), "2026-07-02T07:00")
    assert found[24].due_at == instant_of("2026-07-01T08:00", BERLIN)
    assert found[72].due_at == instant_of("2026-06-29T08:00", BERLIN)


def test_reminder_makes_sense_until_the_next_one_and_the_last_until_half_an_hour_before() -> None:
    found = plan_of(a_sending_site(reminders=(72, 24, 2)), "2026-07-02T12:00")
    assert [found[72].not_after, found[24].not_after] == [found[24].due_at, found[2].due_at]
    assert found[2].not_after == instant_of("2026-07-02T11:30", BERLIN)


def test_two_reminders_in_one_night_become_one() -> None:
    found = plan_of(a_sending_site(reminders=(2, 1)), "2026-07-02T08:30")
    assert found[1].due_at == instant_of("2026-07-01T20:59", BERLIN)
    assert (found[1].state, found[2].state) == ("due", "skipped")


def test_without_ways_or_a_booked_appointment_there_are_no_reminders() -> None:
    start = instant_of("2026-07-02T12:00", BERLIN)
    assert reminders(appointment_at(start), a_sending_site(message_ways=()), 0) == []
    assert reminders(replace(appointment_at(start), state="cancelled"), a_sending_site(), 0) == []
    assert reminders(appointment_at(start), a_sending_site(reminders=()), 0) == []


def test_due_times_of_one_minute_spread_over_ten_minutes_and_stay_for_good() -> None:
    site = a_sending_site()
    start = instant_of("2026-07-02T12:00", BERLIN)
    found = [
        next(each for each in reminders(replace(appointment_at(start), id=identifier), site, 0) if each.ahead == 24)
        for identifier in range(7_000_000_000, 7_000_001_000)
    ]
    assert {each.due_at for each in found} == {instant_of("2026-07-01T12:00", BERLIN)}
    shifts = [each.spread().due_at - each.due_at for each in found]
    assert 0 <= min(shifts) < MINUTE
    assert 9 * MINUTE < max(shifts) < SPREAD
    by_minute = [sum(shift // MINUTE == minute for shift in shifts) for minute in range(10)]
    assert max(by_minute) < 2 * 1000 / 10
    assert [each.spread() for each in found] == [each.spread() for each in found]


# Changes of appointments, and calls


class SendingClinic(Clinic):
    """A clinic with ways, at nine in the morning of a Friday."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(providers=1)
        self.do(ChangeSite(site_id=SITE_ID, message_ways=("sms",), **rules))
        self.at(f"{FRIDAY}T09:00")

    def plan(self, command: Any) -> list[PlannedMessage]:
        """Do a command; return the messages that it plans."""
        recorded = self.do(command)
        return planned(self.board, [each.event for each in recorded], self.now)


def kinds(messages: list[PlannedMessage]) -> list[tuple[Kind, int, str]]:
    return [(each.kind, each.ahead, each.state) for each in messages]


def test_booking_plans_a_confirmation_now_and_the_reminders() -> None:
    clinic = SendingClinic()
    appointment = clinic.book(f"{MONDAY}T12:00")
    found = planned(clinic.board, [clinic.log[-1].event], clinic.now)
    assert kinds(found) == [("booked", 0, "due"), ("reminder", 24, "due"), ("reminder", 72, "due")]
    assert {(each.subject, each.version, each.appointment_id) for each in found} == {
        (f"appointment:{appointment.id}", 1, appointment.id)
    }
    assert found[0].due_at == found[0].spread().due_at == clinic.now, "a confirmation does not wait"
    assert found[0].not_after == appointment.starts_at


def test_reschedule_plans_the_next_version_and_a_cancellation_ends_the_reminders() -> None:
    clinic = SendingClinic()
    appointment = clinic.book(f"{MONDAY}T12:00")
    moved = clinic.plan(Reschedule(appointment_id=appointment.id, version=1, local_start=f"{MONDAY}T15:00"))
    assert kinds(moved) == [("moved", 0, "due"), ("reminder", 24, "due"), ("reminder", 72, "due")]
    assert {each.version for each in moved} == {2}
    cancelled = clinic.plan(CancelAppointment(appointment_id=appointment.id, version=2))
    assert kinds(cancelled) == [("cancelled", 0, "due")]
    assert cancelled[0].version == 3


def test_missed_appointment_gets_one_message() -> None:
    clinic = SendingClinic()
    appointment = clinic.book(f"{FRIDAY}T09:15")
    clinic.at(f"{FRIDAY}T10:00")
    found = clinic.plan(AppointmentNoShow(appointment_id=appointment.id))
    assert kinds(found) == [("no-show", 0, "due")]
    assert found[0].not_after == clinic.now + 24 * HOUR


def test_freed_time_is_about_its_hold_and_for_the_patient_who_asked() -> None:
    clinic = SendingClinic()
    early = clinic.book(f"{MONDAY}T09:00")
    asking = clinic.book(f"{MONDAY}T15:00", wants_earlier=True)
    found = clinic.plan(CancelAppointment(appointment_id=early.id, version=1))
    [offer] = [each for each in found if each.kind == "freed-time"]
    [hold] = [each for each in clinic.calendar.all() if each.offered_to == asking.id]
    assert (offer.subject, offer.appointment_id) == (f"appointment:{hold.id}", hold.id)
    assert (offer.due_at, offer.not_after) == (clinic.now, hold.held_until)
    assert hold.state in OF_APPOINTMENTS["freed-time"]


def test_series_gets_one_confirmation_and_an_import_none() -> None:
    clinic = SendingClinic()
    series = BookSeries(
        site_id=SITE_ID,
        service_id=clinic.service,
        provider_id=clinic.providers[0],
        name="Ada",
        local_start=f"{MONDAY}T12:00",
        every_days=7,
        count=3,
    )
    found = clinic.plan(series)
    assert [each.kind for each in found].count("booked") == 1
    assert len({each.subject for each in found if each.kind == "reminder"}) == 3
    imported = clinic.book(f"{MONDAY}T14:00", foreign_id="T-1")
    event = clinic.log[-1].event
    assert isinstance(event, AppointmentBooked)
    assert imported.foreign_id is not None
    assert {each.kind for each in planned(clinic.board, [event], clinic.now)} == {"reminder"}


def test_change_at_night_waits_for_the_morning_unless_the_appointment_comes_first() -> None:
    clinic = SendingClinic()
    clinic.at(f"{FRIDAY}T22:00")
    appointment = clinic.book(f"{MONDAY}T12:00")
    booked = planned(clinic.board, [clinic.log[-1].event], clinic.now)[0]
    assert booked.due_at == instant_of("2024-03-30T08:00", ZONE)
    assert 0 < booked.slack <= SPREAD
    early = replace(appointment, starts_at=instant_of("2024-03-30T07:30", ZONE))
    [urgent, *_] = planned(clinic.board, [AppointmentBooked(appointment=early)], clinic.now)
    assert (urgent.kind, urgent.due_at, urgent.state) == ("booked", clinic.now, "due")


def test_move_at_night_cannot_wait_if_the_patient_would_come_at_the_old_time() -> None:
    clinic = SendingClinic()
    clinic.at(f"{FRIDAY}T22:00")
    after = replace(BOOKED, version=2)

    def due(was: str) -> int:
        event = AppointmentMoved(
            appointment=after, was_local_start=was, was_starts_at=instant_of(was, ZONE), was_provider_id=after.provider_id
        )
        return planned(clinic.board, [event], clinic.now)[0].due_at

    assert due("2024-03-30T07:30") == clinic.now
    assert due(f"{FRIDAY}T15:00") == due("2024-04-02T15:00") == instant_of("2024-03-30T08:00", ZONE)


def test_free_time_at_night_wakes_nobody() -> None:
    clinic = SendingClinic()
    early = clinic.book(f"{MONDAY}T09:00")
    clinic.book(f"{MONDAY}T15:00", wants_earlier=True)
    clinic.at(f"{FRIDAY}T23:00")
    found = clinic.plan(CancelAppointment(appointment_id=early.id, version=1))
    assert [each.state for each in found if each.kind == "freed-time"] == ["skipped"]


def test_call_is_due_at_once_also_at_night_and_while_it_stands() -> None:
    clinic = SendingClinic(minutes_call_stands=7, quiet_from=0, quiet_until=1439)
    entry = clinic.ticket(clinic.queue_id)
    [called] = clinic.plan(Call(entry_id=entry.id, point_id=clinic.point_id))
    assert (called.kind, called.subject, called.version) == ("called", f"entry:{entry.id}", 1)
    assert (called.entry_id, called.visit_id) == (entry.id, entry.visit_id)
    assert (called.due_at, called.not_after) == (clinic.now, clinic.now + 7 * MINUTE)
    assert called.spread() == called


def test_call_that_stands_is_found_again_with_the_same_key_and_end() -> None:
    clinic = SendingClinic(minutes_call_stands=7)
    entry = clinic.ticket(clinic.queue_id)
    clinic.ticket(clinic.queue_id)
    assert calls(clinic.board, clinic.now) == []
    [called] = clinic.plan(Call(entry_id=entry.id, point_id=clinic.point_id))
    later = clinic.now + 3 * MINUTE
    assert calls(clinic.board, later) == [replace(called, due_at=later)]
    assert calls(clinic.board, called.not_after) == []


def test_missed_call_gets_a_message_after_the_time_for_an_undo() -> None:
    clinic = SendingClinic()
    entry = clinic.ticket(clinic.queue_id)
    clinic.plan(Call(entry_id=entry.id, point_id=clinic.point_id))
    [missed] = clinic.plan(NoShow(entry_id=entry.id))
    assert (missed.kind, missed.version, missed.due_at) == ("no-show", 1, clinic.now + MINUTE)
    assert clinic.plan(Undo(entry_id=entry.id)) == []
    assert clinic.board.entries[entry.id].state not in OF_ENTRIES["no-show"]


def test_almost_your_turn_ignores_quiet_hours_and_repeats_its_keys() -> None:
    clinic = SendingClinic(quiet_from=0, quiet_until=1439)
    tickets = [clinic.ticket(clinic.queue_id) for _ in range(5)]
    found = waiting(clinic.board, clinic.now)
    assert [each.entry_id for each in found] == [each.id for each in tickets[:3]]
    assert {(each.kind, each.ahead, each.due_at, each.state) for each in found} == {
        ("almost-your-turn", 2, clinic.now, "due")
    }
    later = waiting(clinic.board, clinic.now + MINUTE)
    assert [(each.subject, each.version, each.kind, each.ahead) for each in found] == [
        (each.subject, each.version, each.kind, each.ahead) for each in later
    ]


def test_test_patients_and_sites_without_ways_get_nothing() -> None:
    clinic = SendingClinic()
    clinic.do(IssueTicket(queue_id=clinic.queue_id, trial=True))
    entry = clinic.board.entries[max(clinic.board.entries)]
    assert clinic.plan(Call(entry_id=entry.id, point_id=clinic.point_id)) == []
    clinic.do(ChangeSite(site_id=SITE_ID, message_ways=()))
    clinic.book(f"{MONDAY}T12:00")
    assert planned(clinic.board, [clinic.log[-1].event], clinic.now) == []
    clinic.ticket(clinic.queue_id)
    assert waiting(clinic.board, clinic.now) == []


def test_zone_that_moves_a_local_start_out_of_a_gap_is_told_to_the_patient() -> None:
    clinic = SendingClinic()
    clinic.at("2026-03-01T09:00")
    appointment = clinic.book("2026-03-08T02:30", overbook="night shift")
    unchanged = clinic.book("2026-03-09T09:00")
    clinic.do(ChangeSite(site_id=SITE_ID, time_zone=NEW_YORK))
    found = clinic.plan(Rezone(site_id=SITE_ID))
    assert clinic.row(appointment.id).local_start == "2026-03-08T03:00"
    assert [(each.kind, each.appointment_id) for each in found] == [("moved", appointment.id)]
    assert clinic.row(unchanged.id).version == 1


# Planning again


def rows_of(messages: Iterable[PlannedMessage]) -> list[PlannedRow]:
    """Return the rows of planned messages, as the database has them."""
    return [
        PlannedRow(kind=each.kind, ahead=each.ahead, state=each.state, due_at=each.spread().due_at, not_after=each.not_after)
        for each in messages
    ]


START = instant_of("2026-07-20T07:00", BERLIN)
NOW = instant_of("2026-07-01T10:00", BERLIN)


def test_same_rules_change_no_row() -> None:
    site = a_sending_site(reminders=(72, 24, 2))
    changes = replanned(rows_of(reminders(appointment_at(START), site, NOW)), appointment_at(START), site, NOW)
    assert (changes.add, changes.move, changes.withdraw) == ((), (), ())


def test_other_quiet_hours_move_the_open_reminders() -> None:
    rows = rows_of(reminders(appointment_at(START), a_sending_site(), NOW))
    changes = replanned(rows, appointment_at(START), a_sending_site(quiet_until=420), NOW)
    assert {each.ahead for each in changes.move} == {72, 24}
    for row in changes.move:
        assert 0 <= row.due_at - reminder_time(START, row.ahead, BERLIN) < SPREAD
    assert (changes.add, changes.withdraw) == ((), ())


def test_other_zone_moves_a_claimed_row_too_and_a_reminder_whose_time_has_passed_goes_out_now() -> None:
    site = a_sending_site(reminders=(24,))
    start = instant_of("2026-07-20T12:00", BERLIN)
    [row] = rows_of(reminders(appointment_at(start), site, NOW))
    now = instant_of("2026-07-19T11:30", BERLIN)
    abroad = replace(appointment_at(start - HOUR), zone="Europe/Athens")
    changes = replanned([replace(row, state="claimed")], abroad, replace(site, time_zone="Europe/Athens"), now)
    [moved] = changes.move
    assert (moved.state, moved.due_at, moved.not_after) == ("due", now, start - HOUR - LEAST_LEAD)


def test_reminder_that_comes_back_is_due_again_and_a_sent_one_is_not() -> None:
    site = a_sending_site(reminders=(24,))
    [row] = rows_of(reminders(appointment_at(START), site, NOW))
    back = replanned([replace(row, state="withdrawn")], appointment_at(START), site, NOW)
    assert [(each.ahead, each.state) for each in back.move] == [(24, "due")]
    for state in ("sending", "sent", "failed", "unknown", "expired", "suppressed"):
        kept = replanned([replace(row, state=state)], appointment_at(START), replace(site, time_zone=NEW_YORK), NOW)
        assert (kept.add, kept.move, kept.withdraw) == ((), (), ())


def test_site_that_gives_up_its_ways_withdraws_what_is_open() -> None:
    rows = rows_of(reminders(appointment_at(START), a_sending_site(), NOW))
    changes = replanned(rows, appointment_at(START), a_sending_site(message_ways=()), NOW)
    assert {each.ahead for each in changes.withdraw} == {72, 24}


def test_put_off_confirmation_follows_new_quiet_hours() -> None:
    morning = instant_of("2026-07-02T08:00", BERLIN)
    row = PlannedRow(kind="booked", ahead=0, state="due", due_at=morning, not_after=START)
    changes = replanned([row], appointment_at(START), a_sending_site(reminders=(), quiet_until=540), NOW)
    assert [each.due_at for each in changes.move] == [instant_of("2026-07-02T09:00", BERLIN)]
    call = replace(row, kind="called")
    assert replanned([call], appointment_at(START), a_sending_site(reminders=(), quiet_until=540), NOW).move == ()


# Properties


def is_quiet(instant: int, site: Site) -> bool:
    """Return whether the wall clock is in the quiet hours: a second way to say it, by the clock alone."""
    wall = datetime.fromtimestamp(instant / 1_000_000, ZoneInfo(site.time_zone))
    minute, begin, end = wall.hour * 60 + wall.minute, site.rules.quiet_from, site.rules.quiet_until
    if begin <= end:
        return begin <= minute < end
    return minute >= begin or minute < end


sites = st.builds(
    a_sending_site,
    st.sampled_from(ZONES),
    reminders=st.lists(st.integers(1, 336) | st.sampled_from((24, 48, 72, 1, 2)), unique=True, max_size=4).map(tuple),
    quiet_from=st.integers(0, 1439) | st.sampled_from((1260, 90, 120, 150)),
    quiet_until=st.integers(0, 1439) | st.sampled_from((480, 90, 120, 150)),
)
# Minutes around each change of the clocks of the zones, the date line of Samoa in 2011 among them.
_CHANGES = (
    *("2026-03-08T07:00", "2026-11-01T06:00", "2026-03-29T01:00", "2026-10-25T01:00"),
    *("2011-12-30T10:00", "2026-03-08T12:00", "2026-11-01T11:00", "2026-04-04T15:00", "2026-10-03T15:30"),
)
starts = st.builds(
    lambda change, minutes: utc(f"{change}+00:00") + minutes * MINUTE,
    st.sampled_from(_CHANGES),
    st.integers(-3 * 1440, 3 * 1440),
)


@examples(600)
@given(sites, starts, st.integers(0, 15 * 1440))
def test_every_reminder_is_due_before_it_is_useless_and_never_in_quiet_hours(site: Site, start: int, before: int) -> None:
    now = start - before * MINUTE
    found = reminders(appointment_at(start), site, now)
    assert sorted(each.ahead for each in found) == sorted(site.rules.reminders)
    assert found == reminders(appointment_at(start), site, now)
    due = [each for each in found if each.state == "due"]
    for each in found:
        assert each.due_at <= each.not_after <= start - LEAST_LEAD
    for each in due:
        spread = each.spread().due_at
        assert now <= each.due_at <= spread < each.not_after
        assert spread - each.due_at < SPREAD
        assert not is_quiet(each.due_at, site)
        assert not is_quiet(spread, site)
    times = [(each.due_at, each.not_after) for each in reversed(due)]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(times)), "one after the other"


@examples(400)
@given(sites, starts, st.integers(0, 3 * 1440), st.sampled_from(("booked", "cancelled", "no_show", "held")))
def test_every_change_is_due_outside_the_quiet_hours_unless_it_cannot_wait(
    site: Site, start: int, before: int, state: Any
) -> None:
    now = start - before * MINUTE
    board = Clinic().board
    board.site = site
    appointment = replace(appointment_at(start), state=state, offered_to=1, held_until=now + 10 * MINUTE)
    event = {
        "booked": AppointmentBooked,
        "cancelled": AppointmentCancelled,
        "no_show": AppointmentMissed,
        "held": AppointmentHeld,
    }[state](appointment=appointment)
    for each in planned(board, [event], now):
        assert each.due_at <= each.not_after
        if each.state == "skipped":
            continue
        assert now <= each.due_at <= each.spread().due_at < each.not_after
        urgent = each.kind in ("booked", "cancelled") and each.due_at == now
        assert urgent or not is_quiet(each.spread().due_at, site)


@examples(300)
@given(sites, sites, starts, st.integers(0, 15 * 1440))
def test_planning_again_gives_the_rows_of_the_new_rules_and_then_nothing_more(
    before: Site, after: Site, start: int, ahead: int
) -> None:
    now, appointment = start - ahead * MINUTE, appointment_at(start)
    rows = {row.ahead: row for row in rows_of(reminders(appointment, before, now))}
    changes = replanned(rows.values(), appointment, after, now)
    rows |= {each.ahead: each for each in changes.move}
    rows |= {each.ahead: replace(each, state="withdrawn") for each in changes.withdraw}
    rows |= {each.ahead: each for each in rows_of(changes.add)}
    open_rows = {row.ahead for row in rows.values() if row.state == "due"}
    assert open_rows >= {each.ahead for each in reminders(appointment, after, now) if each.state == "due"}
    again = replanned(rows.values(), appointment, after, now)
    assert (again.add, again.move, again.withdraw) == ((), (), ())


# Sending again


@pytest.mark.parametrize(
    ("kind", "minutes_to_start", "lasts"),
    [
        ("booked", 600, 30),
        ("booked", 20, 20),
        ("moved", 0, 0),
        ("cancelled", 5, 5),
        ("reminder", 600, 30),
        ("reminder", 40, 10),
        ("reminder", 25, -5),
        ("no-show", -60, 30),
        ("feedback", -600, 30),
    ],
)
def test_repeat_is_useful_for_half_an_hour_and_no_longer_than_its_kind(
    kind: Kind, minutes_to_start: int, lasts: int
) -> None:
    now = instant_of("2026-06-01T08:00", BERLIN)
    appointment = appointment_at(now + minutes_to_start * MINUTE)
    assert repeat_until(kind, appointment, now) == now + lasts * MINUTE


def test_repeat_of_an_offer_ends_with_the_offer_and_one_about_a_call_after_half_an_hour() -> None:
    now = instant_of("2026-06-01T08:00", BERLIN)
    hold = replace(appointment_at(now + HOUR), held_until=now + 7 * MINUTE)
    assert repeat_until("freed-time", hold, now) == now + 7 * MINUTE
    assert repeat_until("called", None, now) == now + 30 * MINUTE


def test_every_command_of_a_random_day_can_be_told() -> None:
    """Also those about appointments of other days, which the board does not have."""
    kinds = set()
    for seed in range(8):
        world = World(a_site(rules=Rules(message_ways=("sms", "email"))))
        for step in (*a_clinic_opens(), *a_day(seed, 150)):
            recorded = perform(world, step)
            found = planned(world.board, [each.event for each in recorded], world.now)
            kinds |= {each.kind for each in (*found, *waiting(world.board, world.now))}
    assert kinds >= {"booked", "moved", "cancelled", "reminder", "no-show", "called", "almost-your-turn"}


def test_undone_check_in_plans_the_reminders_of_the_new_version() -> None:
    clinic = SendingClinic()
    appointment = clinic.book(f"{FRIDAY}T15:00")
    entry = clinic.check_in(appointment, anyway=True)
    found = clinic.plan(Undo(entry_id=entry.id))
    assert {(each.kind, each.version) for each in found} == {("reminder", appointment.version + 1)}


# The question after a visit


def completed(clinic: SendingClinic, **about: Any) -> list[PlannedMessage]:
    """Serve a patient; return the messages that the end of the service plans."""
    clinic.ticket(clinic.queue_id, **about)
    entry = clinic.call(clinic.point_id)
    clinic.do(Start(entry_id=entry.id))
    return clinic.plan(Complete(entry_id=entry.id))


def test_completed_visit_gets_one_question_an_hour_later_if_the_clinic_asks() -> None:
    assert completed(SendingClinic()) == [], "it is off by default"
    clinic = SendingClinic(feedback="on")
    [found] = completed(clinic)
    visit_id = max(clinic.board.visits)
    assert (found.kind, found.subject, found.version, found.visit_id) == ("feedback", f"visit:{visit_id}", 0, visit_id)
    assert (found.due_at, found.not_after) == (clinic.now + HOUR, clinic.now + 24 * HOUR)
    entry_id = max(clinic.board.entries)
    clinic.do(Undo(entry_id=entry_id))
    [again] = clinic.plan(Complete(entry_id=entry_id))
    assert (again.subject, again.version, again.ahead) == (found.subject, found.version, found.ahead), "the same row"


@pytest.mark.parametrize(
    ("kind", "wall_clock", "useful_hours", "expected"),
    [
        ("reminder", "20:59", 40, "20:59"),
        ("reminder", "21:00", 40, "08:00"),
        ("reminder", "21:00", 4, "21:00"),  # at its end it is not useful any more
        ("called", "23:00", 1, "23:00"),
        ("reminder", "20:59", 0, "20:59"),
    ],
)
def test_message_whose_provider_was_away_is_tried_again_outside_the_quiet_hours(
    kind: Kind, wall_clock: str, useful_hours: int, expected: str
) -> None:
    site = a_site(time_zone=ZONE, rules=Rules())
    at = instant_of(f"{MONDAY}T{wall_clock}", ZONE)
    day = MONDAY if expected == wall_clock else str(datetime.fromisoformat(MONDAY).date() + timedelta(days=1))
    assert tried_again_at(kind, site, at, at + useful_hours * HOUR) == instant_of(f"{day}T{expected}", ZONE)


def test_question_waits_for_the_end_of_quiet_hours_and_spares_test_patients() -> None:
    clinic = SendingClinic(feedback="on")
    assert completed(clinic, trial=True) == []
    clinic.at(f"{FRIDAY}T20:30")
    [found] = completed(clinic)
    assert found.due_at == instant_of("2024-03-30T08:00", ZONE)
    assert found.slack == SPREAD


def test_transferred_stage_asks_nothing() -> None:
    clinic = SendingClinic(feedback="on")
    other = clinic.queue("B")
    entry = clinic.ticket(clinic.queue_id)
    assert [each.kind for each in clinic.plan(Transfer(entry_id=entry.id, queue_id=other))] == []


# Patients who are almost next


@examples(150)
@given(scripts(50))
def test_patients_with_at_most_two_ahead_get_a_notice(script: list[Step]) -> None:
    world = small_clinic()
    for step in script:
        perform(world, step)
    near = {
        entry.id
        for entry in world.board.entries.values()
        if entry.state == "waiting"
        and entry.absent_until is None
        and ahead(world.board, entry) <= ALMOST_AHEAD
        and not world.board.visits[entry.visit_id].trial
    }
    notices = almost_next(world.board)
    assert {notice.entry_id for notice in notices} == near
    assert len(notices) == len(near)
    for notice in notices:
        entry = world.board.entries[notice.entry_id or 0]
        about = notice.kind, notice.entry_id, notice.version, notice.visit_id, notice.ahead
        assert about == ("almost-your-turn", entry.id, entry.calls, entry.visit_id, ALMOST_AHEAD)


def test_empty_site_has_no_notices() -> None:
    assert almost_next(World().board) == []
    assert almost_next(small_clinic().board) == []


def test_fourth_patient_gets_a_notice_when_the_first_is_called() -> None:
    world = World()
    queue_id = world.queue()
    point = world.point(queue_id)
    tickets = [world.ticket(queue_id) for _ in range(5)]
    assert [notice.entry_id for notice in almost_next(world.board)] == [entry.id for entry in tickets[:3]]
    world.call(point)
    assert [notice.entry_id for notice in almost_next(world.board)] == [entry.id for entry in tickets[1:4]]


def test_patients_of_other_queues_of_the_point_count_as_ahead() -> None:
    world = World()
    one, two = world.queue("A"), world.queue("B")
    world.point(one, two)
    for _ in range(3):
        world.ticket(one)
    last = world.ticket(two)  # the first of its own queue, with three ahead
    assert last.id not in {notice.entry_id for notice in almost_next(world.board)}


def test_same_state_gives_the_same_notice_and_a_new_stage_gives_a_new_one() -> None:
    world = World()
    one, two = world.queue("A"), world.queue("B")
    entry = world.ticket(one)
    before = almost_next(world.board)
    assert almost_next(world.board) == before
    world.do(Transfer(entry_id=entry.id, queue_id=two))
    [after] = almost_next(world.board)
    assert (after.visit_id, after.kind) == (before[0].visit_id, before[0].kind)
    assert after != before[0]
