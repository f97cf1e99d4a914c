"""The problems of a set-up file, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """A mistake in a file: its line (from 1), and a sentence with the remedy."""

    line: int
    text: str


class BadClinicFile(Exception):
    """A set-up file cannot be used. ``problems`` are in the order of their lines."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(self.listed("line "))

    def listed(self, file: str) -> str:
        """Return one line of text for each problem, such as ``clinic.toml:12: ...`` for the file ``clinic.toml:``."""
        return "\n".join(f"{file}{each.line}: {each.text}" for each in self.problems)
