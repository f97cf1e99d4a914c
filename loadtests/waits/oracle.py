"""The oracle: it knows all laws of the clinic and the present state, and none of the draws.

It plays many futures of the true clinic from the present true state, up to the call of one patient. The middle of these
calls and their 90th percentile are the best promise that anybody can give.
"""

from __future__ import annotations

from bisect import insort
from heapq import heapify, heappop, heapreplace
from math import exp
from random import Random

from loadtests.waits.clinic import LATEST, Kind
from loadtests.waits.day import HEAD_STARTS, LEAD, WALK, Day, Key, Patient, Seat, due_when_booked, law_of
from loadtests.waits.laws import TRIES, Law

FUTURES = 99
Waiting = tuple[Key, int, Law, float | None]  # rank, points able, law of the service, the time of leaving


def foresee(day: Day, mine: Patient, chance: Random, futures: int = FUTURES) -> tuple[float, float]:
    """Return the range of the calls of a patient who joins now: half by the first, nine in ten by the second time."""
    future = _Future(day, mine, chance)
    calls = sorted(future.play() for _ in range(futures))
    return calls[(futures + 1) // 2 - 1], calls[(futures + 1) * 9 // 10 - 1]


class _Future:
    """What all futures of one moment share."""

    def __init__(self, day: Day, mine: Patient, chance: Random) -> None:
        self.day, self.mine, self.chance, self.now = day, mine, chance, day.now
        self.clinic = day.clinic
        self.ahead = [each for key, each in day.line if key < mine.key]
        self.expected = [each for each in day.coming if each[1] - LEAD < mine.key[1]]
        place = mine.key[1]
        self.classes = [
            (kind, share, LATEST if kind == "emergency" and mine.key[0] else place + HEAD_STARTS[kind])
            for kind, share in self.clinic.shares
        ]
        self.classes = [each for each in self.classes if each[2] > self.now]
        if mine.key[0] == 0:
            self.expected, self.classes = [], []
        self.most = max(per_hour for _, per_hour in self.clinic.rates) / 60
        self.noticed = False

    def play(self) -> float:
        """Return the time of the call in one future."""
        chance, clinic, mine = self.chance, self.clinic, self.mine
        line = self._line()
        arrivals = self._arrivals()
        tempos: dict[str, float] = {}
        seats = self.day.seats
        self.noticed = False
        free = [(self._free_at(at, seat, tempos), at) for at, seat in enumerate(seats)]
        rests = [
            self._rests(seat, begins if seat.state == "off" else seat.began_at)
            for seat, (begins, _) in zip(seats, free, strict=True)
        ]
        free = [each for each in free if each[0] < LATEST]
        heapify(free)
        ends = [self._end(seat) for seat in seats]
        no_show, able = clinic.no_show, mine.able
        while free:
            now, at = free[0]
            if rests[at] and rests[at][0][0] <= now:
                _, length = rests[at].pop(0)
                heapreplace(free, (now + max(0.5, length.draw(chance)), at))
                continue
            if ends[at] <= now:
                heappop(free)
                continue
            while arrivals and arrivals[0][0] <= now:
                insort(line, arrivals.pop(0)[1], key=lambda each: each[0])
            bit = 1 << at
            taken = next((place for place, each in enumerate(line) if each[1] & bit), None)
            if taken is None:
                if able & bit:
                    return now
                later = next((each[0] for each in arrivals if each[1][1] & bit), None)
                if later is None:
                    heappop(free)
                else:
                    heapreplace(free, (later, at))
                continue
            _, _, law, leaves = line.pop(taken)
            if leaves is not None and leaves < now:
                continue
            seat = seats[at]
            if no_show and chance.random() < no_show:
                lasts = clinic.no_show_law.draw(chance)
            else:
                doctor = seat.post.doctor(self.day.day, now)
                lasts = law.draw(chance) * doctor.factor
                if doctor.pace is not None:
                    lasts *= exp(self._tempo(doctor.name, tempos))
                    tempos[doctor.name] = doctor.pace.keeps * tempos[doctor.name] + chance.gauss(0, doctor.pace.deviation)
                lasts = max(WALK[0] + 0.1, lasts)
            heapreplace(free, (self._after(seat, now + lasts), at))
        return LATEST

    def _line(self) -> list[Waiting]:
        clinic, chance, now = self.clinic, self.chance, self.now
        line: list[Waiting] = []
        for each in self.ahead:
            leaves = None
            if clinic.leaving:
                for _ in range(TRIES):
                    leaves = each.at + clinic.leaving_law.draw(chance) if chance.random() < clinic.leaving else None
                    if leaves is None or leaves > now:
                        break
            line.append((each.key, each.able, law_of(clinic.lines[each.line], each.urgent), leaves))
        return line

    def _tempo(self, name: str, tempos: dict[str, float]) -> float:
        if name not in tempos:
            known = self.day.tempos[name]
            tempos[name] = self.chance.gauss(known.mean, known.variance**0.5)
        return tempos[name]

    def _after(self, seat: Seat, end: float) -> float:
        """Return the time at which a doctor is free again after a patient."""
        post, chance = seat.post, self.chance
        if post.pause is not None:
            end += post.pause.draw(chance)
        if post.coffee_share and chance.random() < post.coffee_share:
            end += max(0.5, post.coffee.draw(chance))
        return end

    def _free_at(self, at: int, seat: Seat, tempos: dict[str, float]) -> float:
        """Return the time at which a point is free, from its present state."""
        chance, now, post = self.chance, self.now, seat.post
        passed = now - seat.since
        match seat.state:
            case "off":
                return post.begins.beyond(chance, now)
            case "idle":
                if seat.looking and post.reaction is not None:
                    return seat.since + post.reaction.beyond(chance, passed)
                if post.reaction is None or not self.mine.able >> at & 1:
                    return now
                if self.noticed:  # one doctor goes for one patient
                    return LATEST
                self.noticed = True
                return now + post.reaction.draw(chance)
            case "rest":
                assert seat.resting is not None
                return seat.since + seat.resting.beyond(chance, passed)
            case "pause":
                end = seat.since + post.pause.beyond(chance, passed) if post.pause is not None else now
                coffee = post.coffee_share and chance.random() < post.coffee_share
                return end + max(0.5, post.coffee.draw(chance)) if coffee else end
            case "busy":
                return self._after(seat, seat.since + self._service(seat, passed, tempos))
        return LATEST

    def _service(self, seat: Seat, passed: float, tempos: dict[str, float]) -> float:
        """Return the whole duration of the service that goes on."""
        clinic, chance, guest = self.clinic, self.chance, seat.guest
        assert guest is not None
        if not seat.started and clinic.no_show:
            here = (1 - clinic.no_show) * max(0.0, min(1.0, (WALK[1] - passed) / (WALK[1] - WALK[0])))
            if chance.random() * (here + clinic.no_show) >= here:
                return clinic.no_show_law.beyond(chance, passed)
        factor = seat.doctor.factor
        if seat.doctor.pace is not None:
            name = seat.doctor.name
            factor *= exp(self._tempo(name, tempos))
            tempos[name] = seat.doctor.pace.keeps * tempos[name] + chance.gauss(0, seat.doctor.pace.deviation)
        return law_of(clinic.lines[guest.line], guest.urgent).beyond(chance, passed / factor) * factor

    def _rests(self, seat: Seat, begins: float) -> list[tuple[float, Law]]:
        """Return the breaks that a point still has, in order."""
        found: list[tuple[float, Law]] = []
        for rest, taken in zip(seat.post.rests, seat.taken, strict=True):
            if taken:
                continue
            for _ in range(TRIES):
                due = rest.at.draw(self.chance) if self.chance.random() < rest.share else None
                if due is None or due > seat.sure_at or due <= begins:
                    break
            else:
                due = self.now
            if due is not None and due > begins:
                found.append((due, rest.length))
        found.sort(key=lambda each: each[0])
        return found

    def _end(self, seat: Seat) -> float:
        return LATEST if seat.post.ends is None else seat.post.ends.beyond(self.chance, seat.sure_at)

    def _arrivals(self) -> list[tuple[float, Waiting]]:
        """Return the later patients who rank before the patient, in the order of their coming."""
        clinic, chance = self.clinic, self.chance
        found: list[tuple[float, Waiting]] = []
        number = 1_000_000
        for kind, share, until in self.classes:
            at = self.now
            while True:
                at += chance.expovariate(self.most * share)
                if at >= min(until, clinic.rates[-1][0]):
                    break
                if chance.random() * self.most < clinic.rate(at):
                    number += 1
                    found.append((at, self._newcomer(kind, at, number)))
        for group, booked_for, _ in self.expected:
            for _ in range(TRIES):
                at = 0.0 if chance.random() < group.missing else booked_for + group.punctual.draw(chance)
                if at == 0.0 or at > self.now:
                    break
            else:
                at = 0.0
            if at and due_when_booked(booked_for, at) < self.mine.key[1]:
                number += 1
                key: Key = (1, due_when_booked(booked_for, at), number)
                found.append((at, (key, clinic.able(group.line, group.post), clinic.lines[group.line].law, None)))
        found.sort(key=lambda each: each[0])
        return found

    def _newcomer(self, kind: Kind, at: float, number: int) -> Waiting:
        clinic = self.clinic
        line = self.chance.choices(range(len(clinic.lines)), [each.share for each in clinic.lines])[0]
        key: Key = (0 if kind == "emergency" else 1, at - HEAD_STARTS[kind], number)
        urgent = kind in ("urgent", "emergency")
        return key, clinic.able(line), law_of(clinic.lines[line], urgent), None
