"""Bounds of the fields of commands. The edge enforces them before a command exists."""

from __future__ import annotations

NAME = {"min_length": 1, "max_length": 80}
REASON = {"min_length": 3, "max_length": 200}
LANGUAGE = {"pattern": r"^[a-z]{2,3}(-[A-Z]{2})?$"}
PARTY = {"ge": 1, "le": 20}
NEEDS = {"max_length": 4}
QUEUES = {"min_length": 1, "max_length": 50}
POSITION = {"ge": 0, "le": 1000}
CAPACITY = {"ge": 0, "le": 10_000}
MINUTES = {"ge": 0, "le": 240}
