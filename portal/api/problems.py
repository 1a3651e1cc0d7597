"""Error responses: RFC 9457 problem details, with the stable word `reason` for programs."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja.errors import HttpError, ValidationError

from portal.core import faults
from portal.core.errors import GatehouseError, Invalid

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class Unauthenticated(GatehouseError):
    status = 401
    title = "Unauthorized"


class Malformed(GatehouseError):
    status = 400
    title = "Bad Request"


class NotSupported(GatehouseError):
    status = 405
    title = "Method Not Allowed"


class TooLarge(GatehouseError):
    status = 413
    title = "Too large"


class TooMany(GatehouseError):
    status = 429
    title = "Too many calls"


def answer(error: GatehouseError) -> HttpResponse:
    """The problem for an error of an action, of a query or of the API."""
    fields = error.fields if isinstance(error, Invalid) else None
    response = _problem(error.status, error.title, error.detail, error.reason, fields)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Gatehouse"'
    return response


def wrong_input(error: ValidationError) -> HttpResponse:
    """The problem for input that does not have the shape of the API, with an error for each field."""
    fields: dict[str, str] = {}
    for found in error.errors:
        fields.setdefault(_field(found["loc"]), _words(found))
    return answer(Invalid(fields))


def http_error(error: HttpError) -> HttpResponse:
    """The problem for an error of the framework. If StrictParser caused it, the parser's error is used."""
    if isinstance(error.__cause__, GatehouseError):
        return answer(error.__cause__)
    return _problem(error.status_code, "Not possible", error.message, "refused")


def unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    """The problem for an unexpected error. The caller gets only a reference; the log has it with the traceback."""
    if faults.is_of_the_database(error):
        log.error("the database failed on %s %s: %s", request.method, request.path, error)
        response = _problem(503, "Not available at the moment", faults.words(error), "database_unavailable")
        response["Retry-After"] = str(faults.RETRY_AFTER)
        return response
    reference = secrets.token_hex(4)
    log.error("reference %s: %s %s", reference, request.method, request.path, exc_info=error)
    detail = f"Gatehouse failed unexpectedly. Tell a platform admin the reference {reference}."
    return _problem(500, "Internal Server Error", detail, "internal_error")


def _problem(status: int, title: str, detail: str, reason: str, fields: dict[str, str] | None = None) -> HttpResponse:
    body: dict[str, Any] = {
        "type": f"urn:gatehouse:problem:{reason}",
        "title": title,
        "status": status,
        "detail": detail,
        "reason": reason,
    }
    if fields is not None:
        body["fields"] = fields
    return HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=MEDIA_TYPE)


def _field(place: Iterable[str | int]) -> str:
    """The field's name without its source: `stages.0` for `("body", "body", "stages", 0)`."""
    parts = [str(part) for part in place]
    while len(parts) > 1 and parts[0] in ("body", "query", "path", "header"):
        parts = parts[1:]
    return ".".join(parts)


def _words(found: dict[str, Any]) -> str:
    kind: str = found["type"]
    if kind == "missing":
        return "This is required."
    if kind == "extra_forbidden":
        return "There is no such field."
    if kind == "string_type":
        return "This must be a text."
    message: str = found["msg"].removeprefix("Value error, ")
    return message if message.endswith((".", "!", "?")) else f"{message}."
