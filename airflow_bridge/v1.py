"""Airflow 2: `/api/v1`, with a password at every call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_bridge import capabilities, log_lines, probes
from airflow_bridge.airflow import Airflow
from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Place, one_budget
from airflow_bridge.calls.runs import EDITS
from airflow_bridge.calls.tasks import LOGS
from airflow_bridge.errors import BridgeError, Forbidden, NotFound, Unauthorised, Unexpected
from airflow_bridge.http import Http
from airflow_bridge.parser import Parser, moment
from airflow_bridge.probes import Probe
from airflow_bridge.types import Capabilities, Dag, LogLine, LogPart, Run, TaskInstance

LONG = 19  # digits; no log has as many lines
A_LOOK = Probe("GET", "", params={"limit": 1})


class ParserV1(Parser):
    """Where Airflow 2 writes the same differently."""

    def dag(self, body: Any) -> Dag:
        """Its parameters are in alphabetical order: Airflow 2 does not keep the declared one."""
        schedule = body["schedule_interval"]
        return Dag(
            dag_id=body["dag_id"],
            description=body["description"] or "",
            paused=body["is_paused"] is True,
            tags=tuple(sorted(tag["name"] for tag in body["tags"] or ())),
            schedule=_schedule(schedule, body["timetable_description"] or ""),
            stale=body["is_active"] is False,
            has_import_errors=body["has_import_errors"] is True,
            file=body.get("fileloc") or "",
            owners=tuple(owner.strip() for owner in body["owners"]) if body.get("owners") else None,
            next_run_at=moment(body.get("next_dagrun_create_after")),
            max_active_runs=body.get("max_active_runs"),
            catchup=body.get("catchup"),
            start_date=moment(body.get("start_date")),
            end_date=moment(body.get("end_date")),
            params=self.params(body),
        )


class AirflowV1(Airflow):
    _core = "/api/v1"
    _health_path = "/api/v1/health"
    _task_order = None
    _cancel_params = {}
    _xcom_params = {"stringify": "false"}

    def __init__(self, http: Http) -> None:
        super().__init__(http, ParserV1())
        http.recognised = self._recognised

    def _find_out(self) -> Capabilities:
        return capabilities.of_airflow_2(self.version())

    def _place(self, group: str) -> Place:
        return Place(self._core, connexion=True)

    def _recognised(self) -> bool:
        """Whether Airflow accepts our credentials: with a wrong password we are anonymous, and everything is a 403.

        An account may read users or DAGs. If DAGs are public, reading them proves nothing; then it must edit them.
        """
        try:
            if self._lets_in(f"{self._core}/users"):
                return True
            if not self._lets_in(f"{self._core}/dags"):
                return False
            return not self._open_to_all() or self._edits_dags()
        except Unauthorised:
            return False
        except BridgeError:
            return True  # unknown: the 403 is reported as it is

    def _look_at_dags(self) -> None:
        super()._look_at_dags()
        if self._open_to_all() and not self._recognised():
            raise Unauthorised(
                f"{self._http.name} was asked whether it knows us, but shows its DAGs to everybody "
                f"(AUTH_ROLE_PUBLIC), and {self._http.auth.account} nothing else. Airflow 2 says the same of a wrong "
                "password and of missing permissions: check both."
            )

    def _open_to_all(self) -> bool:
        """Whether DAGs are shown without credentials (AUTH_ROLE_PUBLIC)."""
        try:
            return self._lets_in(f"{self._core}/dags", signed_in=False)
        except Unauthorised:
            return False

    def _edits_dags(self) -> bool:
        probe = probes.OF["can_edit", "DAGs"]
        try:
            return self._lets_in(f"{self._core}{probe.path}", probe)
        except probes.PERMITTED:
            return True

    def _lets_in(self, path: str, probe: Probe = A_LOOK, *, signed_in: bool = True) -> bool:
        try:
            self._http.call(
                probe.method,
                path,
                what="whether it knows us",
                params=probe.params,
                body=probe.body,
                parse=lambda body: None,
                signed_in=signed_in,
                suspicious=False,
            )
            return True
        except Forbidden:
            return False

    def _read_dag(self, dag_id: str) -> Dag:
        """A DAG that is out of service, as one with import errors, has no details any more in Airflow 2."""
        try:
            return super()._read_dag(dag_id)
        except NotFound:
            what, needs = f"for the DAG {dag_id}", "can_read on the DAG"
            plain = self._http.call("GET", self._dag_path(dag_id), what=what, needs=needs, parse=self._parser.dag)
            if plain.stale:
                return plain
            raise

    def runs(self, dag_id: str | None = None, *, state: str = "") -> Iterator[Run]:
        """Of a DAG that is not there Airflow 2 gives none, instead of saying so."""
        run = None
        for run in super().runs(dag_id, state=state):
            yield run
        if run is None and dag_id is not None:
            self._read_dag(dag_id)

    @one_budget
    def recent_runs(self, dag_id: str, limit: int = 20) -> list[Run]:
        found = super().recent_runs(dag_id, limit)
        if not found:
            self._read_dag(dag_id)
        return found

    @one_budget
    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstance]:
        found = super().task_instances(dag_id, dag_run_id)
        if not found:  # also the answer for a run that does not exist
            self._read_run(dag_id, dag_run_id)
        return found

    def delete_user(self, username: str) -> None:
        try:
            super().delete_user(username)
        except Unexpected as error:
            raise Unexpected(
                f"{error} Airflow 2 cannot delete somebody who wrote a note on a run: take their roles away instead."
            ) from None

    def _clear(self, dag_id: str, dag_run_id: str, *, only_failed: bool) -> None:
        path, what = self._run_path(dag_id, dag_run_id), f"to clear the run {dag_run_id} of {dag_id}"
        body: dict[str, Any] = {"dry_run": False}
        if only_failed:  # the call for a run clears all of its tasks
            path = f"{self._dag_path(dag_id)}/clearTaskInstances"
            body |= {"dag_run_id": dag_run_id, "only_failed": True, "reset_dag_runs": True}
        else:
            path = f"{path}/clear"
        self._http.call("POST", path, what=what, needs=EDITS, body=body, parse=lambda body: None, again=Again.OVER)

    def _set_note(self, dag_id: str, dag_run_id: str, note: str) -> Run:
        return self._http.call(
            "PATCH",
            f"{self._run_path(dag_id, dag_run_id)}/setNote",
            what=f"to change the note of {dag_run_id}",
            needs=EDITS,
            body={"note": note},
            parse=self._parser.run,
            again=Again.ANY,
        )

    @one_budget
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
        """As text: Airflow 2's JSON holds a Python expression. There are no parts, so `after` counts the lines seen."""
        state = self._task_state(dag_id, dag_run_id, task_id, map_index, try_number)
        text = self._http.call(
            "GET",
            self._log_path(dag_id, dag_run_id, task_id, try_number),
            what=f"for the log of {task_id}",
            needs=LOGS,
            params={} if map_index < 0 else {"map_index": map_index},
            parse=str,
            accept="text/plain",
        )
        lines = text.splitlines(keepends=True)
        seen = int(after) if after and after.isdecimal() and len(after) < LONG else 0
        going_on = state in (None, "queued", "scheduled", "running", "restarting", "deferred", "up_for_reschedule")
        if going_on and lines and not lines[-1].endswith("\n"):
            lines.pop()  # it may be incomplete
        new = tuple(log_lines.of_text("".join(lines[seen:]).splitlines()))
        return LogPart(new, str(len(lines)) if going_on else None)

    def _log_lines(self, path: str, map_index: int, *, seconds: float) -> Iterator[LogLine]:
        parts = self._http.stream(
            path,
            what="for a log",
            needs=LOGS,
            accept="text/plain",
            params={} if map_index < 0 else {"map_index": map_index},
            seconds=seconds,
        )
        yield from log_lines.of_text(log_lines.cut(parts))

    def _check_try(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int, try_number: int) -> None:
        self._task_state(dag_id, dag_run_id, task_id, map_index, try_number)

    def _task_state(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int, try_number: int) -> str | None:
        """Raises NotFound for an attempt that was never made, of which Airflow 2 gives a "log" that says so."""
        path = self._task_path(dag_id, dag_run_id, task_id) + ("" if map_index < 0 else f"/{map_index}")
        task = self._http.call(
            "GET", path, what=f"for the task {task_id}", needs=LOGS, parse=self._parser.task_instance
        )
        if not 1 <= try_number <= task.try_number:
            raise NotFound(f"{self._http.name}: {task_id} of {dag_run_id} has had no attempt {try_number}.")
        return task.state if try_number == task.try_number else "over"


def _schedule(interval: Any, description: str) -> str:
    """ "0 5 * * *", "@daily"; what is no cron expression in Airflow's own words."""
    if interval is None:
        return ""
    if isinstance(interval, dict) and interval.get("__type") == "CronExpression":
        return str(interval["value"])
    return description
