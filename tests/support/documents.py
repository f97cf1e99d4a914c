"""The OpenAPI document, made once for all modules of a test process: making it takes half a second of CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

from server.transport.spec import openapi


@cache
def api_document() -> dict[str, Any]:
    """Return the OpenAPI document of this version. The callers share it and do not change it."""
    return openapi.document()
