"""The parts that planning and sending use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from server.domain.flags import DEFAULTS, Flags
from server.notifying.channels.channel import Channel
from server.notifying.channels.directory import Directory
from server.notifying.channels.recording import RecordingChannel
from server.store.database import Database
from server.vault import Vault


class Channels(Protocol):
    """The directory of the configured channels."""

    async def of(self, organisation_id: int, way: str) -> Channel | None:
        """Return the channel of an organisation for a way (``sms``, ``email`` or ``push``); None if none is configured."""

    async def close(self) -> None:
        """Close every channel."""


class TrialChannels:
    """A directory in which the recording channel stands for every way."""

    def __init__(self, recording_path: str) -> None:
        self._channel = RecordingChannel(Path(recording_path))

    async def of(self, organisation_id: int, way: str) -> Channel | None:
        return self._channel

    async def close(self) -> None:
        await self._channel.close()


def channels_for(
    database: Database,
    vault: Vault,
    public_url: str | None,
    recording_path: str | None,
    push_services: Sequence[str] = (),
) -> Channels:
    """Return the directory of a process: the administrators' channels, or with a path the trial of the recording channel.

    ``public_url`` and ``push_services`` are as for `Directory`.
    """
    if recording_path is not None:
        return TrialChannels(recording_path)
    return Directory(database, vault, public_url, push_services=push_services)


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one process. ``public_url`` is the beginning of patients' links."""

    database: Database
    vault: Vault
    channels: Channels
    public_url: str
    flags: Flags = DEFAULTS
