"""Apply events of the set-up of a site: its rules, services, providers, queues and points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from server.domain.board.appointments import forget_later
from server.domain.board.board import Board, Changes, key_of
from server.domain.events import (
    PointAdded,
    PointChanged,
    ProviderAdded,
    ProviderChanged,
    QueueAdded,
    QueueChanged,
    Recorded,
    RecordRemoved,
    ServiceAdded,
    ServiceChanged,
    SiteChanged,
)
from server.domain.model import Display, Entity, Kiosk, Point, Provider, Queue, Service


def site_changed(board: Board, event: SiteChanged, recorded: Recorded, changes: Changes) -> None:
    board.site = replace(
        board.site,
        name=event.name,
        time_zone=event.time_zone,
        language=event.language,
        day_turns_at_minutes=event.day_turns_at_minutes,
        turns_at=event.next_turn_at,
        rules=event.rules,
    )
    forget_later(board, changes)
    # The cells of entries also show the site's zone, rules and name; those of named records its languages.
    shelves: tuple[Mapping[int, Entity], ...] = (board.entries, board.services, board.queues, board.points)
    changes.keys.update(("site", *(key_of(record) for shelf in shelves for record in shelf.values())))


def service_added(board: Board, event: ServiceAdded, recorded: Recorded, changes: Changes) -> None:
    service = Service(
        id=event.service_id,
        site_id=board.site.id,
        public_name=event.public_name,
        position=event.position,
        sealed=event.sealed,
        seq=recorded.seq,
        names=event.names,
    )
    board.put(service, changes)
    board.use_id(event.service_id)


def service_changed(board: Board, event: ServiceChanged, recorded: Recorded, changes: Changes) -> None:
    service = board.services[event.service_id]
    service = replace(
        service,
        public_name=event.public_name,
        position=event.position,
        sealed=event.sealed or service.sealed,
        names=event.names,
        seq=recorded.seq,
    )
    board.put(service, changes)


def provider_added(board: Board, event: ProviderAdded, recorded: Recorded, changes: Changes) -> None:
    board.put(Provider(event.provider_id, board.site.id, event.name, event.position, recorded.seq), changes)
    board.use_id(event.provider_id)


def provider_changed(board: Board, event: ProviderChanged, recorded: Recorded, changes: Changes) -> None:
    provider = board.providers[event.provider_id]
    board.put(replace(provider, name=event.name, position=event.position, seq=recorded.seq), changes)


def queue_added(board: Board, event: QueueAdded, recorded: Recorded, changes: Changes) -> None:
    queue = Queue(
        id=event.queue_id,
        site_id=board.site.id,
        name=event.name,
        prefix=event.prefix,
        position=event.position,
        paused=False,
        durations=(),
        seq=recorded.seq,
        service_id=event.service_id,
        capacity=event.capacity,
        joins_anew=event.joins_anew,
        names=event.names,
    )
    board.put(queue, changes)
    board.use_id(event.queue_id)


def queue_changed(board: Board, event: QueueChanged, recorded: Recorded, changes: Changes) -> None:
    queue = replace(
        board.queues[event.queue_id],
        name=event.name,
        service_id=event.service_id,
        capacity=event.capacity,
        joins_anew=event.joins_anew,
        names=event.names,
        position=event.position,
        seq=recorded.seq,
    )
    board.put(queue, changes)


def point_added(board: Board, event: PointAdded, recorded: Recorded, changes: Changes) -> None:
    point = Point(
        id=event.point_id,
        site_id=board.site.id,
        name=event.name,
        queue_ids=event.queue_ids,
        position=event.position,
        state="open",
        seq=recorded.seq,
        unmet_needs=event.unmet_needs,
        names=event.names,
    )
    board.put(point, changes)
    board.use_id(event.point_id)


def point_changed(board: Board, event: PointChanged, recorded: Recorded, changes: Changes) -> None:
    point = replace(
        board.points[event.point_id],
        name=event.name,
        queue_ids=event.queue_ids,
        unmet_needs=event.unmet_needs,
        names=event.names,
        position=event.position,
        seq=recorded.seq,
    )
    board.put(point, changes)


def record_removed(board: Board, event: RecordRemoved, recorded: Recorded, changes: Changes) -> None:
    record = board.removable(event.record_id)
    assert record is not None, "a rule has checked that the record exists"
    removed: dict[str, Any] = {"removed_at": recorded.at, "seq": recorded.seq}
    if isinstance(record, Point):
        removed |= {"state": "closed", "provider_id": None}
    if isinstance(record, Display | Kiosk):
        removed["token_hash"] = None
    board.put(replace(record, **removed), changes)
