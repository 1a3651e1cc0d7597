"""The portal's own tokens within other text: somebody pastes a whole token where its id, or a name, was asked for."""

from __future__ import annotations

import re

BEGINNING = r"gh_([a-z0-9]{12})_"
"""What every token `gh_<key>_<secret>` begins with. Of a text up to here nothing is secret."""
COMPLETE = re.compile(rf"{BEGINNING}[A-Za-z0-9]{{38}}", re.ASCII)
"""A token as it is issued: 32 characters of its secret and 6 of its checksum."""
WHOLE = re.compile(rf"({BEGINNING})[^\s“”/]+", re.ASCII)


def hide_tokens(text: str) -> str:
    """`text` with the secret of every token in it replaced: `gh_<key>_***`. Also where a token is cut or mistyped."""
    return WHOLE.sub(r"\1***", text)


def hide_complete_tokens(text: str) -> str:
    """`text` with the secret of every complete token in it replaced; a name that begins like a token stays as it is."""
    return COMPLETE.sub(r"gh_\1_***", text)
