"""Following the runs that have not ended, and the state of the DAGs people may operate."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from django.db.models import F, Q, QuerySet

from airflow_bridge import BridgeError
from portal import clock
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.queries import dags_in_force
from portal.dags import live
from portal.dags.following import observe_dag
from portal.dags.models import Run
from portal.dags.states import FOLLOWED

FRESH = timedelta(minutes=5)  # a younger run is asked for at every look, an older one every SLOWLY
SLOWLY = timedelta(seconds=15)
DAGS_EVERY = timedelta(seconds=30)
LAST_RUNS = 20


def to_follow() -> QuerySet[Run]:
    """The runs that are to be asked for now, those not asked for longest first."""
    now = clock.now()
    rows = Run.objects.filter(status__in=FOLLOWED, dag__deployment__status=Deployment.Status.UP)
    rows = rows.filter(Q(created_at__gt=now - FRESH) | Q(seen_at__lte=now - SLOWLY) | Q(seen_at=None))
    return rows.select_related("dag__deployment").order_by(F("seen_at").asc(nulls_first=True), "pk")


def follow() -> None:
    """Ask for each run on its way. What cannot be asked now is asked later."""
    for run in to_follow()[:100]:
        follow_one(run)


def follow_one(run: Run) -> None:
    with suppress(live.Unavailable):
        live.refresh(run, patient=True)


def dags_to_look_at() -> QuerySet[Dag]:
    """The operable DAGs that are to be asked for now, those not asked for longest first."""
    due = clock.now() - DAGS_EVERY
    rows = dags_in_force().filter(deployment__status=Deployment.Status.UP)
    rows = rows.filter(Q(state=None) | Q(state__seen_at__lte=due)).select_related("deployment")
    return rows.order_by(F("state__seen_at").asc(nulls_first=True), "pk")


def look_at_dags() -> None:
    """Refresh what lists show of operable DAGs."""
    for dag in dags_to_look_at():
        look_at_dag(dag)


def look_at_dag(dag: Dag) -> None:
    """Ask for one DAG and its last runs; an Airflow that does not answer leaves what is known as it is."""
    try:
        airflow = live.runner(dag.deployment)
        seen = airflow.dag(dag.dag_id)
        observe_dag(dag, seen, airflow.recent_runs(dag.dag_id, limit=LAST_RUNS) if seen else [])
    except BridgeError:
        return
