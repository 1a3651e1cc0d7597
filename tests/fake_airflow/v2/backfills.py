"""Backfills, which only Airflow 3 starts through its API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import Refusal, Reply, detail, faulty, moment
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeBackfill, FakeDag, FakeRun
from tests.fake_airflow.v2.bodies import Field, check, refuse, truth
from tests.fake_airflow.v2.paging import in_order, page

router = Router(TOKEN)

BODY = {
    "dag_id": Field(required=True),
    "from_date": Field("date", required=True),
    "to_date": Field("date", required=True),
    "run_backwards": Field("bool"),
    "dag_run_conf": Field("dict", null=True),
    "reprocess_behavior": Field(choices=("failed", "completed", "none")),
    "max_active_runs": Field("int"),
    "run_on_latest_version": Field("bool", null=True),
}
ORDERS: Orders = {"id": None}


def serialize(row: FakeBackfill) -> dict[str, Any]:
    return {
        "id": row.id,
        "dag_id": row.dag_id,
        "from_date": moment(row.from_date),
        "to_date": moment(row.to_date),
        "dag_run_conf": row.conf,
        "is_paused": row.paused,
        "reprocess_behavior": row.reprocess_behavior,
        "max_active_runs": row.max_active_runs,
        "created_at": moment(row.created_at),
        "completed_at": moment(row.completed_at),
        "updated_at": moment(row.completed_at or row.created_at),
        "dag_display_name": row.dag_id,
    }


@router("GET", "/backfills")
def backfills(call: Call) -> Any:
    call.need("can_read", "Backfills")
    dag_id = call.query.get("dag_id")
    if dag_id is None:
        raise refuse([faulty("missing", ("query", "dag_id"), "Field required", None)])
    rows = [row for row in call.state.backfills if row.dag_id == dag_id]
    return page("backfills", in_order(rows, call, "id", ORDERS), call, serialize)


@router("GET", "/backfills/*")
def backfill(call: Call, number: str) -> Any:
    call.need("can_read", "Backfills")
    return serialize(_backfill(call, number))


@router("POST", "/backfills")
def create(call: Call) -> Any:
    call.need("can_create", "Backfills")
    body = check(call, BODY)
    state, dag = call.state, _dag(call, body)
    days = _days(call, body, dag)
    if any(row.dag_id == dag.dag_id and row.completed_at is None for row in state.backfills):
        raise detail(409, f"There is already a running backfill for dag {dag.dag_id}")
    row = FakeBackfill(
        len(state.backfills) + 1,
        dag.dag_id,
        _moment(body["from_date"]),
        _moment(body["to_date"]),
        body.get("dag_run_conf"),
        reprocess_behavior=body.get("reprocess_behavior", "none"),
        max_active_runs=body.get("max_active_runs", 10),
    )
    for day in days:
        run_id = f"backfill__{day.isoformat()}"
        if not any(run.dag_id == dag.dag_id and run.logical_date == day for run in state.runs):
            run = FakeRun(dag.dag_id, run_id, day, row.conf or {}, None, by=call.by.username)
            run.run_after = day
            run.run_type, run.triggered_by = "backfill", "backfill"
            state.runs.append(run)
            row.runs.append(run)
    state.backfills.append(row)
    return serialize(row)


@router("POST", "/backfills/dry_run")
def dry_run(call: Call) -> Any:
    call.need("can_create", "Backfills")
    body = check(call, BODY)
    days = _days(call, body, _dag(call, body))
    newest = {"partition_key": None, "partition_date": None} if call.state.release.since(3, 3) else {}
    rows = [{"logical_date": moment(day), **newest} for day in days]
    return {"backfills": rows, "total_entries": len(rows)}


@router("PUT", "/backfills/*/pause")
def pause(call: Call, number: str) -> Any:
    row = _to_change(call, number)
    row.paused = True
    return serialize(row)


@router("PUT", "/backfills/*/unpause")
def unpause(call: Call, number: str) -> Any:
    row = _to_change(call, number)
    row.paused = False
    return serialize(row)


@router("PUT", "/backfills/*/cancel")
def cancel(call: Call, number: str) -> Any:
    """Runs that go on go on; those that wait count as failed."""
    row = _to_change(call, number)
    row.paused, row.completed_at = True, datetime.now(UTC)
    for run in row.runs:
        if run.state == "queued":
            run.state = "failed"
    return serialize(row)


def _to_change(call: Call, number: str) -> FakeBackfill:
    call.need("can_edit", "Backfills")
    row = _backfill(call, number)
    if row.completed_at:
        raise detail(409, "Backfill is already completed.")
    return row


def _backfill(call: Call, number: str) -> FakeBackfill:
    found = next((row for row in call.state.backfills if str(row.id) == number), None)
    if found is None:
        raise detail(404, "Backfill not found")
    return found


def _dag(call: Call, body: dict[str, Any]) -> FakeDag:
    dag = call.state.parsed_dag(body["dag_id"])
    if dag is None:
        raise detail(404, f"Could not find dag {body['dag_id']}")
    if dag.allowed_run_types is not None and "backfill" not in dag.allowed_run_types:
        raise detail(400, f"Dag with dag_id: '{dag.dag_id}' does not allow backfill runs")
    return dag


def _days(call: Call, body: dict[str, Any], dag: FakeDag) -> list[datetime]:
    """Every schedule is a daily one here: "minute hour * * *"."""
    first, last = _moment(body["from_date"]), _moment(body["to_date"])
    if first > last:
        raise _invalid(f"from_date ({first.isoformat()}) must not be after to_date ({last.isoformat()}).")
    if last > datetime.now(UTC):
        raise _invalid("Backfill cannot be executed for future dates.")
    if not dag.schedule:
        newest = call.state.release.since(3, 3)
        why = "a non-periodic schedule that does not support backfills" if newest else "no schedule."
        raise _invalid(f"{dag.dag_id} has {why}")
    minute, hour = (int(part) if part.isdigit() else 0 for part in dag.schedule.split()[:2])
    day = first.replace(hour=hour, minute=minute, second=0, microsecond=0)
    days = [day + timedelta(days=number) for number in range((last - day).days + 2)]
    days = [day for day in days if first <= day <= last]
    if not days:
        raise _invalid(f"No runs to create for Dag {dag.dag_id} in the range [{first}, {last}]")
    return days[::-1] if truth(body.get("run_backwards", False)) else days


def _invalid(words: str) -> Refusal:
    return Refusal(Reply(422, {"detail": words}))


def _moment(text: str) -> datetime:
    """Without a time zone, UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
