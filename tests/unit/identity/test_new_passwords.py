"""New passwords: which ones are refused, and why."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from server.demo import PASSWORD
from server.identity.errors import PasswordLengthWrong, PasswordLikeUserName, PasswordTooCommon
from server.identity.new_passwords import MOST_CHARACTERS, check_new_password, score
from tests.support.counting import calls_of


@pytest.mark.parametrize(
    "password",
    [
        "river candle ninety moss", "quite another one", "夏の病院の受付です二千二十六", PASSWORD,
        "reception keeps nine blue lamps", "Zj7#pw!Qx9$k", "!@1$3057" * 9, "g1k0gTwAjL4hwKdQ",
    ],
)  # fmt: skip
async def test_long_and_uncommon_password_is_accepted(password: str) -> None:
    await check_new_password(password, "reception")


async def test_seeded_password_is_accepted() -> None:
    for _ in range(20):
        await check_new_password(secrets.token_urlsafe(12), "receptionist-0a1b2c3d")
    await check_new_password(secrets.token_hex(MOST_CHARACTERS // 2), "ada")


@pytest.mark.parametrize("password", ["", "short", "Zj7#pw!Qx9$", "x" * (MOST_CHARACTERS + 1)])
async def test_length_is_bounded(password: str) -> None:
    with pytest.raises(PasswordLengthWrong) as refused:
        await check_new_password(password, "ada", "new_password")
    assert refused.value.details == {"field": "new_password", "least": 12, "most": 200}


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("front-desk-one", "front-desk-one"),
        ("front-desk-one", "Front-Desk-One "),
        ("front-desk-one", "front-desk-one12"),
        ("front-desk-one", "!front-desk-one!"),
        ("reception", "ReceptionReception"),
        ("reception", "ｒeception2026"),  # noqa: RUF001
    ],
)
async def test_user_name_is_no_password(username: str, password: str) -> None:
    with pytest.raises(PasswordLikeUserName):
        await check_new_password(password, username)


@pytest.mark.parametrize(
    "password",
    ["password1234", "P@ssw0rd2026", "123456789012", "qwertyuiop12", "aaaaaaaaaaaa", "abc123abc123abc123", "Administrator1",
     "reception-2026", "nowserving2026", "noitpecer2026"],
)  # fmt: skip
async def test_common_password_is_refused(password: str) -> None:
    with pytest.raises(PasswordTooCommon):
        await check_new_password(password, "reception-12")


def test_words_of_the_user_name_are_easy_to_guess() -> None:
    assert score("lovelace-berg", "ada") > score("lovelace-berg", "lovelace.berg")


async def test_words_of_one_user_do_not_count_for_another() -> None:
    """Several users choose a password at once; zxcvbn keeps the words of a call in a global."""
    checks = (asyncio.to_thread(score, "lovelace-berg", each) for each in ["ada", "lovelace-berg"] * 5)
    scores = await asyncio.gather(*checks)
    assert scores == [score("lovelace-berg", "ada"), score("lovelace-berg", "lovelace-berg")] * 5


def test_longest_password_costs_little() -> None:
    assert calls_of(lambda: score("l33t5p34k$@!1" * 15, "ada")) < 200_000  # about a second
