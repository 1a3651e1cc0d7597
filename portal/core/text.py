"""Comparing texts: one folding for names and for search, the same on every database."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from portal.core import bounds
from portal.core.errors import Invalid

LONGEST_SEARCH = 420  # characters; the longest target of an audit event
MOST_WORDS = 20


def fold(text: str) -> str:
    """`text` in its form for comparison: case, composition and compatibility forms are ignored.

    NFKC, casefold, NFKC again, because casefold may undo the composition (Unicode 15, section 3.13, NFKC_Casefold).
    Two texts are the same name exactly if their folded forms are equal.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def search_words(text: str, *, field: str = "q") -> list[str]:
    """The search words of `text`, folded, without duplicates. A result contains all of them, in any place.

    Raises Invalid (`field`) for characters that a database cannot search for, and for too many words: each word costs a
    scan of all rows.
    """
    if not bounds.is_storable(text):
        raise Invalid({field: "The text holds a character that cannot be searched for."})
    if len(text) > LONGEST_SEARCH:
        said = f"The text has {len(text)} characters; at most {LONGEST_SEARCH} can be searched for."
        raise Invalid({field: said})
    words = list(dict.fromkeys(fold(text).split()))
    if len(words) > MOST_WORDS:
        raise Invalid({field: f"The text has {len(words)} words; at most {MOST_WORDS} can be searched for."})
    return words


def contains_words(text: str, words: Iterable[str]) -> bool:
    """Whether `text` contains all of the folded `words`."""
    folded = fold(text)
    return all(word in folded for word in words)
