"""How much may be entered, for every door: lengths, numbers of fields, moments, names given twice.

What is searched for has its bounds in `portal.core.text`. Every check costs time in proportion to what is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from portal.core.errors import Invalid

NAME = 100  # characters of a parameter's or field's name
QUERY = 4000  # characters of one parameter of an address; a reason that is previewed has up to 2,000
FORM = 200_000  # characters of one field of a form; the parameters of a run have up to 64 KiB
FIELDS = 200  # parameters of an address, or fields of a form
EARLIEST = datetime(1, 1, 3, tzinfo=UTC)
LATEST = datetime(9999, 12, 29, tzinfo=UTC)
"""Between these, a moment can be told in every time zone."""


def first_twin(names: Iterable[str]) -> str | None:
    """The first name that was there before; None when all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def moment(found: datetime) -> datetime:
    """An aware moment in UTC; one that some time zone has no day for becomes the first or the last that all have."""
    try:
        return min(max(found.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        return EARLIEST if found.year < 5000 else LATEST


def check_fields(given: Mapping[str, Iterable[str]], *, longest: int) -> None:
    """Every name and value of an address or a form. Raises Invalid with the first one that cannot be taken."""
    if len(given) > FIELDS:
        raise Invalid({"fields": f"{len(given)} fields are too many; at most {FIELDS} can be sent."})
    for name, values in given.items():
        for value in values:
            if not is_storable(name) or not is_storable(value):
                raise Invalid({shown(name): "The text holds a character that cannot be stored."})
            if len(name) > NAME or len(value) > longest:
                raise Invalid({shown(name): f"The text has {len(value)} characters; at most {longest} can be sent."})


def is_storable(text: str) -> bool:
    """Whether a database takes it: NUL and unpaired surrogates cannot be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def shown(name: str) -> str:
    """A name that somebody else chose, as it can be told in an answer."""
    return "".join(character if character.isprintable() else "?" for character in name[:40])
