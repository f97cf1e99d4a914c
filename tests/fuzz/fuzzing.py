"""Schemathesis against a running server: valid and invalid requests from every role.

Schemathesis makes the values from the server's own document. `RealValues` replaces most ids, tokens and passwords by real
ones, since the answer would nearly always be 404 otherwise. Between rounds an administrator repairs the site
(`House.prepare`): records that one round removed, closed or ended are missing in the next.
"""

from __future__ import annotations

import functools
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pyotp
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded_by
from hypothesis.strategies import SearchStrategy
from hypothesis.strategies._internal import regex
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.seeding import Seed
from tests.support.worlds import WANTED

# Hypothesis builds the strategy of a pattern anew at each place. The class of all plain characters takes it half a second.
regex.regex_strategy = functools.cache(regex.regex_strategy)

Json = dict[str, Any]
Operation = Any  # a class of schemathesis, generic in four of its internal types
ROLES = ("admin", "manager", "receptionist", "clinician", "kiosk", "display", "patient", "key", "nobody")
STAFF = ROLES[:4]
# The roles that may have the credential of a security scheme.
CREDENTIALS = {
    "accessToken": STAFF,
    "kioskToken": ("kiosk",),
    "displayToken": ("display",),
    "ticketToken": ("patient",),
    "apiKey": ("key",),
}
ROLES_LISTED = re.compile(r"Roles: ([a-z, ]+)\.")  # in the description of an operation
COMMAND = "/api/v1/commands/"
SESSION = "/api/v1/session"
FACTOR = f"{SESSION}/second-factor"
LINKS = "/api/v1/account-links"
PASSWORD = "seven quiet lamps outside"  # of the staff that the run adds
ENDS = ("/change-site", "/close-day")  # after these commands, the site may have no operation that succeeds
METRICS = "GET /metrics"
STREAM = "text/event-stream"  # an answer that never ends: the run leaves these operations out
# The operations that refuse every request here, and the reasons. The run calls them: their refusals are documented too.
REFUSED = {
    "POST /api/v1/setup": "the installation has an administrator: test_setup.py",
    "POST /api/v1/kiosks/{kiosk_id}/check-in": "no appointment has the code of the run: test_kiosk.py",
    "POST /api/v1/messages/{message_id}/resend": "no message has failed here: test_sent_messages.py",
    "PUT /api/v1/tickets/{token}/feedback": "the clinic asks no question: test_feedback.py",
    "GET /api/v1/receipts/{secret}": "the secret is in no answer: test_channel_set_up.py",
    "POST /api/v1/receipts/{secret}": "the secret is in no answer: test_channel_set_up.py",
}
# These operations succeed by chance alone, when a patient of the run has an address on a way of the site: test_opt_outs.py.
CHANCY = (
    "PUT /api/v1/tickets/{token}/contact/{way}",
    "PUT /api/v1/appointments/{token}/contact/{way}",
    "PUT /api/v1/entries/{entry_id}/contact/{way}",
    "PUT /api/v1/sites/{site_id}/appointments/{appointment_id}/contact/{way}",
)
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WANTS = WANTED | {"call": ("waiting",), "transfer": ("waiting", "called", "serving"), "amend-visit": ("waiting", "called")}
NOBODY = "json://127.0.0.1:9/{to}"  # no trial message leaves this machine
NO_RECEIVER = "http://127.0.0.1:9/"
REAL = 0.85  # the share of ids that are replaced by real ones
COSTLY = 0.5  # the same for a person with a second factor: each one costs the server some password hashes
NEGATIVE = 0.25  # the share of examples that the document does not allow
ABLE = 0.8  # the share of requests that come from a role that may do the operation
WAITING = 12


@dataclass
class House:
    """A site with every kind of record, the tokens of every role, and the ids of the present records."""

    url: str
    seeded: Seed
    tokens: dict[str, str] = field(default_factory=dict)
    known: dict[str, list[Any]] = field(default_factory=dict)
    protected: set[int] = field(default_factory=set)  # the staff that the run itself signs in with
    devices: dict[str, int] = field(default_factory=dict)  # the kiosk and the display whose tokens the run has
    made: int = 0
    scheduled: set[int] = field(default_factory=set)  # the providers with hours
    lasting: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # of the calendar, by their kind
    booking: Json = field(default_factory=dict)  # a site, a service and a provider who offers it
    hold: str = "none"
    calendar: str = "none"  # the secret of a calendar
    _guarded: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.site_id = self.seeded["site_id"]
        self.staff = {each["role"]: dict(each) for each in self.seeded["staff"]}
        self.sign_in("admin")
        self.forgetful = self._colleague(self.name())  # needs reset links
        self.protected = {each["id"] for each in self.ask("GET", "/api/v1/staff")["data"]}
        key = self.ask("POST", "/api/v1/api-keys", {"name": "the run's own"})
        self.tokens["key"] = key["key"]
        self.own_key = key["id"]

    def close(self) -> None:
        """Close the client."""
        self.client.close()

    def open_session(self, role: str) -> Json:
        """Open a session for the staff member with a role, or for the clinician if the role is not a staff role."""
        who = self.staff.get(role, self.staff["clinician"])
        headers = {"X-Forwarded-For": some_address(random.Random(time.monotonic_ns()))}
        answer = self.client.post(SESSION, json={key: who[key] for key in ("username", "password")}, headers=headers)
        self.client.cookies.clear()
        assert answer.status_code == 200, answer.text
        opened: Json = answer.json()
        return opened

    def sign_in(self, role: str) -> None:
        """Open a new session for a role."""
        self.tokens[role] = self.open_session(role)["access_token"]

    def ask(self, method: str, path: str, body: Json | None = None, *, sure: bool = True) -> Json:
        """Send a request as the administrator; return the answer's body. A refusal is an error if ``sure``."""

        def send() -> httpx.Response:
            headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
            return self.client.request(method, path, json=body, headers=headers)

        answer = send()
        if answer.status_code == 401:  # a request of the run has ended this session, as the API allows
            self.sign_in("admin")
            answer = send()
        assert answer.status_code < 300 or not sure, f"{method} {path}: {answer.text}"
        answered: Json = answer.json() if answer.content else {}
        return answered

    def do(self, name: str, /, *, sure: bool = True, **body: Any) -> Json:
        """Do a command as the administrator."""
        return self.ask("POST", COMMAND + name, body, sure=sure)

    def name(self) -> str:
        """Return an unused name."""
        self.made += 1
        return f"made-{self.site_id}-{self.made}"

    def prepare(self) -> None:
        """Put the site into a state in which every operation has a valid object."""
        for role in STAFF:
            headers = {"Authorization": f"Bearer {self.tokens.get(role, '-')}"}
            if self.client.get(SESSION, headers=headers).status_code != 200:
                self.sign_in(role)
        site_id = self.site_id
        always: Json = {"hours": [], "closed_on": [], "time_zone": "UTC"}
        phones = {
            "booking": "on",
            "joining": "presence",
            "phone_when_joining": "none",
            "joins_per_phone": 10,
            "joins_per_hour": 1000,
            "message_ways": ["sms"],
        }
        self.do("change-site", sure=False, site_id=site_id, **always, **phones)
        site = self.ask("GET", f"/api/v1/sites/{site_id}")
        for kind, least in (("service", 3), ("provider", 4), ("queue", 4), ("display", 3), ("kiosk", 3)):
            for _ in range(least - len(site[f"{kind}s"])):
                more: Json = {"service": {"public_name": self.name()}, "queue": {"prefix": "Q"}}.get(kind, {})
                self.do(f"add-{kind}", site_id=site_id, name=self.name(), **more)
        site = self.ask("GET", f"/api/v1/sites/{site_id}")
        queue_ids = [each["id"] for each in site["queues"]]
        for queue_id in queue_ids:
            self.do("change-queue", sure=False, queue_id=queue_id, capacity=0)
        paused = [each["id"] for each in site["queues"] if each["paused"]]
        for queue_id in paused[1:]:
            self.do("open-queue", queue_id=queue_id)
        if not paused:
            self.do("pause-queue", queue_id=queue_ids[-1])
        for point in site["points"]:
            self.do("change-point", sure=False, point_id=point["id"], queue_ids=queue_ids, unmet_needs=[])
            if point["state"] != "open":
                self.do("open-point", sure=False, point_id=point["id"])
        for _ in range(7 - len(site["points"])):
            self.do("add-point", site_id=site_id, name=self.name(), queue_ids=queue_ids)
        self._fill_the_day(queue_ids)
        self._fill_the_calendar()
        self.ask("PUT", "/api/v1/channels/chat/apprise", {"address": NOBODY})
        for each in site["kiosks"]:
            self.do("ask-help", sure=False, kiosk_id=each["id"])
        self.devices = {kind: site[f"{kind}s"][0]["id"] for kind in ("kiosk", "display")}
        for kind, device_id in self.devices.items():
            self.tokens[kind] = self.do("renew-token", device_id=device_id)["token"]
        self._add_spare_credentials()
        self.learn()

    def _fill_the_day(self, queue_ids: list[int]) -> None:
        """Ensure that the site has an entry in each state."""
        about = {
            "overrule": True,
            "second_ticket": True,
            "name": "Ada Lovelace",
            "phone": "+49 30 901820",
            "date_of_birth": "1985-12-10",
        }
        patient = self.do("issue-ticket", queue_id=queue_ids[0], sure=False, **about)
        for queue_id in [*queue_ids, *queue_ids]:
            if "token" in patient:
                break
            patient = self.do("issue-ticket", queue_id=queue_id, sure=False, **about)
        self.tokens["patient"], self.own_entry = patient["token"], patient["entry"]["id"]
        self.learn()
        providers = self.known["provider"]
        for index in range(max(len(providers), WAITING - len(self.known.get("entry waiting", [])))):
            named = {"provider_id": providers[index]} if index < len(providers) else {}
            self.do("issue-ticket", sure=False, queue_id=queue_ids[index % len(queue_ids)], overrule=True, **named)
        self.learn()
        self.do("issue-ticket", sure=False, queue_id=queue_ids[0], overrule=True, trial=True)
        waiting = [each for each in self.known.get("entry waiting", []) if each != self.own_entry]
        for entry_id, state in zip(waiting, ("held", "cancelled", "left"), strict=False):
            if len(self.known.get(f"entry {state}", [])) < 2:
                step = {"held": "hold", "cancelled": "cancel", "left": "leave"}[state]
                self.do(step, sure=False, entry_id=entry_id, **({"reason": "to be tried"} if step == "cancel" else {}))
        for entry_id in self.known.get("entry serving", []):
            self.do("complete", sure=False, entry_id=entry_id)
        self.known["entry completed"] = self.known.get("entry serving", [])
        for point_id in self.known["point"][:-3]:  # the last ones stay free for calls and swaps of rooms
            self.do("call-next", sure=False, point_id=point_id)
        self.learn()
        called = self.known.get("entry called", [])
        for entry_id, step in zip(called, ("start", "no-show", "start"), strict=False):
            self.do(step, sure=False, entry_id=entry_id)

    def _fill_the_calendar(self) -> None:
        """Ensure that a provider has hours all week, with appointments, a hold, an exception and a secret address."""
        service_id = self.known["service"][0]
        for provider_id in self.known["provider"][:2]:
            if provider_id in self.scheduled:
                continue
            self.scheduled.add(provider_id)
            of = {"site_id": self.site_id, "provider_id": provider_id, "service_ids": [service_id]}
            hours = {"from": "00:00", "until": "24:00", "slot_minutes": 15, "capacity": 50, "valid_from": "2026-01-01"}
            for weekday in range(7):
                made = self.do("add-schedule", sure=False, weekday=weekday, **of, **hours)
                self.lasting["schedule"] += [made["events"][-1]["schedule"]["id"]] if "events" in made else []
        closed = {"date": "2030-01-07", "kind": "closed", "reason": "to be tried", "stranded": "keep"}
        made = self.do("add-exception", sure=False, site_id=self.site_id, provider_id=self.known["provider"][-1], **closed)
        self.lasting["exception"] = [made["events"][-1]["exception"]["id"]] if "events" in made else []
        if not self.lasting["practitioner"]:
            self.lasting["practitioner"] = [self.ask("POST", "/api/v1/practitioners", {"name": self.name()})["id"]]
        provider_id = min(self.scheduled)
        feed = self.ask("POST", f"/api/v1/providers/{provider_id}/calendar-feeds")
        self.lasting["feed"] = [feed["id"]]
        self.calendar = feed["address"].split("/")[-2]
        self.booking = {"site_id": self.site_id, "service_id": service_id, "provider_id": provider_id}
        for number in range(4):
            start = f"2030-02-{number + 1:02}T09:00"
            made = self.do("book", sure=False, **self.booking, local_start=start, name=self.name(), overbook="to be tried")
            if "token" in made:
                self.lasting["appointment"].append(made["appointment"]["id"])
                self.tokens["appointment"] = made["token"]
        self.hold = self.do("hold-slot", sure=False, **self.booking, local_start="2030-02-05T10:00").get("token", "none")

    def _add_spare_credentials(self) -> None:
        """Create staff, API keys and webhooks that requests may remove."""
        for each in self.ask("GET", "/api/v1/webhooks")["data"]:
            self.ask("DELETE", f"/api/v1/webhooks/{each['id']}")
        self.known["webhook"] = [self.ask("POST", "/api/v1/webhooks", {"url": NO_RECEIVER})["id"] for _ in range(6)]
        self.known["staff"] = [self._colleague(self.name()) for _ in range(2)]
        self.known["api_key"] = [self.ask("POST", "/api/v1/api-keys", {"name": "spare"})["id"] for _ in range(8)]

    def _colleague(self, username: str) -> int:
        """Add a clinician; return the id."""
        body = {"username": username, "password": PASSWORD, "role": "clinician"}
        made: int = self.ask("POST", "/api/v1/staff", body)["id"]
        return made

    def _sign_in_new(self) -> Json:
        """Add a clinician and open a session; return the answer with its tokens and its user."""
        who = {"username": self.name(), "password": PASSWORD}
        self._colleague(who["username"])
        opened = self.client.post(SESSION, json=who)
        self.client.cookies.clear()
        answered: Json = opened.json()
        return answered

    def _factor(self, member: Json, method: str, step: str = "", **body: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {member['access_token']}"}
        return self.client.request(method, FACTOR + step, json=body or None, headers=headers)

    def unconfirmed(self) -> tuple[str, str]:
        """Begin the set-up of a new second factor of a member; return the token and the code that confirms it."""
        member = self.guarded()
        secret = self._factor(member, "POST", password=PASSWORD).json()["secret"]
        return member["access_token"], pyotp.TOTP(secret).now()

    def guarded(self) -> Json:
        """Return the session of a member with a second factor. Requests may remove the factor: it is then set up again."""
        state = self._factor(self._guarded, "GET") if self._guarded else None
        if state is None or state.status_code != 200:
            self._guarded = self._sign_in_new()
        if state is None or not state.json().get("on"):
            secret = self._factor(self._guarded, "POST", password=PASSWORD).json()["secret"]
            confirmed = self._factor(self._guarded, "POST", "/confirm", code=pyotp.TOTP(secret).now())
            assert confirmed.status_code == 200, confirmed.text
        return self._guarded

    def pending_sign_in(self) -> tuple[dict[str, str], str]:
        """Return the cookies of a sign-in that needs a code, and a code."""
        member = self.guarded()
        codes = self._factor(member, "POST", "/recovery-codes", password=PASSWORD).json()["recovery_codes"]
        answer = self.client.post(SESSION, json={"username": member["user"]["username"], "password": PASSWORD})
        assert answer.status_code == 202, answer.text
        self.client.cookies.clear()
        return dict(answer.cookies), codes[0]

    def link(self, *, invites: bool) -> str:
        """Make an invitation, or a reset link of a colleague; return its secret."""
        if invites:
            made = self.ask("POST", "/api/v1/invitations", {"role": "clinician"})
        else:
            made = self.ask("POST", f"/api/v1/staff/{self.forgetful}/reset-link")
        secret: str = made["address"].partition("#")[2]
        return secret

    def join_code(self) -> str:
        """Return the code on the screen of the kiosk."""
        headers = {"Authorization": f"Bearer {self.tokens['kiosk']}"}
        answer = self.client.get(f"/api/v1/devices/{self.devices['kiosk']}/join-code", headers=headers)
        code: str = answer.json()["code"]
        return code

    def phone(self) -> dict[str, str]:
        """Return the cookies of a new phone with a pass for the site."""
        answer = self.client.post(f"/api/v1/sites/{self.site_id}/joining/pass", json={"code": self.join_code()})
        self.client.cookies.clear()
        return dict(answer.cookies)

    def learn(self) -> None:
        """Read the ids of the present records."""
        board = self.ask("GET", f"/api/v1/sites/{self.site_id}/board")["cells"]
        now: dict[str, list[Any]] = {"site": [self.site_id]}
        for key, cell in board.items():
            kind, _, identifier = key.partition(":")
            if kind == "entry" and cell["state"] == "waiting" and cell["provider"]:
                now.setdefault("provider waited for", []).append(cell["provider"])
            if identifier:
                now.setdefault(kind, []).append(int(identifier))
                if kind == "queue" and cell["paused"]:
                    now.setdefault("queue paused", []).append(int(identifier))
        for each in self.ask("GET", f"/api/v1/sites/{self.site_id}/entries?page_size=200")["data"]:
            now.setdefault(f"entry {each['state']}", []).append(each["id"])
            now.setdefault("entry", []).append(each["id"])
            now.setdefault("visit", []).append(each["visit_id"])
        devices = [*now.get("display", []), *now.get("kiosk", [])]
        now["device"] = [each for each in devices if each not in self.devices.values()]
        now["record"] = [*now["device"], *(now.get(kind, [0])[-1] for kind in ("service", "provider", "point"))]
        now |= {kind: ids[-8:] for kind, ids in self.lasting.items() if ids}
        for kind in ("staff", "api_key", "webhook", "entry completed"):
            now.setdefault(kind, self.known.get(kind, []))
        self.day = board["site"]["business_day"]
        self.known = now


def some_address(chance: random.Random) -> str:
    """Return a random client address, so that wrong passwords of a run lock no user out."""
    return f"198.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def served(url: str) -> Json:
    """Return the OpenAPI document of a server."""
    document: Json = httpx.get(f"{url}/api/openapi.json", timeout=60).raise_for_status().json()
    return document


@dataclass
class RealValues:
    """Replaces most generated ids, tokens and passwords by real ones."""

    house: House
    chance: random.Random
    cursors: dict[str, str] = field(default_factory=dict)

    def __call__(self, case: Case[Any], role: str, *, allowed: bool) -> str | None:
        """Replace ids, tokens and passwords in a case; return the caller's token, which comes from the role alone."""
        label = case.operation.label
        token = self.house.tokens.get(role)
        if label == f"DELETE {SESSION}" and role in STAFF:
            token = self.house.open_session(role)["access_token"]  # a spare session: the run still needs the role's own
        for name in [name for name in case.headers if name.lower() in ("authorization", "cookie")]:
            del case.headers[name]
        case.cookies.clear()
        if isinstance(case.query, dict):
            case.query.pop("token", None)
        if self.chance.random() < 0.9:
            case.headers.pop("Idempotency-Key", None)
        if not allowed:
            self._protect(case)
            return token
        self._path(case, label, role)
        if isinstance(case.body, dict):
            case.body = {key: self._value(key, value, label, role) for key, value in case.body.items()}
            self._whole(case.body, label, role)
            if self.chance.random() < (REAL if label.endswith("/joining/ticket") else COSTLY):
                token = self._credentials(case, case.body, label, role) or token
        if isinstance(case.query, dict):
            self._query(case.query, label, role)
        return token

    def _protect(self, case: Case[Any]) -> None:
        """Replace the ids of the run's own staff and key: an invalid request may contain them by chance."""
        own = {str(each) for each in (*self.house.protected, self.house.own_key)}
        for name in ("staff_id", "api_key_id"):
            if str(case.path_parameters.get(name)) in own:
                case.path_parameters[name] = 10**9

    def _path(self, case: Case[Any], label: str, role: str) -> None:
        for name, value in case.path_parameters.items():
            if name == "pairing" and self.chance.random() < REAL:
                begun = self.house.client.post("/api/v1/pairings").json()
                value = begun["secret" if case.method == "GET" else "code"]
            elif name == "token" and self.chance.random() < REAL:
                value = self.house.tokens["appointment" if "/appointments/" in label else "patient"]
            elif name == "way" and self.chance.random() < REAL:
                value = "chat"
            elif name in ("template", "language") and self.chance.random() < REAL:
                value = {"template": "called", "language": "es"}[name]
            elif name == "secret" and self.chance.random() < REAL:
                value = self.house.calendar
            elif name == "provider_id" and self.chance.random() < REAL:
                value = self.house.booking["provider_id"]
            elif name == "session_id" and self.chance.random() < REAL:
                value = self.house.open_session("clinician")["refresh_token"].partition(".")[0]
            elif name == "staff_id" and label.endswith("/second-factor") and self.chance.random() < COSTLY:
                value = self.house.guarded()["user"]["id"]
            elif name in (f"{role}_id", "device_id") and role in self.house.devices and self.chance.random() < REAL:
                value = self.house.devices[role]
            else:
                value = self._value(name, value, label, "admin")
            case.path_parameters[name] = value

    def _value(self, key: str, value: Any, label: str, role: str) -> Any:
        if isinstance(value, list) and key.endswith("_ids"):
            return [self._value(key[:-1], each, label, role) for each in value] or value
        if isinstance(value, float) and value.is_integer() and (key.endswith("_id") or self.chance.random() < REAL):
            value = int(value)  # the document's integers include 7.0, which the server refuses
        if not key.endswith("_id"):
            return value
        kind = key.removesuffix("_id")
        kind = "queue paused" if label.endswith("/open-queue") and kind == "queue" else kind
        several = self.house.known.get(kind) or self.house.known.get(kind.rpartition("_")[2], [])
        if kind in ("staff", "api_key") and (value in self.house.protected or value == self.house.own_key):
            value = None if value is None else (several or [10**9])[0]
        if key == "behind_entry_id":  # the queue and band may have no other entry
            return None if self.chance.random() < 0.5 else self.chance.choice(self.house.known.get("entry waiting", [value]))
        if label.endswith("/reassign-provider") and key == "provider_id":
            several = self.house.known.get("provider waited for", several)
        if value is None or not several or self.chance.random() > REAL:
            return value
        if role == kind == "kiosk" and self.chance.random() < 0.8:
            return self.house.devices["kiosk"]
        if kind == "entry":
            if role == "patient" and self.chance.random() < 0.8:
                return self.house.own_entry
            wanted = WANTS.get(label.rpartition("/")[2], ())
            fitting = [each for state in wanted for each in self.house.known.get(f"entry {state}", [])]
            several = fitting if fitting and self.chance.random() < 0.9 else several
        return self.chance.choice(several)

    def _whole(self, body: Json, label: str, role: str) -> None:
        """Set fields that are valid only together."""
        house, often = self.house, self.chance.random() < REAL
        who = house.staff.get(role, house.staff["clinician"])
        if label == f"POST {SESSION}" and often:
            body |= {key: who[key] for key in ("username", "password")}
        elif label == f"POST {SESSION}/refresh" and often:
            body["refresh_token"] = house.open_session("clinician")["refresh_token"]
        elif label == f"POST {SESSION}/password" and often:
            body |= {"old_password": who["password"], "new_password": who["password"]}
        elif label == f"POST {FACTOR}" and often:
            body["password"] = who["password"]
        elif label == "POST /api/v1/staff" and often:
            body |= {"username": house.name(), "password": PASSWORD}
        elif label == "POST /api/v1/sites" and often:
            body["time_zone"] = "Europe/Berlin"
        elif label.startswith("PUT /api/v1/channels/"):
            body |= {"host": "127.0.0.1", "port": 9} if "host" in body else {}
            body |= {"address": NOBODY if label.endswith("/apprise") else "http://127.0.0.1:9"} if "address" in body else {}
            for key in ("token", "api_key"):
                body |= {key: "a secret"} if key in body and often else {}
        elif "/webhooks" in label and "url" in body:
            body["url"] = NO_RECEIVER
        elif label.endswith("/webhooks/{webhook_id}/replay") and often:
            body |= {"site_id": house.site_id, "number": 1}
        elif "/message-texts/" in label and often:
            body["text"] = "{label}: {link}"
        elif label.endswith("/channels/{way}/test") and often:
            body["to"] = "+4930901820"
        elif label.startswith(f"POST {LINKS}/") and often:
            body["secret"] = house.link(invites=self.chance.random() < 0.5)
            if label.endswith("/use"):
                body |= {"username": house.name(), "password": PASSWORD}
        elif label.endswith("/joining/pass") and often:
            body["code"] = house.join_code()
        elif "/booking/" in label and often:
            self._time(body)
        elif label.startswith("POST " + COMMAND) and often:
            self._time(body)
            if "site_id" in body:
                body["site_id"] = house.site_id
            body.pop("valid_until", None)  # mostly an instant of the past
            if "overrule" in body and self.chance.random() < 0.5:
                body["overrule"] = True
            if body.get("names"):
                body["names"] = dict.fromkeys(["en"], next(iter(body["names"].values())))
            if label.endswith("/change-site") and body.get("time_zone"):
                body["time_zone"] = "Asia/Tokyo"

    def _time(self, body: Json) -> None:
        """Set a service, a provider and a time that can be booked, a hold, and dates that exist."""
        if "local_start" in body:
            body["local_start"] = f"2030-{self.chance.randint(2, 11):02}-{self.chance.randint(1, 28):02}T10:00"
            body |= {key: self.house.booking[key] for key in ("service_id", "provider_id") if key in body}
            for key in ("minutes", "fold", "hold_token", "anyway"):
                body.pop(key, None)
        if "hold_token" in body:
            body["hold_token"] = self.house.hold
        if "version" in body:
            body["version"] = 1
        for key in ("date", "from_date", "last_date", "valid_from", "valid_until", "anchor_date"):
            if body.get(key):
                body[key] = "2035-01-01" if key in ("valid_until", "last_date") else "2030-03-04"
        for key in ("slot_minutes", "buffer_minutes"):
            if body.get(key):
                body[key] = 15
        if "every_days" in body:
            body["count"] = 2

    def _credentials(self, case: Case[Any], body: Json, label: str, role: str) -> str | None:
        """Set the cookies, the password and the code that belong to one person; return the token of this person, if any."""
        house = self.house
        if label.endswith("/joining/ticket"):
            case.cookies.update(house.phone())
        elif label == f"POST {SESSION}/code":
            cookies, body["code"] = house.pending_sign_in()
            case.cookies.update(cookies)
        elif label.startswith(f"POST {FACTOR}/") and role in STAFF:
            if label.endswith("/confirm"):
                token, body["code"] = house.unconfirmed()
                return token
            body["password"] = PASSWORD
            return str(house.guarded()["access_token"])
        return None

    def _query(self, query: Json, label: str, role: str) -> None:
        house = self.house
        for key, value in list(query.items()):
            query[key] = self._value(key, value, label, role)
        if "after" in query and self.chance.random() < 0.9:
            query["after"] = self.cursors.get(label)
            if query["after"] is None:
                del query["after"]
        if self.chance.random() < REAL:
            query |= dict.fromkeys(query.keys() & {"from", "to", "until", "business_day", "date"}, house.day)
            if "/slots" in label:
                query |= {key: house.booking[key] for key in ("service_id", "provider_id") if key in query}
                query |= {"at": f"{house.day}T10:00"} if "at" in query else {}
                query.pop("minutes", None)
        if label.endswith("/patients") and self.chance.random() < REAL:
            for key in query.keys() & {"name", "phone", "date_of_birth"}:
                del query[key]
            query |= {"name": "Ada"} if self.chance.random() < 0.7 else {"phone": "901820"}
        if query.get("kind") == "changes" and self.chance.random() < REAL:
            query["site_id"] = house.site_id

    def learn(self, label: str, answer: Any) -> None:
        """Remember the cursor of a list's next page."""
        if isinstance(answer, dict) and answer.get("pagination", {}).get("next"):
            self.cursors[label] = answer["pagination"]["next"]


@dataclass
class Report:
    """The counts of requests and answers, and the findings."""

    left_out: list[str]
    answers: dict[str, Counter[tuple[str, int]]] = field(default_factory=dict)
    findings: dict[tuple[str, str], str] = field(default_factory=dict)
    seconds: float = 0.0
    out_of_time: bool = False

    @property
    def asked(self) -> int:
        """The number of requests."""
        return sum(counter.total() for counter in self.answers.values())

    def never_done(self) -> list[str]:
        """Return the operations that succeeded for no role, except those that refuse every request."""
        return [label for label in self.answers if label not in (*REFUSED, *CHANCY) and not self.done(label)]

    def done(self, label: str) -> bool:
        """Return whether an operation succeeded for some role."""
        return any(200 <= status < 400 for _, status in self.answers[label])

    def lines(self) -> Iterable[str]:
        """Yield the counts as text: for each operation and role, the numbers of 2xx and 4xx answers."""
        yield f"{'operation':58}" + "".join(f"{role:>14}" for role in ROLES) + "    2xx/4xx"
        for label, counter in self.answers.items():
            good, bad = Counter[str](), Counter[str]()
            for (role, status), count in counter.items():
                (good if status < 300 else bad)[role] += count
            yield f"{label:58}" + "".join(f"{f'{good[role]}/{bad[role]}':>14}" for role in ROLES)
        worst = Counter(status for counter in self.answers.values() for _, status in counter.elements())
        yield f"{self.asked} requests in {self.seconds:.0f} s; by status: {dict(sorted(worst.items()))}"
        for label in self.left_out:
            yield f"left out: {label}: its answer never ends"
        for label, why in REFUSED.items():
            yield f"refuses every request: {label}: {why}"
        for label in CHANCY:
            yield f"succeeds by chance: {label}"
        for label in self.never_done():
            codes = sorted({status for _, status in self.answers[label]})
            yield f"never succeeded: {label}: {codes}"
        for (label, title), text in self.findings.items():
            yield f"FINDING: {label}: {title}\n{text}"


def able(described: Json, security: Sequence[Json]) -> Sequence[str]:
    """Return the roles that may do an operation, as its description says. ``security`` is that of the whole document."""
    listed = ROLES_LISTED.search(described.get("description", ""))
    if listed is not None:
        return ["key" if each == "integration" else each for each in listed[1].split(", ")]
    schemes = described.get("security", security)
    if not schemes or {} in schemes:
        return ROLES
    return [role for scheme, roles in CREDENTIALS.items() if {scheme: []} in schemes for role in roles]


class Fuzzer:
    """Calls every operation of a server's document, in rounds."""

    def __init__(self, house: House, seed: int, document: Json | None = None) -> None:
        self.house, self.seed = house, seed
        self.chance = random.Random(seed)
        self.real_values = RealValues(house, self.chance)
        self.schema = schemathesis.openapi.from_dict(document or served(house.url))
        results = list(self.schema.get_all_operations())
        found = [each.ok() for each in results if isinstance(each, Ok)]
        assert len(found) == len(results), "Schemathesis does not understand a part of the document"
        described = {each.label: each.definition.raw for each in found}
        assert set(REFUSED) <= set(described), "an operation refuses every request that the document does not contain"
        endless = [
            label for label, each in described.items() if STREAM in each["responses"].get("200", {}).get("content", {})
        ]
        self.operations: list[Operation] = [each for each in found if each.label not in endless]
        self.strategies: dict[tuple[str, bool], SearchStrategy[Case[Any]]] = {}
        self.able = {label: able(each, self.schema.raw_schema["security"]) for label, each in described.items()}
        self.report = Report(endless, {each.label: Counter() for each in self.operations})
        self.session = requests.Session()
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # no answer signs the next request in

    def only(self, wanted: Callable[[str], bool]) -> None:
        """Call only the operations whose names are ``wanted``."""
        self.operations = [each for each in self.operations if wanted(each.label)]
        self.report.answers = {each.label: Counter() for each in self.operations}

    def run(self, examples: int, rounds: int, seconds: float, say: Callable[[str], None] = lambda _: None) -> Report:
        """Call each operation ``examples`` times, spread over ``rounds``; stop after ``seconds``. ``say`` gets progress."""
        began = time.monotonic()
        for number in range(rounds):
            self.house.prepare()
            self.chance.shuffle(self.operations)
            for operation in self.operations:
                if time.monotonic() - began > seconds:
                    self.report.out_of_time = True
                    break
                self._ask(operation, examples // rounds, self.seed * 1000 + number)
            say(f"round {number + 1} of {rounds}: {self.report.asked} requests, {time.monotonic() - began:.0f} s")
        self.report.seconds = time.monotonic() - began
        self.session.close()
        return self.report

    def _strategy(self, operation: Operation, allowed: bool) -> SearchStrategy[Case[Any]]:
        key = operation.label, allowed
        if key not in self.strategies:
            mode = GenerationMode.POSITIVE if allowed else GenerationMode.NEGATIVE
            self.strategies[key] = operation.as_strategy(generation_mode=mode)
        return self.strategies[key]

    def _ask(self, operation: Operation, examples: int, seed: int) -> None:
        is_command = operation.label.startswith("POST " + COMMAND)
        parts = bool(operation.body) or bool(operation.query)
        wrong = round(examples * NEGATIVE) if parts else 0
        for allowed, count in ((True, examples - wrong), (False, wrong)):
            if not count:
                continue
            self._examples(self._strategy(operation, allowed), count, seed, allowed=allowed)
        if operation.label.endswith(ENDS):
            self.house.prepare()
        elif is_command:
            self.house.learn()

    def _examples(self, strategy: SearchStrategy[Case[Any]], count: int, seed: int, *, allowed: bool) -> None:
        @seeded_by(seed)
        @settings(
            max_examples=count, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def each(case: Case[Any]) -> None:
            self._send(case, allowed=allowed)

        each()

    def _role(self, label: str) -> str:
        """Return a role, mostly one that may do the operation."""
        roles = self.able[label] if self.chance.random() < ABLE else ROLES
        return "admin" if "admin" in roles and self.chance.random() < 0.4 else self.chance.choice(roles)

    def _send(self, case: Case[Any], *, allowed: bool) -> None:
        label = case.operation.label
        role = self._role(label)
        token = self.real_values(case, role, allowed=allowed)
        # Only a client on the server's own machine may read the metrics.
        headers = {} if label == METRICS else {"X-Forwarded-For": some_address(self.chance)}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        response = case.call(base_url=self.house.url, session=self.session, headers=headers, timeout=30)
        self.report.answers[label][role, response.status_code] += 1
        self._judge(case, response, role, allowed=allowed)

    def _judge(self, case: Case[Any], response: Response, role: str, *, allowed: bool) -> None:
        label, problems = case.operation.label, []
        if response.status_code >= 500:
            problems.append(("server error", response.text[:400]))
        json_body: Any = None
        if response.headers.get("content-type", [""])[0].startswith("application/json") and response.content:
            json_body = response.json()
        if response.status_code >= 400:
            error = json_body.get("error") if isinstance(json_body, dict) else None
            if not isinstance(error, dict) or set(error) != {"code", "message", "details", "request_id", "timestamp"}:
                problems.append(("an error without the documented shape", response.text[:400]))
        elif allowed:
            self.real_values.learn(label, json_body)
        try:
            case.validate_response(response, checks=[*CHECKS] if allowed else [*CHECKS, negative_data_rejection])
        except FailureGroup as failures:
            problems += [(f"{type(each).__name__}: {each.title}", str(each)[:600]) for each in failures.exceptions]
        for title, text in problems:
            self.report.findings.setdefault(
                (label, f"{title} ({response.status_code}, {role})"),
                f"{text}\n{case.as_curl_command(base_url=self.house.url)}",
            )
