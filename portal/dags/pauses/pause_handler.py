"""The handler of pauses. It uses the runner's account."""

from __future__ import annotations

from portal.airflow.clients import runner
from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.dags.models import DagState
from portal.dags.observing import observe_dag
from portal.dags.permissions import why_not_any_more
from portal.operations import outbox
from portal.operations.handling import Done, NotNeeded, PermanentFailure, record
from portal.operations.models import Operation


class SetPaused:
    """Ensures that the DAG is paused, or that it is not paused."""

    def __init__(self, *, paused: bool) -> None:
        self.paused = paused
        self.done = Verb.DAG_PAUSED if paused else Verb.DAG_UNPAUSED
        self.failed = Verb.DAG_PAUSE_FAILED if paused else Verb.DAG_UNPAUSE_FAILED

    def execute(self, operation: Operation) -> Done:
        dag = _dag(operation)
        airflow = runner(dag.deployment)
        found = airflow.dag(dag.dag_id)
        if found is None:
            raise PermanentFailure(f"Airflow on {dag.deployment.name} has no DAG {dag.dag_id}.")
        before = {"paused": found.paused}
        if found.paused == self.paused:
            before = operation.payload.get("sent", before)  # changed by an earlier attempt whose answer was lost
        else:
            _check_wanted(operation, dag)
            outbox.note_sent(operation, **before)
            found = airflow.set_paused(dag.dag_id, self.paused)
        return Done(before, {"paused": found.paused}, found=found)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        dag = _dag(operation)
        observe_dag(dag, done.found, switch=operation)
        asked = {"reason": operation.payload.get("reason", ""), "requested_by": operation.requested_by}
        record(trail, self.done, operation, dag=dag.dag_id, **asked)

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        record(trail, self.failed, operation, AuditEvent.Outcome.FAILED, dag=_dag(operation).dag_id, why=why)


def _check_wanted(operation: Operation, dag: Dag) -> None:
    """Raises PermanentFailure if the person may no longer pause it, NotNeeded if the pause that ends was replaced."""
    if ends := operation.payload.get("ends"):
        state = DagState.objects.select_related("switch").filter(dag=dag).first()
        if state is None or state.switch is None or state.switch.ref != ends:
            raise NotNeeded(
                f"{dag.dag_id} was paused or unpaused again meanwhile, so its limited pause does not count."
            )
    elif why := why_not_any_more(operation.requested_by, dag, "pause"):
        raise PermanentFailure(why)


def _dag(operation: Operation) -> Dag:
    return Dag.objects.select_related("deployment").get(pk=operation.payload["dag"])
