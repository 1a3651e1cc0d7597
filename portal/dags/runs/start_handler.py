"""The handlers of runs and pauses. They use the runner's account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from portal.airflow.bridge import Airflow, BridgeError, Conflict, NotFound, Rejected
from portal.airflow.clients import runner
from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import clock, sealing
from portal.dags import limits
from portal.dags.causes import why_not
from portal.dags.models import Run
from portal.dags.operation_names import CANCEL_RUN
from portal.dags.parameters import secrets, validating
from portal.dags.permissions import current, permit_revoked, why_not_any_more
from portal.dags.runs import notes
from portal.dags.runs.states import RUN
from portal.operations import outbox
from portal.operations import queries as operations
from portal.operations.handling import Done, PermanentFailure, record
from portal.operations.models import Operation

TOO_LATE = timedelta(hours=1)  # after that, a run must not start, because nobody expects it any more


class TriggerRun:
    """Ensures that Airflow has the run. Its id was set when it was requested, so retries create no second run."""

    def execute(self, operation: Operation) -> Done:
        run = Run.objects.select_related("dag__deployment", "dag__state", "requested_by", "request__runrequest").get(
            pk=operation.payload["run"]
        )
        airflow = runner(run.dag.deployment)
        if why := _why_not_start(run, operation) or _why_invalid(airflow, run):
            seen = airflow.run(run.dag.dag_id, run.dag_run_id)  # an earlier attempt may have started it
            if seen is None:
                raise PermanentFailure(why)
        else:
            conf, hidden = _conf(run)
            outbox.renew_lease(operation)
            try:
                with airflow.hiding(hidden):
                    seen = airflow.trigger(
                        run.dag.dag_id,
                        dag_run_id=run.dag_run_id,
                        conf=conf,
                        logical_date=run.logical_date,
                        note=notes.of_request(run),
                    )
            except NotFound as error:
                raise PermanentFailure(_why_not(airflow, run) or str(error)) from error
            except Conflict as error:  # another run has its logical date, which never changes
                raise PermanentFailure(_same_date(run)) from error
            except Rejected as error:
                raise PermanentFailure(str(error)) from error
        return Done({}, {"dag_run_id": seen.dag_run_id, "state": seen.state}, found=seen)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        run = Run.objects.select_related("dag__deployment").get(operation=operation)
        seen = done.found
        now = clock.now()
        times = {"started_at": seen.started_at, "ended_at": seen.ended_at, "seen_at": now, "next_look": now}
        RUN.move(run, to=seen.state, sealed="", **times)
        detail = {"dag": run.dag.dag_id, "dag_run_id": run.dag_run_id, "state": seen.state}
        record(trail, Verb.RUN_STARTED, operation, **detail)

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        run = Run.objects.select_related("dag__deployment").get(operation=operation)
        now = clock.now()  # `next_look`: an attempt may have started the run, although its answer was lost
        RUN.move(run, to=Run.Status.FAILED, error=why, ended_at=now, next_look=now, sealed="")
        record(trail, Verb.RUN_START_FAILED, operation, AuditEvent.Outcome.FAILED, dag=run.dag.dag_id, why=why)


def _why_not_start(run: Run, operation: Operation) -> str:
    """In words, why the run must not be started any more; empty if it may."""
    cancelled = operations.open_of(run.ref).filter(kind=CANCEL_RUN).last()
    if cancelled is not None:
        return f"Cancelled by {cancelled.requested_by} before it was started: {cancelled.payload['reason']}"
    if operation.created_at < clock.now() - TOO_LATE:
        return "It could not be started within one hour after the request, so it failed."
    approved = run.permit_id is not None or (run.request is not None and bool(run.request.policy))
    why = why_not_any_more(run.requested_by.username, run.dag, "trigger", approved=approved)
    return why or permit_revoked(run) or limits.why_frozen(run.requested_by, current(run.dag))


def _why_invalid(airflow: Airflow, run: Run) -> str:
    """In words, why its parameters do not fit the DAG in Airflow now; empty if they do, or if nothing can be said."""
    conf, hidden = _conf(run)
    with airflow.hiding(hidden):
        dag = airflow.dag(run.dag.dag_id)
    if dag is None or dag.problem:  # the attempt to start it tells the reason
        return ""
    why = validating.why_invalid(current(run.dag), dag.params, conf, requester=run.requested_by.username)
    return f"Its parameters do not fit the DAG as it is now. {why}" if why else ""


def _conf(run: Run) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        return secrets.reveal(run)
    except sealing.Unreadable as error:
        raise PermanentFailure(
            "Its secret parameters were encrypted with another GATEHOUSE_SECRET_KEY and cannot be read. Run it again."
        ) from error


def _same_date(run: Run) -> str:
    return (
        f"Airflow on {run.dag.deployment.name} already has a run of {run.dag.dag_id} with the same logical date, "
        f"{run.logical_date:%Y-%m-%d %H:%M:%S} UTC, so this run was not started. Run it again: it gets a new date."
    )


def _why_not(airflow: Airflow, run: Run) -> str:
    """In words, why the DAG cannot be run; empty if unknown. Airflow's own answer (404) does not tell the reason."""
    try:
        why = why_not(airflow, run.dag, airflow.dag(run.dag.dag_id))
    except BridgeError:
        return ""
    return f"{run.dag.dag_id} cannot be run. {why}" if why else ""
