"""Providers of messages on the loopback address: an HTTP server, a mail server, and the APIs of our channels on them.

Each provider behaves as its ``mood`` says, and keeps what it has accepted. A provider that hangs or drops the connection
has accepted the message first: that is the case which a sender cannot tell from a loss.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal
from urllib.parse import parse_qsl

import http_ece
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.processes import free_port

Mood = Literal["accepts", "hangs", "drops", "busy", "closed", "refuses"] | int
RETRY_AFTER_SECONDS = 7


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. The names of the headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode()))


@dataclass
class HttpProvider:
    """An HTTP API. ``accept`` gets each request that it takes, and returns the status and the body of the answer."""

    accept: Callable[[Request], tuple[int, dict[str, Any]]]
    mood: Mood = "accepts"
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Request(first.split()[1], headers, body)
                self.requests.append(request)
                status, answer = self._answer(request)
                if self.mood == "hangs":
                    await asyncio.sleep(3600)
                if self.mood == "drops":
                    return
                content = json.dumps(answer).encode()
                more = f"Retry-After: {RETRY_AFTER_SECONDS}\r\n" if status in (429, 503) else ""
                start = (
                    f"HTTP/1.1 {status} X\r\n{more}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
                )
                writer.write(start.encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        if self.mood == "refuses":
            return 400, {}
        if self.mood == "busy":
            return 429, {}
        return (self.mood, {}) if isinstance(self.mood, int) else self.accept(request)


@asynccontextmanager
async def serving(provider: HttpProvider, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[HttpProvider]:
    """Serve a provider until the end of the block, on a free port unless ``port`` names one. With ``tls`` it speaks TLS."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await provider.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Smsapi:
    """SMSAPI: takes each ``idx`` once. ``accepted`` are the forms of the messages."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, str]] = []
        self.http = HttpProvider(self._accept)

    def _accept(self, request: Request) -> tuple[int, dict[str, Any]]:
        assert request.path == "/sms.do"
        if request.headers.get("authorization") != "Bearer a-token":
            return 401, {}
        form = request.form
        if form["check_idx"] == "1" and form["idx"] in {each["idx"] for each in self.accepted}:
            return 200, {"error": 53, "message": "Not unique idx"}
        self.accepted.append(form)
        listed = {"id": "1460969715572091219", "number": form["to"], "status": "QUEUE", "idx": form["idx"], "error": None}
        return 200, {"count": 1, "list": [listed]}


class Infobip:
    """Infobip with idempotency: takes each ``messageId`` once. ``accepted`` are the messages."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.http = HttpProvider(self._accept)

    def _accept(self, request: Request) -> tuple[int, dict[str, Any]]:
        assert request.path == "/sms/3/messages"
        if request.headers.get("authorization") != "App a-key":
            return 401, {}
        (message,) = json.loads(request.body)["messages"]
        name = message["destinations"][0]["messageId"]
        status = {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"}
        if name in {each["destinations"][0]["messageId"] for each in self.accepted}:
            status = {"groupId": 5, "groupName": "REJECTED", "id": 23, "name": "REJECTED_DUPLICATE_MESSAGE_ID"}
        else:
            self.accepted.append(message)
        return 200, {"messages": [{"messageId": name, "status": status}]}


class JsonService:
    """The service ``json://`` of Apprise. ``accepted`` are the bodies, each with the path that it went to."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, dict[str, Any]]] = []
        self.http = HttpProvider(self._accept)

    def _accept(self, request: Request) -> tuple[int, dict[str, Any]]:
        self.accepted.append((request.path, json.loads(request.body)))
        return 200, {}


class PushService:
    """A push service together with the browser of one subscription. ``accepted`` are the decrypted messages."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.http = HttpProvider(self._accept)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"sixteen bytes ok"

    def subscription(self) -> str:
        """Return the subscription that the browser gives to a page."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _for_address(point), "auth": _for_address(self._auth)}
        return json.dumps({"endpoint": f"https://127.0.0.1:{self.http.port}/push/patient", "keys": keys})

    def _accept(self, request: Request) -> tuple[int, dict[str, Any]]:
        plain = http_ece.decrypt(request.body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        self.accepted.append(json.loads(plain))
        return 201, {}


def _for_address(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class MailServer:
    """A mail server, in a thread of its own. ``accepted`` are the mails.

    ``security`` is what the server offers: ``tls`` from the start, ``starttls`` before anything else, or ``none``.
    ``stage`` is the command that a refusing or busy server refuses: ``MAIL``, ``RCPT`` or ``DATA``.
    """

    def __init__(
        self, security: Literal["tls", "starttls", "none"] = "none", tls: ssl.SSLContext | None = None, password: str = ""
    ) -> None:
        self.accepted: list[EmailMessage] = []
        self.mood: Mood = "accepts"
        self.stage = "RCPT"
        self._password = password
        options: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if security == "starttls" else {}
        options["ready_timeout"] = 60
        if password:
            early = security == "starttls"  # the library knows only of the TLS that STARTTLS begins
            options |= {"authenticator": self._authenticate, "auth_required": early, "auth_require_tls": early}
        self.port = free_port()
        wrapped = tls if security == "tls" else None
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ssl_context=wrapped, **options)

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        """Take or refuse a sender."""
        envelope.mail_from = address
        return self._refusal("MAIL") or "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        """Take or refuse a recipient."""
        envelope.rcpt_tos.append(address)
        return self._refusal("RCPT") or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take or refuse a mail."""
        refusal = self._refusal("DATA")
        if refusal is not None:
            return refusal
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.accepted.append(mail)
        if self.mood == "hangs":
            await asyncio.sleep(3600)
        if self.mood == "drops":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 OK"

    def _refusal(self, stage: str) -> str | None:
        if self.stage != stage:
            return None
        return {"refuses": "550 no", "busy": "451 later"}.get(str(self.mood))

    def _authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == self._password.encode(), handled=False)
