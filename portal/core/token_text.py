"""Finds API tokens in other texts: people sometimes paste a complete token where its id or a name is expected."""

from __future__ import annotations

import re

BEGINNING = r"gh_([a-z0-9]{12})_"
"""The beginning of every token `gh_<key>_<secret>`. It holds no secret."""
COMPLETE = re.compile(rf"{BEGINNING}[A-Za-z0-9]{{38}}", re.ASCII)
"""A complete token: 32 characters of secret and 6 of checksum after the beginning."""
TOKEN_LIKE = re.compile(rf"({BEGINNING})[^\s“”/]+", re.ASCII)


def hide_tokens(text: str) -> str:
    """`text` with the secret of every token replaced: `gh_<key>_***`. Incomplete and mistyped tokens are hidden too."""
    return TOKEN_LIKE.sub(r"\1***", text)


def hide_complete_tokens(text: str) -> str:
    """`text` with the secret of every complete token replaced. A name that only begins like a token is unchanged."""
    return COMPLETE.sub(r"gh_\1_***", text)
