"""Backfills: one run for each interval of a stretch of the past (Airflow 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, one_budget
from airflow_bridge.errors import Conflict, NotApplied, Rejected
from airflow_bridge.types import Backfill

NEEDS = "can_create on DAG Runs and can_edit on the DAG"


class Backfills(Part):
    def backfills(self, dag_id: str) -> Iterator[Backfill]:
        self._require("backfills")
        self._dag_path(dag_id)
        return self._pages(
            f"{self._core}/backfills",
            "backfills",
            parse=self._parser.backfill,
            tell=lambda backfill: backfill.id,
            order="id",
            what=f"for the backfills of {dag_id}",
            needs=NEEDS,
            params={"dag_id": dag_id},
        )

    @one_budget
    def backfill(self, backfill_id: int) -> Backfill:
        self._require("backfills")
        path, what = f"{self._core}/backfills/{int(backfill_id)}", f"for the backfill {backfill_id}"
        return self._http.call("GET", path, what=what, needs=NEEDS, parse=self._parser.backfill)

    @one_budget
    def preview_backfill(self, dag_id: str, *, from_date: datetime, to_date: datetime) -> list[datetime]:
        """The logical dates it would run."""
        self._require("backfills")
        body = self._backfill_body(dag_id, from_date, to_date, "none", {})
        return self._http.call(
            "POST",
            f"{self._core}/backfills/dry_run",
            what=f"what a backfill of {dag_id} would run",
            needs=NEEDS,
            body=body,
            parse=self._parser.moments,
            again=Again.ANY,  # nothing is changed
        )

    @one_budget
    def start_backfill(
        self,
        dag_id: str,
        *,
        from_date: datetime,
        to_date: datetime,
        reprocess: Literal["none", "failed", "completed"] = "none",
        conf: Mapping[str, Any] | None = None,
    ) -> Backfill:
        """Raises Conflict while another one of the DAG is on its way, Rejected for a DAG without a schedule."""
        self._require("backfills")
        body = self._backfill_body(dag_id, from_date, to_date, reprocess, conf or {})
        return self._http.call(
            "POST",
            f"{self._core}/backfills",
            what=f"to backfill {dag_id}",
            needs=NEEDS,
            body=body,
            parse=self._parser.backfill,
        )

    @one_budget
    def pause_backfill(self, backfill_id: int, paused: bool = True) -> Backfill:
        verb = "pause" if paused else "unpause"
        self._change_backfill(backfill_id, verb)
        with self._reading_back(f"to {verb} the backfill {backfill_id}"):
            found = self.backfill(backfill_id)
        if found.paused is not paused:
            raise NotApplied(f"{self._http.name} accepted to {verb} the backfill {backfill_id}, but has not.")
        return found

    @one_budget
    def cancel_backfill(self, backfill_id: int) -> Backfill:
        before = self.backfill(backfill_id)
        if before.completed_at is not None:
            raise Conflict(f"The backfill {backfill_id} of {before.dag_id} has already ended.")
        self._change_backfill(backfill_id, "cancel")
        with self._reading_back(f"to cancel the backfill {backfill_id}"):
            return self.backfill(backfill_id)

    def _change_backfill(self, backfill_id: int, verb: str) -> None:
        self._require("backfills")
        self._http.call(
            "PUT",
            f"{self._core}/backfills/{int(backfill_id)}/{verb}",
            what=f"to {verb} the backfill {backfill_id}",
            needs=NEEDS,
            parse=lambda body: None,
            again=Again.OVER if verb == "cancel" else Again.ANY,
        )

    def _backfill_body(
        self, dag_id: str, from_date: datetime, to_date: datetime, reprocess: str, conf: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._dag_path(dag_id)
        if from_date.tzinfo is None or to_date.tzinfo is None:
            raise Rejected(f"The dates of a backfill of {dag_id} need a time zone.", field="from_date")
        return {
            "dag_id": dag_id,
            "from_date": from_date.isoformat(),
            "to_date": to_date.isoformat(),
            "reprocess_behavior": reprocess,
            "max_active_runs": 10,
            "run_backwards": False,
            "dag_run_conf": dict(conf),
        }
