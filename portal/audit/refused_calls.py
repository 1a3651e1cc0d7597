"""Audit events for calls that web or API refuse before an action runs. Every refused attempt to change is an event."""

from __future__ import annotations

import re

from portal.audit.models import AuditEvent
from portal.audit.record import Actor, recording
from portal.audit.verbs import Verb
from portal.core.errors import GatehouseError
from portal.core.refs import GRANT, OPERATION, REQUEST, RUN, ref

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""
REFUSALS = (403, 404, 429)
"""Statuses of refused attempts. A validation error (422) or conflict (409) that reached no action is not one."""
PREFIXES = {"requests": REQUEST, "queue": REQUEST, "grants": GRANT, "runs": RUN, "operations": OPERATION}
ONE_THING = re.compile(rf"/({'|'.join(PREFIXES)})/(?:[A-Za-z]+-)?([0-9]{{1,18}})(?:/|$)")
ONE_DAG = re.compile(r"/dags/([^/]+/[^/]+)")


def note_refused(*, by: Actor | None, method: str, path: str, error: GatehouseError) -> None:
    """Record that a changing call was refused, unless an action has already recorded it.

    by: None if nobody has signed in.
    """
    if error.recorded or method in SAFE or error.status not in REFUSALS:
        return
    with recording() as trail:
        trail.add(
            Verb.CALL_REFUSED,
            by=by,
            target=about(path),
            outcome=AuditEvent.Outcome.REFUSED,
            detail={"call": f"{method} {path[:400]}", "reason": error.reason, "said": error.detail},
        )
    error.recorded = True


def about(path: str) -> str:
    """What the call's path is about: `REQ-12`, `demo/sales_report`, otherwise the path itself."""
    if found := ONE_THING.search(path):
        return ref(PREFIXES[found[1]], int(found[2]))
    if found := ONE_DAG.search(path):
        return found[1]
    return path
