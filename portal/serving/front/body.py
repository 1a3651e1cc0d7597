"""Reading a request's body: within a bound, and within a deadline for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Gone(Exception):
    """The caller left before the body was there."""


class TooSlow(Exception):
    """The body was not there in time."""


class TooLarge(Exception):
    """The body is larger than may be sent."""


class NoRoom(Exception):
    """So many bodies are being read that there is no memory for another one."""


class Bodies:
    """All the bodies that are being read. `room` bounds their sizes together, in bytes."""

    def __init__(self, *, deadline: float, room: int) -> None:
        self._deadline = deadline
        self._room = room

    async def read(self, receive: Receive, *, longest: int) -> bytes:
        """The body. Raises TooLarge, TooSlow, Gone, NoRoom. What was read is counted only while it is being read."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._deadline):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Gone
                    part = message.get("body", b"")
                    self._room -= len(part)
                    body += part
                    if len(body) > longest:
                        raise TooLarge
                    if self._room < 0:
                        raise NoRoom
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._room += len(body)


def announced(headers: list[tuple[bytes, bytes]]) -> int | None:
    """How long the body is said to be: 0 when there is none, None when it comes in chunks of unknown number."""
    found = dict(headers)
    if b"transfer-encoding" in found:
        return None
    length = found.get(b"content-length", b"0")
    return int(length) if length.isdigit() and len(length) < 19 else None
