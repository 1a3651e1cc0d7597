"""What the OpenAPI document says beyond what the endpoints say themselves: scopes, problems, idempotency keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Document = TypeVar("Document", bound=dict[str, Any])

PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "reason"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "for people: what was refused, why, and the way out"},
        "reason": {"type": "string", "description": "a stable word for programs"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "with 422: what is wrong with each field",
        },
    },
}
ANSWER = {
    "description": "Refused, with its reason",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the same key with the same call within 24 hours gets the same answer and does nothing again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def complete(document: Document, scopes: Mapping[str, list[str]]) -> Document:
    """Add to every call its scopes and how it says no, and to every POST the key by which it may be repeated.

    scopes: of each operation id; a token with one of them will do.
    """
    document["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for calls in document["paths"].values():
        for method, call in calls.items():
            call["responses"]["default"] = ANSWER
            call["security"] = [{"Bearer": [scope]} for scope in scopes[call["operationId"]]] or [{"Bearer": []}]
            if method == "post" and KEY not in call["parameters"]:
                call["parameters"].append(KEY)
    return document
