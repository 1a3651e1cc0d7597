"""Limits for input from web and API: lengths, numbers of fields, times, duplicate names.

The limits for search texts are in `portal.core.text`. Every check takes time proportional to the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from portal.core.errors import Invalid

NAME = 100  # characters in the name of a parameter or field
QUERY = 4000  # characters of one query parameter; the reason in a preview has up to 2,000
FORM = 200_000  # characters of one field of a form; the parameters of a run have up to 64 KiB
FIELDS = 200  # query parameters, or fields of a form
EARLIEST = datetime(1, 1, 3, tzinfo=UTC)
LATEST = datetime(9999, 12, 29, tzinfo=UTC)
"""A time between EARLIEST and LATEST exists in every time zone."""


def first_duplicate(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time; None if all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def moment(found: datetime) -> datetime:
    """An aware time in UTC. A time that does not exist in some time zone is moved to EARLIEST or LATEST."""
    try:
        return min(max(found.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        return EARLIEST if found.year < 5000 else LATEST


def check_fields(given: Mapping[str, Iterable[str]], *, longest: int) -> None:
    """Check every name and value of a query string or form. Raises Invalid for the first one that is not accepted."""
    if len(given) > FIELDS:
        raise Invalid({"fields": f"{len(given)} fields are too many; at most {FIELDS} can be sent."})
    for name, values in given.items():
        for value in values:
            if not is_storable(name) or not is_storable(value):
                raise Invalid({shown(name): "The text holds a character that cannot be stored."})
            if len(name) > NAME or len(value) > longest:
                raise Invalid({shown(name): f"The text has {len(value)} characters; at most {longest} can be sent."})


def is_storable(text: str) -> bool:
    """Whether a database accepts the text: NUL and unpaired surrogates cannot be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def shown(name: str) -> str:
    """A name chosen by somebody else, shortened and made printable for an answer."""
    return "".join(character if character.isprintable() else "?" for character in name[:40])
