"""Additions to the OpenAPI document: scopes, problems and idempotency keys, which the endpoints do not declare."""

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
        "detail": {"type": "string", "description": "for people: what was refused, why, and what to do"},
        "reason": {"type": "string", "description": "a stable word for programs"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "with 422: the error of each field",
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
    "description": "a call that is repeated with its key within 24 hours gets the first answer and changes nothing",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def complete(document: Document, scopes: Mapping[str, list[str]]) -> Document:
    """Add its scopes and the problem response to every call, and the idempotency key to every POST.

    scopes: by operation id; a token needs one of them.
    """
    document["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for calls in document["paths"].values():
        for method, call in calls.items():
            call["responses"]["default"] = ANSWER
            call["security"] = [{"Bearer": [scope]} for scope in scopes[call["operationId"]]] or [{"Bearer": []}]
            if method == "post" and KEY not in call["parameters"]:
                call["parameters"].append(KEY)
    return document
