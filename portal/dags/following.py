"""Keeping what Airflow says of runs and DAGs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portal import clock
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.dags import secrets
from portal.dags.models import DagState, Run
from portal.dags.states import FOLLOWED, RUN
from portal.errors import Conflict

if TYPE_CHECKING:  # the shapes alone: nothing here speaks to Airflow
    from airflow_bridge.types import Dag as AirflowDag
    from airflow_bridge.types import Run as AirflowRun
    from portal.catalogue.models import Dag

S = Run.Status


def observe(run: Run, seen: AirflowRun | None) -> None:
    """Write down what Airflow said of a followed run (None: it has no such run any more). Its end is an event."""
    if run.status not in FOLLOWED:
        return
    now = clock.now()
    if seen is None:
        _finish(run, S.FAILED, error="Airflow no longer has this run: it was deleted there.", ended_at=now, seen_at=now)
        return
    times = {"started_at": seen.started_at, "ended_at": seen.ended_at, "seen_at": now}
    if seen.state in (S.SUCCESS, S.FAILED):
        _finish(run, seen.state, **times)
    elif seen.state != run.status and seen.state in FOLLOWED:
        _quietly(run, seen.state, **times)
    else:
        Run.objects.filter(pk=run.pk).update(**times)
        for name, value in times.items():
            setattr(run, name, value)


def _quietly(run: Run, to: str, **changes: Any) -> None:
    try:
        RUN.move(run, to=to, **changes)
    except Conflict:  # another process saw it first
        run.refresh_from_db()


def _finish(run: Run, to: str, **changes: Any) -> None:
    try:
        with recording() as trail:
            RUN.move(run, to=to, **changes)
            trail.add(
                Verb.RUN_FINISHED,
                by=None,
                target=run.ref,
                outcome=AuditEvent.Outcome.SUCCESS if to == S.SUCCESS else AuditEvent.Outcome.FAILED,
                deployment=run.dag.deployment.name,
                detail={"dag": run.dag.dag_id, "dag_run_id": run.dag_run_id, "state": to, "error": run.error},
            )
    except Conflict:
        run.refresh_from_db()


def observe_dag(dag: Dag, seen: AirflowDag | None, recent: list[AirflowRun] | None) -> None:
    """Write down what Airflow said of an operable DAG; `recent` (newest first) where it was asked for runs too."""
    values: dict[str, object] = {"seen_at": clock.now()}
    if seen is None:
        values |= {"known": False, "problem": "Airflow has no DAG of this name."}
    else:
        values |= {
            "known": not seen.problem,
            "problem": seen.problem,
            "description": seen.description,
            "paused": seen.paused,
            "secrets": secrets.kept(seen.params),
        }
    if recent is not None:
        values["last_runs"] = [
            {
                "id": run.dag_run_id,
                "state": run.state,
                "started_at": run.started_at.isoformat() if run.started_at else None,
                "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            }
            for run in recent
        ]
    DagState.objects.update_or_create(dag=dag, defaults=values)
