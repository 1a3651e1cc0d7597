"""The portal's own tokens within other text: somebody pastes a whole token where its id, or a name, was asked for."""

from __future__ import annotations

import re

BEGINNING = r"gh_([a-z0-9]{12})_"
"""What every token `gh_<key>_<secret>` begins with. Of a text up to here nothing is secret."""
WHOLE = re.compile(rf"({BEGINNING})[^\s“”/]+", re.ASCII)


def hide_tokens(text: str) -> str:
    """`text` with the secret of every token in it replaced: `gh_<key>_***`. Also where a token is cut or mistyped."""
    return WHOLE.sub(r"\1***", text)
