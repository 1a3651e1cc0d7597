"""The shapes of the answers. Fields may be added, but never renamed. A missing value is null, never an empty text."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

from portal.api.parsing import Duration, Moment


class Me(BaseModel):
    username: str
    name: str
    groups: list[str]
    roles: list[str]
    scopes: list[str] = Field(description="of this token, without those whose role its owner has lost")
    token: str
    token_expires_at: Moment


class DeploymentOut(BaseModel):
    name: str
    api: str = Field(description="v1: Airflow 2; v2: Airflow 3")
    airflow_version: str | None
    status: str = Field(description="up, down, needs_reauthentication, unknown")
    status_since: Moment | None
    checked_at: Moment | None


class EntitlementOut(BaseModel):
    id: str = Field(examples=["demo/role/Op", "demo/dag/sales_report/operate"])
    deployment: str
    title: str
    description: str | None
    risk: str
    max_duration: Duration
    policy: str
    requestable: bool
    why_not: str | None
    reason: str | None = Field(description="the stable word for why_not")
    approvers: list[list[str]] = Field(description="the approvers of each step")
    held: str | None = Field(description="your active grant of this entitlement")
    open_request: str | None


class OperationOut(BaseModel):
    id: str
    kind: str
    status: str
    deployment: str
    subject: str
    requested_by: str | None
    attempts: int
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]
    error: str | None
    waiting_for: str | None
    created_at: Moment
    settled_at: Moment | None


class EventOut(BaseModel):
    seq: int
    at: Moment
    actor: str
    on_behalf_of: str | None
    token: str | None
    source: str | None
    verb: str
    outcome: str
    target: str
    deployment: str | None
    request: str | None
    grant: str | None
    operation: str | None
    about: list[str]
    detail: dict[str, JsonValue]
    sentence: str
    hash: str


class Head(BaseModel):
    seq: int
    hash: str


class Verification(BaseModel):
    ok: bool
    events: int
    rows: int = Field(description="the number of requests, grants and runs that were compared with the trail")
    head: Head
    first_bad: int | None
    problems: list[str]
