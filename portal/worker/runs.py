"""Following the runs that have not ended, and the state of the DAGs people may operate."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from airflow_bridge import BridgeError
from portal import clock
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.queries import dags_in_force
from portal.dags import live
from portal.dags.following import observe_dag
from portal.dags.models import Run
from portal.dags.states import FOLLOWED

FRESH = timedelta(minutes=5)  # a younger run is asked for at every beat, an older one at SLOWLY
SLOWLY = timedelta(seconds=15)
DAGS_EVERY = timedelta(seconds=30)
LAST_RUNS = 20


def follow() -> None:
    """Ask for each run on its way. What cannot be asked now is asked at the next beat."""
    now = clock.now()
    rows = Run.objects.filter(status__in=FOLLOWED, dag__deployment__status=Deployment.Status.UP)
    rows = rows.filter(Q(created_at__gt=now - FRESH) | Q(seen_at__lte=now - SLOWLY) | Q(seen_at=None))
    for run in rows.select_related("dag__deployment").order_by("seen_at")[:100]:
        try:
            live.refresh(run)
        except live.Unavailable:
            continue


def look_at_dags() -> None:
    """Refresh what lists show of operable DAGs, deployment by deployment."""
    due = clock.now() - DAGS_EVERY
    rows = dags_in_force().filter(deployment__status=Deployment.Status.UP)
    for dag in rows.filter(Q(state=None) | Q(state__seen_at__lte=due)).select_related("deployment"):
        look_at_dag(dag)


def look_at_dag(dag: Dag) -> None:
    """Ask for one DAG and its last runs; an Airflow that does not answer leaves what is known as it is."""
    try:
        airflow = live.runner(dag.deployment)
        seen = airflow.dag(dag.dag_id)
        observe_dag(dag, seen, airflow.recent_runs(dag.dag_id, limit=LAST_RUNS) if seen else [])
    except BridgeError:
        return
