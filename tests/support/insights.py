"""Answers of ``/insights`` with every part, for the tests of the report."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def shown(**values: Any) -> Json:
    """Return counts that the answer shows."""
    return {"hidden": None} | values


def few(*names: str) -> Json:
    """Return counts that are hidden, since they are fewer than five."""
    return {"hidden": "few"} | dict.fromkeys(names)


def group(count: int = 100) -> Json:
    """Return the figures of a group of patients."""
    spread = {"median_seconds": 720, "p90_seconds": 1500}
    return {
        "entries": shown(
            count=count, tickets=count, served=count - 8, no_shows=3, left=2, cancelled=1, expired=0, transferred=2, open=0
        ),
        "walk_ins": shown(count=count - 20, no_shows=2, left=1),
        "wait": shown(count=count - 3, **spread),
        "still": few("count", "median_seconds", "p90_seconds"),
        "gave_up": shown(count=0, median_seconds=None, p90_seconds=None),
        "walk": shown(count=count - 4, median_seconds=50, p90_seconds=90),
        "service": shown(count=count - 8, median_seconds=550, p90_seconds=1140),
        "promises": shown(
            count=count, held=count * 9 // 10, early=count // 2, late_median_seconds=240, late_p90_seconds=600
        ),
        "leaves": shown(count=count // 4, before=count // 100),
        "appointments": shown(booked=20, cancelled_early=2, cancelled_late=1, missed=3, expected=18, kept=14, to_come=0),
        "lead": shown(count=20, median_days=9, p90_days=30),
        "open_seconds": None,
    }


def answer(**changes: Any) -> Json:
    """Return the figures of a month in which the clocks went back."""
    hours = [(8, False, 31), (9, False, 31), (2, False, 31), (2, True, 1)]
    made = {
        "site_id": 7,
        "name": "North clinic",
        "time_zone": "Europe/Berlin",
        "business_day": "2026-10-31",
        "as_of": 1_793_450_000_000,
        "filter": None,
        "from": "2026-10-01",
        "to": "2026-10-31",
        "clock_changes": [{"business_day": "2026-10-24", "kind": "doubled", "hour": 2}],
        "missing": None,
        "total": group(400),
        "services": [{"service_id": id, "name": name} | group() for id, name in ((1, "Blood test"), (2, "Vaccination"))],
        "queues": [{"queue_id": 1, "name": "Blood", "service_id": 1} | group()],
        "providers": [{"provider_id": id, "name": name} | group() for id, name in ((1, "Dr Ada"), (None, None))],
        "hours": [
            {"hour": hour, "second": second, "days": days} | group() | {"open_seconds": days * 7200}
            for hour, second, days in hours
        ],
        "weekdays": [{"weekday": weekday, "days": 4} | group() for weekday in range(1, 8)],
        "days": [{"business_day": f"2026-10-{day:02}"} | group() for day in range(1, 32)],
        "heat": [
            {"weekday": 1, "hour": 8, "second": False, "entries": 40, "hidden": None, "open_seconds": 7200},
            {"weekday": 2, "hour": 2, "second": True, "entries": None, "hidden": "few", "open_seconds": None},
        ],
        "points": [
            {"point_id": id, "name": f"Room {id}"} | shown(calls=200, open_seconds=90_000, busy_seconds=70_000)
            for id in (1, 2)
        ],
        "fairness": shown(calls=390, in_order=350, out_of_order=40)
        | {"reasons": [{"reason": "assisted"} | shown(calls=60, passing=40, passed=70)]},
        "messages": {
            "kinds": [
                {"kind": "called", "way": "sms"}
                | shown(sent=90, delivered=80, undelivered=2, failed=1)
                | dict.fromkeys(("open", "unknown", "suppressed", "expired", "withdrawn", "skipped"), 0)
            ],
            "reminded": shown(appointments=300, missed=9),
            "not_reminded": few("appointments", "missed"),
        },
        "feedback": {
            "weeks": [
                {"first_day": "2026-10-05", "answers": None, "scores": None},
                {"first_day": "2026-10-12", "answers": 40, "scores": [1, 2, 5, 12, 20]},
            ],
            "answers": 40,
            "scores": [1, 2, 5, 12, 20],
        },
    }
    return made | changes


def free_times() -> Json:
    """Return the third next available appointments of two services."""
    third = {"local_start": "2026-11-03T10:30", "offset": "+01:00", "days": 3}
    return {
        "days_ahead": 62,
        "services": [
            {"service_id": 1, "name": "Blood test", "third": third, "free": 3, "providers": []},
            {"service_id": 2, "name": "Vaccination", "third": None, "free": 1, "providers": []},
        ],
    }


def mails(channel: str = "ready") -> Json:
    """Return the answer of ``/insights/mails`` with subscriptions, and a mail of every outcome."""
    reader = {"address": "manager@north.example.org", "language": "en", "hour": 8, "since": 1_793_450_000_000}
    outcomes = [
        ("sent", None),
        ("due", "counting"),
        ("due", "no-channel"),
        ("failed", "address"),
        ("failed", "credentials"),
        ("unknown", "no-answer"),
        ("withdrawn", "no-right"),
        ("expired", "busy"),
    ]
    return {
        "channel": channel,
        "most_readers": 10,
        "readers": [reader | {"id": "a" * 64}, reader | {"id": "b" * 64, "address": None, "language": "ar", "hour": 17}],
        "mails": [
            {
                "address": "manager@north.example.org" if number else None,
                "month": "2026-10",
                "language": "en",
                "monthly": number % 2 == 0,
                "state": state,
                "reason": reason,
                "changed_at": 1_793_450_000_000 - 3_600_000 * number,
            }
            for number, (state, reason) in enumerate(outcomes)
        ],
    }


def compared() -> Json:
    """Return the figures of three sites beside each other, one of them small."""
    bounds = {"business_day": "2026-10-25", "begins_local": "2026-10-25T04:00", "ends_local": "2026-11-01T04:00"}
    offsets = {"offset": "+01:00", "end_offset": "+01:00", "to": "2026-10-31", "time_zone": "Europe/Berlin"}
    small = {
        name: few(*(key for key in counts if key != "hidden")) if isinstance(counts, dict) else counts
        for name, counts in group().items()
    }
    sites = [
        {"site_id": id, "name": name, "missing": None} | bounds | offsets | figures
        for id, name, figures in ((1, "North clinic", group(400)), (2, "South clinic", group(220)), (3, "Harbour", small))
    ]
    sites[1]["missing"] = {"days": 2, "first": "2026-10-25", "last": "2026-10-26"}
    return {"as_of": 1_793_450_000_000, "total": group(622) | {"open_seconds": 90_000}, "sites": sites, "missing": None}
