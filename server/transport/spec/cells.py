"""What each cell of a view and each message of a live stream holds, as JSON Schema."""

from __future__ import annotations

from typing import get_args, get_type_hints

from server.domain.model import LAGS, OPEN_STATES, Announcement, Need, PointState, Priority
from server.domain.ranking import WhyNext
from server.domain.views import NEXT_UP, DeskView, DisplayView, PointView, TicketView
from server.live.messages import REASONS
from server.transport.spec.schema import INSTANT, NULLABLE_TEXT, STATES, Json, count_of, id_of, object_of, text, who


def cells_of_views() -> dict[str, dict[str, Json]]:
    """Return what each kind of cell holds, for each view: the other half of `server.domain.views`."""
    site = object_of(
        {
            "name": text(),
            "time_zone": text(),
            "language": text(),
            "business_day": text(format="date"),
            "message": NULLABLE_TEXT | {"description": "What every display shows."},
        },
        description="The site itself.",
    )
    quote: Json = {
        "expect_from": {
            "type": ["integer", "null"],
            "description": "From when to expect the call; null if not waiting.",
        },
        "expect_until": {"type": ["integer", "null"], "description": "Until when."},
    }
    last: Json = {"type": ["integer", "null"]}
    absent: Json = {"type": ["integer", "null"], "description": "Until when the patient is expected to be late."}
    calls = count_of("How often the entry has been called.")
    party = count_of("How many people the ticket is for.", 1)
    prefix = text(pattern="^[A-Z]$")
    place = count_of("The place on the screen, from 0.")
    needs: Json = {"type": "array", "items": text(enum=list(get_args(Need)))}
    paired: Json = {"name": text(), "paired": {"type": "boolean", "description": "Whether a device has its token."}}
    health: Json = {
        "connected": {"type": "boolean", "description": "Whether it follows its stream."},
        "since": {"type": ["integer", "null"], "description": "Since when; null if it never did."},
        "muted": {"type": "boolean", "description": "Its browser lets no sound out."},
        "version": NULLABLE_TEXT | {"description": "The page that it runs."},
        "lag": {
            "type": ["integer", "null"],
            "enum": [*LAGS, None],
            "description": "For how many seconds at least it has not painted what it was sent; null if it does not tell.",
        },
    }
    person: Json = {
        "entry": id_of(),
        "label": text(),
        "name": NULLABLE_TEXT,
        "queue": text(),
        "priority": text(enum=list(get_args(Priority))),
        "needs": needs,
        "language": text(),
        "party": party,
    }
    next_one = object_of(
        {
            "entry": id_of(),
            "why": text(enum=list(get_args(WhyNext)), description="What decides between it and the one after it."),
            "before": NULLABLE_TEXT | {"description": "The ticket that would be next without it."},
            "minutes": count_of("The head start, where that decides; else 0."),
        }
    )
    undo: Json = {
        "undo": NULLABLE_TEXT | {"description": "The last step, if it can be taken back."},
        "undo_until": {"type": ["integer", "null"], "description": "Until when it can."},
    }
    return {
        DeskView.kind: {
            "site": site
            | {
                "properties": site["properties"]
                | {"names_on_display": {"type": "boolean", "description": "Displays name those who agree to it."}},
                "required": [*site["required"], "names_on_display"],
            },
            "service": object_of(
                {
                    "name": NULLABLE_TEXT | {"description": "What it really is, for staff alone."},
                    "public_name": text(),
                    "position": place,
                }
            ),
            "provider": object_of({"name": text(), "position": place}),
            "queue": object_of(
                {
                    "name": text(),
                    "prefix": prefix,
                    "position": place,
                    "paused": {"type": "boolean"},
                    "service": id_of(nullable=True),
                    "capacity": {"type": ["integer", "null"], "minimum": 1, "description": "How many may wait at once."},
                    "joins_anew": {"type": "boolean", "description": "Who is transferred here joins at its end."},
                }
            ),
            "point": object_of(
                {
                    "name": text(),
                    "queues": {"type": "array", "items": id_of()},
                    "position": place,
                    "state": text(enum=list(get_args(PointState))),
                    "entry": id_of("The entry that it has called or serves.", nullable=True),
                    "provider": id_of("The clinician who is there.", nullable=True),
                    "unmet_needs": needs | {"description": "Needs that the room cannot meet."},
                    "next": next_one
                    | {"type": ["object", "null"], "description": "Whom it would call next; null for nobody."},
                }
            ),
            "display": object_of(paired | health),
            "kiosk": object_of(paired),
            "entry": object_of(
                {
                    "label": text(),
                    "state": text(enum=[state for state in STATES if state in OPEN_STATES or state == "no_show"]),
                    "queue": id_of(),
                    "provider": id_of("The one clinician whom they wait for.", nullable=True),
                    "point": id_of(nullable=True),
                    "rank": {
                        "type": "array",
                        "items": {"type": "integer"},
                        "description": "Opaque. Compare it, element by element: the least is called first.",
                    },
                    "priority": text(enum=list(get_args(Priority))),
                    "joined": INSTANT,
                    "since": INSTANT,
                    "calls": calls,
                    "absent_until": absent,
                    "undo": NULLABLE_TEXT | {"description": "The last step, if it can be taken back."},
                    "undo_until": {"type": ["integer", "null"], "description": "Until when it can."},
                    "name": NULLABLE_TEXT | {"description": f"For the roles: {who('read-personal')}."},
                    "party": party,
                    "language": text(),
                    "needs": needs | {"type": ["array", "null"], "description": "Null to another system."},
                    "moved": {"type": "boolean", "description": "Staff chose the place."},
                    "wait_target": {
                        "type": ["integer", "null"],
                        "description": "When the wait becomes longer than the site's target.",
                    },
                    "no_show_from": {
                        "type": ["integer", "null"],
                        "description": "From when a no-show is offered: enough recalls, and then this instant.",
                    },
                }
                | quote
            ),
        },
        PointView.kind: {
            "site": site,
            "point": object_of(
                {
                    "name": text(),
                    "state": text(enum=list(get_args(PointState))),
                    "queues": {"type": "array", "items": text()},
                    "provider": NULLABLE_TEXT | {"description": "The clinician who is there."},
                    "unmet_needs": needs | {"description": "Needs that the room cannot meet."},
                }
            ),
            "guest": object_of(
                person | {"state": text(enum=["called", "serving"]), "since": INSTANT, "calls": calls} | undo,
                description="Who is called to the point or served at it; there is none when the point is free.",
            ),
            "next": object_of(
                {
                    "waiting": count_of("How many wait whom this point may serve."),
                    "first": {"type": "array", "items": object_of(person | {"joined": INSTANT}), "maxItems": NEXT_UP},
                },
                description="Who is next for this point, in the order in which it would call them.",
            ),
            "day": object_of(
                {"served": count_of("Served to the end here today."), "no_shows": count_of("No-shows here today.")}
            ),
        },
        DisplayView.kind: {
            "site": site,
            "queue": object_of(
                {
                    "name": text(),
                    "prefix": prefix,
                    "position": place,
                    "waiting": count_of("How many wait."),
                    "next": {"type": "array", "items": text(), "maxItems": NEXT_UP},
                    "expect_from": last
                    | {"description": "From when the last in line expects the call, as a newcomer may; or null."},
                    "expect_until": last | {"description": "Until when."},
                    "estimating": {"type": "boolean", "description": "There is little to go by yet."},
                }
            ),
            "point": object_of({"name": text()}),
            "entry": object_of(
                {
                    "label": text(),
                    "point": id_of(),
                    "at": INSTANT,
                    "calls": calls,
                    "name": NULLABLE_TEXT,
                    "language": text(),
                }
            ),
            "announcement": object_of(
                {
                    "entry": id_of(),
                    "label": text(),
                    "point": id_of(),
                    "kind": text(enum=list(get_args(get_type_hints(Announcement)["kind"]))),
                    "at": INSTANT,
                }
            ),
        },
        TicketView.kind: {
            "ticket": {
                "oneOf": [
                    object_of(
                        {
                            "entry": id_of("The ticket's present stage: what the patient's own commands name."),
                            "label": text(),
                            "state": text(enum=STATES),
                            "queue": text(),
                            "service": NULLABLE_TEXT | {"description": "What for, in neutral words."},
                            "provider": NULLABLE_TEXT,
                            "point": NULLABLE_TEXT,
                            "since": INSTANT,
                            "calls": calls,
                            "absent_until": absent,
                            "party": party,
                            "language": text(),
                            "site": text(),
                            "time_zone": text(),
                        }
                        | quote
                        | {"estimating": {"type": "boolean", "description": "There is little to go by yet."}}
                    ),
                    object_of({"state": {"const": "expired"}}, description="Its day is over."),
                ]
            },
            "ahead": object_of(
                {"count": count_of("How many are before this patient.")},
                description="There is one as long as the patient waits: `ticket` stays as it is when the queue moves on.",
            ),
        },
    }


def cells_schema(view: str, cells: dict[str, Json]) -> Json:
    single = ("site", *(cells if view in (PointView.kind, TicketView.kind) else ()))
    many = {kind: schema for kind, schema in cells.items() if kind not in single}
    made: Json = {
        "type": "object",
        "description": f"The cells of the {view} view by their keys: `site`, `queue:7000000001`, ..."
        if many
        else f"The cells of the {view} view by their keys.",
        "properties": {kind: schema for kind, schema in cells.items() if kind not in many},
    }
    if many:
        made["patternProperties"] = {f"^{kind}:[0-9]+$": schema for kind, schema in many.items()}
    return made | {"additionalProperties": False}


def live_messages() -> dict[str, Json]:
    """Return what each message of a live stream holds: the other half of `server.live.messages`."""
    seq = count_of("The number in the site's log up to which this is true.")
    cells: Json = {"type": "object", "additionalProperties": {"type": "object"}}
    return {
        "snapshot": object_of(
            {"seq": seq, "at": INSTANT, "heartbeat_ms": count_of("How often to expect a heartbeat."), "cells": cells},
            description="All cells of the view: replaces whatever the screen has.",
        ),
        "change": object_of(
            {"seq": seq, "set": cells, "del": {"type": "array", "items": text(), "description": "Keys that are gone."}},
            description="The cells that are new or other than before, whole, and the keys of those that are gone.",
        ),
        "heartbeat": object_of(
            {"seq": seq, "at": INSTANT, "digest": count_of("What the CRC-32s of the screen's own cells come to.")},
            description="A sign of life on a quiet stream.",
        ),
        "bye": object_of(
            {"retry_ms": count_of("How long to wait before coming back."), "reason": text(enum=list(REASONS))},
            description="The last message of a stream. After `revoked` and `ended` there is nothing to come back for.",
        ),
    }
