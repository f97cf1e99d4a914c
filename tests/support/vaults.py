"""The vault of every test that has no installation of its own."""

from __future__ import annotations

from server.vault import Vault

VAULT = Vault([b"k" * 32], "the tests' secret key")
