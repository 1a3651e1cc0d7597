"""Requests for a change of a variable on the pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from accounts.models import User
from portal.catalogue.document import PolicySpec
from portal.core.errors import Refused, why_not
from portal.dags.models import VariableRequest, VariableState
from portal.dags.parameters.schema_words import in_words
from portal.dags.variables import observing, offered
from portal.dags.variables.offered import Offered
from portal.dags.variables.variable_kind import VARIABLES, quoted
from portal.operations.models import Operation
from portal.web.kinds.base import Display
from portal.web.variables.forms import VariableAgainForm

S = Operation.Status
RESULT = "variablerequest__operation__status__in"


@dataclass(frozen=True)
class VariableFacts:
    """What an approver must know. variable: None if the catalogue no longer offers it."""

    variable: Offered | None
    state: VariableState | None
    allowed: str
    is_same: bool
    changes: list[Operation]


class VariableDisplay(Display):
    name = "variable"
    on_its_way = Q(**{RESULT: [S.QUEUED, S.RUNNING]})
    held = Q(pk__in=[])
    closed = Q(**{RESULT: [S.SUCCEEDED, S.FAILED, S.CANCELLED, S.SUPERSEDED]})

    def title(self, request: VariableRequest) -> str:
        return f"Set {VARIABLES.label(request)} to {quoted(request.value)}"

    def state(self, request: VariableRequest) -> tuple[Any, str]:
        return request.operation or request, "status"

    def standing(self, request: VariableRequest, reader: User) -> str:
        operation = request.operation
        if operation is None:
            return "It is approved."
        if operation.status == S.SUCCEEDED:
            return f"{request.key} is {quoted(operation.after.get('value') or '')} now: Airflow confirms it."
        if operation.is_settled:
            return f"{request.key} was not changed. {operation.error}"
        return f"{request.key} is being changed in Airflow."

    def sent(self, request: VariableRequest) -> str:
        return f"{request.ref} was sent. Its policy needs no decision. This page shows its progress."

    def starts_at(self, request: VariableRequest) -> datetime | None:
        return None

    def page(self, request: VariableRequest, reader: User) -> dict[str, Any]:
        variable = _offered(request)
        return {
            "grant": None,
            "variable": variable if variable and offered.may_see(reader, variable) else None,
            "operations": [request.operation] if request.operation else [],
            "may": {},
            "time_left": None,
        }

    def reload_seconds(self, request: VariableRequest) -> int:
        return 0 if request.operation is None or request.operation.is_settled else 3

    def shows(self, request: VariableRequest) -> list[str]:
        return [request.operation.status] if request.operation else []

    def again_form(
        self, request: VariableRequest, policy: PolicySpec, data: QueryDict | None = None
    ) -> VariableAgainForm:
        variable = offered.current(request.deployment, request.key)
        return VariableAgainForm(data, asked=request, variable=variable, policy=policy)

    def facts(self, request: VariableRequest, reader: User) -> VariableFacts:
        variable = _offered(request)
        state = observing.state_of(variable) if variable else None
        return VariableFacts(
            variable=variable,
            state=state,
            allowed=in_words(variable.schema) if variable and variable.schema else "any text",
            is_same=state is not None and state.value == request.value,
            changes=observing.changes_of(variable, most=3) if variable else [],
        )

    def conflict(self, request: VariableRequest) -> str:
        return why_not(VARIABLES.check_again, request, by=request.requester)

    def outcome(self, request: VariableRequest, asked: timedelta | None) -> str:
        return (
            f"You approved {request.ref}. Gatehouse is changing {request.key}. The request's page shows the progress."
        )


def _offered(request: VariableRequest) -> Offered | None:
    try:
        return offered.current(request.deployment, request.key)
    except Refused:
        return None
