"""Values of gatehouse.toml. Each function returns the normalised value, or raises ValueError with the reason and what
to do, as a message for the author of the file."""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import ValidationInfo

from portal.catalogue import patterns
from portal.core import durations, integers

OWN_PREFIX = "gatehouse_"
OWN_ROLES = ("Gatehouse granter", "Gatehouse runner")  # the roles of Gatehouse's two accounts
SHORTEST_GRANT, LONGEST_GRANT = timedelta(minutes=1), timedelta(days=365)
LONGEST_GRACE = timedelta(days=30)
LONGEST_APPLYING = timedelta(days=7)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(days=90)

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?")
_DAG_ID = re.compile(r"[\w.~-]{1,250}")
_GLOB = re.compile(r"[\w.~*?-]{1,250}")
_PLAIN = re.compile(r"[!-~]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_PAGES = {"home", "login", "api", "auth", "dags", "ui", "v1", "v2", "token"}


def name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a name here is 1 to 40 of a-z, 0-9, - and _, beginning and ending with a letter or digit.")
    return value


def group_name(value: str) -> str:
    if not value or len(value) > 150 or value != value.strip() or not value.isprintable():
        raise ValueError("a group's name has 1 to 150 printable characters and no space around it.")
    return value


def word(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise ValueError(
            f"{value[:60]!r} has a space around it, or a line break or something else in it that cannot be printed; "
            "remove it."
        )
    return value


def argument(value: str) -> str:
    """A value that is safe as an argument of a command, or in a comment in a script."""
    if word(value).startswith("-"):
        raise ValueError(f"“{value[:60]}” begins with “-”, which looks like an option of a command; use another name.")
    return value


def subject(value: str) -> str:
    kind, colon, who = value.partition(":")
    if not colon or kind not in ("group", "user"):
        raise ValueError(f"“{value[:60]}” names no person or group: write group:<name> or user:<user name>.")
    if not who or len(who) > 150 or who != who.strip() or not who.isprintable():
        raise ValueError(f"“{value[:60]}” has no valid name after “{kind}:”.")
    return value


def duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError('a duration is written as text, like "30m", "8h" or "3d".')
    return durations.parse(value)


def grant_time(value: timedelta) -> timedelta:
    return _within(value, SHORTEST_GRANT, LONGEST_GRANT, "access may last")


def pending_time(value: timedelta) -> timedelta:
    return _within(value, SHORTEST_WAIT, LONGEST_WAIT, "a request may wait")


def apply_time(value: timedelta) -> timedelta:
    return _within(value, SHORTEST_WAIT, LONGEST_APPLYING, "giving access may take")


def grace_time(value: timedelta) -> timedelta:
    return _within(value, SHORTEST_GRANT, LONGEST_GRACE, "a grace lasts")


def _within(value: timedelta, shortest: timedelta, longest: timedelta, what: str) -> timedelta:
    if not shortest <= value <= longest:
        raise ValueError(
            f"{durations.words(value)} is beyond the limits: {what} from {durations.words(shortest)} "
            f"to {durations.words(longest)}."
        )
    return value


def variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError("this takes the name of an environment variable (letters, digits and _), not a value.")
    return value


def absolute_path(value: str) -> str:
    if not value.startswith("/") or "\x00" in value:
        raise ValueError("write the absolute path: it begins with “/”.")
    return value


def address(value: str) -> str:
    """The address of an Airflow, without its trailing slash."""
    parts = _parsed(value)
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise ValueError("the address ends at the path: remove “?” or “#” and what follows.")
    if not _PATH.fullmatch(path) or path.rpartition("/")[2].lower() in _PAGES:
        raise ValueError(
            f"the address ends with “{path[:40]}”, which is a page and not the root of Airflow; "
            "write the address without it."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def https(value: str) -> str:
    """An address to which secrets are sent: https; http only on this machine."""
    _parsed(value)
    if is_in_the_open(value):
        raise ValueError("the client's secret is sent there; the address must be https.")
    return value


def _parsed(value: str) -> SplitResult:
    """The value is not repeated in the message, because it may contain a password."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"this is not an address: {error}.") from None
    if parts.scheme not in ("http", "https") or not host or not _PLAIN.fullmatch(value):
        raise ValueError("this is not an address; write it like https://airflow.example.com.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address contains a user name or password; write them in granter and runner.")
    return parts


def is_in_the_open(value: str) -> bool:
    """Whether traffic to this address is unencrypted and leaves this machine."""
    parts = urlsplit(value)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def variable_key(value: str) -> str:
    if not value or len(value) > 250 or "/" in value or value in (".", "..") or not value.isprintable():
        raise ValueError("the name of an Airflow variable has 1 to 250 printable characters and no slash.")
    return value


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def airflow_role(value: str) -> str:
    if not value or len(value) > 64 or value != value.strip() or not value.isprintable():
        raise ValueError("the name of an Airflow role has 1 to 64 printable characters and no space around it.")
    if value.lower().startswith(OWN_PREFIX):
        raise ValueError(
            f"roles that begin with “{OWN_PREFIX}” are Gatehouse's own, made for single DAGs; use dag and level."
        )
    if is_own_role(value):
        raise ValueError(
            f"“{value}” is the role of one of Gatehouse's own accounts: its holders could make themselves Admin or run "
            "every DAG. Offer another role."
        )
    return value


def is_own_role(name: str) -> bool:
    """Whether it is the role of one of Gatehouse's accounts. Some databases of Airflow ignore case."""
    return name.casefold() in {own.casefold() for own in OWN_ROLES}


def dag_id(value: str) -> str:
    if any(character in value for character in "*?["):
        raise ValueError(f"“{value[:60]}” is a pattern; write one entry for each DAG.")
    if not is_dag_id(value):
        raise ValueError("the id of a DAG has 1 to 250 letters, digits, and . - _ ~")
    return value


def is_dag_id(value: str) -> bool:
    """Whether a DAG of this id can be addressed in Gatehouse. Some releases of Airflow accept other ids."""
    return bool(_DAG_ID.fullmatch(value)) and value not in (".", "..")


def is_glob(value: str) -> bool:
    return "*" in value or "?" in value


def dag_or_glob(value: str) -> str:
    """The id of a DAG, or a glob with * and ?."""
    if "[" in value:
        raise ValueError(f"“{value[:60]}”: a glob knows only * (any text) and ? (one character); write it without [.")
    if not _GLOB.fullmatch(value) or value in (".", ".."):
        raise ValueError("the id of a DAG has 1 to 250 letters, digits, and . - _ ~; a glob may also have * and ?.")
    return value


def dag_tag(value: str) -> str:
    if not value or len(value) > 100 or value != value.strip() or not value.isprintable():
        raise ValueError("a tag has 1 to 100 printable characters and no space around it.")
    return value


def parameter_name(value: str) -> str:
    if not value or len(value) > 250 or not value.isprintable():
        raise ValueError("the name of a parameter has 1 to 250 printable characters.")
    return value


def result(value: str) -> str:
    """`task.key`. The id of a task in a group has dots itself, so the key begins after the last one."""
    task, _, key = value.rpartition(".")
    if not _DAG_ID.fullmatch(task) or not key or len(key) > 250 or not key.isprintable() or key != key.strip():
        raise ValueError(f"“{value[:60]}” is not a result; write the task and its key like publish.report_url.")
    return value


def ticket_pattern(value: str, info: ValidationInfo) -> str:
    """A regular expression that the complete ticket must match; empty if no ticket is needed.

    A stored version may have a pattern that only an earlier release supported: then no ticket matches.
    """
    return value if is_stored(info) else patterns.checked(value)


def is_stored(info: ValidationInfo) -> bool:
    """Whether the document of a stored version is being read, and not a file."""
    return bool(info.context and info.context.get("stored"))


def ticket_address(value: str) -> str:
    """The address of a ticket: https or http, `{ticket}` exactly once, and not in the server's name."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        ours = parts.scheme in ("https", "http") and parts.hostname and not parts.username
    except ValueError:
        ours = False
    if not ours or any(character.isspace() for character in value):
        raise ValueError("this is not an address; write it like https://tickets.example.com/browse/{ticket}.")
    if value.count("{ticket}") != 1 or "{ticket}" in parts.netloc:
        raise ValueError("write {ticket} once, after the server's name: https://tickets.example.com/browse/{ticket}.")
    return value


def entitlement_key(value: str) -> str:
    """`prod/Auditor` is short for `prod/role/Auditor`."""
    parts = value.split("/")
    if len(parts) == 2 and all(parts):
        return f"{parts[0]}/role/{parts[1]}"
    if all(parts) and ((parts[1:2] == ["role"] and len(parts) > 2) or (parts[1:2] == ["dag"] and len(parts) == 4)):
        return value
    raise ValueError(
        f"“{value[:80]}” is not an entitlement; write it like prod/role/Op or prod/dag/sales_report/operate."
    )


def parameters(value: Any) -> Any:
    """TOML has dates and infinities, which the JSON for Airflow does not have."""
    _check_json(value, "")
    return value


def _check_json(value: Any, at: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_json(item, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for item in value:
            _check_json(item, at)
    elif isinstance(value, int) and not integers.fits(value):
        raise ValueError(f"“{at}” holds {integers.TOO_LARGE}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"“{at}” is {value}, which is not a JSON number.")
    elif not isinstance(value, str | int | float | bool | None):
        raise ValueError(f"“{at}” is a date or time; write it as text, in quotes.")
