"""The searchable text of an event: all its texts, folded, in one column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from portal.core.text import fold

# early releases stored parameters of runs as ASCII-only JSON; the escaped characters must be found too
ESCAPES = re.compile(r"(?:\\u[0-9a-f]{4})+")


def search_text(document: Any) -> str:
    """Every text in the payload of an event, one per line, folded, without the names of the keys.

    The salt is left out, because a search would match its letters by accident.
    """
    said = {name: item for name, item in document.items() if name != "salt"} if isinstance(document, dict) else document
    return fold("\n".join(map(_readable, _texts(said))))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):  # sorted as in the payload, for verifying
            yield from _texts(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _readable(text: str) -> str:
    return ESCAPES.sub(_unescaped, text) if "\\u" in text else text


def _unescaped(found: re.Match[str]) -> str:
    letters: str = json.loads(f'"{found[0]}"')
    return letters if letters.isprintable() else found[0]  # half a surrogate pair is not a letter; NUL cannot be stored
