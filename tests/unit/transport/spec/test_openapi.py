"""The OpenAPI document: sound, complete, and equal to the code's own checks."""

from __future__ import annotations

import copy
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from starlette.routing import Route, WebSocketRoute

from server.app import build_app
from server.domain import plain_text, roles
from server.domain.commands import COMMANDS, AddKiosk, AddProvider, AddSchedule, AddService, Book, Command
from server.domain.events import (
    EVENTS,
    AppointmentRezoned,
    AppointmentsImported,
    AppointmentUnreached,
    EntryDoubted,
    EntryUnreached,
    Event,
    Recorded,
    shown,
)
from server.domain.model.ids import MAX_ID
from server.domain.views import DeskView, DisplayView, TicketView, View, draw
from server.settings import Settings
from server.transport.http import bodies, paths
from server.transport.http.errors import status_of
from server.transport.spec import openapi, refusals, requests
from tests.support.documents import api_document
from tests.support.extent import examples
from tests.support.server import KEYS, ROOT
from tests.support.worlds import SITE_ID, World, open_sealed, small_clinic

Json = dict[str, Any]
DOCUMENTED = ("/api", "/live", "/health", "/metrics")
METHODS = ("get", "post", "put", "patch", "delete")

# Every keyword that the document may use in a schema; those with False say nothing of a value.
KEYWORDS = {
    "$ref": True, "type": True, "enum": True, "const": True, "oneOf": True, "required": True, "properties": True,
    "patternProperties": True, "additionalProperties": True, "propertyNames": True, "maxProperties": True, "items": True,
    "prefixItems": True, "minItems": True, "maxItems": True, "minLength": True, "maxLength": True, "pattern": True,
    "minimum": True, "maximum": True, "multipleOf": True, "format": True,
    "description": False, "default": False, "examples": False, "discriminator": False,
}  # fmt: skip
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
FORMATS = {"date": date.fromisoformat, "date-time": datetime.fromisoformat}


class Checker:
    """A strict validator for the part of JSON Schema that the document uses; any other keyword is an error."""

    def __init__(self, document: Json) -> None:
        self.document = document

    def at(self, reference: str) -> Any:
        """Return what a reference within the document points to."""
        found: Any = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def resolved(self, value: Json) -> Json:
        """Return an object of the document, or the one that it refers to."""
        found: Json = self.at(value["$ref"]) if set(value) == {"$ref"} else value
        return found

    def problems(self, value: Any, schema: Json, where: str = "") -> list[str]:
        """Return what is wrong with ``value``, in words; nothing when the schema allows it."""
        found: list[str] = []
        unknown = [key for key in schema if key not in KEYWORDS and not key.startswith("x-")]
        assert not unknown, f"{where}: the checker does not know {unknown}"
        if "$ref" in schema:
            found += self.problems(value, self.at(schema["$ref"]), where)
        kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", list(KINDS))
        if not any(isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
                   for kind in kinds):  # fmt: skip
            return [*found, f"{where}: {value!r} is no {' or '.join(kinds)}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is none of {schema['enum']}")
        if "const" in schema and value != schema["const"]:
            found.append(f"{where}: {value!r} is not {schema['const']!r}")
        if "oneOf" in schema:
            tried = [self.problems(value, each, where) for each in schema["oneOf"]]
            if sum(not each for each in tried) != 1:
                found.append(f"{where}: fits {sum(not each for each in tried)} of {len(tried)}: {min(tried, key=len)}")
        if isinstance(value, str):
            found += self._text(value, schema, where)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                found.append(f"{where}: {value} is out of bounds")
            if "multipleOf" in schema and value % schema["multipleOf"]:
                found.append(f"{where}: {value} is no multiple of {schema['multipleOf']}")
        elif isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                found.append(f"{where}: {len(value)} items")
            first = schema.get("prefixItems", [])
            for index, each in enumerate(value):
                of_each = first[index] if index < len(first) else schema.get("items", {})
                found += self.problems(each, of_each, f"{where}/{index}")
        elif isinstance(value, dict):
            found += self._object(value, schema, where)
        return found

    def _text(self, value: str, schema: Json, where: str) -> Iterator[str]:
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{where}: {len(value)} characters"
        if "pattern" in schema and not re.search(re.sub(r"\$$", r"\\Z", schema["pattern"]), value):
            yield f"{where}: {value!r} is not {schema['pattern']}"
        if "format" in schema:
            try:
                FORMATS[schema["format"]](value)
            except ValueError as error:
                yield f"{where}: {error}"

    def _object(self, value: Json, schema: Json, where: str) -> Iterator[str]:
        yield from (f"{where}: lacks {name}" for name in schema.get("required", []) if name not in value)
        if len(value) > schema.get("maxProperties", len(value)):
            yield f"{where}: {len(value)} properties"
        for name, each in value.items():
            yield from self.problems(name, schema.get("propertyNames", {}), f"{where}/{name}")
            fitting = [schema["properties"][name]] if name in schema.get("properties", {}) else []
            fitting += [made for key, made in schema.get("patternProperties", {}).items() if re.search(key, name)]
            more = schema.get("additionalProperties", True)
            if not fitting and more is False:
                yield f"{where}: has {name}"
            elif not fitting and isinstance(more, dict):
                fitting = [more]
            for made in fitting:
                yield from self.problems(each, made, f"{where}/{name}")

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Yield every operation with its method and path."""
        for path, item in self.document["paths"].items():
            yield from ((method, path, operation) for method, operation in item.items())

    def faults(self) -> list[str]:
        """Return what is wrong with the document itself."""
        return [*self._of_references(), *self._of_schemas()] or [*self._of_operations(), *self._of_examples()]

    def _of_operations(self) -> Iterator[str]:
        document = self.document
        if not re.fullmatch(r"3\.1\.\d", document["openapi"]) or not {"title", "version"} <= document["info"].keys():
            yield "it does not say what it is"
        names = [operation["operationId"] for _, _, operation in self.operations()]
        yield from (f"{name} is there twice" for name in set(names) if names.count(name) > 1)
        for method, path, operation in self.operations():
            where = f"{method} {path}"
            if method not in METHODS:
                yield f"{where}: no method"
            parameters = [self.resolved(each) for each in operation.get("parameters", [])]
            named = {each["name"] for each in parameters if each["in"] == "path" and each["required"]}
            if named != set(re.findall(r"\{(\w+)\}", path)):
                yield f"{where}: its path has other parameters"
            if not set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}:
                yield f"{where}: an unknown tag"
            for each in (document | operation)["security"]:
                yield from (
                    f"{where}: no scheme {name}" for name in each if name not in self.at("components/securitySchemes")
                )
            if not any(code[0] in "23" for code in operation["responses"]):
                yield f"{where}: never succeeds"
            for code, response in operation["responses"].items():
                if not (re.fullmatch("[1-5][0-9][0-9]", code) and self.resolved(response)["description"]):
                    yield f"{where}: {code} is not described"
            for each in parameters:
                if each["in"] not in ("path", "query", "header", "cookie") or "schema" not in each:
                    yield f"{where}: {each['name']} is no parameter"
                yield from self.problems(each["example"], each["schema"], where) if "example" in each else ()
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from self.problems(content["example"], content["schema"], where) if "example" in content else ()
            links = self.resolved(operation["responses"].get("200", {})).get("links", {})
            for link in map(self.resolved, links.values()):
                yield from [f"{where}: a link to nowhere"] if link["operationId"] not in names else []

    def _of_references(self) -> Iterator[str]:
        used = set()
        for each in _walk(self.document):
            if isinstance(each.get("$ref"), str):
                used.add(each["$ref"])
            used |= set(each.get("mapping", {}).values()) if isinstance(each.get("mapping"), dict) else set()
        for reference in used:
            try:
                self.at(reference)
            except KeyError:
                yield f"{reference} is not there"
        for kind, several in self.document["components"].items():
            for name in several:
                if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used:
                    yield f"{kind}/{name} is not used"

    def _of_schemas(self) -> Iterator[str]:
        schemas = [*self.at("components/schemas").values()]
        schemas += [each["schema"] for each in _walk(self.document) if isinstance(each.get("schema"), dict)]
        for schema in schemas:
            for each in _schemas(schema):
                unknown = [key for key in each if key not in KEYWORDS and not key.startswith("x-")]
                yield from [f"{unknown} in a schema"] if unknown else []
                kinds = each.get("type", [])
                wrong = {kinds} - set(KINDS) if isinstance(kinds, str) else set(kinds) - set(KINDS)
                yield from [f"{wrong} is no type"] if wrong else []
                missing = [name for name in each.get("required", []) if name not in each.get("properties", {})]
                if missing and each.get("additionalProperties") is False:
                    yield f"{missing} is required and not allowed"
                if "pattern" in each:
                    re.compile(each["pattern"])

    def _of_examples(self) -> Iterator[str]:
        for schema in self.at("components/schemas").values():
            for each in _schemas(schema):
                for example in [*each.get("examples", []), *([each["default"]] if "default" in each else [])]:
                    yield from self.problems(example, each, "an example")


def _walk(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)


def _schemas(schema: Json) -> Iterator[Json]:
    yield schema
    below: list[Any] = [*schema.get("properties", {}).values(), *schema.get("patternProperties", {}).values()]
    below += [*schema.get("oneOf", []), schema.get("items"), schema.get("additionalProperties")]
    for each in below:
        if not isinstance(each, dict):  # none, or True: any value
            continue
        yield from _schemas(each)


@cache
def own_checker() -> Checker:
    """Return the checker of the document of this version."""
    return Checker(api_document())


@pytest.fixture(scope="module", autouse=True)
def _made_at_first() -> None:
    """Make the shared document before tests add commands of their own."""
    own_checker()


@cache
def schema_of_body(name: str) -> Json:
    """Return the schema of a command's body."""
    found: Json = own_checker().at(f"components/schemas/{COMMANDS[name].__name__}")
    return found


def operation(name: str) -> Json:
    """Return a command's operation."""
    found: Json = api_document()["paths"][f"/api/v1/commands/{name}"]["post"]
    return found


def codes(made: Json, status: int, checker: Checker | None = None) -> set[str]:
    """Return the codes that an operation may answer with this status."""
    response = (checker or own_checker()).resolved(made["responses"][str(status)])
    schema = response["content"]["application/json"]["schema"]
    return set(schema["properties"]["error"]["properties"]["code"]["enum"])


def test_document_is_sound() -> None:
    assert own_checker().faults() == []
    assert json.loads(json.dumps(api_document())) == api_document()


CALL_NEXT = ("paths", "/api/v1/commands/call-next", "post")


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ((*CALL_NEXT, "operationId"), "recall"),
        ((*CALL_NEXT, "tags"), ["Nonsense"]),
        ((*CALL_NEXT, "responses"), {"404": {"description": "Never."}}),
        ((*CALL_NEXT, "security"), [{"nonsense": []}]),
        ((*CALL_NEXT, "requestBody", "content", "application/json", "example"), {"point_id": "7"}),
        ((*CALL_NEXT, "responses", "404", "$ref"), "#/components/responses/Nonsense"),
        (("paths", "/api/v1/sites/{site_id}/board", "get", "parameters"), []),
        (("components", "schemas", "CallNext", "properties", "point_id", "type"), "number of a point"),
        (("components", "schemas", "CallNext", "required"), ["point_id", "nonsense"]),
        (("components", "schemas", "CallNext", "allOf"), []),
        (("components", "schemas", "Unused"), {"type": "string"}),
        (("components", "links", "recall", "operationId"), "nonsense"),
    ],
)
def test_checker_finds_an_unsound_document(where: tuple[str, ...], value: object) -> None:
    broken = copy.deepcopy(api_document())
    target = broken
    for part in where[:-1]:
        target = target[part]
    target[where[-1]] = value
    assert Checker(broken).faults() != []


def test_document_has_every_route_and_no_other(tmp_path: Path) -> None:
    app = build_app(Settings(database_url=SecretStr(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")), KEYS)
    served, upgraded = set(), set()
    for route in app.routes:
        path = re.sub(r":\w+\}", "}", getattr(route, "path", ""))
        if not path.startswith(DOCUMENTED):
            continue
        every = [path.replace("{name}", name) for name in bodies.MODELS] if path == paths.COMMAND else [path]
        if isinstance(route, Route):
            served |= {(method.lower(), each) for method in (route.methods or {"GET"}) - {"HEAD"} for each in every}
        elif isinstance(route, WebSocketRoute):
            upgraded |= set(every)
        else:
            raise AssertionError(f"what is {route}?")
    described = list(own_checker().operations())
    assert {(method, path) for method, path, _ in described} == served
    assert {path for _, path, each in described if "101" in each["responses"]} == upgraded


def test_document_has_every_error_of_the_tree() -> None:
    listed = own_checker().at("components/schemas/ErrorCode")
    assert listed["enum"] == list(listed["x-codes"])
    for kind in refusals.errors():
        error = kind()
        assert listed["x-codes"][error.code] == {
            "status": status_of(error),
            "message": (kind.__doc__ or "").strip().splitlines()[0],
        }
    assert {"point_busy", "body_too_large", "foreign_origin", "unknown_host", "method_not_allowed"} <= set(listed["enum"])


def test_document_does_not_depend_on_the_order_of_imports() -> None:
    """Every program describes the same API: the command line, the application, and a tool that needs only the document."""
    shown = "from server.transport.spec import openapi; print(json.dumps(openapi.document()))"
    for first in ("server.cli", "server.app", "server.transport.spec.openapi"):
        made = subprocess.run(
            [sys.executable, "-c", f"import json, {first}; {shown}"], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert made.stdout.strip() == json.dumps(api_document()), first


def test_endpoint_that_runs_a_command_describes_the_refusals_of_its_rule() -> None:
    set_up = api_document()["paths"]["/api/v1/sites/{site_id}/services"]["post"]
    assert {"nothing_changed", "prefix_fixed", "in_use"} <= codes(set_up, 409)


def test_every_code_is_listed_under_its_own_status() -> None:
    listed = own_checker().at("components/schemas/ErrorCode")["x-codes"]
    for _, path, made in own_checker().operations():
        for status, response in made["responses"].items():
            content = own_checker().resolved(response).get("content", {}).get("application/json", {})
            if content.get("schema", {}).get("$ref", "").endswith("/Error"):
                assert {listed[code]["status"] for code in codes(made, int(status))} == {int(status)}, path


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveGoodbye(Command):
    """Wave from a lamp. Nobody need wave back."""

    lamp_id: int
    to_whom: str = field(metadata={"min_length": 1, "max_length": 10})
    hand: str = field(default="left", metadata={"pattern": "^(left|right)$"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LampLit(Event):
    lamp_id: int
    token_hash: str


def test_new_command_and_new_event_need_no_description_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "wave-goodbye", WaveGoodbye)
    monkeypatch.setitem(bodies.MODELS, "wave-goodbye", bodies._model_of(WaveGoodbye))
    monkeypatch.setitem(EVENTS, "lamp-lit", LampLit)
    monkeypatch.setitem(roles.MAY, "wave-goodbye", frozenset({"manager"}))
    checker = Checker(openapi.document())
    assert checker.faults() == []
    made = checker.document["paths"]["/api/v1/commands/wave-goodbye"]["post"]
    assert (made["summary"], made["x-roles"], made["tags"]) == ("Wave from a lamp", ["manager"], ["Lamps"])
    assert "manager" in made["description"]
    schema = checker.at("components/schemas/WaveGoodbye")
    assert schema["required"] == ["lamp_id", "to_whom"]
    assert schema["properties"]["lamp_id"] == {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    assert schema["properties"]["to_whom"]["maxLength"] == 10
    assert schema["properties"]["hand"] == {"type": "string", "default": "left", "pattern": "^(left|right)$"}
    assert checker.at("components/schemas/LampLit")["required"] == ["seq", "at", "type", "lamp_id"]
    # Its rule is not known: so it may answer anything that a command may.
    assert {"point_busy", "nobody_waiting", "refused"} <= codes(made, 409, checker)
    assert checker.at("components/schemas/WaveGoodbyeAnswer")["required"] == ["seq", "events"]


def test_answers_of_a_command_are_read_from_its_rule() -> None:
    assert codes(operation("call-next"), 409) >= {"point_busy", "nobody_waiting"}
    assert codes(operation("call-next"), 409).isdisjoint({"same_queue", "name_taken", "entry_not_called"})
    assert codes(operation("call-next"), 404) == {"site_not_found", "point_not_found"}
    assert codes(operation("recall"), 409) >= {"entry_not_called"}
    assert codes(operation("transfer"), 404) == {
        *("site_not_found", "entry_not_found", "queue_not_found", "provider_not_found"),
    }
    assert codes(operation("add-queue"), 409) == {"name_taken", "language_not_offered"}
    assert codes(operation("add-queue"), 404) == {"site_not_found", "service_not_found"}
    answers = {name: own_checker().at(f"components/schemas/{COMMANDS[name].__name__}Answer") for name in bodies.MODELS}
    assert "entry" in answers["call-next"]["required"]
    assert "token" not in answers["call-next"]["properties"]
    assert "entry" in answers["issue-ticket"]["required"]
    assert all("token" in answers[name]["properties"] for name in ("issue-ticket", "add-display", "renew-token"))
    assert [name for name, answer in answers.items() if "address" in answer["properties"]] == ["issue-ticket", "check-in"]
    assert {"appointment", "events", "seq"} <= set(answers["book"]["required"])
    assert {"appointments", "tokens", "skipped"} <= set(answers["book-series"]["properties"])
    assert "appointment" in answers["check-in"]["required"]
    assert "appointment" not in answers["call-next"]["properties"]
    assert set(answers["add-queue"]["properties"]) == {"seq", "events", "preview", "affects"}


def test_document_without_the_source_of_rules_is_less_precise_and_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(_: object) -> str:
        raise OSError("compiled only")

    monkeypatch.setattr(inspect, "getsource", no_source)
    checker = Checker(openapi.document())
    assert checker.faults() == []
    made = checker.document["paths"]["/api/v1/commands/call-next"]["post"]
    assert {"point_busy", "nobody_waiting", "same_queue"} <= codes(made, 409, checker)
    assert checker.at("components/schemas/CallNextAnswer")["required"] == ["seq", "events"]


@pytest.mark.parametrize("name", bodies.MODELS)
def test_command_lists_its_roles_and_has_an_example(name: str) -> None:
    made = operation(name)
    assert set(made["x-roles"]) == set(roles.MAY.get(name, ()))
    assert made["summary"]
    assert made["requestBody"]["content"]["application/json"]["example"]
    assert made["requestBody"]["required"]
    assert {"200", "400", "401", "403", "404", "413", "422", "503"} <= made["responses"].keys()


VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 20, 21, 240, 241, MAX_ID, MAX_ID + 1, 2**64, 0.5, "", " ", "a", "A", "AB", "en", "en\n",
    "pt-BR", "x" * 80, "x" * 81, "x" * 200, "x" * 201, " x", "x ", "x\u00a0", "\u2028x", "x\x85", "x\x00y", "x\ny", "x\x7f",
    "x\u200b", "\ufeff", "\u202ex", "x\u200dy", "x\U000e0001", "standard", "+49 30 901820", "12345 ", " 12345", "+1234",
    "1" * 24, "1" * 25, [], [1], ["1"], [True], [[]], [1] * 50, [1] * 51, {}, {"a": 1}, {"ar": "x"},
    {"ar": " x"}, {"ar": ""}, {"a": "x"}, {"x-" + "y" * 8 * n: "x" for n in (1, 2)},
)  # fmt: skip


def taken(name: str, body: object) -> bool:
    """Return whether the server's own model accepts a body."""
    try:
        bodies.MODELS[name].model_validate_json(json.dumps(body))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", bodies.MODELS)
def test_schema_allows_exactly_the_bodies_that_the_server_accepts(name: str) -> None:
    schema = schema_of_body(name)
    full = {**schema["examples"][0], "site_id": SITE_ID}
    assert taken(name, full)
    tried: list[Any] = [full, *({key: value for key, value in full.items() if key != left} for left in full)]
    tried += [full | {key: value} for key in (*schema["properties"], "nonsense") for value in VALUES]
    for body in [*tried, None, [], "x", 1]:
        assert (own_checker().problems(body, schema) == []) is taken(name, body), body


@examples(300)
@given(st.text(max_size=90) | st.text(" \u00a0\u2003\x1f\x7f\x85\u200b\u200d\u2028\u2800\u3164\ue000\ufe0fab", max_size=5))
def test_schema_allows_exactly_the_texts_that_the_server_accepts(text: str) -> None:
    for name, field_name in (("add-display", "name"), ("issue-ticket", "name"), ("issue-ticket", "phone")):
        body: Json = schema_of_body(name)["examples"][0] | {field_name: text}
        assert (own_checker().problems(body, schema_of_body(name)) == []) is taken(name, body)


def busy_clinic() -> World:
    """Return a clinic in which every kind of cell is on some screen."""
    world = small_clinic()
    queue_id, *_ = world.board.queues
    point_id, *_ = world.board.points
    for _ in range(3):
        world.ticket(queue_id, name="Ada Lovelace", name_on_display=True)
    world.call(point_id)
    for command in (
        AddService(site_id=SITE_ID, name="Blood test", public_name="Laboratory"),
        AddProvider(site_id=SITE_ID, name="Dr. Ada"),
        AddKiosk(site_id=SITE_ID, name="Door"),
    ):
        world.do(command)
    provider_id, service_id = max(world.board.providers), max(world.board.services)
    day = world.board.site.business_day
    world.do(
        AddSchedule(
            site_id=SITE_ID,
            provider_id=provider_id,
            service_ids=(service_id,),
            weekday=date.fromisoformat(day).weekday(),
            from_="08:00",
            until="18:00",
            slot_minutes=15,
            valid_from=day,
        )
    )
    world.do(Book(site_id=SITE_ID, service_id=service_id, local_start=f"{day}T12:00", name="Ada Lovelace"))
    return world


@pytest.mark.parametrize("view", [DeskView(open_sealed), DisplayView()])
def test_cells_of_a_view_match_their_schemas(view: View) -> None:
    """The schemas come from the types of the cells: see `server.transport.spec.cells`."""
    cells = draw(view, busy_clinic().board)
    schema = own_checker().at(f"components/schemas/{view.kind.title()}Cells")
    assert own_checker().problems(cells, schema) == []
    described = {*schema["properties"], *(key[1:].partition(":")[0] for key in schema["patternProperties"])}
    assert {key.partition(":")[0] for key in cells} == described
    live = [
        made
        for _, path, made in own_checker().operations()
        if made.get("x-cells", {}).get("$ref", "").endswith(f"{view.kind.title()}Cells")
    ]
    assert [made["x-shape"] for made in live] == [view.shape]


def test_cell_of_a_ticket_matches_its_schema() -> None:
    board = busy_clinic().board
    for visit_id in (*board.visits, 1):
        cells = draw(TicketView(visit_id), board)
        assert own_checker().problems(cells, own_checker().at("components/schemas/TicketCells")) == []


def test_events_match_their_schemas() -> None:
    world = busy_clinic()
    entry = next(each for each in world.board.entries.values() if each.state == "called")
    made = EVENTS["ticket-called"](  # type: ignore[call-arg]
        entry_id=entry.id, point_id=entry.point_id, announcement_id=5, label="A001", reason="first"
    )
    schema = own_checker().at("components/schemas/TicketCalled")
    assert own_checker().problems(shown(Recorded(1, 2, "staff:1", made)), schema) == []
    internal = {
        AppointmentRezoned,
        AppointmentsImported,
        AppointmentUnreached,
        EntryDoubted,
        EntryUnreached,
    }  # they are in the log, and in no answer
    for name, kind in EVENTS.items():
        if kind in internal:
            assert kind.__name__ not in own_checker().document["components"]["schemas"]
            continue
        described = own_checker().at(f"components/schemas/{kind.__name__}")
        assert described["properties"]["type"] == {"const": name}
        assert Event.kept_inside.isdisjoint(described["properties"])


def test_each_call_returns_a_document_of_its_own() -> None:
    openapi.document()["paths"].clear()
    assert openapi.document() == api_document()


def test_all_of_unicode_is_read_once_for_all_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    really = plain_text.refused_characters

    def noted() -> tuple[list[str], list[str], list[str]]:
        asked.append(1)
        return really()

    monkeypatch.setattr(plain_text, "refused_characters", noted)
    requests._characters.cache_clear()
    assert openapi.document() == openapi.document() == api_document()
    assert len(asked) == 1
