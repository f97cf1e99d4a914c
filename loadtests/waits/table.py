"""The table of all clinics."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from loadtests.waits.scores import Promise, ratio, score
from loadtests.waits.trial import ROLLING, Trial

LEAST = 30  # promises of an hour that are worth a figure
HEAD = (
    f"{'clinic':24} {'promises':>8} {'none':>5} {'held':>10} {'early':>10} | {'before 8:00: n':>14} {'held':>5} {'early':>5} "
    f"| {'hours: held':>11} {'early':>8} | {'loss':>5} {'/oracle':>7} {'best rolling':>12} {'learner':>7} "
    f"| {'oracle: n':>9} {'held':>5} {'early':>5} | {'ms':>5} {'cpu s':>5}"
)


def row(trial: Trial, seconds: float) -> str:
    """Return the line of one clinic."""
    promises = trial.promises
    ours, oracle = score(promises, "ours"), score(promises, "oracle")
    opening = score([each for each in promises if each.before_opening], "ours")
    hours = [score(each, "ours") for each in by_hour(promises).values()]
    hours = [each for each in hours if each.count >= LEAST]
    held, early = [each.held for each in hours] or [0.0], [each.early for each in hours] or [0.0]
    before = f"{opening.count:>14} {opening.held:>5.1f} {opening.early:>5.1f}" if opening.count else f"{'':26}"
    _, rolling = best_rolling(promises)
    learner = ratio(promises, "learner", "oracle")
    return (
        f"{trial.clinic.name:24} {len(promises):>8} {trial.unquoted + trial.uncalled:>5} {ours.held:>5.1f}±{ours.held_error:<4.1f} "
        f"{ours.early:>5.1f}±{ours.early_error:<4.1f} | {before} | {min(held):>5.1f}-{max(held):<5.1f} {min(early):>3.0f}-{max(early):<4.0f} "
        f"| {ours.loss:>5.2f} {ratio(promises, 'ours', 'oracle'):>7.3f} {rolling:>12.2f} {learner:>7.2f} "
        f"| {oracle.count:>9} {oracle.held:>5.1f} {oracle.early:>5.1f} | {trial.milliseconds:>5.2f} {seconds:>5.1f}"
    )


def best_rolling(promises: Sequence[Promise]) -> tuple[str, float]:
    """Return the rolling average with the least loss, by hindsight, and its loss divided by the oracle's."""
    best = min(ROLLING, key=lambda name: score(promises, name).loss)
    return best, ratio(promises, best, "oracle")


def by_hour(promises: Sequence[Promise]) -> dict[int, list[Promise]]:
    """Return the promises by the hour in which they were made."""
    found: dict[int, list[Promise]] = {}
    for each in sorted(promises, key=lambda each: each.at):
        found.setdefault(int(each.at) // 60, []).append(each)
    return found


def details(trial: Trial) -> str:
    """Return the lines of each hour and of each contender."""
    lines = []
    for hour, promises in by_hour(trial.promises).items():
        ours = score(promises, "ours")
        lines.append(
            f"    {hour:02}:00 {ours.count:>6} held {ours.held:5.1f} early {ours.early:5.1f} loss {ours.loss:6.2f} "
            f"/oracle {ratio(promises, 'ours', 'oracle'):6.3f}"
        )
    for name in ("ours", "oracle", "learner", *ROLLING):
        found = score(trial.promises, name)
        if found.count:
            lines.append(
                f"    {name:8} {found.count:>6} held {found.held:5.1f}±{found.held_error:.1f} "
                f"early {found.early:5.1f}±{found.early_error:.1f} loss {found.loss:6.2f} "
                f"/oracle {ratio(trial.promises, name, 'oracle'):6.3f}"
            )
    return "\n".join(lines)


def foot(trials: Sequence[Trial]) -> str:
    """Return the geometric means, for each half."""
    lines = []
    for half in ("build", "judge"):
        chosen = [each.promises for each in trials if each.clinic.half == half]
        if chosen:
            ours = [ratio(each, "ours", "oracle") for each in chosen]
            rolling = [best_rolling(each)[1] for each in chosen]
            lines.append(
                f"{half}: {len(chosen)} clinics, {sum(map(len, chosen))} promises; loss / oracle: geometric mean "
                f"{_mean(ours):.3f}, worst {max(ours):.3f}; best rolling average {_mean(rolling):.2f}"
            )
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))
