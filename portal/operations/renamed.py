"""Moves queued operations of a renamed deployment to its new name.

The old name is retired and its secrets may be gone, so an operation that stays there could wait forever.
"""

from __future__ import annotations

from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.operations.models import Operation


def move_queued() -> int:
    """Move queued operations from each retired deployment to the deployment in the catalogue with the same address.

    They are due at once. A running operation is moved when it is queued again. Returns how many were moved.
    """
    queued = Operation.objects.filter(status=Operation.Status.QUEUED)
    moved = 0
    for retired in Deployment.objects.filter(pk__in=queued.values("deployment"), retired_at__isnull=False):
        current = airflows.current(retired)
        if current != retired:
            waiting = queued.filter(deployment=retired)
            moved += waiting.update(deployment=current, not_before=clock.now(), waiting_for="")
    return moved
