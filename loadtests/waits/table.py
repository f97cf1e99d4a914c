"""The table of all clinics."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from loadtests.waits.scores import Promise, called_before_leave, ratio, score
from loadtests.waits.trial import ROLLING, Trial

LEAST = 30  # promises of an hour that are worth a figure
COLUMNS = (
    ("clinic", 24),
    ("promises", 8),
    ("none", 5),
    ("held", 9),
    ("early", 9),
    ("before 8:00: n", 15),
    ("held", 5),
    ("early", 5),
    ("by hour: held", 14),
    ("early", 7),
    ("loss", 6),
    ("/oracle", 10),
    ("in minutes", 10),
    ("learner", 7),
    ("rolling", 7),
    ("oracle: n", 10),
    ("held", 5),
    ("early", 5),
    ("may leave: n", 12),
    ("called before", 13),
    ("ms", 6),
    ("cpu s", 6),
)


def _line(cells: Sequence[str]) -> str:
    return " ".join(
        f"{cell:{width}}" if at == 0 else f"{cell:>{width}}"
        for at, (cell, (_, width)) in enumerate(zip(cells, COLUMNS, strict=True))
    ).rstrip()


HEAD = _line([name for name, _ in COLUMNS])


def row(trial: Trial, seconds: float) -> str:
    """Return the line of one clinic."""
    promises = trial.promises
    ours, oracle = score(promises, "ours"), score(promises, "oracle")
    opening = score([each for each in promises if each.before_opening], "ours")
    hours = [score(each, "ours") for each in by_hour(promises).values()]
    hours = [each for each in hours if each.count >= LEAST]
    held, early = [each.held for each in hours], [each.early for each in hours]
    enough = opening.count >= LEAST
    leaves, before, before_error = called_before_leave(promises)
    return _line(
        [
            trial.clinic.name,
            str(len(promises)),
            str(trial.unquoted + trial.uncalled),
            f"{ours.held:.1f}±{ours.held_error:.1f}",
            f"{ours.early:.1f}±{ours.early_error:.1f}",
            *([str(opening.count), f"{opening.held:.1f}", f"{opening.early:.1f}"] if enough else ["", "", ""]),
            f"{min(held):.0f}-{max(held):.0f}" if held else "",
            f"{min(early):.0f}-{max(early):.0f}" if early else "",
            f"{ours.loss:.2f}",
            "{:.3f}±{:.2f}".format(*ratio(promises, "ours", "oracle")),
            f"{ratio(promises, 'in minutes', 'oracle')[0]:.3f}",
            f"{ratio(promises, 'learner', 'oracle')[0]:.2f}",
            f"{best_rolling(promises)[1]:.2f}",
            str(oracle.count),
            f"{oracle.held:.1f}",
            f"{oracle.early:.1f}",
            *([str(leaves), f"{before:.1f}±{before_error:.1f}"] if leaves else ["", ""]),
            f"{trial.milliseconds:.2f}",
            f"{seconds:.1f}",
        ]
    )


def best_rolling(promises: Sequence[Promise]) -> tuple[str, float]:
    """Return the rolling average with the least loss, by hindsight, and its loss divided by the oracle's."""
    best = min(ROLLING, key=lambda name: score(promises, name).loss)
    return best, ratio(promises, best, "oracle")[0]


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
            f"/oracle {ratio(promises, 'ours', 'oracle')[0]:6.3f}"
        )
    for name in ("ours", "oracle", "in minutes", "learner", *ROLLING):
        found = score(trial.promises, name)
        if found.count:
            lines.append(
                f"    {name:10} {found.count:>6} held {found.held:5.1f}±{found.held_error:.1f} "
                f"early {found.early:5.1f}±{found.early_error:.1f} loss {found.loss:6.2f} "
                f"/oracle {ratio(trial.promises, name, 'oracle')[0]:6.3f}"
            )
    return "\n".join(lines)


def foot(trials: Sequence[Trial]) -> str:
    """Return the geometric means of each half, and the number of clinics in which the promises have the right shares."""
    lines = []
    for half in ("build", "judge"):
        chosen = [each.promises for each in trials if each.clinic.half == half]
        if chosen:
            scores = [score(each, "ours") for each in chosen]
            ours, told, learner = (
                [ratio(each, name, "oracle")[0] for each in chosen] for name in ("ours", "in minutes", "learner")
            )
            shown = [ratio(each, "ours", "in minutes")[0] for each in chosen]
            rolling = [best_rolling(each)[1] for each in chosen]
            lines += [
                f"{half}: {len(chosen)} clinics, {sum(map(len, chosen))} promises",
                f"held 88 to 92: {sum(88 <= each.held <= 92 for each in scores)}, "
                f"early 46 to 54: {sum(46 <= each.early <= 54 for each in scores)}",
                f"loss / oracle: geometric mean {_mean(ours):.3f}, worst {max(ours):.3f}; the oracle in whole minutes "
                f"{_mean(told):.3f}; learner {_mean(learner):.2f}, best rolling average {_mean(rolling):.2f}",
                f"loss / oracle in whole minutes: geometric mean {_mean(shown):.3f}, worst {max(shown):.3f}",
            ]
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))
