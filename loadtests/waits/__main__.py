"""Judge the quotes of waits: play whole simulated clinics through the product, beside an oracle and rolling averages.

python -m loadtests.waits --half build                     the clinics to build on
python -m loadtests.waits --only "late start" --details    one clinic, by hour of the day, too
python -m loadtests.waits --quick                          a third of the days
python -m loadtests.waits --half build --leaves            also: until when patients may leave
python -m loadtests.waits --costs                          CPU of a quote, and of a tick
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import process_time

from loadtests.waits import costs, table, trial
from loadtests.waits.clinics import CLINICS
from loadtests.waits.trial import Trial

MEMORY = Path(__file__).parents[2] / ".make" / "waits"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("build", "judge", "all"), default="all", help="the clinics of one half")
    parser.add_argument("--only", action="append", default=[], help="clinics whose name contains this text")
    parser.add_argument("--days", type=int, default=trial.DAYS, help="judged days; busy clinics have fewer")
    parser.add_argument("--warm", type=int, default=trial.WARM, help="days before them")
    parser.add_argument("--quick", action="store_true", help="a third of the days")
    parser.add_argument("--details", action="store_true", help="each hour of the day, and each contender")
    parser.add_argument("--every-tick", action="store_true", help="let the clock quote all lines, as in the product")
    parser.add_argument("--leaves", action="store_true", help="let the clock also say until when each newcomer may leave")
    parser.add_argument("--forget", action="store_true", help="ask the oracle anew")
    parser.add_argument("--costs", action="store_true", help="the CPU of a quote and of a tick, in place of the clinics")
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


def _run(name: str, options: argparse.Namespace) -> tuple[Trial, float]:
    clinic = next(each for each in CLINICS if each.name == name)
    begun = process_time()
    days = trial.days_of(clinic, options.days // 3 if options.quick else options.days)
    memory = None if options.forget else MEMORY
    return trial.run(clinic, options.warm, days, memory, options.every_tick, options.leaves), process_time() - begun


def main() -> None:
    """Print the table."""
    options = _options()
    if options.costs:
        print(costs.shown(*costs.measure()))
        return
    chosen = [each for each in CLINICS if options.half in ("all", each.half)]
    if options.only:
        chosen = [each for each in chosen if any(text in each.name for text in options.only)]
    names = [each.name for each in chosen]
    print(table.HEAD, flush=True)
    trials: list[Trial] = []
    with ProcessPoolExecutor(options.processes) as pool:
        results = pool.map(_run, names, [options] * len(names)) if options.processes > 1 else None
        for name in names:
            found, seconds = next(results) if results is not None else _run(name, options)
            trials.append(found)
            print(table.row(found, seconds), flush=True)
            if options.details:
                print(table.details(found), flush=True)
    print(table.foot(trials), flush=True)


if __name__ == "__main__":
    main()
