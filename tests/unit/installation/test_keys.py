"""The secrets of an installation: the key file, and keys that a stranger could guess."""

from __future__ import annotations

import base64
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.installation.keys import BadKeys, Keys, decoded, make, random_key, read, weakness_of_key, weakness_of_secret

# The secrets for development of version 0.1.0, which anybody can read in its repository.
PUBLIC_SECRET = "for development only: anybody can read this"
PUBLIC_KEY = b"for development only, not secret"
HEXADECIMAL = "de07a57fc93386ff82866bd83080f77a503473b1617427a5717f9c457f5cbe7c"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "nowserving.keys"


def made(path: Path) -> Keys:
    assert make(path)
    keys = read(path)
    assert keys is not None
    return keys


@pytest.mark.parametrize(
    "secret",
    [
        PUBLIC_SECRET,
        PUBLIC_KEY.decode(),
        f" {PUBLIC_SECRET.upper()}\n",
        "For  Development\u00a0Only: anybody can read this!!!",
        "\uff46\uff4f\uff52 development only, not secret",
        base64.b64encode(PUBLIC_SECRET.encode()).decode(),
        base64.urlsafe_b64encode(PUBLIC_SECRET.encode()).decode().rstrip("="),
        base64.b64encode(base64.b64encode(PUBLIC_KEY)).decode(),
        PUBLIC_KEY.hex(),
        PUBLIC_KEY.hex().upper(),
        "",
        " " * 64,
        "\u3000" * 64,
        "a" * 64,
        "ab" * 32,
        "0123456789abcdef" * 4,
        "password" * 8,
        "changeme" * 5,
        "please-change-this-secret-key-now",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        HEXADECIMAL[:31],
        f"{HEXADECIMAL[:16]}{' ' * 48}",
        "01" * 8 + "0110" * 12,
    ],
)
def test_secret_that_a_stranger_can_guess_is_weak(secret: str) -> None:
    assert weakness_of_secret(secret) is not None


@pytest.mark.parametrize(
    "key",
    [
        PUBLIC_KEY,
        PUBLIC_KEY.upper(),
        bytes(32),
        b"\xff" * 32,
        b"k" * 32,
        b"\x00\xff" * 16,
        bytes(range(32)),
        bytes(range(200, 168, -1)),
        bytes(range(16)) * 2,
        bytes.fromhex(HEXADECIMAL[:32]) * 2,
        bytes.fromhex(HEXADECIMAL[:16]) + bytes(24),
        HEXADECIMAL[:32].encode(),  # 128 bits, typed as text
        b"a sentence that I can remember!!",
    ],
)
def test_encryption_key_that_a_stranger_can_guess_is_weak(key: bytes) -> None:
    assert len(key) == 32
    assert weakness_of_key(key) is not None


def test_public_key_in_another_base64_spelling_is_weak() -> None:
    """The last character of this length has two bits without a meaning: four spellings are the same key."""
    spelt = base64.b64encode(PUBLIC_KEY).decode()
    assert spelt.endswith("Q=")
    for last in "QRST":
        assert decoded(f"{spelt[:-2]}{last}=") == PUBLIC_KEY
        assert weakness_of_key(decoded(f"{spelt[:-2]}{last}=")) == "this key is public"


def test_random_keys_are_strong() -> None:
    for _ in range(200):
        assert weakness_of_key(decoded(random_key())) is None
    for _ in range(10):
        for secret in (secrets.token_hex(32), secrets.token_hex(16), secrets.token_urlsafe(32), random_key()):
            assert weakness_of_secret(secret) is None


def test_new_key_file_has_random_keys_for_its_user_alone(path: Path) -> None:
    before = os.umask(0o000)
    try:
        keys = made(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == [path.name]
    assert len(keys.encryption_keys) == 1
    assert keys != made(path.with_name("other.keys"))


def test_key_file_is_made_once(path: Path) -> None:
    keys = made(path)
    assert not make(path)
    assert read(path) == keys


def test_processes_that_start_at_once_agree_on_one_file(path: Path) -> None:
    def start(_: int) -> tuple[bool, Keys | None]:
        return make(path), read(path)

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(start, range(64)))
    assert [first for first, _ in results].count(True) == 1
    assert len({keys for _, keys in results}) == 1
    assert os.listdir(path.parent) == [path.name]


def test_draft_of_a_crashed_start_does_not_count(path: Path) -> None:
    path.parent.mkdir()
    draft = path.with_name(f".{path.name}.0123456789abcdef")
    draft.write_text('secret_key = "ab')
    assert read(path) is None
    made(path)
    assert draft.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_key_file_that_others_can_open_is_refused(path: Path, mode: int) -> None:
    made(path)
    path.chmod(mode)
    with pytest.raises(BadKeys, match=f"chmod 600 {path}"):
        read(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret_key = ",
        'secret_key = "{secret}"',
        'secret_key = "{secret}"\nencryption_keys = []',
        'secret_key = "{secret}"\nencryption_keys = [7]',
        'secret_key = "{secret}"\nencryption_keys = ["c2hvcnQ="]',
        'secret_key = "{secret}"\nencryption_keys = ["no base64"]',
        'secret_key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"\nencryption_keys = ["{key}"]',
        f'secret_key = "{{secret}}"\nencryption_keys = ["{{key}}", "{base64.b64encode(PUBLIC_KEY).decode()}"]',
        '\udcff = "x"',
    ],
)
def test_damaged_key_file_is_refused_by_its_path(path: Path, text: str) -> None:
    made(path)
    content = text.replace("{secret}", secrets.token_hex(32)).replace("{key}", random_key())
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadKeys, match=str(path)) as caught:
        read(path)
    assert "c2hvcnQ=" not in str(caught.value)


def test_several_encryption_keys_keep_their_order(path: Path) -> None:
    path.parent.mkdir()
    first, second = random_key(), random_key()
    path.touch(0o600)
    path.write_text(f'secret_key = "{secrets.token_hex(32)}"\nencryption_keys = ["{first}", "{second}"]\n')
    keys = read(path)
    assert keys is not None
    assert keys.encryption_keys == (decoded(first), decoded(second))


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadKeys, match="NOWSERVING_KEY_FILE"):
        make(tmp_path / "file" / "nowserving.keys")
