"""Laws of random durations and times of day, in minutes. Each can draw a value longer than the time already passed."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from hashlib import shake_256
from itertools import accumulate
from math import exp, log
from random import Random
from statistics import NormalDist

TRIES = 48  # of drawing a value longer than the time passed, before the law's own way


def chance_of(*names: object) -> Random:
    """Return a source of chance that depends on these names alone."""
    text = "/".join(map(str, names))
    return Random(int.from_bytes(shake_256(text.encode()).digest(8)))


@dataclass(frozen=True)
class Law:
    """A law of a positive number of minutes."""

    def draw(self, chance: Random) -> float:
        """Return a value."""
        raise NotImplementedError

    def beyond(self, chance: Random, passed: float) -> float:
        """Return a value of those longer than ``passed``. A value that no law explains lasts some more minutes."""
        for _ in range(TRIES):
            value = self.draw(chance)
            if value > passed:
                return value
        return passed + chance.expovariate(1 / (1 + passed / 4))


@dataclass(frozen=True)
class Exponential(Law):
    """No memory: the rest is as long as the whole."""

    mean: float

    def draw(self, chance: Random) -> float:
        return chance.expovariate(1 / self.mean)

    def beyond(self, chance: Random, passed: float) -> float:
        return max(0.0, passed) + chance.expovariate(1 / self.mean)


@dataclass(frozen=True)
class Lognormal(Law):
    """The usual law of consultations."""

    median: float
    sigma: float

    def draw(self, chance: Random) -> float:
        return chance.lognormvariate(log(self.median), self.sigma)

    def beyond(self, chance: Random, passed: float) -> float:
        if passed <= 0:
            return self.draw(chance)
        normal = NormalDist()
        low = normal.cdf(log(passed / self.median) / self.sigma)
        level = low + (1 - low) * chance.random()
        if level >= 1 - 1e-12:
            return passed * (1 + chance.expovariate(1 / 0.1))
        return max(passed, self.median * exp(self.sigma * normal.inv_cdf(level)))


@dataclass(frozen=True)
class Uniform(Law):
    """Any value of a range, with equal chance."""

    least: float
    most: float

    def draw(self, chance: Random) -> float:
        return chance.uniform(self.least, self.most)

    def beyond(self, chance: Random, passed: float) -> float:
        return chance.uniform(max(self.least, passed), self.most) if passed < self.most else passed + chance.expovariate(1)


@dataclass(frozen=True)
class Normal(Law):
    """A value around a usual one. It can be negative: for example a patient who comes early."""

    mean: float
    deviation: float

    def draw(self, chance: Random) -> float:
        return chance.gauss(self.mean, self.deviation)


@dataclass(frozen=True)
class Plus(Law):
    """A fixed number of minutes, and a law."""

    least: float
    more: Law

    def draw(self, chance: Random) -> float:
        return self.least + self.more.draw(chance)

    def beyond(self, chance: Random, passed: float) -> float:
        return self.least + self.more.beyond(chance, passed - self.least) if passed > self.least else self.draw(chance)


@dataclass(frozen=True)
class Mixture(Law):
    """One of several laws, by its weight."""

    parts: tuple[tuple[float, Law], ...]

    def draw(self, chance: Random) -> float:
        sums = list(accumulate(weight for weight, _ in self.parts))
        at = bisect_right(sums, chance.random() * sums[-1])
        return self.parts[min(at, len(sums) - 1)][1].draw(chance)


def two_kinds(short: float, long: float, share_long: float, spread: float = 0.2) -> Law:
    """Return the law of a service of two kinds, each within ``spread`` of its usual duration."""
    kinds = ((1 - share_long, short), (share_long, long))
    return Mixture(tuple((share, Uniform(each * (1 - spread), each * (1 + spread))) for share, each in kinds))
