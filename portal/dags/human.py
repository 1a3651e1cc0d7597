"""Tasks of operable DAGs that wait for a person's answer. They are answered in Airflow; Gatehouse only lists them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.queries import dags_in_force
from portal.core.secrecy import HIDDEN, holds_secret
from portal.dags.models import WaitingTask
from portal.dags.queries import operable_by

if TYPE_CHECKING:  # only for annotations: this module does not call Airflow
    from portal.airflow.bridge import HumanTask

LONGEST = 300  # characters of a subject, an option or a name
MOST_OPTIONS = 20


def store(deployment: Deployment, found: Iterable[HumanTask]) -> None:
    """Store the waiting tasks of a deployment's operable DAGs; others are left out. What no longer waits is deleted."""
    dags = {dag.dag_id: dag for dag in dags_in_force().filter(deployment=deployment)}
    seen: set[int] = set()
    with transaction.atomic():
        for task in found:
            if task.dag_id not in dags:
                continue
            told = {
                "subject": _shown(task.subject) or task.task_id,
                "options": _first(task.options),
                "assigned": _first(task.assigned),
            }
            row, _ = WaitingTask.objects.update_or_create(
                dag=dags[task.dag_id],
                dag_run_id=task.dag_run_id,
                task_id=task.task_id,
                map_index=task.map_index,
                defaults=told,
            )
            seen.add(row.pk)
        WaitingTask.objects.filter(dag__deployment=deployment).exclude(pk__in=seen).delete()


def _shown(text: str) -> str:
    return HIDDEN if holds_secret(text) else text.strip()[:LONGEST]


def _first(texts: Sequence[str]) -> list[str]:
    return [*map(_shown, texts[:MOST_OPTIONS]), *(["…"] if len(texts) > MOST_OPTIONS else [])]


def waiting_of(dag: Dag) -> QuerySet[WaitingTask]:
    """The waiting tasks of one DAG, the oldest first."""
    return WaitingTask.objects.filter(dag=dag).select_related("dag__deployment")


def waiting_for(user: User) -> QuerySet[WaitingTask]:
    """The waiting tasks of the DAGs that `user` may operate, the oldest first."""
    rows = WaitingTask.objects.select_related("dag__deployment")
    if not rows.exists():  # the usual case, without reading all DAGs
        return rows.none()
    return rows.filter(dag__in=[option.dag.pk for option in operable_by(user)])


def airflow_url(task: WaitingTask) -> str:
    """The page in Airflow on which the task is answered."""
    dag, run, name = (quote(part, safe="") for part in (task.dag.dag_id, task.dag_run_id, task.task_id))
    mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
    return f"{task.dag.deployment.url}/dags/{dag}/runs/{run}/tasks/{name}{mapped}/required_actions"
