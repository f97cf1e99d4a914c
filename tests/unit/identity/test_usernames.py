"""New user names: no name that looks like another one."""

from __future__ import annotations

import pytest

from server.identity.errors import UserNameMixesScripts, UserNameNotVisible
from server.identity.usernames import MOST_CHARACTERS, new_username


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" Ada ", "ada"),
        ("Ada Berg-2", "ada berg-2"),
        ("ada.berg@clinic.example", "ada.berg@clinic.example"),
        ("José", "josé"),
        ("Jose\u0301", "josé"),
        ("Ольга7", "ольга7"),  # noqa: RUF001
        ("سارة", "سارة"),
        ("田中さん", "田中さん"),
        ("田中 タロウ", "田中 タロウ"),
        ("김민수", "김민수"),
        ("王小明", "王小明"),
        ("x" * MOST_CHARACTERS, "x" * MOST_CHARACTERS),
    ],
)
def test_name_of_each_script_is_accepted_in_its_normal_form(typed: str, name: str) -> None:
    assert new_username(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "\u200b", "x" * (MOST_CHARACTERS + 1), "\ufdfa" * 10, "ad\u200da", "ada\u200b", "\u202eada", "ada\u00ad",
        "ad\ufe0fa", "\u3164", "ada\u2800", "ad\x00a", "a\nb", "ada\ue000", "ad\u034fa", "ad\u115fa", "ad\u2028a",
        "ad\U000e0100a", "\ufeffada",
    ],
)  # fmt: skip
def test_name_with_an_invisible_character_is_refused(typed: str) -> None:
    with pytest.raises(UserNameNotVisible) as refused:
        new_username(typed)
    assert refused.value.details == {"field": "username"}


@pytest.mark.parametrize("typed", ["аda", "receptiоn", "αda", "ada漢и", "aدa", "김たなか"])  # noqa: RUF001
def test_name_of_mixed_scripts_is_refused(typed: str) -> None:
    with pytest.raises(UserNameMixesScripts):
        new_username(typed)
