"""Past visits of a site with entries, intervals, announcements and events, created inside the database.

The rows equal the rows of real visits, except for the hashes of the chain, which no bench verifies. MariaDB's sequence
engine generates them, a million visits in a minute.
"""

from __future__ import annotations

import json
from datetime import date, timedelta

import pymysql

VISITS_A_DAY = 2000
FAR_AHEAD = 4_102_444_800_000_000  # in 2100: no new quotes before then
_DAY = 86_400_000_000
_MINUTE = 60_000_000
_CHUNK = 100_000

# Visit n of the past joined a quarter of a minute after visit n - 1, waited ten minutes, walked one, was served nine.
_VISIT = """
    {base} + {last_id} + 1 + 2 * n AS visit_id, {base} + {last_id} + 2 + 2 * n AS entry_id, {seq} + 1 + 4 * n AS seq,
    DATE_FORMAT(DATE_ADD('{first_day}', INTERVAL n DIV {a_day} DAY), '%Y-%m-%d') AS day,
    {first_at} + (n DIV {a_day}) * {a_whole_day} + (n MOD {a_day}) * {a_minute} DIV 4 AS at,
    ELT(1 + n MOD 3, 'A', 'B', 'C') AS prefix, (n MOD {a_day}) DIV 3 + 1 AS number,
    CONCAT(ELT(1 + n MOD 3, 'A', 'B', 'C'), LPAD((n MOD {a_day}) DIV 3 + 1, 3, '0')) AS label,
    CAST(ELT(1 + n MOD 3, {queue_ids}) AS INT) AS queue_id,
    CAST(ELT(1 + n MOD {points}, {point_ids}) AS INT) AS point_id,
    SHA2(CONCAT({base}, '/', n), 256) AS hash
"""
_CALLED, _STARTED, _DONE = f"at + 10 * {_MINUTE}", f"at + 11 * {_MINUTE}", f"at + 20 * {_MINUTE}"
_STEPS = (
    ("waiting", "at", _CALLED, 1, "ticket-called"),
    ("called", _CALLED, _STARTED, 2, "service-started"),
    ("serving", _STARTED, _DONE, 3, "service-completed"),
)
_ISSUED = """JSON_OBJECT('visit_id', visit_id, 'entry_id', entry_id, 'queue_id', queue_id, 'label', label, 'prefix', prefix,
    'number', number, 'priority', 'standard', 'party_size', 1, 'language', 'en', 'display_name', NULL, 'band', 1,
    'place', at, 'due_at', at, 'expect_from', NULL, 'expect_until', NULL, 'estimating', TRUE, 'token_hash', hash,
    'needs', JSON_ARRAY(), 'provider_id', NULL, 'quoted_ahead', NULL, 'quoted_points', NULL)"""
_STEP = "JSON_OBJECT('entry_id', entry_id, 'point_id', point_id, 'label', label{more})"
_UNDO = """JSON_OBJECT('step', 'service-completed', 'at', {done}, 'seq', seq + 3, 'priority', 'standard',
    'back_to', JSON_OBJECT('state', 'serving', 'point_id', point_id,
    'since', {started}, 'calls', 1, 'called_at', {called}, 'first_called_at', {called}, 'band', 1, 'place', at,
    'due_at', at, 'moved', FALSE, 'absent_until', NULL), 'duration', 600000000)"""


def fill(
    connection: pymysql.Connection,
    site_id: int,
    queue_ids: list[int],
    point_ids: list[int],
    visits: int,
    today: date,
    a_day: int = VISITS_A_DAY,
) -> None:
    """Give a site of three queues ``visits`` past visits, each served in full, and suppress new quotes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_id, seq FROM sites WHERE id = %s", (site_id,))
        row = cursor.fetchone()
        assert row is not None
        last_id, seq = row
        days = -(-visits // a_day)
        first = today - timedelta(days=days)
        about = _VISIT.format(
            base=site_id * 1_000_000_000,
            last_id=last_id,
            seq=seq,
            first_day=first.isoformat(),
            first_at=(first - date(1970, 1, 1)).days * _DAY + 8 * 60 * _MINUTE,
            a_day=a_day,
            a_whole_day=_DAY,
            a_minute=_MINUTE,
            queue_ids=", ".join(map(str, queue_ids)),
            points=len(point_ids),
            point_ids=", ".join(map(str, point_ids)),
        )
        for begin in range(0, visits, _CHUNK):
            end = min(begin + _CHUNK, visits) - 1
            of = f"FROM (SELECT {about} FROM (SELECT seq AS n FROM seq_{begin}_to_{end}) AS numbers) AS past"
            for statement in _statements(site_id):
                cursor.execute(f"{statement} {of}")
        cursor.execute(
            "INSERT INTO counters (site_id, prefix, business_day, last, seq) SELECT site_id, LEFT(label, 1), business_day,"
            " COUNT(*), MAX(seq) FROM visits WHERE site_id = %s GROUP BY 1, 2, 3",
            (site_id,),
        )
        cursor.execute(
            "UPDATE sites SET seq = seq + %s, last_id = last_id + %s, quoted_at = %s, next_tick_at = turns_at WHERE id = %s",
            (4 * visits, 2 * visits, FAR_AHEAD, site_id),
        )


def _statements(site_id: int) -> list[str]:
    undo = _UNDO.format(done=_DONE, started=_STARTED, called=_CALLED)
    events = "INSERT INTO events (site_id, seq, at, type, actor, command_id, entry_id, hash, body, sealed)"
    reason = ", 'reason', CONCAT(label, ' before ', prefix, '999: waiting longer')"
    return [
        "INSERT INTO visits (id, site_id, business_day, label, priority, party_size, language, display_name, token_hash,"
        f" sealed, opened_at, needs, seq) SELECT visit_id, {site_id}, day, label, 'standard', 1, 'en', NULL, hash,"
        " REPEAT(hash, 2), at, '[]', seq",
        "INSERT INTO entries (id, site_id, business_day, visit_id, queue_id, state, band, place, due_at, point_id, calls,"
        " since, called_at, first_called_at, estimating, `undo`, seq)"
        f" SELECT entry_id, {site_id}, day, visit_id, queue_id, 'completed', 1, at, at, point_id, 1, {_DONE}, {_CALLED},"
        f" {_CALLED}, FALSE, {undo}, seq + 3",
        "INSERT INTO announcements (id, site_id, business_day, entry_id, point_id, label, kind, at, seq)"
        f" SELECT visit_id, {site_id}, day, entry_id, point_id, label, 'call', {_CALLED}, seq + 1",
        f"{events} SELECT {site_id}, seq, at, 'ticket-issued', 'staff:1', LEFT(hash, 32), entry_id, hash, {_ISSUED},"
        " REPEAT(hash, 2)",
        *(
            f"{events} SELECT {site_id}, seq + {later}, {ended}, '{event}', 'staff:1', MID(hash, {later}, 32), entry_id,"
            f" hash, {_STEP.format(more=reason if event == 'ticket-called' else '')}, NULL"
            for _, _, ended, later, event in _STEPS
        ),
        *(
            "INSERT INTO intervals (entry_id, ended_by, site_id, state, started_at, ended_at, point_id, actor)"
            f" SELECT entry_id, seq + {later}, {site_id}, '{state}', {began}, {ended}, point_id, 'staff:1'"
            for state, began, ended, later, _ in _STEPS
        ),
    ]


PAST_DAYS = 20
_SECOND = 1_000_000
_HOUR = 3600  # in the seconds of a business day
_ARRIVALS = 60  # of a past day, every ten minutes, before now and after


def remember(connection: pymysql.Connection, site_id: int, queue_ids: list[int], point_ids: list[int]) -> None:
    """Give a site the memory of its last days: durations, pauses, first calls, breaks, and urgent patients.

    The days lie around the present time of the day, so the hour at which a bench runs does not matter. Each point rests
    once in the next hours, and one patient in ten minutes passes others.
    """
    with connection.cursor() as cursor:
        instant = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS INT)"
        cursor.execute(f"SELECT turns_at, seq, {instant} FROM sites WHERE id = %s", (site_id,))
        row = cursor.fetchone()
        assert row is not None
        turns_at, seq, at = row
        begins_at = turns_at - _DAY
        now = (at - begins_at) // _SECOND
        past = []
        for day in range(PAST_DAYS):
            points = []
            for number, point_id in enumerate(point_ids):
                early = (day * 37 + number * 11) % 60 * 60
                rests = now + _HOUR // 2 + (day * 53 + number * 29) % 120 * 60
                points.append([point_id, max(0, now - 2 * _HOUR - early), 1, rests, rests + 600 + (day * 71) % 20 * 60])
            times = [max(0, now + (number - _ARRIVALS // 2) * 600 + (day * 83) % 600) for number in range(_ARRIVALS)]
            arrivals = [[time, queue_ids[number % len(queue_ids)], 1, 1800] for number, time in enumerate(times)]
            past.append([points, arrivals])
        called = [[point_id, max(0, now - 2 * _HOUR), 1] for point_id in point_ids]
        cursor.execute(
            "REPLACE INTO habits (id, site_id, begins_at, points, arrivals, bookings, past, seq)"
            " VALUES (%s, %s, %s, %s, '[]', '[]', %s, %s)",
            (site_id, site_id, begins_at, json.dumps(called), json.dumps(past), seq),
        )
        durations = [(180 + (number * 97) % 900) * _SECOND for number in range(256)]
        pauses = [(number * 41) % 120 * _SECOND for number in range(64)]
        cursor.execute(
            "UPDATE queues SET durations = %s, pauses = %s WHERE site_id = %s",
            (json.dumps(durations), json.dumps(pauses), site_id),
        )
