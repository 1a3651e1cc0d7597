"""The request kind of changes of variables, for portal.approvals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from accounts.models import User
from portal.approvals import checks
from portal.approvals.kinds import Kind
from portal.approvals.ledgers import REQUESTS
from portal.approvals.steps import Step
from portal.audit import compare
from portal.audit.compare import Columns, LedgerEvent
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core.errors import Invalid, Refused
from portal.dags.models import VariableRequest
from portal.dags.variables import offered, values
from portal.dags.variables.putting import put_approved
from portal.operations.models import Operation

S = Operation.Status
LONGEST = 60  # characters of a value in a sentence


class VariableKind(Kind):
    name = "variable"
    model = VariableRequest
    related = ("requester", "beneficiary", "withdrawn_by", "deployment", "operation")
    terms = {"variable": lambda row: row.about, "value": lambda row: row.value}
    changeable = ("value",)
    result = "operation"

    def label(self, request: VariableRequest) -> str:
        return f"the variable {request.key} on {request.deployment.name}"

    def sentence(self, request: VariableRequest) -> str:
        """`employee asks to set the variable report_mode on demo to “fast”`."""
        verb = "asks" if request.closed_at is None else "asked"
        return f"{request.requester.username} {verb} to set {self.label(request)} to {quoted(request.value)}"

    def event_detail(self, request: VariableRequest) -> Mapping[str, Any]:
        return {"variable": request.about}

    def recorded_columns(self, recorded: LedgerEvent) -> Columns:
        return {"about": recorded.detail["variable"], **{name: recorded.detail[name] for name in self.terms}}

    def policy(self, request: VariableRequest) -> PolicySpec:
        return catalogue.policy(offered.current(request.deployment, request.key).policy)

    def search_texts(self, request: VariableRequest) -> list[str]:
        return [request.about, request.value]

    def change(self, request: VariableRequest, changed: Mapping[str, Any], *, by: User) -> Mapping[str, Any]:
        """changed: `value`, as `values.given` takes it."""
        if "value" in changed:
            variable = offered.current(request.deployment, request.key)
            text = values.given(variable.schema, changed["value"])
            values.check(variable, text)
            request.value = text
        return {"value": request.value}

    def entry_problems(self, request: VariableRequest, policy: PolicySpec) -> dict[str, str]:
        return checks.text_problems(request.reason, request.ticket, policy)

    def changed_words(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        if before["value"] == after["value"]:
            return []
        return [f"Value: {quoted(after['value'])} instead of {quoted(before['value'])}."]

    def check_again(self, request: VariableRequest, *, by: User) -> None:
        """The catalogue in force decides, and the stored request must be as its events made it."""
        variable = offered.current(request.deployment, request.key)
        if not request.requester.is_active:
            raise Refused(f"{request.requester.username} can no longer sign in.", reason="inactive")
        offered.check_can_ask(request.requester, variable)
        try:
            values.check(variable, request.value)
        except Invalid as error:
            raise Refused(f"The catalogue no longer allows this value. {error.detail}", reason="not_allowed") from None
        if found := compare.problem_of(REQUESTS, request.pk):
            raise Refused(f"{found} It cannot be approved.", reason="changed_outside")

    def approved(self, request: VariableRequest, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        request.operation = put_approved(request, trail)
        request.save(update_fields=["operation"])
        event["about"].append(request.operation.ref)
        event["detail"]["operation"] = request.operation.ref

    def at_once_words(self, request: VariableRequest) -> tuple[str, str]:
        return "Approved at once by its policy", super().at_once_words(request)[1]

    def steps(self, request: VariableRequest) -> list[Step]:
        operation = request.operation
        if operation is None:
            return (
                [Step("The variable is changed", "future", expected="after approval")] if not request.closed_at else []
            )
        if operation.status == S.SUCCEEDED:
            return [Step("The variable is changed: Airflow confirms it", "done", at=operation.settled_at)]
        if operation.is_settled:
            return [Step("The variable was not changed", "bad", at=operation.settled_at, note=operation.error)]
        return [Step("The variable is being changed in Airflow", "now")]

    def outdated(self, request: VariableRequest) -> str:
        try:
            offered.check_can_ask(request.requester, offered.current(request.deployment, request.key))
        except Refused as refusal:
            if refusal.reason != "not_eligible":
                return refusal.detail
            return f"{request.requester.username} may no longer ask for a change of {request.key}."
        return ""


def quoted(value: str) -> str:
    shown = value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
    return f"“{' '.join(shown.split())}”" if shown.strip() else "an empty text"


VARIABLES = VariableKind()
