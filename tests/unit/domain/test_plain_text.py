"""Plain text: the accepted names of all scripts, and the texts that show nothing."""

from __future__ import annotations

import sys

import pytest

from server.domain.plain_text import checked, first_visible, refused_characters
from tests.support.extent import sample

BLOCK = 1024


def taken(text: str) -> bool:
    try:
        checked(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        "O\u2019Connor",
        "\u738b\u5c0f\u660e",
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",  # Persian, with a joiner inside
        "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner inside
        "\uae40\ucca0\uc218",
        "A\u3164B",
        "5",
        "\U0001f9d1\u200d\u2695\ufe0f",
        "e\u0301",
        "\ue000 Room",
    ],
)
def test_name_of_any_script_is_accepted(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "\u200d",
        "\u200c\u200d",
        "\u3164",
        "\u115f\u1160",
        "\uffa0",
        "\u2800",
        "\u2800\u2800",
        "\u2800 \u2800",
        "\ue000",
        "\U0010fffd",
        "\U000f0000\u3164",
        "\ufe0f",
        "\u034f",
        "\U000e0101",
    ],
)
def test_text_without_a_visible_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="needs a visible character"):
        checked(text)


@pytest.mark.parametrize("text", [" Ada", "Ada\u3000", "A\x00da", "A\u202eda", "\ufeffAda", "A\u2028B"])
def test_control_characters_and_outer_spaces_are_refused(text: str) -> None:
    assert not taken(text)


def test_empty_text_is_plain() -> None:
    assert checked("") == ""


def test_first_visible_character() -> None:
    assert first_visible("\u200d\u2800 =1") == "="
    assert first_visible("\u200d\u2800 ") == ""


def test_refused_characters_are_exactly_the_characters_that_make_a_text_invalid() -> None:
    """Search the blocks of Unicode. A sample searches some of them."""
    found = refused_characters()
    firsts = sample(range(0, sys.maxunicode + 1, BLOCK), 150, "blocks")
    never, at_an_end, never_alone = [], [], []
    for first in firsts:
        block = [chr(each) for each in range(first, first + BLOCK) if not 0xD800 <= each <= 0xDFFF]
        if not taken(f"a{''.join(block)}a"):
            never += [each for each in block if not taken(f"a{each}a")]
        if any(map(str.isspace, block)):
            at_an_end += [each for each in block if taken(f"a{each}a") and not taken(f"{each}a")]
        never_alone += [each for each in block if taken(f"{each}a") and not taken(each)]
    searched = set(firsts)
    expected = tuple([each for each in kind if ord(each) // BLOCK * BLOCK in searched] for kind in found)
    assert expected == (never, at_an_end, never_alone)
    assert {"\x00", "\u202e", "\ufeff", "\U000e0001"} <= set(found[0])
    assert {" ", "\u00a0", "\u3000"} <= set(found[1])
    assert {"\u200d", "\u3164", "\u2800", "\ue000"} <= set(found[2]), "a joiner is a letter of names, but no name alone"
