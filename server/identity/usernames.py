"""New user names: nobody can make a name that looks like a colleague's and is another one."""

from __future__ import annotations

import unicodedata

from server.domain.usernames import normal_username
from server.identity.errors import UserNameMixesScripts, UserNameNotVisible

MOST_CHARACTERS = 80
# Control and formatting characters, surrogates, private and unassigned ones, separators of lines.
_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and symbols that fonts draw as nothing: the rest of Unicode's Default_Ignorable_Code_Point, and an empty
# Braille cell. Each pair is the first and the last of a range.
_UNSEEN = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
)  # fmt: skip
_ANY_SCRIPT = frozenset({"COMMON", "INHERITED"})
# The scripts that one language writes together, each with Latin: the level "highly restrictive" of Unicode's UTS 39.
_TOGETHER = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)


def new_username(typed: str) -> str:
    """Return the normal form of a name for a new member. Raises `UserNameNotVisible` and `UserNameMixesScripts`."""
    name = normal_username(typed)
    if not 1 <= len(name) <= MOST_CHARACTERS or any(map(_is_unseen, name)):
        raise UserNameNotVisible(field="username")
    scripts = _scripts(name)
    if len(scripts) > 1 and not any(scripts <= each for each in _TOGETHER):
        raise UserNameMixesScripts(field="username")
    return name


def _is_unseen(character: str) -> bool:
    code = ord(character)
    # The only space that the normal form keeps is between words.
    blank = character.isspace() and character != " "
    return blank or unicodedata.category(character) in _UNSEEN_KINDS or any(first <= code <= last for first, last in _UNSEEN)


def _scripts(name: str) -> frozenset[str]:
    """Return the scripts of the letters of ``name``."""
    # Imported here: it takes 20 MB, and most processes never make a user.
    from confusable_homoglyphs import categories  # noqa: PLC0415

    return frozenset(categories.unique_aliases(name)) - _ANY_SCRIPT
