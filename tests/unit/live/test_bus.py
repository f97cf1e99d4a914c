"""The payloads that processes send over the bus."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.events import Recorded, TicketIssued
from server.domain.model import Personal
from server.live.bus import channel, decode, encode, site_of_channel
from tests.support.extent import examples
from tests.support.worlds import Step, perform, scripts, small_clinic


@examples(60)
@given(scripts(30))
def test_decoded_events_equal_the_encoded_ones(script: list[Step]) -> None:
    world = small_clinic()
    for step in script:
        perform(world, step)
    assert decode(encode("e1", world.log)) == ("e1", world.log)
    assert decode(encode("e2", [])) == ("e2", [])


def test_payload_contains_no_personal_data() -> None:
    """Even if an unsealed event reaches the bus by mistake."""
    world = small_clinic()
    world.ticket(min(world.board.queues))
    event = world.log[-1].event
    assert isinstance(event, TicketIssued)
    values = {name: getattr(event, name) for name in TicketIssued.__slots__}
    in_clear = TicketIssued(**{**values, "personal": Personal(name="Wilhelmina", phone="+491715550199")})
    payload = encode("e1", [Recorded(1, 2, "staff:1", in_clear)])
    assert b"Wilhelmina" not in payload
    assert b"5550199" not in payload
    assert decode(payload)[1][0].event == event


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"probe",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'["e1"]',
        b'["e1",1]',
        b'["e1",[1]]',
        b'["e1",[[1,2,"x","clock-stopped",{},null]]]',
        b'["e1",[[1,2,"x","day-turned",{},null]]]',
        b'["e1",[[1,2,"x","day-turned"]]]',
        b"\xff\xfe",
    ],
)
def test_foreign_payload_is_refused(payload: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(payload)


@examples(50)
@given(st.integers(1, 2**40))
def test_channel_names_its_site(site_id: int) -> None:
    assert site_of_channel(channel(site_id)) == site_id
    assert channel(site_id) != channel(site_id + 1)


def test_payload_is_json() -> None:
    world = small_clinic()
    epoch, rows = orjson.loads(encode("e1", world.log))
    assert epoch == "e1"
    assert [row[0] for row in rows] == [each.seq for each in world.log]
