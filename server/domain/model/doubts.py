"""The doubt whether a call or a service from before an outage is still true. Staff answer the question "Still valid?"."""

from __future__ import annotations

from typing import NamedTuple

from server.domain.model.local_time import MINUTE

# The shortest outage after which staff are asked. A restart of everything (a deployment, the reboot of one machine) takes
# two or three minutes, and a called patient is still at the door. After five minutes people write on paper, or go.
LEAST_OUTAGE = 5 * MINUTE

DoubtMark = tuple[int, int, int | None]  # the values of a `Doubt`, as records have them


class Doubt(NamedTuple):
    """The outage during which a patient was called or in service, and the instant of the answer. Microseconds.

    Nobody could press a button between ``offline_from`` and ``offline_until``. ``answered_at`` is None until staff answer.
    """

    offline_from: int
    offline_until: int
    answered_at: int | None = None

    @property
    def length(self) -> int:
        """The length of the outage."""
        return self.offline_until - self.offline_from


def answered(mark: DoubtMark | None, at: int) -> DoubtMark | None:
    """Return a mark that staff have answered at this instant. An earlier answer stays."""
    if mark is None or mark[2] is not None:
        return mark
    return (mark[0], mark[1], at)
