"""The addresses of a server on this machine and on its network, as the terminal prints them."""

from __future__ import annotations

import ipaddress
import socket


def is_loopback(host: str) -> bool:
    """Return whether a server at ``host`` is reachable from this machine alone."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    return all((getattr(each, "ipv4_mapped", None) or each).is_loopback for each in addresses)


def address_here(host: str, port: int) -> str:
    """Return the address of a server that listens on ``host``, for a browser on this machine."""
    return _address("127.0.0.1" if _is_everywhere(host) else host, port)


def address_on_network(host: str, port: int) -> str | None:
    """Return the address of a server that listens on ``host``, for other computers and phones on the same network.

    None for a server that only this machine can reach, and for a machine without a network.
    """
    if is_loopback(host):
        return None
    if not _is_everywhere(host):
        return _address(host, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it names the address of the way out
        except OSError:
            return None
        return _address(str(probe.getsockname()[0]), port)


def _is_everywhere(host: str) -> bool:
    """Return whether a server at ``host`` listens on every address of this machine: ``0.0.0.0`` or ``::``."""
    try:
        return host == "" or ipaddress.ip_address(host).is_unspecified
    except ValueError:  # a name
        return False


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
