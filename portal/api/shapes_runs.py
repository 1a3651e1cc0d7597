"""The shapes of DAGs and runs. The rules of portal.api.shapes apply."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, JsonValue

from portal.api.parsing import Moment


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
