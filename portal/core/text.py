"""Text as it is compared: one folding for identity and search, the same on every database."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from portal.core.errors import Invalid

LONGEST_SEARCH = 420  # characters; as long as the longest thing an event can be about
MOST_WORDS = 20


def fold(text: str) -> str:
    """`text` for comparison: compatibility forms, composition and case do not count.

    NFKC, casefold, NFKC again: casefold may undo the composition (Unicode 15, section 3.13, NFKC_Casefold).
    Two texts are the same name exactly if their folds are equal.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def search_words(text: str, *, field: str = "q") -> list[str]:
    """The words of `text` to search for, folded, each once: what is searched holds every one of them somewhere.

    Raises Invalid (`field`) for what no database can search for, and for more than anybody types: every word costs a
    look at every row.
    """
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Invalid({field: "The text holds a character that cannot be searched for."})
    if len(text) > LONGEST_SEARCH:
        said = f"The text has {len(text)} characters; at most {LONGEST_SEARCH} can be searched for."
        raise Invalid({field: said})
    words = list(dict.fromkeys(fold(text).split()))
    if len(words) > MOST_WORDS:
        raise Invalid({field: f"The text has {len(words)} words; at most {MOST_WORDS} can be searched for."})
    return words


def says(text: str, words: Iterable[str]) -> bool:
    """Whether `text` holds every one of the folded `words`."""
    folded = fold(text)
    return all(word in folded for word in words)
