"""The description of a clinic: its lines, patients and staff. The estimator knows none of it.

Times of day are minutes after midnight, durations are minutes. A description has laws only; `loadtests.waits.day` draws the
days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from loadtests.waits.laws import Law, Lognormal, Uniform

Kind = Literal["standard", "assisted", "urgent", "emergency"]
Half = Literal["build", "judge"]
LATEST = 22 * 60.0  # nobody works later


@dataclass(frozen=True)
class Line:
    """A queue: the law of its services, those of its urgent patients, and its share of the walk-in patients."""

    law: Law
    share: float = 1.0
    urgent_law: Law | None = None


@dataclass(frozen=True)
class Pace:
    """How the logarithm of a doctor's pace moves: from day to day, and from patient to patient."""

    day_keeps: float = 0.0
    day_deviation: float = 0.0
    keeps: float = 1.0
    deviation: float = 0.0


@dataclass(frozen=True)
class Doctor:
    """A doctor takes ``factor`` times as long as the line's law. A doctor with a pace serves lines of lognormal laws."""

    name: str = ""
    factor: float = 1.0
    pace: Pace | None = None


@dataclass(frozen=True)
class Rest:
    """A break that comes at a time of day, on a share of the days."""

    at: Law
    length: Law
    share: float = 1.0


@dataclass(frozen=True)
class Post:
    """A point and the habits of its staff.

    Staff begin at ``begins`` and pause after each patient; after a ``coffee_share`` of the patients, they take a break.
    A free doctor notices a new patient after ``reaction``. With ``ends``, nobody is called later. Staff use the break
    button if ``marks``, and open and close the point if ``opened``; else it stays open at night. ``roster`` has the
    doctors from a time of day on: on each day the next of them.
    """

    lines: tuple[int, ...] = (0,)
    begins: Law = field(default_factory=lambda: Uniform(480, 480.2))
    ends: Law | None = None
    rests: tuple[Rest, ...] = ()
    coffee_share: float = 0.0
    coffee: Law = field(default_factory=lambda: Lognormal(10, 0.5))
    pause: Law | None = None
    reaction: Law | None = None
    marks: bool = True
    opened: bool = False
    roster: tuple[tuple[float, tuple[Doctor, ...]], ...] = ((0.0, (Doctor(),)),)

    def doctor(self, day: int, minute: float) -> Doctor:
        """Return the doctor at a time of a day."""
        doctors = self.roster[0][1]
        for start, others in self.roster[1:]:
            if start <= minute:
                doctors = others
        return doctors[day % len(doctors)]


@dataclass(frozen=True)
class Bookings:
    """Appointments every so many minutes. Patients come ``punctual`` minutes after the time, a share does not come.

    With ``post``, only the doctor at this point sees the patients.
    """

    every: float
    first: float
    last: float
    punctual: Law
    missing: float = 0.0
    line: int = 0
    post: int | None = None


@dataclass(frozen=True)
class Clinic:
    """A clinic. ``rates`` are the walk-in patients per hour, each from a time of day on; the last one is 0.

    Each day has a load by ``load``. A share of the called patients is not there, and blocks the point for a while; a share
    of the waiting patients leaves.
    """

    name: str
    half: Half
    lines: tuple[Line, ...]
    posts: tuple[Post, ...]
    rates: tuple[tuple[float, float], ...]
    shares: tuple[tuple[Kind, float], ...] = ()
    bookings: tuple[Bookings, ...] = ()
    load: Law = field(default_factory=lambda: Uniform(0.85, 1.15))
    no_show: float = 0.0
    no_show_law: Law = field(default_factory=lambda: Uniform(2.5, 5))
    leaving: float = 0.0
    leaving_law: Law = field(default_factory=lambda: Uniform(5, 60))

    def rate(self, minute: float) -> float:
        """Return the walk-in patients per minute at a time of day, on a day of the usual load."""
        return next((per_hour / 60 for start, per_hour in reversed(self.rates) if start <= minute), 0.0)

    def able(self, line: int, post: int | None = None) -> int:
        """Return the points that may serve a line, as bits; only ``post`` if the patient waits for the doctor there."""
        return sum(1 << at for at, each in enumerate(self.posts) if line in each.lines and post in (None, at))
