"""Cheap password hashes: the tests sign in hundreds of times, and a real hash takes a sixth of a second of a core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher

from server import vault

_QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
# The environment of a forked server that hashes passwords as in an installation.
REAL_PASSWORDS = {"TESTS_REAL_PASSWORDS": "1"}


@contextmanager
def quick_passwords() -> Iterator[None]:
    """Hash passwords with the least work of Argon2id inside this context. Each hash states its own parameters for checks."""
    before = vault._hasher
    vault._hasher = _QUICK
    try:
        yield
    finally:
        vault._hasher = before


def quicken_passwords() -> None:
    """Hash passwords with the least work from now on in this process, also those of nobody."""
    vault._hasher = _QUICK
    vault._NOBODY = vault._hash_of_nothing()
