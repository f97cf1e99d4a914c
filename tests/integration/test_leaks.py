"""Personal data and secrets stay where they belong.

The test drives one installation, set up as in production, with values that are recognisable anywhere. It then searches every
place that the installation has written to for each value.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import orjson
import pytest
from sqlalchemy import URL
from websockets.exceptions import InvalidStatus

from server.seeding import Seed
from server.store.tables import metadata
from tests.support import databases
from tests.support.canaries import leaks
from tests.support.nginx import nginx
from tests.support.plain import PLAIN
from tests.support.processes import end, running, wait_until
from tests.support.redis import redis
from tests.support.rows import rows
from tests.support.screens import Screen, sse, websocket
from tests.support.server import SECRETS, command_line, environment, seed, serving
from tests.support.webhook_receiver import receiving_in_thread

pytestmark = pytest.mark.long

COMMANDS = "/api/v1/commands/"

# Three patients: one agreed to be named at a site that shows names, one at a site that shows none, one did not agree.
NAMED = {
    "name": "Philippäa Ottersbach",
    "phone": "+491705550123",
    "email": "philippäa.otter@canary.example",
    "date_of_birth": "1931-07-19",
    "notes": "Bienenstichallergie und Pollenflug",
}
UNNAMED = {
    "name": "Ludowika Brombeerhain",
    "phone": "+491716660456",
    "email": "ludo.brombeer@canary.example",
    "date_of_birth": "1932-08-21",
    "notes": "Wespenstichallergie seit Kindertagen",
}
PRIVATE = {
    "name": "Quirinäa Zwetschgenwald",
    "phone": "+491727770789",
    "email": "quirin.zwetsch@canary.example",
    "date_of_birth": "1933-09-23",
    "notes": "Hornissenangst nach Gartenunfall",
}
SERVICE = "Methadonausgabe Kellergeschoss"
REDIS_PASSWORD = "redis-geheimnis-4711"
WRONG_PASSWORD = "falsches-geheimnis-0815"
TYPED_AS_NAME = "mein-passwort-im-falschen-feld"

# The allowed places of each canary: (canary, place), as globs. A canary in any other place is a leak.
ALLOWED = [
    # Reception sees each waiting patient and the service. Only the stream of staff shows these.
    ("* name", "stream: desk"),
    ("service name", "stream: desk"),
    ("service name", "answer: the site, to staff"),
    # A patient who agreed, at a site that shows names: given name and initial. The test searches for the family name there.
    ("named given name", "stream: display of the site that names"),
    ("named given name", "database: visits.display_name"),
    ("named given name", "database: events.display_name"),
    # An administrator enters the address of a webhook, and sees it again. It may contain a secret of the receiver.
    ("webhook address", "database: webhooks.url"),
    # The recording channel writes messages to a file: the only place for phone numbers and links of patients.
    ("* phone", "messages sent"),
    ("ticket token *", "messages sent"),
]


class Monitor:
    """All commands that clients send to a Redis, and all messages published on it: the bus and the broker."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.heard = bytearray()
        self._connection = socket.create_connection((at.hostname, at.port), timeout=60)
        self._connection.sendall(f"AUTH {at.password}\r\nMONITOR\r\n".encode())
        self._connection.settimeout(None)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        wait_until(lambda: self.heard.count(b"+OK") == 2, "the monitor")

    def _listen(self) -> None:
        while chunk := self._connection.recv(65_536):
            self.heard += chunk

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()


def messages_of(screen: Screen) -> bytes:
    return json.dumps(screen.messages, ensure_ascii=False).encode()


class Edge:
    """Clients of nginx. It keeps every refusal."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.refusals = bytearray()

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=30, verify=PLAIN, event_hooks={"response": [self._keep]}
        )

    def _keep(self, answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            answer.read()
            assert answer.status_code < 500, answer.text
            self.refusals += repr(answer.headers.multi_items()).encode() + answer.content


@contextmanager
def installation(
    folder: Path, database_server: URL
) -> Iterator[tuple[dict[str, str], dict[str, bytes], Edge, Monitor, Path]]:
    """Run MariaDB, Redis, two servers, a worker, beat and nginx. Logs and tables become places at the end."""
    places: dict[str, bytes] = {}
    with ExitStack() as stack:
        redis_url = stack.enter_context(redis(folder, password=REDIS_PASSWORD))
        url = stack.enter_context(databases.fresh_database(database_server))
        sent = folder / "sent.jsonl"
        new_key = base64.b64encode(secrets.token_bytes(32)).decode()
        env = environment(
            url,
            redis_url,
            NOWSERVING_ENV="production",
            NOWSERVING_ALLOWED_HOSTS="127.0.0.1",
            NOWSERVING_RATE_LIMITS="on",
            NOWSERVING_LOG_LEVEL="debug",  # no leak even at this level
            NOWSERVING_HEARTBEAT_SECONDS="1",
            NOWSERVING_RECORDING_PATH=str(sent),
            NOWSERVING_PUBLIC_URL="https://clinic.example",
            NOWSERVING_ENCRYPTION_KEYS=f"{SECRETS['NOWSERVING_ENCRYPTION_KEYS']},{new_key}",
        )
        seed(env, points=1, tickets=0, displays=0)  # the tables
        cli = [sys.executable, "-m", "server.cli"]
        logs = {name: folder / f"{name}.log" for name in ("worker", "beat")}
        monitor = Monitor(redis_url)
        stack.callback(monitor.close)
        with ExitStack() as processes:
            servers = [processes.enter_context(serving(env, folder, name=name)) for name in ("one", "two")]
            proxy = processes.enter_context(nginx(folder, [server.port for server in servers]))
            work = running([*cli, "worker", "--concurrency", "1"], logs["worker"], env)
            worker = processes.enter_context(work)
            beat = processes.enter_context(running([*cli, "beat", "--schedule", str(folder / "beat")], logs["beat"], env))
            yield env, places, Edge(proxy.url), monitor, sent
            for server in servers:
                places[f"metrics of {server.log.stem}"] = httpx.get(f"{server.url}/metrics").content
            assert [end(each) for each in (beat, worker, *(server.process for server in servers))] == [0] * 4
        for table in metadata.sorted_tables:  # a server that ends has written its audit
            kept = rows(env, f"SELECT * FROM {table.name}")
            for number, column in enumerate(table.columns):
                places[f"database: {column.table.name}.{column.name}"] = "\n".join(str(row[number]) for row in kept).encode()
        for path in (*logs.values(), *(server.log for server in servers), proxy.access_log, proxy.error_log):
            places[f"log: {path.name}"] = path.read_bytes()
        places["log: nginx.log"] = (folder / "nginx.log").read_bytes()
        places["bus and broker"] = bytes(monitor.heard)


def do(client: httpx.Client, command: str, /, **body: Any) -> Any:
    answer = client.post(COMMANDS + command, json=body)
    assert answer.status_code == 200, (command, answer.text)
    return answer.json()


def signed_in(edge: Edge, seeded: Seed, role: str, canaries: dict[str, str]) -> httpx.Client:
    """Return a client that is signed in through nginx. Its password and tokens become canaries."""
    who = next(each for each in seeded["staff"] if each["role"] == role)
    with edge.client() as client:
        answer = client.post("/api/v1/session", json={"username": who["username"], "password": who["password"]}).json()
        refreshed = client.post("/api/v1/session/refresh", json={"refresh_token": answer["refresh_token"]}).json()
    mark = f"of {who['username']}"
    canaries[f"password {mark}"] = who["password"]
    for each, at in ((answer, "first"), (refreshed, "second")):
        canaries[f"{at} access token {mark}"] = each["access_token"]
        canaries[f"{at} refresh token {mark}"] = each["refresh_token"].partition(".")[2]
    return edge.client(refreshed["access_token"])


def bad_requests(
    edge: Edge, staff: httpx.Client, desk: httpx.Client, canaries: dict[str, str], queue_id: int, site_id: int
) -> None:
    """Send each value where it does not belong: in paths, queries, headers, and in every kind of wrong body."""
    with edge.client() as nobody:
        for value in canaries.values():
            inside = quote(value, safe="")
            for path in (f"/api/v1/{inside}", f"/{inside}", f"/api/v1/sites/{inside}/board", f"/static/{inside}.js",
                         f"/api/v1/commands/{inside}", f"/live/{inside}", f"/t/{inside}/more",
                         f"/api/v1/sites/{site_id}/entries?state={inside}&label={inside}&after={inside}",
                         f"/api/v1/sites/{site_id}/patients?date_of_birth={inside}",
                         f"/api/v1/staff?page_size={inside}&api_version=1",
                         f"/api/v1/sites?api_version={inside}"):  # fmt: skip
                staff.get(path)
            staff.post(f"/api/v1/commands/{inside}", json={})
            staff.delete(f"/api/v1/sessions/{inside}")
            raw = value.encode()
            for body in (b'{"name": "' + raw, raw, b"[" + raw + b"]"):
                desk.post(COMMANDS + "issue-ticket", content=body, headers={"Content-Type": "application/json"})
            for wrong in (
                {"name": value + "\n"}, {"phone": value + "\x07"}, {"email": f" {value}"}, {"date_of_birth": value + "!"},
                {"priority": value}, {"needs": [value]}, {"language": value}, {"queue_id": value}, {"party_size": value},
                {"site_id": value}, {value: 1}, {"notes": [value]},
            ):  # fmt: skip
                answer = desk.post(COMMANDS + "issue-ticket", json={"queue_id": queue_id} | wrong)
                assert answer.status_code == 422, (wrong, answer.text)
            staff.patch("/api/v1/staff/1", json={"role": value})
            staff.post("/api/v1/pairings/" + inside, json={"device_id": value})
            staff.get("/api/v1/sites", headers={"X-API-Version": inside, "X-Request-ID": f"({inside})"})
            staff.get("/api/v1/nowhere", headers={"User-Agent": inside, "Referer": f"https://x.example/{inside}"})
            staff.request(re.sub("[^A-Z]", "", value.upper())[:12] or "ODD", "/api/v1/sites")
        for name in list(canaries)[:10]:  # few enough for the rate limit of a client without a credential
            inside = quote(canaries[name], safe="")
            nobody.get(f"/t/{inside}")
            nobody.get(
                "/api/v1/sites", headers={"Authorization": f"Bearer {inside}", "Cookie": f"nowserving_access={inside}"}
            )
    host, port = urlsplit(edge.url).hostname, urlsplit(edge.url).port
    for value in (NAMED["name"], PRIVATE["phone"]):  # bytes that are not HTTP, and a head that is too long
        for head in (f"GET /{value} HTTP/1.1", f"{value}", f"GET /{'x' * 40_000}{quote(value)} HTTP/1.1\r\nHost: x"):
            with socket.create_connection((host, port), timeout=60) as connection:
                connection.sendall(head.encode() + b"\r\n\r\n")
                edge.refusals += connection.recv(65_536)


def screen_of(stack: ExitStack, follow: Callable[..., Any], *where: Any) -> Screen:
    screen: Screen = stack.enter_context(follow(*where))
    screen.wait(lambda each: each.cells, what="a snapshot")
    return screen


def drive(env: dict[str, str], places: dict[str, bytes], edge: Edge, sent: Path) -> dict[str, str]:
    """Use the installation as in a day of a clinic; return the canaries."""
    named, unnamed = seed(env, points=3, tickets=0, displays=1), seed(env, points=1, tickets=0, displays=1)
    canaries = {"service name": SERVICE, "typed as a name": TYPED_AS_NAME, "wrong password": WRONG_PASSWORD}
    for whose, patient in (("named", NAMED), ("unnamed", UNNAMED), ("private", PRIVATE)):
        given, family = patient["name"].split()
        canaries |= {f"{whose} given name": given, f"{whose} family name": family}
        canaries |= {f"{whose} {field}": value for field, value in patient.items() if field != "name"}
    personal = dict(canaries)
    canaries |= {"redis password": REDIS_PASSWORD, "secret key": env["NOWSERVING_SECRET_KEY"]}
    canaries |= {f"encryption key {i}": key for i, key in enumerate(env["NOWSERVING_ENCRYPTION_KEYS"].split(","))}
    with ExitStack() as stack:
        admin, desk, manager = (
            stack.enter_context(signed_in(edge, named, role, canaries)) for role in ("admin", "receptionist", "manager")
        )
        other_desk = stack.enter_context(signed_in(edge, unnamed, "receptionist", canaries))
        nobody = stack.enter_context(edge.client())
        who = named["staff"][0]["username"]
        for username, password in ((who, WRONG_PASSWORD), (TYPED_AS_NAME, "x" * 8), ("nobody", WRONG_PASSWORD)):
            answer = nobody.post("/api/v1/session", json={"username": username, "password": password})
            assert answer.status_code == 401, answer.text

        site_id = named["site_id"]
        do(admin, "change-site", site_id=site_id, names_on_display=True, message_ways=["sms"])
        with signed_in(edge, unnamed, "admin", canaries) as other_admin:
            do(other_admin, "change-site", site_id=unnamed["site_id"], message_ways=["sms"])
        service = do(admin, "add-service", site_id=site_id, name=SERVICE, public_name="Desk two")["events"][-1]["service_id"]
        do(admin, "change-service", service_id=service, name=SERVICE, public_name="Desk three")
        queue = do(admin, "add-queue", site_id=site_id, name="Two", prefix="M", service_id=service)["events"][-1]["queue_id"]
        point = do(admin, "add-point", site_id=site_id, name="Cellar", queue_ids=[queue])["events"][-1]["point_id"]
        display = do(admin, "add-display", site_id=site_id, name="Hall")
        kiosk = do(admin, "add-kiosk", site_id=site_id, name="Door")
        key = admin.post("/api/v1/api-keys", json={"name": "Practice"}).json()["key"]
        canaries |= {"display token": display["token"], "kiosk token": kiosk["token"], "API key": key}
        receiver = stack.enter_context(receiving_in_thread())
        webhook = admin.post("/api/v1/webhooks", json={"url": f"{receiver.url}/an-address-with-a-secret"}).json()
        receiver.secrets.append(webhook["secret"])
        canaries |= {"webhook secret": webhook["secret"], "webhook address": "an-address-with-a-secret"}
        display_id = display["events"][-1]["display_id"]
        with edge.client() as device:
            begun = device.post("/api/v1/pairings").json()
            admin.post(
                f"/api/v1/pairings/{begun['code']}", json={"device_id": named["displays"][0]["id"]}
            ).raise_for_status()
            paired = device.get(f"/api/v1/pairings/{begun['secret']}").json()
            canaries |= {"pairing code": begun["code"], "pairing secret": begun["secret"], "paired token": paired["token"]}

        hall = f"{edge.url}/live/displays/{display_id}"
        screens = {
            "display of the site that names": [
                screen_of(stack, sse, f"{hall}?token={display['token']}"),
                screen_of(stack, websocket, f"{hall}?token={display['token']}"),
            ],
            "display of the other site": [
                screen_of(
                    stack, sse, f"{edge.url}/live/displays/{unnamed['displays'][0]['id']}", unnamed["displays"][0]["token"]
                )
            ],
            "desk": [
                screen_of(stack, follow, f"{edge.url}/live/sites/{site_id}/desk", desk.headers["Authorization"][7:])
                for follow in (sse, websocket)
            ],
        }
        first = do(desk, "issue-ticket", queue_id=queue)
        canaries["ticket token of another"] = first["token"]
        ticket = f"{edge.url}/live/tickets/{first['token']}"
        screens["ticket of another"] = [screen_of(stack, follow, ticket) for follow in (sse, websocket)]
        issued = {
            "named": do(desk, "issue-ticket", queue_id=queue, name_on_display=True, **NAMED),
            "private": do(desk, "issue-ticket", queue_id=queue, priority="assisted", **PRIVATE),
            "unnamed": do(other_desk, "issue-ticket", queue_id=unnamed["queue_ids"][0], name_on_display=True, **UNNAMED),
        }
        for whose, each in issued.items():
            canaries[f"ticket token {whose}"] = each["token"]
        # A reader of the tables must not be able to check guessed names against a plain hash.
        asked = {"queue_id": queue, "name_on_display": False, "overrule": False, "party_size": 1, "provider_id": None,
                 "language": None, "needs": [], "priority": "assisted", "command": "issue-ticket",
                 "actor": f"staff:{desk.get('/api/v1/session').json()['user']['id']}"} | PRIVATE  # fmt: skip
        canaries["plain hash of a command"] = hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
        with edge.client(kiosk["token"]) as door, edge.client(key) as practice:
            do(door, "issue-ticket", queue_id=queue)
            do(practice, "issue-ticket", queue_id=queue, **PRIVATE)

        def reached() -> bool:
            return sent.exists() and all(each["phone"] in sent.read_text() for each in (NAMED, UNNAMED, PRIVATE))

        wait_until(reached, "the reminders")
        entries = {whose: each["entry"]["id"] for whose, each in issued.items()}
        do(desk, "call", entry_id=entries["named"], point_id=point)
        do(desk, "recall", entry_id=entries["named"])
        for screen in screens["display of the site that names"]:
            screen.wait(lambda each: f"entry:{entries['named']}" in each.cells, what="the call")
            assert screen.cells[f"entry:{entries['named']}"]["name"] == "Philippäa O."
        do(desk, "start", entry_id=entries["named"])
        do(desk, "transfer", entry_id=entries["named"], queue_id=named["queue_ids"][0])
        do(desk, "call", entry_id=entries["private"], point_id=point)
        do(desk, "no-show", entry_id=entries["private"])
        do(desk, "return", entry_id=entries["private"])
        do(
            desk,
            "amend-visit",
            entry_id=entries["private"],
            needs=["chaperone"],
            name=PRIVATE["name"],
            phone=PRIVATE["phone"],
        )
        do(desk, "move", entry_id=entries["private"], behind_entry_id=None, reason="frail")
        do(desk, "hold", entry_id=entries["private"])
        do(desk, "undo", entry_id=entries["private"])
        do(other_desk, "call-next", point_id=unnamed["point_ids"][0])
        do(other_desk, "start", entry_id=entries["unnamed"])
        last = do(other_desk, "complete", entry_id=entries["unnamed"])
        (other_display,) = screens["display of the other site"]
        other_display.wait(lambda each: each.seq >= last["seq"])
        with edge.client(issued["named"]["token"]) as phone:
            assert phone.post(COMMANDS + "leave", json={"entry_id": 1}).status_code == 404

        today = desk.get(f"/api/v1/sites/{site_id}/board").json()["cells"]["site"]["business_day"]
        asked_for = f"/api/v1/sites/{site_id}"
        last_past, rooms = desk.get(f"{asked_for}/board").json()["seq"], ("desk", f"point:{point}")
        for what, client, path in (
            ("statistics", manager, f"{asked_for}/statistics?from={today}&to={today}"),
            ("CSV", manager, f"{asked_for}/statistics.csv?from={today}&to={today}"),
            ("message statistics", manager, f"{asked_for}/messages/statistics?from={today}&to={today}"),
            ("insights", manager, f"{asked_for}/insights"),
            ("third next", manager, f"{asked_for}/insights/third-next"),
            ("feedback", manager, f"{asked_for}/feedback?from={today}&to={today}"),
            ("the day", manager, f"{asked_for}/day"),
            *(("a past screen", manager, f"{asked_for}/past?screen={each}&number={last_past}") for each in rooms),
            ("history", desk, f"/api/v1/entries/{entries['private']}/history"),
            ("entries", desk, f"{asked_for}/entries"),
            ("the site, to staff", manager, f"/api/v1/sites/{site_id}"),
            ("audit", admin, "/api/v1/audit?page_size=200"),
            ("changes", admin, f"/api/v1/audit?kind=changes&site_id={site_id}"),
        ):
            answer = client.get(path)
            assert answer.status_code == 200, (what, answer.text)
            places[f"answer: {what}"] = answer.content
        for field in ("name", "phone", "date_of_birth"):
            assert desk.get(f"{asked_for}/patients", params={field: PRIVATE[field]}).json()["data"]
        assert desk.get(f"/api/v1/entries/{entries['private']}").json()["visit"]["personal"]["name"] == PRIVATE["name"]

        bad_requests(edge, admin, desk, personal, queue, site_id)
        token = first["token"]
        for path in (f"/api/v1/tickets/{token}", f"/tickets/{token}", f"/live/tickets/{token}/x", f"/x/{token}.html",
                     f"/api/v1/sites?token={display['token']}", f"/t/{token}"):  # fmt: skip
            admin.get(path)
        for path in (f"/live/nowhere/{token}", f"/live/tickets/{token}/x"):
            with pytest.raises(InvalidStatus), websocket(edge.url + path):
                pass
        with websocket(f"{edge.url}/live/displays/{display_id}?token={token}") as refused:
            refused.wait(lambda each: each.ended, what="the end")
        last_number = desk.get(f"{asked_for}/board").json()["seq"]
        wait_until(lambda: receiver.numbers[-1:] >= [last_number], "the last event at the webhook")
        places["webhook"] = b"\n".join(receiver.bodies)
        for what, followed in screens.items():
            places[f"stream: {what}"] = b"".join(messages_of(each) for each in followed)
        assert not [each.disagreed for every in screens.values() for each in every if each.disagreed]
    return canaries


def test_personal_data_and_secrets_do_not_leak(database_server: URL, tmp_path: Path) -> None:
    with installation(tmp_path, database_server) as (env, places, edge, monitor, sent):
        canaries = drive(env, places, edge, sent)
        wait_until(lambda: b"notifications.sweep" in monitor.heard, "a task of beat")
        old, new = env["NOWSERVING_ENCRYPTION_KEYS"].split(",")
        rotated = env | {"NOWSERVING_ENCRYPTION_KEYS": f"{new},{old}"}
        for arguments in (
            ("audit", "verify"),
            ("keys", "rotate"),
            ("keys", "check"),
            ("retention", "--days", "1"),
            ("check",),
        ):
            ran = command_line(rotated, *arguments)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            places[f"output of {' '.join(arguments)}"] = (ran.stdout + ran.stderr).encode()
        away = command_line(env | {"NOWSERVING_REDIS_URL": env["NOWSERVING_REDIS_URL"].replace(":red", ":not")}, "check")
        assert away.returncode == 1
        places["output of check, refused"] = (away.stdout + away.stderr).encode()
        places["refusals"] = bytes(edge.refusals)
        places["messages sent"] = sent.read_bytes()
    # Each place has content: the search of an empty place would prove nothing.
    for place in ("bus and broker", "webhook", "log: access.log", "log: worker.log", "refusals", "database: audit.subject",
                  "database: events.sealed", "stream: ticket of another", "metrics of one"):  # fmt: skip
        assert any(len(content) > 200 for name, content in places.items() if name.startswith(place)), place
    assert b"notifications.sweep" in places["bus and broker"]
    assert b"nowserving:site:" in places["bus and broker"]
    found = leaks(canaries, places, ALLOWED)
    assert not found, "\n".join(found)
    # The search works in each place: it finds a value that is added there.
    for place, content in places.items():
        planted = {place: content + b"\n" + PRIVATE["name"].upper().encode() + b"\n"}
        if place != "stream: desk":
            assert leaks(canaries, planted, ALLOWED), place


@pytest.mark.parametrize(
    "text",
    [
        b"Zwetschgenwald", b"zwetschgenwald", "quirinäa".encode(), "QUIRINÄA".encode(), b'"Quirin\\u00e4a"',
        b"Quirin%C3%A4a", b"quirin%c3%a4a", b"Quirin\\xc3\\xa4a",
        base64.b64encode("xQuirinäa Zwetschgenwald".encode()),
        base64.b64encode(b'[{"name":"Zwetschgenwald"}]'), hashlib.sha256(b"Zwetschgenwald").hexdigest().encode(),
        b"+491727770789", b"491727770789", b"%2B491727770789",
        b"Hornissenangst", b"1933-09-23",
    ],
)  # fmt: skip
def test_search_finds_a_value_in_every_encoding(text: bytes) -> None:
    canaries = {"given": "Quirinäa", "family": "Zwetschgenwald"} | {key: PRIVATE[key] for key in PRIVATE if key != "name"}
    assert leaks(canaries, {"log": b"before " + text + b" after"}, [("given", "elsewhere"), ("*", "log of another")])
    assert not leaks(canaries, {"log": b"before " + text + b" after"}, [("*", "l*")])
    assert not leaks(canaries, {"log": b"before and after"}, [])
