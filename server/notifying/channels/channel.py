"""The protocol of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ChannelRefused(Exception):
    """The provider refused this message. It is certain that nothing was sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a patient. ``key`` is the same for every attempt at the same message; ``to`` is a phone number."""

    key: str
    to: str
    language: str
    text: str


class Channel(Protocol):
    """Sends messages."""

    @property
    def name(self) -> str:
        """The name of the channel in the notification rows."""

    def send(self, message: Message) -> None:
        """Send one message; return when the provider has accepted it. Blocks: call it outside the event loop.

        Raises `ChannelRefused` when the provider did not accept it. After any other exception, it may have.
        """
