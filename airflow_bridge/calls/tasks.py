"""The tasks of a run, and their logs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from airflow_bridge.calls.part import Part, addressable, readable
from airflow_bridge.errors import NotFound
from airflow_bridge.types import LogLine, LogPart, TaskInstance, XCom

READS = "can_read on DAG Runs and on Task Instances"
LOGS = "can_read on the DAG and on Task Logs"
XCOM = 64 * 2**10  # bytes


class Tasks(Part):
    _task_order: str | None
    _xcom_params: Mapping[str, str | int]

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

    def log_lines(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        *,
        try_number: int = 1,
        map_index: int = -1,
        seconds: float = 60.0,
    ) -> Iterator[LogLine]:
        """The lines of an attempt that has ended, as they arrive, in bounded memory and within `seconds`.

        Close the iterator to stop earlier: until then it takes one of the places for calls. Of an attempt that goes
        on, the lines written so far. Raises NotFound before the attempt began.
        """
        path = self._log_path(dag_id, dag_run_id, task_id, try_number)
        self._check_try(dag_id, dag_run_id, task_id, map_index, try_number)
        return self._log_lines(path, map_index, seconds=seconds)

    def _check_try(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int, try_number: int) -> None:
        """Raises NotFound for an attempt that was never made, where Airflow itself does not say so."""

    @abstractmethod
    def _log_lines(self, path: str, map_index: int, *, seconds: float) -> Iterator[LogLine]: ...

    def xcom(
        self, dag_id: str, dag_run_id: str, task_id: str, key: str, *, map_index: int = -1, largest: int = XCOM
    ) -> XCom | None:
        """What a task of a run handed on under `key`; None if there is nothing.

        largest: bytes of Airflow's answer. Raises TooLarge for a longer one.
        """
        path = f"{self._task_path(dag_id, dag_run_id, task_id)}/xcomEntries/{quote(key, safe='')}"
        try:
            return self._http.call(
                "GET",
                path,
                what=f"for “{key}” of {task_id}",
                needs="can_read on the DAG and on XComs",
                params={**self._xcom_params, "map_index": map_index},
                parse=self._parser.xcom,
                largest=largest,
            )
        except NotFound:
            return None

    def _log_path(self, dag_id: str, dag_run_id: str, task_id: str, try_number: int) -> str:
        return f"{self._task_path(dag_id, dag_run_id, task_id)}/logs/{int(try_number)}"

    def _task_path(self, dag_id: str, dag_run_id: str, task_id: str) -> str:
        if not addressable(task_id) or task_id == "~":
            raise NotFound(f"{self._http.name} cannot have a task called “{readable(task_id)}”.")
        return f"{self._run_path(dag_id, dag_run_id)}/taskInstances/{quote(task_id, safe='')}"
