"""The lines of the values in a TOML text. The parsers give no positions, and a good error message names its line."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|"
    r"#[^\n]*|\n|[\[\]{}=,]|[^\s\[\]{}=,\"'#]+",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line of each table, key and element of an array, by its path: ``("points", 2, "queues", 0)``.

    ``text`` is valid TOML.
    """
    return _Scan(text).lines


class _Scan:
    """One pass over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._words: list[tuple[str, int]] = []
        line = 1
        for found in _TOKEN.finditer(text):
            if not found[0].startswith("#"):
                self._words.append((found[0], line))
            line += found[0].count("\n")
        self._at = 0
        self._counts: dict[Path, int] = {}  # arrays of tables, with the index of their last table
        table: Path = ()
        while (word := self._peek()) is not None:
            if word == "\n":
                self._at += 1
            elif word == "[":
                table = self._header()
            else:
                self._pair(table)

    def _peek(self) -> str | None:
        return self._words[self._at][0] if self._at < len(self._words) else None

    def _line(self) -> int:
        return self._words[self._at][1]

    def _header(self) -> Path:
        line, depth = self._line(), 0
        while self._peek() == "[":
            self._at, depth = self._at + 1, depth + 1
        path: Path = ()
        names = self._key("]")
        for number, name in enumerate(names, start=1):
            path = (*path, name)
            if depth == 2 and number == len(names):
                self._counts[path] = self._counts.get(path, -1) + 1
                self.lines.setdefault(path, line)
            if path in self._counts:
                path = (*path, self._counts[path])
        self._at += depth
        self.lines.setdefault(path, line)
        return path

    def _key(self, end: str) -> list[str]:
        """Return the parts of a dotted key; stop at ``end``."""
        parts: list[str] = []
        while (word := self._peek()) not in (end, None):
            assert word is not None
            parts += [word[1:-1]] if word[0] in "\"'" else filter(None, word.split("."))
            self._at += 1
        return parts

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for part in self._key("="):
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._at += 1
                while (word := self._peek()) not in ("}", None):
                    if word in (",", "\n"):
                        self._at += 1
                    else:
                        self._pair(path)
                self._at += 1
            case _:
                while self._peek() not in (",", "]", "}", "\n", None):
                    self._at += 1

    def _array(self, path: Path) -> None:
        self._at, index = self._at + 1, 0
        while (word := self._peek()) not in ("]", None):
            if word == ",":
                index += 1
            if word in (",", "\n"):
                self._at += 1
                continue
            self.lines[*path, index] = self._line()
            self._value((*path, index))
        self._at += 1
