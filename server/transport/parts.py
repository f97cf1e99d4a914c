"""What the endpoints work with, put together in `server.app` and found through the application's state."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from server.audit import Audit
from server.execute import Executor
from server.live.hub import Hub
from server.queries.boards import Boards
from server.queries.identity import Identities
from server.store.database import Database
from server.store.vault import Vault
from server.transport.assets import Assets
from server.transport.auth import Gate
from server.transport.metrics import Metrics
from server.transport.voice import Voice


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one running process. ``public_url`` is where patients reach this installation, if that is set."""

    database: Database
    vault: Vault
    executor: Executor
    hub: Hub
    boards: Boards
    identities: Identities
    gate: Gate
    audit: Audit
    metrics: Metrics
    assets: Assets
    voice: Voice
    public_url: str | None

    @staticmethod
    def of(connection: HTTPConnection) -> Parts:
        """Return the parts that serve this request."""
        parts: Parts = connection.app.state.parts
        return parts
