"""One day of a clinic: its patients, its staff, and the commands that they send.

The day obeys the ranking of the product. `loadtests.waits.played` sends its commands to the product and checks that the
product calls the same patients.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from math import exp, log
from random import Random
from typing import Literal, NamedTuple

from loadtests.waits.clinic import LATEST, Bookings, Clinic, Doctor, Kind, Line, Post
from loadtests.waits.laws import Law, Lognormal, chance_of

HEAD_STARTS: dict[Kind, float] = {"standard": 0, "assisted": 20, "urgent": 45, "emergency": 0}
LEAD, GRACE = 15, 15  # of appointments
WALK = (0.2, 1.0)  # from the call to the start of the service
OPENING = 8 * 60.0
PREPARED = 5 * 60.0  # the night's work of the clock is done

State = Literal["off", "idle", "busy", "pause", "rest", "over"]
Key = tuple[int, float, int]


class Command(NamedTuple):
    """A command of the day: its minute, its name, and a patient's or a point's number. ``post`` is the point of a call."""

    minute: float
    name: str
    number: int
    post: int = -1


@dataclass(slots=True)
class Patient:
    """A patient of the day. ``key`` is the rank; ``called_at`` is set by the first call."""

    number: int
    line: int
    kind: Kind
    at: float
    able: int
    booked_for: float | None = None
    leaves_at: float | None = None
    shows: bool = True
    called_at: float | None = None
    key: Key = (1, 0.0, 0)

    @property
    def urgent(self) -> bool:
        """Whether the service has the law of urgent patients."""
        return self.kind in ("urgent", "emergency")


def due_when_booked(booked_for: float, at: float) -> float:
    """Return the time from which a patient with an appointment counts as waiting."""
    return at if at > booked_for + GRACE else max(booked_for, at) - LEAD


class Tempo:
    """The pace of a doctor: the true one, and the knowledge of it from the services so far (a Kalman filter)."""

    def __init__(self) -> None:
        self.true = self.mean = self.variance = 0.0

    def turn(self, keeps: float, deviation: float, chance: Random) -> None:
        """Let the pace move by one step."""
        self.true = keeps * self.true + chance.gauss(0, deviation)
        self.mean *= keeps
        self.variance = keeps * keeps * self.variance + deviation * deviation

    def see(self, found: float, variance: float) -> None:
        """Learn from the logarithm of a service, with the variance of the law."""
        gain = self.variance / (self.variance + variance)
        self.mean += gain * (found - self.mean)
        self.variance *= 1 - gain


@dataclass(slots=True)
class Seat:
    """A point of the day. ``since`` is the begin of its state, ``sure_at`` the last time at which no break had come up."""

    post: Post
    doctor: Doctor
    state: State = "off"
    since: float = 0.0
    guest: Patient | None = None
    started: bool = False
    looking: bool = False
    began_at: float = 0.0
    sure_at: float = 0.0
    ends_at: float = LATEST
    due: list[float | None] = field(default_factory=list)  # the times of the breaks; None: not today, or taken
    taken: list[bool] = field(default_factory=list)
    resting: Law | None = None


def law_of(line: Line, urgent: bool) -> Law:
    """Return the law of a patient's service."""
    return line.urgent_law if urgent and line.urgent_law is not None else line.law


class Day:
    """A day, played event by event. ``watch`` is called for each patient who joins, before the patient is in line."""

    def __init__(
        self, clinic: Clinic, day: int, tempos: dict[str, Tempo], watch: Callable[[Day, Patient], None], seed: str = ""
    ) -> None:
        self.clinic, self.day, self.tempos, self.watch = clinic, day, tempos, watch
        self.chance = chance_of(clinic.name, seed, day, "staff")
        self.patients: list[Patient] = []
        self.line: list[tuple[Key, Patient]] = []
        self.commands: list[Command] = []
        self.coming: list[tuple[Bookings, float, int]] = []  # appointments whose patients have not come, with their numbers
        self.booked: list[tuple[Bookings, float, int]] = []  # all of them
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self.seats = [Seat(post, post.doctor(day, OPENING)) for post in clinic.posts]

    def run(self) -> None:
        """Play the whole day."""
        for name in sorted({doctor.name for post in self.clinic.posts for _, group in post.roster for doctor in group}):
            doctor = self._doctor(name)
            if doctor.pace is not None:
                self.tempos.setdefault(name, Tempo()).turn(doctor.pace.day_keeps, doctor.pace.day_deviation, self.chance)
        self._draw_patients(chance_of(self.clinic.name, self.chance.random(), self.day, "patients"))
        for at, seat in enumerate(self.seats):
            self._staff(at, seat, PREPARED)
            begins = seat.post.begins.draw(self.chance)
            seat.ends_at = seat.post.ends.draw(self.chance) if seat.post.ends else LATEST
            for rest in seat.post.rests:
                due = rest.at.draw(self.chance) if self.chance.random() < rest.share else None
                seat.due.append(due if due is not None and due > begins else None)
                seat.taken.append(False)
            self._at(begins, partial(self._begin, at, seat))
            for due in seat.due:
                if due is not None:
                    self._at(due, partial(self._look_up, at, seat))
            self._at(seat.ends_at, partial(self._look_up, at, seat))
        while self._events:
            self.now, _, happen = heappop(self._events)
            happen()
        for at, seat in enumerate(self.seats):
            if seat.post.opened and seat.state not in ("off", "over"):
                self._send("close", at)

    def _doctor(self, name: str) -> Doctor:
        return next(d for post in self.clinic.posts for _, group in post.roster for d in group if d.name == name)

    def _at(self, minute: float, happen: Callable[[], None]) -> None:
        self._order += 1
        heappush(self._events, (minute, self._order, happen))

    def _send(self, name: str, number: int, post: int = -1, minute: float | None = None) -> None:
        self.commands.append(Command(self.now if minute is None else minute, name, number, post))

    # Patients

    def _draw_patients(self, chance: Random) -> None:
        clinic, load = self.clinic, max(0.1, self.clinic.load.draw(chance))
        most = max(per_hour for _, per_hour in clinic.rates) / 60 * load
        minute = clinic.rates[0][0]
        arrivals: list[Patient] = []
        while most > 0:
            minute += chance.expovariate(most)
            if minute >= clinic.rates[-1][0]:
                break
            if chance.random() * most < clinic.rate(minute) * load:
                line = chance.choices(range(len(clinic.lines)), [each.share for each in clinic.lines])[0]
                kinds: list[Kind] = ["standard", *(kind for kind, _ in clinic.shares)]
                weights = [1 - sum(share for _, share in clinic.shares), *(share for _, share in clinic.shares)]
                arrivals.append(Patient(0, line, chance.choices(kinds, weights)[0], minute, clinic.able(line)))
        for group in clinic.bookings:
            booked_for = group.first
            while booked_for <= group.last:
                self.coming.append((group, booked_for, len(self.coming)))
                if chance.random() >= group.missing:
                    at = booked_for + group.punctual.draw(chance)
                    able = clinic.able(group.line, group.post)
                    arrivals.append(Patient(0, group.line, "standard", at, able, booked_for=booked_for))
                    number = self.coming[-1][2]
                    arrivals[-1].key = (0, 0.0, number)  # until the patient comes: the number of the appointment
                booked_for += group.every
        self.booked = list(self.coming)
        arrivals.sort(key=lambda each: each.at)
        for number, patient in enumerate(arrivals):
            patient.number = number
            patient.shows = chance.random() >= clinic.no_show
            if chance.random() < clinic.leaving:
                patient.leaves_at = patient.at + clinic.leaving_law.draw(chance)
            self.patients.append(patient)
            self._at(patient.at, partial(self._join, patient))

    def _join(self, patient: Patient) -> None:
        due = self.now
        if patient.booked_for is not None:
            appointment = patient.key[2]
            self.coming = [each for each in self.coming if each[2] != appointment]
            due = due_when_booked(patient.booked_for, self.now)
            self._send("check-in", patient.number, appointment)
        else:
            self._send("issue", patient.number)
        band = 0 if patient.kind == "emergency" else 1
        patient.key = (band, due - HEAD_STARTS[patient.kind], patient.number)
        self.watch(self, patient)
        insort(self.line, (patient.key, patient))
        if patient.leaves_at is not None:
            self._at(patient.leaves_at, partial(self._leave, patient))
        for at, seat in enumerate(self.seats):
            if seat.state == "idle" and not seat.looking and patient.able >> at & 1:
                if seat.post.reaction is None:
                    self._call(at, seat)
                else:
                    seat.looking, seat.since = True, self.now
                    self._at(self.now + seat.post.reaction.draw(self.chance), partial(self._ready, at, seat))
                return

    def _leave(self, patient: Patient) -> None:
        if any(each is patient for _, each in self.line):
            self.line = [each for each in self.line if each[1] is not patient]
            self._send("leave", patient.number)

    # Staff

    def _staff(self, at: int, seat: Seat, minute: float) -> None:
        seat.doctor = seat.post.doctor(self.day, max(minute, OPENING))
        if seat.doctor.name:
            self._send("staff", at, minute=minute)

    def _begin(self, at: int, seat: Seat) -> None:
        seat.began_at = self.now
        if seat.post.opened:
            self._send("open", at)
        self._ready(at, seat)

    def _look_up(self, at: int, seat: Seat) -> None:
        """Staff without a patient go on a break, or home, when the time has come."""
        if seat.state == "idle" and not seat.looking:
            self._ready(at, seat)

    def _ready(self, at: int, seat: Seat) -> None:
        """Staff are free: to go on a break, to go home, or for the next patient."""
        seat.guest = None
        if not seat.looking:
            for index, due in enumerate(seat.due):
                if due is not None and due <= self.now and not seat.taken[index]:
                    seat.taken[index] = True
                    self._rest(at, seat, seat.post.rests[index].length)
                    return
            if seat.ends_at <= self.now:
                seat.state = "over"
                if seat.post.opened:
                    self._send("close", at)
                return
        seat.looking = False
        if seat.doctor != seat.post.doctor(self.day, self.now):
            self._staff(at, seat, self.now)
        self._call(at, seat)

    def _rest(self, at: int, seat: Seat, length: Law) -> None:
        seat.state, seat.since, seat.resting = "rest", self.now, length
        if seat.post.marks:
            self._send("break", at)
        self._at(self.now + max(0.5, length.draw(self.chance)), partial(self._return, at, seat))

    def _return(self, at: int, seat: Seat) -> None:
        if seat.post.marks:
            self._send("open", at)
        self._ready(at, seat)

    def _call(self, at: int, seat: Seat) -> None:
        seat.sure_at = seat.since = self.now
        place = next((place for place, (_, each) in enumerate(self.line) if each.able >> at & 1), None)
        if place is None:
            seat.state = "idle"
            return
        _, patient = self.line.pop(place)
        patient.called_at = self.now
        seat.state, seat.guest, seat.started = "busy", patient, False
        self._send("call", patient.number, at)
        if not patient.shows:
            self._at(self.now + self.clinic.no_show_law.draw(self.chance), partial(self._done, at, seat))
            return
        walk = self.chance.uniform(*WALK)
        tempo = self.tempos[seat.doctor.name].true if seat.doctor.pace is not None else 0.0
        lasts = law_of(self.clinic.lines[patient.line], patient.urgent).draw(self.chance) * seat.doctor.factor * exp(tempo)
        self._at(self.now + walk, partial(self._start, seat))
        self._at(self.now + max(walk + 0.1, lasts), partial(self._done, at, seat))

    def _start(self, seat: Seat) -> None:
        seat.started = True
        assert seat.guest is not None
        self._send("start", seat.guest.number)

    def _done(self, at: int, seat: Seat) -> None:
        patient = seat.guest
        assert patient is not None
        self._send("complete" if patient.shows else "no-show", patient.number, at)
        pace = seat.doctor.pace
        if pace is not None and patient.shows:
            law, tempo = law_of(self.clinic.lines[patient.line], patient.urgent), self.tempos[seat.doctor.name]
            assert isinstance(law, Lognormal)
            tempo.see(log((self.now - seat.since) / law.median / seat.doctor.factor), law.sigma**2)
            tempo.turn(pace.keeps, pace.deviation, self.chance)
        seat.state, seat.guest, seat.sure_at = "pause", None, seat.since
        seat.since = self.now
        pause = seat.post.pause.draw(self.chance) if seat.post.pause else 0.0
        coffee = self.chance.random() < seat.post.coffee_share
        if coffee:
            self._at(self.now + pause, partial(self._rest, at, seat, seat.post.coffee))
        elif pause > 0:
            self._at(self.now + pause, partial(self._ready, at, seat))
        else:
            self._ready(at, seat)
