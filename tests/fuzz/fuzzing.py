"""Schemathesis against a running server: valid and invalid requests from every role.

Schemathesis makes the values from the server's own document. `RealValues` replaces most ids, tokens and passwords by real
ones, since the answer would nearly always be 404 otherwise. Between rounds an administrator repairs the site
(`House.prepare`): records that one round removed, closed or ended are missing in the next.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded_by
from hypothesis.strategies import SearchStrategy
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

Json = dict[str, Any]
Operation = Any  # a class of schemathesis, generic in four of its internal types
ROLES = ("admin", "manager", "receptionist", "clinician", "kiosk", "patient", "key", "nobody")
STAFF = ROLES[:4]
COMMAND = "/api/v1/commands/"
SESSION = "/api/v1/session"
# The operations that the run leaves out, and the reasons.
LEFT_OUT = {
    "GET /live/sites/{site_id}/desk": "its answer never ends",
    "GET /live/displays/{display_id}": "its answer never ends",
    "GET /live/points/{point_id}": "its answer never ends",
    "GET /live/tickets/{token}": "its answer never ends",
    "GET /api/v1/displays/{display_id}/speech": "needs the display's own token: test_spoken_and_drawn.py",
    "POST /live/displays/{display_id}/ack": "needs the display's own token: test_display_health.py",
    "POST /live/displays/{display_id}/disagreement": "needs the display's own token: test_display_health.py",
    "POST /live/tickets/{token}/disagreement": "its address contains a token, which cannot be guessed: test_live.py",
}
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WANTS = WANTED | {"call": ("waiting",), "transfer": ("waiting", "called", "serving"), "amend-visit": ("waiting", "called")}
REAL = 0.85  # the share of ids that are replaced by real ones
NEGATIVE = 0.25  # the share of examples that the document does not allow
WAITING = 12


@dataclass
class House:
    """A site with every kind of record, the tokens of every role, and the ids of the present records."""

    url: str
    seeded: Seed
    tokens: dict[str, str] = field(default_factory=dict)
    known: dict[str, list[Any]] = field(default_factory=dict)
    protected: set[int] = field(default_factory=set)  # the staff that the run itself signs in with
    made: int = 0

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.site_id = self.seeded["site_id"]
        self.staff = {each["role"]: dict(each) for each in self.seeded["staff"]}
        self.sign_in("admin")
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
        self.do("change-site", sure=False, site_id=site_id, hours=[], closed_on=[], time_zone="UTC")
        site = self.ask("GET", f"/api/v1/sites/{site_id}")
        for kind, least in (("service", 3), ("provider", 4), ("queue", 4), ("display", 3), ("kiosk", 3)):
            for _ in range(least - len(site[f"{kind}s"])):
                more: Json = {"service": {"public_name": self.name()}, "queue": {"prefix": "Q"}}.get(kind, {})
                self.do(f"add-{kind}", site_id=site_id, name=self.name(), **more)
        site = self.ask("GET", f"/api/v1/sites/{site_id}")
        queue_ids = [each["id"] for each in site["queues"]]
        for queue_id in queue_ids:
            self.do("change-queue", sure=False, queue_id=queue_id, capacity=0)
        for each in [each for each in site["queues"] if each["paused"]][1:]:
            self.do("open-queue", queue_id=each["id"])
        for point in site["points"]:
            self.do("change-point", sure=False, point_id=point["id"], queue_ids=queue_ids, unmet_needs=[])
            if point["state"] != "open":
                self.do("open-point", sure=False, point_id=point["id"])
        for _ in range(7 - len(site["points"])):
            self.do("add-point", site_id=site_id, name=self.name(), queue_ids=queue_ids)
        self._fill_the_day(queue_ids)
        self.tokens["kiosk"] = self.do("renew-token", device_id=site["kiosks"][0]["id"] if site["kiosks"] else 0)["token"]
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

    def _add_spare_credentials(self) -> None:
        """Create staff and API keys that requests may remove."""
        self.known["staff"] = [self.ask("POST", "/api/v1/staff", {"username": self.name(), "password": "long enough for all",
                                                                  "role": "clinician"})["id"] for _ in range(2)]  # fmt: skip
        self.known["api_key"] = [self.ask("POST", "/api/v1/api-keys", {"name": "spare"})["id"] for _ in range(8)]

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
        for each in self.ask("GET", f"/api/v1/sites/{self.site_id}/entries?page_size=200")["data"]:
            now.setdefault(f"entry {each['state']}", []).append(each["id"])
            now.setdefault("entry", []).append(each["id"])
            now.setdefault("visit", []).append(each["visit_id"])
        now["device"] = [*now.get("display", []), *now.get("kiosk", [])[1:]]
        now["record"] = [*now["device"], *(now.get(kind, [0])[-1] for kind in ("service", "provider", "point"))]
        for kind in ("staff", "api_key", "entry completed"):
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

    def __call__(self, case: Case[Any], role: str, *, allowed: bool) -> None:
        """Replace ids, tokens and passwords in a case. The caller's credential comes from the role alone."""
        label = case.operation.label
        for name in [name for name in case.headers if name.lower() in ("authorization", "cookie")]:
            del case.headers[name]
        case.cookies.clear()
        if self.chance.random() < 0.8:
            case.headers.pop("Idempotency-Key", None)
        if not allowed:
            self._protect(case)
            return
        self._path(case, label)
        if isinstance(case.body, dict):
            case.body = {key: self._value(key, value, label, role) for key, value in case.body.items()}
            self._whole(case.body, label, role)
        if isinstance(case.query, dict):
            self._query(case.query, label, role)

    def _protect(self, case: Case[Any]) -> None:
        """Replace the ids of the run's own staff and key: an invalid request may contain them by chance."""
        own = {str(each) for each in (*self.house.protected, self.house.own_key)}
        for name in ("staff_id", "api_key_id"):
            if str(case.path_parameters.get(name)) in own:
                case.path_parameters[name] = 10**9

    def _path(self, case: Case[Any], label: str) -> None:
        for name, value in case.path_parameters.items():
            if name == "pairing" and self.chance.random() < REAL:
                begun = self.house.client.post("/api/v1/pairings").json()
                value = begun["secret" if case.method == "GET" else "code"]
            elif name == "token" and self.chance.random() < REAL:
                value = self.house.tokens["patient"]
            elif name == "session_id" and self.chance.random() < REAL:
                value = self.house.open_session("clinician")["refresh_token"].partition(".")[0]
            else:
                value = self._value(name, value, label, "admin")
            case.path_parameters[name] = value

    def _value(self, key: str, value: Any, label: str, role: str) -> Any:
        if isinstance(value, list) and key.endswith("_ids"):
            return [self._value(key[:-1], each, label, role) for each in value] or value
        if not key.endswith("_id"):
            return value
        kind = key.removesuffix("_id")
        several = self.house.known.get(kind) or self.house.known.get(kind.rpartition("_")[2], [])
        if kind in ("staff", "api_key") and (value in self.house.protected or value == self.house.own_key):
            value = None if value is None else (several or [10**9])[0]
        if key == "behind_entry_id":  # the queue and band may have no other entry
            return None if self.chance.random() < 0.5 else self.chance.choice(self.house.known.get("entry waiting", [value]))
        if label.endswith("/reassign-provider") and key == "provider_id":
            several = self.house.known.get("provider waited for", several)
        if value is None or not several or self.chance.random() > REAL:
            return value
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
        elif label.startswith("POST " + COMMAND) and often:
            if "site_id" in body:
                body["site_id"] = house.site_id
            if "overrule" in body and self.chance.random() < 0.5:
                body["overrule"] = True
            if label.endswith("/change-site") and body.get("time_zone"):
                body["time_zone"] = "Asia/Tokyo"

    def _query(self, query: Json, label: str, role: str) -> None:
        house = self.house
        for key, value in list(query.items()):
            query[key] = self._value(key, value, label, role)
        if "after" in query and self.chance.random() < 0.9:
            query["after"] = self.cursors.get(label)
            if query["after"] is None:
                del query["after"]
        for key in ("from", "to", "business_day"):
            if key in query and self.chance.random() < REAL:
                query[key] = house.day
        if label.endswith("/patients") and self.chance.random() < REAL:
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

    answers: dict[str, Counter[tuple[str, int]]] = field(default_factory=dict)
    findings: dict[tuple[str, str], str] = field(default_factory=dict)
    seconds: float = 0.0
    out_of_time: bool = False

    @property
    def asked(self) -> int:
        """The number of requests."""
        return sum(counter.total() for counter in self.answers.values())

    def never_done(self) -> list[str]:
        """Return the operations that succeeded for no role."""
        return [label for label, counter in self.answers.items() if not any(200 <= status < 300 for _, status in counter)]

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
        for label, why in LEFT_OUT.items():
            yield f"left out: {label}: {why}"
        for label in self.never_done():
            codes = sorted({status for _, status in self.answers[label]})
            yield f"never succeeded: {label}: {codes}"
        for (label, title), text in self.findings.items():
            yield f"FINDING: {label}: {title}\n{text}"


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
        assert set(LEFT_OUT) <= {each.label for each in found}, "an operation is left out that the document does not contain"
        self.operations: list[Operation] = [each for each in found if each.label not in LEFT_OUT]
        self.strategies: dict[tuple[str, bool], SearchStrategy[Case[Any]]] = {}
        self.report = Report({each.label: Counter() for each in self.operations})
        self.session = requests.Session()
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # no answer signs the next request in

    def only(self, part: str) -> None:
        """Call only the operations with ``part`` in their names."""
        self.operations = [each for each in self.operations if part in each.label]
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
        if is_command:
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

    def _send(self, case: Case[Any], *, allowed: bool) -> None:
        role = "admin" if self.chance.random() < 0.4 else self.chance.choice(ROLES)
        self.real_values(case, role, allowed=allowed)
        label = case.operation.label
        headers = {"X-Forwarded-For": some_address(self.chance)}
        token = self.house.tokens.get(role)
        if label == f"DELETE {SESSION}" and role in STAFF:
            token = self.house.open_session(role)["access_token"]  # a spare session: the run still needs the role's own
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
