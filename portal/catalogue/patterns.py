"""Regular expressions for tickets, from gatehouse.toml.

RE2 matches them in time proportional to the text, so no pattern can block the portal. RE2 has no look-around, no
back-references and no possessive repeats; patterns with these are refused.
"""

from __future__ import annotations

import re

import re2

LONGEST = 200
SYNTAX = "https://github.com/google/re2/wiki/Syntax"

_quiet = re2.Options()
_quiet.log_errors = False

# features of Python's `re` that RE2 does not have: how to recognise them, their names, what to write instead
_UNKNOWN = (
    (re.compile(r"\(\?<?[=!]"), "look-ahead and look-behind", "describe the whole ticket from left to right"),
    (re.compile(r"\\[1-9]|\(\?P=|\(\?\("), "back-references and conditions", "write the text out"),
    (
        re.compile(r"\(\?>|[*+?}]\+"),
        "atomic groups and possessive repeats",
        "write a plain repeat",
    ),
    (re.compile(r"\\Z"), r"\Z", "leave it out: a pattern must match the whole ticket"),
)
_LITERAL = re.compile(r"\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_BRACE = re.compile(r"\{(?![0-9]{1,4}(?:,[0-9]{0,4})?\})")


def checked(pattern: str) -> str:
    """The pattern, if RE2 supports it. Raises ValueError with the reason and what to do."""
    if len(pattern) > LONGEST:
        raise ValueError(f"the pattern has {len(pattern)} characters; at most {LONGEST} are allowed.")
    try:
        re2.compile(pattern, _quiet)
    except UnicodeEncodeError:
        raise ValueError("it is not a regular expression: it contains an unpaired surrogate.") from None
    except re2.error as error:
        raise ValueError(_reason(pattern, error)) from None
    if _BRACE.search(_LITERAL.sub("", pattern)):
        # RE2 reads such a brace as a character, Python's `re` as a repeat
        raise ValueError("a repeat is written {2}, {2,} or {2,5}, up to 1000; for the brace itself write \\{.")
    return pattern


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches the complete text. A pattern that RE2 does not support matches no text."""
    try:
        return re2.fullmatch(pattern, text, _quiet) is not None
    except (UnicodeEncodeError, re2.error):  # an unpaired surrogate; a pattern of an earlier release
        return False


def is_known(pattern: str) -> bool:
    """Whether RE2 supports the pattern. An earlier release may have accepted other patterns."""
    try:
        checked(pattern)
    except ValueError:
        return False
    return True


def _reason(pattern: str, error: Exception) -> str:
    for unknown, called, instead in _UNKNOWN:
        if unknown.search(pattern):
            return f"{called} cannot be used in patterns, which are matched by RE2; {instead}."
    said = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
    return f"it is not a regular expression that RE2 knows ({said}); see {SYNTAX}."
