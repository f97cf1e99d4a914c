"""Passwords of seeded staff whose hashes take little work: the tests sign in hundreds of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher

from server import vault

_QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


@contextmanager
def quick_passwords() -> Iterator[None]:
    """What is hashed here and now is Argon2id with the least work; a hash says itself how much it takes to check it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault, "_hasher", _QUICK)
        yield
