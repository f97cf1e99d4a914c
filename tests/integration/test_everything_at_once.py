"""Four client processes send commands of every kind at the same time: the log and the rows stay consistent."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, func, insert, select, update

from server.domain.commands import COMMANDS, CallNext
from server.seeding import Seeder
from server.store.database import Database
from server.store.tables import entries, events
from tests.support.appointments import Day, appointments_today
from tests.support.crowd import Answered, Asked, ask_at_once
from tests.support.extent import scaled
from tests.support.server import environment, serving, vault
from tests.support.sites_in_databases import StoredSite, StoredWorld
from tests.support.truth import truth_of
from tests.support.worlds import wire_body

pytestmark = pytest.mark.long

ROUNDS = scaled(10, 3)
MOST_ROUNDS = 30  # the state that a request meets is random: the rounds go on until each command was accepted once
OFTEN = 40  # of about 330: the added weight of a command that the first rounds never accepted
CALLERS = 4
REQUESTS = 200
BEGUN = [minutes for minutes in range(-165, 0, 15) for _ in range(4)]  # appointments that patients can miss
TWICE = 0.15  # the share of keys that are sent twice at once, to two servers if there are two

# The action of `command_of` that makes each command, and the weight of the command. Add every new command here.
OF_THE_DAY: dict[str, tuple[str, int]] = {
    "issue-ticket": ("issue", 14),
    "call-next": ("call", 14),
    "call": ("call-one", 6),
    "recall": ("recall", 6),
    "start": ("start", 12),
    "complete": ("complete", 12),
    "no-show": ("no-show", 5),
    "hold": ("hold", 5),
    "return": ("return", 6),
    "transfer": ("transfer", 6),
    "leave": ("leave", 3),
    "cancel": ("cancel", 3),
    "reprioritise": ("reprioritise", 5),
    "move": ("move", 6),
    "running-late": ("running-late", 4),
    "undo": ("undo", 8),
    "reopen": ("reopen", 4),
    "open-point": ("open-point", 8),
    "break-point": ("break-point", 3),
    "close-point": ("close-point", 2),
    "open-queue": ("open-queue", 5),
    "pause-queue": ("pause-queue", 2),
    "broadcast-message": ("message", 3),
    "announce-delay": ("delay", 3),
    "withdraw-delay": ("on-time", 2),
    "add-queue": ("add-queue", 2),
    "add-point": ("add-point", 2),
    "add-display": ("add-display", 2),
    "change-display": ("change-display", 2),
    "change-kiosk": ("change-kiosk", 2),
    "ask-help": ("ask-help", 3),
    "answer-help": ("answer-help", 3),
    "amend-visit": ("amend", 4),
    "staff-point": ("staff", 4),
    "swap-points": ("swap", 3),
    "reassign-provider": ("reassign", 2),
    "change-site": ("change-site", 2),
    "add-service": ("add-service", 2),
    "change-service": ("change-service", 2),
    "add-provider": ("add-provider", 2),
    "change-provider": ("change-provider", 2),
    "change-queue": ("change-queue", 2),
    "change-point": ("change-point", 2),
    "add-kiosk": ("add-kiosk", 2),
    "rename-device": ("rename", 2),
    "renew-token": ("renew", 2),
    "revoke-token": ("revoke", 2),
    "remove": ("remove", 2),
    "arrange": ("arrange", 2),
    "hide-checklist": ("hide", 1),
    "end-trial": ("end-trial", 1),
}
OF_APPOINTMENTS: dict[str, tuple[str, int]] = {
    "add-schedule": ("add-schedule", 12),
    "change-schedule": ("change-schedule", 2),
    "end-schedule": ("end-schedule", 1),
    "add-exception": ("add-exception", 2),
    "remove-exception": ("remove-exception", 3),
    "link-practitioner": ("link", 2),
    "hold-slot": ("hold-slot", 5),
    "release-slot": ("release-slot", 4),
    "book": ("book", 14),
    "book-series": ("series", 3),
    "reschedule": ("reschedule", 5),
    "amend-appointment": ("amend-appointment", 4),
    "want-earlier": ("want-earlier", 4),
    "cancel-appointment": ("cancel-appointment", 5),
    "accept-offer": ("accept-offer", 3),
    "decline-offer": ("decline-offer", 3),
    "appointment-no-show": ("appointment-no-show", 2),
    "check-in": ("check-in", 8),
    "move-appointments": ("move-appointments", 3),
}
SENT = OF_THE_DAY | OF_APPOINTMENTS
# The commands that make an offer, which somebody can then accept or decline.
BEFORE = dict.fromkeys(("accept-offer", "decline-offer"), ("want-earlier", "cancel-appointment", "reschedule"))
NOT_SENT = {
    **dict.fromkeys(("hold-for-visitor", "book-for-visitor"), "visitors book at an address of their own: test_booking.py"),
    "import-appointments": "has an address of its own, see test_importing.py",
    "rezone": "the server's own command, see test_busy_cells.py",
    "drop-hold": "no client can send it; a restored database gets it, see test_backups.py",
    "clear-unreached": "only after a message did not arrive; see test_marks.py",
    "note-message": "no client can send it; servers do when a message has ended, see test_marks.py",
    "note-outage": "no client can send it; a server does after an outage, see test_outages.py",
    "confirm": "only after an outage; see test_outages.py",
    "pass-offer": "the server's own command after ten minutes",
    "tick": "no client can send it; the clocks of the servers send it all the time",
    "report-device": "no client can send it; servers do when a display connects or disconnects, see test_display_health.py",
    "join-queue": "no client can send it; phones join at an address of their own, see test_joining.py",
    "reach-milestone": "no client can send it; servers do after a first step outside the log, see test_first_steps.py",
    "set-up": "changes nothing for a second time; see test_blueprint.py",
    "close-day": "ends every entry, so that the rest of a round would be refused; see test_lost_answers.py",
}


def test_every_command_is_sent_or_has_a_reason() -> None:
    assert set(SENT) | set(NOT_SENT) == set(COMMANDS)
    assert not set(SENT) & set(NOT_SENT)


@pytest.mark.parametrize(("engine", "servers"), [("mysql", 2), ("sqlite", 1)])
def test_concurrent_commands_of_every_kind_keep_log_and_rows_consistent(
    engine: str, servers: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Ten rounds or more at one site. The servers may refuse a request with 404 or 409; no other failure is allowed."""
    url = request.getfixturevalue(f"{engine}_url")
    redis_url = request.getfixturevalue("redis_url") if servers > 1 else None
    # Without one public address, each server would name its own in the answer for a ticket.
    env = environment(url, redis_url, NOWSERVING_LOG_LEVEL="warning", NOWSERVING_PUBLIC_URL="http://clinic.test")
    day = appointments_today(env, BEGUN, points=8, tickets=60, providers=4)
    seeded = day.seeded
    answered: list[Answered] = []
    chance = random.Random(2)
    with ExitStack() as stack:
        running = [stack.enter_context(serving(env, tmp_path, name=f"server{index}")) for index in range(servers)]
        pool = stack.enter_context(ProcessPoolExecutor(CALLERS, multiprocessing.get_context("spawn")))
        token = running[0].sign_in(seeded, "admin")
        with running[0].client(token) as admin:
            for name in ("Dr Ada", "Dr Bose"):
                assert admin.post("/api/v1/practitioners", json={"name": name}).status_code == 201
        urls = [server.url for server in running]
        done = set[str]()
        for number in range(MOST_ROUNDS):
            if number >= ROUNDS and done == set(SENT):
                break
            world = asyncio.run(_world(url, seeded["site_id"], answered))
            lacking = set(SENT) - done if number >= ROUNDS else set[str]()
            lacking |= {each for name in lacking for each in BEFORE.get(name, ())}
            asked = [_choose_request(world, chance, urls, f"{number}-{index}", lacking) for index in range(REQUESTS)]
            jobs = [pool.submit(ask_at_once, token, asked[caller::CALLERS]) for caller in range(CALLERS)]
            answers = [each for job in jobs for each in job.result()]
            _check_answers(answers)
            answered += answers
            asyncio.run(_check_log(url, day, answered))
            done |= {each.asked.name for each in answers if each.status == 200}
    assert done == set(SENT), f"commands that were never accepted: {set(SENT) - done}"
    assert _count_keys_done_twice(answered) > ROUNDS, "too few keys were sent twice at once and accepted"


async def _world(url: str, site_id: int, answered: list[Answered]) -> StoredWorld:
    """Return the present state of the site, with the tokens that the answers so far told."""
    database = Database(url)
    try:
        site = StoredSite(database, site_id, vault())
        for each in answered:
            site.learn(each.body)
        return await site.world()
    finally:
        await database.close()


def _choose_request(world: StoredWorld, chance: random.Random, urls: list[str], key: str, lacking: set[str]) -> Asked:
    """Return a request that fits the present board. Other requests may change the board before it arrives.

    Commands that are ``lacking`` come often.
    """
    name = chance.choices(list(SENT), [weight + OFTEN * (name in lacking) for name, (_, weight) in SENT.items()])[0]
    command = world.command(SENT[name][0], chance.randrange(1000))
    while command.name_on_wire() != name:  # some actions also make commands that no client can send
        command = world.command(SENT[name][0], chance.randrange(1000))
    to = (urls * 2)[:2] if chance.random() < TWICE else [chance.choice(urls)]
    return Asked(name, wire_body(command), key, tuple(to))


def _check_answers(answers: list[Answered]) -> None:
    strange = [each for each in answers if each.status not in (200, 404, 409) and not _is_a_rule(each)]
    assert not strange, strange[:3]
    by_key: dict[str, list[Answered]] = defaultdict(list)
    for each in answers:
        by_key[each.asked.key].append(each)
    assert len(by_key) == REQUESTS
    for several in by_key.values():
        bodies = [each.body for each in several if each.status == 200]
        assert all(body == bodies[0] for body in bodies), "a repeated request got another answer"


def _is_a_rule(each: Answered) -> bool:
    """Return whether a rule refused a value: for example, two schedules would overlap."""
    return each.status == 422 and each.body["error"]["code"] in ("invalid_field", "no_such_local_time")


async def _check_log(url: str, day: Day, answered: list[Answered]) -> None:
    truth = await truth_of(url, day.seeded["site_id"], day.time_zone)
    numbers = {each.asked.key: [event["seq"] for event in each.body["events"]] for each in answered if each.status == 200}
    asked = {each.asked.key for each in answered}
    for key in asked:
        # A command may first record an overdue event, such as the end of an absence. Its answer lists that event too, once.
        assert truth.done.get(key, []) == numbers.get(key, []), f"the log does not contain the events of {key} exactly once"


def _count_keys_done_twice(answered: list[Answered]) -> int:
    done = Counter(each.asked.key for each in answered if each.status == 200)
    return sum(count == 2 for count in done.values())


# The checks themselves

_LAST = select(func.max(events.c.seq)).scalar_subquery()
# The same events with numbers after all others, as if they had happened a second time.
_REPEATED = select(*(_LAST + 1 if column is events.c.seq else column for column in events.c))
TAMPERED: dict[str, Executable] = {
    "the rows differ from the board": update(entries).values(calls=7),
    "a number is missing": delete(events).where(events.c.seq == 3),
    "a patient was called who was not waiting": insert(events).from_select(
        list(events.c), _REPEATED.where(events.c.type == "ticket-called")
    ),
}


@pytest.mark.parametrize("problem", TAMPERED)
async def test_inconsistency_is_noticed(problem: str, database: Database, database_url: str, setup: Seeder) -> None:
    seeded = await setup.seed(points=1, tickets=3, displays=0)
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    await truth_of(database_url, seeded["site_id"])
    async with database.write() as connection:
        await connection.execute(TAMPERED[problem])
    with pytest.raises(AssertionError, match=problem):
        await truth_of(database_url, seeded["site_id"])
