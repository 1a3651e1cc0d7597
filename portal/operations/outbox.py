"""The outbox: storing operations, and how a worker claims, keeps and settles them.

Workers look for due rows every second. The message after the commit only makes them look sooner.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet

from portal.airflow.models import DeploymentState
from portal.airflow.service_accounts import ACCOUNTS
from portal.audit.record import Actor
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.celery import app
from portal.core import clock
from portal.core.errors import Conflict
from portal.operations import kinds, processes, queries
from portal.operations.handling import ReadOnly
from portal.operations.models import Operation, Process
from portal.operations.states import OPERATION

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # longer than all calls to Airflow of any handler together
BROKER_PAUSE = 10.0  # seconds for which a broker that did not answer is not tried again
TASK = "portal.worker.tasks.run_operation"
S = Operation.Status

wake_here: Callable[[], object] | None = None
"""Set in a worker process: it wakes its own threads without a message."""
_broker_away_until = 0.0


def put(
    kind: str,
    *,
    deployment: Deployment,
    subject: str,
    payload: Mapping[str, Any],
    by: Actor | None,
    about: object = None,
    token: uuid.UUID | None = None,
) -> Operation:
    """Store an intended change inside the caller's transaction, and notify a worker after the commit.

    kind: the name of a registered kind. about: the argument of its `ordering_key`. token: the uuid of the operation,
    if the caller needs to know it before.
    """
    registered, token = kinds.get(kind), token or uuid.uuid4()
    operation = Operation.objects.create(
        uuid=token,
        kind=kind,
        deployment=deployment,
        subject=subject,
        ordering_key=registered.ordering_key(about) if registered.ordering_key else f"{kind}/{token}",
        payload=dict(payload),
        requested_by=by.get_username() if by else "",
        not_before=clock.now(),
    )
    transaction.on_commit(partial(notify_worker, operation.pk), robust=True)
    return operation


def notify_worker(operation_id: int) -> None:
    """Notify a worker of a due operation. Without the broker, the workers find the row by themselves."""
    global _broker_away_until
    if wake_here is not None:
        wake_here()
        return
    if time.monotonic() < _broker_away_until:
        return
    try:
        app.send_task(TASK, args=[operation_id], expires=60, retry=False)
    except Exception as error:  # clients of brokers raise many types of errors
        _broker_away_until = time.monotonic() + BROKER_PAUSE
        log.warning("no worker could be told of OP-%s (%s); they will find it by themselves", operation_id, error)


def claim(operation_id: int, *, worker: str) -> Operation | None:
    """Claim a due operation for LEASE. None if it is not due or not queued, or if another one with its ordering key is
    running."""
    now = clock.now()
    operation = Operation.objects.select_related("deployment").filter(pk=operation_id, not_before__lte=now).first()
    if operation is None or operation.status != S.QUEUED:
        return None
    try:
        with transaction.atomic():
            OPERATION.move(
                operation, to=S.RUNNING, claimed_by=worker, lease_until=now + LEASE, attempts=operation.attempts + 1
            )
    except (IntegrityError, Conflict):  # the unique constraint on the ordering key, or another worker was first
        return None
    return operation


def renew_lease(operation: Operation) -> None:
    """Renew the lease; called before every change to Airflow.

    Raises Conflict when another worker has taken over, ReadOnly when nothing may be changed in this Airflow any more.
    """
    if airflows.is_read_only(operation.deployment):
        raise ReadOnly(queries.why_waiting(operation))
    until = clock.now() + LEASE
    rows = Operation.objects.filter(pk=operation.pk, status=S.RUNNING, **_lease(operation))
    if rows.update(lease_until=until) != 1:
        raise Conflict(f"{operation.ref} was taken over by another worker.")
    operation.lease_until = until


def note_sent(operation: Operation, **seen: Any) -> None:
    """Renew the lease, and store that the change is being sent to Airflow: its payload has `sent` from then on.

    seen: what Airflow showed before, as JSON. Raises Conflict when another worker has taken over.
    """
    renew_lease(operation)
    operation.payload = {**operation.payload, "sent": seen}
    Operation.objects.filter(pk=operation.pk).update(payload=operation.payload)


def _lease(operation: Operation) -> dict[str, Any]:
    return {"claimed_by": operation.claimed_by, "attempts": operation.attempts}


def succeed(operation: Operation, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    _settle(operation, S.SUCCEEDED, before=dict(before), after=dict(after), error="", waiting_for="")


def fail(operation: Operation, *, error: str, before: Mapping[str, Any] | None = None) -> None:
    _settle(operation, S.FAILED, before=dict(before or {}), error=error, waiting_for="")


def cancel(operation: Operation, *, because: str) -> None:
    _settle(operation, S.CANCELLED, error=because, waiting_for="")


def supersede(operation: Operation, *, later: Operation) -> None:
    """Settle an operation that a later one replaces."""
    because = f"{later.ref} is newer and replaces {operation.ref}."
    _settle(operation, S.SUPERSEDED, error=because, waiting_for="")


def _settle(operation: Operation, to: str, **changes: Any) -> None:
    """Inside the settling transaction. Raises Conflict if the lease was lost, so that nothing is settled twice."""
    where = _lease(operation) if operation.status == S.RUNNING else None
    OPERATION.move(operation, to=to, where=where, settled_at=clock.now(), lease_until=None, **changes)


def postpone(operation: Operation, *, until: datetime, waiting_for: str, **changes: Any) -> None:
    """Requeue a claimed operation until `until`. changes: other columns."""
    OPERATION.move(
        operation,
        to=S.QUEUED,
        where=_lease(operation),
        not_before=until,
        waiting_for=waiting_for,
        lease_until=None,
        **changes,
    )


def mark_alarmed(operation: Operation) -> bool:
    """Store that an alarm was raised. False if the operation has one already or is settled."""
    rows = Operation.objects.filter(pk=operation.pk, alarmed_at=None, settled_at=None)
    return rows.update(alarmed_at=clock.now()) == 1


def look_again() -> None:
    """In a worker process: look for due operations now, because waiting ones can continue."""
    if wake_here is not None:
        wake_here()


def release_expired() -> int:
    """Requeue the operations with an expired lease. Returns how many."""
    expired = Operation.objects.filter(status=S.RUNNING, lease_until__lte=clock.now())
    return sum(_release(operation) for operation in expired)


def release_dead() -> int:
    """Requeue the operations of ended processes, without waiting for the end of their leases. Returns how many."""
    count = 0
    for process_id in processes.found_dead():
        count += sum(_release(operation) for operation in _held_by(process_id))
        processes.mark_ended(process_id)
    ended = Process.objects.exclude(ended_at=None).values("pk")
    return count + sum(
        _release(operation) for operation in Operation.objects.filter(status=S.RUNNING, claimed_by__in=ended)
    )


def _held_by(process_id: str) -> QuerySet[Operation]:
    return Operation.objects.filter(status=S.RUNNING, claimed_by=process_id)


def _release(operation: Operation) -> bool:
    try:
        OPERATION.move(operation, to=S.QUEUED, where=_lease(operation), not_before=clock.now(), lease_until=None)
    except Conflict:
        return False
    return True


def due_by_deployment() -> dict[int, int]:
    """How many operations can start now on each deployment."""
    return dict(startable().order_by().values_list("deployment").annotate(models.Count("pk")))


def startable() -> QuerySet[Operation]:
    """The due operations that can start now: first the kinds with `first`, then the oldest."""
    first = models.Case(models.When(kind__in=kinds.names(lambda kind: kind.first), then=0), default=1)
    return _due().exclude(ordering_key__in=_busy_ordering_keys()).order_by(first, "not_before", "pk")


def claim_next(deployment_id: int, *, worker: str) -> Operation | None:
    """Claim the next operation of a deployment; None when there is none."""
    rows = startable().filter(deployment_id=deployment_id)
    for operation_id in rows.values_list("pk", flat=True)[:20]:
        if (operation := claim(operation_id, worker=worker)) is not None:
            return operation
    return None


def _due() -> QuerySet[Operation]:
    """The queued and due operations of registered kinds whose deployment is up, may be changed and accepts the
    account."""
    states = DeploymentState.objects.all()
    due = Operation.objects.filter(status=S.QUEUED, not_before__lte=clock.now(), kind__in=kinds.names())
    due = due.exclude(deployment__in=airflows.read_only())
    due = due.exclude(deployment__in=states.filter(status=DeploymentState.Status.DOWN).values("pk"))
    refusing = states.filter(status=DeploymentState.Status.NEEDS_REAUTHENTICATION)
    for account in ACCOUNTS:
        refused = refusing.filter(**{f"{account}_refused": True}).values("pk")
        due = due.exclude(deployment__in=refused, kind__in=_kinds_of(account))
    return due


def _kinds_of(account: str) -> list[str]:
    return kinds.names(lambda kind: kind.account == account)


def _busy_ordering_keys() -> QuerySet[Operation, str]:
    return Operation.objects.filter(status=S.RUNNING).values_list("ordering_key", flat=True)
