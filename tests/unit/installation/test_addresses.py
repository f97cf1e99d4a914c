"""The addresses that the terminal prints."""

from __future__ import annotations

import socket

import pytest

from server.installation.addresses import address_here, address_on_network, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


def test_name_that_resolves_elsewhere_is_not_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("127.0.0.1", 0)), (2, 1, 6, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    assert not is_loopback("localhost")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_server_of_this_machine_alone_has_no_address_on_the_network(host: str) -> None:
    assert address_on_network(host, 8000) is None


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_server_at_one_address_has_the_same_address_everywhere(host: str) -> None:
    written = f"http://[{host}]:8000" if ":" in host else f"http://{host}:8000"
    assert address_on_network(host, 8000) == address_here(host, 8000) == written


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_server_at_every_address_has_one_for_each_side(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_here(host, 8000) == "http://127.0.0.1:8000"

    class Probe(socket.socket):
        def connect(self, address: object) -> None:
            pass

        def getsockname(self) -> tuple[str, int]:
            return "192.168.7.9", 40_000

    monkeypatch.setattr(socket, "socket", Probe)
    assert address_on_network(host, 8000) == "http://192.168.7.9:8000"


def test_machine_without_a_network_has_no_address_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Probe(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError("unreachable")

    monkeypatch.setattr(socket, "socket", Probe)
    assert address_on_network("0.0.0.0", 8000) is None
