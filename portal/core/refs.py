"""References as people and programs see them: `REQ-12`, `GR-7`, `OP-31`, `RUN-5`."""

from __future__ import annotations

from portal.core.errors import Missing

REQUEST, GRANT, OPERATION, RUN = "REQ", "GR", "OP", "RUN"


def ref(prefix: str, pk: int) -> str:
    return f"{prefix}-{pk}"


def parse(prefix: str, text: str) -> int:
    """The number in `text`, which may be `REQ-12` or `12`; raises Missing for anything else."""
    head, dash, tail = text.rpartition("-")
    if (dash and head.upper() != prefix) or not tail.isascii() or not tail.isdigit() or len(tail) > 18:
        raise Missing(f"There is no {prefix}-reference “{text[:40]}”.")
    return int(tail)
