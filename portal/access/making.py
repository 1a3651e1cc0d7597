"""A lock for creating a role for one DAG in Airflow: one operation at a time, of all workers on all hosts.

Airflow adds the permissions of a role one by one, so other operations could read an incomplete role. If an operation
dies while it has the lock, the lock expires after TURN.
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

TURN = timedelta(seconds=60)  # longer than all calls to Airflow that create a role together


def take(deployment: Deployment, role: str, *, operation: Operation) -> bool:
    """Take the lock of the role for TURN, or until `give_back`. Returns whether this operation has it."""
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
    """The holder is one attempt of an operation. An earlier attempt that is still running has no lock."""
    return f"{operation.ref}/{operation.attempts}"
