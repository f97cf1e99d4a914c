"""Play the days of a clinic and collect the promises of all contenders."""

from __future__ import annotations

import ast
import json
import os
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from loadtests.waits import clinic as descriptions
from loadtests.waits import day as days
from loadtests.waits import laws, learner, oracle
from loadtests.waits.clinic import Clinic
from loadtests.waits.day import OPENING, Day, Patient, Tempo
from loadtests.waits.laws import chance_of
from loadtests.waits.learner import Facts, Learner
from loadtests.waits.played import Played
from loadtests.waits.rivals import Rolling
from loadtests.waits.scores import AT_ONCE, Promise, Range, in_minutes

WARM = 25  # days before the judged ones: histories fill
DAYS = 60  # judged days
USUAL = 120  # patients a day: busier clinics have fewer days
LEAST_DAYS = 20
ASKED = 1200  # promises for which the oracle is asked, at most about so many
CODE = "".join(
    ast.dump(ast.parse(Path(each.__file__ or "").read_text())) for each in (laws, descriptions, days, oracle, learner)
)
ROLLING = ("last 5", "last 10", "last 20", "last 50", "hour")


@dataclass(frozen=True)
class Trial:
    """The promises of a clinic. ``unquoted`` patients got no range, although they were called later."""

    clinic: Clinic
    promises: list[Promise]
    unquoted: int
    uncalled: int
    milliseconds: float  # of CPU for a ticket with its quote


def days_of(clinic: Clinic, days: int) -> int:
    """Return the judged days of a clinic: ``days``, or fewer in a busy one, whose days tell more."""
    patients = sum((until - start) / 60 * per_hour for (start, per_hour), (until, _) in pairwise(clinic.rates))
    return min(days, max(LEAST_DAYS, round(days * USUAL / patients)))


def run(
    clinic: Clinic,
    warm: int = WARM,
    judged: int = DAYS,
    memory: Path | None = None,
    every_tick: bool = False,
    leaves: bool = False,
) -> Trial:
    """Play the days of a clinic. ``memory`` is a folder for the answers of the oracle and of the learner.

    They do not depend on the product, so the next run finds them there.
    """
    played, watching, tempos = Played(clinic, every_tick, leaves), _Watching(clinic, warm, memory), dict[str, Tempo]()
    promises: list[Promise] = []
    unquoted = uncalled = 0
    for number in range(warm + judged):
        watching.begin(number)
        day = Day(clinic, number, tempos, watching.joined)
        day.run()
        watching.end(day)
        quotes = played.play(day, number)
        for patient in day.patients:
            if patient.number not in watching.ranges:
                continue
            if patient.called_at is None:
                uncalled += 1
            elif patient.called_at - patient.at > AT_ONCE:
                found = {"ours": quotes[patient.number], **watching.ranges[patient.number]}
                unquoted += found["ours"] is None
                leave = played.left.get(patient.number)
                promises.append(Promise(number, patient.at, patient.called_at, patient.at < OPENING, found, leave))
    watching.save()
    return Trial(clinic, promises, unquoted, uncalled, 1000 * played.seconds / max(1, played.quotes))


class _Watching:
    """The rivals and the oracle, which watch the days. ``ranges`` has their answers for the patients of the day."""

    def __init__(self, clinic: Clinic, warm: int, folder: Path | None) -> None:
        digest = sha256(f"{clinic!r} {CODE}".encode()).hexdigest()[:12]
        name = f"{clinic.half} {clinic.name} {warm} {digest}.json"
        self._path = folder / name if folder else None
        self._known: dict[str, list[float]] = {}
        self._new = False
        if self._path is not None and self._path.exists():
            self._known = json.loads(self._path.read_text())
        self._clinic, self._warm = clinic, warm
        self._rolling, self._learner = Rolling(), Learner(clinic.name, warm)
        self._services: dict[int, deque[float]] = {}
        self._seen = self._joined = 0
        self._share = 0.0
        self._facts: dict[int, Facts] = {}
        self.ranges: dict[int, dict[str, Range | None]] = {}

    def begin(self, day: int) -> None:
        """Begin a day. The load of the first days says how large a share of the patients the oracle gets."""
        self._seen = 0
        self._facts, self.ranges = {}, {}
        if day >= self._warm:
            judged = days_of(self._clinic, DAYS)
            self._share = min(1.0, ASKED * max(1, self._warm) / max(1, self._joined * judged))

    def joined(self, day: Day, patient: Patient) -> None:
        """Ask for the range of a patient who joins now."""
        self._follow(day)
        if patient.leaves_at is not None:
            return
        facts = self._facts[patient.number] = self._facts_of(day, patient)
        if day.day < self._warm:
            self._joined += 1
            return
        found: dict[str, Range | None] = dict(self._rolling.ranges(day.day, patient.line, day.now))
        if chance_of(self._clinic.name, day.day, patient.number, "asked").random() < self._share:
            key = f"{day.day}/{patient.number}"
            if key not in self._known:
                chance = chance_of(day.clinic.name, key, "oracle")
                answers = (*oracle.foresee(day, patient, chance), *self._learner.range(day.day, facts, day.now))
                self._known[key] = [round(each, 6) for each in answers]
                self._new = True
            known = self._known[key]
            told = in_minutes((known[0], known[1]), day.now)
            found |= {"oracle": (known[0], known[1]), "in minutes": told, "learner": (known[2], known[3])}
        self.ranges[patient.number] = found

    def end(self, day: Day) -> None:
        """Learn from the day."""
        self._follow(day)
        for number, facts in self._facts.items():
            patient = day.patients[number]
            if patient.called_at is not None and patient.called_at - patient.at > AT_ONCE:
                self._learner.learn(day.day, facts, patient.called_at - patient.at)

    def save(self) -> None:
        """Write the answers to the file."""
        if self._path is not None and self._new:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps(self._known))
            fresh.replace(self._path)

    def _follow(self, day: Day) -> None:
        """Note the calls and the ends of services since the last look."""
        for command in day.commands[self._seen :]:
            patient = day.patients[command.number] if command.name in ("call", "complete", "no-show") else None
            if patient is None or patient.called_at is None:
                continue
            if command.name == "call":
                self._rolling.called(day.day, patient.line, patient.at, command.minute - patient.at)
            else:
                services = self._services.setdefault(patient.line, deque(maxlen=20))
                services.append(command.minute - patient.called_at)
        self._seen = len(day.commands)

    def _facts_of(self, day: Day, patient: Patient) -> Facts:
        able, now = patient.able, day.now
        seats = [seat for at, seat in enumerate(day.seats) if able >> at & 1]
        ahead = [each for key, each in day.line if key < patient.key]
        guests = [now - seat.since for seat in seats if seat.guest is not None]
        waits = self._rolling.recent[patient.line][-10:]
        services = self._services.get(patient.line, ())
        began = [seat.began_at for seat in seats if seat.began_at]
        return (
            now,
            float(sum(each.able & able != 0 for each in ahead)),
            float(len(ahead)),
            float(sum(each.line == patient.line for each in ahead)),
            float(len(guests)),
            float(sum(seat.state == "rest" and seat.post.marks for seat in seats)),
            float(sum(not seat.post.opened or seat.state not in ("off", "over") for seat in seats)),
            max(guests, default=0.0),
            sum(waits) / len(waits) if waits else 0.0,
            sum(services) / len(services) if services else 0.0,
            now - min(began) if began else -1.0,
            float(patient.line),
            now - patient.key[1],
            float(day.day % 5),
        )
