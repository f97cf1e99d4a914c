"""Every channel against a real provider on the loopback address, by one contract."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from py_vapid import Vapid02

from server.notifying.channels import infobip, push, smsapi
from server.notifying.channels.apprise import AppriseChannel
from server.notifying.channels.channel import (
    Channel,
    ChannelBusy,
    ChannelRefused,
    ChannelUnreachable,
    Message,
)
from server.notifying.channels.http_calls import AnswerUnclear
from server.notifying.channels.infobip import InfobipChannel
from server.notifying.channels.push import PushChannel
from server.notifying.channels.receipt import Receipt
from server.notifying.channels.smsapi import SmsapiChannel
from server.notifying.channels.smtp import SmtpChannel
from tests.support.certificate import certificate
from tests.support.loop_time import let_pass
from tests.support.processes import free_port
from tests.support.providers import (
    RETRY_AFTER_SECONDS,
    HttpProvider,
    Infobip,
    JsonService,
    MailServer,
    Mood,
    PushService,
    Smsapi,
    serving,
)

NOW = 1_800_000_000_000_000  # microseconds
HOUR = 3_600_000_000
LIMIT_SECONDS = 60.0
TEXT = "C'est bientôt votre tour : A12 {x}"
RECEIPTS = "https://clinic.example/api/v1/receipts/a-secret"
NAMES = ("smtp", "smsapi", "infobip", "apprise", "push")
OVER_HTTP = ("smsapi", "infobip", "push")  # with our own client


@dataclass
class Trial:
    """A channel, its provider, and a message for it. ``texts`` returns what the provider has accepted, in plain text."""

    channel: Channel
    provider: HttpProvider | MailServer
    message: Message
    texts: Callable[[], list[str]]

    def set_mood(self, mood: Mood) -> None:
        self.provider.mood = mood


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server on the loopback address and of a client that trusts it."""
    public, private = certificate(tmp_path_factory.mktemp("tls"))
    serving_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving_tls.load_cert_chain(public, private)
    return serving_tls, ssl.create_default_context(cafile=str(public))


def _message(to: str) -> Message:
    return Message(
        key="notification:12", to=to, language="fr", subject="Votre tour", text=TEXT, not_after=NOW + 2 * HOUR,
        link="https://clinic.example/t/1-x",
    )  # fmt: skip


def _smtp(port: int, **more: Any) -> SmtpChannel:
    plain: dict[str, Any] = {"security": "none", "sender": "desk@clinic.example", "sender_name": "Clinique de l'Été"}
    plain["limit_seconds"] = LIMIT_SECONDS
    return SmtpChannel(host="127.0.0.1", port=port, secret="s", **plain | more)


def _sms(port: int, name: Literal["smsapi", "infobip"], **more: Any) -> Channel:
    common: dict[str, Any] = {"address": f"http://127.0.0.1:{port}/", "sender": "Clinic", "secret": "s"}
    common |= {"receipts_url": RECEIPTS, "now": lambda: NOW, "limit_seconds": LIMIT_SECONDS} | more
    return (
        SmsapiChannel(token="a-token", **common)
        if name == "smsapi"
        else InfobipChannel(api_key="a-key", **{"idempotent": True} | common)
    )


def _push(trust: ssl.SSLContext, **more: Any) -> PushChannel:
    common: dict[str, Any] = {"private_key": push.new_private_key(), "contact": "it@clinic.example", "secret": "s"}
    common |= {"now": lambda: NOW, "services": ("127.0.0.1",), "limit_seconds": LIMIT_SECONDS, "tls": trust}
    return PushChannel(**common | more)


@asynccontextmanager
async def trial(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Trial]:
    """Run a channel against its provider until the end of the block."""
    channel: Channel
    match name:
        case "smtp":
            with MailServer() as server:
                channel = _smtp(server.port, limit_seconds=LIMIT_SECONDS)
                yield Trial(channel, server, _message("nora@example.com"), lambda: [_text(mail) for mail in server.accepted])
            return
        case "smsapi":
            smsapi_api = Smsapi()
            async with serving(smsapi_api.http) as http:
                channel = _sms(http.port, "smsapi", limit_seconds=LIMIT_SECONDS)
                yield Trial(
                    channel, http, _message("+33612345678"), lambda: [each["message"] for each in smsapi_api.accepted]
                )
        case "infobip":
            infobip_api = Infobip()
            async with serving(infobip_api.http) as http:
                channel = _sms(http.port, "infobip", limit_seconds=LIMIT_SECONDS)
                said = lambda: [each["content"]["text"] for each in infobip_api.accepted]  # noqa: E731
                yield Trial(channel, http, _message("+33612345678"), said)
        case "apprise":
            service = JsonService()
            async with serving(service.http) as http:
                address = f"json://127.0.0.1:{http.port}/{{to}}/"
                channel = AppriseChannel(address=address, reaches="phone", limit_seconds=LIMIT_SECONDS)
                yield Trial(
                    channel, http, _message("+33612345678"), lambda: [body["message"] for _, body in service.accepted]
                )
        case _:
            browser = PushService()
            async with serving(browser.http, tls[0]) as http:
                channel = _push(tls[1], limit_seconds=LIMIT_SECONDS)
                yield Trial(
                    channel, http, _message(browser.subscription()), lambda: [each["body"] for each in browser.accepted]
                )
    await channel.close()


def _text(mail: Any) -> str:
    return str(mail.get_body().get_content()).rstrip()


@pytest.mark.parametrize("name", NAMES)
async def test_accepted_message_arrives_once_and_whole(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial(name, tls) as each:
        await each.channel.send(each.message)
        assert each.texts() == [TEXT]


@pytest.mark.parametrize("name", NAMES)
async def test_refused_message_was_not_sent_and_says_so(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial(name, tls) as each:
        each.set_mood("refuses")
        # Apprise reports no reason: its failures are unclear, never a refusal.
        with pytest.raises(Exception) as raised:  # noqa: PT011
            await each.channel.send(each.message)
        assert isinstance(raised.value, ChannelRefused) is (name != "apprise")
        assert each.texts() == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "apprise"])
async def test_busy_provider_is_asked_again_later(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial(name, tls) as each:
        each.set_mood("busy")
        with pytest.raises(ChannelBusy) as raised:
            await each.channel.send(each.message)
        assert raised.value.retry_after_seconds == (RETRY_AFTER_SECONDS if name in OVER_HTTP else None)
        each.set_mood("accepts")
        await each.channel.send(each.message)
        assert each.texts() == [TEXT]


@pytest.mark.parametrize("mood", ["hangs", "drops"])
@pytest.mark.parametrize("name", NAMES)
async def test_lost_answer_is_neither_refusal_nor_busy(
    name: str, mood: Mood, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """The time limit of a call passes as soon as a provider that never answers has the message."""
    async with trial(name, tls) as each:
        each.set_mood(mood)
        began = time.monotonic()
        sending = asyncio.create_task(each.channel.send(each.message))
        if mood == "hangs":
            while not each.texts():
                assert time.monotonic() - began < LIMIT_SECONDS / 2
                await asyncio.sleep(0.01)
            let_pass(LIMIT_SECONDS)
        with pytest.raises(Exception) as raised:  # noqa: PT011 - each library has its own
            await sending
        assert not isinstance(raised.value, ChannelRefused | ChannelBusy)
        assert time.monotonic() - began < LIMIT_SECONDS
        assert each.texts() == [TEXT], "the provider had the message: nobody may send it again by itself"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "apprise"])
async def test_connection_that_nobody_takes_is_busy(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial(name, tls) as each:
        message = each.message
        channel: Channel
        nobody = free_port()
        if name == "smtp":
            channel = _smtp(nobody)
        elif name == "push":
            subscription = json.loads(message.to) | {"endpoint": f"https://127.0.0.1:{nobody}/push"}
            channel, message = _push(tls[1]), replace(message, to=json.dumps(subscription))
        else:
            channel = _sms(nobody, "smsapi" if name == "smsapi" else "infobip")
        with pytest.raises(ChannelUnreachable) as raised:
            await channel.send(message)
        assert raised.value.reason == "no-connection"
        await channel.close()


@pytest.mark.parametrize("name", NAMES)
async def test_channel_that_honours_the_key_never_sends_twice(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial(name, tls) as each:
        each.set_mood("drops")
        with pytest.raises(Exception):  # noqa: B017, PT011
            await each.channel.send(each.message)
        each.set_mood("accepts")
        again = await each.channel.send(each.message)
        other = await each.channel.send(replace(each.message, key="notification:13"))
        assert len(each.texts()) == (2 if each.channel.honours_key else 3)
        if each.channel.honours_key:
            assert again.provider_id
            assert again.provider_id != other.provider_id


@pytest.mark.parametrize("name", NAMES)
async def test_errors_contain_neither_address_nor_text(name: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial(name, tls) as each:
        for mood in ("refuses", "busy", "drops"):
            each.set_mood(mood)
            with pytest.raises(Exception) as raised:  # noqa: PT011
                await each.channel.send(each.message)
            shown = repr(raised.value) + repr(raised.value.__cause__)
            assert each.message.to not in shown
            assert "12345678" not in shown
            assert "tour" not in shown


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "invalid"), (401, "credentials"), (403, "forbidden"), (404, "address"), (500, None)]
)
@pytest.mark.parametrize("name", ["smsapi", "infobip"])
async def test_status_of_an_sms_provider_decides(
    name: str, status: int, reason: str | None, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async with trial(name, tls) as each:
        each.set_mood(status)
        with pytest.raises(ChannelRefused if reason else AnswerUnclear) as raised:
            await each.channel.send(each.message)
        if reason:
            assert str(raised.value) == reason


async def test_service_unavailable_is_busy(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial("smsapi", tls) as each:
        each.set_mood(503)
        with pytest.raises(ChannelBusy) as raised:
            await each.channel.send(each.message)
        assert raised.value.retry_after_seconds == RETRY_AFTER_SECONDS


async def test_smsapi_gets_number_sender_validity_and_address_of_receipts(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    api = Smsapi()
    async with serving(api.http) as http:
        channel = _sms(http.port, "smsapi")
        accepted = await channel.send(_message("+33612345678"))
        await channel.close()
    (form,) = api.accepted
    assert (form["to"], form["from"], form["notify_url"]) == ("33612345678", "Clinic", RECEIPTS)
    assert form["expiration_date"] == str((NOW + 2 * HOUR) // 1_000_000)
    assert form["idx"] == accepted.provider_id
    assert "notification" not in form["idx"]


async def test_infobip_gets_number_sender_validity_and_address_of_receipts() -> None:
    api = Infobip()
    async with serving(api.http) as http:
        channel = _sms(http.port, "infobip")
        accepted = await channel.send(_message("+33612345678"))
        await channel.close()
    assert api.accepted == [
        {
            "sender": "Clinic",
            "destinations": [{"to": "33612345678", "messageId": accepted.provider_id}],
            "content": {"text": TEXT},
            "options": {"validityPeriod": {"amount": 120, "timeUnit": "MINUTES"}},
            "webhooks": {"delivery": {"url": RECEIPTS}, "contentType": "application/json"},
        }
    ]


def test_infobip_honours_the_key_only_where_it_is_enabled() -> None:
    assert not _sms(1, "infobip", idempotent=False).honours_key
    assert _sms(1, "infobip", idempotent=True).honours_key


@pytest.mark.parametrize(
    ("answer", "raised", "reason"),
    [
        ({"error": 13, "message": "No correct phone numbers"}, ChannelRefused, "address"),
        ({"error": 57, "message": "blacklisted"}, ChannelRefused, "unsubscribed"),
        ({"error": 103, "message": "No points"}, ChannelRefused, "credit"),
        ({"error": 203, "message": "Try again later"}, ChannelBusy, "busy"),
        ({"error": 999, "message": "Internal"}, AnswerUnclear, "error 999"),
        ({"list": [{"status": "REJECTED"}]}, ChannelRefused, "refused"),
        ({"list": []}, AnswerUnclear, "the answer has no known status"),
    ],
)
async def test_answer_of_smsapi_with_status_200_decides(
    answer: dict[str, Any], raised: type[Exception], reason: str
) -> None:
    async with serving(HttpProvider(lambda _: (200, answer))) as http:
        channel = _sms(http.port, "smsapi")
        with pytest.raises(raised, match=reason) as error:
            await channel.send(_message("+33612345678"))
        await channel.close()
    assert getattr(error.value, "gone", False) is (reason == "unsubscribed")


@pytest.mark.parametrize(
    ("group", "status", "raised"),
    [(5, 12, "credit"), (5, 10, "unsubscribed"), (2, 4, "refused"), (4, 15, "the answer has no known status")],
)
async def test_answer_of_infobip_with_status_200_decides(group: int, status: int, raised: str) -> None:
    answer = {"messages": [{"messageId": "x", "status": {"groupId": group, "id": status}}]}
    async with serving(HttpProvider(lambda _: (200, answer))) as http:
        channel = _sms(http.port, "infobip")
        with pytest.raises((ChannelRefused, AnswerUnclear), match=raised):
            await channel.send(_message("+33612345678"))
        await channel.close()


def test_receipts_of_smsapi_are_read_in_packs() -> None:
    report = {"MsgId": "1,2,3,4", "status": "404,405,402,403", "idx": "a,b,c,d", "to": "1,2,3,4"}
    assert smsapi.receipts_in(report) == [
        Receipt("a", "delivered"),
        Receipt("b", "undelivered"),
        Receipt("c", "undelivered-for-now"),
    ]
    assert smsapi.receipts_in({"MsgId": "1", "status": "404"}) == []


def test_receipts_of_infobip_skip_the_rejected_repetition() -> None:
    def result(name: str, group: int, status: int, permanent: bool = True) -> dict[str, Any]:
        return {"messageId": name, "status": {"groupId": group, "id": status}, "error": {"permanent": permanent}}

    results = [
        result("a", 3, 5), result("b", 3, 2), result("c", 4, 15), result("d", 2, 9), result("e", 2, 9, permanent=False),
        result("f", 5, 23), {"messageId": 7}, "junk",
    ]  # fmt: skip
    assert infobip.receipts_in({"results": results}) == [
        Receipt("a", "delivered"),
        Receipt("c", "undelivered-for-now"),
        Receipt("d", "undelivered"),
        Receipt("e", "undelivered-for-now"),
    ]
    assert infobip.receipts_in({"results": "junk"}) == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_encrypted_after_the_sign_in(
    security: Literal["starttls", "tls"], tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    with MailServer(security, tls[0], password="right") as server:
        channel = _smtp(server.port, security=security, username="desk", password="right", tls=tls[1])
        accepted = await channel.send(_message("nora@example.com"))
        wrong = _smtp(server.port, security=security, username="desk", password="wrong", tls=tls[1])
        with pytest.raises(ChannelRefused, match="credentials"):
            await wrong.send(_message("nora@example.com"))
        untrusting = _smtp(server.port, security=security, username="desk", password="right")
        with pytest.raises(ChannelUnreachable) as raised:
            await untrusting.send(_message("nora@example.com"))
    assert raised.value.reason == "certificate"
    (mail,) = server.accepted
    assert mail["Message-ID"] == accepted.provider_id
    assert mail["From"] == "Clinique de l'Été <desk@clinic.example>"
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_password_is_not_sent_to_a_server_without_encryption() -> None:
    with MailServer("none") as server:
        channel = _smtp(server.port, security="starttls", username="desk", password="right")
        with pytest.raises(ChannelUnreachable) as raised:
            await channel.send(_message("nora@example.com"))
    assert raised.value.reason == "no-encryption"


@pytest.mark.parametrize(("stage", "reason"), [("MAIL", "sender"), ("RCPT", "address"), ("DATA", "content")])
async def test_mail_server_refuses_or_delays_each_part(stage: str, reason: str) -> None:
    with MailServer() as server:
        server.stage = stage
        channel = _smtp(server.port)
        server.mood = "refuses"
        with pytest.raises(ChannelRefused, match=reason):
            await channel.send(_message("nora@example.com"))
        server.mood = "busy"
        with pytest.raises(ChannelBusy):
            await channel.send(_message("nora@example.com"))
    assert server.accepted == []


async def test_mail_carries_its_calendar_file_and_a_repeatable_id() -> None:
    calendar = b"BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nEND:VCALENDAR\r\n"
    message = replace(_message("nora@example.com"), calendar=calendar, subject="Two\r\nBcc: lines")
    with MailServer() as server:
        for _ in range(2):
            await _smtp(server.port).send(message)
    first, second = server.accepted
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == "Two Bcc: lines"
    assert first["Bcc"] is None
    (part,) = first.iter_attachments()
    assert part.get_content_type() == "text/calendar"
    assert part.get_param("method") == "CANCEL"
    assert part.get_payload(decode=True) == calendar


@pytest.mark.parametrize("to", ["nora@example.com\r\nRCPT TO:<x@example.com>", "ñora@example.com"])
async def test_mail_address_that_is_none_reaches_no_server(to: str) -> None:
    with pytest.raises(ChannelRefused):
        await _smtp(free_port()).send(_message(to))


async def test_apprise_gets_the_address_of_the_patient_quoted() -> None:
    service = JsonService()
    async with serving(service.http) as http:
        channel = AppriseChannel(address=f"json://127.0.0.1:{http.port}/{{to}}/", reaches="phone")
        await channel.send(_message("+33612345678/../x"))
    ((path, body),) = service.accepted
    assert path == "/+33612345678%2F..%2Fx/"
    assert body["title"] == "Votre tour"


async def test_apprise_address_without_a_service_is_refused() -> None:
    with pytest.raises(ChannelRefused, match="invalid"):
        await AppriseChannel(address="nothing://{to}", reaches="phone").send(_message("+33612345678"))


@pytest.mark.parametrize("status", [404, 410])
async def test_ended_push_subscription_is_gone(status: int, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with trial("push", tls) as each:
        each.set_mood(status)
        with pytest.raises(ChannelRefused) as raised:
            await each.channel.send(each.message)
        assert raised.value.gone


async def test_push_is_signed_and_lives_until_it_is_useless(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    browser = PushService()
    async with serving(browser.http, tls[0]) as http:
        private_key = push.new_private_key()
        channel = _push(tls[1], private_key=private_key)
        await channel.send(_message(browser.subscription()))
        await channel.send(replace(_message(browser.subscription()), not_after=NOW - 1))
        await channel.close()
    first, second = http.requests
    assert (first.headers["ttl"], second.headers["ttl"]) == ("7200", "0")
    assert first.headers["authorization"].endswith(f"k={push.public_key_of(private_key)}")
    assert Vapid02.verify(first.headers["authorization"])
    assert TEXT.encode() not in first.body
    assert browser.accepted[0] | {"tag": ""} == {
        "title": "Votre tour", "body": TEXT, "url": "https://clinic.example/t/1-x", "language": "fr", "tag": "",
        "kind": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("https://169.254.169.254/latest", "service"),
        ("http://fcm.googleapis.com/x", "service"),
        ("https://fcm.googleapis.com.evil.example/x", "service"),
        ("https://[broken", "service"),
        ("https://user@fcm.googleapis.com/x", "service"),
        ("https://fcm.googleapis.com:port/x", "service"),
    ],
)
async def test_push_leads_only_to_the_services_of_browsers(
    endpoint: str, reason: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    subscription = json.loads(PushService().subscription()) | {"endpoint": endpoint}
    with pytest.raises(ChannelRefused, match=reason):
        await _push(tls[1], services=push.SERVICES).send(_message(json.dumps(subscription)))


@pytest.mark.parametrize("to", ["", "[]", "{}", '{"endpoint": "https://x.example", "keys": {"p256dh": "?", "auth": "?"}}'])
async def test_junk_instead_of_a_subscription_is_refused(to: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with pytest.raises(ChannelRefused, match="invalid"):
        await _push(tls[1]).send(_message(to))
