"""Tickets: a policy's pattern in words, checking a ticket, and its address."""

from __future__ import annotations

import re
from urllib.parse import quote

from portal.catalogue import patterns
from portal.catalogue.document import PolicySpec

MAX_TICKET = 80

# the parts of a pattern that CALLED has words and an example for
PART = re.compile(
    r"(?P<set>\[0-9\]|\\d|\[A-Z\]|\[a-z\]|\[A-Za-z\])(?P<times>\+|\{\d+\}|\{\d+,\d*\})?|(?P<literal>[\w #/:-]|\\[-./])"
)
CALLED = {
    "[0-9]": ("a digit", "digits", "123456789"),
    "\\d": ("a digit", "digits", "123456789"),
    "[A-Z]": ("a capital letter", "capital letters", "ABCDEFGHI"),
    "[a-z]": ("a small letter", "small letters", "abcdefghi"),
    "[A-Za-z]": ("a letter", "letters", "ABCdefghi"),
}


def words(policy: PolicySpec) -> str:
    """The pattern in words: `Use OPS- followed by digits, for example OPS-123.` for `^OPS-[0-9]+$`. A pattern that
    cannot be put into words is shown itself."""
    parts, example = _read(policy.ticket)
    example = policy.ticket_example or example
    like = f", for example {example}" if example else ""
    if not parts:
        return f"Use a ticket that matches {policy.ticket}{like}."
    if len(parts) < 3:
        return f"Use {' followed by '.join(parts)}{like}."
    return f"Use {', '.join(parts[:-1])} and {parts[-1]}{like}."


def _read(pattern: str) -> tuple[list[str], str]:
    """The parts of a simple pattern in words, and a matching ticket; both empty for any other pattern."""
    parts: list[tuple[str, bool]] = []  # words, and whether they are literal
    example, place = "", 0
    inner = pattern.removeprefix("^").removesuffix("$")
    while place < len(inner):
        part = PART.match(inner, place)
        if part is None:
            return [], ""
        place = part.end()
        if part["literal"]:
            character = part["literal"][-1]
            example += character
            if parts and parts[-1][1]:
                parts[-1] = (parts[-1][0] + character, True)
            else:
                parts.append((character, True))
            continue
        one, many, letters = CALLED[part["set"]]
        times = part["times"] or ""
        number = int(re.sub(r"\D.*", "", times[1:]) or 1) if times.startswith("{") else 3 if times else 1
        parts.append((one if not times else many if times == "+" else f"{number} {many}", False))
        example += (letters * number)[:number]
    if not parts or not patterns.matches(pattern, example):
        return [], ""
    return [f"“{text}”" if literal and not text[0].isalnum() else text for text, literal in parts], example


def problem(ticket: str, policy: PolicySpec) -> dict[str, str]:
    """The error of `ticket` under `policy`, by field; empty if it is valid."""
    if len(ticket) > MAX_TICKET:
        return {"ticket": f"A ticket has at most {MAX_TICKET} characters."}
    if not policy.ticket:
        return {}
    if not ticket:
        return {"ticket": f"Enter a ticket. {words(policy)}"}
    if not patterns.is_known(policy.ticket):
        message = f"The catalogue's pattern for tickets, {policy.ticket}, cannot be used. Tell a platform admin."
        return {"ticket": message}
    if not patterns.matches(policy.ticket, ticket):
        return {"ticket": f"“{ticket}” is not a valid ticket. {words(policy)}"}
    return {}


def address(ticket: str, policy: PolicySpec) -> str:
    """The web address of the ticket, from the policy's `ticket_url`; empty if there is none.

    Only a ticket that matches the pattern becomes part of an address, and its special characters are escaped.
    """
    if not ticket or not policy.ticket_url or problem(ticket, policy):
        return ""
    return policy.ticket_url.replace("{ticket}", quote(ticket, safe=""))
