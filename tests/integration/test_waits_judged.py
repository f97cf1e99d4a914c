"""A short form of `loadtests/waits`, which judges the quotes of waits in whole simulated clinics."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from loadtests.waits import costs, oracle, table, trial
from loadtests.waits.clinic import Clinic
from loadtests.waits.clinics import BUILD, CLINICS, JUDGE
from loadtests.waits.day import Day, Patient, Tempo
from loadtests.waits.laws import (
    Exponential,
    Law,
    Lognormal,
    Mixture,
    Normal,
    Plus,
    Uniform,
    chance_of,
    two_kinds,
)
from loadtests.waits.learner import Learner
from loadtests.waits.scores import AT_ONCE, Promise, in_minutes, loss, ratio, score

ROOT = Path(__file__).parents[2]
LAWS = (Exponential(8), Lognormal(7, 0.6), Uniform(2, 9), Plus(480, Normal(25, 8)), two_kinds(4, 20, 0.25))
BY_NAME = {each.name: each for each in CLINICS}
SHORT = ("late start", "pass others", "mixture")

pytestmark = pytest.mark.rest


@cache
def tried(name: str) -> trial.Trial:
    return trial.run(BY_NAME[name], warm=6, judged=5)


def test_half_of_the_clinics_are_kept_to_judge() -> None:
    assert (len(BUILD), len(JUDGE)) == (16, 17)
    assert len(BY_NAME) == len(CLINICS)
    assert {each.half for each in BUILD} == {"build"}
    assert {each.half for each in JUDGE} == {"judge"}


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_law_draws_the_rest_of_a_duration_as_often_as_the_whole_law_does(law: Law) -> None:
    """The values beyond a time are distributed as the drawn values that are longer."""
    chance = random.Random(1)
    drawn = sorted(law.draw(chance) for _ in range(4000))
    passed = drawn[1500]
    longer = [each for each in drawn if each > passed]
    beyond = [law.beyond(chance, passed) for _ in range(2500)]
    assert min(beyond) >= passed
    middle = longer[len(longer) // 2]
    assert abs(sum(each < middle for each in beyond) / len(beyond) - 0.5) < 0.04


def test_time_that_no_law_explains_goes_on() -> None:
    for law in (Uniform(1, 2), Lognormal(5, 0.1), Mixture(((1, Uniform(1, 2)),))):
        assert law.beyond(random.Random(1), 400) > 400


@pytest.mark.parametrize("clinic", CLINICS, ids=lambda each: each.name)
def test_days_of_a_clinic_are_the_same_in_each_run_and_everybody_is_called(clinic: Clinic) -> None:
    def commands() -> list[tuple[float, str, int, int]]:
        tempos: dict[str, Tempo] = {}
        found: list[tuple[float, str, int, int]] = []
        for number in range(3):
            day = Day(clinic, number, tempos, lambda *_: None)
            day.run()
            found += [tuple(each) for each in day.commands]  # type: ignore[misc]
            assert all(each.called_at is not None or each.leaves_at is not None for each in day.patients)
        return found

    first = commands()
    assert len(first) > 100
    assert commands() == first


def test_range_in_whole_minutes_is_that_of_a_page() -> None:
    assert in_minutes((600.4, 611.6), 590.2) == (600, 612)
    assert in_minutes((600.6, 601.2), 600.9) == (601, 602)
    assert in_minutes((600.2, 600.4), 601.3) == (601, 602)


@pytest.mark.parametrize("name", ["late start", "mixture", "quiet"])
def test_oracle_keeps_its_promises(name: str) -> None:
    """The futures of the oracle have the law of the days: both percentiles hold, within three standard errors."""
    clinic, tempos = BY_NAME[name], dict[str, Tempo]()
    promises: list[Promise] = []
    for number in range(40):
        answers: dict[int, tuple[float, float]] = {}

        def watch(day: Day, patient: Patient, answers: dict[int, tuple[float, float]] = answers) -> None:
            chance = chance_of("asked", day.day, patient.number)
            if patient.leaves_at is None and chance.random() < 8 / max(8, len(day.patients)):
                answers[patient.number] = oracle.foresee(day, patient, chance)

        day = Day(clinic, number, tempos, watch)
        day.run()
        for at, answer in answers.items():
            patient = day.patients[at]
            if patient.called_at is not None and patient.called_at - patient.at > AT_ONCE:
                promises.append(Promise(number, patient.at, patient.called_at, False, {"oracle": answer}))
    found = score(promises, "oracle")
    assert found.count > 150
    assert abs(found.held - 90) < 3 * found.held_error + 0.5, found
    assert abs(found.early - 50) < 3 * found.early_error + 0.5, found


@pytest.mark.parametrize("name", SHORT)
def test_quotes_of_the_product_are_better_than_rolling_averages(name: str) -> None:
    found = tried(name)
    assert len(found.promises) > 100
    assert found.uncalled == 0
    best, _ = table.best_rolling(found.promises)
    assert ratio(found.promises, "ours", best)[0] < 1
    assert ratio(found.promises, "ours", "oracle")[0] > 0.9, "nobody knows more than the oracle"


def test_trial_is_the_same_in_each_run() -> None:
    again = trial.run(BY_NAME["late start"], warm=6, judged=5)
    assert again.promises == tried("late start").promises


def test_answers_of_the_oracle_are_kept_for_the_next_run(tmp_path: Path) -> None:
    clinic = BY_NAME["quiet"]
    first = trial.run(clinic, warm=3, judged=2, memory=tmp_path)
    (kept,) = tmp_path.iterdir()
    text = kept.read_text()
    assert trial.run(clinic, warm=3, judged=2, memory=tmp_path).promises == first.promises
    assert kept.read_text() == text


def test_short_line_needs_no_clock_for_its_first_quotes() -> None:
    """Without the ticks that quote a short line, every first quote is the same. Only the clock says who may leave."""
    clinic = BY_NAME["quiet"]
    with_ticks = trial.run(clinic, warm=2, judged=3, every_tick=True).promises
    assert any(each.leave_until for each in with_ticks)
    assert [replace(each, leave_until=None) for each in with_ticks] == trial.run(clinic, warm=2, judged=3).promises


def test_loss_is_least_for_the_true_percentiles() -> None:
    assert loss((10, 20), 10) == pytest.approx(0.1 * 10)
    assert loss((10, 20), 30) == pytest.approx(0.5 * 20 + 0.9 * 10)
    chance = random.Random(1)
    calls = sorted(chance.expovariate(1 / 10) for _ in range(2000))

    def mean(middle: float, most: float) -> float:
        return sum(loss((middle, most), each) for each in calls) / len(calls)

    best = mean(calls[1000], calls[1800])
    assert all(mean(calls[1000] + by, calls[1800]) > best for by in (-2, 2))
    assert all(mean(calls[1000], calls[1800] + by) > best for by in (-4, 4))


def test_promises_of_a_day_are_one_observation() -> None:
    """Copies of each promise of a day leave the error of the share as it is."""

    def promises(copies: int) -> list[Promise]:
        return [
            Promise(day, 0, 15 if day % 2 else 25, False, {"ours": (10, 20)}) for day in range(20) for _ in range(copies)
        ]

    one, ten = score(promises(1), "ours"), score(promises(10), "ours")
    assert one.held == ten.held == 50
    assert one.held_error == pytest.approx(ten.held_error) == pytest.approx(50 / 19**0.5)
    assert score([], "ours").count == 0
    assert ratio(promises(10), "ours", "ours") == (1, 0)
    assert ratio(promises(1), "ours", "oracle")[0] != 1, "no promise has the range of an oracle"


def test_learner_finds_the_percentiles_of_a_wait_that_depends_on_the_facts() -> None:
    chance, learner = random.Random(1), Learner("a clinic", 10)
    for _ in range(3000):
        ahead = float(chance.randrange(10))
        learner.learn(0, (ahead, chance.random()), ahead * 10 + chance.uniform(0, 10))
    for ahead in (1.0, 5.0, 8.0):
        middle, most = learner.range(10, (ahead, 0.5), 0)
        assert middle == pytest.approx(ahead * 10 + 5, abs=3)
        assert most == pytest.approx(ahead * 10 + 9, abs=3)


def test_costs_have_a_line_for_each_length() -> None:
    newcomers, clock = costs.measure((5, 50), longest=150, warm=1, tickets=4)
    assert [each.waiting for each in newcomers] == [5, 50]
    assert all(0 < each.middle <= each.most for each in newcomers)
    assert clock.slices > 1
    assert 0 < clock.middle <= clock.most


def test_command_prints_one_line_for_each_clinic() -> None:
    command = [sys.executable, "-m", "loadtests.waits", "--only", "opening and closing", "--only", "late start", "--forget"]
    done = subprocess.run(
        [*command, "--days", "6", "--warm", "4", "--details"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["clinic", "promises", "none"]
    assert [each.split("  ")[0] for each in rows if not each.startswith(" ")][:2] == ["late start", "opening and closing"]
    assert rows[-8].startswith("build: 1 clinics")
    assert rows[-4].startswith("judge: 1 clinics")
    assert rows[-1].startswith("loss / oracle in whole minutes")
