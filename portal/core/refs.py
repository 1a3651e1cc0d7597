"""References as people and programs see them.

Numbered: `REQ-12`, `GR-7`, `OP-31`, `RUN-5`. Named, with a kind because a bare name is ambiguous: `person:employee`,
`deployment:demo`, `dag:demo/sales_report`.
"""

from __future__ import annotations

import re

from portal.core.errors import Missing

REQUEST, GRANT, OPERATION, RUN, PERMIT = "REQ", "GR", "OP", "RUN", "PERMIT"
NOUNS = {REQUEST: "request", GRANT: "grant", OPERATION: "operation", RUN: "run", PERMIT: "permit"}
PERSON, DEPLOYMENT, DAG, ENTITLEMENT, VARIABLE = "person", "deployment", "dag", "entitlement", "variable"
TOKEN, ADDRESS, COMMAND, FILE, TRAIL = "token", "address", "command", "file", "trail"
UNNAMED = "unnamed"  # for a target without a name: a user name that does not exist, several targets
NAMED = (
    PERSON, DEPLOYMENT, DAG, ENTITLEMENT, VARIABLE, TOKEN, ADDRESS, COMMAND, FILE, TRAIL, UNNAMED,
)  # fmt: skip
NUMBERED = re.compile(r"[A-Z]+-[1-9][0-9]{0,18}", re.ASCII)
_PREFIX = re.compile(r"([A-Z]+)-")


def ref(prefix: str, pk: int) -> str:
    return f"{prefix}-{pk}"


def not_found(prefix: str, pk: int) -> Missing:
    """The same answer for an object that does not exist and for one that the reader may not see."""
    return Missing(f"There is no {NOUNS[prefix]} {ref(prefix, pk)}, or it is not yours to see.")


def named(kind: str, name: str) -> str:
    return f"{kind}:{name}"


def person(username: str) -> str:
    return named(PERSON, username)


def deployment(name: str) -> str:
    return named(DEPLOYMENT, name)


def dag(name: str) -> str:
    """name: `demo/sales_report`."""
    return named(DAG, name)


def kind_of(reference: str) -> str:
    """`REQ` of `REQ-12`, `person` of `person:employee`; empty if the text is not a reference."""
    if prefix := _PREFIX.match(reference):
        return prefix[1]
    kind, colon, _ = reference.partition(":")
    return kind if colon else ""


def name_of(reference: str) -> str:
    """`employee` of `person:employee`; a numbered reference is its own name."""
    return reference if _PREFIX.match(reference) else reference.partition(":")[2]


def parse(prefix: str, text: str) -> int:
    """The number in `text`, which may be `REQ-12` or `12`; raises Missing for anything else."""
    head, dash, tail = text.rpartition("-")
    if (dash and head.upper() != prefix) or not tail.isascii() or not tail.isdigit() or len(tail) > 18:
        raise Missing(f"There is no {prefix}-reference “{text[:40]}”.")
    return int(tail)
