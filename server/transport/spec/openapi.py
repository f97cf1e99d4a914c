"""The OpenAPI 3.1 document of the API, made from the endpoints, commands, events, roles and errors.

A new endpoint, command, event or error is in the document by itself. `server.transport.spec.outcomes` reads the errors and
events of a command from its rule: the classes that its branch of `server.domain.rules.decisions.decide` names, and the
functions that this branch calls. The cells of a view are described in `server.transport.spec.cells`.

The server accepts more than the document promises, for example any text in ``last_event_id``. The document does not forbid
these: every promise and every refusal in it must be true.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from server import __version__
from server.domain import roles
from server.domain.affected import KINDS, MOST_NAMED
from server.domain.commands import COMMANDS, Book, BookSeries, CheckIn, Command, HoldSlot, ReleaseSlot
from server.domain.commands.appointments import OnAppointment
from server.domain.errors import InvalidField, NotFound, NowServingError, Refused, SiteNotFound, Unavailable
from server.domain.events import EVENTS, DeviceReported, Event, OfAppointment
from server.domain.events.encoding import GIVEN, RECORDS
from server.domain.model import AppointmentState
from server.domain.views import View
from server.identity.api_keys import KEY_PREFIX
from server.transport import endpoints
from server.transport.access.cookies import ACCESS, PREFIX, REFRESH
from server.transport.api.commands import COMMAND_ID, PREVIEW
from server.transport.http import bodies, paths
from server.transport.http.endpoint import NO_CACHE, PUBLIC, RETURNED, STAFF, UNCHANGED, Answer, Endpoint, Endpoints, Tag
from server.transport.http.errors import UnknownCommand
from server.transport.http.fields import who
from server.transport.http.middleware import QUIET
from server.transport.http.versions import VERSIONS
from server.transport.spec import asyncapi, refusals
from server.transport.spec.cells import cells_of_views, cells_schema, live_messages
from server.transport.spec.outcomes import Outcomes
from server.transport.spec.prose import ABOUT, ANY_TOKEN, FIELDS, LIVE, PATH_TEXTS
from server.transport.spec.records import event_field_of, schema_of
from server.transport.spec.refusals import Refusals, code_of, counted_headers, own_headers
from server.transport.spec.requests import SAMPLES, body_schema, command_schema
from server.transport.spec.schema import INSTANT, STATES, Json, count_of, id_of, object_of, ref, text
from server.transport.spec.served import Served

ADDRESS = "/api/openapi.json"
_SUBJECT_OF_SITE = "Setting up"


def document() -> Json:
    """Return the OpenAPI document of this version, as JSON-ready values that belong to the caller."""
    return _Document().made()


ENDPOINTS = Endpoints(Tag.OPERATION)
_DOCUMENT = Served(document)


@ENDPOINTS.add(
    "GET",
    ADDRESS,
    "openapi",
    (
        Answer(
            "The document.",
            headers=NO_CACHE,
            schema={"type": "object", "required": ["openapi", "info", "paths", "components"]},
        ),
        UNCHANGED,
    ),
    security=PUBLIC,
)
async def get_document(request: Request) -> Response:
    """Return this document."""
    return await _DOCUMENT.answer(request)


# Every module of endpoints: those of the application, and the documents that describe them.
MODULES: tuple[Endpoints, ...] = (*endpoints.MODULES, asyncapi.ENDPOINTS, ENDPOINTS)


class _Document:
    """Builds the document. Schemas and responses that several operations share are components."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {}
        self.refusals = Refusals()
        self.paths: dict[str, Json] = {}
        self.tags: dict[str, str] = {}
        self.outcomes = Outcomes()
        # Commands that need only an entry: each answer with an entry links to them.
        self.steps = [
            name
            for name, model in bodies.MODELS.items()
            if {key for key, each in model.model_fields.items() if each.is_required()} == {"entry_id"}
        ]
        self.linked: list[str] = []

    def made(self) -> Json:
        """Return the whole document."""
        self._shared()
        every = [each for module in MODULES for each in module]
        for tag in Tag:
            for endpoint in (each for each in every if each.tag is tag):
                if endpoint.path == paths.COMMAND:
                    self._commands(endpoint)
                else:
                    self._endpoint(endpoint)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Now Serving",
                "version": __version__,
                "summary": "A real-time queue server for clinics.",
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
            "servers": [{"url": "/", "description": "This installation."}],
            "security": _security(STAFF),
            "tags": [{"name": name, "description": about} for name, about in self.tags.items()],
            "paths": self.paths,
            "components": {
                "schemas": self.schemas,
                "responses": self.refusals.components,
                "links": {
                    name: {"operationId": name, "requestBody": {"entry_id": "$response.body#/entry/id"}}
                    for name in self.linked
                },
                "headers": _HEADERS,
                "parameters": {
                    "Preview": PREVIEW.described()[0],
                    "IdempotencyKey": COMMAND_ID.described()[0],
                },
                "securitySchemes": _SECURITY_SCHEMES,
            },
        }

    # Components that operations share

    def _shared(self) -> None:
        self.schemas |= refusals.error_schemas()
        for record in RECORDS.values():
            self.schemas[f"{record.__name__}InEvent"] = self._record(record)
        for name, event in EVENTS.items():
            if event not in self.outcomes.untold or event is DeviceReported:  # a device reports to an operation of its own
                self.schemas[event.__name__] = self._event(name, event)
        self.schemas["Booking"] = object_of(
            {
                "id": id_of("The appointment."),
                "version": count_of("The number of changes that matter to the patient.", 1),
                "state": text(enum=list(get_args(AppointmentState))),
                "service_id": id_of(),
                "provider_id": id_of(),
                "local_start": text(description="The local time of the clinic at which the appointment starts."),
                "fold": count_of("1 for the second of two equal local times, else 0."),
                "starts_at": INSTANT,
                "ends_at": INSTANT,
                "minutes": count_of("The length of the appointment."),
                "held_until": INSTANT | {"type": ["integer", "null"]},
            },
            description="The appointment that the command changed, as it is now.",
        )
        self.schemas["Entry"] = object_of(
            {
                "id": id_of("The entry."),
                "visit_id": id_of(FIELDS["visit_id"]),
                "label": text(description=FIELDS["label"]),
                "state": text(enum=STATES),
                "queue_id": id_of(),
                "point_id": id_of(nullable=True),
                "served": {
                    "type": "boolean",
                    "description": "An open point may call this patient now.",
                },
            },
            description="The entry that the command changed, as it is now.",
        )
        self.schemas["Quote"] = object_of(
            {
                "ahead": count_of("The number of patients ahead."),
                "expect_from": INSTANT | {"type": ["integer", "null"]},
                "expect_until": INSTANT | {"type": ["integer", "null"]},
                "estimating": {
                    "type": "boolean",
                    "description": "The expected time is a guess: the queue has little history.",
                },
            },
            description="The place of a new ticket, and the time at which the patient can expect the call.",
        )
        self.schemas["Affected"] = object_of(
            {
                "kind": text(enum=list(KINDS), description=" ".join(f"`{kind}`: {about}" for kind, about in KINDS.items())),
                "count": count_of("The number of patients, queues or devices.", 1),
                "first": {
                    "type": "array",
                    "items": text(),
                    "maxItems": MOST_NAMED,
                    "description": "The ticket labels of the first patients, or the names of the first records.",
                },
            },
            description="People or records that a change would affect in one way.",
        )
        for view, cells in cells_of_views().items():
            self.schemas[f"{view.title()}Cells"] = cells_schema(view, cells)
        for kind, schema in live_messages().items():
            self.schemas[f"{kind.title()}Message"] = schema

    def _event(self, name: str, event: type[Event]) -> Json:
        """Return the schema of an event as `server.domain.events.shown` returns it."""
        hints = get_type_hints(event)
        shown = [item.name for item in fields(event) if item.name not in Event.kept_inside]  # type: ignore[arg-type]
        head: Json = {
            "seq": count_of(FIELDS["seq"], 1),
            "at": event_field_of("at", int, self.schemas),
            "type": {"const": name},
        }
        written = inspect.cleandoc(event.__doc__ or "")
        inside = written.startswith(f"{event.__name__}(") or any(f"``{each}``" in written for each in Event.kept_inside)
        about = None if inside else re.sub(r"``(\w+)``", r"`\1`", written)  # a dataclass without a docstring gets one
        made = {
            key: ref(f"{RECORDS[key].__name__}InEvent") if key in RECORDS else event_field_of(key, hints[key], self.schemas)
            for key in shown
        }
        return object_of(head | made, description=about)

    def _record(self, kind: type[Any]) -> Json:
        """Return the schema of a whole record in an event, as `server.domain.events.shown` returns it."""
        hints = get_type_hints(kind)
        shown_fields = [item.name for item in fields(kind) if item.name not in Event.kept_inside | GIVEN.keys()]
        return object_of({key: event_field_of(key, hints[key], self.schemas) for key in shown_fields})

    # Operations

    def _endpoint(self, endpoint: Endpoint) -> None:
        kinds = endpoint.errors()
        if endpoint.runs is not None:
            kinds += self._errors_of(endpoint.runs)
        quiet = endpoint.path in QUIET
        responses = {str(each.status): self._answer(each, endpoint) for each in endpoint.answers}
        responses |= self.refusals.of(
            kinds,
            in_api=endpoint.in_api,
            limited=endpoint.in_api or endpoint.method != "GET",
            hosts=not quiet,
            in_path="{" in endpoint.path,
        )
        about = f"{inspect.cleandoc(endpoint.about)}{f' Roles: {who(endpoint.may)}.' if endpoint.may else ''}"
        more: Json = dict(endpoint.details or {})
        if endpoint.stream is not None:
            about += f"\n\n{LIVE}"
            responses = {"101": _UPGRADED} | responses | {"503": _too_many_streams()}
            more |= _stream(endpoint.stream)
        before: Json = {}
        security = endpoint.security
        if security is None and roles.may(roles.INTEGRATION, endpoint.may or ""):
            security = (*STAFF, "apiKey")
        if security is not None:
            before["security"] = [*([{}] if endpoint.anonymous else []), *_security(security)]
        before["parameters"] = [made for each in endpoint.parameters for made in each.described()]
        if endpoint.body is not None:
            self.schemas[endpoint.body.__name__] = body_schema(endpoint.body)
            before["requestBody"] = _request(endpoint.body.__name__, endpoint.example)
        self._add(
            endpoint, endpoint.path, endpoint.tag.value[0], endpoint.name, about, **before, responses=responses, **more
        )

    def _answer(self, answer: Answer, endpoint: Endpoint) -> Json:
        """Return the response of an answer that is no refusal."""
        headers: Json = counted_headers() if answer.counted else own_headers()
        for each in answer.headers:
            about = {"description": each.description} if each.description else {}
            headers[each.name] = {"required": True, **about, "schema": each.schema}
        made: Json = {"description": answer.description, "headers": headers}
        hint = endpoint.returned() if answer.type is RETURNED else answer.type
        schema = answer.schema if hint is None else schema_of(hint, self.schemas)
        if schema is not None:
            example = {} if answer.example is None else {"example": answer.example}
            made["content"] = {answer.media_type: {"schema": schema, **example}}
        return made | ({"links": answer.links} if answer.links else {})

    def _add(self, endpoint: Endpoint, path: str, tag: str, name: str, about: str, **more: Any) -> None:
        """Add an operation. The first sentence of ``about`` is its summary."""
        summary, *rest = re.split(r"\.\s+", about.replace("``", "`"), maxsplit=1)
        operation: Json = {"operationId": name, "tags": [tag], "summary": " ".join(summary.rstrip(".").split())}
        if rest:
            operation["description"] = rest[0]
        parameters = [_path_parameter(*found) for found in re.findall(r"\{(\w+)(?::(\w+))?\}", path)]
        parameters += more.pop("parameters")
        if parameters:
            operation["parameters"] = parameters
        about_tag = next((each.value[1] for each in Tag if each.value[0] == tag), f"Commands on {tag.lower()}.")
        self.tags.setdefault(tag, "Commands on a whole site." if tag == _SUBJECT_OF_SITE else about_tag)
        self.paths.setdefault(re.sub(r":\w+\}", "}", path), {})[endpoint.method.lower()] = operation | more

    def _commands(self, endpoint: Endpoint) -> None:
        """Add one operation for each command, by the record that they change."""
        tags = {name: _subject(COMMANDS[name]) for name in bodies.MODELS}
        for tag in dict.fromkeys(tags.values()):
            for name, model in bodies.MODELS.items():
                if tags[name] == tag:
                    self._command(endpoint, name, model, tag)

    def _command(self, endpoint: Endpoint, name: str, model: type[BaseModel], tag: str) -> None:
        command = COMMANDS[name]
        outcome = self.outcomes.of(command)
        schema = self.schemas[command.__name__] = command_schema(name, model, self.schemas)
        happened = (
            list(outcome.events) if outcome else [event for event in EVENTS.values() if event not in self.outcomes.untold]
        )
        answer = f"{command.__name__}Answer"
        self.schemas[answer] = self._command_answer(command, happened, known=outcome is not None)
        done = self._answer(endpoint.answers[0], endpoint)
        done["content"] = {"application/json": {"schema": ref(answer)}}
        if "entry" in self.schemas[answer]["required"]:
            done["links"] = {each: {"$ref": f"#/components/links/{each}"} for each in self.steps}
            self.linked = self.steps
        patient = "appointmentToken" if issubclass(command, OnAppointment) else "ticketToken"
        others = {roles.PATIENT: patient, roles.KIOSK: "kioskToken", roles.INTEGRATION: "apiKey"}
        may = [role for role in (*roles.ROLES, *others) if roles.may(role, name)]
        path = endpoint.path.replace("{name}", name)
        declared: list[type[NowServingError]] = [SiteNotFound, *self._errors_of(command), *endpoint.errors()]
        self._add(
            endpoint,
            path,
            tag,
            name,
            f"{inspect.cleandoc(command.__doc__ or '').rstrip('.')}. Roles: {', '.join(may) or 'none'}.",
            **{"x-roles": may},
            security=_security((*STAFF, *(scheme for role, scheme in others.items() if role in may))),
            parameters=[{"$ref": f"#/components/parameters/{each}"} for each in ("IdempotencyKey", "Preview")],
            requestBody=_request(command.__name__, schema.get("examples", [None])[0]),
            responses={"200": done} | self.refusals.of([each for each in declared if each is not UnknownCommand]),
        )

    def _errors_of(self, command: type[Command]) -> list[type[NowServingError]]:
        """Return the errors of a command's rule; all that a rule may have if they cannot be read from the source."""
        outcome = self.outcomes.of(command)
        return list(outcome.errors) if outcome else refusals.below(NotFound, Refused, InvalidField)

    def _command_answer(self, command: type[Command], happened: list[type[Event]], *, known: bool) -> Json:
        """Return the schema of the answer of `server.execute`.

        An entry or an appointment is in it if the last event is about one, a token if a token was made, and an address for
        the token of a ticket.
        """

        def having(*names: str) -> list[bool]:
            return [any(item.name in names for item in fields(event)) for event in happened]  # type: ignore[arg-type]

        entry, token = having("entry_id", "new_entry_id"), having("token_hash")
        booking = [issubclass(event, OfAppointment) for event in happened]
        if command is CheckIn:
            booking = [True] * len(happened)
        own_token = [issubclass(command, HoldSlot | ReleaseSlot | Book | BookSeries)] * len(happened)
        series = [command is BookSeries] * len(happened)

        kinds = dict.fromkeys([*happened, *self.outcomes.clock])
        of_type = {event.name_on_wire(): f"#/components/schemas/{event.__name__}" for event in kinds}
        items = {
            "oneOf": [ref(event.__name__) for event in kinds],
            "discriminator": {"propertyName": "type", "mapping": of_type},
        }
        properties: Json = {
            "seq": count_of("The number of the last event in the site's log.", 1),
            "events": {
                "type": "array",
                "items": items,
                "minItems": 1,
                "description": "The events that happened, in order. Events of the clock that were due come first.",
            },
            "preview": {"const": True, "description": "Present only in the answer to a preview."},
            "affects": {
                "type": "array",
                "items": ref("Affected"),
                "description": "The people and screens that the change would affect. Only in the answer to a preview.",
            },
        }
        optional = {"preview", "affects"}
        for name, schema, has in (
            ("entry", ref("Entry"), entry),
            ("appointment", ref("Booking"), booking),
            ("appointments", _list_of(ref("Booking"), "The booked appointments."), series),
            (
                "tokens",
                _list_of(text(pattern=ANY_TOKEN), "The tokens of the appointments, in the same order. A preview has none."),
                series,
            ),
            ("skipped", _list_of(text(), "The local times that were not free."), series),
            (
                "token",
                text(pattern=ANY_TOKEN, description="The new token. It is shown only now."),
                [any(both) for both in zip(token, own_token, strict=True)],
            ),
            (
                "address",
                text(description="The address of the patient's page, as in the QR code."),
                issued := [all(both) for both in zip(entry, token, strict=True)],
            ),
            ("quote", ref("Quote"), issued),
        ):
            if any(has):
                properties[name] = schema
            if name not in ("entry", "appointment") or not (known and all(has)):  # a preview makes no token
                optional.add(name)
        return object_of(properties, optional=optional)


def _subject(command: type[Command]) -> str:
    """Return the subject of a command, from the first of its fields: ``entry_id`` gives "Entries"."""
    noun = fields(command)[0].name.removesuffix("_id").replace("_", " ")  # type: ignore[arg-type]
    if noun == "site":
        return _SUBJECT_OF_SITE
    return (noun[:-1] + "ies" if noun.endswith("y") else noun + "s").capitalize()


def _list_of(item: Json, description: str) -> Json:
    return {"type": "array", "items": item, "description": description}


def _security(schemes: tuple[str, ...]) -> list[Json]:
    return [{each: []} for each in schemes]


def _request(schema: str, example: Json | None) -> Json:
    content: Json = {"schema": ref(schema)} | ({} if example is None else {"example": example})
    return {"required": True, "content": {"application/json": content}}


def _path_parameter(name: str, convertor: str) -> Json:
    if convertor == "id":
        schema, about, example = id_of(), FIELDS[name], SAMPLES[name]
    else:
        pattern, about, example = PATH_TEXTS[name]
        schema = text(pattern=pattern)
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema, "example": example}


def _too_many_streams() -> Json:
    made = refusals.response_of(503, [code_of(Unavailable)], counted=False)
    made["content"]["text/plain"] = {"schema": text(const="Too many streams")}
    return made


def _stream(view: type[View]) -> Json:
    """Return the extensions of an operation that follows a view."""
    return {
        "x-messages": {kind: ref(f"{kind.title()}Message") for kind in live_messages()},
        "x-cells": ref(f"{view.kind.title()}Cells"),
        "x-shape": view.shape,
    }


_UPGRADED = {"description": "The stream as a WebSocket, when the client asks to upgrade."}
_HEADERS: Json = {
    "RequestId": {
        "description": "The request's id. The server's log has it.",
        "required": True,
        "schema": text(pattern="^[A-Za-z0-9_.-]{8,64}$"),
    },
    "ApiVersion": {
        "description": "The version that answered.",
        "required": True,
        "schema": {"const": VERSIONS[-1]},
    },
    "Refusal": {
        "description": "The code of the refusal. An answer without this header may be from a proxy.",
        "required": True,
        "schema": text(pattern="^[a-z_]+$"),
    },
    "RateLimit": {
        "description": "The number of requests that are allowed. Absent where no limits are in force.",
        "schema": text(pattern="^[0-9]+$"),
    },
    "RateLimitRemaining": {
        "description": "The number of requests that are left.",
        "schema": text(pattern="^[0-9]+$"),
    },
    "RateLimitReset": {
        "description": "When one more request is allowed, in seconds since 1970.",
        "schema": text(pattern="^[0-9]+$"),
    },
}
_OVER_TLS = f"Over HTTPS the name begins with `{PREFIX}`."
_SECURITY_SCHEMES: Json = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A member of staff: the access token of a session.",
    },
    "accessCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": ACCESS.name,
        "description": "The access token as browsers send it. A bearer token takes precedence. " + _OVER_TLS,
    },
    "refreshCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": REFRESH.name,
        "description": "The refresh token as browsers send it. " + _OVER_TLS,
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
    "appointmentToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A patient: the token of one appointment, `a7-...`, valid for this appointment only.",
    },
    "ticketToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A patient: the token of one ticket, `7-...`, valid for this ticket only.",
    },
    "kioskToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A kiosk's own token, `d7-...`: shown once, when the kiosk is added.",
    },
    "kioskTokenInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The kiosk's token, for a client that cannot set a header. A bearer token takes precedence.",
    },
    "displayTokenInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The display's token, for a client that cannot set a header. A bearer token takes precedence.",
    },
}
