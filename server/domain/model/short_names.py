"""Short names for displays: the given name and an initial, or less. A short name never contains a whole surname.

`docs/names.md` states the rule for people. The rule knows no person: it shows a given name only where the position of the
given name is certain enough, and initials or a masked name elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MOST_OF_GIVEN = 30  # code points; a longer word is not shown
MOST_OF_INITIAL = 4  # code points: a letter can carry any number of marks
MASK = "\u25cb"  # ○, as hospitals in East Asia write it

# Titles at the beginning and at the end of a name, in lower case, without full stops and hyphens.
_TITLES = frozenset(
    "dr prof professor professorin mr mrs ms mx miss mister madam sir dame lord lady rev reverend sr sra srta don "
    "doña dra herr frau hr fr ing dipling hc habil univprof privdoz mme mlle mgr madame monsieur mademoiselle maître "
    "dhr mevr mw drs sig sigra dott dottssa avv pani bay bayan гн гжа господин госпожа др доктор проф пані κ κα δρ "
    "دكتور دكتورة الدكتور الدكتورة السيد السيدة الآنسة الأستاذ الأستاذة أستاذ أستاذة الحاج الحاجة الشيخ الشيخة דר "
    "פרופ גב גברת श्री श्रीमती डॉ".split()
)
# Without a full stop these can be given names or initials.
_TITLES_WITH_STOP = frozenset("m d h c med phil rer nat jur mag dipl ir pan د أ م מר".split())
_SUFFIXES = frozenset(
    "jr sr junior senior ii iii iv md phd dphil esq dds rn bsc msc mba llm obe mbe cbe bey hanım filho neto júnior 先生 "
    "女士 小姐 太太 様 さま さん ちゃん くん 殿 씨 님".split()
)
_EAST_ASIAN_SUFFIXES = re.compile("(?<=.)(先生|女士|小姐|太太|様|さま|さん|ちゃん|くん|殿|씨|님)$")
# Words between the given name and the surname; they carry no initial. The Arabic article is part of its word.
_PARTICLES = frozenset(
    "de del della di da do dos das du des la las le les los el al y e i van von vom zu zum zur den der dem het ter "
    "ten te op t d bin ben ibn bint mac o st af av und and بن ابن بنت آل".split()
)
_ARTICLE = re.compile("^(?:[aAeE]l[-\u2010\u2011]|ال(?=..))")
# The first half of a given name of two words: half a name is another name.
_HALVES = frozenset({"عبد", "أبو", "ابو", "أم", "ام", "abd", "abu"})

# Scripts whose languages usually write the given name first. In all other scripts its position cannot be known.
_GIVEN_FIRST = frozenset(
    "LATIN GREEK CYRILLIC ARABIC HEBREW ARMENIAN GEORGIAN ETHIOPIC DEVANAGARI BENGALI GURMUKHI GUJARATI THAI SYRIAC".split()
)
# Here the first character often is the whole surname.
_MASKED = frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})
_WITH_CAPITALS = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN"})
# Languages that write the family name first, in Latin letters too.
_FAMILY_FIRST = frozenset({"hu", "ja", "km", "ko", "mn", "vi", "zh"})
# Frequent surnames of these languages in Latin letters, without accents: they also occur at sites of other languages.
_FAMILY_FIRST_SURNAMES = frozenset(
    "nguyen tran le pham huynh hoang phan vu vo dang bui do ho ngo duong ly dinh truong luong wang li zhang liu chen "
    "yang huang zhao wu zhou xu sun zhu ma hu guo lin he gao luo zheng liang xie song tang deng xiao feng cao peng "
    "zeng chan wong cheung lam leung kim lee park choi jung jeong kang cho yoon jang lim shin kwon hwang nagy kovacs "
    "toth szabo horvath varga kiss molnar nemeth farkas balogh papp takacs juhasz meszaros sato suzuki "
    "takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato".split()
)
_PATRONYMIC = re.compile("(вич|вна|чна|ович|евич)$")
_SLAVIC_SURNAME = re.compile("(ов|ова|ев|ева|ёв|ёва|ский|ская|цкий|цкая|енко|чук)$")


def short_name(name: str, language: str = "") -> str | None:
    """Return the form of a name that a display may show, or None if every form would show too much.

    ``language`` is the patient's, as a tag: some languages write the family name first.
    """
    words, given = _parts(name)
    scripts = {script for word in [*words, *given] for script in map(_script, word) if script}
    if scripts & _MASKED:
        return _masked([*words, *given])
    family = words
    if not given and scripts <= _GIVEN_FIRST:
        given, family = _split(words, language)
    if not given or not scripts <= _GIVEN_FIRST:
        return _initials([*given, *family])
    shown = " ".join(given)
    if len(shown) > MOST_OF_GIVEN or len(_graphemes(given[0])) < 2:
        return _initials([given[0], *family])
    initial = _initial(family)
    return f"{shown} {initial}." if initial else shown


def _parts(name: str) -> tuple[list[str], list[str]]:
    """Return the words before and after a comma ("Garcia, Maria"), without titles. Without a comma all words come first."""
    text = unicodedata.normalize("NFC", name)
    parts = [_without_titles(each.split()) for each in re.split("[,،，、]", text)]
    parts = [part for part in parts if part]
    if not parts:
        return [], []
    if len(parts) == 1:
        return parts[0], []
    return parts[0], [word for part in parts[1:] for word in part if word.lower() not in _PARTICLES]


def _without_titles(raw: Iterable[str]) -> list[str]:
    """Return the words that have a letter, without titles, suffixes, and marks around a word."""
    words = list(raw)
    while words and (_plain(words[0]) in _TITLES or (words[0].endswith(".") and _plain(words[0]) in _TITLES_WITH_STOP)):
        del words[0]
    while words and _plain(words[-1]) in _SUFFIXES:
        del words[-1]
    return [word for word in map(_bare, words) if word]


def _plain(word: str) -> str:
    return "".join(each for each in word.lower() if each.isalpha() or unicodedata.category(each).startswith("M"))


def _bare(word: str) -> str:
    """Return a word from its first letter to the end of its last letter, without invisible characters."""
    seen = [each for each in word if unicodedata.category(each) not in ("Cf", "Cc", "Co", "Cn", "So", "Sk")]
    while seen and not seen[0].isalpha():
        del seen[0]
    while seen and not (seen[-1].isalpha() or unicodedata.category(seen[-1]).startswith("M")):
        del seen[-1]
    return "".join(seen)


def _split(words: list[str], language: str) -> tuple[list[str], list[str]]:
    """Return the given name and the rest, or an empty given name if its position is not certain."""
    size = 2 if words and words[0].lower() in _HALVES else 1
    if len(words) <= size or language.partition("-")[0] in _FAMILY_FIRST or _begins_with_family(words):
        return [], words
    return words[:size], words[size:]


def _begins_with_family(words: list[str]) -> bool:
    """Return whether a name probably begins with the surname: NGUYEN Van An, Иванов Иван Иванович."""
    first, *rest = words
    if len(first) > 1 and first.isupper() and not all(word.isupper() for word in rest):
        return True
    if _without_accents(first) in _FAMILY_FIRST_SURNAMES or first.lower() in _PARTICLES:
        return True
    lower = [word.lower() for word in words]
    return bool(_SLAVIC_SURNAME.search(lower[0]) or (len(words) == 3 and _PATRONYMIC.search(lower[2])))


def _without_accents(word: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(each))
    return bare.replace("đ", "d")


def _masked(words: list[str]) -> str | None:
    """Return the mask and the last character of the last word that has several: ○明 for 王小明. None without such a word."""
    for word in reversed(words):
        characters = _graphemes(_EAST_ASIAN_SUFFIXES.sub("", word))
        if len(characters) > 1:
            return MASK + characters[-1]
    return None


def _initials(words: list[str]) -> str | None:
    """Return the initials of the first and of the last word, without those that would be a whole word."""
    ends = [[words[0]], words[1:]] if words else []
    found = [f"{initial}." for initial in map(_initial, ends) if initial]
    return " ".join(found) or None


def _initial(words: list[str]) -> str | None:
    """Return the initial of the last word, else of an earlier word, that is more than one character and no particle."""
    for word in reversed(words):
        characters = _graphemes(_ARTICLE.sub("", word))
        if len(characters) > 1 and word.lower() not in _PARTICLES:
            return _capital(characters[0])
    return None


def _capital(initial: str) -> str:
    """Return an initial in upper case, if its script writes names so and the letter stays one letter."""
    upper = initial.upper()
    return upper if _script(initial[0]) in _WITH_CAPITALS and len(upper) == len(initial) else initial


def _graphemes(word: str) -> list[str]:
    """Return the letters of a word, each with its marks. A virama joins the next letter."""
    found: list[str] = []
    for each in word:
        joins = found and (unicodedata.category(each).startswith("M") or unicodedata.combining(found[-1][-1]) == 9)
        if not joins:
            found.append(each)
        elif len(found[-1]) < MOST_OF_INITIAL:
            found[-1] += each
    return found


def _script(character: str) -> str | None:
    """Return the script of a letter, as the first word of its Unicode name. None for other characters."""
    if not character.isalpha():
        return None
    script, _, more = unicodedata.name(character, "UNKNOWN").partition(" ")
    return more.partition(" ")[0] if script in ("FULLWIDTH", "HALFWIDTH") else script
