"""The parts that planning and sending use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.notifying.channels.channel import Channel
from server.queries.boards import Boards
from server.store.database import Database
from server.vault import Vault


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one process. ``channels`` are by name; ``public_url`` is the beginning of patients' links."""

    database: Database
    boards: Boards
    vault: Vault
    channels: Mapping[str, Channel]
    public_url: str
