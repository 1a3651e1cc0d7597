"""DAGs and runs of Airflow 3, through its API v2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_bridge import shapes
from airflow_bridge.errors import BridgeError, Conflict, NotFound, Rejected, TimedOut, Unexpected
from airflow_bridge.http import PAGE, Http
from airflow_bridge.types import Dag, Run, TaskInstance

CORE = "/api/v2"
RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")
NOTE = 1000  # characters; the column in Airflow's database


class Dags:
    """The part of `airflow_bridge.client.Airflow` about DAGs and runs."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def dags(self) -> Iterator[Dag]:
        return self._http.pages(
            f"{CORE}/dags", "dags", shape=shapes.dag, order="dag_id", what="for its DAGs", needs="can_read on DAGs"
        )

    def dag(self, dag_id: str) -> Dag | None:
        try:
            return self._read_dag(dag_id)
        except NotFound:
            return None

    def set_paused(self, dag_id: str, paused: bool) -> Dag:
        self._http.call(
            "PATCH",
            self._dag_path(dag_id),
            what=f"to {'pause' if paused else 'unpause'} {dag_id}",
            needs="can_edit on the DAG",
            params={"update_mask": "is_paused"},
            body={"is_paused": paused},
            repeatable=True,
            shape=shapes.dag,
        )
        return self._read_dag(dag_id)

    def trigger(
        self, dag_id: str, *, dag_run_id: str, conf: Mapping[str, Any], logical_date: datetime, note: str = ""
    ) -> Run:
        self._check_run_id(dag_run_id)
        if logical_date.tzinfo is None:
            raise Rejected(f"The logical date of {dag_run_id} has no time zone.", field="logical_date")
        body = {
            "dag_run_id": dag_run_id,
            "logical_date": logical_date.isoformat(),
            "conf": dict(conf),
            # SQLite would take more, PostgreSQL not
            "note": note if len(note) <= NOTE else f"{note[: NOTE - 1]}…",
        }
        try:
            return self._http.call(
                "POST",
                f"{self._dag_path(dag_id)}/dagRuns",
                what=f"to run {dag_id} as {dag_run_id}",
                needs="can_edit on the DAG and can_create on DAG Runs",
                body=body,
                shape=shapes.run,
                repeatable=True,  # under the same id: a second one is a conflict
            )
        except (TimedOut, Conflict, Unexpected) as error:
            return self._already_there(dag_id, dag_run_id, error)

    def _already_there(self, dag_id: str, dag_run_id: str, error: BridgeError) -> Run:
        """The run that an attempt without a clear answer has left, else `error`, or what a conflict was about."""
        try:
            found = self.run(dag_id, dag_run_id)
        except BridgeError as unread:
            # a conflict that cannot be looked into may be our own run: not a refusal, but a question for later
            raise (unread if isinstance(error, Conflict) else error) from None
        if found:
            return found
        if isinstance(error, Conflict):
            # Airflow answers the same for both; as our id is free, it is the logical date
            raise Conflict(
                f"{self._http.name} already has a run of {dag_id} with the same logical date. Choose another moment."
            ) from None
        raise error

    def run(self, dag_id: str, dag_run_id: str) -> Run | None:
        self._check_run_id(dag_run_id)
        try:
            return self._http.call(
                "GET",
                self._run_path(dag_id, dag_run_id),
                what=f"for the run {dag_run_id} of {dag_id}",
                needs="can_read on the DAG and on DAG Runs",
                shape=shapes.run,
            )
        except NotFound:
            return None

    def recent_runs(self, dag_id: str, limit: int = 20) -> list[Run]:
        return self._http.call(
            "GET",
            f"{self._dag_path(dag_id)}/dagRuns",
            what=f"for the last runs of {dag_id}",
            needs="can_read on the DAG and on DAG Runs",
            params={"limit": max(1, min(limit, PAGE)), "order_by": "-id"},  # by itself it begins with the oldest
            shape=lambda body: [shapes.run(row) for row in body["dag_runs"]],
        )

    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstance]:
        self._check_run_id(dag_run_id)
        return list(
            self._http.pages(
                f"{self._run_path(dag_id, dag_run_id)}/taskInstances",
                "task_instances",
                shape=shapes.task_instance,
                order="id",
                what=f"for the tasks of {dag_run_id}",
                needs="can_read on DAG Runs and on Task Instances",
            )
        )

    def _read_dag(self, dag_id: str) -> Dag:
        what, needs = f"for the DAG {dag_id}", "can_read on the DAG"
        return self._http.call("GET", f"{self._dag_path(dag_id)}/details", what=what, needs=needs, shape=shapes.dag)

    def _dag_path(self, dag_id: str) -> str:
        if not re.fullmatch(r"[\w.-]+", dag_id) or dag_id in (".", ".."):  # "~" would mean all of them
            raise NotFound(f"{self._http.name} cannot have a DAG called “{dag_id}”.")
        return f"{CORE}/dags/{quote(dag_id, safe='')}"

    def _run_path(self, dag_id: str, dag_run_id: str) -> str:
        return f"{self._dag_path(dag_id)}/dagRuns/{quote(dag_run_id, safe='')}"

    def _check_run_id(self, dag_run_id: str) -> None:
        if not RUN_ID.fullmatch(dag_run_id) or dag_run_id in ("~", ".", ".."):
            raise Rejected(
                f"“{dag_run_id}” cannot be the id of a run in {self._http.name}: 1 to 250 letters, digits and _.~:+-",
                field="dag_run_id",
            )
