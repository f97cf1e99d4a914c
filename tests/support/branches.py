"""Fails if the coverage of branches is too low: ``python tests/support/branches.py coverage.json 80``.

The ``fail_under`` of coverage counts lines and branches together: many covered lines hide branches that no test takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(report: str, least: str) -> int:
    """Compare coverage's JSON report with the least percentage; return the exit status."""
    totals = json.loads(Path(report).read_text(encoding="utf-8"))["totals"]
    taken, all_ = totals["covered_branches"], totals["num_branches"]
    percent = 100 * taken / all_ if all_ else 0.0  # no measurement counts as no test
    print(f"{taken} of {all_} branches were taken: {percent:.1f} %; the minimum is {least} %.")
    return 0 if percent >= float(least) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
