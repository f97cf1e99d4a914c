"""The browser and the operating system that a User-Agent header names, as two short words for a list of sessions.

The header itself is not kept: it is long, and it identifies a device better than its list needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The first match counts: most browsers also name those that they descend from.
_BROWSERS = (
    ("Edge", r"\bEdg(e|A|iOS)?/"),
    ("Opera", r"\b(OPR|Opera)\b"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Firefox", r"\b(Firefox|FxiOS)/"),
    ("Chrome", r"\b(Chrome|Chromium|HeadlessChrome|CriOS)/"),
    ("Safari", r"\bVersion/[\d.]+ .*Safari/"),
)
_PLATFORMS = (
    ("Android", r"\bAndroid\b"),
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Windows", r"\bWindows\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("macOS", r"\bMac ?OS ?X\b|\bMacintosh\b"),
    ("Linux", r"\bLinux\b|\bX11\b"),
)
_LOOKED_AT = 400  # characters of the header


@dataclass(frozen=True, slots=True)
class Device:
    """The browser and the operating system of a session; None where the header names none that we know."""

    browser: str | None = None
    platform: str | None = None


def device_of(user_agent: str) -> Device:
    """Return the browser and the operating system that a User-Agent header names."""
    text = user_agent[:_LOOKED_AT]
    return Device(_first(_BROWSERS, text), _first(_PLATFORMS, text))


def _first(among: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for name, pattern in among if re.search(pattern, text)), None)
