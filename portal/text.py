"""Text as it is compared: one folding for identity and search, the same on every database."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """`text` for comparison: compatibility forms, composition and case do not count.

    NFKC, casefold, NFKC again: casefold may undo the composition (Unicode 15, section 3.13, NFKC_Casefold).
    Two texts are the same name exactly if their folds are equal.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
