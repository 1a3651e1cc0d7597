"""The tasks of a run as they are stored and shown. A mapped task has one row for all its instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:  # only for annotations: this module does not call Airflow
    from portal.airflow.bridge import AirflowTask

NAMED = 10  # failed instances that are named; the others are only counted
NOT_STARTED = "not started"
FAILED = ("failed", "upstream_failed")
WORDS = {"success": "succeeded", "up_for_retry": "waiting for retry", "up_for_reschedule": "waiting for reschedule"}


class TaskRow(TypedDict):
    """counts: instances by state. failed: names of the first failed instances of a mapped task. took: seconds.

    first_failed: map index of the instance that failed first; None if none failed. max_tries: tries that Airflow makes
    by itself. began, ended: ISO times. Rows of earlier releases lack what follows `took`.
    """

    task: str
    mapped: bool
    counts: dict[str, int]
    failed: list[str]
    tries: int
    took: float | None
    first_failed: NotRequired[int | None]
    max_tries: NotRequired[int]
    began: NotRequired[str | None]
    ended: NotRequired[str | None]


def summary(instances: Iterable[AirflowTask]) -> list[TaskRow]:
    """The rows in the order in which the tasks began. Tasks that have not begun are last, as Airflow lists them."""
    by_task: dict[str, list[AirflowTask]] = {}
    for instance in instances:
        by_task.setdefault(instance.task_id, []).append(instance)
    rows = [_row(task, found) for task, found in by_task.items()]
    return sorted(rows, key=lambda row: (row["began"] is None, row["began"] or ""))


def _row(task: str, found: list[AirflowTask]) -> TaskRow:
    mapped = any(instance.map_index >= 0 for instance in found)
    all_failed = [instance for instance in found if instance.state == "failed"]
    failed = all_failed if mapped else []
    began = min((instance.started_at for instance in found if instance.started_at), default=None)
    ended = max((instance.ended_at for instance in found if instance.ended_at), default=None)
    return {
        "task": task,
        "mapped": mapped,
        "counts": dict(Counter(instance.state or NOT_STARTED for instance in found)),
        "failed": [_name(instance) for instance in failed[:NAMED]],
        "tries": max(instance.try_number for instance in found),
        "took": _took(found),
        "first_failed": min(all_failed, key=_end).map_index if all_failed else None,
        "max_tries": max(instance.max_tries for instance in found),
        "began": began.isoformat() if began else None,
        "ended": ended.isoformat() if ended else None,
    }


def _end(instance: AirflowTask) -> str:
    return instance.ended_at.isoformat() if instance.ended_at else "9"


def _name(instance: AirflowTask) -> str:
    return f"[{instance.map_index}]" + (f" {instance.label[:80]}" if instance.label else "")


def _took(found: list[AirflowTask]) -> float | None:
    """Seconds. For a mapped task, from the start of the first instance to the end of the last one."""
    if len(found) == 1:
        return found[0].duration
    began = [instance.started_at for instance in found if instance.started_at]
    ended = [instance.ended_at for instance in found if instance.ended_at]
    return (max(ended) - min(began)).total_seconds() if began and len(ended) == len(found) else None


def first_failure(rows: Iterable[Mapping[str, Any]]) -> tuple[str, int, int] | None:
    """Task, map index and try of the failure that ended first; None if no task failed."""
    failed = [row for row in rows if row.get("first_failed") is not None and row["tries"]]
    if not failed:
        return None
    row = min(failed, key=lambda row: row.get("ended") or "9")
    return row["task"], row["first_failed"], row["tries"]


def names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of the tasks, in their order."""
    return [row["task"] for row in rows]


def counted(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """All instances by state."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row["counts"])
    return total


def in_words(counts: Mapping[str, int]) -> str:
    """`2 succeeded, 1 failed`."""
    return ", ".join(f"{number} {WORDS.get(state, state.replace('_', ' '))}" for state, number in counts.items())


def failures(rows: Iterable[Mapping[str, Any]]) -> str:
    """The failed tasks, as the beginning of a sentence. Each task is named once, a mapped one with its instances."""
    said = []
    for row in rows:
        if not (number := row["counts"].get("failed", 0)):
            continue
        if not row["mapped"]:
            tries = f" after {row['tries']} tries" if row["tries"] > 1 else ""
            said.append(f"{row['task']} failed{tries}")
            continue
        more = number - len(row["failed"])
        named = ", ".join(row["failed"]) + (f" and {more} more" if more > 0 else "")
        said.append(f"{number} of {sum(row['counts'].values())} instances of {row['task']} failed: {named}")
    return "; ".join(said)


def nothing_done(rows: list[TaskRow]) -> str:
    """A sentence if no task of a successful run succeeded; else empty."""
    counts = counted(rows)
    if not counts:
        return "No task ran: Airflow ended this run as a success without running any task."
    if counts.get("success"):
        return ""
    return f"No task succeeded ({in_words(counts)})."
