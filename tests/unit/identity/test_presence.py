"""Presence codes: the same in every process, for five minutes, at one site."""

from __future__ import annotations

import pytest

from server.domain.errors import JoinCodeNeeded, JoinCodeOld, JoinCodeWrong
from server.identity.pairing import CODE_LENGTH
from server.identity.presence import (
    CHANGES_MICROSECONDS,
    LIFE_MICROSECONDS,
    REMEMBERED_MICROSECONDS,
    SKEW_MICROSECONDS,
    check_code,
    present_code,
)
from server.identity.readable_codes import ALPHABET
from server.vault import Vault
from tests.support.vaults import VAULT

SECOND = 1_000_000
DAY = 86_400 * SECOND
BEGIN = 1_700_000_040 * SECOND  # the screens show a new code
SITE = 7


def test_code_can_be_read_and_typed() -> None:
    code = present_code(VAULT, SITE, BEGIN).code
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(ALPHABET)
    for typed in (code, code.lower(), f" {code[:3]}-{code[3:]} "):
        check_code(VAULT, SITE, typed, BEGIN)


def test_code_changes_every_two_minutes_and_says_when() -> None:
    assert BEGIN % CHANGES_MICROSECONDS == 0
    shown = [present_code(VAULT, SITE, BEGIN + seconds * SECOND) for seconds in (0, 119, 120)]
    assert shown[0] == shown[1]
    assert shown[0].code != shown[2].code
    assert shown[0].changes_at == BEGIN + 120 * SECOND
    assert shown[0].ends_at == BEGIN + 300 * SECOND
    assert len({present_code(VAULT, SITE, BEGIN + n * CHANGES_MICROSECONDS).code for n in range(720)}) == 720


@pytest.mark.parametrize("seconds", [0, 119, 121, 240, 299])
def test_code_is_good_for_five_minutes(seconds: int) -> None:
    check_code(VAULT, SITE, present_code(VAULT, SITE, BEGIN).code, BEGIN + seconds * SECOND)


@pytest.mark.parametrize("later", [301 * SECOND, 600 * SECOND, DAY, REMEMBERED_MICROSECONDS - CHANGES_MICROSECONDS])
def test_earlier_code_is_called_old(later: int) -> None:
    assert later > LIFE_MICROSECONDS
    with pytest.raises(JoinCodeOld):
        check_code(VAULT, SITE, present_code(VAULT, SITE, BEGIN).code, BEGIN + later)


def test_code_ends_at_the_microsecond() -> None:
    code = present_code(VAULT, SITE, BEGIN)
    check_code(VAULT, SITE, code.code, code.ends_at - 1)
    with pytest.raises(JoinCodeOld):
        check_code(VAULT, SITE, code.code, code.ends_at)


def test_code_of_last_week_is_wrong() -> None:
    with pytest.raises(JoinCodeWrong):
        check_code(VAULT, SITE, present_code(VAULT, SITE, BEGIN).code, BEGIN + 7 * DAY)


def test_clock_of_another_process_may_be_a_little_ahead() -> None:
    code = present_code(VAULT, SITE, BEGIN).code
    check_code(VAULT, SITE, code, BEGIN - SKEW_MICROSECONDS)
    with pytest.raises(JoinCodeWrong):
        check_code(VAULT, SITE, code, BEGIN - SKEW_MICROSECONDS - 1)


def test_each_site_and_each_installation_has_codes_of_its_own() -> None:
    code = present_code(VAULT, SITE, BEGIN).code
    for vault, site_id in ((VAULT, SITE + 1), (Vault([b"k" * 32], "another key of the tests, long enough"), SITE)):
        with pytest.raises(JoinCodeWrong):
            check_code(vault, site_id, code, BEGIN)


@pytest.mark.parametrize("typed", ["AAAAAA", "A", "A" * 40, "\u0660\u0661\u0662\u0663\u0664\u0665"])
def test_other_text_is_wrong(typed: str) -> None:
    with pytest.raises(JoinCodeWrong):
        check_code(VAULT, SITE, typed, BEGIN)


@pytest.mark.parametrize("typed", ["", " ", "--"])
def test_no_code_asks_for_the_code(typed: str) -> None:
    with pytest.raises(JoinCodeNeeded):
        check_code(VAULT, SITE, typed, BEGIN)
