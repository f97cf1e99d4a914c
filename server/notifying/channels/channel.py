"""What every channel does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ChannelRefused(Exception):
    """The provider has said that it will not accept this message: it is certain that nothing was sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent. ``key`` is the same for every attempt at the same message."""

    key: str
    to: str
    language: str
    text: str


class Channel(Protocol):
    """Sends one message. It blocks; tasks call it outside the event loop."""

    @property
    def name(self) -> str:
        """The channel's name in the notification rows."""

    def send(self, message: Message) -> None:
        """Return when the provider has accepted the message.

        Raises `ChannelRefused` when it certainly did not; any other exception means that nobody knows.
        """
