"""The API in its own words: an OpenAPI 3.1 document made from the commands, events, roles, errors and routes.

A new command, event or error is in it by itself. What a command can be answered is read from its rule: the classes that
its branch of `server.domain.rules.decisions.decide` names, and the functions that branch calls. A new route, or another
cell of a view, is described here by hand; a test fails until it is.

Where the server takes more than it promises (any position in ``last_event_id``, unknown query parameters), the document
does not forbid it: a caller must be able to trust both what is said to be taken and what is said to be refused.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from http import HTTPStatus
from itertools import count
from threading import Lock
from typing import Any, get_args, get_type_hints

import orjson
from pydantic import BaseModel, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server import __version__
from server.domain import roles
from server.domain.commands import COMMANDS, Command, RenewToken
from server.domain.errors import (
    ApiKeyNotFound,
    CommandIdReused,
    EntryUnknown,
    InvalidField,
    LastAdmin,
    NameTaken,
    NotAllowed,
    NotFound,
    NotSignedIn,
    NowServingError,
    PairingNotFound,
    PointNotFound,
    Refused,
    SessionNotFound,
    SignInFailed,
    SiteNotFound,
    StaffNotFound,
    TicketNotFound,
    Unavailable,
    VisitUnknown,
    WrongPassword,
)
from server.domain.events import EVENTS, DisplayReported, Event
from server.domain.model import OPEN_STATES, Need, Personal, PointState, Priority, Rules
from server.domain.model.ids import MAX_ID
from server.domain.reporting.statistics import Figures, Hour, PointUse
from server.domain.views import DeskView, DisplayView, PointView, TicketView
from server.identity.access_tokens import ACCESS_SECONDS
from server.identity.api_keys import KEY_PREFIX
from server.identity.errors import SignInLocked
from server.identity.pairing import ALPHABET, CODE_LENGTH
from server.queries.audit import Audited
from server.queries.entries import EntryListed
from server.queries.identity import SiteListed
from server.queries.keyset import COUNTED_AT_MOST
from server.queries.patients import LEAST_OF_PHONE
from server.transport.access import limits
from server.transport.access.browsers import COOKIE as BROWSER_COOKIE
from server.transport.access.gate import ACCESS_COOKIE, REFRESH_COOKIE
from server.transport.api import api_keys, audit, entries, pairings, sessions, speech, staff, statistics, tickets
from server.transport.api.commands import MAX_KEY
from server.transport.http import bodies, paging, parameters, paths
from server.transport.http.assets import File
from server.transport.http.errors import (
    AddressBlocked,
    BadHeader,
    BodyTooLarge,
    ForeignOrigin,
    HeadersTooLarge,
    InvalidBody,
    MalformedBody,
    TookTooLong,
    TooManyRequests,
    UnknownCommand,
    UnknownVersion,
    status_of,
)
from server.transport.http.middleware import MAX_HEADER_BYTES
from server.transport.http.versions import VERSIONS
from server.transport.spec.cells import cells_of_views, cells_schema, live_messages
from server.transport.spec.outcomes import Outcomes
from server.transport.spec.schema import (
    INSTANT,
    NULLABLE_TEXT,
    REFERENCE,
    STATES,
    Json,
    count_of,
    id_of,
    object_of,
    ref,
    text,
    tidy,
    who,
)
from server.transport.streams import feedback
from server.transport.voice import VOICES

# An operation: its method, path, name, endpoint, request, answer, and what it can be refused for.
_Described = tuple[str, str, str, Callable[..., object], Json, Json, tuple[type[NowServingError], ...]]

ADDRESS = "/api/openapi.json"
STREAMS_ADDRESS = "/api/asyncapi.json"
COMMAND = "/api/v1/commands/{name}"

_KEY = f"^[!-~](?:[ -~]{{0,{MAX_KEY - 2}}}[!-~])?$"
_KEYED = "[0-9]+-[A-Za-z0-9_-]{22}"

# Values for the examples: by command and field, by field, and, for a pattern that none of those fits, whatever does.
_SAMPLES: Json = {
    "name": "Ada Lovelace",
    "phone": "+49 30 901820",
    "language": "pt-BR",
    "prefix": "A",
    "party_size": 2,
    "reason": "The room is needed for an emergency",
    "message": "The lift is out of order today",
    "minutes": 15,
    "add-queue.name": "Blood test",
    "add-point.name": "Room 1",
    "add-display.name": "Waiting room",
    "site_id": 7,
    "queue_id": 7_000_000_001,
    "queue_ids": [7_000_000_001, 7_000_000_002],
    "point_id": 7_000_000_004,
    "entry_id": 7_000_000_012,
    "visit_id": 7_000_000_011,
    "email": "ada@example.org",
    "date_of_birth": "1985-12-10",
    "notes": "Comes with her daughter",
    "needs": ["step_free"],
    "unmet_needs": ["step_free"],
    "time_zone": "Europe/Berlin",
    "hours": [[0, 480, 1020]],
    "closed_on": ["2026-12-25"],
    "add-service.name": "Blood test for a transplant",
    "add-service.public_name": "Blood test",
    "change-service.public_name": "Blood test",
    "add-kiosk.name": "Door",
    "display_id": 7_000_000_007,
    "label": "A012",
    "staff_id": 12,
    "api_key_id": 3,
}
# What is in a path and no number: its pattern, what it is, an example.
_PATH_TEXTS: dict[str, tuple[str, str, str]] = {
    "token": (f"^{_KEYED}$", "The ticket's own token.", "7-c2hhbGwgbm90IGJlIHVzZW"),
    "session_id": ("^[^/]+$", "The session.", "8c0fd4a2b4f1c5d93f0a6b2e7d81c4f6"),
    "pairing": ("^[^/]+$", "For an administrator the code, for the device its secret.", "K7M3QX"),
}
_SPARES = ("A", "en", "12:30", "2026-03-29", "2026-03-29T12:30", "+49 30 901820", "0")

_DESCRIPTIONS = {
    "site_id": "The site.",
    "queue_id": "A queue.",
    "queue_ids": "Queues of the site.",
    "point_id": "A service point.",
    "entry_id": "An entry: one stage of a visit in one queue.",
    "visit_id": "One attendance, all stages.",
    "display_id": "A waiting-room display.",
    "kiosk_id": "A kiosk at the door.",
    "device_id": "A display or a kiosk.",
    "service_id": "A service.",
    "provider_id": "A clinician.",
    "to_provider_id": "Another clinician; null is whoever is free.",
    "with_point_id": "The other service point.",
    "record_id": "A service, provider, queue, point, display or kiosk.",
    "hours": "Weekly opening hours: weekday (0 is Monday), from and until in minutes after local midnight.",
    "closed_on": "Days on which the site stays closed.",
    "needs": "What staff have to see to.",
    "unmet_needs": "Needs that the room cannot meet.",
    "staff_id": "A member of staff.",
    "api_key_id": "An API key.",
    "announcement_id": "One call or recall.",
    "new_entry_id": "The entry that begins.",
    "label": "The ticket, as people read it.",
    "reason": "Why this one and not another. For staff.",
    "business_day": "The site's own day, which turns at a set hour.",
    "seq": "The number in the site's log.",
    "at": "When, in milliseconds since 1970.",
    "display_name": "What a display may show of the name; null where the patient has not agreed.",
    "name_on_display": "Whether the patient agreed that a display shows the given name and an initial.",
}


@dataclass(frozen=True, slots=True)
class _Code:
    """A refusal by its stable code. ``message`` is a template: ``{label}`` stands for a detail."""

    code: str
    status: int
    message: str


def document() -> Json:
    """Return the OpenAPI document of this version, as JSON-ready values that belong to the caller."""
    return _Document().made()


def errors() -> list[type[NowServingError]]:
    """Return every class of the tree of errors, parents before children."""

    def below(kind: type[NowServingError]) -> list[type[NowServingError]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    return [kind for kind in dict.fromkeys(below(NowServingError)) if kind.__module__.startswith("server.")]


class Served:
    """A document as it is served: put together when it is first asked for, once, however many ask meanwhile."""

    def __init__(self, made: Callable[[], Json]) -> None:
        self._made = made
        self._one_at_a_time = Lock()
        self._file: File | None = None

    async def answer(self, request: Request) -> Response:
        """Return the document, compressed for whoever takes it so: it is long, and says much again and again."""
        file = self._file
        if file is None:
            file = await run_in_threadpool(self._once)  # it takes a moment, in which others go on
        return file.answer(request, 200, "no-cache")

    def _once(self) -> File:
        with self._one_at_a_time:
            if self._file is None:
                self._file = File.of(orjson.dumps(self._made()), "application/json")
            return self._file


get_document = Served(document).answer


ROUTES = [Route(ADDRESS, get_document, methods=["GET"])]


# What is refused, and by which code

_HOST = _Code("unknown_host", 400, "This host name is not served here.")
_MALFORMED = _Code("malformed_request", 400, "The request is malformed.")
_NO_PATH = _Code("not_found", 404, "Not Found")
_OUTSIDE_THE_TREE = (
    _HOST,
    _MALFORMED,
    _Code("method_not_allowed", 405, "Method Not Allowed"),
    _Code("internal_error", 500, "Something went wrong. It has been recorded."),
)


def _code(kind: type[NowServingError]) -> _Code:
    error = kind()
    return _Code(error.code, status_of(error), (kind.__doc__ or "").strip().splitlines()[0])


def _below(*kinds: type[NowServingError]) -> list[type[NowServingError]]:
    return [each for each in errors() if issubclass(each, kinds)]


# Schemas


def _of_type(name: str, hint: Any, hoisted: dict[str, Json]) -> Json:
    """Return the schema of a field that the server writes; what it refers to by name is put into ``hoisted``."""
    made: Json = tidy(TypeAdapter(hint).json_schema(ref_template=REFERENCE, mode="serialization"))
    hoisted |= made.pop("$defs", {})
    if name.endswith("_id") and made.get("type") in ("integer", ["integer", "null"]):
        made = id_of(nullable="null" in made["type"])
    elif name.endswith("_ids") and made.get("type") == "array":
        made["items"] = id_of()
    if name in _DESCRIPTIONS:
        made["description"] = _DESCRIPTIONS[name]
    return made


def _body_schema(name: str, model: type[BaseModel], hoisted: dict[str, Json]) -> Json:
    """Return the schema of a command's body: the model's, with what its validators ask for. See `_of_type`."""
    command = COMMANDS[name]
    hints = get_type_hints(command)
    schema: Json = tidy(model.model_json_schema(ref_template=REFERENCE))
    schema.pop("description", None)
    hoisted |= schema.pop("$defs", {})
    own = {item.name: item.metadata for item in fields(command)}  # type: ignore[arg-type]
    for key, made in schema["properties"].items():
        if "pattern" in own.get(key, {}):
            made["pattern"] = own[key]["pattern"]  # pydantic leaves it out of a field with a validator of its own
        if hints.get(key) in (str, str | None):
            made |= _plain(made)
        if key.endswith("_ids") and made.get("type") == "array":
            made["items"] |= {"minimum": 1, "maximum": MAX_ID}  # beyond these there is nothing to be found
        elif key.endswith("_id") and "integer" in made.get("type", ()):
            made |= {"minimum": 1, "maximum": MAX_ID}
        if key == "site_id" and key not in own:
            made["description"] = "May be given, and must then be the site that the other ids belong to."
        elif key in _DESCRIPTIONS:
            made.setdefault("description", _DESCRIPTIONS[key])
    return schema


@cache
def _characters() -> tuple[str, str]:
    """Return what `PlainText` takes nowhere, and what it does not take at an end, each as ranges of a character class."""
    never, at_an_end = bodies.refused_characters()
    return _ranges(never), _ranges(at_an_end)


def _ranges(characters: list[str]) -> str:
    found: list[list[int]] = []
    for each in map(ord, characters):
        if found and found[-1][1] == each - 1:
            found[-1][1] = each
        else:
            found.append([each, each])
    # A code point beyond four digits has no escape that every dialect knows: it stands for itself.
    written = [[f"\\u{each:04x}" if each <= 0xFFFF else chr(each) for each in pair] for pair in found]
    return "".join(first if first == last else f"{first}-{last}" for first, last in written)


def _plain(made: Json) -> Json:
    """Return what text must also be: without control characters, and without a space at either end."""
    pattern = made.get("pattern")
    never, inside = _characters()
    if pattern is None:
        plain = f"[^{never}{inside}](?:[^{never}]*[^{never}{inside}])?"
        whole = f"^{plain}$" if made.get("minLength") else f"^(?:{plain})?$"
        note = "No control characters, no space at either end."
        return {"pattern": whole, "description": made.get("description", note)}
    inner = pattern.removeprefix("^").removesuffix("$")
    if re.fullmatch(r"[\w\[\]{}()?+*|,-]*", re.sub(r"\\[+.?*()-]", "", inner), re.ASCII):
        return {}  # it has no room for either
    return {
        "pattern": f"^(?![^{never}]*[{never}])(?![{inside}]){inner}(?<![{inside}])$",
        "description": made.get("description", f"`{pattern}`, with no space at either end."),
    }


def _example(name: str, schema: Json) -> Json | None:
    """Return a body that the schema allows, with every field that has a likely value; None if one is lacking."""
    made: Json = {}
    for key, each in schema["properties"].items():
        if key == "site_id" and key not in schema["required"]:
            continue
        value = _sample(name, key, each)
        if value is not None:
            made[key] = value
        elif key in schema["required"]:
            return None
    return made


def _sample(name: str, key: str, schema: Json) -> Any:
    kinds = schema.get("type", [])
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    names = [f"{name}.{key}", key, *(key.split("_", each)[-1] for each in range(1, key.count("_") + 1))]
    known = next((_SAMPLES[each] for each in names if each in _SAMPLES), None)
    if known is not None:
        return known
    if "boolean" in kinds:
        return True
    if "integer" in kinds:
        return _SAMPLES["queue_id"] if key.endswith("_id") else schema.get("minimum", 1)
    if "string" in kinds:
        pattern = re.compile(schema.get("pattern", ""))
        low, high = schema.get("minLength", 0), schema.get("maxLength", 99)
        fit = (each for each in _SPARES if pattern.search(each) and low <= len(each) <= high)
        return next(fit, None)
    if "array" in kinds and key.endswith("_ids"):
        return [_SAMPLES["queue_id"]]
    return None


def schema_of(model: type[BaseModel]) -> Json:
    """Return the schema of a model as these documents write it."""
    made: Json = tidy(model.model_json_schema())
    return made


# The document

_ABOUT = f"""\
The queue of a clinic, the same on every screen. Every change is a **command**: one `POST` with a JSON body, answered with
the number in the site's log and the events that happened. Screens follow **live streams** of small cells.

**Signing in.** `POST /api/v1/session` gives an access token, good for {ACCESS_SECONDS // 60} minutes, to be sent as
`Authorization: Bearer ...`, and sets it as a cookie too. With the cookie, a change is refused when a browser says that
another site's page sent it. Displays and tickets have tokens of their own.

**Once only.** Send an `Idempotency-Key` with a command, and repeat the command with the same key when its answer was lost:
it is done at most once, and its first answer is given again for a day.

**Ids.** Every id names its site: it is `site_id * 1000000000 + n`. Ids of one body belong to one site. What belongs to
another organisation does not exist.

**Bodies.** UTF-8 JSON whatever `Content-Type` says, at most {bodies.MAX_BODY_BYTES // 1024} KiB. An unknown field
is refused, and so is a number where a text is asked for, or `1.0` where an integer is; of a key given twice the last
counts. Unknown query parameters are ignored.

**Lists** come by the page: `page_size`, and `after` with the `next` of the page before. `total` is exact up to
{COUNTED_AT_MOST:,}, and `total_is_capped` beyond.

**Errors.** One shape for all: `{{"error": {{"code", "message", "details", "request_id", "timestamp"}}}}`. The codes are
stable, the messages are for people. An unknown path is 404 `not_found`, another method is 405 `method_not_allowed` with
`Allow`, and a fault of ours is 500 `internal_error`. `HEAD` is answered wherever `GET` is. What is not even HTTP is
`malformed_request`, and so are headers of more than {MAX_HEADER_BYTES // 1024} KiB `headers_too_large`.

**Time.** A request whose answer has not begun after half a minute is given up: 503 `took_too_long`. Repeat a command with
the same `Idempotency-Key` (the error's `details` have it) to learn whether it was done.

**Limits.** What is asked of `/api/` is counted, in a moving window: {limits.STAFF.amount:,} an hour for a session, an API
key or a device; {limits.TICKET.amount} a minute for a ticket; {limits.ANONYMOUS.amount} a minute for an address, where a
request has nothing of these; {limits.SIGN_IN.amount} passwords, pairings or codes a minute. An answer that was counted has
`X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (in seconds since 1970: when there will be one more);
429 says in `Retry-After` how many seconds to wait.

**Versions.** The path names it, or `X-API-Version`, or `?api_version=` (then the path may leave it out: `/api/sites`); if
two of them do, they must agree. An unknown one is 400 `unknown_version`. Every answer names its own in `X-API-Version`, and
says by `Deprecation` and `Sunset` what will go away. Every answer has an `X-Request-ID`: yours, if it is 8 to 64 of
`A-Z a-z 0-9 _ . -`, or a new one; the log has it.
"""

_TAGS = {
    "Session": "Signing in and out.",
    "Administration": "Who may sign in, which other systems are let in, which device is which.",
    "Setting up": "Commands on a whole site.",
    "Sites": "What there is to see.",
    "Entries and visits": "Who is waiting, who was here, and what happened to them, today and on any day before.",
    "Figures": "How it went, in whole seconds: waits, walks, services, and whether what was promised was true.",
    "Audit": "Who did what, and was refused what.",
    "Live": "Streams of cells: server-sent events, or WebSocket when asked to upgrade.",
    "Operation": "For monitoring, and for programs that read this document. Nobody signs in for these.",
}

_LIVE = """\
The answer never ends by itself: a `snapshot` of all cells first, then a `change` for each commit that touches them, and a
`heartbeat` when it is quiet. Every event has an `id`, the position `{epoch}.{shape}.{seq}`; come back with it, as
`Last-Event-ID` or `?last_event_id=`, and only what was missed is sent. A position that is not known any more, or is no
position, gets a snapshot. A `bye` says when to come back.

With `Upgrade: websocket` the same messages come as JSON text frames, with `type` and `id` among their fields. What is
refused closes the WebSocket with 3500 ("do not come back") and the code as reason; 3001 means that the database could not be
reached. One stream too many gets a `bye` with the reason `over-cap`; as a WebSocket it is refused with 503. All of it is
described in `/api/asyncapi.json`."""

_RETRY_AFTER: Json = {"description": "Seconds to wait.", "required": True, "schema": text(pattern="^[0-9]+$")}
_ANYWHERE = (BadHeader, HeadersTooLarge)
_IN_THE_API = (UnknownVersion, TooManyRequests, AddressBlocked, TookTooLong)
_PUBLIC: list[Json] = []
_STAFF: list[Json] = [{"accessToken": []}, {"accessCookie": []}]
_DISPLAY: list[Json] = [{"displayToken": []}, {"displayTokenInQuery": []}]

_UNKEPT: Json = {"Cache-Control": {"required": True, "schema": {"const": "no-store"}}}
_ADMINISTRATION = (NotSignedIn, NotAllowed, Unavailable)
_READ = (NotSignedIn, NotAllowed, Unavailable)
_WRITE = (MalformedBody, BodyTooLarge, InvalidBody, Unavailable)


class _Document:
    """Puts the document together; schemas and responses that more than one operation has are kept as components."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {}
        self.responses: dict[str, Json] = {}
        self.paths: dict[str, Json] = {}
        self.tags: dict[str, str] = {}
        self.outcomes = Outcomes()
        # The commands for which an entry is enough: any answer that has one leads to them.
        self.steps = [
            name
            for name, model in bodies.MODELS.items()
            if {key for key, each in model.model_fields.items() if each.is_required()} == {"entry_id"}
        ]
        self.linked: list[str] = []

    def made(self) -> Json:
        self._shared()
        self._session()
        self._administration()
        self._commands()
        self._sites()
        self._entries()
        self._figures()
        self._audit()
        self._live()
        self._operation()
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Now Serving",
                "version": __version__,
                "summary": "A real-time queue server for clinics.",
                "description": _ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
            "servers": [{"url": "/", "description": "This installation."}],
            "security": _STAFF,
            "tags": [{"name": name, "description": about} for name, about in self.tags.items()],
            "paths": self.paths,
            "components": {
                "schemas": self.schemas,
                "responses": self.responses,
                "links": {
                    name: {"operationId": name, "requestBody": {"entry_id": "$response.body#/entry/id"}}
                    for name in self.linked
                },
                "headers": {
                    "RequestId": {
                        "description": "Names this request in the log.",
                        "required": True,
                        "schema": text(pattern="^[A-Za-z0-9_.-]{8,64}$"),
                    },
                    "ApiVersion": {
                        "description": "The version that answered.",
                        "required": True,
                        "schema": {"const": VERSIONS[-1]},
                    },
                    "RateLimit": {
                        "description": "How many requests are allowed. There where limits are in force.",
                        "schema": text(pattern="^[0-9]+$"),
                    },
                    "RateLimitRemaining": {
                        "description": "How many are left.",
                        "schema": text(pattern="^[0-9]+$"),
                    },
                    "RateLimitReset": {
                        "description": "When there will be one more, in seconds since 1970.",
                        "schema": text(pattern="^[0-9]+$"),
                    },
                },
                "parameters": {
                    "Preview": {
                        "name": "preview",
                        "in": "query",
                        "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
                        "description": "`true`: nothing is done; the answer tells what would be.",
                    },
                    "IdempotencyKey": {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "description": f"The command's id, of your making: 1 to {MAX_KEY} printable ASCII characters. "
                        "A repeat with the same body is answered as before; one with another body is refused.",
                        "schema": text(minLength=1, maxLength=MAX_KEY, pattern=_KEY),
                    },
                },
                "securitySchemes": {
                    "accessToken": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "A member of staff: the access token of a session.",
                    },
                    "accessCookie": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": ACCESS_COOKIE,
                        "description": "The same token as browsers have it. Not looked at where there is a bearer token.",
                    },
                    "refreshCookie": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": REFRESH_COOKIE,
                        "description": "The refresh token as browsers have it.",
                    },
                    "apiKey": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": f"Another system: its API key, `{KEY_PREFIX}...`.",
                    },
                    "displayToken": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A display's own token, `d7-...`: shown once, when the display is added.",
                    },
                    "ticketToken": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A patient: the token of their ticket, `7-...`, for that ticket alone.",
                    },
                    "kioskToken": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A kiosk's own token, `d7-...`: shown once, when the kiosk is added.",
                    },
                    "displayTokenInQuery": {
                        "type": "apiKey",
                        "in": "query",
                        "name": "token",
                        "description": "The same, where a header cannot be set. A bearer token goes before it.",
                    },
                },
            },
        }

    # Context that operations share

    def _shared(self) -> None:
        codes = {each.code: each for each in [*map(_code, errors()), *_OUTSIDE_THE_TREE]}
        self.schemas["ErrorCode"] = {
            "type": "string",
            "enum": list(codes),
            "description": "What is matched on: a code never changes its meaning.",
            "x-codes": {code: {"status": each.status, "message": each.message} for code, each in codes.items()},
        }
        self.schemas["Error"] = object_of(
            {
                "error": object_of(
                    {
                        "code": ref("ErrorCode"),
                        "message": text(description="One sentence for people."),
                        "details": {"type": "object", "description": "What the sentence is about, for programs."},
                        "request_id": text(description="Names this request in the log."),
                        "timestamp": text(format="date-time"),
                    }
                )
            },
            description="Any refusal.",
        )
        for name, event in EVENTS.items():
            self.schemas[event.__name__] = self._event(name, event)
        self.schemas["Entry"] = object_of(
            {
                "id": id_of("The entry."),
                "visit_id": id_of(_DESCRIPTIONS["visit_id"]),
                "label": text(description=_DESCRIPTIONS["label"]),
                "state": text(enum=STATES),
                "queue_id": id_of(),
                "point_id": id_of(nullable=True),
            },
            description="The entry that a command was about, as it is now.",
        )
        listed = tidy(TypeAdapter(SiteListed).json_schema())["properties"]
        self.schemas["Site"] = object_of({key: id_of() if key == "id" else value for key, value in listed.items()})
        self.schemas["User"] = object_of(
            {
                "id": id_of(),
                "username": text(),
                "role": text(enum=list(roles.ROLES)),
                "may": {
                    "type": "array",
                    "items": text(),
                    "description": "All that the role may do, by name, so that a page offers nothing else.",
                },
            }
        )
        for view, cells in cells_of_views().items():
            self.schemas[f"{view.title()}Cells"] = cells_schema(view, cells)
        for kind, schema in live_messages().items():
            self.schemas[f"{kind.title()}Message"] = schema

    def _event(self, name: str, event: type[Event]) -> Json:
        """Return what `server.domain.events.shown` makes of an event."""
        hints = get_type_hints(event)
        shown = [item.name for item in fields(event) if item.name not in Event.kept_inside]  # type: ignore[arg-type]
        head: Json = {
            "seq": count_of(_DESCRIPTIONS["seq"], 1),
            "at": _of_type("at", int, self.schemas),
            "type": {"const": name},
        }
        written = inspect.cleandoc(event.__doc__ or "")
        inside = written.startswith(f"{event.__name__}(") or any(f"``{each}``" in written for each in Event.kept_inside)
        about = None if inside else re.sub(r"``(\w+)``", r"`\1`", written)  # a dataclass without one makes one up
        return object_of(head | {key: _of_type(key, hints[key], self.schemas) for key in shown}, description=about)

    def _refusals(
        self, *kinds: type[NowServingError], codes: Sequence[_Code] = (), api: bool = True, hosts: bool = True
    ) -> Json:
        """Return the responses of these refusals by status. Those of the whole application, and of the whole API, are among
        them; ``hosts`` says whether the path is served under the installation's own host names alone."""
        kinds = tuple(dict.fromkeys([*kinds, *(_ANYWHERE if not api else (*_ANYWHERE, *_IN_THE_API))]))
        by_status: dict[int, dict[str, _Code]] = {}
        for each in [*([_HOST] if hosts else []), _MALFORMED, *map(_code, kinds), *codes]:
            by_status.setdefault(each.status, {})[each.code] = each
        names = {_code(kind).code: kind.__name__ for kind in kinds}
        found = {}
        for status, several in sorted(by_status.items()):
            response = self._refusal(status, list(several.values()), api=api)
            name = "Or".join(names.get(code, code.title().replace("_", "")) for code in several)
            if len(several) > 2:
                name = f"Several{status}"
            alike = (f"{name}-{number}" if number else name for number in count())
            name = next(each for each in alike if self.responses.get(each, response) == response)
            self.responses[name] = response
            found[str(status)] = {"$ref": f"#/components/responses/{name}"}
        return found

    def _refusal(self, status: int, codes: list[_Code], *, api: bool) -> Json:
        schema = ref("Error") | {"properties": {"error": {"properties": {"code": {"enum": [each.code for each in codes]}}}}}
        headers = _counted() if api else _headers()
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = {"required": True, "schema": {"const": "Bearer"}}
        if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            headers["Retry-After"] = _RETRY_AFTER
        said = "; ".join(f"`{each.code}`: {each.message}" for each in codes)
        content: Json = {"application/json": {"schema": schema}}
        return {"description": f"{HTTPStatus(status).phrase}. {said}", "headers": headers, "content": content}

    def _add(self, method: str, path: str, tag: str, name: str, about: str, **more: Any) -> None:
        """Add an operation. The first sentence of ``about`` is its summary; parameters of the path come from the path."""
        summary, _, rest = inspect.cleandoc(about).replace("``", "`").partition(". ")
        parameters = [_path_parameter(*found) for found in re.findall(r"\{(\w+)(?::(\w+))?\}", path)]
        operation: Json = {"operationId": name, "tags": [tag], "summary": summary.rstrip(".").replace("\n", " ")}
        if rest:
            operation["description"] = rest
        parameters += more.pop("parameters", [])
        if parameters:
            operation["parameters"] = parameters
        self.tags.setdefault(tag, _TAGS.get(tag, f"Commands on {tag.lower()}."))
        self.paths.setdefault(re.sub(r":\w+\}", "}", path), {})[method] = operation | more

    # The operations

    def _session(self) -> None:
        self.schemas["SignIn"] = tidy(sessions.SignIn.model_json_schema())
        self.schemas["Refresh"] = tidy(sessions.Refresh.model_json_schema())
        self.schemas["Tokens"] = object_of(
            {
                "access_token": text(description="Send it as `Authorization: Bearer ...`."),
                "refresh_token": text(description="Good once, for new tokens."),
                "token_type": {"const": "Bearer"},
                "expires_in": {"const": ACCESS_SECONDS, "description": "Seconds that the access token is good for."},
                "user": ref("User"),
            }
        )
        cookies: Json = {
            "Cache-Control": {"required": True, "schema": {"const": "no-store"}},
            "Set-Cookie": {
                "required": True,
                "description": "The tokens as HttpOnly cookies; on signing in also the one by which the browser is known "
                f"again, `{BROWSER_COOKIE}`.",
                "schema": text(),
            },
        }
        signed_in = _answer("Signed in.", ref("Tokens"), headers=cookies)
        self._add(
            "post",
            "/api/v1/session",
            "Session",
            "sign-in",
            (sessions.sign_in.__doc__ or ""),
            security=_PUBLIC,
            requestBody=_request("SignIn", {"username": "ada", "password": "the password"}),
            responses={"200": signed_in} | self._refusals(*_WRITE, SignInFailed, SignInLocked),
        )
        self._add(
            "get",
            "/api/v1/session",
            "Session",
            "who-am-i",
            (sessions.who_am_i.__doc__ or ""),
            responses={
                "200": _answer(
                    "Who is signed in.", object_of({"user": ref("User"), "sites": {"type": "array", "items": ref("Site")}})
                )
            }
            | self._refusals(NotSignedIn, Unavailable),
        )
        self._add(
            "delete",
            "/api/v1/session",
            "Session",
            "sign-out",
            (sessions.sign_out.__doc__ or "") + " Its tokens and cookies are good for nothing afterwards.",
            responses={"204": {"description": "Signed out.", "headers": _counted()}}
            | self._refusals(NotSignedIn, ForeignOrigin, Unavailable),
        )
        self._add(
            "post",
            "/api/v1/session/refresh",
            "Session",
            "refresh",
            (sessions.refresh.__doc__ or "") + " With `{}` for a body, the cookie brings the token.",
            security=[{}, {"refreshCookie": []}],
            requestBody=_request("Refresh", {}),
            responses={"200": signed_in} | self._refusals(*_WRITE, NotSignedIn, ForeignOrigin),
        )
        self.schemas["PasswordChange"] = tidy(sessions.PasswordChange.model_json_schema())
        self._add(
            "post",
            f"{paths.SESSION}/password",
            "Session",
            "change-password",
            (sessions.change_password.__doc__ or ""),
            requestBody=_request("PasswordChange", {"old_password": "the password", "new_password": "a better password"}),
            responses={"204": {"description": "Changed.", "headers": _counted()}}
            | self._refusals(*_WRITE, NotSignedIn, WrongPassword, ForeignOrigin, SignInLocked),
        )
        self.schemas["Session"] = object_of(
            {
                "id": text(pattern="^[0-9a-f]{32}$"),
                "staff_id": id_of(_DESCRIPTIONS["staff_id"]),
                "created_at": INSTANT,
                "used_at": INSTANT,
                "current": {"type": "boolean", "description": "Whether it is the one that asks."},
            },
            description="A session that has not ended.",
        )
        whose = {"name": "staff_id", "in": "query", "description": "A colleague, for administrators.", "schema": id_of()}
        self._add(
            "get",
            paths.SESSIONS,
            "Session",
            "list-sessions",
            (sessions.get_sessions.__doc__ or ""),
            parameters=[whose, *_PAGE],
            responses={"200": _answer("The sessions.", self._page("Session"), headers=_UNKEPT)}
            | self._refusals(*_ADMINISTRATION, StaffNotFound, InvalidField),
        )
        self._add(
            "delete",
            paths.SESSIONS + "/{session_id}",
            "Session",
            "end-session",
            (sessions.end_session.__doc__ or ""),
            responses={"204": {"description": "Ended.", "headers": _counted()}}
            | self._refusals(NotSignedIn, ForeignOrigin, SessionNotFound, Unavailable, codes=[_NO_PATH]),
        )

    def _administration(self) -> None:
        for model in (staff.NewStaff, staff.StaffChange, api_keys.NewApiKey, pairings.Pairing):
            schema = self.schemas[model.__name__] = tidy(model.model_json_schema())
            for key, each in schema["properties"].items():
                if key in ("name", "username"):
                    each |= _plain(each)
                if key in _DESCRIPTIONS:
                    each.setdefault("description", _DESCRIPTIONS[key])
        self.schemas["Staff"] = object_of(
            {
                "id": id_of(),
                "username": text(),
                "role": text(enum=list(roles.ROLES)),
                "active": {"type": "boolean", "description": "Whether they may sign in."},
            },
            description="A member of staff.",
        )
        key = {
            "id": id_of(),
            "name": text(),
            "site_id": id_of("The only site that it is good for; null is all of the organisation's.", nullable=True),
            "created_at": INSTANT,
            "last_used_at": INSTANT | {"type": ["integer", "null"]},
            "revoked_at": INSTANT | {"type": ["integer", "null"]},
        }
        self.schemas["ApiKey"] = object_of(key, description="An API key, without the key.")
        shown = text(pattern=f"^{KEY_PREFIX}[A-Za-z0-9_-]{{43}}$", description="The key itself, shown only now.")
        self.schemas["ApiKeyMade"] = object_of(key | {"key": shown})
        code = text(pattern=f"^[{ALPHABET}]{{{CODE_LENGTH}}}$", description="For people to read and type.")
        secret = text(pattern="^[A-Za-z0-9_-]{43}$", description="For the device alone: by this it asks how it stands.")
        self.schemas["PairingBegun"] = object_of({"code": code, "secret": secret, "expires_at": INSTANT})
        device = {"device_id": id_of("A display or a kiosk."), "kind": text(enum=["display", "kiosk"])}
        token = text(pattern=f"^d{_KEYED}$", description="The device's token, told only this once.")
        self.schemas["Paired"] = object_of(device)
        self.schemas["PairingState"] = {
            "oneOf": [
                object_of({"state": {"const": "pending"}}),
                object_of({"state": {"const": "paired"}, **device, "token": token}),
            ]
        }
        write = (*_WRITE, NotSignedIn, NotAllowed, ForeignOrigin)
        change = (NotSignedIn, NotAllowed, ForeignOrigin, Unavailable)
        done = {"description": "Done.", "headers": _counted()}
        several: list[_Described] = [
            ("get", paths.STAFF, "list-staff", staff.get_staff, {"parameters": _PAGE},
             {"200": _answer("The staff.", self._page("Staff"), headers=_UNKEPT)}, (*_ADMINISTRATION, InvalidField)),
            ("post", paths.STAFF, "add-staff", staff.add_staff,
             {"requestBody": _request("NewStaff", {"username": "ada", "password": "the password", "role": "clinician"})},
             {"201": _answer("Added.", ref("Staff"))}, (*write, NameTaken)),
            ("patch", paths.STAFF + "/{staff_id:id}", "change-staff", staff.change_staff,
             {"requestBody": _request("StaffChange", {"active": False})},
             {"200": _answer("As they are now.", ref("Staff"))}, (*write, StaffNotFound, LastAdmin)),
            ("get", paths.API_KEYS, "list-api-keys", api_keys.get_api_keys, {"parameters": _PAGE},
             {"200": _answer("The keys.", self._page("ApiKey"), headers=_UNKEPT)}, (*_ADMINISTRATION, InvalidField)),
            ("post", paths.API_KEYS, "add-api-key", api_keys.add_api_key,
             {"requestBody": _request("NewApiKey", {"name": "Practice software"})},
             {"201": _answer("Made.", ref("ApiKeyMade"), headers=_UNKEPT)}, (*write, SiteNotFound)),
            ("delete", paths.API_KEYS + "/{api_key_id:id}", "revoke-api-key", api_keys.revoke_api_key, {},
             {"204": done}, (*change, ApiKeyNotFound)),
            ("post", paths.PAIRINGS, "begin-pairing", pairings.begin, {"security": _PUBLIC},
             {"201": _answer("Begun.", ref("PairingBegun"), headers=_UNKEPT)}, (Unavailable,)),
            ("post", paths.PAIRINGS + "/{pairing}", "pair", pairings.pair,
             {"requestBody": _request("Pairing", {"device_id": _SAMPLES["display_id"]})},
             {"200": _answer("Paired.", ref("Paired"), headers=_UNKEPT)},
             (*write, SiteNotFound, PairingNotFound, *self._renewal_errors())),
            ("get", paths.PAIRINGS + "/{pairing}", "ask-pairing", pairings.ask, {"security": _PUBLIC},
             {"200": _answer("How it stands.", ref("PairingState"), headers=_UNKEPT)}, (Unavailable, PairingNotFound)),
        ]  # fmt: skip
        for method, path, name, function, more, answer, refused in several:
            in_path = [_NO_PATH] if "{" in path else []
            self._add(
                method,
                path,
                "Administration",
                name,
                function.__doc__ or "",
                **more,
                responses=answer | self._refusals(*refused, codes=in_path),
            )

    def _commands(self) -> None:
        tags = {name: _subject(COMMANDS[name]) for name in bodies.MODELS}
        for tag in dict.fromkeys(tags.values()):
            for name, model in bodies.MODELS.items():
                if tags[name] == tag:
                    self._command(name, model, tag)

    def _command(self, name: str, model: type[BaseModel], tag: str) -> None:
        command = COMMANDS[name]
        outcome = self.outcomes.of(command)
        schema = self.schemas[command.__name__] = _body_schema(name, model, self.schemas)
        example = _example(name, schema)
        if example is not None:
            schema["examples"] = [example]
        happened = (
            list(outcome.events) if outcome else [event for event in EVENTS.values() if event not in self.outcomes.untold]
        )
        self.schemas[f"{command.__name__}Answer"] = self._command_answer(happened, known=outcome is not None)
        refused = list(outcome.errors) if outcome else _below(NotFound, Refused, InvalidField)
        kinds: list[type[NowServingError]] = [MalformedBody, NotSignedIn, NotAllowed, ForeignOrigin, SiteNotFound, *refused]
        kinds += [BodyTooLarge, InvalidBody, InvalidField, CommandIdReused, Unavailable]
        done = _answer("Done, or done before under this key.", ref(f"{command.__name__}Answer"))
        if "entry" in self.schemas[f"{command.__name__}Answer"]["required"]:
            done["links"] = {each: {"$ref": f"#/components/links/{each}"} for each in self.steps}
            self.linked = self.steps
        others = (roles.PATIENT, roles.KIOSK, roles.INTEGRATION)
        may = [role for role in (*roles.ROLES, *others) if roles.may(role, name)]
        tokens: list[Json] = [{"ticketToken": []}] if roles.PATIENT in may else []
        tokens += [{"kioskToken": []}] if roles.KIOSK in may else []
        tokens += [{"apiKey": []}] if roles.INTEGRATION in may else []
        about = f"{inspect.cleandoc(command.__doc__ or '').rstrip('.')}. Roles: {', '.join(may) or 'none'}."
        self._add(
            "post",
            COMMAND.replace("{name}", name),
            tag,
            name,
            about,
            **{"x-roles": may},
            security=[*_STAFF, *tokens],
            parameters=[{"$ref": f"#/components/parameters/{each}"} for each in ("IdempotencyKey", "Preview")],
            requestBody=_request(command.__name__, example),
            responses={"200": done} | self._refusals(*[kind for kind in dict.fromkeys(kinds) if kind is not UnknownCommand]),
        )

    def _renewal_errors(self) -> list[type[NowServingError]]:
        """Return what a new token for a device can be refused for: what the command's own rule says."""
        outcome = self.outcomes.of(RenewToken)
        return list(outcome.errors) if outcome else []

    def _command_answer(self, happened: list[type[Event]], *, known: bool) -> Json:
        """Return what `server.execute` answers: an entry where the last event is about one, a token where one was made."""

        def having(*names: str) -> list[bool]:
            return [any(item.name in names for item in fields(event)) for event in happened]  # type: ignore[arg-type]

        kinds = dict.fromkeys([*happened, *self.outcomes.clock])
        of_type = {event.name_on_wire(): f"#/components/schemas/{event.__name__}" for event in kinds}
        items = {
            "oneOf": [ref(event.__name__) for event in kinds],
            "discriminator": {"propertyName": "type", "mapping": of_type},
        }
        properties: Json = {
            "seq": count_of("The number in the site's log of the last event.", 1),
            "events": {
                "type": "array",
                "items": items,
                "minItems": 1,
                "description": "What has happened, in order; what the clock had to do is before what was asked for.",
            },
        }
        properties["preview"] = {"const": True, "description": "There if this is only what would be."}
        optional = {"preview"}
        for name, schema, has in (
            ("entry", ref("Entry"), having("entry_id", "new_entry_id")),
            (
                "token",
                text(pattern=f"^d?{_KEYED}$", description="The new token, shown only now."),
                having("token_hash"),
            ),
        ):
            if any(has):
                properties[name] = schema
            if name == "token" or not (known and all(has)):  # a preview makes no token
                optional.add(name)
        return object_of(properties, optional=optional)

    def _sites(self) -> None:
        self._add(
            "get",
            paths.SITES,
            "Sites",
            "list-sites",
            f"List the sites of the caller's organisation, by name. Roles: {who('read-sites')}.",
            parameters=_PAGE,
            security=[*_STAFF, {"apiKey": []}],
            responses={
                "200": _answer("The sites.", self._page("Site"), headers=_UNKEPT)
                | {"links": {"board": {"operationId": "read-board", "parameters": {"site_id": "$response.body#/data/0/id"}}}}
            }
            | self._refusals(*_READ, InvalidField),
        )
        self.schemas["Rules"] = self._record(Rules, {})
        needs = {"type": "array", "items": text(enum=list(get_args(Need)))}
        device = object_of({"id": id_of(), "name": text(), "paired": {"type": "boolean"}})
        context = {
            "services": {"id": id_of(), "name": NULLABLE_TEXT, "public_name": text()},
            "providers": {"id": id_of(), "name": text()},
            "queues": {
                "id": id_of(),
                "name": text(),
                "prefix": text(pattern="^[A-Z]$"),
                "paused": {"type": "boolean"},
                "service_id": id_of(nullable=True),
                "capacity": count_of("How many may wait at once; 0 is any number."),
                "joins_anew": {"type": "boolean", "description": "Who is transferred here joins at its end."},
                "waiting": count_of("How many wait and are here."),
            },
            "points": {
                "id": id_of(),
                "name": text(),
                "state": text(enum=list(get_args(PointState))),
                "queue_ids": {"type": "array", "items": id_of()},
                "provider_id": id_of("The clinician who is there.", nullable=True),
                "unmet_needs": needs,
            },
        }
        described = object_of(
            {
                "id": id_of(),
                "name": text(),
                "time_zone": text(),
                "language": text(),
                "day_turns_at_minutes": count_of("When the business day turns, in minutes past local midnight."),
                "business_day": text(format="date"),
                "message": NULLABLE_TEXT | {"description": "What every display shows."},
                "rules": ref("Rules"),
                "seq": count_of("The number in the site's log up to which this is true."),
            }
            | {name: {"type": "array", "items": object_of(made)} for name, made in context.items()}
            | {name: {"type": "array", "items": device} for name in ("displays", "kiosks")}
        )
        self._add(
            "get",
            paths.SITE,
            "Sites",
            "read-site",
            "Return a site with its rules and all that it is made of. In the order of its screens, without what was taken "
            f"away. Roles: {who('read-site')}.",
            responses={"200": _answer("The site.", described, headers=_UNKEPT)}
            | self._refusals(*_READ, SiteNotFound, codes=[_NO_PATH]),
        )
        board = object_of(
            {
                "seq": count_of("The number in the site's log up to which this is true."),
                "cells": ref("DeskCells") | {"required": ["site"]},
            }
        )
        self._add(
            "get",
            paths.BOARD,
            "Sites",
            "read-board",
            "Return the desk's view of a site as it is now. The same cells that the caller's live stream carries. "
            f"Roles: {who('read-board')}.",
            security=[*_STAFF, {"apiKey": []}],
            responses={"200": _answer("The board.", board, headers=_UNKEPT)}
            | self._refusals(*_READ, SiteNotFound, codes=[_NO_PATH]),
        )

    def _page(self, name: str) -> Json:
        """Return the schema of a page of a list of what the schema ``name`` describes."""
        self.schemas["Pagination"] = object_of(
            {
                "page_size": {"type": "integer", "minimum": 1, "maximum": paging.MOST},
                "next": NULLABLE_TEXT | {"description": "What to send as `after` for the next page; null on the last."},
                "total": {"type": "integer", "minimum": 0, "maximum": COUNTED_AT_MOST},
                "total_is_capped": {"type": "boolean", "description": "There are more than `total`."},
            }
        )
        data = {"type": "array", "items": ref(name), "maxItems": paging.MOST}
        return object_of({"data": data, "pagination": ref("Pagination")})

    def _record(self, kind: type, descriptions: Json, **more: Json) -> Json:
        """Return the schema of a record that is told as it is; those within it become schemas of their own."""
        made = {}
        for name, hint in get_type_hints(kind).items():
            if isinstance(hint, type) and is_dataclass(hint):
                self.schemas[hint.__name__] = self._record(hint, descriptions)
                made[name] = ref(hint.__name__)
                continue
            schema = made[name] = id_of() if name == "id" else _of_type(name, hint, self.schemas)
            if "integer" in schema["type"]:
                schema.setdefault("minimum", 0)
            if name in descriptions:
                schema["description"] = descriptions[name]
        return object_of(made | more)

    def _entries(self) -> None:
        priority = text(enum=list(get_args(Priority)))
        instants = {
            "joined_at": "When they joined this queue.",
            "provider_id": "The one clinician whom they wait for.",
            "first_called_at": "The first call: what the promise is held against.",
            "called_at": "The last call.",
            "started_at": "The last start of the service.",
            "ended_at": "Null while it is open.",
            "waited_seconds": "The sum of its closed waits.",
            "served_seconds": "The sum of its closed services; null without any.",
            "quoted_from": "What was promised first: from when to expect the call.",
            "quoted_until": "What was promised first: until when.",
            "calls": "How often it has been called, with recalls.",
        }
        self.schemas["EntryListed"] = self._record(EntryListed, instants)
        personal = {key: NULLABLE_TEXT for key in get_type_hints(Personal) if key != "token"}
        self.schemas["Visit"] = object_of(
            {
                "id": id_of(),
                "site_id": id_of(),
                "business_day": text(format="date"),
                "label": text(description=_DESCRIPTIONS["label"]),
                "priority": priority,
                "party_size": count_of("How many people the ticket is for.", 1),
                "language": text(),
                "needs": {"type": "array", "items": text(enum=list(get_args(Need)))},
                "opened_at": INSTANT,
                "personal": object_of(personal, description=f"Null but for the roles: {who('read-personal')}.")
                | {"type": ["object", "null"]},
            }
        )
        filters = [
            _query("business_day", "Of this day alone.", text(format="date", pattern=f"^{parameters.DAY}$")),
            _query("queue_id", "In this queue of the site alone.", id_of()),
            _query("state", "In this state alone.", text(enum=STATES)),
            _query(
                "label",
                "With this label: of `business_day`, or else of the site's present day.",
                text(pattern=f"^{parameters.LABEL}$"),
            ),
        ]
        self._add(
            "get",
            paths.ENTRIES,
            "Entries and visits",
            "list-entries",
            "List the entries of a site, today's and past ones, the newest first. Nothing in it is personal. "
            f"Roles: {who('read-entries')}.",
            parameters=[*_PAGE, *filters],
            responses={"200": _answer("The entries.", self._page("EntryListed"), headers=_UNKEPT)}
            | self._refusals(*_READ, SiteNotFound, InvalidField, codes=[_NO_PATH]),
        )
        listed = {"type": "array", "items": ref("EntryListed")}
        unknown = self._refusals(*_READ, SiteNotFound, EntryUnknown, codes=[_NO_PATH])
        self._add(
            "get",
            paths.ENTRY,
            "Entries and visits",
            "read-entry",
            f"Return an entry and its visit. Roles: {who('read-entries')}.",
            responses={
                "200": _answer("It.", object_of({"entry": ref("EntryListed"), "visit": ref("Visit")}), headers=_UNKEPT)
            }
            | unknown,
        )
        self._add(
            "get",
            paths.VISIT,
            "Entries and visits",
            "read-visit",
            f"Return a visit with all its stages in order. Roles: {who('read-entries')}.",
            responses={"200": _answer("It.", object_of({"visit": ref("Visit"), "entries": listed}), headers=_UNKEPT)}
            | self._refusals(*_READ, SiteNotFound, VisitUnknown, codes=[_NO_PATH]),
        )
        self._history(unknown)
        slip = {
            "entry_id": id_of(),
            "label": text(),
            "token": text(description="The key to the patient's page, `/t/{token}`."),
            "site": text(),
            "time_zone": text(),
            "queue": text(),
            "language": text(),
            "party": count_of("How many people the ticket is for.", 1),
            "opened_at": INSTANT,
            "ahead": {"type": ["integer", "null"], "minimum": 0, "description": "Null if not waiting."},
            "expect_from": {
                "type": ["integer", "null"],
                "description": "From when to expect the call; null if not waiting.",
            },
            "expect_until": {"type": ["integer", "null"], "description": "Until when."},
        }
        self._add(
            "get",
            paths.SLIP,
            "Entries and visits",
            "read-slip",
            "Return what the slip of one of today's tickets says, to print it again. With its token, the key to the "
            f"patient's page; every time is noted in the audit. Roles: {who('read-slip')}.",
            responses={"200": _answer("The slip.", object_of(slip), headers=_UNKEPT)} | unknown,
        )
        feedback = [
            _query(
                "name",
                "Words of the name in any order, or the whole of it. Case, accents and punctuation are nothing.",
                text(minLength=1, maxLength=entries.MOST_OF_NAME),
            ),
            _query(
                "phone",
                f"With or without the country; at least {LEAST_OF_PHONE} digits.",
                text(minLength=1, maxLength=entries.MOST_OF_PHONE),
            ),
            _query("date_of_birth", "Of birth.", text(format="date", pattern=f"^{parameters.DAY}$")),
        ]
        self._add(
            "get",
            paths.PATIENTS,
            "Entries and visits",
            "find-patients",
            "Find visits by what the patient told, the newest first. At least one of `name`, `phone` and `date_of_birth`, "
            "and all that are given must be theirs. Every visit that is shown is noted in the audit. "
            f"Roles: {who('find-patients')}.",
            parameters=[*_PAGE, *feedback],
            responses={"200": _answer("The visits.", self._page("Visit"), headers=_UNKEPT)}
            | self._refusals(*_READ, SiteNotFound, InvalidField, codes=[_NO_PATH]),
        )

    def _audit(self) -> None:
        about = {
            "actor": "Who: `staff:3`, `ticket:7000000011`, `clock`, `nobody`, ...",
            "action": "What: an event's type, a query's name, `sign-in`, `sign-out`, ...",
            "subject": "The record that it was about: `entry:7000000012`, `visit:7000000011`; empty for a whole site.",
            "allowed": "Whether it was done, or refused.",
            "request_id": "The request's id; of a change, its command's.",
            "chain": "Where it is kept: `site:7` or `process:12`.",
            "number": "Its number there.",
        }
        self.schemas["Audited"] = self._record(Audited, about)
        kinds = "What changed at a site, which `site_id` must name, or what else was done and refused."
        self._add(
            "get",
            paths.AUDIT,
            "Audit",
            "read-audit",
            f"List who did what in the caller's organisation, the latest first. Roles: {who('read-audit')}.",
            parameters=[
                *_PAGE,
                _query("kind", kinds, text(enum=list(audit.KINDS), default=audit.ACCESS)),
                _query("site_id", "At this site alone.", id_of()),
            ],
            responses={"200": _answer("The audit.", self._page("Audited"), headers=_UNKEPT)}
            | self._refusals(*_READ, SiteNotFound, InvalidField),
        )

    def _history(self, refusals: Json) -> None:
        interval = object_of(
            {
                "state": text(enum=STATES),
                "started_at": INSTANT,
                "ended_at": INSTANT,
                "seconds": count_of("How long it was."),
                "point_id": id_of(nullable=True),
                "ended_by": count_of("The number of the step that ended it.", 1),
            }
        )
        feedback = {
            "queue_id": id_of("The queue it joined.", nullable=True),
            "new_entry_id": id_of("The entry that began with it.", nullable=True),
            "point_id": id_of(nullable=True),
            "provider_id": id_of("The clinician whom they wait for, or waited for.", nullable=True),
            "to_provider_id": id_of("The clinician whom they wait for instead.", nullable=True),
            "priority": {"type": ["string", "null"], "enum": [*get_args(Priority), None]},
            "reason": NULLABLE_TEXT | {"description": "Of a call: why this one. Of a cancellation or a move: staff's own."},
            "step": NULLABLE_TEXT | {"description": "Which step was undone."},
            "was": {"type": ["string", "null"], "enum": [*sorted(OPEN_STATES), None], "description": "What expired."},
            "business_day": {"type": ["string", "null"], "description": "The new day that they were carried into."},
        }
        step = object_of(
            {
                "seq": count_of(_DESCRIPTIONS["seq"], 1),
                "at": INSTANT,
                "type": text(enum=[name for name, event in EVENTS.items() if _is_step(event)]),
                "entry_id": id_of("The entry of this visit."),
                "own": {"type": "boolean", "description": "False where it was about others, and touched this entry."},
                "actor": text(description="Who did it: `staff:3`, `ticket:7000000011`, `clock`, ..."),
                "username": NULLABLE_TEXT
                | {"description": f"Of a member of staff. Null but for the roles: {who('read-actors')}."},
            }
            | {name: feedback[name] for name in entries.TOLD}
        )
        stage = object_of({"entry": ref("EntryListed"), "intervals": {"type": "array", "items": interval}})
        self._add(
            "get",
            paths.HISTORY,
            "Entries and visits",
            "read-history",
            "Return every step of an entry's whole visit, in order. With how long each state lasted, stage by stage; what a "
            f"step that was undone had ended goes on as if it never had. Roles: {who('read-history')}.",
            responses={
                "200": _answer(
                    "The visit's history.",
                    object_of(
                        {
                            "visit_id": id_of(_DESCRIPTIONS["visit_id"]),
                            "entries": {"type": "array", "items": stage},
                            "steps": {"type": "array", "items": step},
                        }
                    ),
                    headers=_UNKEPT,
                )
            }
            | refusals,
        )

    def _figures(self) -> None:
        texts = {
            "tickets": "Visits that began here.",
            "entries": "All stages, from transfers too.",
            "open": "Not ended yet.",
            "wait": "Of those called: what they waited until the last call.",
            "held_percent": "Called by the end of what they were promised first. Good promises: 90.",
            "early_percent": "Called before its begin. Good promises: 50.",
            "busy_seconds": "How long the point had somebody called or served, in closed intervals.",
            "calls": "How many were called.",
            "hour": "Of the site's wall clock.",
        }
        self.schemas["Figures"] = self._record(Figures, texts)
        self.schemas["HourFigures"] = self._record(Hour, texts)
        self.schemas["PointFigures"] = self._record(PointUse, texts, name=NULLABLE_TEXT)
        by_queue: Json = {"queue_id": id_of(), "name": NULLABLE_TEXT, "figures": ref("Figures")}
        by_service: Json = {"service_id": id_of(), "public_name": NULLABLE_TEXT, "figures": ref("Figures")}
        group: Json = {
            "figures": ref("Figures"),
            "services": {"type": "array", "items": object_of(by_service)},
            "queues": {"type": "array", "items": object_of(by_queue)},
            "hours": {"type": "array", "items": ref("HourFigures"), "maxItems": 24},
            "points": {"type": "array", "items": ref("PointFigures")},
        }
        whole = {
            "site_id": id_of(),
            "time_zone": text(),
            "from": text(format="date"),
            "to": text(format="date"),
            "days": {"type": "array", "items": object_of({"business_day": text(format="date")} | group)},
        }
        length = f"At most {statistics.MOST_DAYS} days after `from`, that day among them."
        asked = [
            _query(name, bound, text(format="date", pattern=f"^{parameters.DAY}$")) | {"required": True}
            for name, bound in (("from", "The first business day."), ("to", f"The last business day. {length}"))
        ]
        refusals = self._refusals(*_READ, SiteNotFound, InvalidField, codes=[_NO_PATH])
        about = f"Days, queues, hours and points without any entry are left out. Roles: {who('read-statistics')}."
        self._add(
            "get",
            paths.STATISTICS,
            "Figures",
            "read-statistics",
            f"Return the figures of some business days. All together, and by day, service, queue, hour and point. {about}",
            parameters=asked,
            responses={"200": _answer("The figures.", object_of(whole | group), headers=_UNKEPT)} | refusals,
        )
        header = ",".join(statistics.COLUMNS)
        disposition = text(pattern='^attachment; filename="[a-z0-9.-]+"$')
        self._add(
            "get",
            paths.STATISTICS_CSV,
            "Figures",
            "export-statistics",
            f"Return the figures of some business days as CSV. A line for each day and queue, after one of names. {about}",
            parameters=asked,
            responses={
                "200": {
                    "description": "UTF-8. A text that a spreadsheet would take for a formula has an apostrophe before it.",
                    "headers": _counted() | _UNKEPT | {"Content-Disposition": {"required": True, "schema": disposition}},
                    "content": {"text/csv": {"schema": text(pattern=f"^{header}\r\n")}},
                }
            }
            | refusals,
        )
        open_now = object_of({state: count_of(f"How many are {state}.") for state in sorted(OPEN_STATES)})
        left = object_of({"entry_id": id_of(), "label": text(), "state": text(enum=sorted(OPEN_STATES)), "since": INSTANT})
        self._add(
            "get",
            paths.DAY,
            "Figures",
            "read-day",
            "Return the report of a business day. What is open, how the rest ended, how long people waited; by queue. "
            f"Roles: {who('read-day')}.",
            parameters=[
                _query(
                    "business_day",
                    "Another day than the site's present one.",
                    text(format="date", pattern=f"^{parameters.DAY}$"),
                )
            ],
            responses={
                "200": _answer(
                    "The report.",
                    object_of(
                        {
                            "site_id": id_of(),
                            "business_day": text(format="date"),
                            "is_over": {"type": "boolean"},
                            "figures": ref("Figures"),
                            "open": open_now,
                            "queues": {
                                "type": "array",
                                "items": object_of(by_queue | {"open": open_now, "left": {"type": "array", "items": left}}),
                            },
                        }
                    ),
                    headers=_UNKEPT,
                )
            }
            | refusals,
        )

    def _live(self) -> None:
        position = "The position up to which this screen knows everything. Anything that is no position is ignored."
        where = [
            {"name": "Last-Event-ID", "in": "header", "description": position, "schema": text()},
            {
                "name": "last_event_id",
                "in": "query",
                "description": "The same, where a header cannot be set.",
                "schema": text(),
            },
        ]
        own = "By the display's own token."
        key = "Whoever has the ticket's token may: it is in the address, and it is the only key."
        for path, name, view, what, may, security, kinds, codes in (
            (paths.DESK, "follow-desk", DeskView, "the desk of a site", f"Roles: {who('follow-desk')}.", _STAFF,
             (NotSignedIn, NotAllowed, SiteNotFound), [_NO_PATH]),
            (paths.POINT, "follow-point", PointView, "the console of a point", f"Roles: {who('follow-point')}.", _STAFF,
             (NotSignedIn, NotAllowed, SiteNotFound, PointNotFound), [_NO_PATH]),
            (paths.DISPLAY, "follow-display", DisplayView, "a waiting-room display", own, _DISPLAY,
             (NotSignedIn, NotAllowed), [_NO_PATH]),
            (paths.TICKET, "follow-ticket", TicketView, "one patient's ticket", key, _PUBLIC,
             (TicketNotFound,), [_NO_PATH]),
        ):  # fmt: skip
            refusals = self._refusals(*kinds, codes=codes, api=False)
            unavailable = self._refusal(503, [_code(Unavailable)], api=False)
            unavailable["content"]["text/plain"] = {"schema": text(const="Too many streams")}
            self._add(
                "get",
                path,
                "Live",
                name,
                f"Follow {what}. {may}\n\n{_LIVE}",
                security=security,
                parameters=where,
                responses={
                    "101": {"description": "The stream as a WebSocket, when asked to upgrade."},
                    "200": {
                        "description": "The stream as server-sent events.",
                        "headers": _headers(),
                        "content": {"text/event-stream": {"schema": text(), "example": _STREAM[view.kind]}},
                    },
                }
                | refusals
                | {"503": unavailable},
                **{
                    "x-messages": {kind: ref(f"{kind.title()}Message") for kind in live_messages()},
                    "x-cells": ref(f"{view.kind.title()}Cells"),
                    "x-shape": view.shape,
                },
            )
            self._add(
                "post",
                path + paths.DISAGREEMENT,
                "Live",
                f"report-{name.removeprefix('follow-')}-disagreement",
                "Report that what a screen shows has another digest than the heartbeat. It then comes back without a "
                f"position. Over WebSocket it is a frame instead. {may}",
                security=security,
                requestBody=_request("Disagreement", {"seq": 41}),
                responses=self._told(*(kind for kind in kinds if kind is not PointNotFound)),
            )
        self.schemas["Disagreement"] = tidy(feedback.Disagreement.model_json_schema())
        self.schemas["Ack"] = tidy(feedback.Ack.model_json_schema())
        self._add(
            "get",
            paths.QR,
            "Live",
            "draw-ticket-code",
            f"{tickets.qr.__doc__} {key}",
            security=_PUBLIC,
            responses={
                "200": {
                    "description": "The code.",
                    "headers": _counted() | _UNKEPT,
                    "content": {"image/svg+xml": {"schema": text(pattern="^<svg ")}},
                }
            }
            | self._refusals(TicketNotFound, codes=[_NO_PATH]),
        )
        self._add(
            "get",
            paths.SPEECH,
            "Live",
            "speak",
            f"{speech.speak.__doc__} {own}",
            security=_DISPLAY,
            parameters=[
                _query("entry", "Whose call; without it, a sentence to try the sound with.", id_of()),
                _query("language", "In which language.", text(enum=list(VOICES))),
            ],
            responses={
                "200": {
                    "description": "The sound.",
                    "headers": _counted() | _UNKEPT,
                    "content": {"audio/wav": {"schema": text(format="binary")}},
                },
                "204": {"description": "The call is over, or cannot be spoken here.", "headers": _counted()},
            }
            | self._refusals(NotSignedIn, NotAllowed, InvalidField, Unavailable, codes=[_NO_PATH]),
        )
        self._add(
            "post",
            paths.ACK,
            "Live",
            "acknowledge",
            "Say how far a display has painted. Over WebSocket it is a frame instead. " + own,
            security=_DISPLAY,
            requestBody=_request("Ack", {"seq": 41, "muted": False, "version": "1.0"}),
            responses=self._told(NotSignedIn, NotAllowed),
            **{"x-event": ref(DisplayReported.__name__)},  # what it may come to in the log
        )

    def _told(self, *kinds: type[NowServingError]) -> Json:
        taken = {"204": {"description": "Noted.", "headers": _headers()}}
        return taken | self._refusals(*kinds, ForeignOrigin, *_WRITE, codes=[_NO_PATH])

    def _operation(self) -> None:
        self.schemas["Alive"] = object_of({"status": {"const": "ok"}})
        self.schemas["Readiness"] = object_of(
            {
                "status": text(enum=["ok", "unavailable"]),
                "checks": {
                    "type": "object",
                    "description": "Each dependency. `degraded` fails nothing.",
                    "additionalProperties": object_of({"status": text(), "milliseconds": {"type": "number", "minimum": 0}}),
                },
            }
        )
        unread = {"Cache-Control": {"required": True, "schema": {"const": "no-store"}}}
        bare = self._refusals(api=False, hosts=False)
        alive = _answer("The process turns.", ref("Alive"), headers=unread)
        for path, name in (("/health", "health"), ("/health/live", "health-live")):
            about = "Say that the process turns. Nothing else is asked."
            self._add("get", path, "Operation", name, about, security=_PUBLIC, responses={"200": alive} | bare)
        self._add(
            "get",
            "/health/ready",
            "Operation",
            "health-ready",
            "Ask each dependency. 503 names what fails. A bus that is away is told, but fails nothing: the log heals it.",
            security=_PUBLIC,
            responses={
                "200": _answer("Ready to serve.", ref("Readiness"), headers=unread),
                "503": _answer("Not ready, or about to stop.", ref("Readiness"), headers=unread),
            }
            | bare,
        )
        self._add(
            "get",
            "/metrics",
            "Operation",
            "metrics",
            "Answer Prometheus. Of this process alone.",
            security=_PUBLIC,
            responses={
                "200": {
                    "description": "All figures, in Prometheus's text format.",
                    "headers": _headers(),
                    "content": {"text/plain": {"schema": text()}},
                }
            }
            | bare,
        )
        no_cache: Json = {"Cache-Control": {"required": True, "schema": {"const": "no-cache"}}}
        streams = _answer("The document.", {"type": "object", "required": ["asyncapi", "channels"]}, headers=no_cache)
        self._add(
            "get",
            STREAMS_ADDRESS,
            "Operation",
            "asyncapi",
            "Return the document that describes the live streams, in AsyncAPI 3.",
            security=_PUBLIC,
            responses={"200": streams, "304": _AS_BEFORE} | self._refusals(),
        )
        described = {"type": "object", "required": ["openapi", "info", "paths", "components"]}
        self._add(
            "get",
            ADDRESS,
            "Operation",
            "openapi",
            "Return this document.",
            security=_PUBLIC,
            responses={
                "200": _answer(
                    "The document.",
                    described,
                    headers={"Cache-Control": {"required": True, "schema": {"const": "no-cache"}}},
                ),
                "304": _AS_BEFORE,
            }
            | self._refusals(),
        )


_STREAM = {
    DeskView.kind: f"retry: 5120\n\nid: 3f9c2a1b.{DeskView.shape}.41\nevent: change\n"
    'data: {"seq":41,"set":{"queue:7000000001":{"name":"Blood test","prefix":"A","position":0}},"del":[]}\n\n',
    DisplayView.kind: f"retry: 5120\n\nid: 3f9c2a1b.{DisplayView.shape}.41\nevent: change\n"
    'data: {"seq":41,"set":{"point:7000000004":{"name":"Room 1"}},"del":["entry:7000000012"]}\n\n',
    PointView.kind: f"retry: 5120\n\nid: 3f9c2a1b.{PointView.shape}.41\nevent: change\n"
    'data: {"seq":41,"set":{"day":{"served":12,"no_shows":1}},"del":["guest"]}\n\n',
    TicketView.kind: f"retry: 5120\n\nid: 3f9c2a1b.{TicketView.shape}.41\nevent: change\n"
    'data: {"seq":41,"set":{"ahead":{"count":2}},"del":[]}\n\n',
}


def _subject(command: type[Command]) -> str:
    """Return what a command is about, from the first of its fields: ``entry_id`` gives "Entries"."""
    noun = fields(command)[0].name.removesuffix("_id").replace("_", " ")  # type: ignore[arg-type]
    if noun == "site":
        return "Setting up"
    return (noun[:-1] + "ies" if noun.endswith("y") else noun + "s").capitalize()


def _headers() -> Json:
    return {
        "X-Request-ID": {"$ref": "#/components/headers/RequestId"},
        "X-API-Version": {"$ref": "#/components/headers/ApiVersion"},
    }


def _counted() -> Json:
    """Return the headers of an answer that may have been counted."""
    return _headers() | {
        "X-RateLimit-Limit": {"$ref": "#/components/headers/RateLimit"},
        "X-RateLimit-Remaining": {"$ref": "#/components/headers/RateLimitRemaining"},
        "X-RateLimit-Reset": {"$ref": "#/components/headers/RateLimitReset"},
    }


def _answer(description: str, schema: Json, headers: Json | None = None) -> Json:
    made = {"description": description, "headers": _counted() | (headers or {})}
    return made | {"content": {"application/json": {"schema": schema}}}


_AS_BEFORE: Json = {"description": "As it was when the caller had it last, by `If-None-Match`.", "headers": _headers()}


def _request(schema: str, example: Json | None) -> Json:
    content: Json = {"schema": ref(schema)} | ({} if example is None else {"example": example})
    return {"required": True, "content": {"application/json": content}}


def _is_step(event: type[Event]) -> bool:
    """Return whether an event can be in an entry's history: see `server.domain.events.others`."""
    return bool({"entry_id", "entry_ids", "carried"} & set(get_type_hints(event)))


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PAGE = [
    _query(
        "page_size",
        "How many rows.",
        {"type": "integer", "minimum": 1, "maximum": paging.MOST, "default": paging.DEFAULT_SIZE},
    ),
    _query("after", "Where the page before left off: its `next`. Good for this list alone.", text()),
]


def _path_parameter(name: str, convertor: str) -> Json:
    if convertor == "id":
        schema, about, example = id_of(), _DESCRIPTIONS[name], _SAMPLES[name]
    else:
        pattern, about, example = _PATH_TEXTS[name]
        schema = text(pattern=pattern)
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema, "example": example}
