"""Sealed data, keyed hashes, tokens and passwords."""

from __future__ import annotations

import base64
import re

import pytest
from argon2.exceptions import VerifyMismatchError
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model import Personal
from server.vault import TOKEN_BYTES, Vault, hash_password, new_token, verify_password
from tests.support.extent import examples
from tests.support.worlds import a_visit, an_id

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
VAULT = Vault([NEW, OLD], "secret")
names = st.from_regex(r"\A(visit|answer):[0-9]{1,12}\Z")


@examples(100)
@given(st.binary(max_size=200), names)
def test_what_is_sealed_opens(plain: bytes, belongs_to: str) -> None:
    sealed = VAULT.seal(plain, belongs_to)
    assert VAULT.open(sealed, belongs_to) == plain
    assert sealed.isascii()
    if len(plain) > 5:
        assert plain not in sealed.encode()
        assert plain not in base64.b64decode(sealed.partition(".")[2])


def test_the_same_is_never_sealed_the_same() -> None:
    assert len({VAULT.seal(b"Ada", "visit:1") for _ in range(50)}) == 50


@examples(60)
@given(st.binary(max_size=30), names, names)
def test_it_cannot_be_moved_to_another_record(plain: bytes, mine: str, other: str) -> None:
    sealed = VAULT.seal(plain, mine)
    if mine != other:
        with pytest.raises(ValueError, match="belongs elsewhere"):
            VAULT.open(sealed, other)


@examples(150)
@given(st.binary(max_size=30), st.integers(0, 10**6), st.integers(1, 255))
def test_damage_is_noticed(plain: bytes, where: int, how: int) -> None:
    key_id, _, text = VAULT.seal(plain, "visit:1").partition(".")
    data = bytearray(base64.b64decode(text))
    data[where % len(data)] ^= how
    with pytest.raises(ValueError, match="damaged"):
        VAULT.open(f"{key_id}.{base64.b64encode(data).decode()}", "visit:1")


@examples(60)
@given(st.binary(max_size=30), st.integers(1, 60))
def test_a_ciphertext_cut_short_is_noticed(plain: bytes, cut: int) -> None:
    key_id, _, text = VAULT.seal(plain, "visit:1").partition(".")
    data = base64.b64decode(text)[:-cut]
    with pytest.raises(ValueError):  # noqa: PT011 - which one depends on what is left
        VAULT.open(f"{key_id}.{base64.b64encode(data).decode()}", "visit:1")


@examples(200)
@given(st.text(max_size=40))
def test_junk_is_refused_as_a_value(junk: str) -> None:
    own_key = VAULT.seal(b"", "visit:1").partition(".")[0]
    for sealed in (junk, f"{own_key}.{junk}", f"{junk}.AAAA"):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is what the docstring promises
            VAULT.open(sealed, "visit:1")


def test_keys_rotate() -> None:
    """The first key seals; what an older one sealed still opens; a key that is gone is named, not its data."""
    before = Vault([OLD], "secret").seal(b"Ada", "visit:1")
    assert VAULT.open(before, "visit:1") == b"Ada"
    after = VAULT.seal(b"Ada", "visit:1")
    assert Vault([NEW], "secret").open(after, "visit:1") == b"Ada"
    for sealed in (before, after):
        with pytest.raises(ValueError, match="unknown key"):
            Vault([FOREIGN], "secret").open(sealed, "visit:1")
    with pytest.raises(ValueError, match="unknown key"):
        Vault([OLD], "secret").open(after, "visit:1")


def test_a_key_is_not_told_by_its_id() -> None:
    key_id = VAULT.seal(b"", "visit:1").partition(".")[0]
    assert re.fullmatch(r"[0-9a-f]{8}", key_id)
    assert key_id not in NEW.hex()


@pytest.mark.parametrize("keys", [[], [b""], [b"short"], [b"x" * 31], [b"x" * 33], [NEW, b"x" * 16]])
def test_keys_are_32_bytes_and_at_least_one(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(keys, "secret")


@examples(60)
@given(*[st.none() | st.text(max_size=30)] * 3)
def test_personal_data_is_bound_to_its_visit(name: str | None, phone: str | None, token: str | None) -> None:
    personal = Personal(name=name, phone=phone, token=token)
    sealed = VAULT.seal_personal(personal, f"visit:{an_id(1)}")
    assert VAULT.open_personal(a_visit(an_id(1), sealed=sealed)) == personal
    with pytest.raises(ValueError, match="belongs elsewhere"):
        VAULT.open_personal(a_visit(an_id(2), sealed=sealed))


def test_of_whom_nothing_is_sealed_nothing_is_known() -> None:
    assert VAULT.open_personal(a_visit(an_id(1), sealed=None)) == Personal()


@examples(60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_keyed_hashes(one: str, other: str) -> None:
    digest = VAULT.keyed_hash(one)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert digest == Vault([FOREIGN], "secret").keyed_hash(one)  # of the secret key only: it outlives a key's rotation
    assert (digest == VAULT.keyed_hash(other)) == (one == other)
    assert digest != Vault([NEW], "another secret").keyed_hash(one)


def test_tokens_are_unguessable_and_name_their_site() -> None:
    tokens = [new_token(7) for _ in range(500)]
    assert len(set(tokens)) == 500
    assert TOKEN_BYTES * 8 >= 128
    for token in tokens:
        site, _, secret = token.partition("-")
        assert site == "7"
        assert len(base64.urlsafe_b64decode(secret + "==")) == TOKEN_BYTES
        assert re.fullmatch(r"[A-Za-z0-9_-]+", token)  # fits a path as it is
    assert new_token(12, "d").startswith("d12-")


def test_passwords() -> None:
    hashed = hash_password("correct horse")
    assert hashed.startswith("$argon2id$")
    assert "horse" not in hashed
    assert verify_password(hashed, "correct horse")
    assert not verify_password(hashed, "Correct horse")
    assert not verify_password(hashed, "")
    assert hash_password("correct horse") != hashed


@pytest.mark.parametrize("broken", ["", "x", "$argon2id$", "plain text"])
def test_a_broken_hash_lets_nobody_in(broken: str) -> None:
    assert not verify_password(broken, "plain text")
    assert not verify_password(broken, broken)


def test_nobodys_password_is_never_right_and_takes_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not verify_password(None, "")
    assert not verify_password(None, "anything")
    # The same work is done for a name that does not exist: its hash has the parameters of a real one.
    from server import vault

    real = hash_password("x")
    assert vault._NOBODY.split("$")[:4] == real.split("$")[:4]
    assert list(map(len, vault._NOBODY.split("$"))) == list(map(len, real.split("$")))
    with pytest.raises(VerifyMismatchError):  # not `InvalidHashError`, which would be told at once
        vault._hasher.verify(vault._NOBODY, "anything")
    monkeypatch.setattr(vault, "_NOBODY", hash_password("guessed"))
    assert not verify_password(None, "guessed")  # not even to whoever guesses what that hash is of
