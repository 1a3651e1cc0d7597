"""References as people and programs see them.

Numbered: `REQ-12`, `GR-7`, `OP-31`, `RUN-5`. Named, where a name alone could be of anything: `person:employee`,
`deployment:demo`, `dag:demo/sales_report`.
"""

from __future__ import annotations

import re

from portal.core.errors import Missing

REQUEST, GRANT, OPERATION, RUN = "REQ", "GR", "OP", "RUN"
PERSON, DEPLOYMENT, DAG = "person", "deployment", "dag"
PREFIX = re.compile(r"([A-Z]+)-")


def ref(prefix: str, pk: int) -> str:
    return f"{prefix}-{pk}"


def person(username: str) -> str:
    return f"{PERSON}:{username}"


def deployment(name: str) -> str:
    return f"{DEPLOYMENT}:{name}"


def dag(name: str) -> str:
    """name: `demo/sales_report`."""
    return f"{DAG}:{name}"


def kind_of(reference: str) -> str:
    """`REQ` of `REQ-12`, `person` of `person:employee`; empty where it is no reference."""
    if prefix := PREFIX.match(reference):
        return prefix[1]
    kind, colon, _ = reference.partition(":")
    return kind if colon else ""


def parse(prefix: str, text: str) -> int:
    """The number in `text`, which may be `REQ-12` or `12`; raises Missing for anything else."""
    head, dash, tail = text.rpartition("-")
    if (dash and head.upper() != prefix) or not tail.isascii() or not tail.isdigit() or len(tail) > 18:
        raise Missing(f"There is no {prefix}-reference “{text[:40]}”.")
    return int(tail)
