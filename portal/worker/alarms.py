"""The event of a removal that does not succeed: once for each, after AFTER_FAILURES failures or the time AFTER."""

from __future__ import annotations

from datetime import timedelta

from portal.access.models import Grant
from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.core import clock, due, refs
from portal.core.errors import Conflict
from portal.operations import queries
from portal.operations.models import Operation

G = Grant.Status
AFTER_FAILURES = 6  # failures that count: Airflow answers, and refuses or does not do it
AFTER = timedelta(minutes=10)  # whatever the removal waits for, an Airflow that is away included
AT_ONCE = 200


def tell(operation: Operation, *, why: str, trail: Trail) -> bool:
    """Write the event, unless the removal is settled, has it already or is not wanted any more. Inside the caller's
    transaction.

    Returns whether it was written.
    """
    over = Grant.objects.filter(pk=operation.payload["grant"], status__in=(G.ENDING, G.ENDED, G.FAILED))
    if not over.select_for_update().values_list("pk"):  # tried again meanwhile: the removal will be left out
        return False
    untold = Operation.objects.filter(pk=operation.pk, alarmed_at=None, settled_at=None)
    if untold.update(alarmed_at=clock.now()) != 1:
        return False
    trail.add(
        Verb.GRANT_END_FAILED,
        by=None,
        target=operation.subject,
        outcome=AuditEvent.Outcome.FAILED,
        about=[operation.subject, operation.ref, refs.deployment(operation.deployment.name)],
        detail={"attempts": operation.attempts, "why": why},
    )
    return True


def tell_of_old() -> int:
    """Write the event for each removal that is older than AFTER. Returns how many."""
    old = Operation.objects.filter(kind__in=Operation.FIRST, status__in=queries.OPEN, alarmed_at=None)
    old = old.filter(created_at__lte=clock.now() - AFTER)
    return due.each(old.order_by("pk").values_list("pk", flat=True)[:AT_ONCE], _tell)


def _tell(operation_id: int) -> None:
    """Raises Conflict when it was settled or told at this moment."""
    operation = Operation.objects.select_related("deployment").get(pk=operation_id)
    with recording() as trail:
        if not tell(operation, why=queries.why_waiting(operation), trail=trail):
            raise Conflict(f"{operation.ref} is settled, or was told of, already.")
