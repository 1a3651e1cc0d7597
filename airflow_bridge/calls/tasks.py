"""The tasks of a run, and their logs."""

from __future__ import annotations

from abc import abstractmethod
from urllib.parse import quote

from airflow_bridge.calls.part import Part, addressable, readable
from airflow_bridge.errors import NotFound
from airflow_bridge.types import LogPart, TaskInstance

READS = "can_read on DAG Runs and on Task Instances"
LOGS = "can_read on the DAG and on Task Logs"


class Tasks(Part):
    _task_order: str | None

    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstance]:
        return list(
            self._pages(
                f"{self._run_path(dag_id, dag_run_id)}/taskInstances",
                "task_instances",
                parse=self._parser.task_instance,
                tell=lambda task: (task.task_id, task.map_index),
                order=self._task_order,
                what=f"for the tasks of {dag_run_id}",
                needs=READS,
            )
        )

    @abstractmethod
    def log(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        *,
        try_number: int = 1,
        map_index: int = -1,
        after: str | None = None,
    ) -> LogPart:
        """Lines of one attempt's log; `after` is the `next` of the part before. Raises NotFound before it began."""

    def _log_path(self, dag_id: str, dag_run_id: str, task_id: str, try_number: int) -> str:
        return f"{self._task_path(dag_id, dag_run_id, task_id)}/logs/{int(try_number)}"

    def _task_path(self, dag_id: str, dag_run_id: str, task_id: str) -> str:
        if not addressable(task_id) or task_id == "~":
            raise NotFound(f"{self._http.name} cannot have a task called “{readable(task_id)}”.")
        return f"{self._run_path(dag_id, dag_run_id)}/taskInstances/{quote(task_id, safe='')}"
