"""The rights of the roles: each cell of the reviewed file ``roles.md`` against a real server with two organisations."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.app import build_app
from server.domain.commands import COMMANDS
from server.identity.presence import present_code
from server.seeding import Seed, StaffSeed
from server.settings import Settings
from server.vault import Vault
from tests.support.authenticator import code_at
from tests.support.providers import PushService
from tests.support.rows import change
from tests.support.server import KEYS, Server, environment, seed, serving

Json = dict[str, Any]
VAULT = Vault(KEYS.encryption_keys, KEYS.secret_key)
FILE = Path(__file__).with_name("roles.md")
ROLES = ("admin", "manager", "receptionist", "clinician", "kiosk", "display", "patient", "key", "nobody")
STAFF = ROLES[:4]
READERS = (*STAFF, "key")
WORDS = {"yes", "401", "403", "404", "-"}
CODES = {"401": "not_signed_in", "403": "not_allowed"}
COMMAND = "/api/v1/commands/"
LATER = "2030-01-07"
BOOKED_DAY = "2030-01-09"
A_MONDAY = "2028-01-03"
PHONE = json.loads(PushService().subscription()) | {"endpoint": "https://fcm.googleapis.com/fcm/send/x"}
CHANNELS: dict[str, Json] = {
    "PUT /api/v1/tickets/{token}/push": PHONE,
    "PUT /api/v1/appointments/{token}/push": PHONE,
    "PUT /api/v1/channels/email/smtp": {"host": "127.0.0.1", "port": 1, "sender": "desk@clinic.example"},
    "PUT /api/v1/channels/push/push": {"contact": "it@clinic.example"},
    "PUT /api/v1/channels/sms/smsapi": {"token": "a-token", "address": "http://127.0.0.1:1"},
    "PUT /api/v1/channels/sms/infobip": {"api_key": "a-key", "sender": "Clinic", "address": "http://127.0.0.1:1"},
    "PUT /api/v1/channels/{way}/apprise": {"address": "json://127.0.0.1:1/{to}"},
    "POST /api/v1/channels/{way}/test": {"to": "+4930901820"},
    "POST /api/v1/receipts/{secret}": {"results": []},
}
OPT_OUT = {"opted_out": True}
ON_APPOINTMENTS = ("reschedule", "amend-appointment", "want-earlier", "cancel-appointment")
BOOKING = {
    *("hold-slot", "release-slot", "book", "book-series", "check-in", "accept-offer", "decline-offer"),
    *("appointment-no-show", "clear-unreached", "move-appointments", "link-practitioner", *ON_APPOINTMENTS),
}
WEBHOOK = {"url": "http://127.0.0.1:1/"}
FACTOR = "/api/v1/session/second-factor"
NOT_WHILE_WAITING = ("recall", "start", "complete", "no-show", "return", "undo", "reopen", "reassign-provider", "confirm")
PATIENT, NEED, SERVICE = "Ada Lovelace", "interpreter", "Test for what nobody shall know"
MAIL = "ada@clinic.example"


# The file


@dataclass(frozen=True)
class Row:
    """A route, the code of its 404, and the two words of each role: at its own organisation, and at the other."""

    route: str
    not_found: str
    cells: dict[str, tuple[str, str]]

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def target(self) -> str:
        """The address, with its query. A suffix after ``#`` only distinguishes rows of one route."""
        where = self.route.partition(" ")[2].partition("#")[0]
        return where if where.startswith("/") else COMMAND + where

    @property
    def command(self) -> str | None:
        return self.target.removeprefix(COMMAND) if self.target.startswith(COMMAND) else None


def read_file(text: str) -> tuple[list[Row], dict[str, dict[str, str]]]:
    """Return the rows of the reviewed file, and its table of visible data."""
    rows: list[Row] = []
    visible: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        cells = [each.strip() for each in line.strip().strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("| -"):
            continue
        if cells[0] in ("route", "what"):
            expected = ["route", "404 is", *ROLES] if cells[0] == "route" else ["what", *READERS]
            assert cells == expected, f"unknown heading: {line}"
            heading = cells
        elif heading[0] == "route":
            assert len(cells) == len(heading), line
            pairs = {role: tuple(cell.split()) for role, cell in zip(ROLES, cells[2:], strict=True)}
            assert all(len(pair) == 2 and set(pair) <= WORDS for pair in pairs.values()), line
            assert all(pair[0] != "-" and pair[1] != "yes" for pair in pairs.values()), f"forbidden words: {line}"
            rows.append(Row(cells[0], cells[1], {role: (pair[0], pair[1]) for role, pair in pairs.items()}))
        else:
            visible[cells[0]] = dict(zip(READERS, cells[1:], strict=True))
    assert len({row.route for row in rows}) == len(rows), "a route has two rows"
    return rows, visible


ROWS, VISIBLE = read_file(FILE.read_text())

Found = dict[tuple[str, str, str], str]


def expected(rows: Iterable[Row]) -> Found:
    """Return the words of the file, by route, role and organisation (own or other)."""
    return {
        (row.route, role, whose): word
        for row in rows
        for role, words in row.cells.items()
        for whose, word in zip(("own", "other"), words, strict=True)
        if word != "-"
    }


def differences(wanted: Found, found: Found) -> list[str]:
    """Return a text for each cell whose wanted word differs from the behaviour found."""
    return [
        f"{route}: {role} at {whose}: expected {wanted.get(key)}, found {found.get(key)}"
        for key in sorted({key for key, _ in wanted.items() ^ found.items()})
        for route, role, whose in [key]
    ]


# The application's own routes


def routes_of(app: Starlette) -> set[str]:
    """Return the application's routes as the file names them."""
    found = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found.add(f"GET {route.path}/")
            continue
        assert isinstance(route, Route | WebSocketRoute), f"unknown kind of route: {route}"
        path = re.sub(r":\w+\}", "}", route.path)
        methods = {"WS"} if isinstance(route, WebSocketRoute) else (route.methods or {"ANY"}) - {"HEAD"}
        names = [name for name, kind in COMMANDS.items() if not kind.internal] if path == COMMAND + "{name}" else [None]
        found |= {f"{method} {name or path}" for method in methods for name in names}
    return found


def named_by(rows: Iterable[Row]) -> set[str]:
    """Return the routes of the rows; for static files, their folder."""
    plain = {re.sub(r"[?#].*", "", row.route) for row in rows}
    return {re.sub(r"^(GET /static/).*", r"\1", each) for each in plain}


@pytest.fixture(scope="module")
def app() -> Starlette:
    return build_app(Settings(), KEYS)


def test_every_route_has_a_row_and_every_row_a_route(app: Starlette) -> None:
    assert named_by(ROWS) == routes_of(app)


def test_added_or_dropped_route_fails_the_comparison(app: Starlette) -> None:
    async def endpoint(*_: object) -> None: ...

    for new in (Route("/api/v1/secrets", endpoint), WebSocketRoute("/live/secrets", endpoint), Mount("/more", endpoint)):
        app.router.routes.append(new)
        assert named_by(ROWS) < routes_of(app)
        app.router.routes.remove(new)
    for index, old in enumerate(list(app.router.routes)):
        app.router.routes.remove(old)
        assert routes_of(app) < named_by(ROWS)
        app.router.routes.insert(index, old)


def test_every_changed_cell_fails_the_comparison() -> None:
    """After a change of any cell in the file's text, the comparison names that cell and no other."""
    lines = FILE.read_text().splitlines()
    heading = next(each for each in lines if each.startswith("| route "))
    found = expected(ROWS)
    assert differences(expected(ROWS), found) == []
    flipped = 0
    for row in ROWS:
        line = next(each for each in lines if each.startswith(f"| {row.route} "))
        cells = line.split("|")
        others = expected(each for each in ROWS if each is not row)
        for index, role in enumerate(ROLES, start=3):
            own, other = row.cells[role]
            for whose, pair in (("own", ("403" if own == "yes" else "yes", other)), ("other", (own, "401"))):
                if whose == "other" and other in ("-", "401"):
                    continue
                changed = "|".join([*cells[:index], f" {' '.join(pair)} ", *cells[index + 1 :]])
                (read,), _ = read_file(f"{heading}\n{changed}")
                (difference,) = differences(others | expected([read]), found)
                assert difference.startswith(f"{row.route}: {role} at {whose}: ")
                flipped += 1
    assert flipped > len(ROWS) * len(ROLES)


# The two organisations


@dataclass
class Organisation:
    """An organisation, its records, and the credentials of each role."""

    server: Server
    seeded: Seed
    env: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    clients: dict[str, httpx.Client] = field(default_factory=dict)

    def furnish(self) -> None:
        """Add the records that the seed lacks, as the administrator, and sign in each role."""
        site_id = self.seeded["site_id"]
        for role in STAFF:
            self.tokens[role] = self.server.sign_in(self.seeded, role)
        self.clients["admin"] = self.server.client(self.tokens["admin"])
        ids: Json = {"site_id": site_id, "queue_id": self.seeded["queue_ids"][0], "to_queue_id": self.seeded["queue_ids"][1]}
        self.ids |= ids | {"quiet_queue_id": self.seeded["queue_ids"][2]}
        self.ids |= dict(
            zip(("point_id", "quiet_point_id", "to_point_id", "with_point_id"), self.seeded["point_ids"], strict=True)
        )
        for name in ("provider_id", "to_provider_id"):
            self.ids[name] = self.do("add-provider", site_id=site_id, name=name)["events"][-1]["provider_id"]
        service = self.do("add-service", site_id=site_id, name=SERVICE, public_name="Blood test")
        self.ids["service_id"] = service["events"][-1]["service_id"]
        self.ids["record_id"] = self.do("add-provider", site_id=site_id, name="leaves")["events"][-1]["provider_id"]
        self.ids["schedule_id"], self.ids["ending_schedule_id"] = (
            self.do("add-schedule", **schedule_of(self.ids, weekday))["events"][-1]["schedule"]["id"] for weekday in (0, 1)
        )
        self.ids["exceptions"] = {
            role: self.do("add-exception", **closed_date(self.ids))["events"][-1]["exception"]["id"] for role in STAFF
        }
        self.ids["appointment"] = self.do("book", **appointment_of(self.ids))
        self.furnish_appointments()
        kiosk, spare = (self.do("add-kiosk", site_id=site_id, name=each) for each in ("door", "spare"))
        self.tokens["kiosk"], self.ids["device_id"] = kiosk["token"], spare["events"][-1]["kiosk_id"]
        self.ids["kiosk_id"] = kiosk["events"][-1]["kiosk_id"]
        display, unpaired = self.seeded["displays"]
        self.tokens["display"], self.ids["display_id"], self.ids["pair_id"] = display["token"], display["id"], unpaired["id"]
        about = {"name": PATIENT, "email": MAIL, "date_of_birth": "1985-12-10", "needs": [NEED]}
        patient = self.do("issue-ticket", queue_id=self.ids["queue_id"], **about)
        self.tokens["patient"], self.ids["ticket"] = patient["token"], patient["entry"]
        self.ids["entries"] = [self.do("issue-ticket", queue_id=self.ids["queue_id"])["entry"]["id"] for _ in range(3)]
        admin = self.clients["admin"]
        key = admin.post("/api/v1/api-keys", json={"name": "practice software", "site_id": site_id})
        spare_key = admin.post("/api/v1/api-keys", json={"name": "spare"})
        self.tokens["key"], self.ids["api_key_id"] = key.json()["key"], spare_key.json()["id"]
        self.ids["webhook_id"] = admin.post("/api/v1/webhooks", json=WEBHOOK).json()["id"]
        new = {"username": f"spare-{site_id}", "password": "long enough for all", "role": "clinician"}
        self.ids["staff_id"] = admin.post("/api/v1/staff", json=new).json()["id"]
        self.ids["session_id"] = self.session(new)["refresh_token"].partition(".")[0]
        self.ids["invitation_id"] = self.invitation()["id"]
        self.ids["coded"] = new | {"username": f"coded-{site_id}"}
        self.ids["coded_id"] = admin.post("/api/v1/staff", json=self.ids["coded"]).json()["id"]
        with self.server.client(self.session(self.ids["coded"])["access_token"]) as coded:
            self.ids["codes"] = self.second_factor(coded, new)
        (self.ids["business_day"],) = self.rows("SELECT business_day FROM sites WHERE id = ?", site_id)[0]
        (self.ids["organisation_id"],) = self.rows("SELECT organisation_id FROM sites WHERE id = ?", site_id)[0]
        for role in ROLES:
            self.clients.setdefault(role, self.server.client(self.tokens.get(role)))

    def furnish_appointments(self) -> None:
        """Add a provider with appointments: one for each command and each role, so that no request depends on another."""
        ids = self.ids
        booked = {"site_id": ids["site_id"], "service_id": ids["service_id"]}
        provider = self.do("add-provider", site_id=ids["site_id"], name="books")["events"][-1]["provider_id"]
        hours = {"from": "08:00", "until": "18:00", "slot_minutes": 15, "capacity": 50, "valid_from": "2028-01-01"}
        self.do("add-schedule", **hours, **schedule_ids(ids), provider_id=provider, weekday=0)
        self.ids["booking"] = booked | {"provider_id": provider}
        name = {"name": PATIENT}
        self.ids["appointments"] = {
            (command, role): self.do("book", **ids["booking"], **name, local_start=f"{A_MONDAY}T10:00")["appointment"]["id"]
            for command, role in product(ON_APPOINTMENTS, (*STAFF, "key"))
        }
        soon = time.strftime("%Y-%m-%dT%H:%M", time.gmtime((time.time() // 300 + 3) * 300))
        for role in (*STAFF, "kiosk", "key"):
            made = self.do("book", **ids["booking"], **name, local_start=soon, overbook="to be tried", anyway=True)
            self.ids["appointments"]["check-in", role] = made["appointment"]["id"]
        self.ids["holds"] = {
            role: self.do("hold-slot", **ids["booking"], local_start=f"{A_MONDAY}T11:00")["token"]
            for role in (*STAFF, "key")
        }
        self.ids["practitioner_id"] = (
            self.clients["admin"].post("/api/v1/practitioners", json={"name": "Dr. Ada"}).json()["id"]
        )

        self.do("change-site", site_id=ids["site_id"], booking="on", message_ways=["email", "push"])
        push = CHANNELS["PUT /api/v1/channels/push/push"]
        assert self.clients["admin"].put("/api/v1/channels/push/push", json=push).status_code == 200
        told = {"name": PATIENT, "email": "ada@clinic.example", "local_start": "2028-01-10T14:00"}
        self.do("book", **ids["booking"], **told)
        ((self.ids["message_id"],),) = self.rows("SELECT min(id) FROM notifications WHERE site_id = ?", ids["site_id"])
        assert change(self.env, "UPDATE notifications SET state = 'failed' WHERE id = :id", id=self.ids["message_id"]) == 1
        feeds = f"/api/v1/providers/{ids['provider_id']}/calendar-feeds"
        self.ids["receipts"] = {kind: self.receipts_secret(kind) for kind in ("smsapi", "infobip")}
        self.ids["feeds"] = {role: self.clients["admin"].post(feeds).json() for role in (*STAFF, "key")}

    def do(self, name: str, /, **body: Any) -> Json:
        """Send a command as the administrator."""
        answer = self.clients["admin"].post(COMMAND + name, json=body)
        assert answer.status_code == 200, answer.text
        done: Json = answer.json()
        return done

    def receipts_secret(self, kind: str) -> str:
        """Configure a channel for SMS; return the secret in the address of its receipts."""
        body = CHANNELS[f"PUT /api/v1/channels/sms/{kind}"]
        assert self.clients["admin"].put(f"/api/v1/channels/sms/{kind}", json=body).status_code == 200
        ((organisation_id, sealed),) = self.rows("SELECT organisation_id, sealed FROM channels WHERE enabled_way = 'sms' "
            "AND organisation_id = (SELECT organisation_id FROM sites WHERE id = ?)", self.ids["site_id"])  # fmt: skip
        secret: str = json.loads(VAULT.open(sealed, f"channel:{organisation_id}:sms"))["secret"]
        return secret

    def member(self, role: str) -> StaffSeed:
        """Return the member of staff with a role; for a role outside of staff, the clinician."""
        return next(each for each in self.seeded["staff"] if each["role"] == (role if role in STAFF else "clinician"))

    def session(self, who: Any) -> Json:
        """Open another session."""
        with self.server.client() as client:
            answer = client.post("/api/v1/session", json={"username": who["username"], "password": who["password"]})
        assert answer.status_code == 200, answer.text
        opened: Json = answer.json()
        return opened

    def invitation(self) -> Json:
        """Make an invitation."""
        made: Json = self.clients["admin"].post("/api/v1/invitations", json={"role": "clinician"}).json()
        return made

    def second_factor(self, client: httpx.Client, who: Any) -> list[str]:
        """Set a second factor up for the signed-in member; return the recovery codes."""
        begun = client.post(FACTOR, json={"password": who["password"]}).json()
        confirmed = client.post(f"{FACTOR}/confirm", json={"code": code_at(begun["secret"], time.time_ns() // 1000)})
        codes: list[str] = confirmed.json()["recovery_codes"]
        return codes

    def pairing(self) -> Json:
        """Begin a pairing."""
        with self.server.client() as client:
            begun: Json = client.post("/api/v1/pairings").json()
        return begun

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query, read directly from the file of the database."""
        file = self.env["NOWSERVING_DATABASE_URL"].removeprefix("sqlite+aiosqlite:///")
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, values).fetchall()

    def state(self) -> list[list[tuple[Any, ...]]]:
        """Return all records that a request could change here, without the events of the clock."""
        organisation_id, site_id = self.ids["organisation_id"], self.ids["site_id"]
        return [
            self.rows("SELECT count(*) FROM events WHERE site_id = ? AND actor != 'clock'", site_id),
            self.rows("SELECT * FROM staff WHERE organisation_id = ? ORDER BY id", organisation_id),
            self.rows(
                "SELECT sessions.id, refresh_hash, revoked_at FROM sessions JOIN staff ON staff.id = staff_id "
                "WHERE organisation_id = ? ORDER BY sessions.id",
                organisation_id,
            ),
            self.rows("SELECT id, name, revoked_at FROM api_keys WHERE organisation_id = ? ORDER BY id", organisation_id),
            self.rows("SELECT count(*) FROM pairings WHERE device_id / 1000000000 = ?", site_id),
            self.rows("SELECT way, address_hash FROM opt_outs WHERE organisation_id = ?", organisation_id),
            self.rows("SELECT resend_of FROM notifications WHERE site_id = ? AND resend_of != 0", site_id),
            self.rows("SELECT count(*) FROM push_subscriptions WHERE organisation_id = ?", organisation_id),
            self.rows("SELECT id, used_at, revoked_at FROM account_links WHERE organisation_id = ?", organisation_id),
            self.rows(
                "SELECT id, sealed FROM second_factors WHERE id IN (?, ?)", self.ids["coded_id"], self.ids["staff_id"]
            ),
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def organisations(folder: Path) -> Iterator[tuple[Organisation, Organisation]]:
    """Two organisations on one server."""
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_HEARTBEAT_SECONDS="30")
    seeds = [seed(env, points=4, tickets=6, displays=2) for _ in range(2)]
    with serving(env, folder) as server:
        ours, theirs = (Organisation(server, seeded, env) for seeded in seeds)
        ours.furnish()
        theirs.furnish()
        yield ours, theirs
        for client in [*ours.clients.values(), *theirs.clients.values()]:
            client.close()


# The requests


def schedule_of(ids: Json, weekday: int) -> Json:
    """Return the body of a new schedule."""
    hours = {"from": "09:00", "until": "17:00", "slot_minutes": 15, "valid_from": LATER}
    of = {"site_id": ids["site_id"], "provider_id": ids["provider_id"], "service_ids": [ids["service_id"]]}
    return of | hours | {"weekday": weekday}


def appointment_of(ids: Json) -> Json:
    """Return the body of a new appointment with the patient."""
    of = {"site_id": ids["site_id"], "provider_id": ids["provider_id"], "service_id": ids["service_id"]}
    return of | {"local_start": f"{BOOKED_DAY}T10:00", "name": PATIENT, "email": MAIL, "overbook": "to be tried"}


def schedule_ids(ids: Json) -> Json:
    """Return the site and the services of a schedule."""
    return {"site_id": ids["site_id"], "service_ids": [ids["service_id"]]}


def booking_body_of(command: str, organisation: Organisation, role: str) -> Json:
    """Return a valid body of a command of appointments."""
    ids = organisation.ids
    of = ids["appointments"]
    appointment = {"appointment_id": of.get((command, role), of[ON_APPOINTMENTS[0], "admin"])}
    start, name = {"local_start": f"{A_MONDAY}T09:00"}, {"name": PATIENT}
    visitor = start | {key: ids["booking"][key] for key in ("service_id", "provider_id")}
    bodies: dict[str, Json] = {
        "hold-slot": ids["booking"] | start,
        "release-slot": {"site_id": ids["site_id"], "hold_token": ids["holds"].get(role, ids["holds"]["admin"])},
        "book": ids["booking"] | start | name,
        "book-series": ids["booking"] | start | name | {"every_days": 7, "count": 2},
        "reschedule": appointment | {"version": 1, "local_start": f"{A_MONDAY}T12:00"},
        "amend-appointment": appointment | {"name": "Grace Hopper"},
        "want-earlier": appointment | {"wants": True},
        "clear-unreached": {"subject_id": appointment["appointment_id"]},
        "cancel-appointment": appointment | {"version": 1},
        "check-in": appointment | ({"anyway": True, "queue_id": ids["queue_id"]} if role == "admin" else {}),
        "move-appointments": {
            "provider_id": ids["booking"]["provider_id"], "date": A_MONDAY, "reason": "to be tried", "unplaced": "cancel",
        },
        "import": {"rows": [{"number": 1, "foreign_id": "T-1", "service": str(ids["service_id"]), "provider":
                   str(ids["booking"]["provider_id"]), "local_start": f"{A_MONDAY}T13:00", "name": PATIENT}]},
        "booking/hold": visitor, "booking/book": visitor | name | {"email": "ada@clinic.example"},
        "booking/release": {"hold_token": ids["holds"].get(role, ids["holds"]["admin"])},
        "link-practitioner": {"provider_id": ids["provider_id"], "practitioner_id": ids["practitioner_id"]},
    }  # fmt: skip
    return bodies.get(command, appointment)


def closed_date(ids: Json) -> Json:
    """Return the body of a new closed date."""
    return {"site_id": ids["site_id"], "date": LATER, "kind": "closed", "reason": "to be tried"}


def entry_of(organisation: Organisation, role: str) -> int:
    """Return an entry to work on; for a patient, the entry of their own ticket."""
    entry_id: int = organisation.ids["ticket"]["id"] if role == "patient" else organisation.ids["entries"][0]
    return entry_id


def code_of(organisation: Organisation) -> str:
    """Return the code that the screens of the organisation's site show."""
    return present_code(VAULT, organisation.ids["site_id"], time.time_ns() // 1000).code


def body_of(row: Row, organisation: Organisation, role: str) -> Json | None:
    """Return a valid body with the ids of ``organisation``."""
    ids = organisation.ids
    site, entry, point, queue, device = (
        {"site_id": ids["site_id"]}, {"entry_id": entry_of(organisation, role)}, {"point_id": ids["point_id"]},
        {"queue_id": ids["queue_id"]}, {"device_id": ids["device_id"]},
    )  # fmt: skip
    kiosk = {"kiosk_id": ids["kiosk_id"]}
    quiet = {"point_id": ids["quiet_point_id"]}  # without a called patient
    quiet_queue = {"queue_id": ids["quiet_queue_id"]}
    reason, name = {"reason": "to be tried"}, {"name": f"Made {secrets.token_hex(4)}"}
    behind = {"behind_entry_id": ids["entries"][1]}
    own_password = {"password": organisation.member(role)["password"]}
    member = {"username": f"u-{secrets.token_hex(6)}", "password": "long enough for all", "role": "manager"}
    reader = {"address": f"{role}@example.org", "language": "en"}
    bodies: dict[str, Json] = {
        "issue-ticket": queue, "amend-visit": entry | {"party_size": 2}, "call-next": point,
        "call": entry | {"point_id": ids["to_point_id"]},
        "recall": entry, "start": entry, "complete": entry, "no-show": entry, "hold": entry, "return": entry,
        "confirm": entry,
        "transfer": entry | {"queue_id": ids["to_queue_id"]}, "undo": entry, "leave": entry, "reopen": entry,
        "running-late": entry | {"minutes": 5}, "cancel": entry | reason, "reprioritise": entry | {"priority": "assisted"},
        "move": entry | behind | reason,
        "open-point": quiet, "break-point": quiet, "close-point": quiet,
        "staff-point": point | {"provider_id": ids["provider_id"]}, "pause-queue": quiet_queue, "open-queue": quiet_queue,
        "swap-points": quiet | {"with_point_id": ids["with_point_id"]},
        "reassign-provider": {"provider_id": ids["provider_id"], "to_provider_id": ids["to_provider_id"]} | reason,
        "broadcast-message": site | {"message": "The lift is out of order"}, "close-day": site | reason,
        "announce-delay": site | {"minutes": 30}, "withdraw-delay": site,
        "end-trial": site, "hide-checklist": site,
        "change-site": site | name, "add-service": site | name | {"public_name": "Another"},
        "change-service": {"service_id": ids["service_id"], "public_name": name["name"]}, "add-provider": site | name,
        "change-provider": {"provider_id": ids["provider_id"]} | name,
        "add-queue": site | name | {"prefix": "X"}, "change-queue": queue | name,
        "add-point": site | name | {"queue_ids": [ids["queue_id"]]}, "change-point": point | name,
        "add-display": site | name, "change-display": {"display_id": ids["pair_id"], "queue_ids": [ids["queue_id"]]},
        "change-kiosk": kiosk | {"place": name["name"]}, "ask-help": kiosk, "answer-help": kiosk | name,
        "add-kiosk": site | name, "rename-device": device | name, "renew-token": device,
        "revoke-token": device, "remove": {"record_id": ids["record_id"]},
        "add-schedule": schedule_of(ids, 2),
        "change-schedule": {"schedule_id": ids["schedule_id"], "from_date": LATER, "until": "12:00"},
        "end-schedule": {"schedule_id": ids["ending_schedule_id"], "last_date": LATER},
        "add-exception": closed_date(ids),
        "remove-exception": {"exception_id": ids["exceptions"].get(role, ids["exceptions"]["admin"])},
        "arrange": site | {"record_ids": [ids["to_queue_id"]]},
        "POST /api/v1/session": {key: organisation.member(role)[key] for key in ("username", "password")},
        "POST /api/v1/session/password": {
            "old_password": organisation.member(role)["password"], "new_password": organisation.member(role)["password"],
        },
        "POST /api/v1/setup": {"code": "ACDE-FGHJ", "username": "first", "password": member["password"]},
        "POST /api/v1/sites": name | {"time_zone": "UTC", "language": "en"},
        "POST /api/v1/sites/{site_id}/services": {
            "template": "empty", "queues": [name | {"prefix": "S"}], "points": [name | {"queues": [name["name"]]}],
            "displays": [], "hours": [],
        },
        "PUT /api/v1/tickets/{token}/feedback": {"score": 5, "text": None},
        "POST /api/v1/kiosks/{kiosk_id}/check-in": {"code": "K7M3QX"},
        f"POST {FACTOR}": own_password, f"POST {FACTOR}/recovery-codes": own_password, f"POST {FACTOR}/remove": own_password,
        "POST /api/v1/session/password/strength": {"password": "long enough for all"},
        "POST /api/v1/invitations": {"role": "manager"},
        "POST /api/v1/staff": member, "PATCH /api/v1/staff/{staff_id}": {"role": "manager"},
        "POST /api/v1/api-keys": name | site, "POST /api/v1/pairings/{pairing}": {"device_id": ids["pair_id"]},
        "POST /api/v1/sites/{site_id}/joining/pass": {"code": code_of(organisation)},
        "POST /api/v1/sites/{site_id}/joining/ticket": queue,
        "POST /api/v1/practitioners": name,
        "POST /api/v1/sites/{site_id}/insights/mails": reader | {"month": ids["business_day"][:7], "request": role},
        "POST /api/v1/sites/{site_id}/insights/readers": reader | {"hour": 8},
        "POST /api/v1/webhooks": WEBHOOK, "PUT /api/v1/webhooks/{webhook_id}": WEBHOOK | {"on": False},
        "POST /api/v1/webhooks/{webhook_id}/replay": {"site_id": ids["site_id"], "number": 1},
    }  # fmt: skip
    if row.target.endswith("/messages/preview"):
        return {"kind": "moved", "appointment_ids": [ids["appointment"]["appointment"]["id"]]}
    if "/message-texts/" in row.target:
        return {"text": "{label}: {link}"}
    if row.target.endswith("/contact/{way}"):
        return OPT_OUT
    if row.route in CHANNELS:
        return CHANNELS[row.route]
    if row.method == "POST" and "/booking/" in row.target:
        return booking_body_of(f"booking/{row.target.rpartition('/')[2]}", organisation, role)
    if row.target.endswith("/appointments/import"):
        return booking_body_of("import", organisation, role)
    if row.command in BOOKING:
        return booking_body_of(row.command, organisation, role)
    if row.target.partition("?")[0].endswith(("/ack", "/disagreement")):
        return {"seq": 1}
    if row.target.startswith("/api/v1/account-links/"):
        secret = {"secret": organisation.invitation()["address"].partition("#")[2]}
        new = {"password": member["password"], "username": member["username"]}
        return secret if row.target.endswith("/open") else secret | new
    if row.target == "/api/v1/session/code":
        return {"code": ids["codes"].pop()}
    return bodies.get(row.command or row.route)


def address_of(row: Row, organisation: Organisation, role: str, *, own: bool) -> str:
    """Return the row's address with the ids of ``organisation``.

    Some addresses contain their own key, such as a ticket's token. For the other organisation that is an invented key.
    """
    ids = organisation.ids
    values: Json = {
        "site_id": ids["site_id"], "entry_id": entry_of(organisation, role), "visit_id": ids["ticket"]["visit_id"],
        "point_id": ids["point_id"], "service_id": ids["service_id"],
        "display_id": ids["display_id"], "kiosk_id": ids["kiosk_id"],
        "device_id": ids["kiosk_id" if role == "kiosk" else "display_id"],
        "staff_id": ids["staff_id"], "colleague_id": ids["staff_id"],
        "api_key_id": ids["api_key_id"],
        "webhook_id": ids["webhook_id"], "reader": VAULT.keyed_hash(f"report-address:{role}@example.org"),
        "invitation_id": ids["invitation_id"], "session_id": ids["session_id"], "day": ids["business_day"],
        "token": organisation.tokens["patient"] if own else f"{ids['site_id']}-{secrets.token_urlsafe(16)}",
        "pairing": "", "section": "clinic", "way": "chat", "provider_id": ids["provider_id"],
        "template": "called", "language": "es",
        "appointment_id": ids["appointment"]["appointment"]["id"],
        "message_id": ids["message_id"],
        "feed_id": ids["feeds"].get(role, ids["feeds"]["admin"])["id"],
        "secret": ids["feeds"]["key"]["address"].split("/")[-2] if own else secrets.token_urlsafe(16),
    }  # fmt: skip
    if "/contact" in row.target:
        values |= {"way": "email", "entry_id": ids["ticket"]["id"]}
    if "/receipts/" in row.target and own:
        values["secret"] = ids["receipts"]["smsapi" if row.method == "GET" else "infobip"]
    if "/appointments/" in row.target or "/a/" in row.target:
        token = organisation.ids["appointment"]["token"]
        values["token"] = token if own else f"a{ids['site_id']}-{secrets.token_urlsafe(16)}"
    if row.target.endswith("/second-factor"):
        values["staff_id"] = ids["coded_id"]
    if "{pairing}" in row.target:
        begun = organisation.pairing()
        values["pairing"] = (begun["secret"] if own else secrets.token_urlsafe(32)) if row.method == "GET" else begun["code"]
    return row.target.format(**values)


class Driver:
    """Sends the request of a cell, and reads the word for the cell from the answer."""

    def __init__(self, ours: Organisation, theirs: Organisation) -> None:
        self.ours, self.theirs = ours, theirs
        self.server = ours.server
        self.done: dict[str, int] = {}

    def drive(self, row: Row, role: str, *, own: bool) -> str:
        """Return the word for the cell, or a description of an unexpected answer."""
        organisation = self.ours if own else self.theirs
        client = self.ours.clients[role]
        if row.method == "WS":
            return self.follow(row, role, address_of(row, organisation, role, own=own))
        session = None
        if row.target in ("/api/v1/session", "/api/v1/sessions/{session_id}") and row.method == "DELETE":
            # A spare session: later rows need the first one.
            session = self.ours.session(self.ours.member(role)) if role in STAFF else None
        headers = {}
        if session is not None and row.target == "/api/v1/session":
            headers = {"Authorization": f"Bearer {session['access_token']}"}
        body, address = body_of(row, organisation, role), address_of(row, organisation, role, own=own)
        if row.route.endswith("#their-own") and session is not None:
            address = f"/api/v1/sessions/{session['refresh_token'].partition('.')[0]}"
        if row.target == "/api/v1/session/refresh":
            token = organisation.session(organisation.member(role))["refresh_token"] if own else f"{'0' * 32}.nonsense"
            body = {"refresh_token": token}
        if own and row.route == "DELETE /api/v1/sessions/{session_id}" and row.cells[role][0] == "yes":
            # Later rows need the session of the spare colleague.
            colleague = self.ours.session(self.ours.member("clinician"))["refresh_token"].partition(".")[0]
            address = f"/api/v1/sessions/{colleague}"
        client.cookies.clear()
        if row.route.endswith("/joining/ticket"):  # the phone has a pass for our site; the queue is another organisation's
            address = address_of(row, self.ours, role, own=True)
            given = client.post(address.replace("/ticket", "/pass"), json={"code": code_of(self.ours)})
            assert given.status_code == 200
        if row.target == "/api/v1/session/code":  # the pending sign-in is in the client's cookies
            who = self.ours.ids["coded"]
            client.post("/api/v1/session", json={key: who[key] for key in ("username", "password")})
        if row.target == f"{FACTOR}/confirm" and row.cells[role][0] == "yes":
            begun = client.post(FACTOR, json={"password": self.ours.member(role)["password"]}).json()
            body = {"code": code_at(begun["secret"], time.time_ns() // 1000)}
        with client.stream(row.method, address, json=body, headers=headers) as answer:
            kind = answer.headers.get("content-type", "")
            no_text = kind.startswith(("text/event-stream", "audio/", "application/pdf", "application/zip"))
            text = "" if no_text else answer.read().decode()
        client.cookies.clear()
        return self.word(row, role, answer.status_code, text)

    def word(self, row: Row, role: str, status: int, text: str) -> str:
        if status in (401, 403, 404):
            code = json.loads(text)["error"]["code"]
            not_found = "entry_not_found" if role == "patient" and row.command else row.not_found
            right = (CODES | {"404": not_found})[str(status)]
            return str(status) if code == right else f"{status} {code}"
        if status in (409, 422):
            code = json.loads(text)["error"]["code"]
            return "yes" if status == 409 else f"422 {code}: the test's own body is wrong"
        foreign = self.theirs.seeded["staff"][0]["username"].partition("-")[2]
        of_theirs = rf"(?<!\d){self.theirs.ids['site_id']}0{{6}}\d{{3}}(?!\d)"
        if 200 <= status < 304 and foreign not in text and not re.search(of_theirs, text):
            self.done[row.route] = self.done.get(row.route, 0) + 1
            return "yes"
        return f"{status}: {text[:200]}"

    def follow(self, row: Row, role: str, address: str) -> str:
        token = self.ours.tokens.get(role)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with connect(self.server.url.replace("http", "ws") + address, additional_headers=headers, open_timeout=60) as socket:
            try:
                first = json.loads(socket.recv(timeout=60))
            except ConnectionClosed:
                words = {"not_signed_in": "401", "not_allowed": "403", row.not_found: "404"}
                reason = socket.close_reason or ""
                return words.get(reason, reason) if socket.close_code == 3500 else f"closed with {socket.close_code}"
        return "yes" if first["type"] == "snapshot" else str(first)


def test_server_matches_every_cell(organisations: tuple[Organisation, Organisation]) -> None:
    """The cells for the other organisation come first, while all records exist. Their requests change nothing there."""
    ours, theirs = organisations
    driver = Driver(ours, theirs)
    found: Found = {}
    before = theirs.state()
    for row in ROWS:
        for role in ROLES:
            if row.cells[role][1] != "-":
                found[row.route, role, "other"] = driver.drive(row, role, own=False)
        assert theirs.state() == before, f"{row.route}: a role has changed a record of another organisation"
    for row in ROWS:
        if row.command:  # a new waiting entry, independent of earlier requests
            ours.ids["entries"][0] = ours.do("issue-ticket", queue_id=ours.ids["queue_id"], overrule=True)["entry"]["id"]
        for role in ROLES:
            found[row.route, role, "own"] = driver.drive(row, role, own=True)
    assert differences(expected(ROWS), found) == []
    assert theirs.state() == before
    # Most allowed requests have succeeded. The present state has refused only a few of them.
    lacking = {row.route for row in ROWS if row.method != "WS"} - set(driver.done)
    refused = {
        "POST /api/v1/kiosks/{kiosk_id}/check-in",  # no appointments are stored yet
        "POST /api/v1/setup",  # there are administrators
        "PUT /api/v1/tickets/{token}/feedback",  # the visit goes on
        "POST end-trial",  # no trial runs
        "POST accept-offer",  # no earlier time is offered
        "POST decline-offer",
        "POST appointment-no-show",  # the appointments have not begun
        "POST clear-unreached",  # every message has arrived
    }
    assert lacking <= {f"POST {name}" for name in NOT_WHILE_WAITING} | refused, lacking


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("issue-ticket", "provider_id"),
        ("transfer", "queue_id"),
        ("call", "point_id"),
        ("move", "behind_entry_id"),
        ("staff-point", "provider_id"),
        ("swap-points", "with_point_id"),
        ("reassign-provider", "to_provider_id"),
        ("add-queue", "service_id"),
        ("change-queue", "service_id"),
        ("add-point", "queue_ids"),
        ("change-point", "queue_ids"),
        ("change-display", "queue_ids"),
    ],
)
def test_record_cannot_refer_to_another_organisation(
    organisations: tuple[Organisation, Organisation], name: str, key: str
) -> None:
    """Only the first id of a body decides about the right. The second id must not give access to another organisation."""
    ours, theirs = organisations
    row = next(each for each in ROWS if each.command == name)
    body = body_of(row, ours, "admin") or {}
    foreign = (
        theirs.ids.get(key) or {"behind_entry_id": theirs.ids["entries"][0], "queue_ids": [theirs.ids["queue_id"]]}[key]
    )
    before, own = theirs.state(), ours.state()
    answer = ours.clients["admin"].post(COMMAND + name, json=body | {key: foreign})
    assert answer.status_code in (404, 409), answer.text
    assert (theirs.state(), ours.state()) == (before, own)


def cells_of(organisation: Organisation, role: str, path: str) -> str:
    """Return the cells of a stream's first message, as JSON."""
    with connect(
        organisation.server.url.replace("http", "ws") + path,
        additional_headers={"Authorization": f"Bearer {organisation.tokens[role]}"},
    ) as socket:
        return str(json.dumps(json.loads(socket.recv(timeout=60))["cells"]))


@pytest.mark.parametrize("what", VISIBLE)
def test_data_is_visible_only_to_the_roles_of_the_file(organisations: tuple[Organisation, Organisation], what: str) -> None:
    organisation, _ = organisations
    subject, _, route = what.removeprefix("the ").partition(" in GET ")
    ticket = organisation.do(
        "issue-ticket", queue_id=organisation.ids["queue_id"], name=PATIENT, needs=[NEED], overrule=True
    )
    ids = organisation.ids | {"entry_id": ticket["entry"]["id"], "visit_id": ticket["entry"]["visit_id"]}
    ids["appointment_id"] = organisation.ids["appointment"]["appointment"]["id"]
    path = route.format(**ids, day=BOOKED_DAY)
    sought = {
        "patient": PATIENT, "needs": f'"{NEED}"', "service": SERVICE, "colleague": organisation.member("admin")["username"],
    }[subject]  # fmt: skip
    for role, word in VISIBLE[what].items():
        if path.startswith("/live/") and word != "-":
            text = cells_of(organisation, role, path)
        else:
            answer = organisation.clients[role].get(path)
            assert (answer.status_code == 403) is (word == "-"), (role, answer.text)
            text = answer.text
        found = "-" if word == "-" else "shown" if sought in text else "hidden"
        assert found == word, f"{what}: {role}"
