"""Telling people that a removal does not succeed: one event for each, after so many failures or so long a time."""

from __future__ import annotations

from datetime import timedelta

from portal import clock
from portal.access import due
from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.operations import queries
from portal.operations.models import Operation

AFTER_FAILURES = 6  # that count: an Airflow that answers, and refuses or does not do it
AFTER = timedelta(minutes=10)  # whatever it waits for: also an Airflow that is away, or lets nobody in
AT_ONCE = 200


def tell(operation: Operation, *, why: str, trail: Trail) -> None:
    """The event of a removal that does not succeed, unless it has been told or settled. Inside the caller's
    transaction."""
    untold = Operation.objects.filter(pk=operation.pk, alarmed_at=None, settled_at=None)
    if untold.update(alarmed_at=clock.now()) != 1:
        return
    trail.add(
        Verb.GRANT_END_FAILED,
        by=None,
        target=operation.subject,
        outcome=AuditEvent.Outcome.FAILED,
        deployment=operation.deployment.name,
        grant=operation.subject,
        operation=operation.ref,
        detail={"attempts": operation.attempts, "why": why},
    )


def tell_of_old() -> int:
    """Tell of the removals that have waited for AFTER; of how many."""
    old = Operation.objects.filter(kind__in=Operation.FIRST, status__in=queries.OPEN, alarmed_at=None)
    old = old.filter(created_at__lte=clock.now() - AFTER)
    return due.each(old.order_by("pk").values_list("pk", flat=True)[:AT_ONCE], _tell)


def _tell(operation_id: int) -> None:
    operation = Operation.objects.select_related("deployment").get(pk=operation_id)
    with recording() as trail:
        tell(operation, why=queries.why_waiting(operation), trail=trail)
