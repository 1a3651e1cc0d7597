"""Storing the values of offered variables as Airflow shows them, and reading them for pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.dags.models import VariableState
from portal.dags.operation_names import SET_VARIABLE
from portal.dags.variables import offered
from portal.dags.variables.offered import Offered
from portal.dags.variables.values import LONGEST, without_secrets
from portal.operations.models import Operation

if TYPE_CHECKING:  # only for annotations: this module does not call Airflow
    from portal.airflow.bridge import Variable

EVERY = timedelta(seconds=60)
TOO_LONG = f"Its value has more than {LONGEST} characters and is not shown here."


def due_on(deployment: Deployment) -> list[Offered]:
    """The variables of a deployment that are to be read now, those that were never read first."""
    rows = {row.key: row.tried_at for row in VariableState.objects.filter(deployment=deployment)}
    before = clock.now() - EVERY
    due = [one for one in offered.all_of(deployment) if one.key not in rows or rows[one.key] <= before]
    return sorted(due, key=lambda one: (one.key in rows, rows.get(one.key)))


def due_deployments() -> list[Deployment]:
    """The deployments in force with a variable to read."""
    return [one for one in catalogue.deployments_in_force().exclude(variables=[]) if due_on(one)]


def observe(variable: Offered, seen: Variable | None, *, asked_at: datetime) -> None:
    """Store what Airflow shows. seen: None if Airflow does not have it.

    asked_at: when Airflow was asked. A change that was confirmed later is not overwritten.
    """
    state = state_of(variable)
    if state is not None and state.seen_at is not None and state.seen_at > asked_at:
        return
    value = None if seen is None else without_secrets(seen.value)
    too_long = value is not None and len(value) > LONGEST
    last = _changes(variable).filter(status=Operation.Status.SUCCEEDED).order_by("-pk").first()
    _store(
        variable.deployment,
        variable.key,
        value=None if too_long else value,
        description=(seen.description or "")[:2000] if seen is not None else "",
        problem=TOO_LONG if too_long else "",
        operation=last if last is not None and last.after.get("value") == value else None,
    )


def unread(variable: Offered, problem: str) -> None:
    """Store why Airflow could not be read. The value of the last reading stays."""
    VariableState.objects.update_or_create(
        deployment=variable.deployment, key=variable.key, defaults={"problem": problem, "tried_at": clock.now()}
    )


def changed(operation: Operation, value: str) -> None:
    """Store the value that Airflow confirmed after a change."""
    deployment = airflows.current(operation.deployment)
    _store(deployment, operation.payload["key"], value=value, problem="", operation=operation)


def _store(deployment: Deployment, key: str, **columns: object) -> None:
    now = clock.now()
    VariableState.objects.update_or_create(
        deployment=deployment, key=key, defaults={**columns, "seen_at": now, "tried_at": now}
    )


def state_of(variable: Offered) -> VariableState | None:
    rows = VariableState.objects.filter(deployment=variable.deployment, key=variable.key)
    return rows.select_related("operation").first()


def states_of(variables: Iterable[Offered]) -> dict[tuple[int, str], VariableState]:
    """The stored values by deployment and key."""
    deployments = {one.deployment.pk for one in variables}
    rows = VariableState.objects.filter(deployment__in=deployments).select_related("operation")
    return {(row.deployment_id, row.key): row for row in rows}


def changes_of(variable: Offered, *, most: int) -> list[Operation]:
    """The last changes of the variable through Gatehouse, newest first, under every name of its Airflow."""
    return list(_changes(variable).order_by("-pk")[:most])


def open_changes(variable: Offered) -> list[Operation]:
    """The changes that are on their way, oldest first."""
    return list(_changes(variable).filter(settled_at=None).order_by("pk"))


def _changes(variable: Offered) -> QuerySet[Operation]:
    names = [row.name for row in airflows.with_same_address(variable.deployment)]
    return Operation.objects.filter(
        kind=SET_VARIABLE, subject__in=[f"{name}/variable/{variable.key}" for name in names]
    ).select_related("deployment")
