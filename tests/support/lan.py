"""A private network with screens at the far end of a cable. A cut of the cable is silent: neither end gets a packet.

The far end is a network namespace. `black_hole.py` replaces it for users without the right to create one.
"""

from __future__ import annotations

import ctypes
import os
import random
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import NotInstalled, program

CLONE_NEWNET = 0x40000000
NOBODY = "02:00:00:00:00:99"  # a hardware address without a device: packets to it are lost silently


class NoNamespace(Exception):
    """This user has no right to create network namespaces, or the machine does not support them."""


class Lan:
    """A cable between the near end, where servers listen on ``host``, and the far end."""

    def __init__(self, name: str, host: str, guest: str) -> None:
        self.host = host
        self._name = name
        self._guest = guest
        self._far = ThreadPoolExecutor(1, initializer=self._enter_far_end)

    def _enter_far_end(self) -> None:
        """Move this thread to the far end. Sockets that it creates belong to that end, in every thread."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/var/run/netns/{self._name}").open() as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def socket(self) -> socket.socket:
        """Return a TCP socket at the far end, not yet connected."""
        return self._far.submit(socket.socket, socket.AF_INET, socket.SOCK_STREAM).result(60)

    def cut(self) -> None:
        """Drop all packets on the cable from now on."""
        _ip("neigh", "replace", self._guest, "lladdr", NOBODY, "dev", f"{self._name}a", "nud", "permanent")
        self._at_far_end("neigh", "replace", self.host, "lladdr", NOBODY, "dev", f"{self._name}b", "nud", "permanent")

    def mend(self) -> None:
        """Deliver packets again."""
        _ip("neigh", "del", self._guest, "dev", f"{self._name}a")
        self._at_far_end("neigh", "del", self.host, "dev", f"{self._name}b")

    def _at_far_end(self, *arguments: str) -> None:
        _ip("-n", self._name, *arguments)

    def close(self) -> None:
        """End the thread of the far end."""
        self._far.shutdown()


@contextmanager
def lan() -> Iterator[Lan]:
    """Yield a new network. Raises `NoNamespace` if this user cannot create one."""
    name = f"ns{os.getpid()}x{random.SystemRandom().randrange(1000)}"[:13]
    block, place = random.SystemRandom().randrange(200, 250), random.SystemRandom().randrange(1, 250)
    host, guest = f"10.{block}.{place}.1", f"10.{block}.{place}.2"
    try:
        _ip("netns", "add", name)
    except (NotInstalled, subprocess.CalledProcessError, OSError) as error:
        raise NoNamespace(str(error)) from error
    try:
        try:
            _ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        except subprocess.CalledProcessError as error:
            raise NoNamespace(str(error)) from error
        _ip("addr", "add", f"{host}/30", "dev", f"{name}a")
        _ip("link", "set", f"{name}a", "up")
        _ip("-n", name, "addr", "add", f"{guest}/30", "dev", f"{name}b")
        _ip("-n", name, "link", "set", f"{name}b", "up")
        made = Lan(name, host, guest)
        try:
            yield made
        finally:
            made.close()
    finally:
        _ip("netns", "del", name)  # this also deletes the cable


def _ip(*arguments: str) -> None:
    subprocess.run([program("ip", "iproute2"), *arguments], check=True, capture_output=True, timeout=60)
