"""Changing a variable of Airflow, through the account that runs DAGs."""

from __future__ import annotations

from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.dags.live import runner
from portal.dags.variables import check_offered
from portal.errors import Refused
from portal.operations import outbox
from portal.operations.models import Operation
from portal.worker.handlers import Done, GivenUp


class SetVariable:
    """The variable has the value, and Airflow itself shows it."""

    patience: int | None = 6

    def carry_out(self, operation: Operation) -> Done:
        key, value = operation.payload["key"], operation.payload["value"]
        try:
            check_offered(operation.deployment, key)  # it may have been taken out of the catalogue meanwhile
        except Refused as refusal:
            raise GivenUp(refusal.detail) from refusal
        airflow = runner(operation.deployment)
        before = airflow.variable(key)
        if before is None or before.value != value:
            outbox.keep(operation)
            airflow.set_variable(key, value)
        return Done({"value": before.value if before else None}, {"value": value})

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        self._record(Verb.VARIABLE_CHANGED, operation, trail, before=done.before["value"], value=done.after["value"])

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        failed = AuditEvent.Outcome.FAILED
        self._record(Verb.VARIABLE_CHANGE_FAILED, operation, trail, outcome=failed, why=why)

    def _record(
        self,
        verb: Verb,
        operation: Operation,
        trail: Trail,
        outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
        **detail: object,
    ) -> None:
        trail.add(
            verb,
            by=None,
            target=operation.subject,
            outcome=outcome,
            deployment=operation.deployment.name,
            operation=operation.ref,
            detail={"requested_by": operation.requested_by, "reason": operation.payload["reason"], **detail},
        )
