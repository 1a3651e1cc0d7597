"""A WSGI application's answer, taken from it in pieces, each in a thread; between two pieces it holds none.

What iterates over an answer must therefore keep nothing open that belongs to a thread, such as a database cursor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import close_old_connections

PIECE = 256 * 1024  # bytes that are gathered before they are sent

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Answer:
    """One answer. `begin` and `more` are called one after the other, in any thread."""

    code = 500
    headers: list[tuple[bytes, bytes]] = []

    def __init__(self, application: Application, environ: dict[str, Any]) -> None:
        self._application = application
        self._environ = environ
        self._parts: Iterator[bytes] = iter(())
        self._close: Callable[[], None] = lambda: None

    def begin(self) -> tuple[bytes, bool]:
        """Call the application; the first piece, and whether more may follow. `code` and `headers` are there then."""
        result = self._application(self._environ, self._started)
        self._close = getattr(result, "close", self._close)
        self._parts = iter(result)
        return self._gathered()

    def more(self) -> tuple[bytes, bool]:
        """The next piece, and whether more may follow."""
        try:
            return self._gathered()
        finally:
            close_old_connections()

    def close(self) -> None:
        """Tell the application that nobody takes the rest."""
        close, self._close = self._close, lambda: None
        close()

    def _gathered(self) -> tuple[bytes, bool]:
        gathered, size = [], 0
        try:
            for part in self._parts:
                gathered.append(part)
                size += len(part)
                if size >= PIECE:
                    return b"".join(gathered), True
        except BaseException:
            self.close()
            raise
        self.close()
        return b"".join(gathered), False

    def _started(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        self.code = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _write_is_not_supported


def _write_is_not_supported(data: bytes) -> None:
    raise NotImplementedError("applications give their body as an iterable")


def refusal(path: str, status: int, title: str, detail: str, reason: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body with which the front says no by itself: a problem (RFC 9457) for programs, text for people."""
    if path.startswith("/api/"):
        kind = b"application/problem+json"
        problem = {"type": f"urn:gatehouse:problem:{reason}", "title": title, "status": status}
        text = json.dumps({**problem, "detail": detail, "reason": reason})
    else:
        kind, text = b"text/plain; charset=utf-8", f"{title}. {detail}\n"
    body = text.encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    return [*headers, (b"retry-after", b"5")] if status == 503 else headers, body
