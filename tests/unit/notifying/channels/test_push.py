"""The push services: each one has a circuit of its own, whatever its host for one phone is called."""

from __future__ import annotations

import json

import pytest

from server.notifying.channels.push import PushChannel, new_private_key


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [
        ("https://web.push.apple.com/QGuQyavXutnMH", "push.apple.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", "push.services.mozilla.com"),
        ("https://db5p.notify.windows.com/w/?token=x", "notify.windows.com"),
        ("https://push.clinic.example/x", "push.clinic.example"),
        ("https://10.0.0.1/x", None),
        ("http://push.apple.com/x", None),
    ],
)
def test_circuit_is_that_of_the_service(endpoint: str, service: str | None) -> None:
    services = ("push.apple.com", "push.services.mozilla.com", "notify.windows.com", "push.clinic.example")
    channel = PushChannel(
        private_key=new_private_key(), contact="a@clinic.example", secret="s", now=lambda: 0, services=services
    )
    assert channel.circuit(json.dumps({"endpoint": endpoint})) == service


@pytest.mark.parametrize("to", ["", "{}", "[]", "null"])
def test_subscription_that_cannot_be_read_has_no_circuit_of_its_own(to: str) -> None:
    channel = PushChannel(private_key=new_private_key(), contact="a@clinic.example", secret="s", now=lambda: 0)
    assert channel.circuit(to) is None
