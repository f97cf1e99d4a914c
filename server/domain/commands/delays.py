"""The delay of a clinic, about which its patients get a message."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.commands.command import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceDelay(Command):
    """Tell patients by message that the site is late by so many minutes.

    Each waiting patient with an address gets a message, and each with an appointment in the next two hours (or within the
    delay). The messages go out a minute later. They replace those of the announcement before that have not gone out.
    """

    site_id: int
    minutes: int = field(metadata={"ge": 5, "le": 240})


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawDelay(Command):
    """End the announced delay of a site. Messages that have not gone out are withdrawn: within a minute, all of them."""

    site_id: int
