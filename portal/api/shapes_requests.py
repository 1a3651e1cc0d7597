"""The shapes of requests, grants and permits. The rules of portal.api.shapes apply."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

from portal.api.parsing import Duration, Moment


class StageOut(BaseModel):
    approvers: list[str] = Field(description="who may decide it, by the current groups")
    quorum: int
    status: str


class DecisionOut(BaseModel):
    by: str
    on_behalf_of: str | None
    round: int
    outcome: str = Field(description="approve, deny, return")
    comment: str
    duration: Duration | None = Field(description="the duration that the approver set, if it was shortened")
    at: Moment


class CommentOut(BaseModel):
    by: str
    text: str
    audience: str = Field(serialization_alias="for", description="all, approvers")
    at: Moment


class RequestOut(BaseModel):
    id: str
    kind: str
    status: str
    round: int
    entitlement: str | None = Field(description="what is requested, if kind is access")
    dag: str | None = Field(description="the DAG, if kind is run or permit", examples=["demo/payroll_close"])
    conf: dict[str, JsonValue] | None = Field(description="the parameters of the run; secrets are hidden")
    conf_sha256: str | None = Field(
        description="of conf as canonical JSON; with secrets, of that text, a line break and their keyed digest"
    )
    note: str | None = Field(description="the note of the run")
    requester: str
    beneficiary: str
    duration: Duration | None = Field(description="null if kind is run or variable")
    reason: str
    ticket: str | None
    starts_at: Moment | None
    created_at: Moment
    lapses_at: Moment
    closed_at: Moment | None
    policy: str
    policy_version: int
    break_glass: bool
    stages: list[StageOut] = Field(description="of this round")
    decisions: list[DecisionOut]
    comments: list[CommentOut] = Field(description="those that the caller may read")
    grant: str | None
    start_at: Moment | None = Field(description="the wished start of the run; null: as soon as approved")
    start: str | None = Field(description="of the run: waiting, scheduled, started, not_started, cancelled")
    start_problem: str | None = Field(description="why the run was not started, or why its start was cancelled")
    run: str | None
    bounds: dict[str, JsonValue] | None = Field(description="of the permit, by parameter")
    runs: int | None = Field(description="the number of runs that the permit allows")
    permit: str | None
    variable: str | None = Field(description="if kind is variable", examples=["demo/report_mode"])
    value: str | None = Field(description="the new value of the variable, as Airflow stores it")
    operation: str | None = Field(description="that changes the variable; null until it is approved")
    url: str


class StepOut(BaseModel):
    title: str
    state: str = Field(description="done, now, future, bad")
    at: Moment | None
    expected: str | None
    by: str | None
    note: str | None


class RequestDetail(RequestOut):
    timeline: list[StepOut]


class GrantOut(BaseModel):
    id: str
    status: str
    entitlement: str
    beneficiary: str
    request: str | None
    duration: Duration
    starts_at: Moment | None
    created_at: Moment
    verified_at: Moment | None
    ends_at: Moment | None
    ended_at: Moment | None
    end_reason: str | None
    role: str
    airflow_user: str | None
    missing_since: Moment | None
    left_to_admins_at: Moment | None
    account_deactivated_since: Moment | None
    back_since: Moment | None
    end_comment: str | None
    ended_by: str | None
    failure: str | None
    operations: list[str]


class PermitOut(BaseModel):
    id: str = Field(examples=["PERMIT-3"])
    status: str = Field(description="active, used_up, expired, revoked")
    dag: str
    holder: str
    request: str
    bounds: dict[str, JsonValue] = Field(description="by parameter: enum, minimum, maximum, days_back")
    runs: int
    used: int
    created_at: Moment
    ends_at: Moment
    ended_at: Moment | None
    ended_by: str | None
    end_comment: str | None
