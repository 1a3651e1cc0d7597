"""Airflow's variables through Gatehouse: only those that the catalogue names for a deployment, and nothing unrecorded.

They are for switches of what DAGs do. Their values are shown and recorded, so the catalogue should name no secrets.
"""

from __future__ import annotations

from portal.access.entry import clean_text
from portal.audit.record import Actor, recording
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.dags import live
from portal.errors import Invalid, Refused
from portal.operations import outbox
from portal.operations.models import Operation

LONGEST = 4000  # characters of a value


def check_offered(deployment: Deployment, key: str) -> None:
    """Raises Refused (`not_offered`) for a variable that the catalogue does not name."""
    if key not in deployment.variables:
        named = ", ".join(deployment.variables) or "none"
        raise Refused(
            f"The catalogue does not offer the variable “{key[:80]}” of {deployment.name}; it offers {named}. "
            "Name it under variables in gatehouse.toml.",
            reason="not_offered",
        )


def read(deployment: Deployment, key: str) -> str | None:
    """Its value as Airflow has it now; None where there is no such variable. Raises Refused, live.Unavailable."""
    check_offered(deployment, key)
    return live.variable(deployment, key)


def change(*, by: Actor, deployment: Deployment, key: str, value: str, reason: str) -> Operation:
    """Ask that it has this value. Raises Refused, Invalid without a reason or with too long a value."""
    with recording(refusal=Verb.VARIABLE_CHANGE_REFUSED, by=by, target=f"{deployment.name}/{key}") as trail:
        check_offered(deployment, key)
        reason = clean_text("reason", reason, required="Say why you change it: others will wonder.")
        if len(value) > LONGEST:
            raise Invalid({"value": f"The value has {len(value)} characters; at most {LONGEST} are taken."})
        operation = outbox.put(
            Operation.Kind.SET_VARIABLE,
            deployment=deployment,
            subject=f"{deployment.name}/{key}",
            lane=f"variable/{deployment.pk}/{key}",
            payload={"key": key, "value": value, "reason": reason},
            by=by,
        )
        trail.add(
            Verb.VARIABLE_CHANGE_REQUESTED,
            by=by,
            target=f"{deployment.name}/{key}",
            deployment=deployment.name,
            operation=operation.ref,
            detail={"value": value, "reason": reason},
        )
    return operation
