"""Making a role for one DAG in Airflow: one operation at a time, of all workers on all hosts.

Airflow makes a role permission by permission, so that whoever reads it meanwhile sees it half made. An operation that
dies in the middle has its turn until that runs out.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from portal.access.models import RoleInMaking
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.operations.models import Operation

TURN = timedelta(seconds=60)  # longer than the calls to Airflow that make a role may take


def take(deployment: Deployment, role: str, *, operation: Operation) -> bool:
    """Whether it is this operation's turn to make the role, for TURN from now or until `give_back`."""
    columns = {"airflow": airflows.key(deployment), "role": role}
    turn = {"held_by": _holder(operation), "until": clock.now() + TURN}
    free = Q(until__lte=clock.now()) | Q(held_by=turn["held_by"])
    if RoleInMaking.objects.filter(free, **columns).update(**turn):
        return True
    try:
        with transaction.atomic():
            RoleInMaking.objects.create(**columns, **turn)
    except IntegrityError:
        return False
    return True


def give_back(deployment: Deployment, role: str, *, operation: Operation) -> None:
    mine = RoleInMaking.objects.filter(airflow=airflows.key(deployment), role=role, held_by=_holder(operation))
    mine.delete()


def _holder(operation: Operation) -> str:
    """Of this attempt: whoever was thought dead and goes on has its turn no longer."""
    return f"{operation.ref}/{operation.attempts}"
