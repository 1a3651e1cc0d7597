"""What tasks wrote, as Airflow 3 gives it out: events, not lines."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import Reply, detail, moment
from tests.fake_airflow.routing import Call, Router
from tests.fake_airflow.tasks import TaskInstance, log_lines

router = Router(TOKEN)

LINES = "application/x-ndjson"


@router("GET", "/dags/*/dagRuns/*/taskInstances/*/logs/*")
def log(call: Call, dag_id: str, run_id: str, task_id: str, attempt: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "Task Logs"))
    accept = call.request.accept
    if accept and not accept.startswith(("*/*", "application/json", LINES)):
        raise detail(406, "Only application/json or application/x-ndjson is supported")
    start = _place(call.query.get("token", ""))
    run = call.state.run(dag_id, run_id)
    rows = call.state.task_instances(run) if run else []
    task = next((row for row in rows if row.task_id == task_id), None)
    if task is None or not 1 <= int(attempt) <= task.tries:
        raise detail(404, "TaskInstance not found")
    events = _events(task, int(attempt))
    end = min(start + call.state.log_page, len(events))
    # while the task runs there is always a token, often with nothing new behind it
    token = f"{end}.signed" if end < len(events) or task.ended_at is None else None
    if accept.startswith(LINES):
        # all there is, and a token even after the end
        text = "".join(f"{json.dumps({'timestamp': None, **event})}\n" for event in events[start:])
        return Reply(200, text, LINES, {"Airflow-Continuation-Token": f"{len(events)}.signed"})
    return {"content": events[start:end], "continuation_token": token}


def _events(task: TaskInstance, attempt: int) -> list[dict[str, Any]]:
    when = moment(task.started_at)
    source = f"/logs/dag_id={task.run.dag_id}/run_id={task.run.dag_run_id}/task_id={task.task_id}/attempt={attempt}.log"
    events: list[dict[str, Any]] = [
        {"event": "::group::Log message source details"},
        {"event": source},
        {"event": "::endgroup::"},
    ]
    lines = log_lines(task, attempt)
    for place, line in enumerate(lines):
        event: dict[str, Any] = {"timestamp": when, "event": line, "level": "info", "logger": "task"}
        if line == "Task failed with exception":
            events.append(event | {"level": "error", "error_detail": [_cause(lines[place + 1 :])]})
            break
        events.append(event)
    return events


def _cause(traceback: list[str]) -> dict[str, Any]:
    """Of the lines of a traceback. It is no text of its own here."""
    kind, _, said = (traceback or ["ValueError: boom"])[-1].partition(": ")
    places = [re.fullmatch(r'  File "(.+)", line (\d+), in (.+)', line) for line in traceback]
    frames = [{"filename": found[1], "lineno": int(found[2]), "name": found[3]} for found in places if found]
    return {"exc_type": kind, "exc_value": said, "exc_notes": [], "frames": frames}


def _place(token: str) -> int:
    """The event that a token stands for."""
    if not token:
        return 0
    place, _, signature = token.partition(".")
    if signature != "signed" or not place.isdigit():
        raise detail(400, "Bad Signature. Please use only the tokens provided by the API.")
    return int(place)
