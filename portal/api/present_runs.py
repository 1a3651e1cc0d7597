"""The tasks and logs of runs as the API shows them."""

from __future__ import annotations

from portal.api import shapes
from portal.dags.models import Run, RunTasks, TaskLog


def run_tasks(row: Run) -> shapes.RunTasksOut:
    known: RunTasks | None = getattr(row, "tasks", None)
    rows = known.rows if known else []
    found = known.results if known and row.status == Run.Status.SUCCESS else []
    return shapes.RunTasksOut(
        tasks=[
            shapes.TaskOut(
                task_id=one["task"],
                mapped=one["mapped"],
                states=one["counts"],
                failed=one["failed"],
                tries=one["tries"],
                duration=one["took"],
            )
            for one in rows
        ],
        results=[
            shapes.ResultOut(
                name=one["name"], value=None if one["problem"] else one["value"], problem=one["problem"] or None
            )
            for one in found
        ],
        problem=(known.problem if known else "") or None,
        seen_at=known.seen_at if known else None,
    )


def log(row: TaskLog | None) -> shapes.LogOut:
    return shapes.LogOut(
        lines=row.excerpt if row else [],
        first_line=row.excerpt_from if row else 0,
        error_line=row.error_at if row else None,
        total_lines=row.lines if row else 0,
        problem=(row.problem if row else "") or None,
        read_at=row.read_at if row else None,
    )
