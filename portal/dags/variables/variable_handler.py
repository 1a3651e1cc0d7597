"""The handler of variables. It uses the runner's account."""

from __future__ import annotations

from portal.airflow.clients import runner
from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import clock
from portal.core.errors import Invalid, Refused
from portal.dags.runs.start_handler import TOO_LATE
from portal.dags.variables import observing, offered, values
from portal.dags.variables.values import without_secrets
from portal.operations import outbox
from portal.operations.handling import Done, PermanentFailure, record
from portal.operations.models import Operation


class SetVariable:
    """Ensures that the variable has the requested value."""

    def execute(self, operation: Operation) -> Done:
        key, value = operation.payload["key"], operation.payload["value"]
        _check_again(operation)
        airflow = runner(operation.deployment)
        found = airflow.variable(key)
        before = {"value": None if found is None else without_secrets(found.value)}
        if found is not None and found.value == value:
            before = operation.payload.get("sent", before)  # changed by an earlier attempt whose answer was lost
        else:
            if operation.created_at < clock.now() - TOO_LATE:
                raise PermanentFailure(
                    f"{key} could not be changed within one hour after the request, so it was left unchanged."
                )
            outbox.note_sent(operation, **before)
            found = airflow.set_variable(key, value)
        return Done(before, {"value": without_secrets(found.value)})

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        observing.changed(operation, done.after["value"])
        _record(trail, Verb.VARIABLE_CHANGED, operation, before=done.before["value"], value=done.after["value"])

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        _record(trail, Verb.VARIABLE_CHANGE_FAILED, operation, AuditEvent.Outcome.FAILED, why=why)


def _check_again(operation: Operation) -> None:
    """The catalogue and the person may have changed since the request. Raises PermanentFailure with the reason."""
    payload = operation.payload
    try:
        variable = offered.find(operation.deployment, payload["key"])
        values.check(variable, payload["value"])
    except Refused as refusal:
        raise PermanentFailure(refusal.detail) from refusal
    except Invalid as error:
        raise PermanentFailure(f"The catalogue no longer allows this value. {error.detail}") from error
    if payload.get("by_operator", "request" not in payload):
        return  # an operator at the command line may change each one
    approved = "request" in payload
    if why := offered.why_not_any_more(operation.requested_by, variable, approved=approved):
        raise PermanentFailure(why)


def _record(
    trail: Trail,
    verb: Verb,
    operation: Operation,
    outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
    **detail: object,
) -> None:
    asked = {"requested_by": operation.requested_by, "reason": operation.payload["reason"]}
    record(trail, verb, operation, outcome, **asked, **detail)
