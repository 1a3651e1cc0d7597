"""Typed reading of environment variables. Each value is kept for `manage.py check_config`."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from portal.core.peers import Proxies


@dataclass(frozen=True)
class Reading:
    """One setting as read. `source`: "environment", "file" or "default". `shown`: the value, with secrets hidden."""

    name: str
    source: str
    shown: str


readings: dict[str, Reading] = {}


def _read(name: str, default: str, *, secret: bool = False) -> str:
    source, value = "default", default
    if name in os.environ:
        source, value = "environment", os.environ[name]
    elif f"{name}_FILE" in os.environ:
        file = Path(os.environ[f"{name}_FILE"])
        try:
            source, value = f"file {file}", file.read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE is {file}, which cannot be read: {error.strerror}.") from error
    shown = ("set" if value else "not set") if secret else value
    readings[name] = Reading(name, source, shown)
    return value


def text(name: str, *, default: str, secret: bool = False) -> str:
    return _read(name, default, secret=secret)


def words(name: str, *, default: list[str]) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in _read(name, ",".join(default)).split(",") if word.strip()]


def flag(name: str, *, default: bool) -> bool:
    value = _read(name, "true" if default else "false").lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off", ""):
        return False
    raise ImproperlyConfigured(f"{name} is “{value}”; it takes true or false.")


def number(name: str, *, default: int) -> int:
    value = _read(name, str(default))
    if not value.isdigit():
        raise ImproperlyConfigured(f"{name} is “{value}”; it takes a whole number from 0.")
    return int(value)


def proxies(name: str) -> Proxies:
    """The proxies in front: addresses and networks, or (as in earlier releases) their number; none by default."""
    given = _read(name, "0")
    if given.strip().isdecimal():
        return Proxies(count=int(given))
    found = []
    for word in filter(None, (word.strip() for word in given.split(","))):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} has “{word}”; it takes the addresses or networks of the proxies in front, like "
                "10.0.0.5, 192.168.7.0/24, ::1."
            ) from None
    return Proxies(networks=tuple(found))


def path(name: str, *, default: Path) -> Path:
    return Path(_read(name, str(default))).expanduser().resolve()


def url(name: str, *, default: str) -> str:
    """An http(s) address without a trailing slash."""
    value = _read(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise ImproperlyConfigured(f"{name} is “{value}”; it takes an address like https://gatehouse.example.com.")
    return value


def zone(name: str, *, default: str) -> str:
    value = _read(name, default)
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ImproperlyConfigured(f"{name} is “{value}”; it takes a name like Europe/Berlin.") from error
    return value


def secret(name: str, *, generated_in: Path) -> str:
    """A secret of at least 32 characters. If none is set, one is generated and stored in `generated_in` (0600)."""
    value = _read(name, "", secret=True)
    if value:
        if len(value) < 32:
            raise ImproperlyConfigured(f"{name} has {len(value)} characters; it needs at least 32.")
        return value
    readings[name] = Reading(name, f"generated, kept in {generated_in}", "set")
    try:
        generated_in.parent.mkdir(parents=True, exist_ok=True)
        if not generated_in.exists():
            draft = generated_in.with_name(f".{generated_in.name}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(48))
            # link, not rename: if two processes start at once, the secret of the first one stays
            with contextlib.suppress(FileExistsError):
                generated_in.hardlink_to(draft)
            draft.unlink()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is not set and {generated_in} cannot be written ({error.strerror}). "
            f"Set {name} or GATEHOUSE_DATA_DIR."
        ) from error
    return generated_in.read_text()


NOTICE_A_DEAD_SERVER: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
"""libpq's defaults wait for hours if a server disappears without closing its connections: a host that lost its power, a
firewall that dropped the connection. Options in the address (`?connect_timeout=20`) override these."""


def database(name: str, *, default: str) -> dict[str, Any]:
    """A database address: sqlite:///file or postgres://user:password@host:port/name."""
    value = _read(name, default, secret=True)
    config = environ.Env.db_url_config(value)
    engine = config.get("ENGINE", "")
    readings[name] = Reading(name, readings[name].source, f"{engine.rpartition('.')[2]} {config.get('NAME', '')}")
    if engine == "django.db.backends.sqlite3":
        # WAL: a reader never waits for a writer. IMMEDIATE: a transaction that will write takes the lock at its start,
        # so it waits instead of failing half-way with "database is locked". FULL: what was answered as done survives a
        # power cut.
        config["OPTIONS"] = {
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,  # seconds; then the caller is told to try again (portal.core.faults)
        }
        Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    elif engine == "django.db.backends.postgresql":
        config["CONN_HEALTH_CHECKS"] = True
        pool = {"min_size": 1, "max_size": 40, "timeout": 10}
        config["OPTIONS"] = {**NOTICE_A_DEAD_SERVER, **config.get("OPTIONS", {}), "pool": pool}
    else:
        raise ImproperlyConfigured(
            f"{name} names no database Gatehouse knows; it takes sqlite:///file or postgres://..."
        )
    return config


def broker_options(url: str, *, folder: Path) -> dict[str, Any]:
    """kombu's options for a broker: the folder of the embedded broker, timeouts for the others."""
    scheme = url.partition("://")[0]
    if scheme == "embedded":
        return {"folder": str(folder), "polling_interval": 0.1}
    at_once = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}  # kombu would wait 2 s
    if scheme in ("redis", "rediss"):
        return at_once | {"socket_timeout": 1, "socket_connect_timeout": 1, "visibility_timeout": 300}
    if scheme in ("amqp", "amqps"):
        return at_once | {"read_timeout": 1, "write_timeout": 1}
    raise ImproperlyConfigured(
        f"GATEHOUSE_BROKER_URL begins with “{scheme}”; it takes embedded://, redis://, rediss://, amqp:// or amqps://."
    )


def refuse_unknown(*, prefix: str, but: Iterable[str], error: Callable[[str], Exception]) -> None:
    """Raise for variables with our prefix that no setting reads, because a mistyped variable must not be ignored."""
    known = {*readings, *(f"{name}_FILE" for name in readings), *but}
    unknown = sorted(name for name in os.environ if name.startswith(prefix) and name not in known)
    if unknown:
        raise error(f"{', '.join(unknown)}: no such setting. docs/configuration.md lists all settings.")
