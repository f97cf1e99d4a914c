"""The contract of channels, which the tests of every channel share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

TIME_LIMIT_SECONDS = 20.0  # of one call to a provider
Reaches = Literal["phone", "email", "push"]  # what kind of address a channel needs


class ChannelRefused(Exception):
    """The provider refused this message for good. It is certain that nothing was sent.

    ``reason`` is a word of the product, never the provider's text, which can contain the address. ``gone`` says that the
    address itself ended: a patient who unsubscribed, a push subscription that no longer exists. ``asked`` is False where the
    channel itself refused, without a word from the provider.
    """

    def __init__(self, reason: str, *, gone: bool = False, asked: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.gone = gone
        self.asked = asked


class ChannelBusy(Exception):
    """The provider did not accept this message now (429 or 503), and asks to try later.

    It is certain that nothing was sent.
    """

    def __init__(self, retry_after_seconds: float | None = None) -> None:
        super().__init__("busy")
        self.retry_after_seconds = retry_after_seconds


class ChannelUnreachable(ChannelBusy):
    """No connection to the provider came about: it is certain that nothing was sent.

    ``reason`` is a word of the product: ``no-connection``, ``no-encryption`` or ``certificate``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a mail. ``kind`` and ``form`` are its media type: ``application`` and ``pdf``."""

    name: str
    kind: str
    form: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a patient, or a report to its reader.

    ``key`` is the same for every attempt at the same message. ``to`` is the address: a phone number in E.164, an e-mail
    address or a push subscription as JSON. ``subject`` is the title of a mail or of a push message. ``not_after`` is the
    last useful instant, in microseconds. ``calendar`` is an .ics file for channels that can attach one. A POST to
    ``unsubscribe`` stops the messages to this address.
    ``kind`` is that of the product, for a channel whose receiver treats kinds differently. ``attachment`` is a file for a
    channel of mails.
    """

    key: str
    to: str
    language: str
    subject: str
    text: str
    not_after: int
    link: str | None = None
    calendar: bytes | None = None
    unsubscribe: str | None = None
    kind: str | None = None
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has accepted a message. ``provider_id`` is its name for the message, to match later receipts."""

    provider_id: str | None = None


class Channel(Protocol):
    """Sends messages."""

    @property
    def name(self) -> str:
        """The name of the channel in the notification rows."""

    @property
    def reaches(self) -> Reaches:
        """The kind of address that the channel needs."""

    @property
    def honours_key(self) -> bool:
        """Whether the provider accepts a message with the same key only once: then a lost answer may be asked for again."""

    def receipt_name(self, key: str) -> str | None:
        """Return the provider's name for the message with ``key``, if it is known before the call.

        A receipt can come earlier than the answer, and also where the answer is lost.
        """

    def circuit(self, to: str) -> str | None:
        """Return the name of the circuit before the service that takes messages to an address.

        None stands for the channel itself. The name is short, and no secret.
        """

    async def send(self, message: Message) -> Accepted:
        """Send one message within `TIME_LIMIT_SECONDS`; return when the provider has accepted it.

        Raises `ChannelRefused` or `ChannelBusy` when the provider did not accept it. After any other exception, it may have.
        """

    async def close(self) -> None:
        """Close the connections of the channel."""
