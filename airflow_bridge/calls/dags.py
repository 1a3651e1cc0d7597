"""DAGs: listed, described, paused."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, whole
from airflow_bridge.errors import NotApplied, NotFound
from airflow_bridge.types import Dag, ImportError_


class Dags(Part):
    """The part of `airflow_bridge.client.Airflow` about DAGs."""

    stale_too: dict[str, str | int]
    """The parameters with which a list has those too that Airflow no longer finds."""

    def dags(self, *, include_stale: bool = False) -> Iterator[Dag]:
        return self._pages(
            f"{self.core}/dags",
            "dags",
            shape=self._shapes.dag,
            tell=lambda dag: dag.dag_id,
            order="dag_id",
            what="for its DAGs",
            needs="can_read on DAGs",
            params=self.stale_too if include_stale else None,
        )

    @whole
    def dag(self, dag_id: str) -> Dag | None:
        try:
            return self._read_dag(dag_id)
        except NotFound:
            return None

    def import_errors(self) -> Iterator[ImportError_]:
        return self._pages(
            f"{self.core}/importErrors",
            "import_errors",
            shape=self._shapes.import_error,
            tell=lambda error: (error.file, error.at),
            order="import_error_id",
            what="for its import errors",
            needs="can_read on ImportError",
        )

    @whole
    def set_paused(self, dag_id: str, paused: bool) -> Dag:
        self._http.call(
            "PATCH",
            self._dag_path(dag_id),
            what=f"to {'pause' if paused else 'unpause'} {dag_id}",
            needs="can_edit on the DAG",
            params={"update_mask": "is_paused"},
            body={"is_paused": paused},
            shape=lambda body: None,
            again=Again.ANY,
        )
        with self._reading_back(f"the change of {dag_id}"):
            dag = self._read_dag(dag_id)
        if dag.paused is not paused:
            raise NotApplied(f"{self._http.name} accepted the change of {dag_id}, but its switch has not moved.")
        return dag

    def _read_dag(self, dag_id: str) -> Dag:
        what, needs = f"for the DAG {dag_id}", "can_read on the DAG"
        path = f"{self._dag_path(dag_id)}/details"
        return self._http.call("GET", path, what=what, needs=needs, shape=self._shapes.dag)
