"""Queries of operations."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet

from portal.airflow.states import state_of
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.operations import kinds
from portal.operations.models import Operation

OPEN = (Operation.Status.QUEUED, Operation.Status.RUNNING)
NOT_DONE = (Operation.Status.FAILED, Operation.Status.CANCELLED, Operation.Status.SUPERSEDED)


def of_subject(subject: str) -> QuerySet[Operation]:
    """All operations for a subject such as GR-7, RUN-5 or a DAG, oldest first."""
    return Operation.objects.filter(subject=subject).select_related("deployment").order_by("pk")


def later(operation: Operation) -> Operation | None:
    """The newest later operation with the same ordering key or subject that is open or succeeded; else None.

    After the deployment was renamed, only the ordering keys are equal; after its address changed, only the subjects.
    """
    same = Q(ordering_key=operation.ordering_key) | Q(subject=operation.subject)
    asked = Operation.objects.filter(same, pk__gt=operation.pk).order_by("pk")
    return asked.exclude(status__in=NOT_DONE).last()


def open_for(deployment: Deployment) -> QuerySet[Operation]:
    """The open operations of a deployment, oldest first."""
    return Operation.objects.filter(deployment=deployment, status__in=OPEN).order_by("pk")


def open_of(subject: str) -> QuerySet[Operation]:
    """The open operations for a subject, oldest first."""
    return of_subject(subject).filter(status__in=OPEN)


def open_subjects(*, kinds: Collection[str], deployments: Collection[int]) -> list[str]:
    """The subjects of the open operations of these kinds on these deployments."""
    rows = Operation.objects.filter(status__in=OPEN, kind__in=kinds, deployment__in=deployments)
    return list(rows.values_list("subject", flat=True))


def deployments_with_work() -> QuerySet[Operation, int]:
    """The primary keys of the deployments that have open operations."""
    return Operation.objects.filter(status__in=OPEN).values_list("deployment", flat=True)


def why_waiting(operation: Operation) -> str:
    """In words, what an open operation waits for; empty if it waits for nothing or is settled."""
    if operation.is_settled:
        return ""
    if kinds.find(operation.kind) is None:
        return f"This release of Gatehouse does not know operations of the kind {operation.kind}."
    deployment = operation.deployment
    if airflows.is_read_only(deployment):
        return (
            f"{deployment.name} is read-only: nothing is changed in this Airflow. Gatehouse continues when an admin "
            "has switched read_only off."
        )
    state = state_of(deployment)
    if state.status == state.Status.DOWN:
        return f"Airflow on {deployment.name} is unreachable. Gatehouse continues when Airflow answers."
    if state.refuses(operation.account):
        refused = f"Airflow on {deployment.name} refuses Gatehouse's account."
        return f"{refused} Gatehouse continues when an admin has renewed the account."
    return operation.waiting_for
