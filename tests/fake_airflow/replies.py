"""How the fake puts its answers: bodies, content types, and the two ways of saying no."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

HTML = "text/html; charset=utf-8"
JSON = "application/json"
PROBLEM = "application/problem+json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """An answer. A body of text or bytes is sent as it is, an iterable of bytes piece by piece while it comes, None as
    nothing at all, anything else as JSON."""

    status: int
    body: Any = None
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()


NULL = Reply(200, "null")
NOTHING = Reply(204)


def of_release(reply: Reply, version: str) -> Reply:
    """With links to that version's guide."""
    if reply.kind != PROBLEM:
        return reply
    return replace(reply, body={**reply.body, "type": reply.body["type"].replace("{version}", version)})


class Refusal(Exception):
    """Ends a request with this answer."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


def detail(status: int, words: Any) -> Refusal:
    """As Airflow 3 says no."""
    return Refusal(Reply(status, {"detail": words}))


def faulty(kind: str, at: tuple[str | int, ...], words: str, given: Any, **more: Any) -> dict[str, Any]:
    """One fault of a 422 of Airflow 3: it repeats what was given, passwords included."""
    return {"type": kind, "loc": list(at), "msg": words, "input": given, **more}


_SECTIONS = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "AlreadyExists",
    500: "Unknown",
}
GUIDE = "https://airflow.apache.org/docs/apache-airflow/{version}/stable-rest-api-ref.html#section/Errors/"


def problem(status: int, words: str | None = None, *, title: str = "") -> Refusal:
    """As Airflow 2 says no; what matters is in `title` where `detail` is null."""
    body = {
        "detail": words,
        "status": status,
        "title": title or ("Conflict" if status == 409 else HTTPStatus(status).phrase),
        "type": f"{GUIDE}{_SECTIONS[status]}",
    }
    return Refusal(Reply(status, body, PROBLEM))


def html_page(status: int, words: str) -> Refusal:
    """What is said by a web page: by a crash of Airflow 2, by paths that no API knows."""
    return Refusal(
        Reply(
            status,
            f"<!DOCTYPE html>\n<html><head><title>Airflow {status}</title></head><body>{words}</body></html>",
            HTML,
        )
    )


def crash() -> Refusal:
    return html_page(500, "<h1> Ooops! </h1>Something bad has happened.")


def seconds(began: datetime | None, ended: datetime | None) -> float | None:
    """How long it took; None for what has not ended."""
    return (ended - began).total_seconds() if began and ended else None


def moment(value: datetime | None) -> str | None:
    """As Airflow 3 writes it."""
    return value.isoformat().replace("+00:00", "Z") if value else None


def moment_v1(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def moment_without_zone(value: datetime | None) -> str | None:
    return value.replace(tzinfo=None).isoformat() if value else None
