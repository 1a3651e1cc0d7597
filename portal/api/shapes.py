"""The shapes of the answers. Fields may be added, but never renamed. A missing value is null, never an empty text."""

from __future__ import annotations

from typing import Any

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
    duration: Duration | None = Field(description="null if kind is run")
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


class LastRun(BaseModel):
    dag_run_id: str
    status: str
    started_at: Moment | None
    ended_at: Moment | None


class SwitchedOut(BaseModel):
    by: str | None = Field(description="who requested it in Gatehouse; null if it was done in Airflow")
    at: Moment
    reason: str | None
    until: Moment | None = Field(description="when Gatehouse unpauses it")


class DagOut(BaseModel):
    id: str = Field(examples=["demo/sales_report"])
    deployment: str
    dag_id: str
    description: str | None
    actions: list[str] = Field(description="what you may do without an approval")
    why_not: str | None = Field(description="why you may not run it without an approval")
    reason: str | None = Field(description="the stable word for why_not")
    problem: str | None = Field(description="why Airflow cannot run it")
    warning: str | None = Field(description="why a run would execute no tasks, although Airflow would start it")
    paused: bool | None
    switched: SwitchedOut | None = Field(description="who paused or unpaused it, when and why; null if unknown")
    last_runs: list[LastRun]
    last_runs_problem: str | None = Field(description="why the last attempt to read the runs failed")
    seen_at: Moment | None
    url: str


class Parameter(BaseModel):
    default: JsonValue
    json_schema: dict[str, Any] = Field(serialization_alias="schema")
    required: bool = Field(description="it has no default, so a run must have a value for it")


class FindingOut(BaseModel):
    title: str
    text: str
    level: str = Field(description="plain; warn; stop: a run would fail or do nothing, so it needs `confirm`")
    run: str | None = Field(description="the run that the text is about")


class DagDetail(DagOut):
    locked: dict[str, JsonValue] = Field(description="parameters with fixed values")
    params: dict[str, Parameter] | None = Field(
        description="those that a run may set, with the DAG's schema and the bounds of the catalogue; null: never read"
    )
    undeclared: bool = Field(description="whether a run may have other parameters too")
    requester_param: str | None = Field(description="the parameter that is set to the requester's user name")
    preflight: list[FindingOut] = Field(description="what is known before a run; what stops it comes first")
    params_as_of: Moment | None
    params_unknown_because: str | None


class RunOut(BaseModel):
    id: str
    status: str
    deployment: str
    dag_id: str
    dag_run_id: str
    conf: dict[str, JsonValue]
    note: str | None
    requested_by: str
    request: str | None = Field(description="the approved request that it belongs to")
    permit: str | None = Field(description="the permit that allowed it")
    operation: str | None
    error: str | None = Field(description="why it was not started, or that it was deleted in Airflow")
    remark: str | None = Field(description="a note on the status, for example that no task ran")
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    deleted_at: Moment | None = Field(description="when Gatehouse found that it was deleted in Airflow")
    seen_at: Moment | None = Field(description="when it was last read from Airflow")
    url: str


class TaskOut(BaseModel):
    task_id: str
    mapped: bool
    states: dict[str, int] = Field(description="instances by state; one instance unless it is mapped")
    failed: list[str] = Field(description="the first failed instances of a mapped task")
    tries: int
    duration: float | None = Field(description="seconds")


class ResultOut(BaseModel):
    name: str = Field(description="task.key, as the catalogue names it")
    value: str | None
    problem: str | None = Field(description="why there is no value")


class RunTasksOut(BaseModel):
    tasks: list[TaskOut]
    results: list[ResultOut]
    problem: str | None = Field(description="why the tasks could not be read the last time")
    seen_at: Moment | None = Field(description="when they were last read from Airflow")


class LogOut(BaseModel):
    lines: list[str]
    first_line: int = Field(description="the number of the first of these lines in the log")
    error_line: int | None = Field(description="the number of the line with the error")
    total_lines: int
    problem: str | None = Field(description="why the log could not be read the last time")
    read_at: Moment | None


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
