"""Refusals in the OpenAPI document: the codes, and the responses that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count

from server.domain.errors import NowServingError
from server.transport.http.errors import (
    INTERNAL_ERROR,
    REFUSAL_HEADER,
    UNKNOWN_HOST,
    AddressBlocked,
    BadHeader,
    HeadersTooLarge,
    TookTooLong,
    TooManyRequests,
    UnknownVersion,
    status_of,
)
from server.transport.spec.schema import Json, object_of, ref, text


@dataclass(frozen=True, slots=True)
class Code:
    """A refusal by its stable code. ``message`` is a template: ``{label}`` stands for a detail."""

    code: str
    status: int
    message: str


HOST = Code("unknown_host", 400, UNKNOWN_HOST)
MALFORMED = Code("malformed_request", 400, "The request is malformed.")
NO_PATH = Code("not_found", 404, "Not Found")
_OUTSIDE_THE_TREE = (
    HOST,
    MALFORMED,
    Code("method_not_allowed", 405, "Method Not Allowed"),
    Code("request_too_slow", 408, "The request was not complete in time."),
    Code("internal_error", 500, INTERNAL_ERROR),
)
_ANYWHERE = (BadHeader, HeadersTooLarge)
_IN_THE_API = (UnknownVersion,)
_LIMITED = (TooManyRequests, AddressBlocked, TookTooLong)
_RETRY_AFTER: Json = {"description": "Seconds to wait.", "required": True, "schema": text(pattern="^[0-9]+$")}


def errors() -> list[type[NowServingError]]:
    """Return every class of the tree of errors, parents before children."""

    def below(kind: type[NowServingError]) -> list[type[NowServingError]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    return [kind for kind in dict.fromkeys(below(NowServingError)) if kind.__module__.startswith("server.")]


def below(*kinds: type[NowServingError]) -> list[type[NowServingError]]:
    """Return the classes of the tree that are these or below them."""
    return [each for each in errors() if issubclass(each, kinds)]


def code_of(kind: type[NowServingError]) -> Code:
    """Return the code of an error's class."""
    error = kind()
    return Code(error.code, status_of(error), (kind.__doc__ or "").strip().splitlines()[0])


def error_schemas() -> dict[str, Json]:
    """Return the component schemas of the codes and of the error's body."""
    codes = {each.code: each for each in [*map(code_of, errors()), *_OUTSIDE_THE_TREE]}
    body = object_of(
        {
            "code": ref("ErrorCode"),
            "message": text(description="One sentence for people."),
            "details": {"type": "object", "description": "The values that the message is about, for programs."},
            "request_id": text(description="The request's id. The server's log has it."),
            "timestamp": text(format="date-time"),
        }
    )
    return {
        "ErrorCode": {
            "type": "string",
            "enum": list(codes),
            "description": "Match on this code: a code never changes its meaning.",
            "x-codes": {code: {"status": each.status, "message": each.message} for code, each in codes.items()},
        },
        "Error": object_of({"error": body}, description="Any refusal."),
    }


class Refusals:
    """The responses of refusals. Responses that several operations share are components, in ``components``."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}

    def of(
        self,
        kinds: Sequence[type[NowServingError]],
        *,
        in_api: bool = True,
        limited: bool = True,
        hosts: bool = True,
        in_path: bool = False,
    ) -> Json:
        """Return the responses of these refusals by status, with the refusals of the whole application.

        ``in_api`` adds those of the whole API, ``limited`` those of the limits on rate and time. ``hosts`` says whether the
        path is served under the installation's own host names only, ``in_path`` whether a malformed parameter of the path
        makes it an unknown path.
        """
        kinds = tuple(dict.fromkeys([*kinds, *_ANYWHERE, *(_IN_THE_API if in_api else ()), *(_LIMITED if limited else ())]))
        by_status: dict[int, dict[str, Code]] = {}
        outside = [*([HOST] if hosts else []), MALFORMED]
        for each in [*outside, *map(code_of, kinds), *([NO_PATH] if in_path else [])]:
            by_status.setdefault(each.status, {})[each.code] = each
        names = {code_of(kind).code: kind.__name__ for kind in kinds}
        found = {}
        for status, several in sorted(by_status.items()):
            response = response_of(status, list(several.values()), counted=limited)
            name = "Or".join(names.get(code, code.title().replace("_", "")) for code in several)
            if len(several) > 2:
                name = f"Several{status}"
            alike = (f"{name}-{number}" if number else name for number in count())
            name = next(each for each in alike if self.components.get(each, response) == response)
            self.components[name] = response
            found[str(status)] = {"$ref": f"#/components/responses/{name}"}
        return found


def response_of(status: int, codes: Sequence[Code], *, counted: bool) -> Json:
    """Return the response of one status with these codes."""
    schema = ref("Error") | {"properties": {"error": {"properties": {"code": {"enum": [each.code for each in codes]}}}}}
    headers = counted_headers() if counted else own_headers()
    headers[REFUSAL_HEADER] = {"$ref": "#/components/headers/Refusal"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"required": True, "schema": {"const": "Bearer"}}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = _RETRY_AFTER
    said = " ".join(f"`{each.code}`: {each.message}" for each in codes)
    content: Json = {"application/json": {"schema": schema}}
    return {"description": f"{HTTPStatus(status).phrase}. {said}", "headers": headers, "content": content}


def own_headers() -> Json:
    """Return the headers of every answer."""
    return {
        "X-Request-ID": {"$ref": "#/components/headers/RequestId"},
        "X-API-Version": {"$ref": "#/components/headers/ApiVersion"},
    }


def counted_headers() -> Json:
    """Return the headers of an answer that the rate limits may have counted."""
    return own_headers() | {
        "X-RateLimit-Limit": {"$ref": "#/components/headers/RateLimit"},
        "X-RateLimit-Remaining": {"$ref": "#/components/headers/RateLimitRemaining"},
        "X-RateLimit-Reset": {"$ref": "#/components/headers/RateLimitReset"},
    }
