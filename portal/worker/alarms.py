"""Alarms of operations that do not succeed: after AFTER_FAILURES failures or after AFTER. Only some kinds have one."""

from __future__ import annotations

from datetime import timedelta

from portal.audit.record import Trail, recording
from portal.core import clock, due
from portal.core.errors import Conflict
from portal.operations import kinds, queries
from portal.operations.models import Operation

AFTER_FAILURES = 6  # failures that count
AFTER = timedelta(minutes=10)  # also while the deployment is down
AT_ONCE = 200


def raise_alarm(operation: Operation, *, why: str, trail: Trail) -> bool:
    """Raise the alarm of an operation, inside the caller's transaction. Returns whether it was raised now."""
    alarm = kinds.get(operation.kind).alarm
    return alarm is not None and alarm(operation, why, trail)


def raise_of_old() -> int:
    """Raise the alarm of each open operation that is older than AFTER. Returns how many."""
    with_alarm = kinds.names(lambda kind: kind.alarm)
    old = Operation.objects.filter(kind__in=with_alarm, status__in=queries.OPEN, alarmed_at=None)
    old = old.filter(created_at__lte=clock.now() - AFTER)
    return due.each(old.order_by("pk").values_list("pk", flat=True)[:AT_ONCE], _raise)


def _raise(operation_id: int) -> None:
    """Raises Conflict when the operation was settled or has its alarm already."""
    operation = Operation.objects.select_related("deployment").get(pk=operation_id)
    with recording() as trail:
        if not raise_alarm(operation, why=queries.why_waiting(operation), trail=trail):
            raise Conflict(f"{operation.ref} is settled or has its alarm already.")
