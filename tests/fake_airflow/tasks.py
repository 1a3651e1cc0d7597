"""The tasks of a run: which states they are in, what they wrote."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tests.fake_airflow.rows import FakeDag, FakeRun

WAITING = ("scheduled", "queued", "running", "awaiting_input", "deferred")


@dataclass(frozen=True)
class TaskInstance:
    run: FakeRun
    task_id: str
    state: str | None
    tries: int
    started_at: datetime | None
    ended_at: datetime | None
    map_index: int = -1
    label: str | None = None


def task_instances(run: FakeRun, dag: FakeDag) -> list[TaskInstance]:
    """Of a run that goes on, the first task runs; of one that failed, the last one has."""
    states: list[str | None] = [run.state if run.ended_at else None] * len(dag.tasks)
    if run.state == "failed":
        states[:-1] = ["success"] * (len(dag.tasks) - 1)
    elif run.state == "running":
        states[:1] = ["running"] * len(states[:1])
    kept = {task: state for task, state in run.task_states.items() if not (run.ended_at and state in WAITING)}
    found = []
    for task_id, usual in zip(dag.tasks, states, strict=True):
        task = _task(run, task_id, kept.get(task_id, usual))
        if task_id not in dag.mapped:
            found.append(task)
        for index in range(dag.mapped.get(task_id, 0)):
            of_its_own = _task(run, task_id, kept.get(f"{task_id}[{index}]", task.state))
            found.append(replace(of_its_own, map_index=index, label=f"no {index}"))
    return found


def _task(run: FakeRun, task_id: str, state: str | None) -> TaskInstance:
    begun = state is not None
    ended = run.ended_at if begun and state not in WAITING else None
    tries = run.earlier_tries.get(task_id, 0) + (begun and state not in ("upstream_failed", "skipped"))
    return TaskInstance(run, task_id, state, tries, run.started_at if begun else None, ended)


def stop(run: FakeRun, dag: FakeDag) -> None:
    """The run is marked failed before its end: of its tasks, those that run fail, and those that wait are skipped."""
    for task in task_instances(run, dag):
        if task.state is None or task.state in WAITING:
            name = task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
            run.task_states[name] = "skipped" if task.state in (None, "scheduled", "queued") else "failed"


def clear(run: FakeRun, dag: FakeDag, chosen: set[str]) -> None:
    """These tasks are to run once more; the others stay as they are."""
    before = task_instances(run, dag)
    run.task_states = {task.task_id: task.state for task in before if task.state and task.task_id not in chosen}
    for task in before:
        if task.task_id in chosen:
            run.earlier_tries[task.task_id] = task.tries


def log_lines(task: TaskInstance, attempt: int) -> list[str]:
    """What one try wrote, line by line."""
    if (task.task_id, attempt) in task.run.logs:
        return task.run.logs[task.task_id, attempt]
    lines = [f"Task {task.task_id} of {task.run.dag_run_id} starts, try {attempt}"]
    if task.state == "failed" and attempt == task.tries:
        return [*lines, "Task failed with exception"]
    return [*lines, "Task is done"] if task.ended_at else lines
