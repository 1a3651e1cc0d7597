"""Reads a request's body, with a size limit and a deadline for the complete body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Gone(Exception):
    """The caller left before the body was complete."""


class TooSlow(Exception):
    """The body was not complete in time."""


class TooLarge(Exception):
    """The body is larger than `longest` bytes, the limit."""

    def __init__(self, longest: int) -> None:
        self.longest = longest


class NoRoom(Exception):
    """No memory is left for another body, because the front already holds many."""


class Bodies:
    """All bodies that are being read or that wait for an answer. `room` limits their total size, in bytes."""

    def __init__(self, *, deadline: float, room: int) -> None:
        self._deadline = deadline
        self._room = room

    @contextlib.asynccontextmanager
    async def read(self, receive: Receive, *, longest: int) -> AsyncIterator[bytes]:
        """The body, which counts towards `room` until the context ends. Empty, and not read, if `longest` is 0.

        Raises TooLarge, TooSlow, Gone, NoRoom.
        """
        parts: list[bytes] = []
        size = 0
        try:
            try:
                async with asyncio.timeout(self._deadline):
                    async for part in _parts(receive, longest):
                        size += len(part)
                        self._room -= len(part)
                        if self._room < 0:
                            raise NoRoom
                        parts.append(part)
            except TimeoutError:
                raise TooSlow from None
            body = b"".join(parts)
            parts.clear()  # keep only one copy, because `room` counts one
            yield body
        finally:
            self._room += size


async def _parts(receive: Receive, longest: int) -> AsyncIterator[bytes]:
    """The pieces of the body in the order in which they arrive. Raises TooLarge, Gone."""
    size, more = 0, longest > 0
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > longest:
            raise TooLarge(longest)
        yield part
        more = message.get("more_body", False)


def announced(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The length in the headers: 0 without a body, None for a chunked body of unknown length."""
    found = dict(headers)
    if b"transfer-encoding" in found:
        return None
    length = found.get(b"content-length", b"0")
    return int(length) if length.isdigit() and len(length) < 19 else None
