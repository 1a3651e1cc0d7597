"""Log format that logged text cannot forge: one record is one line, and each line of a traceback is marked."""

from __future__ import annotations

import logging
import re
from types import TracebackType
from typing import TypeAlias

from portal.core.token_text import hide_tokens

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

# control characters, line and paragraph separators, direction marks, unpaired surrogates
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    """`text` on one line, every unsafe character as Python writes it (`\\n`, `\\x1b`, `\\u2028`)."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


class Line(logging.Formatter):
    """Lines of a traceback begin with two spaces and a bar. Every other line is a new record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return hide_tokens(escaped(super().formatMessage(record)))

    def formatException(self, ei: ExcInfo) -> str:
        return _marked(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _marked(super().formatStack(stack_info))


def _marked(text: str) -> str:
    return "\n".join(f"  | {escaped(line)}" for line in text.splitlines())
