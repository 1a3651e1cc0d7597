"""The body of a new request. A program gets the errors of all its fields at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from accounts import people
from accounts.models import User
from portal.api.auth import ApiRequest
from portal.api.parsing import Body, Duration, Moment
from portal.approvals import checks
from portal.catalogue.models import Dag
from portal.catalogue.queries import entitlement
from portal.core.errors import Missing
from portal.dags import queries as dags


class RequestIn(Body):
    # names are looked up while the body is read, so that an unknown one is told with the other wrong fields
    dag: str | None = Field(None, description="for a permit, instead of entitlement", examples=["demo/payroll_close"])
    entitlement: str | None = Field(None, validate_default=True, description="for access")
    bounds: dict[str, Any] = Field({}, description="of a permit, by parameter: enum, minimum, maximum, days_back")
    runs: int | None = Field(None, validate_default=True, description="the number of runs that a permit allows")
    duration: Duration
    reason: str
    ticket: str | None = None
    starts_at: Moment | None = Field(None, description="of access; null: as soon as approved")
    beneficiary: str | None = Field(None, description="of access; null: the caller")

    @field_validator("dag")
    @classmethod
    def _dag(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None:
            request: ApiRequest = (info.context or {})["request"]
            _known(dag_for, request.auth.user, name)
        return name

    @field_validator("entitlement")
    @classmethod
    def _entitlement(cls, key: str | None, info: ValidationInfo) -> str | None:
        if not _is_for_permit(info):
            if not key:
                raise ValueError("Name an entitlement, or a dag for a permit.")
            _known(entitlement, key)
        return _only_for_access(key, info)

    @field_validator("bounds", "runs")
    @classmethod
    def _of_permit(cls, value: Any, info: ValidationInfo) -> Any:
        if _is_for_permit(info):
            if value is None:
                raise ValueError("Say how many runs the permit should allow.")
        elif value and info.data.get("entitlement"):
            raise ValueError(f"Only a request for a permit has {info.field_name}. Leave it out.")
        return value

    @field_validator("starts_at", "beneficiary")
    @classmethod
    def _of_access(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name == "beneficiary" and value:
            _known(people.by_username, value)
        return _only_for_access(value, info)

    @field_validator("reason")
    @classmethod
    def _reason(cls, text: str) -> str:
        if found := checks.reason_missing(text):
            raise ValueError(found)
        return text


def _is_for_permit(info: ValidationInfo) -> bool:
    """Whether a DAG is named, also an unknown one."""
    return info.data.get("dag", "unknown") is not None


def _only_for_access(value: Any, info: ValidationInfo) -> Any:
    if value and _is_for_permit(info):
        raise ValueError(f"A request for a permit has no {info.field_name}. Leave it out.")
    return value


def _known(find: Callable[..., object], *args: Any) -> None:
    """Raises ValueError, which names the field, if `find` raises Missing."""
    try:
        find(*args)
    except Missing as error:
        raise ValueError(error.detail) from None


def dag_for(user: User, name: str) -> Dag:
    """The DAG `deployment/dag_id`. Raises Missing if there is none that the person may see."""
    deployment, _, dag_id = name.partition("/")
    return dags.dag_for(user, deployment, dag_id).dag
