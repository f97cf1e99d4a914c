"""Text columns on the MySQL family: each compares to the last character, and holds the longest text that the code makes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, get_args, get_type_hints
from zoneinfo import available_timezones

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import JSON, String, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from server.app import build_app
from server.audit import OPERATOR, _named, process_name
from server.domain.commands import COMMANDS
from server.domain.events import EVENTS
from server.domain.flags import FLAGS, Variant
from server.domain.messages import LONGEST_TEXT, STOPPABLE, TEMPLATES, Arrival, OptOutSource
from server.domain.model import (
    AppointmentState,
    CheckIn,
    EndedBy,
    ExceptionKind,
    Printer,
    Printing,
    State,
    languages,
    local_time,
)
from server.domain.model.entries import Announcement
from server.domain.model.ids import MAX_ID
from server.domain.model.resources import PointState
from server.domain.model.tickets import label
from server.domain.model.visits import Priority
from server.domain.roles import MAY, ROLES
from server.identity import user_agents
from server.identity.callers import Bearer
from server.identity.permissions import NOTED_BY_THEMSELVES
from server.identity.sessions import SPENT_KEPT
from server.notifying.channels.kinds import KINDS, WAYS
from server.notifying.report_texts import LANGUAGES as REPORT_LANGUAGES
from server.queries import system
from server.seeding import Seed, Seeder
from server.settings import Settings
from server.store import account_links, daily_sums, report_mails
from server.store.audit import CHAIN_CHANGED
from server.store.circuits import LONGEST_NAME
from server.store.database import Database
from server.store.proofs import COUNTED, PROVEN
from server.store.tables import events, metadata, organisations, sites, visits
from server.transport.api.channels import OUTCOMES
from server.transport.api.commands import MAX_KEY
from server.transport.api.webhooks import OUTCOMES as WEBHOOK_OUTCOMES
from server.transport.http.bodies import MODELS
from server.transport.streams.feedback import MAX_VERSION
from server.vault import Vault
from tests.support import databases
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.server import KEYS

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDE = "\U0001d49c"  # one character, four bytes
TEXT_COLUMNS = {
    f"{table.name}.{column.name}": column.type.length
    for table in metadata.tables.values()
    for column in table.columns
    if isinstance(column.type, String) and column.type.length is not None
}


class Installation:
    """An application on MariaDB, and a client of its administrator."""

    def __init__(self, database: Database, seed: Seed, client: httpx.AsyncClient) -> None:
        self.database = database
        self.seed = seed
        self.client = client

    async def do(self, name: str, /, **body: Any) -> dict[str, Any]:
        """Do a command with the longest key that a client may send."""
        self.keys = getattr(self, "keys", 0) + 1
        key = f"{self.keys}".rjust(MAX_KEY, "k")
        answer = await self.client.post(f"/api/v1/commands/{name}", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 200, (name, answer.text)
        made: dict[str, Any] = answer.json()
        return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    with databases.fresh_database(request.getfixturevalue("database_server")) as url:
        app = build_app(Settings(database_url=SecretStr(url)), KEYS)
        database, executor = app.state.context.database, app.state.context.executor
        await bring_up(database)
        async with app.router.lifespan_context(app):
            with quick_passwords():
                seed = await Seeder(database, executor).seed(points=1, tickets=0, displays=1)
            transport = httpx.ASGITransport(app, client=("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://clinic.example") as client:
                admin = next(each for each in seed["staff"] if each["role"] == "admin")
                body = {"username": admin["username"], "password": admin["password"]}
                token = (await client.post("/api/v1/session", json=body)).json()["access_token"]
                client.cookies.clear()
                client.headers.update({"Authorization": f"Bearer {token}", "X-Request-ID": "r" * 64})
                yield Installation(database, seed, client)


async def test_every_text_column_has_a_collation_without_padding(installation: Installation) -> None:
    """Otherwise "reception " is "reception" in look-ups and unique keys."""
    found = text(
        "SELECT c.table_name, c.column_name, c.collation_name FROM information_schema.columns c "
        "WHERE c.table_schema = DATABASE() AND c.collation_name IS NOT NULL"
    )
    padded = text("SELECT collation_name FROM information_schema.collations WHERE collation_name LIKE '%nopad%'")
    async with installation.database.read() as connection:
        unpadded = {*await connection.scalars(padded), "utf8mb4_0900_bin"}
        columns = [tuple(row) for row in await connection.execute(found)]
    ours = [(table, column, name) for table, column, name in columns if table in metadata.tables]
    assert len(ours) >= len(TEXT_COLUMNS)
    wrong = [
        (table, column, name)
        for table, column, name in ours
        if not isinstance(metadata.tables[table].c[column].type, JSON) and (name not in unpadded or "bin" not in name)
    ]
    assert wrong == []


@pytest.mark.parametrize("other", ["reception ", "Reception", "reception\u00a0", "re\u0301ception", "reception\u200d"])
async def test_words_that_differ_in_any_character_are_different(installation: Installation, other: str) -> None:
    """Unique keys hold both, and a look-up finds one."""
    one = "reception"
    async with installation.database.engine.connect() as connection:
        await connection.execute(insert(organisations), [{"name": one}, {"name": other}])
        for word in (one, other):
            found = select(organisations.c.name).where(organisations.c.name == word)
            assert list(await connection.scalars(found)) == [word]
        await connection.rollback()


LONGEST_ACTOR = max((Bearer(kind, MAX_ID).actor for kind in ("display", "kiosk", "ticket")), key=len)
HASH = len(Vault([b"k" * 32], "x").keyed_hash("x"))
LABEL = label("A", 999_999)
DAY = "2026-12-31"
LONGEST_TAG = f"de-Latn-DE-{'abcdefgh-' * 2}abcdef"


def bound(command: str, field: str) -> int:
    """Return the longest text that the API accepts for a field of a command."""
    limits = [each.max_length for each in MODELS[command].model_fields[field].metadata if hasattr(each, "max_length")]
    return int(limits[0])


def longest(*texts: str) -> int:
    return max(map(len, texts))


# The longest text that the code writes into each column. The second test below writes most of them.
LONGEST: dict[str, int] = {
    "organisations.name": 120,
    "sites.name": max(120, bound("change-site", "name")),
    "sites.time_zone": longest(*available_timezones()),
    "sites.language": bound("change-site", "language"),
    "sites.business_day": len(DAY),
    "sites.message": bound("broadcast-message", "message"),
    "sites.epoch": 8,
    "sites.chain": HASH,
    "feedback.visit_hash": HASH,
    "feedback.day": len(DAY),
    "services.public_name": bound("add-service", "public_name"),
    "providers.name": bound("add-provider", "name"),
    "practitioners.name": 80,
    **dict.fromkeys(("schedules.anchor_date", "schedules.valid_from", "schedules.valid_until", "exceptions.date"), len(DAY)),
    "exceptions.kind": longest(*get_args(ExceptionKind)),
    "exceptions.reason": bound("add-exception", "reason"),
    "appointments.business_day": len(DAY),
    "appointments.state": longest(*get_args(AppointmentState)),
    "appointments.local_start": len(f"{DAY}T09:00"),
    "appointments.zone": longest(*available_timezones()),
    "appointments.tz_version": longest(local_time.tz_version(), "2026aa"),
    **{f"appointments.{name}": HASH for name in ("token_hash", "phone_hash", "held_by", "held_from")},
    "appointments.language": bound("book", "language"),
    "appointments.overbooked": max(bound("book", "overbook"), bound("reschedule", "overbook")),
    "appointments.foreign_id": bound("book", "foreign_id"),
    "appointments.ended_by": longest(*get_args(EndedBy)),
    "calendar_feeds.key_hash": HASH,
    "calendar_feeds.made_by": len(LONGEST_ACTOR),
    "queues.name": bound("add-queue", "name"),
    "queues.prefix": 1,
    "points.name": bound("add-point", "name"),
    "points.state": longest(*get_args(PointState)),
    "displays.name": max(bound("add-display", "name"), bound("rename-device", "name")),
    "displays.token_hash": HASH,
    "displays.version": MAX_VERSION,
    "displays.heard_by": 32,
    "kiosks.name": max(bound("add-kiosk", "name"), bound("rename-device", "name")),
    "kiosks.token_hash": HASH,
    "kiosks.version": MAX_VERSION,
    "kiosks.heard_by": 32,
    "kiosks.printer": max(map(len, get_args(Printer))),
    "kiosks.printing": max(map(len, get_args(Printing))),
    "kiosks.check_in": max(map(len, get_args(CheckIn))),
    "kiosks.place": bound("change-kiosk", "place"),
    "kiosks.help_by": bound("answer-help", "name"),
    "visits.business_day": len(DAY),
    "visits.label": len(LABEL),
    "visits.priority": longest(*get_args(Priority)),
    "visits.language": bound("issue-ticket", "language"),
    # Each word of a name may become an initial with a full stop.
    "visits.display_name": bound("issue-ticket", "name") * 2,
    "visits.token_hash": HASH,
    "visits.joined_from": HASH,
    "entries.business_day": len(DAY),
    "entries.state": longest(*get_args(State)),
    "announcements.business_day": len(DAY),
    "announcements.label": len(LABEL),
    "announcements.kind": longest(*get_args(get_type_hints(Announcement)["kind"])),
    "counters.prefix": 1,
    "counters.business_day": len(DAY),
    "intervals.state": longest(*get_args(State)),
    "intervals.actor": len(LONGEST_ACTOR),
    "events.type": longest(*EVENTS),
    "events.actor": len(LONGEST_ACTOR),
    "events.command_id": MAX_KEY,
    "events.hash": HASH,
    "events.display_name": bound("issue-ticket", "name") * 2,
    "commands.command_id": MAX_KEY,
    "commands.body_hash": HASH,
    "staff.username": 80,
    "staff.password_hash": 97,
    "staff.role": longest(*ROLES),
    "sessions.id": 32,
    "sessions.refresh_hash": HASH,
    "sessions.browser": longest(*(name for name, _ in user_agents._BROWSERS)),
    "sessions.platform": longest(*(name for name, _ in user_agents._PLATFORMS)),
    "recovery_codes.code_hash": HASH,
    "account_links.kind": longest(account_links.INVITATION, account_links.RESET),
    "account_links.username": 80,
    "account_links.role": longest(*ROLES),
    "account_links.secret_hash": HASH,
    "account_links.made_by": len(LONGEST_ACTOR),
    "sessions.spent": SPENT_KEPT * len(f"{'h' * HASH}@{MAX_ID} "),
    "visit_search.kind": len("date_of_birth"),
    "visit_search.hash": HASH,
    "visit_search.business_day": len(DAY),
    "audit_chains.process": 100 + len(":4194304"),
    "audit_chains.hash": HASH,
    "audit.actor": len(LONGEST_ACTOR),
    "audit.action": longest(*COMMANDS, *MAY, *NOTED_BY_THEMSELVES, "refresh-again", "sign-in-locked", CHAIN_CHANGED),
    "audit.subject": max(100 + len(":4194304"), len(_named({"path_params": {"provider_id": MAX_ID}}))),
    "audit.address": HASH,
    "audit.request_id": 64,
    "audit.hash": HASH,
    # A detail is a change of a role or a flag, or the lost head of a chain.
    "audit.detail": max(longest(*ROLES) * 2 + len("role:  -> "), len(f"{MAX_ID}:") + HASH),
    "checkpoints.business_day": len(DAY),
    "checkpoints.hash": HASH,
    "census.name": longest(*(table.name for table in COUNTED)),
    "lockouts.subject": HASH,
    "lockouts.origin": HASH,
    "api_keys.name": 80,
    "api_keys.key_hash": HASH,
    "webhooks.url": 500,
    "webhooks.state": longest("on", "off", "gone"),
    "webhook_sites.error": longest(*WEBHOOK_OUTCOMES),
    "channels.way": longest(*WAYS),
    "channels.enabled_way": longest(*WAYS),
    "channels.kind": longest(*KINDS),
    "channels.receipts_hash": HASH,
    "channels.outcome": longest(*OUTCOMES),
    "channels.arrival": longest(*get_args(Arrival)),
    "message_texts.template": longest(*TEMPLATES),
    "message_texts.language": languages.LONGEST,
    "message_texts.text": LONGEST_TEXT,
    "opt_outs.way": longest(*STOPPABLE),
    "opt_outs.address_hash": HASH,
    "opt_outs.source": longest(*get_args(OptOutSource)),
    "setup_codes.code_hash": HASH,
    "pairings.code_hash": HASH,
    "pairings.secret_hash": HASH,
    "processes.id": 32,
    "daily_sums.part": longest(*daily_sums.PARTS),
    "daily_sums.business_day": 10,
    "daily_sums.about": len(f"{'e' * 16}:1439:{max(available_timezones(), key=len)}"),
    "report_readers.address_hash": HASH,
    "report_readers.language": longest(*REPORT_LANGUAGES),
    "report_readers.asked_by": len(f"staff:{MAX_ID}"),
    "report_mails.key": HASH,
    "report_mails.month": 7,
    "report_mails.address_hash": HASH,
    "report_mails.language": longest(*REPORT_LANGUAGES),
    "report_mails.asked_by": len(f"staff:{MAX_ID}"),
    "report_mails.state": longest(*report_mails.STATES),
    "report_mails.reason": longest(*OUTCOMES, "no-attachments"),
    "findings.name": longest(*system.PARTS),
    "findings.code": longest(*system.TEXTS),
    "findings.state": longest(*get_args(system.State)),
    "findings.told": longest(*get_args(system.State)),
    "clock_anchors.boot_id": 36,
    "clock_anchors.host": 100,  # cut to this length
    "notifications.subject": len(f"entry:{MAX_ID}"),
    "notifications.kind": 24,
    "notifications.channel": 16,
    "notifications.state": 12,
    "notifications.claim": 32,
    "notifications.provider_id": 120,
    "notifications.reason": 40,
    "notifications.receipt": len("undelivered-for-now"),
    "flags.flag_key": longest(*FLAGS),
    "flags.default_variant": longest(*get_args(Variant)),
    "flags.author": len(OPERATOR),
    "flags.reason": 200,  # the command line accepts no longer one
    "backups.name": 120,  # a longer name of a restored file is cut
    "leases.name": LONGEST_NAME,  # a longer name of a circuit is cut
    "leases.holder": 32,
}


LONGEST |= {f"{table.name}.proof": HASH for table in PROVEN}


async def test_every_text_column_has_a_longest_text_that_fits() -> None:
    assert set(LONGEST) == set(TEXT_COLUMNS), "name the longest text of each new column"
    too_long = {name: (length, TEXT_COLUMNS[name]) for name, length in LONGEST.items() if length > TEXT_COLUMNS[name]}
    assert too_long == {}


# Names of the greatest length, whose display names are as long as they get.
NAMES = (
    WIDE * 80,
    f"{WIDE * 78} {WIDE}",
    " ".join([WIDE] * 40),
    f"{WIDE} " * 39 + WIDE * 2,
    f"{WIDE * 40}-{WIDE * 39}",
    "\ufdfa" * 80,  # a single character that compatibility forms turn into eighteen
    "\u0390" * 80,  # a letter that becomes three by case and decomposition
)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_longest_name_with_consent_is_stored_and_shown(installation: Installation, name: str) -> None:
    site_id, queue_id = installation.seed["site_id"], installation.seed["queue_ids"][0]
    async with installation.database.read() as connection:
        rules = await connection.scalar(select(sites.c.rules).where(sites.c.id == site_id))
    if rules is None or not rules["names_on_display"]:
        await installation.do("change-site", site_id=site_id, names_on_display=True)
    issued = await installation.do("issue-ticket", queue_id=queue_id, name=name, name_on_display=True, notes=WIDE * 500)
    entry_id = issued["entry"]["id"]
    await installation.do("amend-visit", entry_id=entry_id, name=f"{name[:-1]}y")
    await installation.do("call", entry_id=entry_id, point_id=installation.seed["point_ids"][0])
    await installation.do("start", entry_id=entry_id)
    await installation.do("complete", entry_id=entry_id)
    async with installation.database.read() as connection:
        widest = [
            await connection.scalar(select(func.max(func.char_length(table.c.display_name)))) for table in (visits, events)
        ]
    assert 0 < max(each or 0 for each in widest) <= LONGEST["visits.display_name"]


async def book_with_the_longest_texts(installation: Installation, provider_id: int, service_id: int) -> None:
    """Close a date, book a time, move it and cancel it, and add a practitioner and a feed: each with the longest texts."""
    of = {"site_id": installation.seed["site_id"], "provider_id": provider_id}
    await installation.do("add-exception", **of, date="2030-01-07", kind="closed", reason=WIDE * 200)
    hours = {"from": "08:00", "until": "18:00", "slot_minutes": 15, "valid_from": "2030-01-01", "valid_until": "2031-01-01"}
    await installation.do("add-schedule", **of, service_ids=[service_id], weekday=1, anchor_date="2030-01-01", **hours)
    contact = {"phone": "+49 30 901820", "email": f"{'e' * 64}@{'e' * 180}", "date_of_birth": "1985-12-10"}
    booked = await installation.do(
        "book",
        **of,
        **contact,
        service_id=service_id,
        local_start="2030-01-08T09:00",
        name=WIDE * 80,
        note=WIDE * 500,
        language=LONGEST_TAG,
        foreign_id=WIDE * 80,
        overbook=WIDE * 200,
    )
    made = {"appointment_id": booked["appointment"]["id"]}
    await installation.do("amend-appointment", **made, name=WIDE * 79 + "y", note=WIDE * 500)
    await installation.do("reschedule", **made, version=1, local_start="2030-01-08T10:00", overbook=WIDE * 200)
    await installation.do("cancel-appointment", **made, version=2, reason=WIDE * 200)
    held = await installation.do("hold-slot", **of, service_id=service_id, local_start="2030-01-08T11:00")
    await installation.do("release-slot", site_id=of["site_id"], hold_token=held["token"])
    answer = await installation.client.post("/api/v1/practitioners", json={"name": WIDE * 80})
    assert answer.status_code == 201, answer.text
    answer = await installation.client.post(f"/api/v1/providers/{provider_id}/calendar-feeds")
    assert answer.status_code == 201, answer.text


async def test_longest_texts_of_all_commands_are_stored(installation: Installation) -> None:
    site_id = installation.seed["site_id"]
    service = await installation.do("add-service", site_id=site_id, name=WIDE * 80, public_name=WIDE * 80)
    service_id = service["events"][-1]["service_id"]
    await installation.do("change-service", service_id=service_id, name="y" * 80, public_name=WIDE * 79 + "y")
    provider = (await installation.do("add-provider", site_id=site_id, name=WIDE * 80))["events"][-1]["provider_id"]
    queue = await installation.do("add-queue", site_id=site_id, name=WIDE * 80, prefix="Z", service_id=service_id)
    queue_id = queue["events"][-1]["queue_id"]
    point = await installation.do("add-point", site_id=site_id, name=WIDE * 80, queue_ids=[queue_id])
    point_id = point["events"][-1]["point_id"]
    await installation.do("staff-point", point_id=point_id, provider_id=provider)
    for kind in ("display", "kiosk"):
        made = await installation.do(f"add-{kind}", site_id=site_id, name=WIDE * 80)
        device_id = next(value for key, value in made["events"][-1].items() if key.endswith("_id"))
        await installation.do("rename-device", device_id=device_id, name=WIDE * 79 + "y")
    await installation.do("broadcast-message", site_id=site_id, message=WIDE * 200)
    await installation.do("change-site", site_id=site_id, name=WIDE * bound("change-site", "name"))
    zone = max(available_timezones(), key=len)
    await installation.do("change-site", site_id=site_id, time_zone=zone, language=LONGEST_TAG)
    contact = {"phone": "+49 30 901820", "email": f"{'e' * 64}@{'e' * 180}", "date_of_birth": "1985-12-10"}
    issued = await installation.do(
        "issue-ticket",
        queue_id=queue_id,
        name=WIDE * 80,
        notes=WIDE * 500,
        language=LONGEST_TAG,
        overrule=True,
        **contact,
    )
    entry_id = issued["entry"]["id"]
    await installation.do("reprioritise", entry_id=entry_id, priority="emergency", reason=WIDE * 200)
    await installation.do("cancel", entry_id=entry_id, reason=WIDE * 200)
    await book_with_the_longest_texts(installation, provider, service_id)
    member = {"username": "w" * 80, "password": "a long and rare passphrase", "role": "receptionist"}
    with quick_passwords():
        answer = await installation.client.post("/api/v1/staff", json=member)
    assert answer.status_code == 201, answer.text
    answer = await installation.client.post("/api/v1/api-keys", json={"name": WIDE * 80})
    assert answer.status_code == 201, answer.text
    assert len(process_name()) <= LONGEST["audit_chains.process"]


async def test_column_refuses_a_longer_text(installation: Installation) -> None:
    """The server of this test is strict: it cuts no text silently."""
    with pytest.raises(DBAPIError):
        async with installation.database.engine.begin() as connection:
            await connection.execute(insert(organisations).values(name="x" * 121))
