"""What waits for an Airflow that the catalogue calls by another name now is done through that name.

The old name's accounts may be gone with it; what is queued there would wait for ever.
"""

from __future__ import annotations

from portal import clock
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.operations.models import Operation


def move_queued() -> int:
    """Give the queued changes of people's roles on deployments that left the catalogue to the one that is in it for the
    same Airflow, to be tried at once; how many. What is being carried out is moved when it comes back to the queue."""
    queued = Operation.objects.filter(status=Operation.Status.QUEUED, kind__in=Operation.KINDS_OF["granter"])
    moved = 0
    for left in Deployment.objects.filter(pk__in=queued.values("deployment"), retired_at__isnull=False):
        through = airflows.through(left)
        if through != left:
            waiting = queued.filter(deployment=left)
            moved += waiting.update(deployment=through, not_before=clock.now(), waiting_for="")
    return moved
