"""Reads what Airflow, or something in front of it, answered: JSON on success, an error in words otherwise."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from airflow_bridge import limits
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

Value = TypeVar("Value")

LONGEST = 400  # characters of Airflow's own words that are passed on
GATEWAY = (502, 503, 504)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
BASIC_ONLY = "This part of its API takes a password only where [fab] auth_backends has a basic_auth."
UNKNOWN = "Whether it was done is unknown: look before trying again."


class Again(enum.Enum):
    """When a call may be sent a second time without harm."""

    ANY = enum.auto()
    """After any failure: reads and idempotent writes. An idempotent write is not repeated after a timeout, because the
    first attempt may still arrive, after a later write."""
    OVER = enum.auto()
    """After a 500, which ends the first attempt (Airflow answers it when two requests write to SQLite at once). At
    worst the second attempt is a conflict."""
    UNSENT = enum.auto()
    """If nothing of the first attempt was sent."""


@dataclass(frozen=True, kw_only=True)
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
    again: Again = Again.UNSENT

    def __str__(self) -> str:
        return f"{self.deployment} was asked {self.what}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    hide: Callable[[Any], Any] = field(default=lambda value: value, repr=False, compare=False)
    """Hides the credentials in use in JSON that may repeat our request (`Redactor.anywhere`)."""

    @property
    def json(self) -> Any:
        """The body read as JSON, None where it is empty. Raises ValueError."""
        if not self.body:
            return None
        if "json" not in self.headers.get("content-type", ""):
            raise ValueError("not JSON")
        try:
            return _storable(json.loads(self.body))
        except RecursionError:
            raise ValueError("nested too deep") from None

    @property
    def detail(self) -> Any:
        """Airflow's explanation as it came: text, a list of faulty fields or an object; None without one.

        It may hold our credentials: only `hide` makes it fit for an error.
        """
        try:
            body = self.json
        except ValueError:
            return None
        if not isinstance(body, dict):
            return None
        return next((body[key] for key in ("detail", "title") if body.get(key)), None)

    @property
    def names_what_is_missing(self) -> bool:
        """Whether a 404 is about a user or a DAG, and not about an address that is none of Airflow's."""
        return self.detail not in (None, "Not Found")

    @property
    def text(self) -> str:
        """The body as text. Raises ValueError for a web page, which is never what was asked for."""
        if "html" in self.headers.get("content-type", ""):
            raise ValueError("a web page")
        return self.body.decode("utf-8", "replace")

    @property
    def signing_refused(self) -> bool:
        """Airflow 3 answers 401 only for an expired token; one signed with another key is a 403."""
        return self.status == 401 or (self.status == 403 and self.detail == "Invalid JWT token")


def _storable(value: Any) -> Any:
    """JSON without NUL and lone surrogates, which no database keeps: U+FFFD stands for each. A DAG's author may write
    them in a title or a tag."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(part) for part in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(part) for name, part in value.items()}
    return value


def read(answer: Answer, asked: Asked, *, text: bool = False) -> Any:
    """The JSON (or the text) of a successful answer. Raises the error that belongs to any other."""
    if 200 <= answer.status < 300:
        try:
            return answer.text if text else answer.json
        except ValueError:
            raise Unexpected(
                f"{asked} and answered something that is not Airflow's API (a web page, or no JSON). "
                "Check its address, and what stands in front of it (a log-in page, a proxy)."
            ) from None
    raise error(answer, asked)


def check_streamed(answer: Answer, asked: Asked) -> None:
    """Raises Unexpected for an answer in parts that is a web page, or compressed although that was not allowed."""
    if "html" in answer.headers.get("content-type", "") or answer.headers.get("content-encoding", "") not in (
        "",
        "identity",
    ):
        raise Unexpected(
            f"{asked} and answered something that is not Airflow's API (a web page, or a compressed answer). "
            "Check its address, and what stands in front of it (a log-in page, a proxy)."
        )


def encode(asked: Asked, body: Mapping[str, Any] | None) -> bytes | None:
    """A request's body. Raises Rejected for what JSON does not know."""
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise Rejected(f"{asked}, but with values that JSON does not know (NaN, dates). Nothing was sent.") from None
    except RecursionError:
        raise Rejected(f"{asked}, but with values nested too deep for JSON. Nothing was sent.") from None


def parsed(body: Any, parse: Callable[[Any], Value], asked: Asked) -> Value:
    """What `parse` makes of a body. Raises Unexpected where the body has another shape."""
    try:
        return parse(body)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise Unexpected(
            f"{asked} and answered JSON of an unknown shape. This release of Airflow may be too new or too old."
        ) from None


def error(answer: Answer, asked: Asked) -> BridgeError:
    """The error for an answer that is no success."""
    try:
        words, field = explain(answer.hide(answer.detail))
    except RecursionError:  # nested too deep to be looked through
        words, field = "", None
    status = answer.status
    words = "" if words == _phrase(status) else words
    came = f"{asked} and answered {status} {_phrase(status)}" + (f": {words}" if words else ".")
    came += "" if came.endswith((".", "!", "?")) else "."
    if answer.signing_refused:
        old = "problem+json" in answer.headers.get("content-type", "")
        hint = f" {BASIC_ONLY}" if old else ""
        return Unauthorised(f"{came} Check the credentials of {asked.account} for this deployment.{hint}")
    if status == 403:
        needs = asked.needs or "a permission it does not have in Airflow"
        return Forbidden(f"{came} We are signed in with {asked.account}, which may not do this: it needs {needs}.")
    if status == 404 and answer.names_what_is_missing:
        return NotFound(came)  # Airflow names nothing where only the path is unknown
    if status in (404, 405):
        return Unsupported(f"{came} This Airflow has no such call.")
    if status == 409:
        return Conflict(came)
    if status == 429:
        return RateLimited(
            f"{came} It wants fewer requests; wait before asking again.", retry_after=limits.retry_after(answer.headers)
        )
    if status in GATEWAY:
        # 503: nothing was done. 502 and 504: the request may have reached Airflow
        if asked.writes and status != 503:
            return TimedOut(f"{came} {UNKNOWN}")
        return Unreachable(f"{came} Try again when it is up.", retry_after=limits.retry_after(answer.headers))
    if 400 <= status < 500:
        return Rejected(came, field=field)
    if 300 <= status < 400:
        return Unexpected(f"{came} Redirects are not followed; give the deployment's final address.")
    doubt = f" {UNKNOWN}" if asked.writes else ""
    return Unexpected(f"{came} The log of its api-server says more.{doubt}")


def closed(asked: str) -> Unreachable:
    """asked: "prod was asked ..."."""
    return Unreachable(f"{asked}, but this client of it is closed. Make another with `connect`.")


def not_recognised(asked: Asked) -> str:
    """The words for an Airflow 2 that does not know us: it answers 403 to everything, whatever the reason."""
    return (
        f"{asked} and answered 403, as it does to everything we ask. Airflow 2 says the same of a wrong password and "
        f"of missing permissions: check the password of {asked.account}, that its roles allow something, and that "
        "[api] auth_backends has a basic_auth."
    )


def explain(detail: Any) -> tuple[str, str | None]:
    """(words, field) of an explanation: never HTML, never the input, which Airflow repeats with the password in it."""
    field = None
    if isinstance(detail, list):
        parts = []
        for item in detail:
            if not isinstance(item, dict):
                continue
            place = item.get("loc")
            steps = (_plain(step) for step in place) if isinstance(place, list) else ()
            name = ".".join(step for step in steps if step not in ("", "body", "query", "path"))
            field = field or name or None
            said = _plain(item.get("msg"))
            parts.append(f"{name}: {said or 'not accepted'}" if name else said)
        words = "; ".join(filter(None, parts))
    elif isinstance(detail, dict):
        words = _plain(detail.get("reason")) or _plain(detail.get("message"))
    else:
        # the first line of a failed JSON Schema check has the reason; the schema and the value follow
        words = str(detail or "").strip().partition("\n")[0]
        if found := re.match(r"Invalid input for param ([^:]+):", words):
            field = found[1]
        elif words.startswith("Unknown roles"):
            field = "roles"
    if "<" in words and ">" in words:
        words = re.sub(r"<[^>]*>", " ", words)
    words = " ".join(words.split())
    return (words if len(words) <= LONGEST else f"{words[:LONGEST]}…"), field


def _plain(value: Any) -> str:
    """Text and numbers. Nothing is lost with the rest, which may be nested deeper than can be written down."""
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no HTTP status)"
