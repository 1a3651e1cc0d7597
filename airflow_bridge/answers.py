"""Reads what Airflow, or something in front of it, answered: JSON on success, an error in words otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from airflow_bridge.errors import (
    BridgeError,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthorised,
    Unexpected,
    Unreachable,
    Unsupported,
)

LONGEST = 400  # characters of Airflow's own words that are passed on
GATEWAY = (502, 503, 504)


@dataclass(frozen=True)
class Asked:
    """One call, for the words of its errors."""

    deployment: str
    account: str
    """"the account alice" or "the token"."""
    what: str
    """"for the user alice", "to pause sales_report": continues "prod was asked ..."."""
    needs: str = ""
    """The Airflow permission it takes, for example "can_read on Users"."""
    writes: bool = False
    repeatable: bool = False
    """Twice leaves Airflow as once does, though the second may be answered with a conflict."""

    def __str__(self) -> str:
        return f"{self.deployment} was asked {self.what}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON, None where it is empty. Raises ValueError."""
        if not self.body:
            return None
        if "json" not in self.headers.get("content-type", ""):
            raise ValueError("not JSON")
        return json.loads(self.body)

    @property
    def detail(self) -> Any:
        """Airflow's explanation as it came: text, a list of faulty fields or an object; None without one."""
        try:
            body = self.json
        except ValueError:
            return None
        if not isinstance(body, dict):
            return None
        return next((body[key] for key in ("detail", "title") if body.get(key)), None)

    @property
    def token_refused(self) -> bool:
        """Airflow 3 answers 401 only for an expired token; one signed with another key is a 403."""
        return self.status == 401 or (self.status == 403 and self.detail == "Invalid JWT token")


def read(answer: Answer, asked: Asked) -> Any:
    """The JSON of a successful answer. Raises the error that belongs to any other."""
    if 200 <= answer.status < 300:
        try:
            return answer.json
        except ValueError:
            raise Unexpected(
                f"{asked} and answered something that is not Airflow's API (no JSON). "
                "Check its address, and what stands in front of it (a log-in page, a proxy)."
            ) from None
    raise error(answer, asked)


def error(answer: Answer, asked: Asked) -> BridgeError:
    """The error for an answer that is no success."""
    words, field = explain(answer.detail)
    status = answer.status
    words = "" if words == _phrase(status) else words
    came = f"{asked} and answered {status} {_phrase(status)}" + (f": {words}" if words else ".")
    came += "" if came.endswith((".", "!", "?")) else "."
    if answer.token_refused:
        return Unauthorised(f"{came} Check the credentials of {asked.account} for this deployment.")
    if status == 403:
        needs = asked.needs or "a permission it does not have in Airflow"
        return Forbidden(f"{came} We are signed in with {asked.account}, which may not do this: it needs {needs}.")
    if status == 404 and answer.detail not in (None, "Not Found"):
        return NotFound(came)  # Airflow names what is missing; where only the address is unknown, it does not
    if status in (404, 405):
        return Unsupported(
            f"{came} It has no such call: Gatehouse needs Airflow 3 with the FAB auth manager (provider 3.3 or newer)."
        )
    if status == 409:
        return Conflict(came)
    if status == 429:
        return RateLimited(
            f"{came} It wants fewer requests; wait before asking again.", retry_after=retry_after(answer)
        )
    if status in GATEWAY:
        # 503 is said instead of doing anything; behind 502 and 504 stands a request that may have been passed on
        if asked.writes and status != 503:
            return TimedOut(f"{came} Whether it was done is unknown: look before trying again.")
        return Unreachable(f"{came} Try again when it is up.", retry_after=retry_after(answer))
    if 400 <= status < 500:
        return Rejected(came, field=field)
    if 300 <= status < 400:
        return Unexpected(f"{came} Redirects are not followed; give the deployment's final address.")
    doubt = " Whether it was done is unknown: look before trying again." if asked.writes else ""
    return Unexpected(f"{came} The log of its api-server says more.{doubt}")


def explain(detail: Any) -> tuple[str, str | None]:
    """(words, field) of an explanation: never HTML, never the input, which Airflow repeats with the password in it."""
    field = None
    if isinstance(detail, list):
        parts = []
        for item in detail:
            if not isinstance(item, dict):
                continue
            name = ".".join(str(part) for part in item.get("loc", ()) if part not in ("body", "query", "path"))
            field = field or name or None
            parts.append(f"{name}: {item.get('msg', 'not accepted')}" if name else str(item.get("msg", "")))
        words = "; ".join(parts)
    elif isinstance(detail, dict):
        words = str(detail.get("reason") or detail.get("message") or "")
    else:
        # a failed JSON Schema check says all in its first line; the schema and the value follow
        words = str(detail or "").strip().partition("\n")[0]
        if found := re.match(r"Invalid input for param ([^:]+):", words):
            field = found[1]
        elif words.startswith("Unknown roles"):
            field = "roles"
    if "<" in words and ">" in words:
        words = re.sub(r"<[^>]*>", " ", words)
    words = " ".join(words.split())
    return (words if len(words) <= LONGEST else f"{words[:LONGEST]}…"), field


def retry_after(answer: Answer) -> float | None:
    """Seconds to wait, from Retry-After (seconds or a date) or the RateLimit headers; None where neither is there."""
    value = answer.headers.get("retry-after") or answer.headers.get("ratelimit-reset", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no HTTP status)"
