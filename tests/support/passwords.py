"""Cheap password hashes for seeded staff: the tests sign in hundreds of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher

from server import vault

_QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


@contextmanager
def quick_passwords() -> Iterator[None]:
    """Hash passwords with the least work of Argon2id inside this context. Each hash states its own parameters for checks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault, "_hasher", _QUICK)
        yield
