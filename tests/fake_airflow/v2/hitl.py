"""Tasks that wait for a person, since Airflow 3.1."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import detail, moment
from tests.fake_airflow.routing import Call, Router
from tests.fake_airflow.rows import FakeQuestion
from tests.fake_airflow.v2 import serializers
from tests.fake_airflow.v2.bodies import Field, check, truth
from tests.fake_airflow.v2.paging import page

router = Router(TOKEN)

DETAILS = "/dags/*/dagRuns/*/taskInstances/*/*/hitlDetails"


def serialize(row: FakeQuestion, call: Call) -> dict[str, Any]:
    run = call.state.run(row.dag_id, row.dag_run_id)
    tasks = call.state.task_instances(run) if run else []
    task = next(task for task in tasks if task.task_id == row.task_id)
    return {
        "task_instance": serializers.task_instance(task, call.state.release),
        "options": row.options,
        "subject": row.subject,
        "body": row.body,
        "defaults": row.defaults,
        "multiple": row.multiple,
        "params": row.params,
        "assigned_users": row.assigned_users,
        "created_at": moment(row.created_at),
        "responded_by_user": row.answered_by,
        "responded_at": moment(row.answered_at),
        "chosen_options": row.chosen,
        "params_input": row.given,
        "response_received": row.answered_at is not None,
    }


@router("GET", "/dags/*/dagRuns/*/hitlDetails")
def questions(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "HITL Detail"))
    rows = [
        row
        for row in call.state.questions
        if dag_id in ("~", row.dag_id)
        and run_id in ("~", row.dag_run_id)
        and call.state.may_on_dag(call.by, "can_read", row.dag_id)
    ]
    if "response_received" in call.query:
        wanted = truth(call.query["response_received"])
        rows = [row for row in rows if (row.answered_at is not None) == wanted]
    return page("hitl_details", rows, call, lambda row: serialize(row, call))


@router("GET", DETAILS)
def question(call: Call, dag_id: str, run_id: str, task_id: str, map_index: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "HITL Detail"))
    return serialize(_question(call, dag_id, run_id, task_id, map_index), call)


ANSWER = {"chosen_options": Field("list", required=True, shortest=1), "params_input": Field("dict")}


@router("PATCH", DETAILS)
def answer(call: Call, dag_id: str, run_id: str, task_id: str, map_index: str) -> Any:
    """By whoever asks: that the account answers for a person, Airflow cannot know."""
    call.need_dag("can_edit", dag_id, ("can_edit", "HITL Detail"))
    body = check(call, ANSWER, strict=False)
    row = _question(call, dag_id, run_id, task_id, map_index)
    name = call.by.username
    number = call.state.number_of(call.by)
    if row.answered_at:
        words = "Human-in-the-loop detail has already been updated for Task Instance with id"
        raise detail(409, f"{words} {run_id}-{task_id} and is not allowed to write again.")
    if row.assigned_users and number not in {user["id"] for user in row.assigned_users}:
        raise detail(403, f"User={name} (id={number}) is not a respondent for the task.")
    chosen = body["chosen_options"]
    careful = call.state.release.since(3, 3)  # 3.1 takes any answer
    if careful and (unknown := set(chosen) - set(row.options)):
        allowed = sorted(row.options)
        raise detail(400, f"Invalid options {sorted(unknown)}; allowed options are {allowed}.")
    if careful and len(chosen) > 1 and not row.multiple:
        raise detail(400, "Multiple options chosen but this Human-in-the-loop task accepts only a single option.")
    row.answered_by, row.answered_at = {"id": number, "name": name}, datetime.now(UTC)
    row.chosen, row.given = chosen, body.get("params_input", {})
    run = call.state.run(dag_id, run_id)
    if run:
        run.task_states[task_id] = "scheduled"
    return {
        "responded_by": row.answered_by,
        "responded_at": moment(row.answered_at),
        "chosen_options": row.chosen,
        "params_input": row.given,
    }


def _question(call: Call, dag_id: str, run_id: str, task_id: str, map_index: str) -> FakeQuestion:
    run = call.state.run(dag_id, run_id)
    if run is None or task_id not in call.state.dags[dag_id].tasks or map_index != "-1":
        named = f"dag_id: `{dag_id}`, run_id: `{run_id}`, task_id: `{task_id}` and map_index: `{map_index}`"
        raise detail(404, f"The Task Instance with {named} was not found")
    key = (dag_id, run_id, task_id)
    found = next((row for row in call.state.questions if (row.dag_id, row.dag_run_id, row.task_id) == key), None)
    if found is None:
        words = "Human-in-the-loop detail does not exist for Task Instance with id"
        raise detail(404, f"{words} {run_id}-{task_id}")
    return found
