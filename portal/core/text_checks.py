"""Checks of texts that people enter."""

from __future__ import annotations

import unicodedata

from portal.core.errors import Invalid
from portal.core.lookalikes import without_unseen
from portal.core.token_text import COMPLETE

MAX_TEXT = 2000


def clean_text(field: str, text: str, *, required: str = "") -> str:
    """`text` without surrounding space; empty if all its characters are invisible.

    required: the message if nothing is left; empty if the field may be empty.
    Raises Invalid (`field`) for control characters, direction marks and unpaired surrogates, for a text that is too
    long, and for one that contains an API token, because others would read it.
    """
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_TEXT:
        raise Invalid({field: f"The text has {len(text)} characters; at most {MAX_TEXT} are allowed."})
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs" or (category in ("Cc", "Cf") and character not in "\n\t\u200d\u200c\u00ad"):
            code = f"U+{ord(character):04X}"
            raise Invalid({field: f"The text contains an invisible character ({code}). Remove it."})
    if COMPLETE.search(text):
        raise Invalid({field: f"The {field} contains an API token. Remove it."})
    if not without_unseen(text).strip():
        text = ""
    if required and not text:
        raise Invalid({field: required})
    return unicodedata.normalize("NFC", text)
