"""The question "Still valid?" about a call or a service from before an outage, as cells have it."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.model import Entry
from server.domain.views.fields import Described


class Outage(TypedDict):
    """The time in which no server worked."""

    offline_from: Annotated[int, Described("The last sign of life before it, in milliseconds since 1970.")]
    offline_until: Annotated[int, Described("The start of the servers, in milliseconds since 1970.")]


InDoubt = Annotated[
    Outage | None,
    Described(
        "The outage before which the patient was called, or the service began: nobody has confirmed since that it is still "
        "valid. Null without a doubt."
    ),
]


def doubt_of(entry: Entry) -> Outage | None:
    """Return the outage that makes a call or a service doubtful, or None if there is none, or staff have answered."""
    doubt = entry.open_doubt
    if doubt is None:
        return None
    return {"offline_from": doubt.offline_from // 1000, "offline_until": doubt.offline_until // 1000}
