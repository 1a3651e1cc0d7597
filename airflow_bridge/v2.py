"""Airflow 3: `/api/v2`, and the FAB auth manager's own API beside it, which came in several generations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_bridge import answers, capabilities, log_lines
from airflow_bridge.airflow import Airflow
from airflow_bridge.auth import PasswordAuth
from airflow_bridge.calls.part import Place, unsupported
from airflow_bridge.calls.runs import EDITS
from airflow_bridge.calls.tasks import LOGS
from airflow_bridge.capabilities import WHAT
from airflow_bridge.errors import NotFound, Unsupported
from airflow_bridge.http import Http
from airflow_bridge.parser import Parser
from airflow_bridge.types import Capabilities, LogLine, LogPart, Run

FAB = "/auth/fab/v1"
HOME = {"users": "users", "roles": "roles", "permissions": "users"}


class AirflowV2(Airflow):
    _core = "/api/v2"
    _health_path = "/api/v2/monitor/health"
    _task_order = "id"
    _cancel_params = {"update_mask": "state"}
    _xcom_params = {}

    def __init__(self, http: Http) -> None:
        super().__init__(http, Parser())

    def _find_out(self) -> Capabilities:
        return capabilities.of_airflow_3(self.version(), self._auth_manager())

    def _auth_manager(self) -> Any:
        """What the auth manager's API says about itself; None where it has none."""
        try:
            return self._public(
                "/auth/openapi.json",
                what="for what its auth manager can do",
                parse=lambda text: json.loads(text) if text.startswith("{") else None,
                accept="application/json, */*",
            )
        except (Unsupported, NotFound):
            return None

    def _place(self, group: str) -> Place:
        found = self.capabilities()
        if why := found.missing.get(HOME[group]):
            raise unsupported(self._http.name, f"{WHAT[HOME[group]]} is not possible here: {why}.")
        if found.credentials[group] == "token":
            return Place(FAB)
        auth = self._http.auth
        if not isinstance(auth, PasswordAuth):
            raise unsupported(
                self._http.name,
                f"the {group} of this FAB provider (before 3.2) take a password, and we have {auth.account} alone.",
            )
        return Place(FAB, auth.basic, connexion=True)

    def _clear(self, dag_id: str, dag_run_id: str, *, only_failed: bool) -> None:
        self._http.call(
            "POST",
            f"{self._run_path(dag_id, dag_run_id)}/clear",
            what=f"to clear the run {dag_run_id} of {dag_id}",
            needs=EDITS,
            body={"dry_run": False, "only_failed": only_failed},
            parse=lambda body: None,
            again=answers.Again.OVER,
        )

    def _set_note(self, dag_id: str, dag_run_id: str, note: str) -> Run:
        return self._http.call(
            "PATCH",
            self._run_path(dag_id, dag_run_id),
            what=f"to change the note of {dag_run_id}",
            needs=EDITS,
            params={"update_mask": "note"},
            body={"note": note},
            parse=self._parser.run,
            again=answers.Again.ANY,
        )

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
        return self._http.call(
            "GET",
            self._log_path(dag_id, dag_run_id, task_id, try_number),
            what=f"for the log of {task_id}",
            needs=LOGS,
            params={"map_index": map_index} | ({"token": after} if after else {}),
            parse=lambda body: LogPart(tuple(_lines(body["content"])), body["continuation_token"]),
        )

    def _log_lines(self, path: str, map_index: int, *, seconds: float) -> Iterator[LogLine]:
        parts = self._http.stream(
            path,
            what="for a log",
            needs=LOGS,
            accept="application/x-ndjson",
            params={"map_index": map_index},
            seconds=seconds,
        )
        yield from log_lines.of_events(log_lines.cut(parts))


def _lines(content: Any) -> list[LogLine]:
    """Text lines where a handler gives those, else structured ones."""
    if isinstance(content, str):
        return [LogLine(line) for line in content.splitlines()]
    return [line for event in content for line in log_lines.of_event(event)]
