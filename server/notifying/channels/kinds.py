"""The kinds of channels: which ways each serves, and how its settings make it. A new kind is one row in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from server.notifying.channels.apprise import AppriseChannel
from server.notifying.channels.channel import TIME_LIMIT_SECONDS, Channel, Reaches
from server.notifying.channels.infobip import InfobipChannel
from server.notifying.channels.push import SERVICES, PushChannel, new_private_key
from server.notifying.channels.smsapi import SmsapiChannel
from server.notifying.channels.smtp import SmtpChannel

Way = Literal["sms", "email", "push", "chat"]
WAYS: tuple[Way, ...] = ("sms", "email", "push", "chat")
Settings = Mapping[str, Any]

REACHED: dict[Way, Reaches] = {"sms": "phone", "email": "email", "push": "push", "chat": "phone"}


@dataclass(frozen=True, slots=True)
class Installed:
    """A channel's place: its way, its own secret, and where its provider reports. ``now`` returns microseconds.

    ``push_services`` are further hosts to which a push subscription may lead.
    """

    way: Way
    secret: str
    receipts_url: str | None
    now: Callable[[], int]
    limit_seconds: float = TIME_LIMIT_SECONDS
    push_services: Sequence[str] = ()


def _smtp(settings: Settings, at: Installed) -> Channel:
    return SmtpChannel(**settings, secret=at.secret, limit_seconds=at.limit_seconds)


def _smsapi(settings: Settings, at: Installed) -> Channel:
    return SmsapiChannel(**settings, **_reported(at))


def _infobip(settings: Settings, at: Installed) -> Channel:
    return InfobipChannel(**settings, **_reported(at))


def _reported(at: Installed) -> dict[str, Any]:
    return {"secret": at.secret, "receipts_url": at.receipts_url, "now": at.now, "limit_seconds": at.limit_seconds}


def _apprise(settings: Settings, at: Installed) -> Channel:
    return AppriseChannel(**settings, reaches=REACHED[at.way], limit_seconds=at.limit_seconds)


def _push(settings: Settings, at: Installed) -> Channel:
    return PushChannel(
        **settings, secret=at.secret, now=at.now, services=(*SERVICES, *at.push_services), limit_seconds=at.limit_seconds
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel.

    ``secret`` is the setting that is never shown again. It is sent to the place that the settings ``place`` name, so a kept
    secret never goes to a changed place. ``optional`` says that a channel can do without. ``make`` makes a secret that no
    person types.
    """

    ways: tuple[Way, ...]
    build: Callable[[Settings, Installed], Channel]
    secret: str
    place: tuple[str, ...] = ()
    optional: bool = False
    make: Callable[[], str] | None = None


KINDS: dict[str, Kind] = {
    "smtp": Kind(("email",), _smtp, "password", ("host", "port", "security"), optional=True),
    "smsapi": Kind(("sms",), _smsapi, "token", ("address",)),
    "infobip": Kind(("sms",), _infobip, "api_key", ("address",)),
    "apprise": Kind(("sms", "email", "chat"), _apprise, "address"),
    "push": Kind(("push",), _push, "private_key", make=new_private_key),
}
