"""Keeps out of the log what the libraries below us would write there at DEBUG: cookies, tokens and keys."""

from __future__ import annotations

import logging
import re

LOGGERS = ("httpcore.http11", "httpcore.http2", "botocore.auth", "botocore.endpoint", "botocore.parsers")
_NAMES = "set-cookie|x-amz-security-token|webtoken|secret_?access_?key|session_?token|access_?token"
_SECRET = re.compile(
    rf"""(?P<name>{_NAMES})              # as a header, a JSON key, an XML element
         (?P<between>(?:["']?\s*[:=,]\s*|>)b?(?P<quote>["'])?)
         (?P<value>(?(quote)(?:(?!(?P=quote)).)+|[^\s<]+))""",
    re.IGNORECASE | re.VERBOSE,
)


class _Redact(logging.Filter):
    """Changes the text of a record, never whether it is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = _SECRET.sub(r"\g<name>\g<between>***", text)
        if clean != text:
            record.msg, record.args = clean, ()
        return True


def keep_clean() -> None:
    """Takes effect once, however often it is called."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Redact) for one in logger.filters):
            logger.addFilter(_Redact())
