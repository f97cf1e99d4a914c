"""The tables. A record of `server.domain.model` has a table with the same columns, found through `TABLES`.

Instants are BIGINT microseconds of UTC. The database itself forbids duplicates: unique keys on generated columns that are
NULL unless the row is open or busy. MySQL, MariaDB and SQLite all enforce them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Computed, Index, Integer, MetaData, String, Table, Text, false
from sqlalchemy.dialects.mysql import LONGTEXT

from server.domain.model import (
    Announcement,
    Appointment,
    Counter,
    Display,
    Entity,
    Entry,
    Habits,
    Kiosk,
    Point,
    Provider,
    Queue,
    Schedule,
    ScheduleException,
    Service,
    Site,
    Visit,
    languages,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)
# The migrations add the collation, whose name differs: see `server.store.collations`.
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
_BIG_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
# SQLite numbers rows only in an INTEGER key.
_OWN_ID = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[int]:
    return Column("id", BigInteger, primary_key=True, autoincrement=False)


def _site_id() -> Column[int]:
    return Column("site_id", BigInteger, nullable=False)


def _seq() -> Column[int]:
    return Column("seq", BigInteger, nullable=False)


def _proof() -> Column[str]:
    """The keyed hash of the row, see `server.store.proofs`. NULL in a row from the time before, until it is proven."""
    return Column("proof", String(64))


def _removed_at() -> Column[int]:
    """0 until the record is removed. Part of a unique key, so that the name of a removed record is free again."""
    return Column("removed_at", BigInteger, nullable=False, server_default="0")


organisations = Table(
    "organisations",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    **_OPTIONS,
)

sites = Table(
    "sites",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("name", String(120), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("language", String(languages.LONGEST), nullable=False),
    Column("day_turns_at_minutes", Integer, nullable=False),
    Column("business_day", String(10), nullable=False),
    Column("turns_at", BigInteger, nullable=False),
    Column("next_tick_at", BigInteger, nullable=False),
    Column("quoted_at", BigInteger, nullable=False),
    Column("message", String(200)),
    Column("epoch", String(16), nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("last_event_at", BigInteger, nullable=False),
    _seq(),
    Column("rules", JSON, nullable=False),
    Column("milestones", JSON, nullable=False),
    Column("late_minutes", Integer, nullable=False, server_default="0"),
    Column("late_since", BigInteger),
    Column("late_number", BigInteger, nullable=False, server_default="0"),
    Column("chain", String(64), nullable=False),  # the hash of the log's last event; not part of the record `Site`
    _proof(),
    Index(None, "organisation_id", "name", "id"),
    Index(None, "next_tick_at"),
    **_OPTIONS,
)

services = Table(
    "services",
    metadata,
    _id(),
    _site_id(),
    Column("public_name", String(80), nullable=False),
    Column("position", Integer, nullable=False),
    Column("sealed", Text),
    _seq(),
    Column("names", JSON, nullable=False),
    _removed_at(),
    Index(None, "site_id", "public_name", "removed_at", unique=True),
    **_OPTIONS,
)

providers = Table(
    "providers",
    metadata,
    _id(),
    _site_id(),
    Column("name", String(80), nullable=False),
    Column("position", Integer, nullable=False),
    _seq(),
    _removed_at(),
    Column("practitioner_id", BigInteger),
    Index(None, "site_id", "name", "removed_at", unique=True),
    Index(None, "practitioner_id"),
    **_OPTIONS,
)

# People whom several sites of an organisation may book. Their ids are smaller than those of any site's records.
practitioners = Table(
    "practitioners",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("name", String(80), nullable=False),
    Index(None, "organisation_id", "name", unique=True),
    **_OPTIONS,
)

schedules = Table(
    "schedules",
    metadata,
    _id(),
    _site_id(),
    Column("provider_id", BigInteger, nullable=False),
    Column("service_ids", JSON, nullable=False),
    Column("weekday", Integer, nullable=False),
    Column("from_minute", Integer, nullable=False),
    Column("until_minute", Integer, nullable=False),
    Column("slot_minutes", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("every_n_weeks", Integer, nullable=False),
    Column("anchor_date", String(10), nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    _seq(),
    Column("point_id", BigInteger),
    Column("buffer_minutes", Integer, nullable=False),
    Column("notice_minutes", Integer, nullable=False),
    Column("days_ahead", Integer, nullable=False),
    Column("opens_before", Integer, nullable=False),
    Index(None, "site_id", "valid_until"),
    **_OPTIONS,
)

exceptions = Table(
    "exceptions",
    metadata,
    _id(),
    _site_id(),
    Column("provider_id", BigInteger),
    Column("date", String(10), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("from_minute", Integer, nullable=False),
    Column("until_minute", Integer, nullable=False),
    Column("reason", String(200), nullable=False),
    _seq(),
    Column("service_ids", JSON, nullable=False),
    Column("slot_minutes", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("point_id", BigInteger),
    Column("buffer_minutes", Integer, nullable=False),
    _removed_at(),
    Index(None, "site_id", "removed_at", "date"),
    **_OPTIONS,
)

appointments = Table(
    "appointments",
    metadata,
    _id(),
    _site_id(),
    Column("business_day", String(10)),
    Column("service_id", BigInteger, nullable=False),
    Column("provider_id", BigInteger, nullable=False),
    Column("resource_id", BigInteger, nullable=False),
    Column("point_id", BigInteger),
    Column("state", String(12), nullable=False),
    Column("local_start", String(16), nullable=False),
    Column("fold", Integer, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("buffer_minutes", Integer, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("tz_version", String(16), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("sealed", Text),
    Column("language", String(languages.LONGEST), nullable=False),
    Column("booked_at", BigInteger, nullable=False),
    _seq(),
    Column("needs", JSON, nullable=False),
    Column("phone_hash", String(64)),
    Column("held_until", BigInteger),
    Column("held_by", String(64)),
    Column("held_from", String(64)),
    Column("extended", Boolean, nullable=False, server_default=false()),
    Column("overbooked", String(200)),
    Column("freed_from", BigInteger),
    Column("visit_id", BigInteger),
    Column("series_id", BigInteger),
    Column("foreign_id", String(80)),
    Column("ended_by", String(8)),
    Column("late", Boolean, nullable=False, server_default=false()),
    Column("earlier_since", BigInteger),
    Column("offered_to", BigInteger),
    Column("collides", Boolean, nullable=False, server_default=false()),
    Column("unreached", JSON(none_as_null=True)),
    Index(None, "site_id", "business_day"),
    Index(None, "site_id", "starts_at"),
    Index(None, "provider_id", "starts_at"),
    Index(None, "phone_hash", "starts_at"),
    Index(None, "site_id", "state", "held_until"),
    Index(None, "site_id", "foreign_id", unique=True),
    Index(None, "provider_id", "earlier_since"),
    Index(None, "offered_to"),
    Index("ix_appointments_zone_data", "site_id", "zone", "tz_version", "state", "starts_at"),
    Index(None, "series_id"),
    **_OPTIONS,
)

# The time that appointments take: five minutes of a person or a room a row. Derived from the appointments; the key forbids
# that two appointments take the same time, whichever sites, processes or clocks book them.
busy_cells = Table(
    "busy_cells",
    metadata,
    Column("resource_id", BigInteger, primary_key=True, autoincrement=False),
    Column("cell", BigInteger, primary_key=True, autoincrement=False),
    Column("lane", Integer, primary_key=True, autoincrement=False),
    _site_id(),
    Column("appointment_id", BigInteger, nullable=False),
    Column("held_until", BigInteger),
    Index(None, "appointment_id"),
    Index(None, "site_id", "cell"),
    **_OPTIONS,
)

queues = Table(
    "queues",
    metadata,
    _id(),
    _site_id(),
    Column("name", String(80), nullable=False),
    Column("prefix", String(1), nullable=False),
    Column("position", Integer, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("durations", JSON, nullable=False),
    _seq(),
    Column("service_id", BigInteger),
    Column("capacity", Integer, nullable=False, server_default="0"),
    Column("joins_anew", Boolean, nullable=False, server_default=false()),
    Column("names", JSON, nullable=False),
    _removed_at(),
    Column("pauses", JSON(none_as_null=True)),
    Column("paces", JSON(none_as_null=True)),
    Column("reactions", JSON(none_as_null=True)),
    Column("late_minutes", Integer, nullable=False, server_default="0"),
    Index(None, "site_id", "name", "removed_at", unique=True),
    **_OPTIONS,
)

points = Table(
    "points",
    metadata,
    _id(),
    _site_id(),
    Column("name", String(80), nullable=False),
    Column("queue_ids", JSON, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    _seq(),
    Column("provider_id", BigInteger),
    Column("unmet_needs", JSON, nullable=False),
    Column("names", JSON, nullable=False),
    _removed_at(),
    Index(None, "site_id", "name", "removed_at", unique=True),
    **_OPTIONS,
)

displays = Table(
    "displays",
    metadata,
    _id(),
    _site_id(),
    Column("name", String(80), nullable=False),
    Column("token_hash", String(64), unique=True),
    _seq(),
    _removed_at(),
    Column("connected", Boolean, nullable=False, server_default=false()),
    Column("since", BigInteger),
    Column("muted", Boolean, nullable=False, server_default=false()),
    Column("version", String(40)),
    Column("lag", Integer),
    Column("heard_by", String(32), index=True),
    Column("queue_ids", JSON, nullable=False),
    Column("point_ids", JSON, nullable=False),
    Index(None, "site_id", "name", "removed_at", unique=True),
    Index(None, "connected", "removed_at"),
    **_OPTIONS,
)

kiosks = Table(
    "kiosks",
    metadata,
    _id(),
    _site_id(),
    Column("name", String(80), nullable=False),
    Column("token_hash", String(64), unique=True),
    _seq(),
    _removed_at(),
    Column("connected", Boolean, nullable=False, server_default=false()),
    Column("since", BigInteger),
    Column("version", String(40)),
    Column("lag", Integer),
    Column("heard_by", String(32), index=True),
    Column("printer", String(8)),
    Column("queue_ids", JSON, nullable=False),
    Column("printing", String(8), nullable=False, server_default="none"),
    Column("low", Boolean, nullable=False, server_default=false()),
    Column("check_in", String(8), nullable=False, server_default="off"),
    Column("place", String(80), nullable=False, server_default=""),
    Column("help_asked_at", BigInteger),
    Column("help_by", String(80)),
    Index(None, "site_id", "name", "removed_at", unique=True),
    Index(None, "connected", "removed_at"),
    **_OPTIONS,
)

visits = Table(
    "visits",
    metadata,
    _id(),
    _site_id(),
    Column("business_day", String(10), nullable=False),
    Column("label", String(12), nullable=False),
    Column("priority", String(12), nullable=False),
    Column("party_size", Integer, nullable=False),
    Column("language", String(languages.LONGEST), nullable=False),
    Column("display_name", String(160)),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("sealed", Text),
    Column("opened_at", BigInteger, nullable=False),
    _seq(),
    Column("needs", JSON, nullable=False),
    Column("joined_from", String(64)),
    Column("trial", Boolean, nullable=False, server_default=false()),
    Column("appointment_id", BigInteger),
    Column("booked_for", BigInteger),
    Index(None, "site_id", "business_day", "label", unique=True),
    **_OPTIONS,
)

entries = Table(
    "entries",
    metadata,
    _id(),
    _site_id(),
    Column("business_day", String(10), nullable=False),
    Column("visit_id", BigInteger, nullable=False),
    Column("queue_id", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("band", Integer, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("point_id", BigInteger),
    Column("calls", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("called_at", BigInteger),
    Column("absent_until", BigInteger),
    Column("expect_from", BigInteger),
    Column("expect_until", BigInteger),
    Column("estimating", Boolean, nullable=False),
    Column("quoted_from", BigInteger),
    Column("quoted_until", BigInteger),
    Column("undo", JSON(none_as_null=True)),
    _seq(),
    Column("provider_id", BigInteger),
    Column("moved", Boolean, nullable=False, server_default=false()),
    Column("quoted_ahead", Integer),
    Column("quoted_points", Integer),
    Column("first_called_at", BigInteger),
    Column("held_until", BigInteger),
    Column("away_since", BigInteger),
    Column("away", BigInteger, nullable=False, server_default="0"),
    Column("delay", BigInteger, nullable=False, server_default="0"),
    Column("announced_at", BigInteger),
    Column("unreached", JSON(none_as_null=True)),
    Column("doubt", JSON(none_as_null=True)),
    Column("told", JSON(none_as_null=True)),
    Column("leave_until", BigInteger),
    Column("quoted_leave", BigInteger),
    Column(
        "busy_point_id",
        BigInteger,
        Computed("CASE WHEN state IN ('called', 'serving') THEN point_id END", persisted=True),
        unique=True,
    ),
    Column(
        "open_visit_id",
        BigInteger,
        Computed("CASE WHEN state IN ('waiting', 'called', 'serving', 'held') THEN visit_id END", persisted=True),
        unique=True,
    ),
    Index(None, "site_id", "business_day", "id"),
    Index(None, "site_id", "state", "id"),
    Index(None, "queue_id", "id"),
    Index(None, "queue_id", "state", "id"),
    Index(None, "queue_id", "state", "band", "place", "id"),
    Index(None, "visit_id"),
    **_OPTIONS,
)

announcements = Table(
    "announcements",
    metadata,
    _id(),
    _site_id(),
    Column("business_day", String(10), nullable=False),
    Column("entry_id", BigInteger, nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("label", String(12), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("at", BigInteger, nullable=False),
    _seq(),
    Index(None, "site_id", "business_day"),
    **_OPTIONS,
)

counters = Table(
    "counters",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("prefix", String(1), primary_key=True),
    Column("business_day", String(10), primary_key=True),
    Column("last", Integer, nullable=False),
    _seq(),
    **_OPTIONS,
)

# Each state that an entry has left, with its length: wait, walk and service are sums of these.
habits = Table(
    "habits",
    metadata,
    _id(),
    _site_id(),
    Column("begins_at", BigInteger, nullable=False),
    Column("points", JSON, nullable=False),
    Column("arrivals", JSON, nullable=False),
    Column("bookings", JSON, nullable=False),
    Column("past", JSON, nullable=False),
    _seq(),
    Column("leaves", JSON(none_as_null=True)),
    Column("shifts", JSON(none_as_null=True)),
    Index(None, "site_id"),
    **_OPTIONS,
)

intervals = Table(
    "intervals",
    metadata,
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ended_by", BigInteger, primary_key=True, autoincrement=False),  # the number of the event that ended it
    _site_id(),
    Column("state", String(12), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("point_id", BigInteger),
    Column("actor", String(40), nullable=False),
    Column("doubted", Boolean, nullable=False, server_default=false()),  # an outage came between: its length is unknown
    **_OPTIONS,
)

# The log: the truth, the outbox of the live stream, and the audit of every change. `hash` chains the columns before it
# except `entry_id`. The columns that retention clears are outside the chain; `proof` covers them.
events = Table(
    "events",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("type", String(40), nullable=False),
    Column("actor", String(40), nullable=False),
    Column("command_id", String(80), nullable=False),
    Column("entry_id", BigInteger),  # the entry of this step, or NULL; the history of a visit reads by it
    Column("body", _BIG_TEXT, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("sealed", Text),
    Column("display_name", String(160)),
    _proof(),
    Index(None, "entry_id"),
    **_OPTIONS,
)

# The entries that an event changed besides the one it names. Few events do: see `server.domain.events.others`.
event_entries = Table(
    "event_entries",
    metadata,
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # in the log of the entry's site
    **_OPTIONS,
)

# The answer of each command, for its repeats. Encrypted, because an answer can contain a token.
commands = Table(
    "commands",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", String(80), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("answer", _BIG_TEXT, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "at"),
    **_OPTIONS,
)

staff = Table(
    "staff",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("username", String(80), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("signed_in_at", BigInteger),
    _proof(),
    Index(None, "organisation_id"),
    Index(None, "role", "active"),
    **_OPTIONS,
)

# The second factors of staff (TOTP), by the id of the member. No code deletes a row: a removed factor has no ``sealed``.
second_factors = Table(
    "second_factors",
    metadata,
    _id(),
    Column("sealed", Text),  # the secret in force
    Column("pending", Text),  # the secret of a set-up that is not confirmed yet
    Column("confirmed_at", BigInteger),
    Column("last_step", BigInteger, nullable=False, server_default="0"),  # of the last accepted code
    _proof(),
    **_OPTIONS,
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("staff_id", BigInteger, primary_key=True, autoincrement=False),
    Column("code_hash", String(64), primary_key=True),
    Column("used_at", BigInteger),
    **_OPTIONS,
)

# Invitations of new staff, and links with which a member sets a new password.
account_links = Table(
    "account_links",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("staff_id", BigInteger),  # of a reset link
    Column("username", String(80)),  # of an invitation, if it is fixed
    Column("role", String(16)),  # of an invitation
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("made_by", String(40), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    _proof(),
    Index(None, "organisation_id", "kind"),
    Index(None, "staff_id", "kind"),
    **_OPTIONS,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("staff_id", BigInteger, nullable=False),
    Column("refresh_hash", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("spent", String(1000)),  # the refresh tokens that were exchanged lately: see `server.identity.sessions`
    Column("revoked_at", BigInteger),
    Column("browser", String(20)),
    Column("platform", String(20)),
    _proof(),
    Index(None, "staff_id"),
    **_OPTIONS,
)

# The search for past patients: keyed hashes, bound to their site.
visit_search = Table(
    "visit_search",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("visit_id", BigInteger, primary_key=True, autoincrement=False),
    Column("business_day", String(10), nullable=False),
    Index(None, "visit_id"),
    **_OPTIONS,
)

# The audit of access (sign-ins, reads, refusals): one chain for each process, with its head.
audit_chains = Table(
    "audit_chains",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("process", String(120), nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    _proof(),
    **_OPTIONS,
)

audit = Table(
    "audit",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(40), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("site_id", BigInteger),
    Column("organisation_id", BigInteger),
    Column("address", String(64)),
    Column("allowed", Boolean, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("detail", String(120)),
    Index(None, "organisation_id", "at", "chain_id", "n"),
    Index(None, "site_id", "at", "chain_id", "n"),
    **_OPTIONS,
)

# The number of rows that were added to a table whose rows nobody deletes: a removed row is missed.
census = Table(
    "census",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("added", BigInteger, nullable=False),
    _proof(),
    **_OPTIONS,
)

# Failed sign-ins of one user name from one address or known browser, as keyed hashes. The user may not exist.
lockouts = Table(
    "lockouts",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("origin", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    Column("locked_until", BigInteger, nullable=False),
    Index(None, "failed_at"),
    **_OPTIONS,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("site_id", BigInteger),  # the only site that the key opens; NULL opens the organisation
    Column("name", String(80), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    _proof(),
    Index(None, "organisation_id"),
    **_OPTIONS,
)

# The secret addresses with which calendar programs read the times of a provider.
calendar_feeds = Table(
    "calendar_feeds",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("provider_id", BigInteger, nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("made_by", String(40), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Index(None, "provider_id"),
    **_OPTIONS,
)

# The one-time code of the first run, in one row at most. The row is also the lock of the first run.
setup_codes = Table(
    "setup_codes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("code_hash", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("wrong_tries", Integer, nullable=False),
    **_OPTIONS,
)

# A device that asks for its token. A row lives ten minutes at most.
pairings = Table(
    "pairings",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("device_id", BigInteger),
    Column("sealed", Text),
    Column("told", Boolean, nullable=False, server_default=false()),
    Index(None, "expires_at"),
    **_OPTIONS,
)

# The server processes, each with the instant of its last sign of life.
processes = Table(
    "processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("heard_at", BigInteger, nullable=False),
    Column("report", JSON(none_as_null=True)),  # of the process about itself: see `server.queries.system.Report`
    Index(None, "heard_at"),
    **_OPTIONS,
)

# The present state of each part of the installation, with its start, and the state that the watchdog has mailed.
findings = Table(
    "findings",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("code", String(40), nullable=False),
    Column("state", String(8), nullable=False),
    Column("since", BigInteger, nullable=False),  # of the code
    Column("state_since", BigInteger, nullable=False),
    Column("told", String(8), nullable=False),
    Column("told_at", BigInteger),
    **_OPTIONS,
)

# The clock of the database on each machine, as its servers last saw it: see `server.clock`. Microseconds.
clock_anchors = Table(
    "clock_anchors",
    metadata,
    Column("boot_id", String(36), primary_key=True),  # of a machine since its last boot
    Column("host", String(100), nullable=False),
    Column("booted_at", BigInteger, nullable=False),  # by the trusted time
    Column("step", BigInteger, nullable=False),  # how far the clock is from the trusted time; 0 within the tolerance
    Column("behind", BigInteger, nullable=False),  # how far the trusted time is behind the log of a site
    Column("noted_at", BigInteger, nullable=False),
    **_OPTIONS,
)

# How an organisation sends messages: by each way, one enabled channel. A replaced channel stays, without its settings, for
# the receipts that are still to come.
channels = Table(
    "channels",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("way", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sealed", Text),  # the settings, as JSON; NULL of a removed channel
    Column("receipts_hash", String(64), nullable=False, unique=True),  # of the secret in the address of the receipts
    Column("enabled", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("outcome", String(16)),  # of the last message
    Column("outcome_at", BigInteger),
    Column("arrival", String(20)),  # of the last receipt
    Column("arrival_at", BigInteger),
    Column("enabled_way", String(8), Computed("CASE WHEN enabled THEN way END", persisted=True)),
    Index("uq_channels_enabled", "organisation_id", "enabled_way", unique=True),
    Index(None, "enabled_way", "outcome"),
    **_OPTIONS,
)

# One row for each message. The row, never the broker, decides whether the message is sent: see `server.store.notifications`.
notifications = Table(
    "notifications",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    _site_id(),
    Column("subject", String(40), nullable=False),
    Column("subject_version", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("ahead", Integer, nullable=False),  # the offset of the kind: hours, patients ahead, or an event's number
    Column("channel", String(16), nullable=False),  # the way to the patient: sms, email or push
    Column("visit_id", BigInteger),
    Column("entry_id", BigInteger),
    Column("state", String(12), nullable=False),
    Column("claim", String(32)),
    Column("due_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("appointment_id", BigInteger),
    Column("not_after", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("provider_id", String(120)),  # the provider's name for the message
    Column("reason", String(40)),
    Column("receipt", String(24)),
    Column("receipt_at", BigInteger),
    Column("resend_of", BigInteger, nullable=False, server_default="0"),  # the row that this one repeats, or 0
    Column("minutes", Integer),  # the delay that the message is about
    Column("news_at", BigInteger),  # set while the desk has not noted what became of the message
    Column("open_due_at", BigInteger, Computed("CASE WHEN state IN ('due', 'claimed') THEN due_at END", persisted=True)),
    Index("uq_notifications_once", "subject", "subject_version", "kind", "ahead", "channel", "resend_of", unique=True),
    Index(None, "open_due_at", "id"),
    Index(None, "state", "changed_at"),
    Index(None, "provider_id"),
    Index(None, "site_id", "due_at", "id"),
    Index(None, "site_id", "state", "due_at", "id"),
    Index(None, "appointment_id", "due_at", "id"),
    Index(None, "news_at", "id"),
    **_OPTIONS,
)

# The answers of patients after their visits. No row names a visit: the keyed hash of its id lets one answer count.
feedback = Table(
    "feedback",
    metadata,
    Column("visit_hash", String(64), primary_key=True),
    _site_id(),
    Column("day", String(10), nullable=False),  # the business day of the visit
    Column("score", Integer, nullable=False),
    Column("sealed", Text),
    Index(None, "site_id", "day"),
    **_OPTIONS,
)

# The addresses that take no more messages of an organisation on a way. Only a keyed hash of the address is here, so a row
# outlives the patient's records.
opt_outs = Table(
    "opt_outs",
    metadata,
    Column("organisation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("way", String(8), primary_key=True),
    Column("address_hash", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),  # patient, staff, provider or reply
    **_OPTIONS,
)

# The subscription with which a patient's phone gets push messages. The subject is a visit or an appointment.
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("subject_id", BigInteger, primary_key=True, autoincrement=False),
    Column("organisation_id", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False),  # as JSON, with the address of the page that subscribed
    Column("created_at", BigInteger, nullable=False),
    Index(None, "organisation_id"),
    Index(None, "created_at"),
    **_OPTIONS,
)

# Work that one process at a time does for all, until its lease ends.
leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("finished_at", BigInteger),  # the last time that a holder came to the end of the work
    **_OPTIONS,
)

# The backups that count: each was restored into a scratch database and verified there. No backup has its own row.
backups = Table(
    "backups",
    metadata,
    Column("name", String(120), primary_key=True),  # of the file
    Column("made_at", BigInteger, nullable=False),  # the instant of its content
    Column("verified_at", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("rows_kept", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("heads", _BIG_TEXT, nullable=False),  # of the logs of the sites, as JSON: {"7": [812, "3fa9..."]}
    Index(None, "made_at"),
    **_OPTIONS,
)

# The rules of an operator for feature flags: see `server.domain.flags`. No flag has more than one.
flags = Table(
    "flags",
    metadata,
    Column("flag_key", String(60), primary_key=True),
    Column("rule", Text, nullable=False),  # as JSON: {"variant": "on", "percent": 25}
    Column("default_variant", String(3), nullable=False),  # of the version that set the rule
    Column("author", String(80), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    **_OPTIONS,
)

# The boards of sites at the turns of their days, from which the boards of past instants are built. Without personal data.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # of the last event in it; 0: the site as created
    Column("at", BigInteger, nullable=False),  # of that event
    Column("business_day", String(10), nullable=False),
    Column("layout", Integer, nullable=False),  # of the version that made it
    Column("hash", String(64), nullable=False),  # of that event
    Column("sealed", _BIG_TEXT, nullable=False),
    **_OPTIONS,
)

# The sites whose future messages the sweep plans again, after other settings. ``mark`` is the log's number of the change.
message_plans = Table(
    "message_plans",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("mark", BigInteger, nullable=False),
    Column("after_id", BigInteger, nullable=False),  # the appointments up to here are done
    **_OPTIONS,
)

# Where an organisation gets the events of its sites, as Standard Webhooks.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", _OWN_ID, primary_key=True),
    Column("organisation_id", BigInteger, nullable=False),
    Column("url", String(500), nullable=False),
    Column("sealed", Text, nullable=False),  # the secret that signs, and for a day the one before it, as JSON
    Column("state", String(8), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index(None, "organisation_id", "id"),
    Index(None, "state"),
    **_OPTIONS,
)

# How far a webhook is in the log of a site. A delivery changes a row only from the number that it has read.
webhook_sites = Table(
    "webhook_sites",
    metadata,
    Column("webhook_id", BigInteger, primary_key=True, autoincrement=False),
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),  # of the last delivered event
    Column("next_at", BigInteger),  # not before this instant; NULL: switched off
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("failing_since", BigInteger),
    Column("off_at", BigInteger),  # switched off at, after days of failures
    Column("error", String(16)),  # of the last failure
    Index(None, "next_at"),
    Index(None, "failing_since"),
    **_OPTIONS,
)

# The clinics' own texts of messages, which come before the shipped ones. ``template`` is a name of `TEMPLATES`.
message_texts = Table(
    "message_texts",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("template", String(24), primary_key=True),
    Column("language", String(languages.LONGEST), primary_key=True),
    Column("text", String(600), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    **_OPTIONS,
)

# The sums of past business days for managers: see `server.store.daily_sums`. Derived from the log and from other rows; no
# row has a patient's data.
daily_sums = Table(
    "daily_sums",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("part", String(8), primary_key=True),
    Column("business_day", String(10), primary_key=True),
    Column("version", Integer, nullable=False),  # of the form and the meaning of the body
    Column("about", String(100), nullable=False),  # the epoch of the log, and the clock of the site
    Column("until_seq", BigInteger, nullable=False),  # the number of the day's last event
    Column("body", _BIG_TEXT, nullable=False),  # compressed JSON in base64
    **_OPTIONS,
)

TABLES: dict[type[Entity] | type[Site], Table] = {
    Site: sites,
    Service: services,
    Provider: providers,
    Queue: queues,
    Point: points,
    Display: displays,
    Kiosk: kiosks,
    Schedule: schedules,
    ScheduleException: exceptions,
    Appointment: appointments,
    Visit: visits,
    Entry: entries,
    Announcement: announcements,
    Counter: counters,
    Habits: habits,
}

# The addresses that get the report of each month, and the mails of reports. The address is sealed; its keyed hash is the
# key, so an address has one subscription, and one monthly mail of each month.
report_readers = Table(
    "report_readers",
    metadata,
    Column("site_id", BigInteger, primary_key=True, autoincrement=False),
    Column("address_hash", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("hour", Integer, nullable=False),  # of the wall clock of the site
    Column("asked_by", String(40), nullable=False),
    Column("since", BigInteger, nullable=False),
    **_OPTIONS,
)

report_mails = Table(
    "report_mails",
    metadata,
    Column("key", String(64), primary_key=True),  # of the site, the month, the address and the request
    Column("site_id", BigInteger, nullable=False),
    Column("month", String(7), nullable=False),
    Column("address_hash", String(64), nullable=False),
    Column("sealed", Text),
    Column("language", String(2), nullable=False),
    Column("asked_by", String(40), nullable=False),
    Column("monthly", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", String(40)),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index("ix_report_mails_state", "state", "due_at"),
    Index("ix_report_mails_site_id", "site_id", "changed_at"),
    **_OPTIONS,
)
