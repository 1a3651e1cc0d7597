"""Putting operations into the outbox, and how a worker claims, keeps and settles one.

The row is the truth. The message sent after the commit only says "look now"; a sweep finds what no message announced.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from portal import clock
from portal.audit.record import Actor
from portal.catalogue.models import Deployment
from portal.celery import app
from portal.errors import Conflict
from portal.operations.models import Operation
from portal.operations.states import OPERATION

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # longer than any handler's calls to Airflow together may take
TASK = "portal.worker.tasks.run_operation"
S = Operation.Status


def put(
    kind: Operation.Kind,
    *,
    deployment: Deployment,
    subject: str,
    lane: str,
    payload: Mapping[str, Any],
    by: Actor | None,
    token: uuid.UUID | None = None,
) -> Operation:
    """Write down an intended change, inside the caller's transaction; a worker is told once that is committed.

    lane: operations of one lane run one at a time. token: the operation's uuid, where something is named after it.
    """
    operation = Operation.objects.create(
        uuid=token or uuid.uuid4(),
        kind=kind,
        deployment=deployment,
        subject=subject,
        lane=lane,
        payload=dict(payload),
        requested_by=by.get_username() if by else "",
        not_before=clock.now(),
    )
    transaction.on_commit(partial(hint, operation.pk), robust=True)
    return operation


def hint(operation_id: int) -> None:
    """Tell a worker to look at an operation. A broker that is away costs a moment, never the operation."""
    try:
        app.send_task(TASK, args=[operation_id], expires=60, retry=False)
    except Exception as error:  # whatever a broker's client raises: the sweep finds the row
        log.warning("no worker could be told of OP-%s (%s); the sweep will find it", operation_id, error)


def process_name() -> str:
    """Who claims: host, process and the process's start, so that a process number used again is not mistaken."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def claim(operation_id: int, *, worker: str) -> Operation | None:
    """Take a due operation for LEASE. None when it is not due, not queued, or its lane is busy."""
    now = clock.now()
    operation = Operation.objects.select_related("deployment").filter(pk=operation_id, not_before__lte=now).first()
    if operation is None or operation.status != S.QUEUED:
        return None
    try:
        with transaction.atomic():
            OPERATION.move(
                operation, to=S.RUNNING, claimed_by=worker, lease_until=now + LEASE, attempts=operation.attempts + 1
            )
    except (IntegrityError, Conflict):  # the lane's unique constraint, or another worker was first
        return None
    return operation


def keep(operation: Operation) -> None:
    """Renew the lease; called before every change to Airflow. Raises Conflict when another worker has taken over."""
    until = clock.now() + LEASE
    rows = Operation.objects.filter(pk=operation.pk, status=S.RUNNING, **_lease(operation))
    if rows.update(lease_until=until) != 1:
        raise Conflict(f"{operation.ref} was taken over by another worker.")
    operation.lease_until = until


def _lease(operation: Operation) -> dict[str, Any]:
    return {"claimed_by": operation.claimed_by, "attempts": operation.attempts}


def succeed(operation: Operation, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    _settle(operation, S.SUCCEEDED, before=dict(before), after=dict(after), error="", waiting_for="")


def fail(operation: Operation, *, error: str, before: Mapping[str, Any] | None = None) -> None:
    _settle(operation, S.FAILED, before=dict(before or {}), error=error, waiting_for="")


def cancel(operation: Operation, *, because: str) -> None:
    _settle(operation, S.CANCELLED, error=because, waiting_for="")


def _settle(operation: Operation, to: str, **changes: Any) -> None:
    """Inside the settling transaction. Raises Conflict when the lease is no longer ours: nothing is settled twice."""
    where = _lease(operation) if operation.status == S.RUNNING else None
    OPERATION.move(operation, to=to, where=where, settled_at=clock.now(), lease_until=None, **changes)
    transaction.on_commit(partial(hint_lane, operation.lane), robust=True)


def postpone(operation: Operation, *, until: datetime, waiting_for: str) -> None:
    """Give a claimed operation back, to be tried again at `until`."""
    OPERATION.move(
        operation, to=S.QUEUED, where=_lease(operation), not_before=until, waiting_for=waiting_for, lease_until=None
    )
    transaction.on_commit(partial(hint_lane, operation.lane), robust=True)


def hint_lane(lane: str) -> None:
    """The lane is free again: tell of the next operation waiting in it."""
    waiting = Operation.objects.filter(lane=lane, status=S.QUEUED, not_before__lte=clock.now())
    following = waiting.order_by("pk").values_list("pk", flat=True).first()
    if following is not None:
        hint(following)


def release_expired() -> int:
    """Queue again what a worker claimed and never settled; the number of operations so released."""
    expired = Operation.objects.filter(status=S.RUNNING, lease_until__lte=clock.now())
    return sum(_release(operation) for operation in expired)


def release_dead() -> int:
    """The same at once for processes of this host that no longer live, so that a restart needs no lease to run out."""
    here = f"{socket.gethostname()}/"
    held = Operation.objects.filter(status=S.RUNNING, claimed_by__startswith=here)
    return sum(_release(operation) for operation in held if not _lives(operation.claimed_by))


def _lives(worker: str) -> bool:
    _, pid, started = worker.rsplit("/", 2)
    return bool(started) and _started(int(pid)) == started


def _release(operation: Operation) -> bool:
    try:
        OPERATION.move(operation, to=S.QUEUED, where=_lease(operation), not_before=clock.now(), lease_until=None)
    except Conflict:
        return False
    return True


def due(limit: int = 200) -> list[int]:
    """Operations to look at now, the oldest first; none that a deployment is away for or refuses the account for."""
    held_up = Q(deployment__status=Deployment.Status.DOWN)
    for deployment in Deployment.objects.filter(status=Deployment.Status.NEEDS_REAUTHENTICATION):
        for account, kinds in Operation.KINDS_OF.items():
            if deployment.refuses(account):
                held_up |= Q(deployment=deployment, kind__in=kinds)
    rows = Operation.objects.filter(status=S.QUEUED, not_before__lte=clock.now()).exclude(held_up)
    return list(rows.order_by("not_before", "pk").values_list("pk", flat=True)[:limit])


def wake(deployment: Deployment) -> None:
    """The deployment can be worked on again: its waiting operations are due now."""
    waiting = Operation.objects.filter(deployment=deployment, status=S.QUEUED)
    waiting.update(not_before=clock.now(), waiting_for="")
    for operation_id in waiting.order_by("pk").values_list("pk", flat=True)[:200]:
        hint(operation_id)
