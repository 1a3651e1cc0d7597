"""Changing a variable of Airflow, through the account that runs DAGs."""

from __future__ import annotations

from typing import NoReturn

from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.dags.live import runner
from portal.dags.variables import check_offered, without_secrets
from portal.errors import Conflict, Refused
from portal.operations import outbox, queries
from portal.operations.models import Operation
from portal.worker.handlers import Done, GivenUp
from portal.worker.handlers.dags import TOO_LATE


class SetVariable:
    """The variable has the value that was asked for last, and Airflow itself shows it."""

    patience: int | None = 6

    def carry_out(self, operation: Operation) -> Done:
        key, value = operation.payload["key"], operation.payload["value"]
        try:
            check_offered(operation.deployment, key)  # it may have been taken out of the catalogue meanwhile
        except Refused as refusal:
            raise GivenUp(refusal.detail) from refusal
        if (later := queries.later(operation)) is not None:
            _leave_out(operation, later)
        airflow = runner(operation.deployment)
        before = after = airflow.variable(key)
        if after is None or after.value != value:
            if operation.created_at < timezone.now() - TOO_LATE:
                raise GivenUp(f"It could not be changed within an hour of being asked for, so {key} was left as it is.")
            outbox.keep(operation)
            after = airflow.set_variable(key, value)
        return Done(
            {"value": None if before is None else without_secrets(before.value)},
            {"value": without_secrets(after.value)},
        )

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        _record(Verb.VARIABLE_CHANGED, operation, trail, before=done.before["value"], value=done.after["value"])

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        failed = AuditEvent.Outcome.FAILED
        _record(Verb.VARIABLE_CHANGE_FAILED, operation, trail, outcome=failed, why=why)


def _leave_out(operation: Operation, later: Operation) -> NoReturn:
    """Settle it as not needed: a lane runs one at a time but not in order, and what was asked for last is to stay.

    Raises Conflict, because it is settled here, in one transaction with its event: nothing is left for the executor.
    """
    because = f"{later.ref} asks for a value of the same variable and came after {operation.ref}."
    with recording() as trail:
        _record(Verb.VARIABLE_CHANGE_LEFT_OUT, operation, trail, later=later.ref)
        outbox.cancel(operation, because=because)
    raise Conflict(because)


def _record(
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
