"""Storing operable DAGs and their last runs as Airflow shows them. The two are stored separately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.dateparse import parse_datetime

from portal.core import clock
from portal.dags.models import DagState
from portal.dags.parameters import params, secrets
from portal.operations.models import Operation

if TYPE_CHECKING:  # only for annotations: this module does not call Airflow
    from portal.airflow.bridge import AirflowDag, AirflowRun
    from portal.catalogue.models import Dag, Deployment


def want(dag_id: int) -> None:
    """Somebody views the DAG: it is read before the others."""
    DagState.objects.filter(dag=dag_id, is_wanted=False).update(is_wanted=True)


def unwant(dag: Dag) -> None:
    """Airflow gave no answer: the DAG is no longer read before the others."""
    DagState.objects.filter(dag=dag).update(is_wanted=False)


def dag_unread(dag: Dag, why: str) -> None:
    """Airflow refused to show the DAG, for the reason `why`. An earlier reading is kept, with its time."""
    unwant(dag)
    problem = f"Gatehouse cannot read this DAG from Airflow: {why}"
    fresh = {"known": False, "problem": problem, "seen_at": clock.now()}
    state, made = DagState.objects.get_or_create(dag=dag, defaults=fresh)
    if not made and not state.known and state.params is None:
        DagState.objects.filter(pk=state.pk).update(**fresh)


def observe_dag(
    dag: Dag,
    seen: AirflowDag | None,
    *,
    asked_at: datetime | None = None,
    problem: str = "",
    switch: Operation | None = None,
) -> None:
    """Store an operable DAG as Airflow shows it (None: it has no DAG of this name).

    asked_at: when Airflow was asked; an answer older than the stored state is dropped. problem: why it cannot be run,
    if more is known than Airflow's answer says. switch: the operation that has just paused or unpaused it.
    """
    known = DagState.objects.filter(dag=dag).first()
    if known is not None and asked_at is not None and known.seen_at > asked_at:
        return
    now = clock.now()
    values: dict[str, object] = {"seen_at": now, "is_wanted": False}
    if seen is None:
        values |= {"known": False, "problem": problem or "Airflow has no DAG of this name."}
    else:
        values |= {
            "known": not seen.problem,
            "problem": seen.problem and (problem or seen.problem),
            "description": seen.description,
            "paused": seen.paused,
            "schedule": seen.schedule,
            "tags": sorted(seen.tags),
            "next_run_at": seen.next_run_at,
            "start_date": seen.start_date,
            "end_date": seen.end_date,
            "max_active_runs": seen.max_active_runs,
            "catchup": seen.catchup,
        }
        if seen.owners is not None:  # Airflow 2 shows the owners only in lists
            values["owners"] = list(seen.owners)
        if seen.params or not seen.problem:  # Airflow 2 shows no parameters of a DAG with a problem
            values |= {"params": params.kept(seen.params), "secrets": secrets.kept(seen.params)}
        if switch is not None:
            until = switch.payload.get("until")
            values |= {"switch": switch, "switched_at": now, "unpause_at": parse_datetime(until) if until else None}
        elif known is not None and known.paused is not None and known.paused != seen.paused:
            values |= {"switch": None, "switched_at": now, "unpause_at": None}  # somebody changed it in Airflow
    DagState.objects.update_or_create(dag=dag, defaults=values)


def observe_owners(deployments: Sequence[Deployment], owners: Mapping[str, list[str]]) -> None:
    """Store the owners of DAGs, by DAG id, as a list of Airflow shows them. Only differences are written."""
    rows = DagState.objects.filter(dag__deployment__in=deployments).select_related("dag").defer("params", "last_runs")
    changed = [state for state in rows if owners.get(state.dag.dag_id, state.owners) != state.owners]
    for state in changed:
        state.owners = owners[state.dag.dag_id]
    DagState.objects.bulk_update(changed, ["owners"], batch_size=500)


def observe_runs(dag: Dag, recent: Iterable[AirflowRun] | None, *, problem: str = "") -> None:
    """Store the last runs of a DAG, newest first. None: they could not be read, and the earlier reading is kept.

    problem: why they could not be read.
    """
    values: dict[str, object] = {"runs_problem": problem}
    if recent is not None:
        values["runs_seen_at"] = clock.now()
        values["last_runs"] = [
            {
                "id": run.dag_run_id,
                "state": run.state,
                "started_at": run.started_at.isoformat() if run.started_at else None,
                "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            }
            for run in recent
        ]
    DagState.objects.filter(dag=dag).update(**values)
