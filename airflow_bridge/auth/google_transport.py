"""What google-auth calls a transport (google.auth.transport.Request), within our time and our rules for addresses."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from airflow_bridge.auth.credentials import Ask
from airflow_bridge.errors import Unreachable

METADATA = "metadata.google.internal"


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    data: bytes


class GoogleTransport:
    def __init__(self, ask: Ask, unreachable: type[Exception]) -> None:
        """unreachable: what google-auth expects where a machine cannot be reached; it looks in several places."""
        self._ask = ask
        self._unreachable = unreachable

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> Response:
        content = body.encode() if isinstance(body, str) else body
        left = self._ask.deadline - time.monotonic()
        if left <= 0:
            raise Unreachable("Google took too long to give a token; nothing was asked of Airflow yet.")
        if _is_of_this_machine(url):
            answer = self._look_around(url, method, content, headers or {}, min(left, timeout or left))
        else:
            found = self._ask.send(method, url, content=content, headers=headers)
            answer = Response(found.status, found.headers, found.body)
        if answer.status == 429 or answer.status >= 500:
            # google-auth would wait and try again, without regard to our time
            raise Unreachable(f"Google was asked for a token and answered {answer.status}. Try again when it is up.")
        return answer

    def _look_around(
        self, url: str, method: str, content: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Response:
        """Ask the metadata server: plain http that does not leave the machine, and no proxy in between."""
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, content, dict(headers))
            answer = connection.getresponse()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, lower, answer.read())
        except (OSError, HTTPException) as error:
            raise self._unreachable(f"there is no metadata server here ({type(error).__name__})") from None
        finally:
            connection.close()


def _is_of_this_machine(url: str) -> bool:
    """Whether it is the metadata server of Google's or Amazon's machines, or what stands in for it."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return False
    if parts.hostname in (METADATA, "localhost"):
        return True
    try:
        address = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return False
    return address.is_link_local or address.is_loopback
