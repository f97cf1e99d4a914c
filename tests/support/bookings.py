"""Random days of a clinic with appointments: a script of steps for a `Clinic` in memory."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from server.domain.commands import (
    AddException,
    AmendAppointment,
    AppointmentNoShow,
    Book,
    CallNext,
    CancelAppointment,
    ChangeSite,
    CheckIn,
    Command,
    Complete,
    EndSchedule,
    HoldSlot,
    IssueTicket,
    MoveAppointments,
    NoShow,
    RemoveException,
    Reschedule,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import InvalidField, NotFound, Refused
from server.domain.events import Recorded
from server.domain.model import Appointment
from server.domain.views import AppointmentView, CalendarView, DeskView, View
from tests.support.worlds import HOUR, PAUSES, SITE_ID, Step, open_sealed
from tests.unit.domain.rules.test_booking import FRIDAY, Clinic

ACTIONS = (
    *("book",) * 10,
    *("check-in",) * 8,
    *("reschedule",) * 5,
    *("call", "start", "complete") * 4,
    *("hold", "hold", "cancel", "cancel", "amend", "amend", "missed", "undo", "undo", "undo", "walk-in", "no-show"),
    *("hours", "rules", "day-turns", "close", "open", "end-schedule", "move-list", "night", "night", "transfer"),
)
steps = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9_999), st.sampled_from(PAUSES))


def a_script(seed: int, size: int) -> list[Step]:
    """Return a script of ``size`` steps. The same seed gives the same script."""
    chance = random.Random(seed)
    return [(chance.choice(ACTIONS), chance.randrange(10_000), chance.choice(PAUSES)) for _ in range(size)]


def booked_days(size: int) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for scripts: mostly of ``size`` random steps, else shorter ones that Hypothesis composes."""
    full = st.integers(0, 2**32).map(lambda seed: a_script(seed, size))
    return st.one_of(st.lists(steps, max_size=size), full, full, full)


def a_clinic() -> Clinic:
    """Return a clinic with two providers (the second sees two patients at once), and a patient of the next day."""
    clinic = Clinic(providers=1)
    clinic.providers.append(clinic.provider("Dr Two", capacity=2))
    clinic.queue("B")
    clinic.book(f"{next_date(FRIDAY)}T10:00", name="First Patient")
    return clinic


def next_date(day: str, days: int = 1) -> str:
    """Return the date ``days`` after an ISO date."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def views_of(clinic: Clinic) -> list[View]:
    """Return views of the present and the coming days, and of the clinic's first appointments."""
    today = clinic.board.site.business_day
    return [
        DeskView(open_sealed),
        DeskView(open_sealed, "staff"),
        CalendarView(today, 1, open_sealed),
        CalendarView(next_date(today), 1, open_sealed, "staff"),
        CalendarView(next_date(today, -1), 7, open_sealed),
        *(AppointmentView(each.id) for each in clinic.calendar.all()[:3]),
    ]


def do_step(clinic: Clinic, step: Step) -> list[Recorded]:
    """Do one step; return its events, none if it was refused."""
    action, about, pause = step
    begun = len(clinic.log)
    with suppress(Refused, NotFound, InvalidField):
        clinic.do(_command(clinic, action, about), 20 * HOUR if action == "night" else pause)
    return clinic.log[begun:]


def _command(clinic: Clinic, action: str, about: int) -> Command:
    board = clinic.board
    today = board.site.business_day
    provider_id = clinic.providers[about % 2]
    hour, quarter = 8 + about // 8 % 10, 15 * (about // 2 % 4)
    local_start = f"{next_date(today, about // 100 % 3)}T{hour:02}:{quarter:02}"
    appointment = _one_of(clinic, about, ("booked", "no_show") if action == "check-in" else ("booked",))
    wanted = {"start": "called", "complete": "serving", "no-show": "called"}.get(action)
    entries = sorted(each.id for each in board.entries.values() if wanted in (None, each.state))
    entry_id = entries[about % len(entries)] if entries else 1
    match action:
        case "book" | "hold":
            where: dict[str, Any] = {"site_id": SITE_ID, "service_id": clinic.service, "provider_id": provider_id}
            if action == "hold":
                return HoldSlot(**where, local_start=local_start)
            return Book(**where, local_start=local_start, name=f"Nora {about}", wants_earlier=about % 4 == 1)
        case "reschedule":
            return Reschedule(
                appointment_id=appointment.id,
                version=appointment.version,
                local_start=local_start,
                provider_id=provider_id,
            )
        case "cancel":
            return CancelAppointment(appointment_id=appointment.id, version=appointment.version)
        case "check-in":
            return CheckIn(appointment_id=appointment.id, anyway=True)
        case "amend":
            return AmendAppointment(appointment_id=appointment.id, name=f"Ada {about}" if about % 2 else None, language="fr")
        case "missed":
            return AppointmentNoShow(appointment_id=appointment.id)
        case "walk-in":
            return IssueTicket(queue_id=clinic.queue_id)
        case "call":
            return CallNext(point_id=clinic.point_id)
        case "start":
            return Start(entry_id=entry_id)
        case "complete":
            return Complete(entry_id=entry_id)
        case "no-show":
            return NoShow(entry_id=entry_id)
        case "transfer":
            return Transfer(entry_id=entry_id, queue_id=max(board.queues))
        case "undo":
            undoable = [each.id for each in board.entries.values() if each.undo is not None] or [entry_id]
            return Undo(entry_id=undoable[about % len(undoable)])
        case "rules":
            return ChangeSite(site_id=SITE_ID, check_in_until=about % 60, check_in_from=60 + about % 60)
        case "day-turns":
            return ChangeSite(site_id=SITE_ID, day_turns_at_minutes=(240, 0, 720)[about % 3])
        case "hours":
            return ChangeSite(site_id=SITE_ID, closed_on=(next_date(today, about % 3),) if about % 2 else ())
        case "close":
            return AddException(
                site_id=SITE_ID,
                provider_id=provider_id if about % 3 else None,
                date=next_date(today, about // 3 % 3),
                kind="closed",
                from_=f"{hour:02}:00",
                reason="a training",
                stranded="cancel" if about % 2 else "keep",
            )
        case "open":
            exceptions = sorted(board.exceptions) or [1]
            return RemoveException(exception_id=exceptions[about % len(exceptions)], stranded="keep")
        case "end-schedule":
            schedules = sorted(board.schedules) or [1]
            schedule_id = schedules[about % len(schedules)]
            return EndSchedule(schedule_id=schedule_id, last_date=next_date(today, about % 3), stranded="cancel")
        case "move-list":
            return MoveAppointments(
                provider_id=provider_id, date=next_date(today, about // 3 % 3), reason="is ill", unplaced="cancel"
            )
    return Tick(site_id=SITE_ID)


def _one_of(clinic: Clinic, about: int, states: tuple[str, ...]) -> Appointment:
    """Return an appointment, nearly always in one of these states. Prefer those of the day."""
    every = clinic.calendar.all()
    fitting = [each for each in every if each.state in states]
    of_day = [each for each in fitting if each.id in clinic.board.appointments]
    pool = (of_day if about % 3 else fitting) or fitting or every
    return pool[about // 3 % len(pool)] if about % 20 else every[about % len(every)]
