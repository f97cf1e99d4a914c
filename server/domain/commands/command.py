"""The base of every command.

A command is frozen and imperative. Its API name is its class name in kebab case (``CallNext`` is ``call-next``), and its
fields are the fields of the request body. The edge enforces the bounds in a field's metadata before the command exists.
``site_id`` names the site that the command locks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from server.domain.model.ids import site_of


class Command:
    """A named change to one site."""

    __slots__ = ()
    internal: ClassVar[bool] = False  # an internal command is not reachable over the API

    @classmethod
    def name_on_wire(cls) -> str:
        """The command's name in a URL: ``IssueTicket`` is ``issue-ticket``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    if TYPE_CHECKING:  # at run time a dataclass would take this property as the default of its field ``site_id``

        @property
        def site_id(self) -> int:
            """The site whose row this command locks."""


class OnQueue(Command):
    """A command on one queue."""

    __slots__ = ()
    queue_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.queue_id)


class OnPoint(Command):
    """A command on one point."""

    __slots__ = ()
    point_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.point_id)


class OnEntry(Command):
    """A command on one entry."""

    __slots__ = ()
    entry_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.entry_id)


class OnDevice(Command):
    """A command on one device."""

    __slots__ = ()
    device_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.device_id)


class OnKiosk(Command):
    """A command on one kiosk."""

    __slots__ = ()
    kiosk_id: int

    @property
    def site_id(self) -> int:
        return site_of(self.kiosk_id)
