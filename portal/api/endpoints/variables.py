"""Airflow's variables that the caller may see, and their changes."""

from __future__ import annotations

from typing import Any

from ninja import Query, Router, Status
from pydantic import Field, JsonValue

from portal.api import present, present_requests, present_variables
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, by_name
from portal.api.parsing import Body
from portal.api.shapes import OperationOut
from portal.api.shapes_requests import RequestOut
from portal.api.shapes_variables import VariableDetail, VariableOut
from portal.approvals import queries as requests
from portal.dags.variables import changing, offered, values

router = Router(tags=["variables"])


class VariableParams(PageParams):
    deployment: str = ""


class ChangeIn(Body):
    value: JsonValue = Field(description="a text as Airflow stores it, or the JSON value that the schema describes")
    reason: str = ""
    ticket: str | None = None


@router.get("/variables", auth=Bearer("read"), response=Page[VariableOut], summary="The variables you may see")
def list_variables(request: ApiRequest, params: Query[VariableParams]) -> Page[VariableOut]:
    user = request.auth.user
    found = [one for one in offered.visible_to(user) if params.deployment in ("", one.deployment.name)]
    rows, following = by_name(found, params, "variables", lambda one: one.subject)
    return Page(items=present_variables.variables(rows, reader=user), next=following)


@router.get("/variables/{deployment}/{key}", auth=Bearer("read"), response=VariableDetail, summary="One variable")
def read_variable(request: ApiRequest, deployment: str, key: str) -> VariableDetail:
    """With its value as the worker last read it from Airflow, and its last changes through Gatehouse."""
    found = offered.find_for(request.auth.user, deployment, key)
    return present_variables.variable_detail(found, reader=request.auth.user)


@router.post(
    "/variables/{deployment}/{key}",
    auth=Bearer("operate"),
    response={201: OperationOut, 202: RequestOut},
    summary="Change a variable, or ask for a change",
)
def change_variable(
    request: ApiRequest, deployment: str, key: str, body: ChangeIn
) -> Status[OperationOut] | Status[RequestOut]:
    """201: the operation. 202: the request for it, where an approval is needed."""
    by = request.auth.user
    variable = offered.find_for(by, deployment, key)
    given: dict[str, Any] = {
        "deployment": variable.deployment,
        "key": key,
        "value": values.given(variable.schema, body.value),
        "reason": body.reason,
    }
    if offered.may_change_at_once(by, variable) or not variable.policy:
        return Status(201, present.operation(changing.change(by=by, **given)))
    asked = changing.ask(by=by, **given, ticket=body.ticket or "")
    return Status(202, present_requests.request(requests.request_for(by, asked.pk), reader=by))
