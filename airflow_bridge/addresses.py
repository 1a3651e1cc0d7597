"""Addresses that credentials may be sent to."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from airflow_bridge.errors import Rejected


def check(whose: str, url: str, *, allow_plain_http: bool = False, field: str = "url") -> None:
    """Raise Rejected for a malformed address, and for http to another machine, over which passwords could be read.

    whose: how the error calls what lives there. It never repeats the address, which may hold a password.
    """
    if " " in url or not url.isprintable():  # urlsplit removes some of these silently
        raise Rejected(f"{whose}: its address must have no blanks in it or around it.", field=field)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        (host or "").encode("idna")  # fails for empty and for too long parts of a name
    except ValueError:
        raise Rejected(f"{whose}: its address is none.", field=field) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise Rejected(f"{whose}: its address must look like https://airflow.example.com.", field=field)
    if parts.username or parts.password:
        raise Rejected(f"{whose}: its address must not carry a user name or password.", field=field)
    if parts.scheme == "http" and not allow_plain_http and not _is_loopback(parts):
        raise Rejected(
            f"{whose}: over http the password could be read on the way; its address must be https.", field=field
        )


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own."""
    return _is_loopback(urlsplit(url))


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
