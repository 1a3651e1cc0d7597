"""DAGs: listed, described, paused."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, one_budget
from airflow_bridge.errors import NotApplied, NotFound
from airflow_bridge.types import Dag, ImportError_


class Dags(Part):
    def dags(self) -> Iterator[Dag]:
        """Those that Airflow finds in its files now."""
        return self._pages(
            f"{self._core}/dags",
            "dags",
            parse=self._parser.dag,
            tell=lambda dag: dag.dag_id,
            order="dag_id",
            what="for its DAGs",
            needs="can_read on DAGs",
        )

    @one_budget
    def dag(self, dag_id: str) -> Dag | None:
        """With its parameters. A DAG that is there may still be one that cannot be started: see `Dag.problem`."""
        try:
            return self._read_dag(dag_id)
        except NotFound:
            return None

    def import_errors(self) -> Iterator[ImportError_]:
        return self._pages(
            f"{self._core}/importErrors",
            "import_errors",
            parse=self._parser.import_error,
            tell=lambda error: (error.file, error.at),
            order="import_error_id",
            what="for its import errors",
            needs="can_read on ImportError",
        )

    @one_budget
    def set_paused(self, dag_id: str, paused: bool) -> Dag:
        """Raises NotApplied where the switch has not moved."""
        self._http.call(
            "PATCH",
            self._dag_path(dag_id),
            what=f"to {'pause' if paused else 'unpause'} {dag_id}",
            needs="can_edit on the DAG",
            params={"update_mask": "is_paused"},
            body={"is_paused": paused},
            parse=lambda body: None,
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
        return self._http.call("GET", path, what=what, needs=needs, parse=self._parser.dag)
