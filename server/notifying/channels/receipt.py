"""Receipts: what the provider of a channel reports later about a message that it accepted."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.messages import Arrival


@dataclass(frozen=True, slots=True)
class Receipt:
    """The last word about a message. ``provider_id`` is as in `Accepted`.

    ``undelivered`` is final for this number. ``undelivered-for-now`` means that a later message may arrive: the phone was
    off, or a network failed.
    """

    provider_id: str
    arrival: Arrival
