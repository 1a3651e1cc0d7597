"""Storing the operation that changes a variable, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.audit.record import Actor, Trail
from portal.audit.verbs import Verb
from portal.core import refs
from portal.dags.models import VariableRequest
from portal.dags.operation_names import SET_VARIABLE
from portal.dags.variables import offered
from portal.dags.variables.offered import Offered
from portal.operations import outbox
from portal.operations.models import Operation


def put(variable: Offered, payload: Mapping[str, Any], *, by: Actor, actor: Actor | None, trail: Trail) -> Operation:
    """payload: `key`, `value`, `reason`, and `request` if it was approved. actor: of the event; None: the portal."""
    operation = outbox.put(
        SET_VARIABLE,
        deployment=variable.deployment,
        subject=variable.subject,
        payload=payload,
        by=by,
        about=(variable.deployment, variable.key),
    )
    about = [operation.ref, refs.deployment(variable.deployment.name)]
    detail = {"value": payload["value"], "reason": payload["reason"]}
    if "request" in payload:
        about.append(payload["request"])
        detail |= {"request": payload["request"], "requested_by": by.get_username()}
    trail.add(Verb.VARIABLE_CHANGE_REQUESTED, by=actor, target=variable.subject, about=about, detail=detail)
    return operation


def put_approved(request: VariableRequest, trail: Trail) -> Operation:
    """The change of an approved request. Raises Refused, as `offered.find`."""
    payload = {"key": request.key, "value": request.value, "reason": request.reason, "request": request.ref}
    variable = offered.current(request.deployment, request.key)
    return put(variable, payload, by=request.requester, actor=None, trail=trail)
