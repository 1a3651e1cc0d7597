"""Regular expressions from the file, for tickets. One that could take for ever on a short text is refused at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 200
MOST_REPEATS = 5
_REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)


def checked(pattern: str) -> str:
    """`pattern`, if it is a regular expression that answers quickly on the short texts it is meant for.

    Python's matcher tries again and again where a repeat stands inside a repeat, or many follow each other; such a
    pattern would hold up the portal on one unlucky ticket. Raises ValueError in words.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"the pattern has {len(pattern)} characters; at most {LONGEST} are possible.")
    try:
        tree = parser.parse(pattern)
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"it is not a regular expression: {error}.") from None
    loose = 0
    for kind, inside_repeat in _walk(tree, False):
        if kind is kinds.GROUPREF:
            raise ValueError("a back-reference can take for ever to match; write the text out.")
        if kind in ("loose", "branch") and inside_repeat:
            what = "a repeat" if kind == "loose" else "an alternative (|)"
            raise ValueError(f"{what} inside a repeat can take for ever to match; write it without nesting.")
        loose += kind == "loose"
    if loose > MOST_REPEATS:
        raise ValueError(f"it has {loose} repeats of open length; more than {MOST_REPEATS} can take for ever to match.")
    return pattern


def _walk(items: Any, inside_repeat: bool) -> Iterator[tuple[Any, bool]]:
    """What can make matching slow, each with whether it stands inside a repeat."""
    for kind, value in items:
        if kind in _REPEATS:
            low, high, body = value
            if low != high:
                yield "loose", inside_repeat
            yield from _walk(body, inside_repeat or high > 1)
        elif kind is kinds.BRANCH:
            yield "branch", inside_repeat
            for branch in value[1]:
                yield from _walk(branch, inside_repeat)
        elif kind is kinds.SUBPATTERN:
            yield from _walk(value[-1], inside_repeat)
        elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
            yield from _walk(value[1], inside_repeat)
        elif kind is kinds.ATOMIC_GROUP:
            yield from _walk(value, inside_repeat)
        elif kind in (kinds.GROUPREF, kinds.GROUPREF_EXISTS):
            yield kinds.GROUPREF, inside_repeat
